//! Several clients at once on both sides: who waits, who is served by whom and in which order, whose transaction fails.
//!
//! A sequence is a row of acts, each by one client. After each, the replies of *all* clients that have come are compared,
//! and the events published meanwhile. It depends on its seed only.
//!
//! Invariants
//! - An act of a client that waits is left out, on both sides: they agreed on who waits so far.
//! - A difference is cut down to the acts that it needs.
//!
//! Does not compare what depends on time: waits end by others only, and keys expire only where an act lets time pass.

pub mod blocking;
pub mod scripts;
mod side;
pub mod transactions;

use super::events::{self, Event};
use super::rules;
use super::steps::{self, Order, Verdict};
use super::{commands_of, payloads};
use crate::grammar::{Grammar, KEYS, Limits, Version};
use crate::reference::{Reference, Release};
use ochre_engine::commands::FAMILIES;
use ochre_resp::Frame;
use side::{Moment, Side};
use std::fmt::{self, Write};
use std::io;
use std::time::{Duration, Instant};

/// Longest time for the cutting of one difference.
const CUT_MAX: Duration = Duration::from_secs(20);
/// What stands in an act for the id of the client whose number follows.
pub(super) const ID_OF: &[u8] = b"id of ";

/// One act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A client sends a request. A word `id of N` is replaced by the id of client N.
    Request(usize, Vec<Vec<u8>>),
    /// Milliseconds pass.
    Pass(u64),
    /// A client goes, and another one comes in its place.
    Leave(usize),
}

/// Where sequences run.
pub struct Stage<'a> {
    /// The other side.
    pub reference: &'a Reference,
    /// The protocol of each client.
    pub protocols: &'a [ochre_resp::Protocol],
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Found {
    /// Acts compared.
    pub acts: u64,
    /// Replies that came to another client than the one that acted.
    pub served: u64,
    /// Events that agreed.
    pub events: u64,
    /// Transactions that ran.
    pub ran: u64,
    /// Transactions that failed because of what was watched.
    pub broken: u64,
    /// One text per difference.
    pub failures: Vec<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(
            f,
            "{} acts, {} events; {} waiting clients served, {} transactions ran, {} failed by WATCH; {} differences",
            self.acts,
            self.events,
            self.served,
            self.ran,
            self.broken,
            self.failures.len()
        )
    }
}

/// A difference between two sides.
struct Difference {
    at: usize,
    text: String,
}

/// Runs the sequences that `make` makes of the seeds from `seed` on until so many acts, or so many differences.
///
/// # Errors
/// When the reference cannot be talked to.
pub fn run(
    reference: &Reference,
    (seed, acts, most): (u64, u64, usize),
    make: impl Fn(u64) -> (Vec<Act>, Vec<ochre_resp::Protocol>),
) -> io::Result<Found> {
    let (mut found, mut seed) = (Found::default(), seed);
    while found.acts < acts && found.failures.len() < most {
        let (sequence, protocols) = make(seed);
        let stage = Stage {
            reference,
            protocols: &protocols,
        };
        if let Some(difference) = stage.run(&sequence, Some(&mut found))? {
            let (acts, difference) = stage.cut(sequence, difference)?;
            found.failures.push(described(seed, &acts, &difference));
        }
        seed = seed.wrapping_add(1);
    }
    Ok(found)
}

fn described(seed: u64, acts: &[Act], difference: &Difference) -> String {
    let mut text = format!("DIFFERENCE: --seed {seed}\n{}  after:\n", difference.text);
    for act in acts {
        let _ = match act {
            Act::Request(client, args) => {
                let words: Vec<String> =
                    args.iter().map(|w| w.escape_ascii().to_string()).collect();
                writeln!(text, "    {client}> {}", words.join(" "))
            }
            Act::Pass(ms) => writeln!(text, "    {ms} ms pass"),
            Act::Leave(client) => writeln!(text, "    {client} leaves"),
        };
    }
    text
}

