//! Removing members by name and by range.

use super::select::{Bounds, By};
use crate::error::CommandError;
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

pub(super) const ZREM: Command = Command {
    name: "zrem",
    element: 2,
    summary: "Removes members from a sorted set; the set goes with its last member.",
    since: "1.2.0",
    group: Group::SortedSet,
    complexity: "O(M*log(N)) where N is the number of members of the set and M of those to remove.",
    arity: -3,
    flags: Flags::FAST,
    categories: Categories::SORTEDSET,
    keys: &[key(1).access(Access::RW.with(Access::DELETE))],
    args: &[Arg::key("key"), Arg::string("member").multiple()],
    history: &[("2.4.0", "Takes several members.")],
    run: Run::Write(zrem),
    ..Command::NEW
};

fn zrem(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let members = args.tail(2);
    let removed = cx.keys.edit_zset(0, |zset| {
        if members.len() > 1 {
            zset.view().prefetch(members.iter());
        }
        let mut removed = 0;
        for member in members.iter() {
            removed += u64::from(zset.remove(member).is_some());
        }
        Ok((removed, removed))
    })?;
    if removed > 0 {
        cx.notify_taken(EventClasses::ZSET, "zrem", 0);
    }
    cx.out.integer(i64::try_from(removed).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const ZREMRANGEBYRANK: Command = Command {
    name: "zremrangebyrank",
    summary: "Removes the members from one rank to another.",
    since: "2.0.0",
    group: Group::SortedSet,
    complexity: "O(log(N)+M) where N is the number of members of the set and M of those removed.",
    arity: 4,
    categories: Categories::SORTEDSET,
    keys: &[key(1).access(Access::RW.with(Access::DELETE))],
    args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("stop")],
    run: Run::Write(zremrangebyrank),
    ..Command::NEW
};

fn zremrangebyrank(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    remove_range(cx, args, By::Rank, ZREMRANGEBYRANK.name)
}

pub(super) const ZREMRANGEBYSCORE: Command = Command {
    name: "zremrangebyscore",
    summary: "Removes the members with scores in a range.",
    since: "1.2.0",
    args: &[Arg::key("key"), Arg::double("min"), Arg::double("max")],
    run: Run::Write(zremrangebyscore),
    ..ZREMRANGEBYRANK
};

fn zremrangebyscore(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    remove_range(cx, args, By::Score, ZREMRANGEBYSCORE.name)
}

pub(super) const ZREMRANGEBYLEX: Command = Command {
    name: "zremrangebylex",
    summary: "Removes the members in a range of the order of bytes.",
    since: "2.8.9",
    args: &[Arg::key("key"), Arg::string("min"), Arg::string("max")],
    run: Run::Write(zremrangebylex),
    ..ZREMRANGEBYRANK
};

fn zremrangebylex(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    remove_range(cx, args, By::Lex, ZREMRANGEBYLEX.name)
}

fn remove_range(cx: &mut WriteCx<'_>, args: Request<'_>, by: By, event: &'static str) -> Outcome {
    let bounds = Bounds::parse(by, &args[2], &args[3])?;
    let (ranks, len) = match cx.keys.zset(0)? {
        Some(zset) => (bounds.ranks(zset, false), zset.len()),
        None => (0..0, 0),
    };
    let count = ranks.len();
    if count > 0 {
        remove_ranks(cx, 0, ranks, len)?;
        cx.notify_taken(EventClasses::ZSET, event, 0);
    }
    cx.out.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

/// Removes these ranks, of which there is one at least, of the set of `len` members at key `i`.
pub(super) fn remove_ranks(
    cx: &mut WriteCx<'_>,
    i: usize,
    ranks: std::ops::Range<usize>,
    len: usize,
) -> Result<(), CommandError> {
    if ranks.len() == len {
        // The whole value goes, and is freed after the lock is released.
        cx.keys.remove(i)?;
        cx.keys.count_changes(len as u64 - 1);
        return Ok(());
    }
    cx.keys.edit_zset(i, |zset| {
        let changes = u64::try_from(ranks.len()).unwrap_or(u64::MAX);
        zset.remove_ranks(ranks);
        Ok(((), changes))
    })
}
