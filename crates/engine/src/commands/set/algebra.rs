//! Intersections, unions and differences as replies, and their sizes.
//!
//! Invariants
//! - Members are written from the sets themselves: no result is built beside the reply.
//! - Large inputs are read after the stripes are released, from snapshots.

use super::change::sets_of;
use super::members::{Whole, reply_all};
use super::{SET, reply_count, reply_member};
use crate::error::CommandError;
use crate::exec::{OUTSIDE_MIN, Out, ReadCx};
use crate::spec::{Arg, Command, Outcome, Run, key, numkeys};
use ochre_ds::int::parse_i64;
use ochre_ds::pack::Element;
use ochre_ds::set::{Set, SetRef, algebra};
use ochre_resp::{Aggregate, Request};

/// Which combination.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Inter,
    Union,
    Diff,
}

pub(super) const SINTER: Command = Command {
    name: "sinter",
    summary: "Returns the members that several sets have in common.",
    complexity: "O(N*M) at worst, where N is the size of the smallest set and M the number of sets.",
    arity: -2,
    keys: &[key(1).to(-1, 1).read()],
    args: &[Arg::key("key").multiple()],
    tips: &["nondeterministic_output_order"],
    run: Run::Read(|cx, _| combine(cx, Op::Inter)),
    ..SET
};

pub(super) const SUNION: Command = Command {
    name: "sunion",
    summary: "Returns the members of several sets together.",
    complexity: "O(N) where N is the number of members of all sets.",
    run: Run::Read(|cx, _| combine(cx, Op::Union)),
    ..SINTER
};

pub(super) const SDIFF: Command = Command {
    name: "sdiff",
    summary: "Returns the members of a set that others do not have.",
    complexity: "O(N) where N is the number of members of all sets.",
    run: Run::Read(|cx, _| combine(cx, Op::Diff)),
    ..SINTER
};

fn combine(cx: &mut ReadCx<'_>, op: Op) -> Outcome {
    let sets = sets_of(cx.keys.count(), 0, |i| cx.keys.set(i))?;
    if let Some(only) = only(op, &sets) {
        cx.out.set(only.len());
        match Whole::of(only) {
            Some(whole) => cx.stream(Box::new(whole)),
            None => reply_all(cx.out, only),
        }
        return Ok(());
    }
    let seed = cx.env.hash_seed();
    if work(op, &sets) < OUTSIDE_MIN {
        return reply(cx.out, op, &sets, seed);
    }
    let sets: Vec<Set> = sets.into_iter().map(SetRef::to_owned).collect();
    cx.later(Box::new(move |out| {
        let sets: Vec<_> = sets.iter().map(Set::view).collect();
        reply(out, op, &sets, seed)
    }));
    Ok(())
}

/// The set that is the result as it stands, if there is one.
fn only<'a>(op: Op, sets: &[SetRef<'a>]) -> Option<SetRef<'a>> {
    if op == Op::Inter {
        let empty = sets.iter().copied().find(|s| s.is_empty());
        return empty.or_else(|| sets.first().copied().filter(|_| sets.len() == 1));
    }
    let mut there = sets.iter().copied().filter(|s| !s.is_empty());
    match (sets.first(), there.next(), there.next()) {
        (_, None, _) => Some(SetRef::EMPTY),
        (Some(first), ..) if op == Op::Diff && first.is_empty() => Some(SetRef::EMPTY),
        (_, only, None) => only,
        _ => None,
    }
}

