//! Set commands on large sets, what they leave in the journal, and results made outside the locks.

use ochre_resp::{Frame, Protocol};
use ochre_testkit::{Connection, InProcess, Lines};
use std::collections::BTreeSet;
use std::sync::Arc;

type Members = BTreeSet<String>;

fn members(frame: Frame) -> Members {
    let (Frame::Array(items) | Frame::Set(items)) = frame else {
        panic!("{frame:?}");
    };
    let text = |f: &Frame| String::from_utf8_lossy(f.as_bytes().expect("a bulk")).into_owned();
    let set: Members = items.iter().map(text).collect();
    assert_eq!(set.len(), items.len(), "a member came twice");
    set
}

fn second(frame: Frame) -> Frame {
    let Frame::Array(items) = frame else {
        panic!("{frame:?}");
    };
    items.into_iter().nth(1).expect("two elements")
}

fn names(range: std::ops::Range<usize>) -> Members {
    range.map(|i| format!("member:{i}")).collect()
}

fn fill(connection: &mut Connection, key: &str, members: &Members) {
    let all: Vec<_> = members.iter().map(String::as_str).collect();
    for part in all.chunks(500) {
        let words = ["SADD", key].into_iter().chain(part.iter().copied());
        connection.run(&words.collect::<Vec<_>>());
    }
}

#[test]
fn effects_are_deterministic() {
    let server = InProcess::default();
    let lines = Arc::new(Lines::default());
    server.engine.journals.attach(lines.clone());
    let mut connection = server.connect(Protocol::Resp2);
    for (command, expected) in [
        ("SADD k 1", "SADD k 1"),
        ("SADD k 1", ""),
        ("SREM k 2", ""),
        ("SPOP none", ""),
        ("SPOP k 0", ""),
        ("SPOP k", "SREM k 1"),
        ("EXISTS k", ""),
        ("SADD k 1 2", "SADD k 1 2"),
        ("SPOP k 5", "DEL k"),
        ("SADD k 1", "SADD k 1"),
        ("SMOVE k k 1", ""),
        ("SMOVE k l 2", ""),
        ("SMOVE k l 1", "SMOVE k l 1"),
        ("SRANDMEMBER l 3", ""),
        ("SUNIONSTORE d l", "SUNIONSTORE d l"),
        ("SINTERSTORE d l none", "SINTERSTORE d l none"),
        ("SDIFFSTORE d none", ""),
        ("SREM l 1", "SREM l 1"),
    ] {
        connection.line(command);
        assert_eq!(lines.take().join("; "), expected, "{command}");
    }
}

/// What SPOP journals is what it answers, whichever way it takes members out.
#[test]
fn popped_members_are_journalled() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let server = InProcess::default();
        let lines = Arc::new(Lines::default());
        server.engine.journals.attach(lines.clone());
        let mut connection = server.connect(protocol);
        for (size, count) in [
            (100, 3),
            (100, 97),
            (5000, 100),
            (5000, 4900),
            (60_000, 17_000),
        ] {
            let all = names(0..size);
            connection.line("DEL k");
            fill(&mut connection, "k", &all);
            connection.line("EXPIRE k 100");
            drop(lines.take());
            let popped = members(connection.line(&format!("SPOP k {count}")));
            assert_eq!(popped.len(), count);
            let mut gone = Members::new();
            for line in lines.take() {
                let words = line.strip_prefix("SREM k ").expect("an SREM");
                gone.extend(words.split(' ').map(str::to_owned));
            }
            assert_eq!(gone, popped);
            let left = members(connection.line("SMEMBERS k"));
            assert_eq!(left, &all - &popped);
            assert_eq!(connection.line("TTL k"), Frame::Integer(100));
        }
    }
}

