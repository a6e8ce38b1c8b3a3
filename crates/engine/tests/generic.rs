//! The generic commands where a transcript cannot follow: sweeps over many keys, chance, effects.
//!
//! Random tests use the seed in `OCHRE_SEED`, or a fixed one, and print it when they fail.

use ochre_engine::ports::Journal;
use ochre_resp::{Frame, Protocol, Request};
use ochre_testkit::{Connection, InProcess};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Xorshift: enough to choose keys.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = std::env::var("OCHRE_SEED")
            .ok()
            .and_then(|s| s.parse().ok())
            .unwrap_or(0x5EED);
        println!("OCHRE_SEED={seed}");
        Random(seed | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn integer(frame: Frame) -> i64 {
    match frame {
        Frame::Integer(n) => n,
        other => panic!("not an integer: {other:?}"),
    }
}

fn text(frame: &Frame) -> String {
    String::from_utf8(frame.as_bytes().expect("a string").to_vec()).expect("UTF-8")
}

fn texts(frame: Frame) -> Vec<String> {
    match frame {
        Frame::Array(items) => items.iter().map(text).collect(),
        other => panic!("not an array: {other:?}"),
    }
}

/// One SCAN: the next cursor and the names.
fn scan(c: &mut Connection, cursor: &str, options: &str) -> (String, Vec<String>) {
    match c.line(&format!("SCAN {cursor} {options}")) {
        Frame::Array(mut parts) if parts.len() == 2 => {
            let names = texts(parts.remove(1));
            (text(&parts[0]), names)
        }
        other => panic!("not a reply to SCAN: {other:?}"),
    }
}

fn fill(c: &mut Connection, prefix: &str, count: usize) {
    for i in 0..count {
        c.line(&format!("SET {prefix}{i} v"));
    }
}

#[test]
fn scan_returns_what_stays_while_the_keyspace_grows_and_shrinks() {
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp2);
    let mut random = Random::new();
    fill(&mut c, "stay", 5_000);
    fill(&mut c, "go", 15_000);
    for round in 0..4 {
        let (mut cursor, mut seen, mut calls) = ("0".to_owned(), BTreeSet::new(), 0);
        loop {
            let (next, names) = scan(&mut c, &cursor, "COUNT 50");
            assert!(names.len() < 50 + 40, "{} for COUNT 50", names.len());
            seen.extend(names);
            calls += 1;
            for _ in 0..60 {
                let i = random.below(15_000);
                // Grow in even rounds, shrink in odd ones.
                if round % 2 == 0 {
                    c.line(&format!("SET come{round}-{i} v"));
                } else {
                    c.line(&format!("DEL go{i} come{}-{i}", round - 1));
                }
            }
            cursor = next;
            if cursor == "0" {
                break;
            }
            assert!(calls < 10_000, "a scan without end");
        }
        for i in 0..5_000 {
            assert!(seen.contains(&format!("stay{i}")), "stay{i} is missing");
        }
    }
}

#[test]
fn a_full_scan_of_a_quiet_database_returns_every_key_once() {
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp2);
    fill(&mut c, "k", 3_000);
    for options in [
        "COUNT 1",
        "",
        "COUNT 100 MATCH k*",
        "COUNT 100000 TYPE STRING",
    ] {
        let (mut cursor, mut all) = ("0".to_owned(), Vec::new());
        loop {
            let (next, names) = scan(&mut c, &cursor, options);
            all.extend(names);
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(all.len(), 3_000, "{options}");
        assert_eq!(
            all.iter().collect::<BTreeSet<_>>().len(),
            3_000,
            "{options}"
        );
    }
    let (next, names) = scan(&mut c, "0", "COUNT 100000 MATCH k29??");
    assert_eq!((next.as_str(), names.len()), ("0", 100));
}