/// Members to be looked at, about.
fn work(op: Op, sets: &[SetRef<'_>]) -> usize {
    let lens = sets.iter().map(|s| s.len());
    match op {
        Op::Inter => lens.min().unwrap_or(0).saturating_mul(sets.len()),
        Op::Union | Op::Diff => lens.sum(),
    }
}

fn reply(out: &mut Out, op: Op, sets: &[SetRef<'_>], seed: u64) -> Outcome {
    let (mark, mut count) = (out.mark(), 0);
    let visit = |member: Element<'_>| {
        reply_member(out, member);
        count += 1;
        true
    };
    match op {
        Op::Inter => algebra::intersection(sets, visit),
        Op::Union => algebra::union(sets, seed, visit)?,
        Op::Diff => algebra::difference(sets, visit),
    }
    out.insert(mark, Aggregate::Set, count);
    Ok(())
}

pub(super) const SINTERCARD: Command = Command {
    name: "sintercard",
    summary: "Returns the number of members that several sets have in common.",
    since: "7.0.0",
    complexity: "O(N*M) at worst, where N is the size of the smallest set and M the number of sets.",
    arity: -3,
    keys: &[numkeys(1).read()],
    args: &[
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        Arg::integer("limit").token("LIMIT").optional(),
    ],
    run: Run::Read(|cx, args| count(cx, args, Op::Inter)),
    ..SET
};

pub(super) const SDIFFCARD: Command = Command {
    name: "sdiffcard",
    summary: "Returns the number of members of a set that others do not have.",
    since: "8.10.0",
    complexity: "O(N) where N is the number of members of all sets.",
    run: Run::Read(|cx, args| count(cx, args, Op::Diff)),
    ..SINTERCARD
};

pub(super) const SUNIONCARD: Command = Command {
    name: "sunioncard",
    summary: "Returns the number of members of several sets together.",
    since: "8.10.0",
    complexity: "O(N) where N is the number of members of all sets.",
    args: &[
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        Arg::word("approx", "APPROX").optional(),
        Arg::integer("limit").token("LIMIT").optional(),
    ],
    run: Run::Read(|cx, args| count(cx, args, Op::Union)),
    ..SINTERCARD
};

fn count(cx: &mut ReadCx<'_>, args: Request<'_>, op: Op) -> Outcome {
    let limit = limit(args, op)?;
    let sets = sets_of(cx.keys.count(), 0, |i| cx.keys.set(i))?;
    let seed = cx.env.hash_seed();
    if work(op, &sets) < OUTSIDE_MIN {
        return reply_size(cx.out, op, &sets, limit, seed);
    }
    let sets: Vec<Set> = sets.into_iter().map(SetRef::to_owned).collect();
    cx.later(Box::new(move |out| {
        let sets: Vec<_> = sets.iter().map(Set::view).collect();
        reply_size(out, op, &sets, limit, seed)
    }));
    Ok(())
}

/// The number of keys is checked, and the options are read; of repeated ones the last counts.
fn limit(args: Request<'_>, op: Op) -> Result<Option<usize>, CommandError> {
    let keys = parse_i64(&args[1]).filter(|n| *n > 0);
    let keys = keys.ok_or(CommandError::NUMKEYS_NOT_POSITIVE)?;
    let keys = usize::try_from(keys).unwrap_or(usize::MAX);
    if keys > args.len() - 2 {
        return Err(CommandError::NUMKEYS_MANY);
    }
    let mut limit = 0;
    let mut rest = args.tail(2 + keys).iter();
    while let Some(word) = rest.next() {
        if word.eq_ignore_ascii_case(b"LIMIT") {
            let value = rest.next().ok_or(CommandError::SYNTAX)?;
            let value = parse_i64(value).filter(|n| *n >= 0);
            limit = value.ok_or(CommandError::LIMIT_NEGATIVE)?;
        } else if op != Op::Union || !word.eq_ignore_ascii_case(b"APPROX") {
            return Err(CommandError::SYNTAX);
        }
        // compat: APPROX permits an estimate. The exact size, which needs no copy of the members
        // here, is the best one.
    }
    Ok(match limit {
        0 => None,
        most => Some(usize::try_from(most).unwrap_or(usize::MAX)),
    })
}

fn reply_size(
    out: &mut Out,
    op: Op,
    sets: &[SetRef<'_>],
    limit: Option<usize>,
    seed: u64,
) -> Outcome {
    let len = match op {
        Op::Inter => algebra::intersection_len(sets, limit),
        Op::Union => algebra::union_len(sets, limit, seed)?,
        Op::Diff => algebra::difference_len(sets, limit),
    };
    reply_count(out, len);
    Ok(())
}
