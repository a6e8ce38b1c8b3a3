//! Taking the members with the lowest or highest scores.

use super::super::mpop::Wanted;
use super::remove::remove_ranks;
use super::reply::{self, Part, Rest};
use crate::error::CommandError;
use crate::exec::{STREAM_MIN, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key, numkeys};
use ochre_ds::int::parse_i64;
use ochre_resp::{Protocol, Request};

pub(super) const ZPOPMIN: Command = Command {
    name: "zpopmin",
    summary: "Removes and returns the members with the lowest scores; the set goes with its last member.",
    since: "5.0.0",
    group: Group::SortedSet,
    complexity: "O(log(N)*M) where N is the number of members of the set and M of those taken.",
    arity: -2,
    flags: Flags::FAST,
    categories: Categories::SORTEDSET,
    keys: &[key(1).access(POPPED)],
    args: &[Arg::key("key"), Arg::integer("count").optional()],
    run: Run::Write(zpopmin),
    ..Command::NEW
};

/// A key whose members are returned and removed.
pub(super) const POPPED: Access = Access::RW.with(Access::ACCESS).with(Access::DELETE);

fn zpopmin(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop(cx, args, false)
}

pub(super) const ZPOPMAX: Command = Command {
    name: "zpopmax",
    summary: "Removes and returns the members with the highest scores; the set goes with its last member.",
    run: Run::Write(zpopmax),
    ..ZPOPMIN
};

fn zpopmax(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop(cx, args, true)
}

fn pop(cx: &mut WriteCx<'_>, args: Request<'_>, highest: bool) -> Outcome {
    if args.len() > 3 {
        return Err(CommandError::SYNTAX);
    }
    let count = match args.get(2) {
        None => 1,
        Some(text) => parse_i64(text)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or(CommandError::NOT_POSITIVE)?,
    };
    if cx.keys.zset(0)?.is_none() || count == 0 {
        cx.out.array(0);
        return Ok(());
    }
    // One member without a count is a pair, not an array of pairs.
    let flat = args.len() == 2 || cx.out.protocol() == Protocol::Resp2;
    take(cx, 0, count, highest, flat)
}

/// Takes up to `count` members of the set at key `i`, and writes them flat or as pairs.
fn take(cx: &mut WriteCx<'_>, i: usize, count: usize, highest: bool, flat: bool) -> Outcome {
    let Some(zset) = cx.keys.zset(i)? else {
        return Err(CommandError::UNDECLARED_KEY);
    };
    let len = zset.len();
    let count = count.min(len);
    let ranks = if highest { len - count..len } else { 0..count };
    cx.out.array(if flat { 2 * count } else { count });
    if count == len && count >= STREAM_MIN && flat == (cx.out.protocol() == Protocol::Resp2) {
        let part = Part {
            ranks,
            reverse: highest,
            scores: true,
        };
        let rest = Rest::new(zset.to_owned(), part);
        cx.stream(Box::new(rest));
        cx.keys.remove(i)?;
        cx.keys.count_changes(len as u64 - 1);
        notify(cx, i, highest);
        return Ok(());
    }
    for (member, score) in zset.range(ranks.clone(), highest) {
        if !flat {
            cx.out.array(2);
        }
        reply::member(cx.out, &member);
        cx.out.double(score);
    }
    remove_ranks(cx, i, ranks, len)?;
    notify(cx, i, highest);
    Ok(())
}

/// Raises that members of the set at key `i` were taken.
fn notify(cx: &mut WriteCx<'_>, i: usize, highest: bool) {
    let event = if highest { "zpopmax" } else { "zpopmin" };
    cx.notify_taken(EventClasses::ZSET, event, i);
}

pub(super) const ZMPOP: Command = Command {
    name: "zmpop",
    summary: "Removes and returns members with the lowest or highest scores of the first sorted set that is there.",
    since: "7.0.0",
    group: Group::SortedSet,
    complexity: "O(K) + O(M*log(N)) where K is the number of keys, N of the members of the set, and M of those taken.",
    arity: -4,
    categories: Categories::SORTEDSET,
    keys: &[numkeys(1).access(POPPED)],
    args: &[
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        Arg::one_of("where", &[Arg::word("min", "MIN"), Arg::word("max", "MAX")]),
        Arg::integer("count").token("COUNT").optional(),
    ],
    run: Run::Write(zmpop),
    ..Command::NEW
};

fn zmpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let wanted = Wanted::parse(args, highest)?;
    if !mpop(cx, args, &wanted)? {
        cx.out.null_array();
    }
    Ok(())
}

/// MIN or MAX: whether it is the highest.
pub(super) fn highest(word: &[u8]) -> Result<bool, CommandError> {
    if word.eq_ignore_ascii_case(b"MIN") {
        Ok(false)
    } else if word.eq_ignore_ascii_case(b"MAX") {
        Ok(true)
    } else {
        Err(CommandError::SYNTAX)
    }
}

/// Takes members of the first sorted set that exists. False, and no reply, when there is none.
pub(super) fn mpop(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    wanted: &Wanted<bool>,
) -> Result<bool, CommandError> {
    for i in 0..wanted.keys {
        if cx.keys.zset(i)?.is_some() {
            cx.out.array(2);
            cx.out.bulk(&args[2 + i]);
            take(cx, i, wanted.count, wanted.from, false)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes the outermost member of the set at key `i`, which exists, and writes it and its score.
pub(super) fn take_one(cx: &mut WriteCx<'_>, i: usize, highest: bool) -> Outcome {
    let Some(zset) = cx.keys.zset(i)? else {
        return Err(CommandError::UNDECLARED_KEY);
    };
    let len = zset.len();
    let ranks = if highest { len - 1..len } else { 0..1 };
    for (member, score) in zset.range(ranks.clone(), highest) {
        reply::member(cx.out, &member);
        cx.out.double(score);
    }
    remove_ranks(cx, i, ranks, len)?;
    notify(cx, i, highest);
    Ok(())
}