#[test]
fn scan_accepts_any_cursor() {
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp2);
    fill(&mut c, "k", 500);
    let mut random = Random::new();
    for _ in 0..2_000 {
        let cursor = random.below(u64::MAX) >> random.below(64);
        scan(&mut c, &cursor.to_string(), "COUNT 5");
    }
}

#[test]
fn keys_finds_all_and_only_what_matches() {
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp3);
    fill(&mut c, "k", 3_000);
    fill(&mut c, "other", 1_000);
    for (pattern, count) in [
        ("*", 4_000),
        ("k*", 3_000),
        ("*9", 400),
        ("k12??", 100),
        ("[ko]*7", 400),
        ("k7", 1),
        ("nothing*", 0),
    ] {
        let names = texts(c.line(&format!("KEYS {pattern}")));
        assert_eq!(names.len(), count, "{pattern}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), count);
    }
}

#[test]
fn randomkey_is_uniform_and_never_returns_an_expired_key() {
    // About one bucket a stripe, and about three.
    for (keys, gone) in [(500, 500), (7_000, 500)] {
        randomkey_is_uniform(keys, gone);
    }
}

fn randomkey_is_uniform(keys: usize, gone: usize) {
    let draws = keys * 20;
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp2);
    fill(&mut c, "k", keys);
    for i in 0..gone {
        c.line(&format!("SET gone{i} v PX 10"));
    }
    server.advance(10);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..draws {
        *counts.entry(text(&c.line("RANDOMKEY"))).or_default() += 1;
    }
    assert!(counts.keys().all(|k| k.starts_with('k')));
    let expected = draws as f64 / keys as f64;
    let chi: f64 = counts
        .values()
        .map(|n| (*n as f64 - expected).powi(2) / expected)
        .sum::<f64>()
        + (keys - counts.len()) as f64 * expected;
    // The mean is the number of keys, the variance twice it; the draws follow the engine's fixed seed.
    let (mean, deviation) = (keys as f64, (2.0 * keys as f64).sqrt());
    assert!(
        chi < mean + 5.0 * deviation,
        "chi square {chi} for {keys} keys"
    );
}

#[test]
fn randomkey_finds_the_only_living_key() {
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp2);
    for i in 0..3_000 {
        c.line(&format!("SET gone{i} v PX 10"));
    }
    server.advance(10);
    assert_eq!(c.line("RANDOMKEY"), Frame::Null);
    c.line("SET here v");
    for _ in 0..20 {
        assert_eq!(text(&c.line("RANDOMKEY")), "here");
    }
}

#[test]
fn a_large_value_moves_without_a_copy_and_stays_whole() {
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp2);
    let value = "x".repeat(200_000);
    c.run(&["SET", "big", &value]);
    for command in [
        "RENAME big b",
        "COPY b c",
        "COPY c d DB 2",
        "DEL b",
        "RENAME c b",
        "MOVE b 1",
    ] {
        c.line(command);
    }
    for (db, key) in [(1, "b"), (2, "d")] {
        c.line(&format!("SELECT {db}"));
        assert_eq!(text(&c.line(&format!("GET {key}"))), value);
        assert_eq!(integer(c.line(&format!("DEL {key}"))), 1);
    }
}

