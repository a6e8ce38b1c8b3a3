//! The commands that wait for a list to have elements.
//!
//! Each looks as its sibling that does not wait, and asks to be run again when it finds nothing. What is
//! journalled is the sibling.

use super::super::mpop::Wanted;
use super::pop::{self, mpop};
use super::transfer::{self, HowMany};
use super::{LEFT, RIGHT, end, popped, popped_event, reply_element};
use crate::exec::{Nothing, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{
    Access, Arg, Categories, Command, Deprecation, Flags, Group, Outcome, Run, numkeys,
};
use ochre_ds::list::End;
use ochre_resp::Request;

const TIMEOUT: Arg = Arg::double("timeout");
const DOUBLE_SINCE: &[(&str, &str)] = &[("6.0.0", "The timeout may have a fraction.")];

pub(super) const BLPOP: Command = Command {
    name: "blpop",
    summary: "Removes and returns the first element of the first list that has one; waits until there is one.",
    since: "2.0.0",
    group: Group::List,
    complexity: "O(N) where N is the number of provided keys.",
    arity: -3,
    flags: Flags::BLOCKING,
    categories: Categories::LIST,
    keys: &[popped(1).to(-2, 1)],
    awaits: Some("list"),
    args: &[Arg::key("key").multiple(), TIMEOUT],
    history: DOUBLE_SINCE,
    run: Run::Write(blpop),
    ..Command::NEW
};

fn blpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop_first(cx, args, End::Front, b"LPOP")
}

pub(super) const BRPOP: Command = Command {
    name: "brpop",
    summary: "Removes and returns the last element of the first list that has one; waits until there is one.",
    run: Run::Write(brpop),
    ..BLPOP
};

fn brpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop_first(cx, args, End::Back, b"RPOP")
}

fn pop_first(cx: &mut WriteCx<'_>, args: Request<'_>, from: End, effect: &[u8]) -> Outcome {
    let deadline_ms = cx.env.deadline(&args[args.len() - 1])?;
    for i in 0..args.len() - 2 {
        if cx.keys.list(i)?.is_none() {
            continue;
        }
        let key = &args[1 + i];
        cx.out.array(2);
        cx.out.bulk(key);
        let limits = cx.env.list_limits();
        let out = &mut *cx.out;
        cx.keys.edit_list(i, |list| {
            list.pop(from, limits, |element| reply_element(out, element));
            Ok(((), 1))
        })?;
        cx.notify_taken(EventClasses::LIST, popped_event(from), i);
        cx.effects.replace([effect, key]);
        return Ok(());
    }
    cx.block(deadline_ms, Nothing::NullArray);
    Ok(())
}

pub(super) const BLMPOP: Command = Command {
    name: "blmpop",
    summary: "Removes elements from the first of several lists that has some and returns its name and what was removed; waits until there is one.",
    since: "7.0.0",
    complexity: pop::LMPOP.complexity,
    arity: -5,
    keys: &[numkeys(2).access(Access::RW.with(Access::ACCESS).with(Access::DELETE))],
    args: &[
        TIMEOUT,
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        Arg::one_of("where", &[LEFT, RIGHT]),
        Arg::integer("count").token("COUNT").optional(),
    ],
    history: &[],
    run: Run::Write(blmpop),
    ..BLPOP
};

fn blmpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let wanted = Wanted::parse(args.tail(1), end)?;
    let deadline_ms = cx.env.deadline(&args[1])?;
    if !mpop(cx, args.tail(1), &wanted)? {
        cx.block(deadline_ms, Nothing::NullArray);
    }
    Ok(())
}

pub(super) const BLMOVE: Command = Command {
    name: "blmove",
    summary: "Moves an element from an end of a list to an end of another, or of the same, and returns it; waits until there is one.",
    since: "6.2.0",
    complexity: "O(1)",
    arity: 6,
    flags: Flags::DENYOOM.with(Flags::BLOCKING),
    keys: transfer::LMOVE.keys,
    args: &[
        Arg::key("source"),
        Arg::key("destination").of_spec(1),
        Arg::one_of("wherefrom", &[LEFT, RIGHT]),
        Arg::one_of("whereto", &[LEFT, RIGHT]),
        TIMEOUT,
    ],
    history: &[],
    run: Run::Write(blmove),
    ..BLPOP
};

fn blmove(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (from, to) = (end(&args[3])?, end(&args[4])?);
    let deadline_ms = cx.env.deadline(&args[5])?;
    if cx.keys.list(0)?.is_none() {
        cx.block(deadline_ms, Nothing::NullInUnit);
        return Ok(());
    }
    let effect = [b"LMOVE", &args[1], &args[2], &args[3], &args[4]];
    cx.effects.replace(effect);
    transfer::move_one(cx, args, from, to)
}

pub(super) const BRPOPLPUSH: Command = Command {
    name: "brpoplpush",
    summary: "Moves the last element of a list before the first of another, or of the same, and returns it; waits until there is one.",
    since: "2.2.0",
    arity: 4,
    args: &[
        Arg::key("source"),
        Arg::key("destination").of_spec(1),
        TIMEOUT,
    ],
    history: DOUBLE_SINCE,
    deprecated: Some(Deprecation {
        since: "6.2.0",
        instead: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
    }),
    run: Run::Write(brpoplpush),
    ..BLMOVE
};

fn brpoplpush(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let deadline_ms = cx.env.deadline(&args[3])?;
    if cx.keys.list(0)?.is_none() {
        cx.block(deadline_ms, Nothing::NullInUnit);
        return Ok(());
    }
    cx.effects.replace([b"RPOPLPUSH", &args[1], &args[2]]);
    transfer::move_one(cx, args, End::Back, End::Front)
}

pub(super) const BLMOVEM: Command = Command {
    name: "blmovem",
    summary: "Moves several elements from an end of a list to an end of another, or of the same, and returns them; waits until they are there.",
    since: "8.10.0",
    complexity: transfer::LMOVEM.complexity,
    arity: -6,
    args: &[
        Arg::key("source"),
        Arg::key("destination").of_spec(1),
        Arg::one_of("wherefrom", &[LEFT, RIGHT]),
        Arg::one_of("whereto", &[LEFT, RIGHT]),
        TIMEOUT,
        HowMany::ARG,
    ],
    run: Run::Write(blmovem),
    ..BLMOVE
};

fn blmovem(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (from, to) = (end(&args[3])?, end(&args[4])?);
    let deadline_ms = cx.env.deadline(&args[5])?;
    let how_many = HowMany::parse(args.tail(6))?;
    let len = cx.keys.list(0)?.map_or(0, |list| list.len());
    if !how_many.has_enough(len) {
        cx.block(deadline_ms, Nothing::NullArray);
        return Ok(());
    }
    let head = [b"LMOVEM".as_slice(), &args[1], &args[2], &args[3], &args[4]];
    cx.effects
        .replace(head.into_iter().chain(args.tail(6).iter()));
    transfer::move_many(cx, args, from, to, &how_many)
}
