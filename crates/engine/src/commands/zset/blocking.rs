//! The commands that wait for a sorted set to have members.
//!
//! Each looks as its sibling that does not wait, and asks to be run again when it finds nothing. What is
//! journalled is the sibling.

use super::super::mpop::Wanted;
use super::pop::{self, POPPED, highest, mpop, take_one};
use crate::exec::{Nothing, WriteCx};
use crate::spec::{Arg, Command, Flags, Outcome, Run, key, numkeys};
use ochre_resp::Request;

const TIMEOUT: Arg = Arg::double("timeout");

pub(super) const BZPOPMIN: Command = Command {
    name: "bzpopmin",
    summary: "Removes and returns the member with the lowest score of the first sorted set that has one; waits until there is one.",
    since: "5.0.0",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    arity: -3,
    flags: Flags::FAST.with(Flags::BLOCKING),
    keys: &[key(1).to(-2, 1).access(POPPED)],
    awaits: Some("zset"),
    args: &[Arg::key("key").multiple(), TIMEOUT],
    history: &[("6.0.0", "The timeout may have a fraction.")],
    run: Run::Write(bzpopmin),
    ..pop::ZPOPMIN
};

fn bzpopmin(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop_first(cx, args, false, b"ZPOPMIN")
}

pub(super) const BZPOPMAX: Command = Command {
    name: "bzpopmax",
    summary: "Removes and returns the member with the highest score of the first sorted set that has one; waits until there is one.",
    run: Run::Write(bzpopmax),
    ..BZPOPMIN
};

fn bzpopmax(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop_first(cx, args, true, b"ZPOPMAX")
}

fn pop_first(cx: &mut WriteCx<'_>, args: Request<'_>, highest: bool, effect: &[u8]) -> Outcome {
    let deadline_ms = cx.env.deadline(&args[args.len() - 1])?;
    for i in 0..args.len() - 2 {
        if cx.keys.zset(i)?.is_none() {
            continue;
        }
        let key = &args[1 + i];
        cx.out.array(3);
        cx.out.bulk(key);
        take_one(cx, i, highest)?;
        cx.effects.replace([effect, key]);
        return Ok(());
    }
    cx.block(deadline_ms, Nothing::NullArray);
    Ok(())
}

pub(super) const BZMPOP: Command = Command {
    name: "bzmpop",
    summary: "Removes and returns members with the lowest or highest scores of the first sorted set that has some; waits until there is one.",
    since: "7.0.0",
    complexity: pop::ZMPOP.complexity,
    arity: -5,
    flags: Flags::BLOCKING,
    keys: &[numkeys(2).access(POPPED)],
    args: &[
        TIMEOUT,
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        Arg::one_of("where", &[Arg::word("min", "MIN"), Arg::word("max", "MAX")]),
        Arg::integer("count").token("COUNT").optional(),
    ],
    history: &[],
    run: Run::Write(bzmpop),
    ..BZPOPMIN
};

fn bzmpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let wanted = Wanted::parse(args.tail(1), highest)?;
    let deadline_ms = cx.env.deadline(&args[1])?;
    if mpop(cx, args.tail(1), &wanted)? {
        let sibling = std::iter::once(b"ZMPOP".as_slice()).chain(args.tail(2).iter());
        cx.effects.replace(sibling);
    } else {
        cx.block(deadline_ms, Nothing::NullArray);
    }
    Ok(())
}
