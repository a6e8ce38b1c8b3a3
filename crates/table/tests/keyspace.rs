//! Tables in the engine's keyspace, looked at from both sides.
#![cfg(feature = "keyspace")]

use ochre_engine::acl::DEFAULT_USER;
use ochre_resp::{Frame, Protocol};
use ochre_table::{Keyspace, KvError, Kvpair, Storage, Value, conformance};
use ochre_testkit::InProcess;
use ochre_testkit::in_process::Connection;

fn start(settings: &[(&str, &str)]) -> (InProcess, Connection, Keyspace) {
    let engine = InProcess::new(settings);
    let redis = engine.connect(Protocol::Resp2);
    let store = Keyspace::new(engine.engine.clone(), None);
    (engine, redis, store)
}

#[test]
fn conforms() {
    let (_engine, _redis, store) = start(&[]);
    conformance::check(&store);
}

#[test]
fn conforms_with_large_forms_and_beside_other_clients() {
    let (_engine, mut redis, store) = start(&[("hash-max-listpack-entries", "0")]);
    conformance::check(&store);
    assert_eq!(redis.line("DBSIZE"), Frame::Integer(0));
}

#[test]
fn what_redis_writes_is_seen_and_the_reverse() {
    let (_engine, mut redis, store) = start(&[]);
    redis.line("HSET t k hello n 5");
    assert_eq!(store.get("t", "k").unwrap(), Some("hello".into()));
    assert_eq!(store.get("t", "n").unwrap(), Some("5".into()));
    assert_eq!(
        store.set("t", "k", "world".into()).unwrap(),
        Some("hello".into())
    );
    assert_eq!(redis.line("HGET t k"), Frame::bulk("world"));
    assert_eq!(redis.line("TYPE t"), Frame::Simple("hash".into()));
    // A string that looks like a number is one string, whoever wrote it.
    redis.line("HINCRBY t n 1");
    assert_eq!(store.get("t", "n").unwrap(), Some("6".into()));
    store.set("t", "i", Value::from(6_i64)).unwrap();
    assert_eq!(redis.line("HGET t i"), Frame::bulk(b"\xFFi6".to_vec()));
    assert_eq!(store.get("t", "i").unwrap(), Some(6_i64.into()));
    redis.run(&[b"HSET".as_slice(), b"t", b"raw", b"\x80\x81"]);
    assert_eq!(
        store.get("t", "raw").unwrap(),
        Some(Value::from(&b"\x80\x81"[..]))
    );
    assert_eq!(
        store
            .mdel("t", &["k", "n", "i", "raw"].map(str::to_owned))
            .unwrap()
            .len(),
        4
    );
    assert_eq!(redis.line("EXISTS t"), Frame::Integer(0));
}

#[test]
fn a_field_that_is_no_key_is_reported() {
    let (_engine, mut redis, store) = start(&[]);
    redis.run(&[b"HSET".as_slice(), b"t", b"\xFF", b"v"]);
    assert!(matches!(
        store.get_all("t", 1 << 20),
        Err(KvError::Storage(_))
    ));
    assert!(matches!(
        store.scan("t", None, 10),
        Err(KvError::Storage(_))
    ));
}

#[test]
fn other_types_and_bad_cursors_are_refused() {
    let (_engine, mut redis, store) = start(&[]);
    redis.line("SET s v");
    for result in [
        store.get("s", "k"),
        store.set("s", "k", true.into()),
        store.del("s", "k"),
    ] {
        assert!(matches!(result, Err(KvError::WrongType(_))), "{result:?}");
    }
    assert!(matches!(
        store.get_all("s", 1 << 20),
        Err(KvError::WrongType(_))
    ));
    assert!(matches!(
        store.scan("t", Some("x"), 10),
        Err(KvError::Invalid(_))
    ));
}

#[test]
fn effects_are_those_of_the_commands() {
    let (_engine, mut redis, store) = start(&[("notify-keyspace-events", "KEA")]);
    let mut watcher = redis.beside(Protocol::Resp2);
    let mut listener = redis.beside(Protocol::Resp2);
    listener.line("PSUBSCRIBE __keyevent@0__:*");
    watcher.line("WATCH t");
    store
        .mset("t", &[Kvpair::new("a", "1"), Kvpair::new("b", 2_i64)])
        .unwrap();
    store.del("t", "a").unwrap();
    store.del("t", "b").unwrap();
    let heard = String::from_utf8_lossy(&listener.messages()).into_owned();
    for event in [":hset", ":hdel", ":del"] {
        assert!(heard.contains(&format!("__keyevent@0__{event}")), "{heard}");
    }
    watcher.line("MULTI");
    watcher.line("SET x 1");
    assert_eq!(watcher.line("EXEC"), Frame::NullArray);
    let stats = String::from_utf8_lossy(&redis.raw(&["INFO", "commandstats"])).into_owned();
    assert!(stats.contains("cmdstat_hset:calls=1"), "{stats}");
    assert!(stats.contains("cmdstat_hdel:calls=2"), "{stats}");
}

