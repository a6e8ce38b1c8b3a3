//! Compares every declaration with COMMAND of a real Redis: arity, flags, key positions, ACL
//! categories, tips, key specifications, subcommands.
//!
//! The reference is Redis 8.2 for the commands that it has, else 7.0. Where a declaration differs it
//! stands on [`DIFFERENCES`] with the reason; an entry that no longer applies fails the test.
//!
//! The servers are the binaries in `OCHRE_REDIS_70` (default `/usr/bin/redis-server`) and
//! `OCHRE_REDIS_82`. Without them the comparison is skipped, except where `CI` is `true`.

use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol};
use ochre_testkit::InProcess;
use ochre_testkit::ports::free_port;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// (command, aspect, why it differs). The aspect `exists` covers a command that the references lack,
/// with its subcommands.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("blmovem", "exists", "newer than 8.2"),
    ("delex", "exists", "newer than 8.2"),
    ("digest", "exists", "newer than 8.2"),
    ("increx", "exists", "newer than 8.2"),
    ("lmovem", "exists", "newer than 8.2"),
    ("msetex", "exists", "newer than 8.2"),
    ("sdiffcard", "exists", "newer than 8.2"),
    ("sunioncard", "exists", "newer than 8.2"),
];

/// What COMMAND says of one command, by aspect. Sets are sorted and joined.
type Facts = BTreeMap<&'static str, String>;
type Table = BTreeMap<String, Facts>;

/// A reference server, stopped when dropped.
struct Reference {
    child: Child,
    port: u16,
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.child.kill().expect("a server that can be stopped");
        self.child.wait().expect("a server that ends");
    }
}

impl Reference {
    /// Starts a server on a free port, anew if somebody else took the port meanwhile.
    fn start(binary: &str) -> Reference {
        (0..5)
            .find_map(|_| Self::try_start(binary))
            .unwrap_or_else(|| panic!("{binary} does not start"))
    }

    fn try_start(binary: &str) -> Option<Reference> {
        let port = free_port();
        let mut child = Command::new(binary)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{binary}: {e}"));
        let log = BufReader::new(child.stdout.take().expect("its output"));
        let server = Reference { child, port };
        // The log ends when the server fails.
        let ready = log.lines().map_while(Result::ok);
        ready
            .into_iter()
            .any(|line| line.to_lowercase().contains("ready to accept"))
            .then_some(server)
    }

    /// The whole table, over RESP3.
    fn table(&self) -> Table {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).expect("a time limit");
        stream
            .write_all(b"HELLO 3\r\nCOMMAND\r\n")
            .expect("a request");
        let mut bytes = Vec::new();
        let mut replies = Vec::new();
        while replies.len() < 2 {
            let mut chunk = [0; 16 * 1024];
            let read = stream.read(&mut chunk).expect("a reply in time");
            assert!(read > 0, "the server closed the connection");
            bytes.extend_from_slice(&chunk[..read]);
            replies = decode(&bytes);
        }
        table_of(&replies[1])
    }
}

/// The complete frames at the beginning of `bytes`.
fn decode(bytes: &[u8]) -> Vec<Frame> {
    let (mut at, mut frames) = (0, Vec::new());
    loop {
        let progress = FrameDecoder::new(FrameLimits::default())
            .decode(&bytes[at..])
            .expect("well-formed replies");
        let Some(frame) = progress.frame else {
            return frames;
        };
        at += progress.consumed;
        frames.push(frame);
    }
}

fn text(frame: &Frame) -> String {
    match frame {
        Frame::Simple(bytes) => String::from_utf8_lossy(bytes.as_ref()).into_owned(),
        Frame::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Frame::Integer(n) => n.to_string(),
        Frame::Map(pairs) => {
            let pairs = pairs.iter().filter(|(name, _)| text(name) != "notes");
            let pairs: Vec<String> = pairs
                .map(|(name, value)| format!("{}={}", text(name), text(value)))
                .collect();
            format!("{{{}}}", pairs.join(" "))
        }
        Frame::Set(_) | Frame::Array(_) => set(frame),
        other => panic!("unexpected in COMMAND: {other:?}"),
    }
}