/// Replies that are sent in pieces, scans and choices over a table have all of the content and nothing else.
#[test]
fn large_sets_are_whole() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let server = InProcess::default();
        let mut connection = server.connect(protocol);
        let all = names(0..5000);
        fill(&mut connection, "k", &all);
        assert_eq!(members(connection.line("SMEMBERS k")), all);
        assert_eq!(members(connection.line("SRANDMEMBER k 100000")), all);
        for count in [1, 100, 1500, 4999] {
            let some = members(connection.line(&format!("SRANDMEMBER k {count}")));
            assert!(some.len() == count && some.is_subset(&all));
        }
        let Frame::Array(drawn) = connection.line("SRANDMEMBER k -30000") else {
            panic!("an array");
        };
        assert_eq!(drawn.len(), 30_000);
        let (mut seen, mut cursor) = (Members::new(), "0".to_owned());
        loop {
            let Frame::Array(reply) = connection.line(&format!("SSCAN k {cursor} COUNT 100"))
            else {
                panic!("an array");
            };
            seen.extend(members(reply[1].clone()));
            cursor = String::from_utf8_lossy(reply[0].as_bytes().expect("a cursor")).into_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen, all);
        assert_eq!(
            members(second(connection.line("SSCAN k 0 COUNT 100000"))),
            all
        );
        assert_eq!(members(connection.line("SPOP k 5000")), all);
        assert_eq!(connection.line("EXISTS k"), Frame::Integer(0));
    }
}

#[test]
fn large_combinations_agree_with_std() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp3);
    let (a, b, c) = (names(0..6000), names(3000..9000), names(100..160));
    for (key, set) in [("a", &a), ("b", &b), ("c", &c)] {
        fill(&mut connection, key, set);
    }
    for (keys, inter, union, diff) in [
        ("a b", &a & &b, &a | &b, &a - &b),
        ("b a", &a & &b, &a | &b, &b - &a),
        ("a c", &a & &c, &a | &c, &a - &c),
        ("c a b", Members::new(), &a | &b, Members::new()),
        ("a none", Members::new(), a.clone(), a.clone()),
        ("a a", a.clone(), a.clone(), Members::new()),
    ] {
        let number = keys.split(' ').count();
        for (op, expected) in [("INTER", inter), ("UNION", union), ("DIFF", diff)] {
            let len = Frame::Integer(i64::try_from(expected.len()).expect("small"));
            let got = members(connection.line(&format!("S{op} {keys}")));
            assert_eq!(got, expected, "{op} {keys}");
            let got = connection.line(&format!("S{op}CARD {number} {keys}"));
            assert_eq!(got, len, "{op} {keys}");
            assert_eq!(connection.line(&format!("S{op}STORE d {keys}")), len);
            assert_eq!(
                members(connection.line("SMEMBERS d")),
                expected,
                "{op} {keys}"
            );
        }
    }
    // A destination among the inputs.
    connection.line("SDIFFSTORE a a c");
    assert_eq!(members(connection.line("SMEMBERS a")), &a - &c);
}

/// Stored results are made outside the locks while an input changes: each is of one moment.
#[test]
fn stored_results_are_of_one_moment() {
    const ROUNDS: usize = 100;
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    fill(&mut connection, "a", &names(0..3000));
    fill(&mut connection, "b", &names(3000..6000));
    std::thread::scope(|scope| {
        // The member is always in exactly one of the two sets.
        connection.line("SADD a wanderer");
        scope.spawn(|| {
            let mut mover = server.connect(Protocol::Resp2);
            for _ in 0..ROUNDS {
                assert_eq!(mover.line("SMOVE a b wanderer"), Frame::Integer(1));
                assert_eq!(mover.line("SMOVE b a wanderer"), Frame::Integer(1));
            }
        });
        for _ in 0..ROUNDS {
            assert_eq!(connection.line("SUNIONSTORE u a b"), Frame::Integer(6001));
            assert_eq!(connection.line("SINTERSTORE i a b"), Frame::Integer(0));
            assert_eq!(connection.line("SUNIONCARD 2 a b"), Frame::Integer(6001));
        }
    });
}