#[test]
fn wait_blocks_only_when_it_asks_for_more_than_there_is() {
    let server = InProcess::new(&[]);
    let (mut c, mut other) = (
        server.connect(Protocol::Resp2),
        server.connect(Protocol::Resp2),
    );
    let id = integer(c.line("CLIENT ID"));
    for (line, waits) in [
        ("WAIT 0 0", None),
        ("WAIT -1 100", None),
        ("WAIT 1 100", Some(100)),
        ("WAIT 1 0", Some(0)),
        ("WAIT 1 x", None),
        ("WAITAOF 0 0 0", None),
        ("WAITAOF 0 1 250", Some(250)),
        ("WAITAOF 0 1 0", Some(0)),
        ("WAITAOF 1 1 0", None),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let mut reply = c.raw(&words);
        assert_eq!(c.is_blocked(), waits.is_some(), "{line}");
        let counts: &[u8] = match words[0] {
            "WAIT" => b":0\r\n",
            _ => b"*2\r\n:0\r\n:0\r\n",
        };
        if let Some(ms) = waits {
            assert!(reply.is_empty(), "{line}");
            if ms == 0 {
                let unblocked = other.line(&format!("CLIENT UNBLOCK {id}"));
                assert_eq!(integer(unblocked), 1, "{line}");
            } else {
                server.advance(ms - 1);
                assert!(c.look_raw().is_empty(), "{line}");
                server.advance(1);
            }
            reply = c.look_raw();
        }
        assert!(!c.is_blocked(), "{line}");
        assert_eq!(
            reply.starts_with(b"-"),
            line.ends_with('x') || line.contains("AOF 1"),
            "{line}"
        );
        assert!(reply.starts_with(b"-") || reply == counts, "{line}");
    }
    assert!(c.raw(&["WAIT", "1", "0"]).is_empty());
    other.line(&format!("CLIENT UNBLOCK {id} ERROR"));
    assert_eq!(
        c.look_raw(),
        b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
    );
}

/// Writes every effect down as a line.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Journal for Recorder {
    fn append(&self, db: usize, effect: Request<'_>) {
        let words: Vec<_> = effect.iter().map(String::from_utf8_lossy).collect();
        let line = format!("{db} {}", words.join(" "));
        self.0.lock().expect("no panic under the lock").push(line);
    }
}

#[test]
fn effects_do_not_depend_on_the_time_of_replay() {
    let server = InProcess::new(&[]);
    let mut c = server.connect(Protocol::Resp2);
    let recorder = Arc::new(Recorder::default());
    server.engine.journals.attach(recorder.clone());
    for (line, effects) in [
        ("SET a v", &["0 SET a v"][..]),
        ("EXPIRE a 10", &["0 PEXPIREAT a 1700000010000"]),
        ("PEXPIRE a 5 GT", &[]),
        ("EXPIREAT a 1700000020", &["0 PEXPIREAT a 1700000020000"]),
        ("PERSIST a", &["0 PERSIST a"]),
        ("PERSIST a", &[]),
        ("RENAME a a", &[]),
        ("RENAME a b", &["0 RENAME a b"]),
        ("COPY b c", &["0 COPY b c"]),
        ("RENAMENX b c", &[]),
        ("COPY b c DB 1", &["0 COPY b c DB 1"]),
        ("MOVE b 1", &["0 MOVE b 1"]),
        ("DEL nothing", &[]),
        ("UNLINK c nothing", &["0 UNLINK c nothing"]),
        ("SET a v", &["0 SET a v"]),
        ("EXPIRE a -1", &["0 DEL a"]),
        ("SET a v", &["0 SET a v"]),
        ("PEXPIRE a 1", &["0 PEXPIREAT a 1700000000001"]),
    ] {
        c.line(line);
        let got = std::mem::take(&mut *recorder.0.lock().expect("no panic under the lock"));
        assert_eq!(got, effects, "{line}");
    }
    server.advance(1);
    c.line("EXISTS a");
    let got = recorder.0.lock().expect("no panic under the lock").clone();
    assert_eq!(got, ["0 DEL a"]);
}

#[test]
fn overwriting_a_key_keeps_its_count_of_uses() {
    let server = InProcess::new(&[("maxmemory-policy", "allkeys-lfu"), ("lfu-log-factor", "0")]);
    let mut c = server.connect(Protocol::Resp2);
    for _ in 0..50 {
        assert_eq!(c.raw(&["SET", "k", "v"]), b"+OK\r\n");
    }
    // The first SET creates the key with 5; each later one finds it once.
    assert_eq!(c.raw(&["OBJECT", "FREQ", "k"]), b":54\r\n");
}
