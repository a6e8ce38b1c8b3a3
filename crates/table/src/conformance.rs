//! What every [`Storage`] has to do: one suite for all of them, also those of others.

use crate::error::KvError;
use crate::pb::{Kvpair, Value};
use crate::storage::{PAGE_MAX, Storage};
use crate::values::ValueRef;
use crate::wire::Borrowed;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long data may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Checks that `store`, which has to be empty, does what [`Storage`] says. Leaves it empty.
///
/// # Panics
/// Where it does not; the message says what was expected.
pub fn check(store: &impl Storage) {
    single_keys(store);
    types_come_back(store);
    odd_names(store);
    several_keys(store);
    borrowed(store);
    gathered(store);
    pages(store);
    limits(store);
    previous_values_are_unique(store);
    several_are_atomic(store);
    assert_eq!(
        ok(store.get_all("t", 1 << 20)),
        [],
        "the suite leaves nothing"
    );
}

#[track_caller]
fn ok<T>(result: Result<T, KvError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(&error),
    }
}

#[track_caller]
#[allow(clippy::panic)] // a failed check
fn fail(error: &KvError) -> ! {
    panic!("a call failed: {error}")
}

/// The result of a call that is made again while the data is busy.
#[track_caller]
fn at_last<T>(mut call: impl FnMut() -> Result<T, KvError>) -> T {
    let start = Instant::now();
    loop {
        match call() {
            Err(KvError::Busy) if start.elapsed() < PATIENCE => std::thread::yield_now(),
            result => return ok(result),
        }
    }
}

fn clear(store: &impl Storage, table: &str) {
    let pairs = ok(store.get_all(table, usize::MAX));
    let keys: Vec<String> = pairs.into_iter().map(|pair| pair.key).collect();
    for keys in keys.chunks(1000) {
        ok(store.mdel(table, keys));
    }
}

fn single_keys(store: &impl Storage) {
    assert_eq!(ok(store.get("t", "k")), None);
    assert!(!ok(store.contains("t", "k")));
    assert_eq!(ok(store.del("t", "k")), None);
    assert_eq!(ok(store.set("t", "k", "one".into())), None);
    assert_eq!(ok(store.set("t", "k", "two".into())), Some("one".into()));
    assert_eq!(ok(store.get("t", "k")), Some("two".into()));
    assert!(ok(store.contains("t", "k")));
    assert_eq!(ok(store.get("t", "K")), None);
    assert_eq!(ok(store.get("T", "k")), None);
    assert_eq!(ok(store.get_all("t", 1 << 20)), [Kvpair::new("k", "two")]);
    assert_eq!(ok(store.del("t", "k")), Some("two".into()));
    assert_eq!(ok(store.get("t", "k")), None);
}

fn types_come_back(store: &impl Storage) {
    let values: Vec<Value> = vec![
        Value::default(),
        "".into(),
        "5".into(),
        "-0".into(),
        "true".into(),
        "1.5".into(),
        "\u{FF}i5".into(),
        "i5".into(),
        "\0\r\n".into(),
        "a".repeat(100_000).into(),
        Value::from(&b""[..]),
        Value::from(&b"text"[..]),
        Value::from(&b"\xFFi5"[..]),
        Value::from(&b"\xFF\xFE\0"[..]),
        Value::from(vec![0xFF; 100_000]),
        Value::from(0_i64),
        Value::from(-1_i64),
        Value::from(i64::MAX),
        Value::from(i64::MIN),
        Value::from(0.0),
        Value::from(1.0),
        Value::from(0.1),
        Value::from(f64::MAX),
        Value::from(f64::MIN_POSITIVE),
        Value::from(f64::NEG_INFINITY),
        true.into(),
        false.into(),
    ];
    let mut before = None;
    for value in values {
        assert_eq!(ok(store.set("t", "k", value.clone())), before);
        assert_eq!(ok(store.get("t", "k")).as_ref(), Some(&value));
        let all = ok(store.get_all("t", 1 << 20));
        assert_eq!(all, [Kvpair::new("k", value.clone())]);
        before = Some(value);
    }
    ok(store.set("t", "k", Value::from(f64::NAN)));
    let nan = ok(store.get("t", "k")).unwrap_or_default();
    assert!(f64::try_from(nan).is_ok_and(f64::is_nan));
    ok(store.del("t", "k"));
}

