//! The differential test: the same requests to Ochre and to a real Redis, and the same answers from both.
//!
//! A run is a row of *sequences*. Each starts with empty databases on fresh connections, sends some thousand
//! generated requests in pipelined batches, and ends by comparing the data: every key's type, encoding, expiry and
//! serialised value, the digest over everything, and whether each server restores the other's DUMPs.
//! A sequence depends on its seed only, and the n-th sequence of seed S is the first of seed S + n.
//!
//! What is compared how: [`rules`]. What is known to differ: [`explained`]. A difference is cut down to the requests
//! that it needs by [`minimise`].
//!
//! Does not compare commands that the reference does not have, nor arguments newer than it.

pub mod crowd;
mod dump;
pub mod events;
pub mod explained;
pub mod minimise;
pub mod peer;
pub mod permissions;
pub mod report;
pub mod rules;
pub mod steps;

pub use report::{Coverage, Report};
pub use steps::{Mismatch, Step};

use crate::grammar::{Grammar, KEYS, Limits, Rng, Version};
use crate::reference::{Reference, Release};
use ochre_engine::commands::FAMILIES;
use ochre_resp::{Frame, Protocol};
use peer::Peer;
use rules::Kind;
use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

/// Of the generated scan commands, one in so many is followed to the end of its iteration.
const ITERATED: u64 = 3;

/// Times that a sequence changes the thresholds of encodings, the first of them after a quarter of it.
const THRESHOLD_CHANGES: usize = 6;

/// Where copies of collections are.
const COPIED: &[u8] = b"copied";

/// Databases of both sides.
const DATABASES: usize = 16;

/// What to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The command group in focus, as COMMAND DOCS names it; all without one.
    pub group: Option<String>,
    /// Requests per protocol.
    pub commands: u64,
    /// Seed of the first sequence.
    pub seed: u64,
    /// Protocols, one after the other.
    pub protocols: Vec<Protocol>,
    /// Requests per sequence.
    pub length: usize,
    /// A running ochre-server (`host:port`) instead of an engine in process. Its data are dropped.
    pub address: Option<String>,
    /// Differences after which the run ends.
    pub most: usize,
    /// Prints progress to standard error.
    pub progress: bool,
    /// Compares the events of keys, too.
    pub notifications: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            group: None,
            commands: 20_000,
            seed: 1,
            protocols: vec![Protocol::Resp2, Protocol::Resp3],
            length: 2_000,
            address: None,
            most: 1,
            progress: false,
            notifications: false,
        }
    }
}

/// Whether Ochre has that command (`name` or `container|name`). A command that reads its second word itself counts
/// as having every subcommand.
#[must_use]
pub fn has(name: &str) -> bool {
    let (first, second) = name.split_once('|').unwrap_or((name, ""));
    let mut all = FAMILIES.iter().flat_map(|f| f.iter());
    all.find(|c| c.name == first).is_some_and(|c| {
        let subs = c.subcommands;
        second.is_empty() || subs.is_empty() || subs.iter().any(|s| s.name == second)
    })
}

/// Groups that have commands, as COMMAND DOCS names them.
#[must_use]
pub fn groups() -> BTreeSet<&'static str> {
    let all = FAMILIES.iter().flat_map(|f| f.iter());
    all.map(|c| c.group.name()).collect()
}

