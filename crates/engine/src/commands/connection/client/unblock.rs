//! CLIENT UNBLOCK.

use super::{ANY_STATE, SUBCOMMAND};
use crate::error::CommandError;
use crate::exec::{SessionCx, Unblock};
use crate::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

pub(super) const UNBLOCK: Command = Command {
    name: "unblock",
    summary: "Ends another connection's wait in a blocking command.",
    since: "5.0.0",
    complexity: "O(log N) where N is the number of client connections",
    arity: -3,
    flags: ANY_STATE.with(Flags::ADMIN),
    args: &[
        Arg::integer("client-id"),
        Arg::one_of(
            "unblock-type",
            &[Arg::word("timeout", "TIMEOUT"), Arg::word("error", "ERROR")],
        )
        .optional(),
    ],
    run: Run::Session(unblock),
    ..SUBCOMMAND
};

fn unblock(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(CommandError::subcommand_syntax("CLIENT", &args[1]));
    }
    let how = match args.get(3) {
        None => Unblock::Timeout,
        Some(word) if word.eq_ignore_ascii_case(b"TIMEOUT") => Unblock::Timeout,
        Some(word) if word.eq_ignore_ascii_case(b"ERROR") => Unblock::Error,
        Some(_) => return Err(CommandError::UNBLOCK_REASON),
    };
    let id = parse_i64(&args[2]).ok_or(CommandError::NOT_INTEGER)?;
    let client = u64::try_from(id)
        .ok()
        .and_then(|id| cx.env.engine.clients.get(id));
    let waiter = client.and_then(|client| client.waiter.lock().clone());
    cx.out
        .integer(i64::from(waiter.is_some_and(|waiter| waiter.unblock(how))));
    Ok(())
}