fn odd_names(store: &impl Storage) {
    let names = [
        "", " ", "\0", "a", "ab", "b", "\u{FF}", "键", "a\r\nb", "x/y",
    ];
    for table in names {
        for key in names {
            let value = format!("{table}|{key}");
            assert_eq!(ok(store.set(table, key, value.into())), None);
        }
    }
    for table in names {
        let pairs = ok(store.get_all(table, 1 << 20));
        let found: BTreeMap<String, Value> = pairs
            .into_iter()
            .map(|pair| (pair.key, pair.value.unwrap_or_default()))
            .collect();
        let wanted = names.map(|key| (key.to_owned(), format!("{table}|{key}").into()));
        assert_eq!(found, wanted.into());
        for key in names {
            assert!(ok(store.del(table, key)).is_some());
        }
        assert_eq!(ok(store.get_all(table, 1 << 20)), []);
    }
}

fn several_keys(store: &impl Storage) {
    let keys = ["a", "b", "a", "c"].map(str::to_owned);
    assert_eq!(ok(store.mget("t", &[])), []);
    assert_eq!(ok(store.mset("t", &[])), []);
    assert_eq!(ok(store.mdel("t", &[])), []);
    let mut pairs: Vec<Kvpair> = (0..4)
        .map(|n| Kvpair::new(&keys[n], n.to_string().as_str()))
        .collect();
    pairs[3].value = None;
    let before = ok(store.mset("t", &pairs));
    assert_eq!(before, [None, None, Some("0".into()), None]);
    let two = Some(Value::from("2"));
    let got = ok(store.mget("t", &keys));
    assert_eq!(
        got,
        [
            two.clone(),
            Some("1".into()),
            two.clone(),
            Some(Value::default())
        ]
    );
    let mut more = keys.to_vec();
    more.push("none".to_owned());
    let gone = ok(store.mdel("t", &more));
    assert_eq!(
        gone,
        [two, Some("1".into()), None, Some(Value::default()), None]
    );
    assert_eq!(ok(store.mget("t", &more)), vec![None; 5]);
}

fn borrowed(store: &impl Storage) {
    let mut calls = 0;
    assert!(!ok(store.set_with(
        "t",
        "k",
        ValueRef::Bool(true),
        &mut |_| calls += 1
    )));
    assert_eq!(calls, 0);
    let mut seen = Vec::new();
    let mut see = |value: ValueRef<'_>| seen.push(value.to_value());
    assert!(ok(store.set_with(
        "t",
        "k",
        ValueRef::String("s"),
        &mut see
    )));
    assert!(ok(store.get_with("t", "k", &mut see)));
    assert!(!ok(store.get_with("t", "none", &mut see)));
    assert_eq!(seen, [true.into(), "s".into()]);
    ok(store.del("t", "k"));
}

/// Requests that are executed together are so in their order, and none behind the one at which it is stopped.
fn gathered(store: &impl Storage) {
    const COUNT: usize = 40;
    let keys: Vec<String> = (0..3).map(|n| n.to_string()).collect();
    let requests: Vec<Borrowed<'_>> = (0_i64..)
        .take(COUNT)
        .zip(keys.iter().cycle())
        .flat_map(|(n, key)| {
            let set = Borrowed::Set("gathered", key, ValueRef::Integer(n));
            [set, Borrowed::Get("gathered", key)]
        })
        .collect();
    let mut values = Vec::new();
    at_last(|| {
        values.clear();
        ok(store.mdel("gathered", &keys));
        let mut busy = Ok(());
        store.execute(&requests, &mut |answer| match answer {
            Ok(value) => {
                values.push(value.map(|value| value.to_value()));
                true
            }
            Err(error) => {
                busy = Err(error);
                false
            }
        });
        busy
    });
    let expected: Vec<Option<Value>> = (0_i64..)
        .take(COUNT)
        .flat_map(|n| [(n >= 3).then(|| (n - 3).into()), Some(n.into())])
        .collect();
    assert_eq!(values, expected, "in order");
    let mut answers = 0;
    let set = Borrowed::Set("gathered", "late", ValueRef::Bool(true));
    let get = Borrowed::Get("gathered", "none");
    store.execute(&[get, set], &mut |_| {
        answers += 1;
        false
    });
    assert_eq!(answers, 1, "one answer before the stop");
    assert_eq!(
        ok(store.get("gathered", "late")),
        None,
        "it was not executed"
    );
    ok(store.mdel("gathered", &keys));
}

