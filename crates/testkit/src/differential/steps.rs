//! The steps of a sequence, and running them on both sides.
//!
//! Invariants:
//! - Both sides get the same requests in the same order, whatever they reply.
//! - Running ends at the first difference that nothing explains.
//! - A side that panics, closes or falls silent differs; it does not end the program.

use super::events::{self, Listener};
use super::explained::{self, Difference};
use super::peer::{self, Peer};
use super::report::Report;
use super::rules::{self, Kind};
use crate::reference::Release;
use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol};
use std::collections::BTreeSet;
use std::io;

/// Requests sent before replies are read.
const BATCH: usize = 64;
/// Pages after which an iteration is held to be endless.
const PAGES_MAX: usize = 100_000;

/// One step of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A request.
    Request(Vec<Vec<u8>>),
    /// A scan, followed to its end.
    Iterate {
        /// The first request.
        args: Vec<Vec<u8>>,
        /// Which word is the cursor.
        cursor: usize,
    },
    /// Each side restores the other's DUMP of a key.
    Exchange(Vec<u8>),
}

impl Step {
    /// The request, or the one that stands for the step.
    #[must_use]
    pub fn args(&self) -> Vec<Vec<u8>> {
        match self {
            Step::Request(args) | Step::Iterate { args, .. } => args.clone(),
            Step::Exchange(key) => vec![b"DUMP".to_vec(), key.clone()],
        }
    }
}

/// A difference that nothing explains.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The step.
    pub at: usize,
    /// Ochre's reply.
    pub ours: Vec<u8>,
    /// The reference's reply.
    pub theirs: Vec<u8>,
    /// What else is to be said.
    pub note: String,
}

/// Where sequences are run.
#[derive(Clone, Debug)]
pub struct Arena {
    /// The reference's address.
    pub reference: String,
    /// Its release.
    pub release: Release,
    /// Address of a running Ochre; in process without one.
    pub ours: Option<String>,
    /// The protocol that sequences start with.
    pub protocol: Protocol,
    /// Whether events of keys are compared, too.
    pub notifications: bool,
}

/// The one frame that `bytes` are; `None` when they are anything else.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Frame> {
    let mut decoder = FrameDecoder::new(FrameLimits::default());
    let progress = decoder.decode(bytes).ok()?;
    progress.frame.filter(|_| progress.consumed == bytes.len())
}

impl Arena {
    /// Runs steps on fresh connections, counting in `report`. Without a report, only the last step may differ in
    /// the text of an error: the others are there for the data that they make.
    ///
    /// # Errors
    /// When a side cannot be reached at the start.
    pub fn run(
        &self,
        steps: &[Step],
        mut report: Option<&mut Report>,
    ) -> io::Result<Option<Mismatch>> {
        let mut ours = match &self.ours {
            Some(address) => Peer::server(address, self.protocol)?,
            None => Peer::engine(self.protocol),
        };
        let mut theirs = Peer::server(&self.reference, self.protocol)?;
        if self.release == Release::V70 {
            ours.call(peer::LIKE_70)?;
        }
        let listeners = if self.notifications {
            let address = self.ours.as_deref().unwrap_or_default();
            Some([
                Listener::new(&mut ours, address, self.release)?,
                Listener::new(&mut theirs, &self.reference, self.release)?,
            ])
        } else {
            None
        };
        // Events belong to a request only if nothing else runs before they are taken.
        let batch_max = if self.notifications { 1 } else { BATCH };
        let mut pair = Pair {
            ours,
            theirs,
            listeners,
            explained: false,
            release: self.release,
            encoding: None,
            mixed: BTreeSet::new(),
        };
        let mut at = 0;
        while at < steps.len() {
            let mut batch = Vec::new();
            while let Some(Step::Request(args)) = steps.get(at + batch.len())
                && batch.len() < batch_max
                && (batch.is_empty() || !rules::is_alone(args))
            {
                batch.push(args.clone());
                if rules::is_alone(args) {
                    break;
                }
            }
            let found = match &steps[at] {
                Step::Request(_) => {
                    let last = steps.len() - at - 1;
                    pair.requests(&batch, last, report.as_deref_mut())
                }
                Step::Iterate { args, cursor } => pair.iterate(args, *cursor),
                Step::Exchange(key) => pair.swap_dumps(key),
            };
            let found = found.or_else(|| pair.events(&steps[at]));
            if let Some(mut mismatch) = found {
                mismatch.at += at;
                return Ok(Some(mismatch));
            }
            at += batch.len().max(1);
        }
        Ok(None)
    }
}

struct Pair {
    ours: Peer,
    theirs: Peer,
    listeners: Option<[Listener; 2]>,
    /// The last reply differed for a known reason.
    explained: bool,
    release: Release,
    /// The key whose encoding the last request asked for, and the answer of both sides.
    encoding: Option<(Vec<u8>, Vec<u8>)>,
    /// Keys whose sets were stored by set algebra, perhaps in the order of a table, and their copies.
    mixed: BTreeSet<Vec<u8>>,
}

