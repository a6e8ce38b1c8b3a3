//! What transcripts cannot show of DUMP, RESTORE, OBJECT and bitmaps: effects, policies, limits, large values.

use ochre_engine::keyspace::{Str, Stripes, Value};
use ochre_engine::ports::Journal;
use ochre_engine::serial::{self, digest};
use ochre_resp::{Frame, Protocol, Request, RequestBuf};
use ochre_testkit::in_process::START_MS;
use ochre_testkit::{Connection, InProcess};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Kept(Mutex<Vec<RequestBuf>>);

impl Journal for Kept {
    fn append(&self, _: usize, effect: Request<'_>) {
        self.0.lock().expect("no panic").push(effect.to_buf());
    }
}

impl Kept {
    fn take(&self) -> Vec<Vec<Vec<u8>>> {
        let effects = std::mem::take(&mut *self.0.lock().expect("no panic"));
        let words = |e: RequestBuf| e.as_request().iter().map(<[u8]>::to_vec).collect();
        effects.into_iter().map(words).collect()
    }
}

fn restore(c: &mut Connection, key: &str, ttl: &str, value: &[u8], more: &[&str]) -> Frame {
    let payload = serial::dump_string(value, true);
    let mut args: Vec<&[u8]> = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), &payload];
    args.extend(more.iter().map(|m| m.as_bytes()));
    c.run(&args)
}

fn ok() -> Frame {
    Frame::Simple("OK".into())
}

fn error(text: &str) -> Frame {
    Frame::Error(text.into())
}

#[test]
fn effects_are_deterministic() {
    let server = InProcess::default();
    let kept = Arc::new(Kept::default());
    server.engine.journals.attach(kept.clone());
    let mut c = server.connect(Protocol::Resp2);
    let payload = serial::dump_string(b"abc", true);
    let words = |w: &[&[u8]]| w.iter().map(|w| w.to_vec()).collect::<Vec<_>>();

    assert_eq!(restore(&mut c, "k", "1000", b"abc", &["REPLACE"]), ok());
    let at = b"1700000001000".as_slice();
    let expected = words(&[b"RESTORE", b"k", at, &payload, b"REPLACE", b"ABSTTL"]);
    assert_eq!(kept.take(), [expected]);

    // Without an expiry, or with an absolute one, the request is its own effect.
    assert_eq!(restore(&mut c, "k", "0", b"abc", &["replace"]), ok());
    assert_eq!(
        kept.take(),
        [words(&[b"RESTORE", b"k", b"0", &payload, b"replace"])]
    );
    // In the past: the key goes, if there is one.
    assert_eq!(
        restore(&mut c, "k", "5", b"abc", &["REPLACE", "ABSTTL"]),
        ok()
    );
    assert_eq!(kept.take(), [words(&[b"DEL", b"k"])]);
    assert_eq!(restore(&mut c, "k", "5", b"abc", &["ABSTTL"]), ok());
    c.line("BITFIELD k GET u8 0");
    c.line("BITFIELD k GET u8 0 SET u8 x 1");
    c.line("SETBIT k 0 2");
    assert!(kept.take().is_empty());
    c.line("SETBIT k 0 1");
    assert_eq!(kept.take(), [words(&[b"SETBIT", b"k", b"0", b"1"])]);
    c.line("BITOP AND k nothing");
    c.line("BITOP AND k nothing");
    assert_eq!(kept.take(), [words(&[b"BITOP", b"AND", b"k", b"nothing"])]);
}

