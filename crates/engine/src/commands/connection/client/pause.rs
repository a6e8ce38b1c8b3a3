//! CLIENT PAUSE and UNPAUSE.
//!
//! A pause is the engine's; while it lasts, connections hold the first command that it stops.
//! As in Redis, a pause of everything stops CLIENT UNPAUSE too: it then ends by its time only.

use super::{ANY_STATE, SUBCOMMAND};
use crate::error::CommandError;
use crate::exec::{Pause, SessionCx};
use crate::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_resp::Request;

pub(super) const PAUSE: Command = Command {
    name: "pause",
    summary: "Holds back all commands of clients, or those that write, for some milliseconds.",
    since: "3.0.0",
    arity: -3,
    flags: ANY_STATE.with(Flags::ADMIN),
    args: &[
        Arg::integer("timeout"),
        Arg::one_of(
            "mode",
            &[Arg::word("write", "WRITE"), Arg::word("all", "ALL")],
        )
        .optional()
        .since("6.2.0"),
    ],
    history: &[(
        "6.2.0",
        "A mode may be given; `WRITE` holds back writes only.",
    )],
    run: Run::Session(pause),
    ..SUBCOMMAND
};

fn pause(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(CommandError::subcommand_syntax("CLIENT", &args[1]));
    }
    let writes_only = match args.get(3) {
        None => false,
        Some(mode) if mode.eq_ignore_ascii_case(b"ALL") => false,
        Some(mode) if mode.eq_ignore_ascii_case(b"WRITE") => true,
        Some(_) => return Err(CommandError::PAUSE_MODE),
    };
    let rest_ms = ochre_ds::int::parse_i64(&args[2]).ok_or(CommandError::TIMEOUT_NOT_INTEGER)?;
    if rest_ms < 0 {
        return Err(CommandError::TIMEOUT_NEGATIVE);
    }
    let until_ms = cx.env.now_ms.checked_add(rest_ms);
    cx.env.engine.pause(Pause {
        until_ms: until_ms.ok_or(CommandError::TIMEOUT_RANGE)?,
        writes_only,
    });
    cx.out.ok();
    Ok(())
}

pub(super) const UNPAUSE: Command = Command {
    name: "unpause",
    summary: "Ends what CLIENT PAUSE began.",
    since: "6.2.0",
    complexity: "O(N) Where N is the number of paused clients",
    arity: 2,
    flags: ANY_STATE.with(Flags::ADMIN),
    run: Run::Session(unpause),
    ..SUBCOMMAND
};

fn unpause(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    cx.env.engine.unpause();
    cx.out.ok();
    Ok(())
}
