//! The same effects give the same data: what the journal gets from random writes, replayed on an empty engine.
//!
//! `OCHRE_SEED` sets another seed.

use ochre_engine::commands::FAMILIES;
use ochre_engine::ports::{Clock, Journal};
use ochre_resp::{Protocol, Request, RequestBuf};
use ochre_testkit::InProcess;
use ochre_testkit::data::describe;
use ochre_testkit::differential::rules::{Kind, rule_for};
use ochre_testkit::grammar::{Grammar, KEYS, Limits, Rng};
use ochre_testkit::in_process::TestClock;
use std::sync::{Arc, Mutex};

const SETTINGS: &[(&str, &str)] = &[
    ("enable-debug-command", "yes"),
    ("proto-max-bulk-len", "1mb"),
];

/// Effects with their database and time.
struct Recorder {
    clock: Arc<TestClock>,
    effects: Mutex<Vec<(i64, usize, RequestBuf)>>,
}

impl Journal for Recorder {
    fn append(&self, db: usize, effect: Request<'_>) {
        let at = self.clock.unix_ms();
        self.effects
            .lock()
            .expect("a lock")
            .push((at, db, effect.to_buf()));
    }
}

fn seed() -> u64 {
    let text = std::env::var("OCHRE_SEED").unwrap_or_else(|_| "5".to_owned());
    text.parse().expect("a number in OCHRE_SEED")
}

/// Runs random requests, replays their effects `late` milliseconds after their time, and compares.
fn replay(near: bool, late: i64, seed: u64) {
    let original = InProcess::new(SETTINGS);
    let recorder = Arc::new(Recorder {
        clock: original.clock.clone(),
        effects: Mutex::default(),
    });
    original.engine.journals.attach(recorder.clone());
    let mut grammar = Grammar::new(
        FAMILIES,
        None,
        Limits {
            near,
            ..Limits::default()
        },
        |_| true,
    );
    let (mut rng, mut connection) = (Rng::seeded(seed), original.connect(Protocol::Resp3));
    let mut other = original.connect(Protocol::Resp3);
    for _ in 0..3_000 {
        grammar.limits.now_ms = original.clock.unix_ms();
        let args = grammar.request(&mut rng).args;
        if rule_for(&args) != Kind::Skip {
            connection.raw(&args);
            if connection.is_blocked() {
                // The clock stands still and nobody else pushes.
                let id = connection.session.client.id.to_string();
                other.run(&["CLIENT", "UNBLOCK", &id]);
                connection.finish();
            }
            original.advance(rng.range(0, 3));
        }
    }
    connection.raw(&["DISCARD"]);
    let expected = describe(&mut connection, 2, KEYS);

    let copy = InProcess::new(SETTINGS);
    copy.advance(late);
    let mut connection = copy.connect(Protocol::Resp2);
    let to = |ms: i64| copy.advance(ms + late - copy.clock.unix_ms());
    let effects = std::mem::take(&mut *recorder.effects.lock().expect("a lock"));
    for (at, db, effect) in &effects {
        to(*at);
        connection.session.db = *db;
        let words: Vec<&[u8]> = effect.as_request().iter().collect();
        let reply = connection.run(&words);
        assert!(
            reply.as_error().is_none(),
            "seed {seed}: {effect:?}: {reply:?}"
        );
    }
    to(original.clock.unix_ms());
    let found = describe(&mut connection, 2, KEYS);
    if found != expected {
        let mut differences: Vec<&str> = Vec::new();
        differences.extend(expected.lines().filter(|l| !found.lines().any(|f| f == *l)));
        differences.push("-- replayed:");
        differences.extend(found.lines().filter(|l| !expected.lines().any(|e| e == *l)));
        let last = &effects[effects.len().saturating_sub(5)..];
        panic!(
            "seed {seed}, near {near}:\n{}\nlast effects: {last:?}",
            differences.join("\n")
        );
    }
}

#[test]
fn effects_replayed_late_give_the_same_data() {
    // Far expiries: an effect that is not absolute shows as another PEXPIRETIME.
    (0..5).for_each(|n| replay(false, 777, seed() + n));
}

#[test]
fn effects_replayed_at_their_time_give_the_same_data_while_keys_expire() {
    (0..5).for_each(|n| replay(true, 0, seed() + n));
}
