//! The server program under test. One that wrote to its standard error, as a panic does, fails its test.

use ochre_testkit::ports::free_port;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server; it goes away with this.
pub(crate) struct Server {
    child: Child,
    complaints: PathBuf,
    pub address: String,
}

impl Server {
    pub(crate) fn start(options: &[&str]) -> Server {
        let port = free_port().to_string();
        let name = format!("ochre-tracking-{}-{port}", std::process::id());
        let complaints = std::env::temp_dir().join(name);
        let mut child = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
            .args(["--port", &port, "--bind", "127.0.0.1"])
            .args(["--enable-debug-command", "yes"])
            .args(["--worker-threads", "4", "--worker-threads-min", "4"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&complaints).expect("the folder can be written to"))
            .spawn()
            .expect("the server starts");
        let mut log = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = log.by_ref().map_while(Result::ok);
        assert!(
            ready
                .into_iter()
                .any(|line| line.contains("Ready to accept")),
            "the server does not start: {}",
            std::fs::read_to_string(&complaints).unwrap_or_default()
        );
        // What it logs later is of no interest, but must go somewhere.
        std::thread::spawn(move || log.for_each(drop));
        Server {
            child,
            complaints,
            address: format!("127.0.0.1:{port}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let complaints = std::fs::read_to_string(&self.complaints).unwrap_or_default();
        let _ = std::fs::remove_file(&self.complaints);
        if std::thread::panicking() {
            eprintln!("the server's complaints: {complaints}");
        } else {
            assert_eq!(complaints, "", "the server complains");
        }
    }
}