impl Stage<'_> {
    fn run(&self, acts: &[Act], found: Option<&mut Found>) -> io::Result<Option<Difference>> {
        let release = self.reference.release;
        let mut pair = Pair {
            ours: Side::engine(self.protocols, release)?,
            theirs: Side::server(&self.reference.address.to_string(), self.protocols, release)?,
            waits: vec![false; self.protocols.len()],
            queued: vec![Vec::new(); self.protocols.len()],
            release,
            found: Found::default(),
        };
        let mut difference = None;
        for (at, act) in acts.iter().enumerate() {
            let text = pair.act(act).map_err(|error| {
                io::Error::new(error.kind(), format!("{error}, at {at}: {act:?}"))
            })?;
            if let Some(text) = text {
                difference = Some(Difference { at, text });
                break;
            }
        }
        if let Some(found) = found {
            let of = pair.found;
            found.acts += of.acts;
            found.served += of.served;
            found.events += of.events;
            found.ran += of.ran;
            found.broken += of.broken;
        }
        Ok(difference)
    }

    /// The acts that a difference needs.
    fn cut(&self, mut acts: Vec<Act>, first: Difference) -> io::Result<(Vec<Act>, Difference)> {
        let deadline = Instant::now() + CUT_MAX;
        acts.truncate(first.at + 1);
        let (mut best, mut size) = (first, acts.len().div_ceil(2));
        while size > 0 {
            let mut from = 0;
            while from < acts.len().saturating_sub(1) && Instant::now() < deadline {
                let to = (from + size).min(acts.len() - 1);
                let mut fewer = acts.clone();
                fewer.drain(from..to);
                match self.run(&fewer, None)? {
                    Some(again) if again.at + 1 == fewer.len() => {
                        acts = fewer;
                        best = again;
                    }
                    _ => from = to,
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        Ok((acts, best))
    }
}

/// Both sides, and what is known of their clients.
struct Pair {
    ours: Side,
    theirs: Side,
    /// Who waits.
    waits: Vec<bool>,
    /// What each client queued since MULTI.
    queued: Vec<Vec<Vec<Vec<u8>>>>,
    release: Release,
    found: Found,
}

impl Pair {
    /// Does an act on both sides. The text of a difference, if there is one.
    fn act(&mut self, act: &Act) -> io::Result<Option<String>> {
        match act {
            Act::Pass(ms) => {
                std::thread::sleep(Duration::from_millis(*ms));
                return Ok(None);
            }
            Act::Leave(client) => {
                self.waits[*client] = false;
                self.queued[*client].clear();
                self.ours.replace(*client)?;
                self.theirs.replace(*client)?;
            }
            Act::Request(client, _) if self.waits[*client] => return Ok(None),
            Act::Request(client, args) => {
                self.ours.send(*client, args)?;
                self.theirs.send(*client, args)?;
            }
        }
        self.found.acts += 1;
        let (ours, theirs) = (self.ours.moment()?, self.theirs.moment()?);
        Ok(self.compare(act, &ours, &theirs))
    }

    fn compare(&mut self, act: &Act, ours: &Moment, theirs: &Moment) -> Option<String> {
        let (actor, args) = match act {
            Act::Request(client, args) => (Some(*client), args.as_slice()),
            Act::Leave(_) | Act::Pass(_) => (None, &[][..]),
        };
        let mut explained = false;
        for client in 0..self.waits.len() {
            let (a, b) = (&ours.replies[client], &theirs.replies[client]);
            let verdict = if Some(client) == actor {
                self.judge(client, args, a, b)
            } else if a == b {
                Verdict::Same
            } else {
                Verdict::Different
            };
            explained |= matches!(verdict, Verdict::Explained(_));
            if verdict == Verdict::Different {
                let shown = |of: &[Vec<u8>]| of.concat().escape_ascii().to_string();
                return Some(format!(
                    "  client {client}\n  ours:   {}\n  theirs: {}\n",
                    shown(a),
                    shown(b)
                ));
            }
            self.note(client, actor, args, b);
        }
        let agree = self.events_agree(args, &ours.events, &theirs.events);
        if !explained && !agree {
            let shown = |of: &[Event]| events::shown(of).escape_ascii().to_string();
            return Some(format!(
                "  events\n  ours:   {}\n  theirs: {}\n",
                shown(&ours.events),
                shown(&theirs.events)
            ));
        }
        self.found.events += ours.events.len() as u64;
        None
    }

    /// Whether events agree; of a transaction those of the commands in it whose order is chance count as a whole,
    /// and who waits for databases that are exchanged is served in the order of a table.
    /// When a key is found expired is left to the server.
    fn events_agree(&self, args: &[Vec<u8>], ours: &[Event], theirs: &[Event]) -> bool {
        let [ours, theirs] = [ours, theirs].map(but_expired);
        let (ours, theirs) = (&ours[..], &theirs[..]);
        if args.is_empty() {
            return ours == theirs;
        }
        if events::agree(args, ours, theirs) {
            return true;
        }
        let sorted = |events: &[Event]| {
            let mut events = events.to_vec();
            events.sort();
            events
        };
        let in_any_order = ["exec", "swapdb"];
        let is = |name: &&str| args[0].eq_ignore_ascii_case(name.as_bytes());
        in_any_order.iter().any(is) && sorted(ours) == sorted(theirs)
    }

    fn judge(
        &self,
        client: usize,
        args: &[Vec<u8>],
        ours: &[Vec<u8>],
        theirs: &[Vec<u8>],
    ) -> Verdict {
        if ours == theirs {
            return Verdict::Same;
        }
        let ([a], [b]) = (ours, theirs) else {
            return Verdict::Different;
        };
        if !args[0].eq_ignore_ascii_case(b"exec") {
            return steps::judge(args, a, b, self.release, Order::Unknown);
        }
        let queued = &self.queued[client];
        let (Some(Frame::Array(a)), Some(Frame::Array(b))) = (steps::decode(a), steps::decode(b))
        else {
            return Verdict::Different;
        };
        if a.len() != b.len() || a.len() != queued.len() {
            return Verdict::Different;
        }
        let mut whole = Verdict::Same;
        for ((args, a), b) in queued.iter().zip(&a).zip(&b) {
            match steps::judge_frames(args, a, b, self.release, Order::Unknown) {
                Verdict::Different => return Verdict::Different,
                Verdict::Same => {}
                explained => whole = explained,
            }
        }
        whole
    }

    /// Keeps what follows from the replies that a client got.
    fn note(&mut self, client: usize, actor: Option<usize>, args: &[Vec<u8>], replies: &[Vec<u8>]) {
        if Some(client) != actor {
            if !replies.is_empty() {
                self.found.served += u64::from(self.waits[client]);
                self.waits[client] = false;
            }
            if replies.iter().any(|r| r == side::CLOSED) {
                self.queued[client].clear();
            }
            return;
        }
        self.waits[client] = replies.is_empty();
        let is = |name: &str| args[0].eq_ignore_ascii_case(name.as_bytes());
        match replies.first().map(Vec::as_slice) {
            Some(b"+QUEUED\r\n") => self.queued[client].push(args.to_vec()),
            Some(reply) if is("exec") => {
                self.queued[client].clear();
                self.found.ran += u64::from(reply.starts_with(b"*") && reply != b"*-1\r\n");
                self.found.broken += u64::from(reply == b"*-1\r\n" || reply == b"_\r\n");
            }
            Some(_) if is("discard") || is("reset") => self.queued[client].clear(),
            _ => {}
        }
    }
}

/// Whether requests of the grammar are fit for a crowd: their replies are single, and their effects sure.
fn is_fit(args: &[Vec<u8>]) -> bool {
    let ends = [
        "hello", "auth", "quit", "reset", "acl", "config", "debug", "latency", "slowlog", "command",
    ];
    let is = |name: &str| args[0].eq_ignore_ascii_case(name.as_bytes());
    // A fourth word of theirs is one too many in 7.0, which would end a transaction there.
    let newer = (is("zrank") || is("zrevrank")) && args.len() > 3;
    !newer
        && rules::rule_for(args) != rules::Kind::Skip
        && rules::on_copy(args).is_none()
        && !rules::is_read_differently(args)
        && !events::is_past(args)
        && !ends.iter().any(|name| is(name))
}

/// The whole grammar as far as the reference has it; see [`Limits`].
fn whole_grammar(reference: &Reference, damaged: u64, long_value: usize) -> io::Result<Grammar> {
    let known = commands_of(reference)?;
    let limits = Limits {
        version: Version::parse(&reference.version),
        payloads: payloads(reference, &known)?,
        damaged,
        long_value,
        ..Limits::default()
    };
    Ok(Grammar::new(FAMILIES, None, limits, |name| {
        known.contains(name)
    }))
}

/// Everything that the first client can see of the keys in both databases.
fn look_at_keys(acts: &mut Vec<Act>) {
    let mut look = |words: &[&[u8]]| {
        let words = words.iter().map(|w| w.to_vec()).collect();
        acts.push(Act::Request(0, words));
    };
    for db in [b"0", b"1"] {
        look(&[b"SELECT", db]);
        for key in KEYS {
            look(&[b"TYPE", key]);
            look(&[b"DUMP", key]);
            look(&[b"PEXPIRETIME", key]);
        }
        look(&[b"KEYS", b"*"]);
    }
}

/// Events without those of keys that were found expired.
fn but_expired(events: &[Event]) -> Vec<Event> {
    let is_expired =
        |(channel, payload): &&Event| payload == b"expired" || channel.ends_with(b"__:expired");
    events.iter().filter(|e| !is_expired(e)).cloned().collect()
}