#[test]
fn frequencies_under_lfu() {
    let server = InProcess::new(&[("maxmemory-policy", "allkeys-lfu"), ("maxmemory", "1gb")]);
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(restore(&mut c, "k", "0", b"7", &["FREQ", "200"]), ok());
    assert_eq!(c.line("OBJECT FREQ k"), Frame::Integer(200));
    server.advance(3 * 60_000);
    assert_eq!(c.line("OBJECT FREQ k"), Frame::Integer(197));
    // A seconds clock means nothing here, so the key begins as any new one.
    assert_eq!(restore(&mut c, "i", "0", b"7", &["IDLETIME", "200"]), ok());
    assert_eq!(c.line("OBJECT FREQ i"), Frame::Integer(5));
    assert!(matches!(c.line("OBJECT IDLETIME i"), Frame::Error(_)));
    assert_eq!(c.line("OBJECT IDLETIME nothing"), Frame::Null);
    // Integers are not shared where each needs a clock.
    assert_eq!(c.line("OBJECT REFCOUNT k"), Frame::Integer(1));
    // Becoming long keeps the counter.
    c.line("SETBIT k 80000 1");
    let Frame::Integer(counter) = c.line("OBJECT FREQ k") else {
        panic!("a counter");
    };
    assert!(counter >= 197, "{counter}");
}

#[test]
fn strings_stay_below_the_limit() {
    let server = InProcess::new(&[("proto-max-bulk-len", "1mb")]);
    let mut c = server.connect(Protocol::Resp2);
    let offset = "ERR bit offset is not an integer or out of range";
    assert_eq!(c.line("SETBIT k 8388607 1"), Frame::Integer(0));
    assert_eq!(c.line("SETBIT k 8388608 1"), error(offset));
    assert_eq!(c.line("BITFIELD k SET u8 8388608 1"), error(offset));
    assert_eq!(c.line("BITFIELD k SET u8 #1048576 1"), error(offset));
    assert_eq!(c.line("STRLEN k"), Frame::Integer(1 << 20));
    // A compressed payload promises more than is allowed.
    let bomb = vec![b'a'; (1 << 20) + 1];
    assert_eq!(
        restore(&mut c, "b", "0", &bomb, &[]),
        error("ERR Bad data format")
    );
    assert_eq!(restore(&mut c, "b", "0", &bomb[1..], &[]), ok());
    assert_eq!(c.line("STRLEN b"), Frame::Integer(1 << 20));
}

#[test]
fn large_values_are_computed_after_the_lock() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    let mut value = vec![0xff; 300_000];
    value[200_000] = 0xfe;
    assert_eq!(restore(&mut c, "k", "0", &value, &[]), ok());
    assert_eq!(c.line("BITCOUNT k"), Frame::Integer(300_000 * 8 - 1));
    assert_eq!(c.line("BITCOUNT k 200000 200000"), Frame::Integer(7));
    assert_eq!(c.line("BITPOS k 0"), Frame::Integer(200_000 * 8 + 7));
    assert_eq!(c.line("BITPOS k 0 200001"), Frame::Integer(300_000 * 8));
    assert_eq!(c.line("BITPOS k 0 200001 -1"), Frame::Integer(-1));
    assert_eq!(
        c.line("DUMP k"),
        Frame::Bulk(serial::dump_string(&value, true))
    );
    assert_eq!(c.line("BITOP NOT n k"), Frame::Integer(300_000));
    assert_eq!(c.line("BITCOUNT n"), Frame::Integer(1));
    assert_eq!(c.line("OBJECT ENCODING n"), Frame::Bulk(b"raw".to_vec()));
}

#[test]
fn compression_is_a_setting() {
    let server = InProcess::new(&[("rdbcompression", "no")]);
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(restore(&mut c, "k", "0", &[b'a'; 100], &[]), ok());
    let Frame::Bulk(payload) = c.line("DUMP k") else {
        panic!("a payload");
    };
    assert_eq!(payload.len(), 1 + 2 + 100 + 10);
}

