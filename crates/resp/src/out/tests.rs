use std::sync::Arc;

use proptest::prelude::*;

use super::*;

type SharedOut = Out<Arc<[u8]>>;

fn text(out: &Out<impl AsRef<[u8]>>) -> Vec<u8> {
    let bytes: Vec<u8> = out.segments().flatten().copied().collect();
    assert_eq!(bytes.len(), out.len());
    assert_eq!(bytes.is_empty(), out.is_empty());
    assert!(out.segments().all(|segment| !segment.is_empty()));
    if let Some(slice) = out.as_slice() {
        assert_eq!(slice, bytes);
    }
    bytes
}

fn written(protocol: Protocol, write: impl FnOnce(&mut Out)) -> String {
    let mut out = Out::new(protocol);
    write(&mut out);
    String::from_utf8(text(&out)).expect("ASCII")
}

/// Both dialects as `DEBUG PROTOCOL` of Redis 7.0.15 and 8.2.3 spells them.
#[test]
fn every_type_in_both_dialects() {
    type Write = fn(&mut Out);
    let table: [(Write, &str, &str); 22] = [
        (|out| out.ok(), "+OK\r\n", "+OK\r\n"),
        (|out| out.simple("a\r\nb"), "+a  b\r\n", "+a  b\r\n"),
        (|out| out.error("ERR a\nb"), "-ERR a b\r\n", "-ERR a b\r\n"),
        (|out| out.integer(1), ":1\r\n", ":1\r\n"),
        (
            |out| out.integer(i64::MIN),
            ":-9223372036854775808\r\n",
            ":-9223372036854775808\r\n",
        ),
        (|out| out.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n"),
        (
            |out| out.bulk(b"0123456789"),
            "$10\r\n0123456789\r\n",
            "$10\r\n0123456789\r\n",
        ),
        (
            |out| out.bulk_integer(-12),
            "$3\r\n-12\r\n",
            "$3\r\n-12\r\n",
        ),
        (|out| out.null(), "$-1\r\n", "_\r\n"),
        (|out| out.null_array(), "*-1\r\n", "_\r\n"),
        (|out| out.array(100), "*100\r\n", "*100\r\n"),
        (|out| out.map(3), "*6\r\n", "%3\r\n"),
        (|out| out.set(3), "*3\r\n", "~3\r\n"),
        (|out| out.push(2), "*2\r\n", ">2\r\n"),
        (
            |out| assert_eq!(out.attribute(1), out.protocol() == Protocol::Resp3),
            "",
            "|1\r\n",
        ),
        (|out| out.double(3.25), "$4\r\n3.25\r\n", ",3.25\r\n"),
        (|out| out.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n"),
        (|out| out.boolean(true), ":1\r\n", "#t\r\n"),
        (|out| out.boolean(false), ":0\r\n", "#f\r\n"),
        (
            |out| out.big_number("1234567999"),
            "$10\r\n1234567999\r\n",
            "(1234567999\r\n",
        ),
        (
            |out| out.verbatim(b"txt", b"a\nb"),
            "$3\r\na\nb\r\n",
            "=7\r\ntxt:a\nb\r\n",
        ),
        (|out| out.raw(b"+x\r\n"), "+x\r\n", "+x\r\n"),
    ];
    for (write, resp2, resp3) in table {
        assert_eq!(written(Protocol::Resp2, write), resp2);
        assert_eq!(written(Protocol::Resp3, write), resp3);
    }
}

#[test]
fn lengths_of_every_width() {
    for n in [0, 1, 9, 10, 11, 99, 100, 101, 12_345, usize::MAX] {
        assert_eq!(
            written(Protocol::Resp2, |out| out.array(n)),
            format!("*{n}\r\n")
        );
    }
}

#[test]
fn shared_payloads_are_sent_by_reference() {
    let value: Arc<[u8]> = vec![b'x'; 5000].into();
    let mut out = SharedOut::default();
    out.ok();
    out.shared(Arc::clone(&value));
    out.shared(Arc::from(&b""[..]));
    assert!(out.as_slice().is_none());
    assert!(out.segments().any(|segment| std::ptr::eq(segment, &*value)));
    assert_eq!(
        text(&out),
        [&b"+OK\r\n$5000\r\n"[..], &value, b"\r\n$0\r\n\r\n"].concat()
    );
    out.advance(12 + 4999);
    assert_eq!(
        (Arc::strong_count(&value), text(&out)),
        (2, b"x\r\n$0\r\n\r\n".to_vec())
    );
    out.advance(1);
    assert_eq!(
        (Arc::strong_count(&value), text(&out)),
        (1, b"\r\n$0\r\n\r\n".to_vec())
    );
    out.advance(1000);
    assert!(out.is_empty());
}

#[test]
fn truncating_drops_shared_payloads_too() {
    let value: Arc<[u8]> = vec![b'x'; 10].into();
    let mut out = SharedOut::default();
    out.shared(Arc::clone(&value));
    let mark = out.mark();
    out.shared(Arc::clone(&value));
    out.ok();
    out.advance(3);
    out.truncate(mark);
    assert_eq!(
        (Arc::strong_count(&value), text(&out)),
        (2, b"\r\nxxxxxxxxxx\r\n".to_vec())
    );
    out.advance(7);
    out.truncate(mark);
    assert_eq!(text(&out), b"xxxxx\r\n");
    out.clear();
    assert_eq!(Arc::strong_count(&value), 1);
    out.truncate(mark);
    assert!(out.is_empty());
}

#[test]
fn a_length_known_later() {
    let mut out = SharedOut::new(Protocol::Resp2);
    out.ok();
    let mark = out.mark();
    out.shared(Arc::from(&b"abc"[..]));
    out.integer(7);
    out.insert(mark, Aggregate::Map, 1);
    assert_eq!(text(&out), b"+OK\r\n*2\r\n$3\r\nabc\r\n:7\r\n");
    out.insert(out.mark(), Aggregate::Set, 0);
    assert_eq!(text(&out), b"+OK\r\n*2\r\n$3\r\nabc\r\n:7\r\n*0\r\n");
}

#[test]
fn memory_is_given_back() {
    let mut out: Out = Out::default();
    out.bulk(&[0; 100_000]);
    let taken = out.take();
    assert!(out.is_empty() && taken.len() > 100_000);
    out.bulk(&[0; 100_000]);
    out.shrink(1000);
    assert!(out.len() > 100_000, "what is unsent stays");
    out.advance(usize::MAX);
    out.shrink(1000);
    assert!(out.is_empty() && out.heap_bytes() <= 1000);
}

/// One step against a model that copies everything.
#[derive(Clone, Debug)]
enum Step {
    Bulk(usize),
    Shared(usize),
    Advance(usize),
    Mark,
    Truncate,
    Insert(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..9000).prop_map(Step::Bulk),
        (0usize..9000).prop_map(Step::Shared),
        (0usize..20_000).prop_map(Step::Advance),
        Just(Step::Mark),
        Just(Step::Truncate),
        (0usize..2000).prop_map(Step::Insert),
    ]
}

proptest! {
    #[test]
    fn behaves_as_one_string(steps in proptest::collection::vec(step(), 1..60)) {
        let mut out = SharedOut::new(Protocol::Resp3);
        // `all` is every byte ever written; `sent` and `marked` are positions in it.
        let (mut all, mut sent, mut marked) = (Vec::new(), 0, 0);
        let mut mark = out.mark();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Bulk(len) | Step::Shared(len) => {
                    let payload = vec![b'a' + u8::try_from(n % 26).unwrap_or(0); len];
                    encode::bulk(&mut all, &payload);
                    if matches!(step, Step::Bulk(_)) { out.bulk(&payload) } else { out.shared(payload.into()) }
                }
                Step::Advance(n) => {
                    out.advance(n);
                    sent = (sent + n).min(all.len());
                }
                Step::Mark => (mark, marked) = (out.mark(), all.len()),
                Step::Truncate if marked >= sent => {
                    out.truncate(mark);
                    all.truncate(marked);
                }
                Step::Insert(len) if marked >= sent => {
                    out.insert(mark, Aggregate::Set, len);
                    let tail = all.split_off(marked);
                    encode::header(&mut all, b'~', len);
                    all.extend_from_slice(&tail);
                }
                Step::Truncate | Step::Insert(_) => {}
            }
            prop_assert!(text(&out) == all[sent..]);
        }
        out.advance(out.len());
        prop_assert!(out.is_empty() && out.shared.is_empty() && out.shared_len == 0 && out.shared_sent == 0);
    }
}