fn items(frame: &Frame) -> &[Frame] {
    match frame {
        Frame::Array(items) | Frame::Set(items) => items,
        other => panic!("not a list: {other:?}"),
    }
}

/// A set as text that does not depend on its order.
fn set(frame: &Frame) -> String {
    let items: BTreeSet<String> = items(frame).iter().map(text).collect();
    items.into_iter().collect::<Vec<_>>().join(" ")
}

fn table_of(commands: &Frame) -> Table {
    let mut table = Table::new();
    items(commands).iter().for_each(|c| add(&mut table, c));
    table
}

fn add(table: &mut Table, command: &Frame) {
    let fields = items(command);
    assert_eq!(fields.len(), 10, "ten elements: {command:?}");
    let range: Vec<String> = fields[3..6].iter().map(text).collect();
    // The order of key specifications has a meaning.
    let keys: Vec<String> = items(&fields[8]).iter().map(text).collect();
    let subcommands: BTreeSet<String> = items(&fields[9])
        .iter()
        .map(|s| text(&items(s)[0]))
        .collect();
    let facts = [
        ("arity", text(&fields[1])),
        ("flags", set(&fields[2])),
        ("range", range.join(" ")),
        ("categories", set(&fields[6])),
        ("tips", set(&fields[7])),
        ("keys", keys.join(" ")),
        (
            "subcommands",
            subcommands.into_iter().collect::<Vec<_>>().join(" "),
        ),
    ];
    table.insert(text(&fields[0]), facts.into());
    items(&fields[9]).iter().for_each(|s| add(table, s));
}

/// The binaries of Redis 7.0 and 8.2.
fn binaries() -> Option<[String; 2]> {
    let named = |name: &str, default: &str| {
        let path = std::env::var(name).unwrap_or_else(|_| default.to_owned());
        if std::path::Path::new(&path).is_file() {
            return Some(path);
        }
        let missing = format!("{name} names no redis-server ('{path}')");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        eprintln!("the comparison with a real COMMAND is skipped: {missing}");
        None
    };
    Some([
        named("OCHRE_REDIS_70", "/usr/bin/redis-server")?,
        named("OCHRE_REDIS_82", "")?,
    ])
}

#[test]
fn declarations_agree_with_redis() {
    let Some([old, new]) = binaries() else {
        return;
    };
    let mut expected = Reference::start(&old).table();
    expected.extend(Reference::start(&new).table());
    let reply = InProcess::default()
        .connect(Protocol::Resp3)
        .run(&["COMMAND"]);
    let ours = table_of(&reply);
    let mut unused: BTreeSet<(&str, &str)> = DIFFERENCES.iter().map(|(c, a, _)| (*c, *a)).collect();
    assert_eq!(unused.len(), DIFFERENCES.len(), "an entry is there twice");
    let mut wrong = Vec::new();
    for (name, facts) in &ours {
        let Some(reference) = expected.get(name) else {
            let container = name.split('|').next().unwrap_or(name);
            let excused = [name.as_str(), container].iter().any(|n| {
                let entry = (*n, "exists");
                unused.remove(&entry) || DIFFERENCES.iter().any(|(c, a, _)| (*c, *a) == entry)
            });
            if !excused {
                wrong.push(format!("{name}: Redis has no such command"));
            }
            continue;
        };
        for (aspect, value) in facts {
            if reference[aspect] != *value && !unused.remove(&(name.as_str(), *aspect)) {
                let theirs = &reference[aspect];
                wrong.push(format!("{name} {aspect}: '{value}', in Redis '{theirs}'"));
            }
        }
    }
    assert!(wrong.is_empty(), "not on the list:\n{}", wrong.join("\n"));
    assert!(unused.is_empty(), "no longer different: {unused:?}");
}
