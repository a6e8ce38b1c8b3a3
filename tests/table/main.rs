//! The table front of the server program: each storage, both sides of a table in the keyspace, permissions, a crash.

#[cfg(feature = "cli")]
#[path = "../tls/certificates.rs"]
mod certificates;

use ochre::table::client::ClientError;
use ochre::table::{Client, CommandRequest, Kvpair, Value};
use ochre_testkit::ports::free_port;
use ochre_testkit::reference::{Running, Wire};
use ochre_testkit::waiting::wait_until;
use std::path::PathBuf;

/// A server with a table port, and the port's address.
struct Server {
    running: Running,
    table: String,
}

impl Server {
    fn start(options: &[&str]) -> Server {
        let port = free_port().to_string();
        let options = [&["--table-port", &port], options].concat();
        let running = Running::start(env!("CARGO_BIN_EXE_ochre-server"), &options);
        Server {
            running: running.expect("it starts"),
            table: format!("127.0.0.1:{port}"),
        }
    }

    async fn client(&self) -> Client {
        let connected = Client::connect(self.table.as_str()).await;
        connected.expect("it listens")
    }

    fn wire(&self) -> Wire {
        Wire::connect(&self.running.address.to_string()).expect("it listens")
    }
}

fn call(wire: &mut Wire, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let reply = wire.call(&words).expect("a reply");
    String::from_utf8_lossy(&reply).into_owned()
}

