//! Sorted set commands on large sets, what they leave in the journal, and results made outside the locks.

use ochre_resp::{Frame, Protocol};
use ochre_testkit::{Connection, InProcess, Lines};
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn only_changes_have_effects() {
    let server = InProcess::default();
    let lines = Arc::new(Lines::default());
    server.engine.journals.attach(lines.clone());
    let mut connection = server.connect(Protocol::Resp2);
    for (command, has_effect) in [
        ("ZADD z 1 a 2 b", true),
        ("ZADD z 1 a", false),
        ("ZADD z NX 5 a", false),
        ("ZADD z GT 0 a", false),
        ("ZADD none XX 1 a", false),
        ("ZADD z INCR 0 a", false),
        ("ZADD z INCR 1 a", true),
        ("ZINCRBY z 0 a", false),
        ("ZINCRBY z -1 a", true),
        ("ZREM z nosuch", false),
        ("ZREM z a", true),
        ("ZREMRANGEBYSCORE z 5 6", false),
        ("ZREMRANGEBYRANK z 0 -1", true),
        ("ZPOPMIN z", false),
        ("ZADD z 1 a 2 b 3 c 4 d", true),
        ("ZPOPMAX z 0", false),
        ("ZPOPMAX z", true),
        ("ZMPOP 2 none z MIN", true),
        ("ZMPOP 1 none MIN", false),
        ("ZRANGESTORE d z 0 -1", true),
        ("ZRANGESTORE none2 none 0 -1", false),
        ("ZUNIONSTORE d 2 z none", true),
        ("ZINTERSTORE d 2 z none", true),
        ("ZDIFFSTORE d 1 none", false),
        ("ZRANDMEMBER z 2", false),
    ] {
        connection.line(command);
        let effects = lines.take();
        let expected = if has_effect { vec![command] } else { vec![] };
        assert_eq!(effects, expected);
    }
}

/// The texts of an array's elements; with scores in RESP3, of the pairs' first elements.
fn members(frame: &Frame) -> Vec<String> {
    let Frame::Array(items) = frame else {
        panic!("{frame:?}");
    };
    let text = |f: &Frame| match f {
        Frame::Array(pair) => pair[0].as_bytes().map(<[u8]>::to_vec),
        other => other.as_bytes().map(<[u8]>::to_vec),
    };
    let bytes = items.iter().map(|f| text(f).expect("a bulk"));
    bytes
        .map(|b| String::from_utf8(b).expect("digits"))
        .collect()
}

fn fill(connection: &mut Connection, key: &str, range: std::ops::Range<usize>) {
    let all: Vec<_> = range.map(|i| (i.to_string(), format!("{i:06}"))).collect();
    for part in all.chunks(500) {
        let mut words = vec!["ZADD", key];
        words.extend(part.iter().flat_map(|(s, m)| [s.as_str(), m.as_str()]));
        connection.run(&words);
    }
}

fn names(range: impl Iterator<Item = usize>) -> Vec<String> {
    range.map(|i| format!("{i:06}")).collect()
}

#[test]
fn long_ranges_are_whole() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let server = InProcess::default();
        let mut connection = server.connect(protocol);
        fill(&mut connection, "z", 0..20_000);
        let all = members(&connection.line("ZRANGE z 0 -1"));
        assert_eq!(all, names(0..20_000));
        let part = members(&connection.line("ZRANGE z 100 15000 REV"));
        assert_eq!(part, names((4999..=19_899).rev()));
        let part = members(&connection.line("ZRANGEBYSCORE z (10 18000 LIMIT 5 9000"));
        assert_eq!(part, names(16..9016));
        let part = members(&connection.line("ZREVRANGEBYSCORE z 18000 -inf LIMIT 1 7000"));
        assert_eq!(part, names((11_000..18_000).rev()));
        let scores = connection.line("ZRANGE z 0 4999 WITHSCORES");
        let Frame::Array(items) = &scores else {
            panic!("{scores:?}");
        };
        let flat = protocol == Protocol::Resp2;
        assert_eq!(items.len(), if flat { 10_000 } else { 5000 });
        if !flat {
            assert_eq!(members(&scores), names(0..5000));
        }
    }
}

