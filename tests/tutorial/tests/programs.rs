//! Runs the programs and compares what they print with what the tutorial says.

use mini_redis::{Connection, Frame, Result, client};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

fn output_of(program: &str, address: &str) -> String {
    let output = Command::new(program)
        .arg(address)
        .output()
        .expect("a program that starts");
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A program that listens: its process, its output and its address.
struct Listening(Child, BufReader<std::process::ChildStdout>, String);

impl Listening {
    fn start(program: &str) -> Listening {
        let mut child = Command::new(program)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .expect("an address");
        let address = address.to_owned();
        Listening(child, lines, address)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn request(words: &[&'static str]) -> Frame {
    Frame::Array(words.iter().map(|w| Frame::Bulk((*w).into())).collect())
}

#[test]
fn hello_prints_the_value() {
    let server = ochre_testserver::start(&[]);
    let printed = output_of(
        env!("CARGO_BIN_EXE_hello"),
        &ochre_testserver::address(&server),
    );
    assert_eq!(
        printed,
        "got value from the server; result=Some(b\"world\")\n"
    );
}

#[test]
fn the_manager_task_answers_both() {
    let server = ochre_testserver::start(&[]);
    let printed = output_of(
        env!("CARGO_BIN_EXE_channels"),
        &ochre_testserver::address(&server),
    );
    assert!(printed.contains("GOT (Set) = Ok(Ok(()))\n"), "{printed}");
    // Whichever task was first decides what the other reads.
    assert!(
        printed.contains("GOT (Get) = Ok(Ok(None))\n")
            || printed.contains("GOT (Get) = Ok(Ok(Some(b\"bar\")))\n"),
        "{printed}"
    );
}

#[test]
fn the_stream_gives_the_short_numbers() {
    let server = ochre_testserver::start(&[]);
    let printed = output_of(
        env!("CARGO_BIN_EXE_streams"),
        &ochre_testserver::address(&server),
    );
    assert_eq!(printed, "got = b\"1\"\ngot = b\"3\"\ngot = b\"6\"\nDONE\n");
}

#[test]
fn the_blocking_and_buffered_clients_work() {
    let server = ochre_testserver::start(&[]);
    let printed = output_of(
        env!("CARGO_BIN_EXE_blocking"),
        &ochre_testserver::address(&server),
    );
    let buffered: String = (0..8).map(|i| format!("Some(b\"{i}\") ")).collect();
    assert_eq!(
        printed,
        format!("blocking = Some(b\"blocking\")\n{buffered}\n")
    );
}

#[tokio::test]
async fn the_small_server_answers_a_client() -> Result<()> {
    let server = Listening::start(env!("CARGO_BIN_EXE_server"));
    let mut client = client::connect(server.2.as_str()).await?;
    assert_eq!(client.get("hello").await?, None);
    client.set("hello", "world".into()).await?;
    assert_eq!(client.get("hello").await?, Some("world".into()));
    Ok(())
}

#[test]
fn the_first_server_prints_the_request_and_the_client_its_error() {
    let mut server = Listening::start(env!("CARGO_BIN_EXE_print_frames"));
    let output = Command::new(env!("CARGO_BIN_EXE_hello"))
        .arg(&server.2)
        .output()
        .expect("a program that starts");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Error: \"unimplemented\"\n"
    );
    let mut printed = String::new();
    server.1.read_to_string(&mut printed).expect("UTF-8");
    assert_eq!(
        printed,
        "GOT: Array([Bulk(b\"set\"), Bulk(b\"hello\"), Bulk(b\"world\")])\n"
    );
}

#[tokio::test]
async fn the_connection_by_hand_echoes_every_frame() -> Result<()> {
    let server = Listening::start(env!("CARGO_BIN_EXE_framing"));
    let mut connection = Connection::new(TcpStream::connect(&server.2).await?);
    for frame in [
        Frame::Simple("OK".to_string()),
        Frame::Error("ERR no".to_string()),
        Frame::Integer(u64::from(u32::MAX)),
        Frame::Bulk("a\r\nb".into()),
        Frame::Null,
        request(&["get", "key"]),
        Frame::Array(vec![]),
        Frame::Bulk(vec![b'x'; 100_000].into()),
    ] {
        connection.write_frame(&frame).await?;
        assert_eq!(connection.read_frame().await?, Some(frame));
    }
    Ok(())
}
