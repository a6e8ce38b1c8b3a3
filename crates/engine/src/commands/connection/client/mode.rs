//! How a connection is treated: CLIENT NO-EVICT, NO-TOUCH and REPLY.
//!
//! What CLIENT REPLY asks for is done by the execution stages, after the command.

use super::{ANY_STATE, ON_OFF, SUBCOMMAND, on_off};
use crate::error::CommandError;
use crate::exec::{ReplyMode, SessionCx};
use crate::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_resp::Request;
use std::sync::atomic::Ordering::Relaxed;

pub(super) const NO_EVICT: Command = Command {
    name: "no-evict",
    summary: "Keeps the connection from being closed to free memory.",
    since: "7.0.0",
    arity: 3,
    flags: ANY_STATE.with(Flags::ADMIN),
    args: ON_OFF,
    run: Run::Session(no_evict),
    ..SUBCOMMAND
};

fn no_evict(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.session.client.no_evict.store(on_off(&args[2])?, Relaxed);
    cx.out.ok();
    Ok(())
}

pub(super) const NO_TOUCH: Command = Command {
    name: "no-touch",
    summary: "Keeps the connection's commands from counting as uses of the keys they touch.",
    since: "7.2.0",
    arity: 3,
    args: ON_OFF,
    run: Run::Session(no_touch),
    ..SUBCOMMAND
};

fn no_touch(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.session.set_no_touch(on_off(&args[2])?);
    cx.out.ok();
    Ok(())
}

pub(super) const REPLY: Command = Command {
    name: "reply",
    summary: "Says which commands of the connection are answered.",
    since: "3.2.0",
    arity: 3,
    args: &[Arg::one_of(
        "action",
        &[
            Arg::word("on", "ON"),
            Arg::word("off", "OFF"),
            Arg::word("skip", "SKIP"),
        ],
    )],
    run: Run::Session(reply),
    ..SUBCOMMAND
};

fn reply(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let action = &args[2];
    let session = &mut *cx.session;
    if action.eq_ignore_ascii_case(b"ON") {
        session.set_reply_mode(ReplyMode::On);
        cx.out.ok();
    } else if action.eq_ignore_ascii_case(b"OFF") {
        session.set_reply_mode(ReplyMode::Off);
    } else if !action.eq_ignore_ascii_case(b"SKIP") {
        return Err(CommandError::SYNTAX);
    } else if session.reply_mode != ReplyMode::Off {
        session.set_reply_mode(ReplyMode::SkipNext);
    }
    Ok(())
}
