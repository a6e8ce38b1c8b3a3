//! Bytes into command sequences: requests from the declared grammar, raw ones, and time that passes.
//!
//! Checked: no panic; every reply is exactly one well-formed frame; at the end DBSIZE and a whole SCAN agree,
//! and the effects of the sequence, replayed, give the same data.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_engine::commands::FAMILIES;
use ochre_engine::ports::{Clock, Journal};
use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol, Request, RequestBuf};
use ochre_testkit::data::describe;
use ochre_testkit::differential::has;
use ochre_testkit::differential::rules::{Kind, rule_for};
use ochre_testkit::grammar::{Grammar, KEYS, Limits, Rng};
use ochre_testkit::in_process::TestClock;
use ochre_testkit::{Connection, InProcess};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Small, so that no offset and no LCS costs much memory or time.
const SETTINGS: &[(&str, &str)] = &[
    ("proto-max-bulk-len", "1mb"),
    ("enable-debug-command", "yes"),
    ("databases", "2"),
];
/// Databases that are compared.
const DATABASES: usize = 2;

struct Recorder {
    clock: Arc<TestClock>,
    effects: Mutex<Vec<(i64, usize, RequestBuf)>>,
}

impl Journal for Recorder {
    fn append(&self, db: usize, effect: Request<'_>) {
        let effect = (self.clock.unix_ms(), db, effect.to_buf());
        self.effects.lock().expect("one thread").push(effect);
    }
}

/// Executes one request and checks the form of its reply.
fn call(connection: &mut Connection, args: &[Vec<u8>]) -> Frame {
    let bytes = connection.raw(args);
    check(args, &bytes)
}

/// The only frame of a reply.
fn check(args: &[Vec<u8>], bytes: &[u8]) -> Frame {
    let decoded = FrameDecoder::new(FrameLimits::default()).decode(bytes);
    let show = || format!("{args:?}\n{}", bytes.escape_ascii());
    let progress = decoded.unwrap_or_else(|e| panic!("no frame, {e}: {}", show()));
    assert_eq!(
        progress.consumed,
        bytes.len(),
        "more than one frame: {}",
        show()
    );
    progress
        .frame
        .unwrap_or_else(|| panic!("no whole frame: {}", show()))
}

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|w| w.as_bytes().to_vec()).collect()
}

/// A request of arbitrary words.
fn raw(rng: &mut Rng) -> Vec<Vec<u8>> {
    (0..=rng.index(6))
        .map(|_| (0..rng.index(24)).map(|_| rng.byte()).collect())
        .collect()
}

/// Number of keys by two ways, in every database.
fn count(connection: &mut Connection) {
    for db in 0..DATABASES {
        connection.session.db = db;
        let Frame::Integer(size) = call(connection, &words("DBSIZE")) else {
            panic!("DBSIZE gives a number");
        };
        let (mut found, mut cursor) = (0, b"0".to_vec());
        loop {
            let Frame::Array(mut page) = call(connection, &[b"SCAN".to_vec(), cursor]) else {
                panic!("SCAN gives an array");
            };
            let (Some(Frame::Array(keys)), Some(Frame::Bulk(next))) = (page.pop(), page.pop())
            else {
                panic!("SCAN gives a cursor and keys");
            };
            found += keys.len() as i64;
            if next == b"0" {
                break;
            }
            cursor = next;
        }
        assert_eq!(found, size, "keys that SCAN finds, and DBSIZE");
    }
    connection.session.db = 0;
}

fuzz_target!(|data: &[u8]| {
    let server = InProcess::new(SETTINGS);
    let recorder = Arc::new(Recorder {
        clock: server.clock.clone(),
        effects: Mutex::default(),
    });
    server.engine.journals.attach(recorder.clone());
    let mut connections = [Protocol::Resp2, Protocol::Resp3].map(|p| server.connect(p));
    let mut other = server.connect(Protocol::Resp2);
    let limits = Limits {
        near: true,
        long_value: 2_000,
        ..Limits::default()
    };
    let (mut grammar, mut rng) = (
        Grammar::new(FAMILIES, None, limits, |_| true),
        Rng::of_bytes(data),
    );
    while !rng.is_spent() {
        let choice = rng.byte();
        let connection = &mut connections[usize::from(choice & 1)];
        grammar.limits.now_ms = server.clock.unix_ms();
        let args = match choice >> 1 {
            0..=9 => {
                server.advance(i64::from(rng.byte()) * 10);
                continue;
            }
            10..=19 => raw(&mut rng),
            _ => grammar.request(&mut rng).args,
        };
        // What ends or silences a connection has no reply to check.
        if rule_for(&args) != Kind::Skip {
            let mut bytes = connection.raw(&args);
            if connection.is_blocked() {
                // Nobody else sends anything.
                let id = connection.session.client.id.to_string();
                call(&mut other, &words(&format!("CLIENT UNBLOCK {id}")));
                bytes = connection.look_raw();
            }
            check(&args, &bytes);
        }
    }
    // A connection of its own: those of the requests may be in the middle of a transaction.
    let connection = &mut server.connect(Protocol::Resp2);
    if has("dbsize") && has("scan") {
        // Expired keys count until they are removed: one whole round of the expiry cycle does it.
        server.engine.active_expire.store(true, Relaxed);
        server.engine.cron_paused.store(false, Relaxed);
        server.engine.unpause();
        server.engine.cron(Duration::from_secs(60));
        count(connection);
    }
    let expected = describe(connection, DATABASES, KEYS);

    let copy = InProcess::new(SETTINGS);
    let mut connection = copy.connect(Protocol::Resp2);
    let effects = std::mem::take(&mut *recorder.effects.lock().expect("one thread"));
    for (at, db, effect) in effects {
        copy.advance(at - copy.clock.unix_ms());
        connection.session.db = db;
        let args: Vec<Vec<u8>> = effect.as_request().iter().map(<[u8]>::to_vec).collect();
        let reply = call(&mut connection, &args);
        assert!(reply.as_error().is_none(), "replaying {args:?}: {reply:?}");
    }
    copy.advance(server.clock.unix_ms() - copy.clock.unix_ms());
    assert_eq!(
        describe(&mut connection, DATABASES, KEYS),
        expected,
        "replayed effects give other data"
    );
});
