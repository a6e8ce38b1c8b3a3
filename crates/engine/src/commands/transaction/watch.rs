//! Conditions of a transaction: WATCH and UNWATCH.

use super::COMMON;
use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::spec::{Access, Arg, Command, Flags, Outcome, Run, key};
use ochre_resp::Request;

pub(super) const WATCH: Command = Command {
    name: "watch",
    summary: "Makes the next EXEC fail if one of these keys changes before it.",
    since: "2.2.0",
    complexity: "O(1) for every key.",
    arity: -2,
    flags: COMMON.flags.with(Flags::UNQUEUED),
    keys: &[key(1).to(-1, 1).access(Access::RO)],
    args: &[Arg::key("key").multiple()],
    run: Run::Session(watch),
    ..COMMON
};

fn watch(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if cx.session.transaction.is_some() {
        return Err(CommandError::WATCH_IN_MULTI);
    }
    for key in args.tail(1).iter() {
        cx.env.engine.watch(cx.session, key)?;
    }
    cx.out.ok();
    Ok(())
}

pub(super) const UNWATCH: Command = Command {
    name: "unwatch",
    summary: "Forgets the keys that are watched.",
    since: "2.2.0",
    run: Run::Session(unwatch),
    ..COMMON
};

fn unwatch(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    // EXEC has forgotten them when it comes to a queued UNWATCH.
    if !cx.session.in_unit {
        cx.env.engine.unwatch(cx.session);
    }
    cx.out.ok();
    Ok(())
}
