//! MONITOR.
//!
//! The lines themselves are written by the execution stages, after each command.

use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::spec::{Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;

pub(super) const MONITOR: Command = Command {
    name: "monitor",
    summary: "Shows the connection every command that is executed, as it happens.",
    group: Group::Server,
    complexity: "",
    arity: 1,
    flags: Flags::ADMIN
        .with(Flags::NOSCRIPT)
        .with(Flags::LOADING)
        .with(Flags::STALE),
    run: Run::Session(monitor),
    ..Command::NEW
};

fn monitor(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    if cx.session.in_unit {
        return Err(CommandError::MONITOR_DENIED);
    }
    // compat: a second time there is no reply.
    if cx.env.engine.monitor(cx.session) {
        cx.out.ok();
    }
    Ok(())
}
