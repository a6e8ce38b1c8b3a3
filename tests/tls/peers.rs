//! A server process and its clients. A server that wrote to its standard error, as a panic does, fails its test.

use crate::certificates::{Authority, Identity, write};
use ochre_testkit::ports::free_port;
use ochre_testkit::waiting::{PATIENCE, figure, wait_until};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

/// A server with a folder of its own; both go away with it.
pub(crate) struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    pub folder: PathBuf,
    pub port: u16,
    pub tls_port: u16,
}

impl Server {
    /// Starts a server whose certificate comes from `authority`, which it trusts for clients too.
    pub(crate) fn start(authority: &Authority, options: &[&str]) -> Server {
        let mut server = Server::launch(authority, options);
        let log = server.log.clone();
        wait_until("the start", || {
            assert!(
                server.child.try_wait().expect("a child").is_none(),
                "{}",
                server.text()
            );
            log.lock().expect("no panic").contains("Ready to accept")
        });
        server
    }

    /// Starts a server that is expected to fail; gives its status and its log.
    pub(crate) fn fail(authority: &Authority, options: &[&str]) -> (ExitStatus, String) {
        let mut server = Server::launch(authority, options);
        let mut status = None;
        wait_until("the end", || {
            status = server.child.try_wait().expect("a child");
            status.is_some()
        });
        wait_until("the log", || server.text().contains("Check logs"));
        (status.expect("it ended"), server.text())
    }

    fn launch(authority: &Authority, options: &[&str]) -> Server {
        let port = free_port();
        let tls_port = free_port();
        let folder = std::env::temp_dir().join(format!("ochre-tls-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        write(&folder, "ca.crt", &authority.pem());
        authority.server().write(&folder, "server");
        let mut child = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
            .current_dir(&folder)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--tls-port", &tls_port.to_string()])
            .args([
                "--tls-cert-file",
                "server.crt",
                "--tls-key-file",
                "server.key",
            ])
            .args(["--tls-ca-cert-file", "ca.crt"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(
                std::fs::File::create(folder.join("stderr")).expect("the folder can be written to"),
            )
            .spawn()
            .expect("the server starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (child.stdout.take().expect("piped"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                let mut kept = kept.lock().expect("no panic");
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Server {
            child,
            log,
            folder,
            port,
            tls_port,
        }
    }

    /// The log so far.
    pub(crate) fn text(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// A plain connection.
    pub(crate) fn plain(&self) -> Client<TcpStream> {
        Client(connect(self.port))
    }

    /// A number out of INFO.
    pub(crate) fn figure(&self, name: &str) -> i64 {
        figure(&self.plain().ask(&["INFO"]), name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let complaints = std::fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
        let _ = std::fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            assert_eq!(complaints, "", "the server complains");
        }
    }
}

/// A TCP connection whose reads end.
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// What a TLS client trusts and shows.
pub(crate) fn config(
    authority: &Authority,
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM");
    roots.add(root).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("known versions")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
            builder
                .with_client_auth_cert(vec![certificate.expect("PEM")], key)
                .expect("they fit")
        }
    };
    config.resumption = Resumption::in_memory_sessions(8);
    config
}

/// A connection that speaks RESP.
pub(crate) struct Client<S>(pub S);

/// A client over TLS.
pub(crate) type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// Connects over TLS and exchanges a PING, which in TLS 1.3 is where a refused client learns it.
pub(crate) fn secure(port: u16, config: &Arc<ClientConfig>) -> io::Result<TlsClient> {
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    let mut client = Client(StreamOwned::new(connection, connect(port)));
    client.send(&["PING"])?;
    match client.line()?.as_str() {
        "+PONG" => Ok(client),
        other => Err(io::Error::other(other.to_owned())),
    }
}

/// Encodes a request.
pub(crate) fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, words: &[&str]) -> io::Result<()> {
        self.0.write_all(&request(words))?;
        self.0.flush()
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// A reply: a line as it is, or the text of a bulk string.
    pub(crate) fn reply(&mut self) -> io::Result<String> {
        let line = self.line()?;
        let Some(len) = line.strip_prefix('$') else {
            return Ok(line);
        };
        let mut text = vec![0; len.parse::<usize>().map_err(io::Error::other)? + 2];
        self.0.read_exact(&mut text)?;
        text.truncate(text.len() - 2);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The reply to a request.
    pub(crate) fn ask(&mut self, words: &[&str]) -> String {
        self.send(words).expect("it is sent");
        self.reply().expect("it is answered")
    }
}
