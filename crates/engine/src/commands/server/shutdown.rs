//! SHUTDOWN: begins the orderly stop. There is no persistence yet, so nothing is saved, and SAVE is refused.

use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::ports::LogLevel;
use crate::spec::{Arg, Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;

pub(super) const SHUTDOWN: Command = Command {
    name: "shutdown",
    summary: "Stops the server.",
    group: Group::Server,
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    arity: -1,
    flags: Flags::ADMIN
        .with(Flags::NOSCRIPT)
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::NO_MULTI)
        .with(Flags::ALLOW_BUSY),
    args: &[
        Arg::one_of(
            "save-selector",
            &[Arg::word("nosave", "NOSAVE"), Arg::word("save", "SAVE")],
        )
        .optional(),
        Arg::word("now", "NOW").optional().since("7.0.0"),
        Arg::word("force", "FORCE").optional().since("7.0.0"),
        Arg::word("abort", "ABORT").optional().since("7.0.0"),
    ],
    history: &[("7.0.0", "Takes `NOW`, `FORCE` and `ABORT`.")],
    run: Run::Session(shutdown),
    ..Command::NEW
};

fn shutdown(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let (mut save, mut nosave, mut abort, mut other) = (false, false, false, false);
    for word in args.tail(1) {
        match word.to_ascii_lowercase().as_slice() {
            b"save" => save = true,
            b"nosave" => nosave = true,
            b"abort" => abort = true,
            // Nothing is waited for: no replica lags behind, no disk fails.
            b"now" | b"force" => other = true,
            _ => return Err(CommandError::SYNTAX),
        }
    }
    if (save && nosave) || (abort && (save || nosave || other)) {
        return Err(CommandError::SYNTAX);
    }
    if abort {
        // A stop does not wait for anything, so there is never one to be aborted.
        return Err(CommandError::NO_SHUTDOWN);
    }
    if save {
        return Err(CommandError::NO_SAVE);
    }
    let runtime = &cx.env.engine.runtime;
    runtime.log(LogLevel::Warning, "User requested shutdown...");
    runtime.shutdown();
    cx.session.closing = true;
    Ok(())
}
