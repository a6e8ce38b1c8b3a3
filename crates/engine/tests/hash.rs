//! Hash commands on large hashes, and what they leave in the journal.

use ochre_resp::{Frame, Protocol};
use ochre_testkit::{InProcess, Lines};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[test]
fn effects_are_deterministic() {
    let server = InProcess::default();
    let lines = Arc::new(Lines::default());
    server.engine.journals.attach(lines.clone());
    let mut connection = server.connect(Protocol::Resp2);
    for (command, expected) in [
        ("HSET h a 1 b 2", "HSET h a 1 b 2"),
        ("HSET h a 1", "HSET h a 1"),
        ("HSETNX h a 2", ""),
        ("HSETNX h c 2", "HSETNX h c 2"),
        ("HINCRBY h a 4", "HINCRBY h a 4"),
        ("HINCRBY h a x", ""),
        ("HINCRBYFLOAT h a 0.5", "HSET h a 5.5"),
        ("HINCRBYFLOAT h a nan", ""),
        ("HDEL h none", ""),
        ("HDEL h c none", "HDEL h c none"),
        ("HGETDEL h FIELDS 1 none", ""),
        ("HGETDEL h FIELDS 2 a none", "HDEL h a none"),
        ("HRANDFIELD h -5", ""),
        ("HDEL h b", "HDEL h b"),
        ("HDEL h b", ""),
    ] {
        connection.line(command);
        let written = lines.take();
        assert_eq!(written.join("; "), expected, "{command}");
    }
}

const FIELDS: usize = 5_000;

fn elements(frame: Frame) -> Vec<Vec<u8>> {
    let text = |f: Frame| f.as_bytes().expect("a bulk string").to_vec();
    match frame {
        Frame::Array(items) => items
            .into_iter()
            .flat_map(|item| match item {
                Frame::Array(_) => elements(item),
                item => vec![text(item)],
            })
            .collect(),
        Frame::Map(pairs) => pairs
            .into_iter()
            .flat_map(|(k, v)| [text(k), text(v)])
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn pairs(frame: Frame) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let all = elements(frame);
    let map: BTreeMap<_, _> = all
        .chunks(2)
        .map(|p| (p[0].clone(), p[1].clone()))
        .collect();
    assert_eq!(map.len() * 2, all.len(), "a field came twice");
    map
}

/// Replies that are sent in pieces, and scans and choices over a dictionary, have all of the content and nothing else.
#[test]
fn large_hashes_are_whole() {
    let model: BTreeMap<_, _> = (0..FIELDS)
        .map(|n| {
            (
                format!("f{n}").into_bytes(),
                format!("value {n}").into_bytes(),
            )
        })
        .collect();
    for (protocol, entries) in [
        (Protocol::Resp2, "512"),
        (Protocol::Resp3, "512"),
        (Protocol::Resp3, "100000"),
    ] {
        let server = InProcess::new(&[("hash-max-listpack-entries", entries)]);
        let mut connection = server.connect(protocol);
        let mut request = vec![b"HSET".to_vec(), b"h".to_vec()];
        request.extend(model.iter().flat_map(|(k, v)| [k.clone(), v.clone()]));
        assert_eq!(connection.run(&request), Frame::Integer(FIELDS as i64));
        assert_eq!(pairs(connection.line("HGETALL h")), model);
        assert_eq!(
            pairs(connection.line("HRANDFIELD h 9999 WITHVALUES")),
            model
        );
        let fields: BTreeSet<_> = elements(connection.line("HKEYS h")).into_iter().collect();
        assert!(fields.iter().eq(model.keys()));
        let values: BTreeSet<_> = elements(connection.line("HVALS h")).into_iter().collect();
        assert_eq!(values.len(), FIELDS);
        for count in [3, 400, 2_000, 4_999] {
            let some = pairs(connection.line(&format!("HRANDFIELD h {count} WITHVALUES")));
            assert_eq!(some.len(), count);
            assert!(some.iter().all(|(k, v)| model.get(k) == Some(v)));
            let many = elements(connection.line(&format!("HRANDFIELD h -{count}")));
            assert_eq!(many.len(), count);
            assert!(many.iter().all(|f| model.contains_key(f)));
        }
        for options in ["", " COUNT 100", " COUNT 3000", " COUNT 1000000"] {
            let (mut seen, mut cursor) = (BTreeMap::new(), "0".to_owned());
            loop {
                let reply = connection.line(&format!("HSCAN h {cursor} MATCH f*{options}"));
                let Frame::Array(mut parts) = reply else {
                    panic!("{reply:?}");
                };
                let some = pairs(parts.pop().expect("two parts"));
                seen.extend(some);
                let next = parts.pop().expect("two parts");
                cursor = String::from_utf8_lossy(next.as_bytes().expect("a cursor")).into_owned();
                if cursor == "0" {
                    break;
                }
            }
            assert_eq!(seen, model);
        }
    }
}
