//! SORT where a transcript is too short: large collections, patterns over stripes, what the journal gets.

use ochre_resp::{Frame, Protocol};
use ochre_testkit::{Connection, InProcess, Lines};
use std::sync::Arc;

fn numbers(reply: Frame) -> Vec<i64> {
    let number = |f: &Frame| {
        let text = f.as_bytes().expect("a string");
        ochre_resp::parse_i64(text).expect("a number")
    };
    match reply {
        Frame::Array(items) => items.iter().map(number).collect(),
        other => panic!("not an array: {other:?}"),
    }
}

/// The numbers below `n` in some order at `list`, their negatives at `w:*`.
fn fill(connection: &mut Connection, n: i64) {
    for i in 0..n {
        let number = i * 7919 % n;
        connection.line(&format!("RPUSH list {number}"));
        connection.line(&format!("SET w:{number} {}", -number));
    }
}

#[test]
fn thousands_of_numbers() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp3);
    let n = 5000;
    fill(&mut c, n);
    let ascending: Vec<i64> = (0..n).collect();
    let descending: Vec<i64> = (0..n).rev().collect();
    for command in ["SORT", "SORT_RO"] {
        let mut sorted = |options: &str| numbers(c.line(&format!("{command} list {options}")));
        assert_eq!(sorted(""), ascending);
        assert_eq!(sorted("DESC"), descending);
        assert_eq!(sorted("BY w:*"), descending);
        assert_eq!(sorted("BY w:* LIMIT 10 5"), descending[10..15]);
        let weights: Vec<i64> = descending.iter().map(|i| -i).collect();
        assert_eq!(sorted("BY w:* GET w:*"), weights);
        let mut texts: Vec<String> = ascending.iter().map(i64::to_string).collect();
        texts.sort();
        let texts: Vec<i64> = texts.iter().map(|t| t.parse().expect("a number")).collect();
        assert_eq!(sorted("ALPHA"), texts);
        assert_eq!(sorted("LIMIT 4990 100"), ascending[4990..]);
    }
    assert_eq!(c.line("SORT list STORE copy"), Frame::Integer(n));
    assert_eq!(numbers(c.line("LRANGE copy 0 -1")), ascending);
    assert_eq!(c.line("SORT copy DESC STORE copy"), Frame::Integer(n));
    assert_eq!(numbers(c.line("LRANGE copy 0 -1")), descending);
    c.line("RPUSH list x");
    assert!(c.line("SORT list").as_error().is_some());
    assert!(c.line("SORT list STORE copy").as_error().is_some());
    assert_eq!(c.line("LLEN copy"), Frame::Integer(n));
}

#[test]
fn the_journal_gets_what_patterns_chose() {
    let server = InProcess::default();
    let lines = Arc::new(Lines::default());
    let mut c = server.connect(Protocol::Resp2);
    c.line("RPUSH l 3 1 2");
    c.line("MSET w_1 9 w_2 8 w_3 7");
    server.engine.journals.attach(lines.clone());
    for (command, expected) in [
        ("SORT l", ""),
        ("SORT l BY w_*", ""),
        ("SORT l STORE d", "SORT l STORE d"),
        ("SORT l BY w_* STORE d", "DEL d|RPUSH d 3 2 1"),
        (
            "SORT l GET w_* GET # LIMIT 0 1 STORE d",
            "DEL d|RPUSH d 9 1",
        ),
        ("SORT none GET w_* STORE d", "DEL d"),
        ("SORT none GET w_* STORE d", ""),
    ] {
        c.line(command);
        let got = lines.take();
        assert_eq!(got.join("|"), expected, "{command}");
    }
}

#[test]
fn keys_whose_time_has_come_are_not_found_by_patterns() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    c.line("RPUSH l 1 2");
    c.line("SET w_1 5 PX 100");
    c.line("SET w_2 3");
    assert_eq!(numbers(c.line("SORT l BY w_*")), [2, 1]);
    server.advance(200);
    assert_eq!(numbers(c.line("SORT l BY w_*")), [1, 2]);
    c.line("SELECT 1");
    c.line("RPUSH l 1 2");
    assert_eq!(numbers(c.line("SORT l BY w_* DESC")), [2, 1]);
}
