//! Adding elements at the ends.
//!
//! Invariant: the elements of one request are counted together before the first is added, as Redis does to
//! choose the encoding.

use super::{added_to, pushed, reply_count};
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use ochre_ds::list::End;
use ochre_resp::Request;

pub(super) const LPUSH: Command = Command {
    name: "lpush",
    summary: "Adds elements before the first of a list, one after the other, and makes the list if there is none.",
    group: Group::List,
    complexity: "O(N) where N is the number of elements added.",
    arity: -3,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::LIST,
    keys: &[added_to(1)],
    args: &[Arg::key("key"), Arg::string("element").multiple()],
    history: &[("2.4.0", "Takes several elements.")],
    run: Run::Write(lpush),
    ..Command::NEW
};

fn lpush(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    push(cx, args, End::Front)
}

pub(super) const RPUSH: Command = Command {
    name: "rpush",
    summary: "Adds elements behind the last of a list, one after the other, and makes the list if there is none.",
    run: Run::Write(rpush),
    ..LPUSH
};

fn rpush(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    push(cx, args, End::Back)
}

pub(super) const LPUSHX: Command = Command {
    name: "lpushx",
    summary: "Adds elements before the first of a list, one after the other, if the list exists.",
    since: "2.2.0",
    history: &[("4.0.0", "Takes several elements.")],
    run: Run::Write(lpushx),
    ..LPUSH
};

fn lpushx(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    push_existing(cx, args, End::Front)
}

pub(super) const RPUSHX: Command = Command {
    name: "rpushx",
    summary: "Adds elements behind the last of a list, one after the other, if the list exists.",
    run: Run::Write(rpushx),
    ..LPUSHX
};

fn rpushx(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    push_existing(cx, args, End::Back)
}

fn push(cx: &mut WriteCx<'_>, args: Request<'_>, end: End) -> Outcome {
    let limits = cx.env.list_limits();
    let added = args.len() as u64 - 2;
    let len = cx.keys.edit_list(0, |list| {
        list.push(end, args.tail(2).iter(), limits);
        Ok((list.len(), added))
    })?;
    cx.notify(EventClasses::LIST, pushed(end), 0);
    reply_count(cx.out, len);
    Ok(())
}

fn push_existing(cx: &mut WriteCx<'_>, args: Request<'_>, end: End) -> Outcome {
    if cx.keys.list(0)?.is_none() {
        cx.out.integer(0);
        return Ok(());
    }
    push(cx, args, end)
}