fn mismatch(
    at: usize,
    ours: Vec<u8>,
    theirs: Vec<u8>,
    note: impl Into<String>,
) -> Option<Mismatch> {
    Some(Mismatch {
        at,
        ours,
        theirs,
        note: note.into(),
    })
}

impl Pair {
    fn requests(
        &mut self,
        batch: &[Vec<Vec<u8>>],
        last: usize,
        mut report: Option<&mut Report>,
    ) -> Option<Mismatch> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let our_end = self.ours.exchange(batch, &mut ours);
        let their_end = self.theirs.exchange(batch, &mut theirs);
        for (at, args) in batch.iter().enumerate() {
            let (Some(a), Some(b)) = (ours.get(at), theirs.get(at)) else {
                let note = format!("ours: {our_end:?}, theirs: {their_end:?}");
                let of = |replies: &[Vec<u8>]| replies.get(at).cloned().unwrap_or_default();
                return mismatch(at, of(&ours), of(&theirs), note);
            };
            let order = self.order(args, a, b);
            let verdict = judge(args, a, b, self.release, order);
            self.explained = matches!(verdict, Verdict::Explained(_));
            if let Some(report) = report.as_deref_mut() {
                report.count(args, b.first() == Some(&b'-'), verdict);
            }
            if verdict == Verdict::Different {
                // A wrong text of an error leaves the data alike, so the sequence may go on once it is reported.
                let known = match report.as_deref_mut() {
                    Some(report) => report.meets_again(args, a, b),
                    None => at != last,
                };
                if known && [a, b].iter().all(|r| r.starts_with(b"-")) {
                    continue;
                }
                return mismatch(at, a.clone(), b.clone(), "");
            }
        }
        None
    }

    /// Compares the events of a step, which ran, and whether it touched what is watched.
    fn events(&mut self, step: &Step) -> Option<Mismatch> {
        let [ours, theirs] = self.listeners.as_mut()?;
        let (watched_ours, watched_theirs) = (ours.changed(), theirs.changed());
        let (ours, theirs) = match (ours.events(), theirs.events()) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (ours, theirs) => {
                let note = format!("events: {:?}, {:?}", ours.err(), theirs.err());
                return mismatch(0, Vec::new(), Vec::new(), note);
            }
        };
        // What explains another reply explains other events.
        let compared = matches!(step, Step::Request(_)) && !self.explained;
        match (watched_ours, watched_theirs) {
            (Ok(ours), Ok(theirs)) if ours == theirs || !compared => {}
            (ours, theirs) => {
                let of =
                    |side: io::Result<Vec<u8>>| side.unwrap_or_else(|e| e.to_string().into_bytes());
                return mismatch(0, of(ours), of(theirs), "EXEC of one who watches");
            }
        }
        if !compared || events::agree(&step.args(), &ours, &theirs) {
            return None;
        }
        mismatch(0, events::shown(&ours), events::shown(&theirs), "events")
    }

    /// Whether the request's key is known to have an order on both sides; takes note of encodings that are told.
    fn order(&mut self, args: &[Vec<u8>], ours: &[u8], theirs: &[u8]) -> Order {
        let told = self.encoding.take();
        let is = |i: usize, word: &str| {
            let arg = args.get(i);
            arg.is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()))
        };
        if is(0, "object") && is(1, "encoding") && args.len() == 3 && ours == theirs {
            self.encoding = Some((args[2].clone(), theirs.to_vec()));
        }
        let stores = ["sinterstore", "sunionstore", "sdiffstore"].iter();
        if args.len() > 1 && stores.into_iter().any(|c| is(0, c)) {
            self.mixed.insert(args[1].clone());
        }
        let moves = ["rename", "renamenx", "copy"].iter();
        if moves.into_iter().any(|c| is(0, c)) && args.iter().any(|a| self.mixed.contains(a)) {
            self.mixed.extend(args[1..].iter().cloned());
        }
        match told {
            Some((key, encoding))
                if args.get(1) == Some(&key)
                    && !encoding.ends_with(TABLE)
                    && !self.mixed.contains(&key) =>
            {
                Order::Known
            }
            _ => Order::Unknown,
        }
    }

    fn iterate(&mut self, args: &[Vec<u8>], cursor: usize) -> Option<Mismatch> {
        let ours = whole(&mut self.ours, args, cursor);
        let theirs = whole(&mut self.theirs, args, cursor);
        match (ours, theirs) {
            (Ok(a), Ok(b)) if a == b => None,
            (a, b) => {
                let show = |side: Result<BTreeSet<Vec<u8>>, Vec<u8>>| match side {
                    Ok(items) => items.into_iter().collect::<Vec<_>>().concat(),
                    Err(reply) => reply,
                };
                let (a, b) = (show(a), show(b));
                if a == b {
                    return None;
                }
                mismatch(0, a, b, "over a whole iteration")
            }
        }
    }

    fn swap_dumps(&mut self, key: &[u8]) -> Option<Mismatch> {
        let dumps =
            [&mut self.ours, &mut self.theirs].map(|p| p.call(&[b"DUMP", key]).unwrap_or_default());
        let (a, b) = match [0, 1].map(|i| decode(&dumps[i])) {
            [Some(Frame::Bulk(a)), Some(Frame::Bulk(b))] => (a, b),
            [Some(a), Some(b)] if a == b => return None,
            _ => {
                let [ours, theirs] = dumps;
                return mismatch(0, ours, theirs, "DUMP");
            }
        };
        let restore = |peer: &mut Peer, payload: &[u8]| {
            let reply = peer.call(&[b"RESTORE", key, b"0", payload, b"REPLACE"]);
            reply.unwrap_or_default()
        };
        let (ours, theirs) = (restore(&mut self.ours, &b), restore(&mut self.theirs, &a));
        if ours == b"+OK\r\n" && theirs == ours {
            return None;
        }
        mismatch(0, ours, theirs, "RESTORE of the other's DUMP")
    }
}

