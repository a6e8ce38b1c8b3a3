//! The program `ochre-benchmark` from outside: against Ochre, against a real Redis beside redis-benchmark, and against
//! servers that fail.

mod beside;
mod faults;
mod loads;
mod reports;

use ochre::Server;
use ochre_testkit::programs;
use ochre_testkit::reference::{Wire, with_redis};
use std::process::{Command, Output};

/// How a run of a program ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs a load generator with `input` as its standard input.
fn run_with(program: &str, words: &[&str], input: &[u8]) -> Ended {
    ended(&programs::run_with(
        Command::new(program).args(words),
        input,
    ))
}

fn ended(output: &Output) -> Ended {
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_ochre-benchmark");

/// Runs it against a port, by the words of `line`.
fn run(port: u16, line: &str) -> Ended {
    let port = port.to_string();
    let mut words = vec!["-p", &port];
    words.extend(line.split_whitespace());
    run_with(PROGRAM, &words, b"")
}

/// What it printed; it has to end well and complain of nothing.
fn good(port: u16, line: &str) -> String {
    let ended = run(port, line);
    assert_eq!(
        (ended.code, &*ended.err),
        (Some(0), ""),
        "{line}: {}",
        ended.out
    );
    ended.out
}

/// The document of a run with `--json`.
fn json(port: u16, line: &str) -> serde_json::Value {
    let text = good(port, &format!("--json {line}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{line}: {e}: {text}"))
}

/// A figure by its path in a document, as `/tests/0/requests`.
fn figure(document: &serde_json::Value, path: &str) -> f64 {
    let value = document.pointer(path).and_then(serde_json::Value::as_f64);
    value.unwrap_or_else(|| panic!("no {path} in {document:#}"))
}

/// A server in this process, and its port.
fn ochre() -> (Server, u16) {
    let server = Server::builder().port(0).workers(1).start();
    let server = server.expect("a server");
    let port = server.port().expect("a port");
    (server, port)
}

/// Runs `test` with the port of each kind of server.
fn with_each(test: impl Fn(u16)) {
    let (server, port) = ochre();
    test(port);
    drop(server);
    with_redis(test);
}

/// The reply of a server to one request, as it came.
fn ask(port: u16, words: &[&str]) -> String {
    let mut wire = Wire::connect(&format!("127.0.0.1:{port}")).expect("a connection");
    let reply = wire.call(words).expect("a reply");
    String::from_utf8_lossy(&reply).into_owned()
}
