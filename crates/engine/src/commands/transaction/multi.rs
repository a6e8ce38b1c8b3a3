//! The beginning of a transaction, and its end without effect: MULTI and DISCARD.

use super::COMMON;
use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::spec::{Command, Flags, Outcome, Run};
use ochre_resp::Request;

pub(super) const MULTI: Command = Command {
    name: "multi",
    summary: "Begins a transaction: the requests that follow are queued until EXEC.",
    flags: COMMON
        .flags
        .with(Flags::UNQUEUED)
        .with(Flags::BEGINS_TRANSACTION),
    run: Run::Session(multi),
    ..COMMON
};

fn multi(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    if cx.session.transaction.is_some() {
        return Err(CommandError::MULTI_NESTED);
    }
    cx.session.begin_transaction();
    cx.out.ok();
    Ok(())
}

pub(super) const DISCARD: Command = Command {
    name: "discard",
    summary: "Ends a transaction without running what was queued.",
    since: "2.0.0",
    complexity: "O(N), when N is the number of queued commands",
    flags: COMMON.flags.with(Flags::UNQUEUED),
    run: Run::Session(discard),
    ..COMMON
};

fn discard(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    if cx.session.transaction.is_none() {
        return Err(CommandError::DISCARD_WITHOUT_MULTI);
    }
    cx.env.engine.end_transaction(cx.session);
    cx.out.ok();
    Ok(())
}
