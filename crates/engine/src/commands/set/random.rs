//! SRANDMEMBER.
//!
//! Invariants
//! - Every member, or every choice of so many different ones, is equally likely.
//! - Long replies are written piece by piece from a snapshot, however many members are asked for.

use super::members::{Whole, reply_all};
use super::{PIECE, SET, reply_member};
use crate::error::CommandError;
use crate::exec::{Out, Producer, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Command, Outcome, Run, key};
use ochre_ds::dict::{Dict, Sample};
use ochre_ds::int::parse_i64;
use ochre_ds::random::Random;
use ochre_ds::set::{Set, SetRef};
use ochre_resp::Request;
use std::sync::Arc;

/// Members chosen at a time when a reply is sent in pieces.
const AT_ONCE: usize = 256;

pub(super) const SRANDMEMBER: Command = Command {
    name: "srandmember",
    summary: "Returns random members of a set.",
    complexity: "O(1) without a count, else O(N) where N is the count without its sign.",
    arity: -2,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::integer("count").optional().since("2.6.0"),
    ],
    history: &[("2.6.0", "The argument `count`.")],
    tips: &["nondeterministic_output"],
    run: Run::Read(srandmember),
    ..SET
};

fn srandmember(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let Some(count) = args.get(2) else {
        let set = cx.keys.set(0)?;
        match set.and_then(|set| set.random(&mut cx.env.random())) {
            Some(member) => reply_member(cx.out, member),
            None => cx.out.null(),
        }
        return Ok(());
    };
    if args.len() > 3 {
        return Err(CommandError::SYNTAX);
    }
    let count = parse_i64(count).ok_or(CommandError::NOT_INTEGER)?;
    if count == i64::MIN {
        return Err(CommandError::COUNT_RANGE);
    }
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        repeating(cx, wanted)
    } else {
        different(cx, wanted)
    }
}

fn repeating(cx: &mut ReadCx<'_>, wanted: usize) -> Outcome {
    let set = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY);
    let wanted = if set.is_empty() { 0 } else { wanted };
    let mut choosing = Repeating {
        set: Set::default(),
        random: cx.env.random(),
        left: wanted,
    };
    cx.out.array(wanted);
    if wanted < STREAM_MIN {
        choosing.choose(cx.out, set, wanted);
    } else {
        choosing.set = set.to_owned();
        cx.stream(Box::new(choosing));
    }
    Ok(())
}

fn different(cx: &mut ReadCx<'_>, wanted: usize) -> Outcome {
    let set = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY);
    let wanted = wanted.min(set.len());
    cx.out.array(wanted);
    if wanted == set.len() {
        match Whole::of(set) {
            Some(whole) => cx.stream(Box::new(whole)),
            None => reply_all(cx.out, set),
        }
        return Ok(());
    }
    let mut random = cx.env.random();
    match set {
        SetRef::Table(table) if wanted >= STREAM_MIN => {
            let (sample, table) = (table.begin_sample(wanted), Arc::clone(table));
            cx.stream(Box::new(Different {
                table,
                sample,
                random,
            }));
        }
        set => set.distinct(wanted, &mut random, |member| reply_member(cx.out, member)),
    }
    Ok(())
}

/// Members that may repeat themselves, on their way to the client.
struct Repeating {
    set: Set,
    random: Random,
    left: usize,
}

impl Repeating {
    fn choose(&mut self, out: &mut Out, set: SetRef<'_>, count: usize) {
        let draws = set.repeated();
        for _ in 0..count {
            if let Some(member) = draws.draw(&mut self.random) {
                reply_member(out, member);
            }
        }
        self.left -= count;
    }
}

impl Producer for Repeating {
    fn produce(&mut self, out: &mut Out) -> bool {
        let (start, set) = (out.len(), std::mem::take(&mut self.set));
        while self.left > 0 && out.len() - start < PIECE {
            self.choose(out, set.view(), self.left.min(AT_ONCE));
        }
        self.set = set;
        self.left > 0
    }
}

/// Different members of a table, on their way to the client.
struct Different {
    table: Arc<Dict>,
    sample: Sample,
    random: Random,
}

impl Producer for Different {
    fn produce(&mut self, out: &mut Out) -> bool {
        let start = out.len();
        while out.len() - start < PIECE {
            let (sample, random) = (&mut self.sample, &mut self.random);
            if !sample.advance(&self.table, random, AT_ONCE, |member, _| out.bulk(member)) {
                return false;
            }
        }
        true
    }
}
