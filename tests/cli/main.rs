//! The program `ochre-cli`, beside redis-cli where there is one, and at a pseudo-terminal.

mod formats;
mod modes;
mod terminal;

use ochre::Server;
use ochre_testkit::programs;
use ochre_testkit::reference::with_redis;
use std::process::{Command, Output};

/// Where redis-cli is; `OCHRE_REDIS_CLI` names another.
fn redis_cli() -> Option<String> {
    let path = std::env::var("OCHRE_REDIS_CLI").unwrap_or_else(|_| "/usr/bin/redis-cli".to_owned());
    let version = Command::new(&path).arg("--version").output().ok()?;
    // The texts are those of this line of releases.
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if version.starts_with("redis-cli 7.0.") {
        return Some(path);
    }
    eprintln!("skipped for want of redis-cli 7.0: {version}");
    None
}

fn ochre_cli() -> &'static str {
    env!("CARGO_BIN_EXE_ochre-cli")
}

/// A server and its port.
fn server() -> (Server, u16) {
    let server = Server::builder()
        .port(0)
        .workers(1)
        .start()
        .expect("a server");
    let port = server.port().expect("a port");
    (server, port)
}

/// Runs `test` with the port of each kind of server.
fn with_each(test: impl Fn(u16)) {
    let (server, port) = server();
    test(port);
    drop(server);
    with_redis(test);
}

/// Runs a client with `input` as its standard input.
fn run(program: &str, port: u16, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(program);
    command
        .args(["-p", &port.to_string()])
        .args(args)
        .env_remove("REDISCLI_AUTH");
    programs::run_with(&mut command, input)
}

/// What a client printed and how it ended, as one text.
fn told(output: &Output) -> String {
    format!(
        "{}\n--- errors\n{}--- {:?}",
        output.stdout.escape_ascii(),
        String::from_utf8_lossy(&output.stderr),
        output.status.code()
    )
}
