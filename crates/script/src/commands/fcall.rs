//! FCALL and FCALL_RO.

use super::run::{Program, count, execute};
use super::{KEYS, KEYS_READ, RUNS, WRITES, args};
use crate::header;
use crate::scripts::Scripts;
use ochre_engine::error::CommandError;
use ochre_engine::exec::UnitCx;
use ochre_engine::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_resp::Request;

const ARGS: &[Arg] = &args("function");

pub(super) const FCALL: Command = Command {
    name: "fcall",
    summary: "Calls a function of a library.",
    since: "7.0.0",
    complexity: "Depends on the function that is executed.",
    keys: &[
        KEYS.note("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")
    ],
    args: ARGS,
    writes: Some(|engine, request| {
        let found = Scripts::of(engine).libraries().find(&request[1]);
        found.is_none_or(|found| !found.function().flags.has(header::Flags::NO_WRITES))
    }),
    run: Run::Unit(|cx, request| fcall(cx, request, false)),
    ..WRITES
};

pub(super) const FCALL_RO: Command = Command {
    name: "fcall_ro",
    summary: "Calls a function of a library that must not write.",
    since: "7.0.0",
    complexity: "Depends on the function that is executed.",
    flags: RUNS.flags.with(Flags::READONLY),
    keys: &[KEYS_READ
        .note("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")],
    args: ARGS,
    run: Run::Unit(|cx, request| fcall(cx, request, true)),
    ..RUNS
};

fn fcall(cx: &mut UnitCx<'_, '_>, request: Request<'_>, read_only: bool) -> Outcome {
    let libraries = Scripts::of(cx.env.engine).libraries();
    let found = libraries
        .find(&request[1])
        .ok_or(CommandError::NO_FUNCTION)?;
    let keys = count(request, CommandError::NUMKEYS_BAD)?;
    let function = found.function();
    if read_only && !function.flags.has(header::Flags::NO_WRITES) {
        return Err(CommandError::SCRIPT_WRITES);
    }
    execute(
        cx,
        request,
        &function.name,
        &Program::Function(&found),
        keys,
        read_only,
    )
}
