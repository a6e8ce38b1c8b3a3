//! Transcripts: text files of commands and expected replies, run against an engine in process.
//!
//! ```text
//! # a comment
//! > SET k v          a command, quoted as in redis-cli
//! < OK               its reply; for several lines of one reply, several `<` lines
//! @ 1500             moves the clock by milliseconds
//! ! RESP3            the lines that follow hold for RESP3 only (RESP2; BOTH ends it)
//! ```
//!
//! Replies are written as redis-cli's `--no-raw` mode would, one line per element, nested by two
//! spaces: `OK`, `"bulk"`, `(integer) 1`, `(nil)`, `(error) ERR …`, `(double) 1.5`, `(true)`, `(array 2)`,
//! `(map 1)`, `(set 1)`, `(push 1)`.
//! Each transcript runs in both protocols on a fresh engine.

use crate::InProcess;
use ochre_resp::{Frame, Protocol};
use std::fmt::Write;

/// Runs a transcript in both protocols.
///
/// # Panics
/// At the first reply that differs, with the line.
pub fn check(name: &str, text: &str) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        run(name, text, protocol);
    }
}

fn run(name: &str, text: &str, protocol: Protocol) {
    let (server, mut skip) = (InProcess::new(&[("enable-debug-command", "yes")]), false);
    let mut connection = server.connect(protocol);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let (mark, rest) = line.split_at(line.len().min(1));
        let rest = rest.trim();
        match mark {
            "!" => {
                skip = !matches!(
                    (rest, protocol),
                    ("BOTH", _) | ("RESP2", Protocol::Resp2) | ("RESP3", Protocol::Resp3)
                )
            }
            "@" if !skip => server.advance(
                rest.parse()
                    .unwrap_or_else(|_| panic!("{name}:{}: bad time", number + 1)),
            ),
            ">" if !skip => {
                let mut expected = String::new();
                while let Some((_, line)) = lines.next_if(|(_, l)| l.starts_with('<')) {
                    expected.push_str(line[1..].strip_prefix(' ').unwrap_or(""));
                    expected.push('\n');
                }
                let mut got = String::new();
                show(&connection.line(rest), 0, &mut got);
                assert_eq!(
                    got.trim_end(),
                    expected.trim_end(),
                    "{name}:{} in {protocol:?}: {rest}",
                    number + 1
                );
            }
            _ => {}
        }
    }
}

/// Writes a reply as transcripts spell it.
pub fn show(frame: &Frame, depth: usize, out: &mut String) {
    let _ = write!(out, "{}", "  ".repeat(depth));
    let quoted = |bytes: &[u8]| {
        let mut text = Vec::new();
        ochre_resp::quote_arg(&mut text, bytes);
        String::from_utf8_lossy(&text).into_owned()
    };
    let list = |label: &str, items: &[Frame], out: &mut String| {
        let _ = writeln!(out, "({label} {})", items.len());
        items.iter().for_each(|i| show(i, depth + 1, out));
    };
    let _ = match frame {
        Frame::Simple(text) => writeln!(out, "{}", String::from_utf8_lossy(text.as_ref())),
        Frame::Error(text) => writeln!(out, "(error) {}", String::from_utf8_lossy(text.as_ref())),
        Frame::Integer(n) => writeln!(out, "(integer) {n}"),
        Frame::Bulk(bytes) => writeln!(out, "{}", quoted(bytes)),
        Frame::Null | Frame::NullArray => writeln!(out, "(nil)"),
        Frame::Double(d) => writeln!(out, "(double) {d}"),
        Frame::Boolean(b) => writeln!(out, "({b})"),
        Frame::BigNumber(digits) => writeln!(out, "(big number) {digits}"),
        Frame::Verbatim { text, .. } => writeln!(out, "{}", quoted(text)),
        Frame::Array(items) => return list("array", items, out),
        Frame::Set(items) => return list("set", items, out),
        Frame::Push(items) => return list("push", items, out),
        Frame::Map(pairs) => {
            let _ = writeln!(out, "(map {})", pairs.len());
            for (key, value) in pairs {
                show(key, depth + 1, out);
                show(value, depth + 1, out);
            }
            Ok(())
        }
        Frame::Attribute(_, inner) => return show(inner, depth, out),
    };
}