#[test]
fn the_journal_has_the_plain_commands() {
    use ochre_engine::ports::Journal;
    use std::sync::{Arc, Mutex};
    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);
    impl Journal for Lines {
        fn append(&self, db: usize, effect: ochre_resp::Request<'_>) {
            let words: Vec<_> = effect.iter().map(String::from_utf8_lossy).collect();
            self.0
                .lock()
                .unwrap()
                .push(format!("{db} {}", words.join(" ")));
        }
    }
    let (engine, _redis, store) = start(&[]);
    let lines = Arc::new(Lines::default());
    engine.engine.journals.attach(lines.clone());
    store.set("t", "k", "v".into()).unwrap();
    store.get("t", "k").unwrap();
    store.del("t", "none").unwrap();
    store.del("t", "k").unwrap();
    assert_eq!(*lines.0.lock().unwrap(), ["0 HSET t k v", "0 HDEL t k"]);
}

#[test]
fn permissions_hold() {
    let (engine, mut redis, store) = start(&[]);
    store.set("t", "k", "v".into()).unwrap();
    redis.line("ACL SETUSER app on >secret ~app:* +hget +hset");
    let app = Keyspace::new(engine.engine.clone(), Some("app"));
    app.set("app:t", "k", "v".into()).unwrap();
    assert!(matches!(app.get("t", "k"), Err(KvError::Forbidden(_))));
    assert!(matches!(app.del("app:t", "k"), Err(KvError::Forbidden(_))));
    let nobody = Keyspace::new(engine.engine.clone(), Some("nobody"));
    assert!(matches!(
        nobody.get("t", "k"),
        Err(KvError::Unauthorized(_))
    ));
    redis.line("ACL SETUSER nobody on nopass allkeys +@all");
    assert!(nobody.get("t", "k").is_ok());
    redis.line("ACL DELUSER nobody");
    assert!(matches!(
        nobody.get("t", "k"),
        Err(KvError::Unauthorized(_))
    ));
    // The default user is acted for only without a password.
    redis.line("CONFIG SET requirepass secret");
    assert!(matches!(store.get("t", "k"), Err(KvError::Unauthorized(_))));
    assert!(app.get("app:t", "k").is_ok());
    redis.line("CONFIG SET requirepass ''");
    assert!(store.get("t", "k").is_ok());
    assert_eq!(DEFAULT_USER, b"default");
}

#[test]
fn memory_is_limited() {
    let (engine, mut redis, store) = start(&[]);
    redis.line("CONFIG SET maxmemory 1mb");
    engine
        .memory
        .0
        .store(100 << 20, std::sync::atomic::Ordering::Relaxed);
    redis.line("CONFIG SET maxmemory 1mb");
    assert!(matches!(
        store.set("t", "k", "v".into()),
        Err(KvError::OutOfMemory(_))
    ));
    assert_eq!(store.get("t", "k").unwrap(), None);
}

#[test]
fn a_pause_is_busy() {
    let (_engine, mut redis, store) = start(&[]);
    redis.line("CLIENT PAUSE 100000 WRITE");
    assert_eq!(store.set("t", "k", "v".into()), Err(KvError::Busy));
    assert_eq!(store.get("t", "k").unwrap(), None);
    redis.line("CLIENT UNPAUSE");
    assert_eq!(store.set("t", "k", "v".into()).unwrap(), None);
}

#[test]
fn what_comes_from_here_is_shown() {
    let (_engine, mut redis, store) = start(&[]);
    let mut monitor = redis.beside(Protocol::Resp2);
    monitor.line("MONITOR");
    store.set("t", "k", "v".into()).unwrap();
    let shown = String::from_utf8_lossy(&monitor.messages()).into_owned();
    assert!(
        shown.contains("[0 table] \"HSET\" \"t\" \"k\" \"v\""),
        "{shown}"
    );
    let listed = String::from_utf8_lossy(&redis.raw(&["CLIENT", "LIST"])).into_owned();
    assert_eq!(listed.matches("id=").count(), 2, "{listed}");
}

#[test]
fn a_huge_table_is_refused_and_read_by_pages() {
    let (_engine, mut redis, store) = start(&[]);
    let value = "x".repeat(100);
    for n in 0..200 {
        let mut words = vec!["HSET".to_owned(), "t".to_owned()];
        (0..500).for_each(|i| words.extend([format!("k{}", n * 500 + i), value.clone()]));
        redis.run(&words);
    }
    assert!(matches!(
        store.get_all("t", 8 << 20),
        Err(KvError::TooLarge(_))
    ));
    assert_eq!(store.get_all("t", 64 << 20).unwrap().len(), 100_000);
    let mut keys: Vec<String> = store.get_iter("t").map(|pair| pair.unwrap().key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 100_000);
}