#[test]
fn long_choices_and_scans_are_whole() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    fill(&mut connection, "z", 0..5000);
    let all: BTreeSet<String> = names(0..5000).into_iter().collect();
    for count in [1, 100, 1500, 4999, 5000, 9000] {
        let some = members(&connection.line(&format!("ZRANDMEMBER z {count}")));
        let set: BTreeSet<String> = some.iter().cloned().collect();
        assert_eq!((some.len(), set.len()), (count.min(5000), count.min(5000)));
        assert!(set.is_subset(&all));
    }
    let drawn = members(&connection.line("ZRANDMEMBER z -30000"));
    assert_eq!(drawn.len(), 30_000);
    for count in [10, 2000] {
        let (mut seen, mut cursor) = (BTreeSet::new(), "0".to_owned());
        loop {
            let reply = connection.line(&format!("ZSCAN z {cursor} COUNT {count}"));
            let Frame::Array(parts) = reply else {
                panic!("an array");
            };
            cursor =
                String::from_utf8(parts[0].as_bytes().expect("a cursor").to_vec()).expect("digits");
            seen.extend(members(&parts[1]).into_iter().step_by(2));
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen, all);
    }
}

#[test]
fn popping_everything_leaves_no_key() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let server = InProcess::default();
        let mut connection = server.connect(protocol);
        for (command, flat) in [
            ("ZPOPMAX z 99999", protocol == Protocol::Resp2),
            ("ZMPOP 1 z MAX COUNT 99999", false),
        ] {
            fill(&mut connection, "z", 0..3000);
            let mut reply = connection.line(command);
            if let Frame::Array(parts) = &reply
                && parts.len() == 2
            {
                reply = parts[1].clone();
            }
            let step = if flat { 2 } else { 1 };
            let popped: Vec<String> = members(&reply).into_iter().step_by(step).collect();
            assert_eq!(popped, names((0..3000).rev()));
            assert_eq!(connection.line("EXISTS z"), Frame::Integer(0));
        }
    }
}

#[test]
fn large_results_are_made_outside_and_stored() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    fill(&mut connection, "a", 0..6000);
    fill(&mut connection, "b", 3000..9000);
    for (command, expected) in [
        ("ZUNIONSTORE d 2 a b", names((0..3000).chain(6000..9000))),
        ("ZINTERSTORE d 2 a b", names(3000..6000)),
        ("ZDIFFSTORE d 2 a b", names(0..3000)),
        ("ZRANGESTORE d a 100 5800", names(100..5801)),
    ] {
        let stored = connection.line(command);
        let mut found = members(&connection.line("ZRANGE d 0 -1"));
        assert_eq!(stored, Frame::Integer(found.len() as i64));
        if command.starts_with("ZUNION") {
            // The sums of those in both come in between.
            assert_eq!(found.len(), 9000);
            found.retain(|m| expected.binary_search(m).is_ok());
            found.sort_unstable();
        }
        assert_eq!(found, expected, "{command}");
        let card = connection.line("ZINTERCARD 2 a b");
        assert_eq!(card, Frame::Integer(3000));
    }
    // A destination that is a source.
    connection.line("ZUNIONSTORE a 2 a b WEIGHTS 1 0");
    assert_eq!(connection.line("ZCARD a"), Frame::Integer(9000));
    assert_eq!(
        connection.line("ZSCORE a 004000").as_bytes(),
        Some(&b"4000"[..])
    );
}

/// Stores that compute without locks while their inputs change still see one moment of each.
#[test]
fn stores_and_changes_of_their_inputs_do_not_mix() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    fill(&mut connection, "a", 0..6000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = server.connect(Protocol::Resp2);
            // Each change keeps the sum of both scores.
            for i in 1..=300 {
                writer.line(&format!("ZADD a {i} 000000 {} 000001", -i));
            }
        });
        for _ in 0..30 {
            connection.line("ZUNIONSTORE d 1 a");
            let score = |c: &mut Connection, m: &str| {
                let text = c.line(&format!("ZSCORE d {m}"));
                let text = String::from_utf8_lossy(text.as_bytes().expect("a score")).into_owned();
                text.parse::<f64>().expect("a number")
            };
            let (x, y) = (
                score(&mut connection, "000000"),
                score(&mut connection, "000001"),
            );
            assert!(x + y == 0.0 || (x, y) == (0.0, 1.0), "{x} {y}");
            assert_eq!(connection.line("ZCARD d"), Frame::Integer(6000));
        }
    });
}
