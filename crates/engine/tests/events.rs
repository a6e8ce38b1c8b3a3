//! What is published of keys that had expired when a request stores something there, as by Redis 7.0.15 and 8.2.3:
//! who looks for the key finds it expired, and who removes it for want of a result does not.

use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol};
use ochre_testkit::{Connection, InProcess};

/// What there is beside the key `d`, whose time has come.
const OTHERS: [&str; 5] = [
    "SET s v",
    "RPUSH sl 1 2 3",
    "SADD ss a b",
    "SADD se q",
    "ZADD sz 1 a 2 b",
];

const EXPIRED: [&str; 1] = ["expired d"];
const DELETED: [&str; 1] = ["del d"];

/// Requests, and what is published of `d`.
const REQUESTS: [(&str, &[&str]); 31] = [
    ("SUNIONSTORE d nk", &DELETED),
    ("SUNIONSTORE d ss", &["expired d", "sunionstore d"]),
    ("SUNIONSTORE d d", &EXPIRED),
    ("SINTERSTORE d ss se", &DELETED),
    ("SINTERSTORE d d ss", &EXPIRED),
    ("SDIFFSTORE d ss ss", &DELETED),
    ("SDIFFSTORE d ss se", &["expired d", "sdiffstore d"]),
    ("ZUNIONSTORE d 1 nk", &DELETED),
    ("ZINTERSTORE d 2 sz ss", &["expired d", "zinterstore d"]),
    ("ZINTERSTORE d 2 sz se", &DELETED),
    ("ZDIFFSTORE d 2 sz sz", &DELETED),
    ("ZUNIONSTORE d 2 d nk", &EXPIRED),
    ("ZRANGESTORE d sz 0 -1", &["expired d", "zrangestore d"]),
    ("ZRANGESTORE d sz 10 20", &DELETED),
    ("ZRANGESTORE d d 0 -1", &EXPIRED),
    ("SORT sl STORE d", &["expired d", "sortstore d"]),
    ("SORT nk STORE d", &DELETED),
    ("SORT d STORE d", &EXPIRED),
    ("BITOP AND d s s", &["expired d", "set d"]),
    ("BITOP AND d nk nk", &DELETED),
    ("BITOP NOT d d", &EXPIRED),
    // Whoever looks for it, whatever is stored then.
    ("SUNIONSTORE d s", &EXPIRED),
    ("SET d v", &["expired d", "set d"]),
    ("SET d v XX", &EXPIRED),
    ("GETDEL d", &EXPIRED),
    ("DEL d", &EXPIRED),
    ("MSET d v", &["expired d", "set d"]),
    ("RENAME s d", &["expired d", "rename_to d"]),
    ("COPY s d REPLACE", &["expired d", "copy_to d"]),
    ("LMOVE sl d LEFT LEFT", &["expired d", "lpush d"]),
    ("SMOVE ss d a", &["expired d", "sadd d"]),
];

/// What was published about `d`: event and key.
fn published(listener: &mut Connection) -> Vec<String> {
    let bytes = listener.messages();
    let (mut rest, mut decoder) = (&bytes[..], FrameDecoder::new(FrameLimits::default()));
    let mut events = Vec::new();
    while !rest.is_empty() {
        let progress = decoder.decode(rest).expect("a message");
        rest = &rest[progress.consumed..];
        let Some(Frame::Array(parts)) = progress.frame else {
            continue;
        };
        let text = |at: usize| {
            let part = parts.get(at).and_then(Frame::as_bytes);
            String::from_utf8_lossy(part.unwrap_or_default()).into_owned()
        };
        let event = text(2).rsplit(':').next().unwrap_or_default().to_owned();
        if text(3) == "d" {
            events.push(format!("{event} d"));
        }
    }
    events
}

fn expired_keys(admin: &mut Connection) -> u64 {
    let Frame::Verbatim { text, .. } = admin.line("INFO stats") else {
        panic!("INFO");
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("expired_keys:"));
    value.and_then(|n| n.parse().ok()).expect("a number")
}

/// Elements of large collections: what is made of these is computed without the locks.
const LARGE: usize = 5_000;

/// The same of large collections, `la` and `lb` without a common member.
const LARGE_REQUESTS: [(&str, &[&str]); 11] = [
    ("SINTERSTORE d la lb", &DELETED),
    ("SINTERSTORE d la lb d", &EXPIRED),
    ("SUNIONSTORE d la lb", &["expired d", "sunionstore d"]),
    ("SDIFFSTORE d la la", &DELETED),
    ("SDIFFSTORE d la lb", &["expired d", "sdiffstore d"]),
    ("ZINTERSTORE d 2 la lb", &DELETED),
    ("ZUNIONSTORE d 2 la d", &["expired d", "zunionstore d"]),
    ("ZDIFFSTORE d 2 lz la", &DELETED),
    ("ZRANGESTORE d lz 0 -1", &["expired d", "zrangestore d"]),
    ("SORT la LIMIT 0 0 STORE d", &DELETED),
    ("SORT la STORE d", &["expired d", "sortstore d"]),
];

fn add_large(client: &mut Connection) {
    for (start, from) in [("SADD la", 0), ("SADD lb", LARGE), ("ZADD lz", 0)] {
        let member = |n| match start {
            "ZADD lz" => format!(" {n} {n}"),
            _ => format!(" {n}"),
        };
        let members: String = (from..from + LARGE).map(member).collect();
        client.line(&format!("{start}{members}"));
    }
}

fn are_published(requests: &[(&str, &[&str])], prepare: fn(&mut Connection)) {
    for (heard, in_transaction) in [(true, false), (true, true), (false, false)] {
        let server = InProcess::default();
        let mut client = server.connect(Protocol::Resp3);
        let mut listener = server.connect(Protocol::Resp2);
        if heard {
            client.line("CONFIG SET notify-keyspace-events EA");
        }
        listener.line("PSUBSCRIBE __keyevent@0__:*");
        for (request, expected) in requests {
            client.line("FLUSHALL");
            prepare(&mut client);
            client.line("SADD d old");
            client.line("PEXPIRE d 5");
            server.advance(10);
            published(&mut listener);
            let before = expired_keys(&mut client);
            if in_transaction {
                client.line("MULTI");
                client.line(request);
                client.line("EXEC");
            } else {
                client.line(request);
            }
            let counted = expired_keys(&mut client) - before;
            let was_seen = expected.contains(&"expired d");
            assert_eq!(counted, u64::from(was_seen), "{request}");
            let expected = if heard { expected } else { &[][..] };
            assert_eq!(published(&mut listener), expected, "{request}");
        }
    }
}

#[test]
fn a_result_that_is_empty_removes_an_expired_key_unseen() {
    are_published(&REQUESTS, |client| {
        OTHERS.iter().for_each(|line| drop(client.line(line)));
    });
}

#[test]
fn so_does_one_that_is_computed_without_the_locks() {
    are_published(&LARGE_REQUESTS, add_large);
}
