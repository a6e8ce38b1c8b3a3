//! Whole databases: counting, emptying, exchanging.
//!
//! Emptying takes every stripe, puts an empty one in its place, and drops the old one after the
//! locks are released: in the background, or with SYNC before the reply.

use crate::error::CommandError;
use crate::exec::{CutCx, SweepCx};
use crate::settings::id;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;

pub(super) const DBSIZE: Command = Command {
    name: "dbsize",
    summary: "Returns the number of keys in the database.",
    group: Group::Server,
    arity: 1,
    flags: Flags::FAST,
    categories: Categories::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    run: Run::Sweep(dbsize),
    ..Command::NEW
};

fn dbsize(cx: &mut SweepCx<'_>, _: Request<'_>) -> Outcome {
    let len = cx.stripes.len(cx.env.db);
    cx.out.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}

/// What FLUSHALL and FLUSHDB have in common.
const FLUSH: Command = Command {
    group: Group::Server,
    arity: -1,
    categories: Categories::KEYSPACE.with(Categories::DANGEROUS),
    args: &[Arg::one_of(
        "flush-type",
        &[
            Arg::word("async", "ASYNC").since("4.0.0"),
            Arg::word("sync", "SYNC").since("6.2.0"),
        ],
    )
    .optional()],
    history: &[("4.0.0", "Takes `ASYNC`."), ("6.2.0", "Takes `SYNC`.")],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Command::NEW
};

pub(super) const FLUSHALL: Command = Command {
    name: "flushall",
    summary: "Removes all keys of all databases.",
    complexity: "O(N) where N is the total number of keys in all databases",
    run: Run::Cut(flushall),
    ..FLUSH
};

pub(super) const FLUSHDB: Command = Command {
    name: "flushdb",
    summary: "Removes all keys of the database.",
    complexity: "O(N) where N is the number of keys in the selected database",
    run: Run::Cut(flushdb),
    ..FLUSH
};

fn flushall(cx: &mut CutCx<'_, '_>, args: Request<'_>) -> Outcome {
    let databases: Vec<usize> = cx.cut.used().collect();
    empty(cx, args, &databases)
}

fn flushdb(cx: &mut CutCx<'_, '_>, args: Request<'_>) -> Outcome {
    let database = cx.env.db;
    empty(cx, args, &[database])
}

fn empty(cx: &mut CutCx<'_, '_>, args: Request<'_>, databases: &[usize]) -> Outcome {
    cx.background = match (args.get(1), args.len()) {
        (None, _) => cx.env.engine.settings.flag(id::LAZYFREE_LAZY_USER_FLUSH),
        (Some(word), 2) if word.eq_ignore_ascii_case(b"async") => true,
        (Some(word), 2) if word.eq_ignore_ascii_case(b"sync") => false,
        _ => return Err(CommandError::SYNTAX),
    };
    cx.env.engine.forget_everything(&mut cx.cut);
    let mut removed = 0;
    for database in databases {
        for stripe in cx.cut.stripes(*database) {
            // An empty stripe may still hold the memory of keys that are gone.
            removed += stripe.len() as u64;
            cx.garbage.push(stripe.take());
        }
    }
    // compat: also written to the journal when there was nothing to remove.
    cx.changes += removed.max(1);
    cx.out.ok();
    Ok(())
}

pub(super) const SWAPDB: Command = Command {
    name: "swapdb",
    summary: "Exchanges the contents of two databases.",
    since: "4.0.0",
    group: Group::Server,
    complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
    arity: 3,
    flags: Flags::FAST,
    categories: Categories::KEYSPACE.with(Categories::DANGEROUS),
    args: &[Arg::integer("index1"), Arg::integer("index2")],
    run: Run::Cut(swapdb),
    ..Command::NEW
};

fn swapdb(cx: &mut CutCx<'_, '_>, args: Request<'_>) -> Outcome {
    let number = |i: usize, error: CommandError| {
        ochre_ds::int::parse_i64(&args[i])
            .and_then(|n| i32::try_from(n).ok())
            .ok_or(error)
    };
    let first = number(1, CommandError::SWAPDB_FIRST)?;
    let second = number(2, CommandError::SWAPDB_SECOND)?;
    let count = cx.env.engine.keyspace.count();
    let index = |n: i32| {
        usize::try_from(n)
            .ok()
            .filter(|n| *n < count)
            .ok_or(CommandError::DB_RANGE)
    };
    let (first, second) = (index(first)?, index(second)?);
    cx.cut.hold(first);
    cx.cut.hold(second);
    cx.cut.swap(first, second, cx.env.now_ms);
    let by = cx.session.id;
    cx.env
        .engine
        .forget_exchanged(&mut cx.cut, first, second, by);
    cx.changes += 1;
    cx.out.ok();
    Ok(())
}
