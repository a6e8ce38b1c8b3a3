//! Programs that are run to their end.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs a program with `input` as its standard input, and gives what it printed and how it ended.
///
/// # Panics
/// When it does not start.
pub fn run_with(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program that starts");
    // It may end without reading all of it.
    let _ = child.stdin.take().expect("its input").write_all(input);
    child.wait_with_output().expect("a program that ends")
}
