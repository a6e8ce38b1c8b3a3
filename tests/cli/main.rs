//! The program `ochre-cli`, beside redis-cli where there is one, and at a pseudo-terminal.

mod formats;
mod modes;
mod terminal;

use std::process::{Command, Output, Stdio};

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

/// Runs a client with `input` as its standard input.
fn run(program: &str, port: u16, args: &[&str], input: &[u8]) -> Output {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(["-p", &port.to_string()])
        .args(args)
        .env_remove("REDISCLI_AUTH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program that starts");
    // It may end without reading all of it.
    let _ = child.stdin.take().expect("its input").write_all(input);
    child.wait_with_output().expect("a program that ends")
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