#[test]
fn the_digest_of_a_data_set_is_that_of_redis() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    let sum = |server: &InProcess| {
        let now = ochre_engine::ports::Clock::unix_ms(&*server.clock);
        digest::hex(&digest::dataset_digest(
            &Stripes::free(&server.engine.keyspace, &*server.engine.runtime),
            now,
        ))
    };
    assert_eq!(sum(&server), "0".repeat(40));
    for (db, key, value, ttl) in [
        (0, "a", b"1".as_slice(), "0"),
        (0, "b", b"hello", "1000"),
        (3, "a", b"1", "0"),
        (3, "", b"", "1000"),
    ] {
        c.session.db = db;
        assert_eq!(restore(&mut c, key, ttl, value, &[]), ok());
    }
    assert_eq!(sum(&server), "5e0688f0084126cfe7483e42e6abccf46dbb250d");
    let mut large = digest::DatabaseSum::default();
    c.session.db = 5;
    for n in 0..500usize {
        let (key, value) = (format!("key{n}"), vec![b'v'; n * 3]);
        assert_eq!(restore(&mut c, &key, "0", &value, &[]), ok());
        large.add(&digest::key_digest(
            key.as_bytes(),
            Value::String(Str::Inline(&value)),
            false,
        ));
    }
    let stripes = Stripes::free(&server.engine.keyspace, &*server.engine.runtime);
    assert_eq!(digest::database_sum(&stripes, 5, 0), large);
    // What has expired is not there, whether it was removed yet or not.
    server.advance(1000);
    assert_ne!(sum(&server), "5e0688f0084126cfe7483e42e6abccf46dbb250d");
}

/// The payload of a plain set, hash or list of `count` numbered strings, without its footer.
fn numbered(layout: u8, count: usize, strings: usize) -> Vec<u8> {
    let mut payload = vec![layout];
    serial::write::length(&mut payload, count);
    for n in 0..strings {
        serial::write::string(&mut payload, format!("element:{n}").as_bytes(), true);
    }
    payload
}

#[test]
fn large_collections_are_restored_and_dumped() {
    let server = InProcess::new(&[("enable-debug-command", "yes")]);
    let kept = Arc::new(Kept::default());
    server.engine.journals.attach(kept.clone());
    let mut c = server.connect(Protocol::Resp2);
    for (layout, kind, strings) in [(1u8, "list", 1), (2, "set", 1), (4, "hash", 2)] {
        let count = 20_000;
        let mut payload = numbered(layout, count, count * strings);
        serial::seal(&mut payload);
        assert!(payload.len() > 256 * 1024);
        let args = [b"RESTORE".as_slice(), b"k", b"1000", &payload];
        assert_eq!(c.run(&args), ok());
        let at = (START_MS + 1000).to_string();
        let effect = [
            b"RESTORE".as_slice(),
            b"k",
            at.as_bytes(),
            &payload,
            b"ABSTTL",
        ];
        assert_eq!(kept.take(), [effect.map(<[u8]>::to_vec)]);
        assert_eq!(c.line("TYPE k"), Frame::Simple(kind.into()));
        assert_eq!(c.line("PTTL k"), Frame::Integer(1000));
        // The name is taken, whatever the payload.
        let busy = error("BUSYKEY Target key name already exists.");
        assert_eq!(c.run(&args), busy);
        let mut bad = args;
        let cut = &payload[..payload.len() - 1];
        (bad[1], bad[3]) = (b"other", cut);
        let footer = error("ERR DUMP payload version or checksum are wrong");
        assert_eq!(c.run(&bad), footer);
        assert_eq!(c.line("EXISTS other"), Frame::Integer(0));
        let Frame::Bulk(dumped) = c.line("DUMP k") else {
            panic!("a payload");
        };
        let digest = c.line("DEBUG DIGEST-VALUE k");
        let again = [b"RESTORE".as_slice(), b"k", b"1000", &dumped, b"REPLACE"];
        assert_eq!(c.run(&again), ok());
        assert_eq!(c.line("DEBUG DIGEST-VALUE k"), digest);
        // In the past, it goes.
        let past = [
            b"RESTORE".as_slice(),
            b"k",
            b"5",
            &dumped,
            b"REPLACE",
            b"ABSTTL",
        ];
        assert_eq!(c.run(&past), ok());
        assert_eq!(c.line("EXISTS k"), Frame::Integer(0));
        kept.take();
    }
    // The last member stands there twice.
    let mut twice = numbered(2, 20_001, 20_000);
    serial::write::string(&mut twice, b"element:7", true);
    serial::seal(&mut twice);
    let args = [b"RESTORE".as_slice(), b"k", b"0", &twice];
    assert_eq!(c.run(&args), error("ERR Bad data format"));
    assert_eq!(c.line("EXISTS k"), Frame::Integer(0));
    assert!(kept.take().is_empty());
}