/// All elements of an iteration, or the reply that ended it. Scores are read: ZSCAN of
/// Redis writes those of large sorted sets with 17 digits, 7.0 those of packed ones, too.
fn whole(peer: &mut Peer, args: &[Vec<u8>], cursor: usize) -> Result<BTreeSet<Vec<u8>>, Vec<u8>> {
    let is = |word: &str| args[0].eq_ignore_ascii_case(word.as_bytes());
    let bare = |a: &Vec<u8>| a.eq_ignore_ascii_case(b"novalues");
    let pairs = is("zscan") || is("hscan") && !args.iter().any(bare);
    let scores = is("zscan");
    let wire = |f: &Frame| {
        let mut bytes = Vec::new();
        let text = f.as_bytes().map(String::from_utf8_lossy);
        match text.and_then(|t| t.parse::<f64>().ok()).filter(|_| scores) {
            Some(score) => Frame::Double(score).encode(Protocol::Resp3, &mut bytes),
            None => f.encode(Protocol::Resp3, &mut bytes),
        }
        bytes
    };
    let (mut args, mut items) = (args.to_vec(), BTreeSet::new());
    for _ in 0..PAGES_MAX {
        let reply = peer.call(&args).unwrap_or_default();
        let Some(Frame::Array(mut page)) = decode(&reply) else {
            return Err(reply);
        };
        let (Some(found), Some(next)) = (page.pop(), page.pop()) else {
            return Err(reply);
        };
        let (Frame::Array(found), Frame::Bulk(next)) = (found, next) else {
            return Err(reply);
        };
        let size = if pairs { 2 } else { 1 };
        items.extend(
            found
                .chunks(size)
                .map(|item| item.iter().flat_map(wire).collect()),
        );
        if next == b"0" {
            return Ok(items);
        }
        args[cursor] = next;
    }
    Err(b"an endless iteration".to_vec())
}

/// What came out of comparing two replies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// They agree.
    Same,
    /// They differ for the reason in that row of [`explained::EXPLAINED`].
    Explained(usize),
    /// They differ.
    Different,
}

/// Whether the elements of a request's collection have an order of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// They have, by the encoding told just before.
    Known,
    /// Nobody asked, or they have none.
    Unknown,
}

/// The end of an OBJECT ENCODING that means no order.
const TABLE: &[u8] = b"hashtable\r\n";

/// Compares two replies to one request.
#[must_use]
pub fn judge(
    args: &[Vec<u8>],
    ours: &[u8],
    theirs: &[u8],
    release: Release,
    order: Order,
) -> Verdict {
    // The reference's bytes are known to be one frame, so equal bytes are one, too.
    if ours == theirs {
        return Verdict::Same;
    }
    match (decode(ours), decode(theirs)) {
        (Some(ours), Some(theirs)) => judge_frames(args, &ours, &theirs, release, order),
        _ => Verdict::Different,
    }
}

/// Compares two replies to one request that are decoded.
#[must_use]
pub fn judge_frames(
    args: &[Vec<u8>],
    ours: &Frame,
    theirs: &Frame,
    release: Release,
    order: Order,
) -> Verdict {
    if ours == theirs {
        return Verdict::Same;
    }
    let kind = match (rules::rule_for(args), order) {
        (Kind::Packed(_), Order::Known) => Kind::Exact,
        (kind, _) => kind,
    };
    if kind != Kind::Exact && rules::agree(kind, ours, theirs) {
        return Verdict::Same;
    }
    let difference = Difference {
        args,
        ours,
        theirs,
        release,
    };
    explained::find(&difference).map_or(Verdict::Different, Verdict::Explained)
}