/// Runs as configured and returns what was found.
///
/// # Errors
/// When the reference cannot be talked to at all. What a request does to a connection is a difference, not an error.
pub fn run(reference: &Reference, config: &Config) -> io::Result<Report> {
    let known = commands_of(reference)?;
    let limits = Limits {
        version: Version::parse(&reference.version),
        payloads: payloads(reference, &known)?,
        ..Limits::default()
    };
    let grammar = Grammar::new(FAMILIES, config.group.as_deref(), limits, |name| {
        known.contains(name)
    });
    let mut report = Report::new(grammar.names());
    if grammar.is_empty() {
        return Ok(report);
    }
    let started = Instant::now();
    for protocol in &config.protocols {
        let arena = steps::Arena {
            reference: reference.address.to_string(),
            release: reference.release,
            ours: config.address.clone(),
            protocol: *protocol,
            notifications: config.notifications,
        };
        let (mut sent, mut seed, mut shown) = (0, config.seed, Instant::now());
        while sent < config.commands && report.failures.len() < config.most {
            let mut steps = sequence(&grammar, reference.release, seed, config.length);
            if config.notifications {
                steps.retain(|step| !events::is_past(&step.args()));
            }
            sent += steps.len() as u64;
            if let Some(mismatch) = arena.run(&steps, Some(&mut report))? {
                report.fail(&arena, seed, steps, &mismatch);
            }
            seed = seed.wrapping_add(1);
            if config.progress && shown.elapsed().as_secs() >= 2 {
                shown = Instant::now();
                let rate = report.requests as f64 / started.elapsed().as_secs_f64();
                let of = config.commands;
                eprintln!("{protocol:?}: {sent} of {of} requests, {rate:.0}/s");
            }
        }
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The steps of one sequence.
fn sequence(grammar: &Grammar, release: Release, seed: u64, length: usize) -> Vec<Step> {
    let mut rng = Rng::seeded(seed);
    let mut steps = Vec::with_capacity(length + 100);
    let mut next_thresholds = length / 4;
    while steps.len() < length {
        if steps.len() >= next_thresholds {
            next_thresholds += length.div_ceil(THRESHOLD_CHANGES);
            steps.push(thresholds(release, &mut rng));
        }
        let mut generated = grammar.request(&mut rng);
        rules::settle(&mut generated.args);
        match (rules::rule_for(&generated.args), generated.cursor) {
            (Kind::Skip, _) => {}
            _ if rules::is_read_differently(&generated.args) => {}
            (Kind::Iteration, Some(cursor)) if rng.below(ITERATED) == 0 => {
                steps.push(Step::Iterate {
                    args: generated.args,
                    cursor,
                })
            }
            (kind, _) => {
                if let Some(copy) = rules::on_copy(&generated.args).filter(has_all) {
                    let key = std::mem::replace(&mut generated.args[copy.key], COPIED.to_vec());
                    steps.extend(on_copy(&copy, &key, generated.args));
                    continue;
                }
                if matches!(kind, Kind::Packed(_))
                    && has("object|encoding")
                    && let Some(key) = generated.args.get(1)
                {
                    steps.push(request(&[b"OBJECT", b"ENCODING", key]));
                }
                steps.push(Step::Request(generated.args));
            }
        }
    }
    compare_data(&mut steps);
    steps
}

fn has_all(copy: &rules::OnCopy) -> bool {
    copy.made_by[0].iter().all(|name| has(&name.to_lowercase()))
}

/// Makes the copy of `key`, runs the request on it, and removes it after a look at what it has become.
fn on_copy(copy: &rules::OnCopy, key: &[u8], args: Vec<Vec<u8>>) -> Vec<Step> {
    let [before, between, behind] = copy.made_by.map(|words| words.iter().map(|w| w.as_bytes()));
    let ends: [&[u8]; 2] = match before.len() + between.len() {
        // COPY names the source first, the stores their destination.
        1 => [key, COPIED],
        _ => [COPIED, key],
    };
    let made = before
        .chain([ends[0]])
        .chain(between)
        .chain([ends[1]])
        .chain(behind);
    vec![
        request(&made.collect::<Vec<_>>()),
        request(&[b"OBJECT", b"ENCODING", COPIED]),
        Step::Request(args),
        request(&[copy.look.as_bytes(), COPIED]),
        request(&[b"DEL", COPIED]),
    ]
}

fn request(words: &[&[u8]]) -> Step {
    Step::Request(words.iter().map(|w| w.to_vec()).collect())
}

/// Other thresholds of encodings than before.
fn thresholds(release: Release, rng: &mut Rng) -> Step {
    let newer = match release {
        Release::V70 => &[][..],
        Release::V82 => peer::THRESHOLDS_72,
    };
    let mut words: Vec<&str> = vec!["CONFIG", "SET"];
    for (name, values) in peer::THRESHOLDS.iter().chain(newer) {
        words.extend([*name, *rng.pick(values)]);
    }
    // With fewer integers than members allowed, the encoding of a stored union depends on whether an integer comes first,
    // which in the order of a table is chance.
    let value_of = |name| 1 + words.iter().position(|w| *w == name).unwrap_or_default();
    let (ints, members) = (value_of(peer::INTS), value_of(peer::MEMBERS));
    let number = |at: usize| words[at].parse::<u64>().unwrap_or_default();
    if number(ints) < number(members) {
        words[ints] = words[members];
    }
    request(&words.iter().map(|w| w.as_bytes()).collect::<Vec<_>>())
}

/// Steps whose replies show the data, with those commands that Ochre has.
fn compare_data(steps: &mut Vec<Step>) {
    let databases: &[&[u8]] = if has("select") {
        &[b"0", b"1"]
    } else {
        &[b"0"]
    };
    for db in databases {
        if has("select") {
            steps.push(request(&[b"SELECT", db]));
        }
        for name in ["keys", "dbsize"].iter().filter(|n| has(n)) {
            let words: &[&[u8]] = if *name == "keys" {
                &[b"KEYS", b"*"]
            } else {
                &[b"DBSIZE"]
            };
            steps.push(request(words));
        }
        for key in KEYS {
            for name in ["type", "strlen", "pexpiretime", "dump"]
                .iter()
                .filter(|n| has(n))
            {
                steps.push(request(&[name.as_bytes(), key]));
            }
            if has("object|encoding") {
                steps.push(request(&[b"OBJECT", b"ENCODING", key]));
            }
        }
        if has("dump") && has("restore") {
            steps.extend(KEYS.iter().map(|k| Step::Exchange(k.to_vec())));
        }
    }
    if has("debug|digest") && has("select") && has("scan") {
        // Redis's digest includes expired keys until something finds them expired; a scan does.
        for db in 0..DATABASES {
            steps.push(request(&[b"SELECT", db.to_string().as_bytes()]));
            steps.push(request(&[b"SCAN", b"0", b"COUNT", b"100000"]));
        }
        steps.push(request(&[b"DEBUG", b"DIGEST"]));
    }
}

/// Names of the reference's commands, lower case.
fn commands_of(reference: &Reference) -> io::Result<BTreeSet<String>> {
    let bytes = reference.connect()?.call(&["COMMAND", "LIST"])?;
    let Some(Frame::Array(names)) = steps::decode(&bytes) else {
        return Err(io::Error::other("COMMAND LIST gave no array"));
    };
    let text = |f: &Frame| {
        f.as_bytes()
            .map(|b| String::from_utf8_lossy(b).into_owned())
    };
    Ok(names.iter().filter_map(text).collect())
}

/// Serialised values of every type, made by the reference from generated writes.
fn payloads(reference: &Reference, known: &BTreeSet<String>) -> io::Result<Vec<Vec<u8>>> {
    let limits = Limits {
        damaged: 0,
        version: Version::parse(&reference.version),
        ..Limits::default()
    };
    let grammar = Grammar::new(FAMILIES, None, limits, |name| known.contains(name));
    let mut peer = Peer::server(&reference.address.to_string(), Protocol::Resp2)?;
    let (mut rng, mut payloads) = (Rng::seeded(11), Vec::new());
    for _ in 0..20 {
        for _ in 0..40 {
            let mut args = grammar.request(&mut rng).args;
            rules::settle(&mut args);
            if rules::rule_for(&args) != Kind::Skip {
                peer.call(&args)?;
            }
        }
        for key in KEYS {
            if let Some(Frame::Bulk(payload)) = steps::decode(&peer.call(&[b"DUMP", *key])?) {
                payloads.push(payload);
            }
        }
    }
    payloads.sort();
    payloads.dedup();
    Ok(payloads)
}