fn status(result: Result<impl std::fmt::Debug, ClientError>) -> u32 {
    match result {
        Err(ClientError::Refused(response)) => response.status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_table_in_the_keyspace_is_a_hash() {
    let server = Server::start(&[]);
    let (client, mut wire) = (server.client().await, server.wire());
    assert_eq!(client.set("t", "k", "v").await.unwrap(), Value::default());
    assert_eq!(call(&mut wire, "HGET t k"), "$1\r\nv\r\n");
    assert_eq!(call(&mut wire, "HSET t k 5 l 6"), ":1\r\n");
    assert_eq!(client.get("t", "k").await.unwrap(), Some("5".into()));
    assert_eq!(client.set("t", "k", 5).await.unwrap(), "5".into());
    assert_eq!(client.get("t", "k").await.unwrap(), Some(5.into()));
    let all = client.get_all("t").await.unwrap();
    assert!(all.contains(&Kvpair::new("l", "6")), "{all:?}");
    assert_eq!(client.del_many("t", &["k", "l"]).await.unwrap().len(), 2);
    assert_eq!(call(&mut wire, "EXISTS t"), ":0\r\n");
    call(&mut wire, "SET t string");
    assert_eq!(status(client.get("t", "k").await), 409);
}

#[tokio::test]
async fn permissions_are_those_of_the_acl() {
    let server = Server::start(&[]);
    let (client, mut wire) = (server.client().await, server.wire());
    client.set("t", "k", true).await.unwrap();
    call(&mut wire, "CONFIG SET requirepass secret");
    assert_eq!(status(client.get("t", "k").await), 401);

    let server = Server::start(&["--table-user", "front"]);
    let (client, mut wire) = (server.client().await, server.wire());
    assert_eq!(status(client.get("t", "k").await), 401);
    call(&mut wire, "ACL SETUSER front on >secret ~open:* +hget");
    assert_eq!(client.get("open:t", "k").await.unwrap(), None);
    assert_eq!(status(client.get("t", "k").await), 403);
    assert_eq!(status(client.set("open:t", "k", 1).await), 403);
}

#[tokio::test]
async fn tables_in_memory_are_limited() {
    let server = Server::start(&["--table-storage", "memory"]);
    let (client, mut wire) = (server.client().await, server.wire());
    client.set("t", "k", "v").await.unwrap();
    assert_eq!(call(&mut wire, "EXISTS t"), ":0\r\n");
    call(&mut wire, "CONFIG SET maxmemory 1");
    let set = CommandRequest::new_hset("t", "k", "w".into());
    let mut last = 200;
    let start = std::time::Instant::now();
    while last == 200 && start.elapsed() < ochre_testkit::waiting::PATIENCE {
        last = client.execute(&set).await.unwrap().status;
    }
    assert_eq!(last, 507);
    assert!(client.exists("t", "k").await.unwrap());
}

/// A folder of this test's own, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        Folder(std::env::temp_dir().join(format!("ochre-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn tables_on_disk_survive_a_crash() {
    let folder = Folder::new("tables");
    let path = folder.0.to_str().expect("UTF-8").to_owned();
    for sync in ["always", "everysec", "no"] {
        let options = ["--table-storage", "disk", "--table-dir", &path];
        let options = [&options[..], &["--table-sync", sync]].concat();
        let server = Server::start(&options);
        let client = server.client().await;
        for n in 0..100 {
            client.set(sync, &n.to_string(), n).await.unwrap();
        }
        // The end of it is by SIGKILL.
        drop(server);
        let server = Server::start(&options);
        let client = server.client().await;
        for n in 0..100 {
            let got = client.get(sync, &n.to_string()).await.unwrap();
            assert_eq!(got, Some(n.into()), "{sync}");
        }
    }
}

#[tokio::test]
async fn a_stop_ends_connections_after_their_responses() {
    let server = Server::start(&[]);
    let client = server.client().await;
    client.set("t", "k", "v").await.unwrap();
    server
        .wire()
        .call(&["SHUTDOWN", "NOSAVE"])
        .expect_err("it ends");
    wait_until("the end of listening", || {
        std::net::TcpStream::connect(&server.table).is_err()
    });
}

/// What `ochre-cli --table` prints for a line each, errors of its own behind it, and whether it succeeded.
#[cfg(feature = "cli")]
fn cli(server: &Server, lines: &str) -> (String, bool) {
    cli_with(server, &[], lines)
}

/// The same with further options.
#[cfg(feature = "cli")]
fn cli_with(server: &Server, options: &[&str], lines: &str) -> (String, bool) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let port = server.table.rsplit(':').next().expect("a port");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ochre-cli"))
        .args(["--table", "-e", "-p", port])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    // It ends before it has read all when a line fails.
    let _ = input.write_all(lines.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    (text, output.status.success())
}

#[cfg(feature = "cli")]
#[test]
fn the_command_line_keeps_types() {
    let server = Server::start(&[]);
    let lines = r#"hmset t int 5 text "5" real 1.5 yes true none empty bytes b"\xff"
hmget t int text real yes none bytes missing
hexist t "text"
"#;
    let shown = "5\n5\n1.5\ntrue\nempty\nb\"\\xff\"\nempty\ntrue\n";
    let (text, good) = cli(&server, lines);
    assert_eq!(
        (text, good),
        (format!("{}{shown}", "empty\n".repeat(6)), true)
    );
    let mut wire = server.wire();
    assert_eq!(call(&mut wire, "HGET t text"), "$1\r\n5\r\n");
    let (text, good) = cli(&server, "hget t nothing\nhget t int\n");
    assert!(text.starts_with("(error) 404 ") && !good, "{text}");
    for (line, why) in [("nonsense", "Unknown command"), ("hget t", "Wrong number")] {
        let (text, good) = cli(&server, line);
        assert!(
            text.starts_with(&format!("(error) {why}")) && !good,
            "{text}"
        );
    }
}

#[cfg(feature = "cli")]
#[test]
fn the_command_line_shows_certificates() {
    let folder = Folder::new("certificates");
    std::fs::create_dir(&folder.0).expect("a new folder");
    let authority = certificates::Authority::new("one");
    certificates::write(&folder.0, "ca.crt", &authority.pem());
    authority.server().write(&folder.0, "server");
    authority.client().write(&folder.0, "client");
    certificates::Authority::new("two")
        .client()
        .write(&folder.0, "stranger");
    let file = |name: &str| folder.0.join(name).to_str().expect("UTF-8").to_owned();
    let (ca, cert, key) = (file("ca.crt"), file("server.crt"), file("server.key"));
    let files = [
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
    ];
    let server = Server::start(&[&["--table-tls", "yes"], &files[..]].concat());
    let with = |name: &str| {
        let (cert, key) = (file(&format!("{name}.crt")), file(&format!("{name}.key")));
        let options = [
            "-h",
            "localhost",
            "--tls",
            "--cacert",
            &ca,
            "--cert",
            &cert,
            "--key",
            &key,
        ];
        cli_with(&server, &options, "hset t k 5\nhget t k\n")
    };
    assert_eq!(with("client"), ("empty\n5\n".to_owned(), true));
    assert!(!with("stranger").1);
    let bare = ["-h", "localhost", "--tls", "--cacert", &ca];
    assert!(!cli_with(&server, &bare, "hget t k\n").1);
    assert!(!cli(&server, "hget t k\n").1);
}
