//! The server program and connections to it.

use ochre_testkit::ports::free_port;
use ochre_testkit::reference::Wire;
use ochre_testkit::waiting::{figure, wait_until};
use std::process::{Child, Command, Stdio};

/// A server, which ends with its test.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server with `options`.
    pub(crate) fn start(options: &[&str]) -> Server {
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--enable-debug-command", "yes"])
            .args(options)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut server = Server { child, port };
        wait_until("the start", || {
            let ended = server.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the server ended");
            Wire::connect(&server.address()).is_ok_and(|mut wire| wire.call(&["PING"]).is_ok())
        });
        server
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A connection in RESP2.
    pub(crate) fn connect(&self) -> Client {
        Client(Wire::connect(&self.address()).expect("a connection"))
    }

    /// A number out of INFO.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        figure(&self.connect().ask(&["INFO", "everything"]), name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection.
pub(crate) struct Client(pub(crate) Wire);

impl Client {
    /// The reply to a request, as it came, in text.
    pub(crate) fn ask<A: AsRef<[u8]>>(&mut self, words: &[A]) -> String {
        let reply = self.0.call(words).expect("a reply");
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// Runs a script with these keys.
    pub(crate) fn eval(&mut self, script: &str, keys: &[&str]) -> String {
        let count = keys.len().to_string();
        self.ask(&[&["EVAL", script, &count], keys].concat())
    }
}
