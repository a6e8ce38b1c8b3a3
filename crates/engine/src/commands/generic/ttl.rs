//! When a key expires. -1 stands for "never", -2 for "no such key".
//!
//! Seconds are rounded to the nearest, half upwards, as Redis does.

use crate::exec::ReadCx;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

/// What the four have in common.
const GETTER: Command = Command {
    group: Group::Generic,
    arity: 2,
    flags: Flags::FAST.with(Flags::NO_TOUCH),
    categories: Categories::KEYSPACE,
    keys: &[key(1).read()],
    args: &[Arg::key("key")],
    ..Command::NEW
};

const MINUS_TWO: &[(&str, &str)] = &[("2.8.0", "A missing key is told apart by the reply -2.")];

pub(super) const TTL: Command = Command {
    name: "ttl",
    summary: "Tells in how many seconds a key expires.",
    history: MINUS_TWO,
    tips: &["nondeterministic_output"],
    run: Run::Read(|cx, args| reply(cx, args, |at, now| seconds(left(at, now)))),
    ..GETTER
};

pub(super) const PTTL: Command = Command {
    name: "pttl",
    summary: "Tells in how many milliseconds a key expires.",
    since: "2.6.0",
    history: MINUS_TWO,
    tips: &["nondeterministic_output"],
    run: Run::Read(|cx, args| reply(cx, args, left)),
    ..GETTER
};

pub(super) const EXPIRETIME: Command = Command {
    name: "expiretime",
    summary: "Tells the Unix time in seconds at which a key expires.",
    since: "7.0.0",
    run: Run::Read(|cx, args| reply(cx, args, |at, _| seconds(at))),
    ..GETTER
};

pub(super) const PEXPIRETIME: Command = Command {
    name: "pexpiretime",
    summary: "Tells the Unix time in milliseconds at which a key expires.",
    since: "7.0.0",
    run: Run::Read(|cx, args| reply(cx, args, |at, _| at)),
    ..GETTER
};

fn left(at: i64, now: i64) -> i64 {
    at.saturating_sub(now).max(0)
}

fn seconds(ms: i64) -> i64 {
    ms / 1000 + (ms % 1000 + 500) / 1000
}

fn reply(cx: &mut ReadCx<'_>, _: Request<'_>, shown: fn(i64, i64) -> i64) -> Outcome {
    let n = match cx.keys.expires_at(0) {
        Some(at) => shown(at, cx.env.now_ms),
        None if cx.keys.exists(0) => -1,
        None => -2,
    };
    cx.out.integer(n);
    Ok(())
}