fn pages(store: &impl Storage) {
    let keys: Vec<String> = (0..3000).map(|n| format!("key:{n:05}")).collect();
    let pairs: Vec<Kvpair> = keys.iter().map(|k| Kvpair::new(k, k.as_str())).collect();
    pairs.chunks(500).for_each(|chunk| {
        ok(store.mset("t", chunk));
    });
    // Neighbours whose pairs must not be found.
    for other in ["s", "u", "t\0", ""] {
        ok(store.set(other, "k", "v".into()));
    }
    for limit in [1000, 7, PAGE_MAX, usize::MAX] {
        let (mut found, mut cursor, mut turns) = (BTreeMap::new(), None::<String>, 0);
        loop {
            let page = ok(store.scan("t", cursor.as_deref(), limit));
            assert!(
                page.pairs.len() <= limit.saturating_add(1000),
                "a page is bounded"
            );
            for pair in page.pairs {
                found.insert(pair.key, pair.value.unwrap_or_default());
            }
            turns += 1;
            assert!(turns < 10_000, "a scan ends");
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let wanted = keys.iter().map(|k| (k.clone(), Value::from(k)));
        assert_eq!(found, wanted.collect());
    }
    let all: Result<Vec<Kvpair>, KvError> = store.get_iter("t").collect();
    let mut all: Vec<String> = ok(all).into_iter().map(|pair| pair.key).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, keys);
    for other in ["s", "u", "t\0", ""] {
        ok(store.del(other, "k"));
    }
    clear(store, "t");
    assert_eq!(ok(store.scan("t", None, 10)).pairs, []);
}

fn limits(store: &impl Storage) {
    for n in 0..20 {
        ok(store.set("t", &n.to_string(), "x".repeat(1000).into()));
    }
    assert!(matches!(
        store.get_all("t", 10_000),
        Err(KvError::TooLarge(_))
    ));
    assert_eq!(ok(store.get_all("t", 40_000)).len(), 20);
    clear(store, "t");
}

/// Several threads set one key: each value is somebody's previous one exactly once.
fn previous_values_are_unique(store: &impl Storage) {
    const THREADS: i64 = 4;
    const EACH: i64 = 500;
    let run = |thread: i64| {
        let set = |n| at_last(|| store.set("t", "k", Value::from(thread * EACH + n)));
        (0..EACH).filter_map(set).collect::<Vec<Value>>()
    };
    let mut seen: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || run(t))).collect();
        let joined = threads.into_iter().filter_map(|thread| thread.join().ok());
        joined.flatten().filter_map(|v| v.try_into().ok()).collect()
    });
    let last = ok(store.del("t", "k")).unwrap_or_default();
    seen.extend(i64::try_from(last).ok());
    seen.sort_unstable();
    assert!(
        seen.into_iter().eq(0..THREADS * EACH),
        "every value is the previous one once"
    );
}

/// Who reads several keys sees all of a write or nothing.
fn several_are_atomic(store: &impl Storage) {
    let keys: Vec<String> = (0..16).map(|n| format!("k{n}")).collect();
    let all = |value: i64| keys.iter().map(move |k| Kvpair::new(k, value));
    ok(store.mset("t", &all(0).collect::<Vec<_>>()));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..400 {
                let pairs: Vec<Kvpair> = all(n).collect();
                at_last(|| store.mset("t", &pairs));
            }
            stop.store(true, Relaxed);
        });
        while !stop.load(Relaxed) {
            let values = at_last(|| store.mget("t", &keys));
            assert!(values.windows(2).all(|two| two[0] == two[1]), "{values:?}");
        }
    });
    clear(store, "t");
}
