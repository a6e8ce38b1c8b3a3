//! Lists: what their commands leave in the journal, and what long ones do outside the locks.

use ochre_resp::{Frame, Protocol};
use ochre_testkit::{Connection, InProcess, Lines};
use std::sync::Arc;

#[test]
fn effects_name_what_happened() {
    let server = InProcess::default();
    let lines = Arc::new(Lines::default());
    server.engine.journals.attach(lines.clone());
    let mut connection = server.connect(Protocol::Resp2);
    for (command, expected) in [
        ("LPUSHX l a", ""),
        ("RPUSH l a b c d e f", "RPUSH l a b c d e f"),
        ("LPOP l 0", ""),
        ("LPOP l", "LPOP l"),
        ("LPOP none 2", ""),
        ("LMPOP 2 none l RIGHT COUNT 2", "RPOP l 2"),
        ("LMPOP 1 none LEFT", ""),
        ("LSET l 9 x", ""),
        ("LSET l 0 x", "LSET l 0 x"),
        ("LINSERT l BEFORE nothere x", ""),
        ("LINSERT l BEFORE d y", "LINSERT l BEFORE d y"),
        ("LREM l 0 nothere", ""),
        ("LREM l 0 y", "LREM l 0 y"),
        ("LTRIM l 0 -1", ""),
        ("LTRIM l 0 1", "LTRIM l 0 1"),
        ("LMOVE none l LEFT LEFT", ""),
        ("LMOVE l m LEFT RIGHT", "LMOVE l m LEFT RIGHT"),
        ("LMOVEM l m LEFT LEFT EXACTLY 5 OBO", ""),
        ("LMOVEM m l LEFT LEFT", "LMOVEM m l LEFT LEFT"),
        ("RPOPLPUSH l l", "RPOPLPUSH l l"),
        ("LTRIM l 1 0", "LTRIM l 1 0"),
    ] {
        connection.line(command);
        let seen: Vec<_> = lines.take();
        assert_eq!(seen.join("; "), expected, "{command}");
    }
}

const LONG: usize = 200_000;

/// A list of the numbers from 0, each twice in a row.
fn fill(connection: &mut Connection, key: &str) {
    let numbers: Vec<_> = (0..LONG).map(|i| (i / 2).to_string()).collect();
    for part in numbers.chunks(1000) {
        let mut request = vec!["RPUSH".to_owned(), key.to_owned()];
        request.extend_from_slice(part);
        connection.run(&request);
    }
}

fn numbers(reply: Frame) -> Vec<usize> {
    let Frame::Array(items) = reply else {
        panic!("not an array: {reply:?}")
    };
    let number = |frame: &Frame| match frame {
        Frame::Integer(n) => usize::try_from(*n).ok(),
        frame => std::str::from_utf8(frame.as_bytes()?).ok()?.parse().ok(),
    };
    items.iter().map(|i| number(i).expect("a number")).collect()
}

#[test]
fn long_lists_are_searched_changed_and_sent_whole() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp3);
    fill(&mut connection, "l");
    let all = numbers(connection.line("LRANGE l 0 -1"));
    assert!(all.len() == LONG && all.iter().enumerate().all(|(i, n)| *n == i / 2));
    assert_eq!(
        numbers(connection.line("LPOS l 90000 COUNT 0")),
        [180_000, 180_001]
    );
    assert_eq!(numbers(connection.line("LPOS l 5 COUNT 1 RANK -1")), [11]);
    let length = |n: usize| Frame::Integer(i64::try_from(n).expect("a length"));
    assert_eq!(
        connection.line("LINSERT l AFTER 90000 here"),
        length(LONG + 1)
    );
    assert_eq!(connection.line("LINDEX l 180001"), Frame::bulk("here"));
    assert_eq!(
        connection.line("LINSERT l AFTER nothere x"),
        Frame::Integer(-1)
    );
    assert_eq!(connection.line("LREM l 0 nothere"), Frame::Integer(0));
    assert_eq!(connection.line("LREM l -1 here"), Frame::Integer(1));
    assert_eq!(connection.line("LREM l 2 70000"), Frame::Integer(2));
    assert_eq!(connection.line("LINDEX l 140000"), Frame::bulk("70001"));
    let popped = numbers(connection.line("RPOP l 5000"));
    assert!(
        popped
            .iter()
            .enumerate()
            .all(|(i, n)| *n == (LONG - 1 - i) / 2)
    );
    assert_eq!(popped.len(), 5000);
    let first = numbers(connection.line("LPOP l 3000"));
    assert!(first.len() == 3000 && first.iter().enumerate().all(|(i, n)| *n == i / 2));
    let rest = LONG - 8002;
    assert_eq!(connection.line("LLEN l"), length(rest));
    assert_eq!(
        numbers(connection.line("LMOVEM l m RIGHT LEFT COUNT 100000 BULK")).len(),
        100_000
    );
    assert_eq!(connection.line("LLEN m"), length(100_000));
    connection.line("LTRIM l 10 19");
    let kept = numbers(connection.line("LRANGE l 0 -1"));
    assert_eq!(kept, (3010..3020).map(|i| i / 2).collect::<Vec<_>>());
    assert_eq!(
        connection.line("OBJECT ENCODING l"),
        Frame::bulk("listpack")
    );
    assert_eq!(numbers(connection.line("LPOP m 200000")).len(), 100_000);
    assert_eq!(connection.line("EXISTS m"), Frame::Integer(0));
}
