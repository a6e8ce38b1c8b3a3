//! EVAL and EVALSHA, and their kin that must not write.

use super::run::{Program, execute};
use super::script::add;
use super::{KEYS, KEYS_READ, RUNS, WRITES, args};
use crate::api::{digest, parse_sha};
use crate::cache::Script;
use crate::header;
use crate::scripts::Scripts;
use crate::vm::{Own, Vm};
use ochre_engine::error::CommandError;
use ochre_engine::exec::{Engine, UnitCx};
use ochre_engine::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_resp::Request;
use std::sync::Arc;

const SCRIPT_ARGS: &[Arg] = &args("script");
const SHA_ARGS: &[Arg] = &args("sha1");
const NOTE: &str = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
const NOTE_READ: &str =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";

pub(super) const EVAL: Command = Command {
    name: "eval",
    summary: "Runs a Lua script.",
    since: "2.6.0",
    keys: &[KEYS.note(NOTE)],
    args: SCRIPT_ARGS,
    writes: Some(|_, request| declares_writes(&request[1])),
    run: Run::Unit(|cx, request| eval(cx, request, false)),
    ..WRITES
};

pub(super) const EVALSHA: Command = Command {
    name: "evalsha",
    summary: "Runs a Lua script that is known by its SHA-1.",
    since: "2.6.0",
    keys: &[KEYS],
    args: SHA_ARGS,
    writes: Some(|engine, request| {
        let script = known(engine, &request[1]);
        script.is_none_or(|script| !script.flags.has(header::Flags::NO_WRITES))
    }),
    run: Run::Unit(|cx, request| evalsha(cx, request, false)),
    ..WRITES
};

pub(super) const EVAL_RO: Command = Command {
    name: "eval_ro",
    summary: "Runs a Lua script that must not write.",
    since: "7.0.0",
    flags: RUNS.flags.with(Flags::READONLY),
    keys: &[KEYS_READ.note(NOTE_READ)],
    args: SCRIPT_ARGS,
    run: Run::Unit(|cx, request| eval(cx, request, true)),
    ..RUNS
};

pub(super) const EVALSHA_RO: Command = Command {
    name: "evalsha_ro",
    summary: "Runs a Lua script that is known by its SHA-1 and must not write.",
    since: "7.0.0",
    flags: RUNS.flags.with(Flags::READONLY),
    keys: &[KEYS_READ],
    args: SHA_ARGS,
    run: Run::Unit(|cx, request| evalsha(cx, request, true)),
    ..RUNS
};

fn eval(cx: &mut UnitCx<'_, '_>, request: Request<'_>, read_only: bool) -> Outcome {
    let keys = super::run::count(request, CommandError::NOT_INTEGER)?;
    let engine = cx.env.engine;
    let scripts = Scripts::of(engine);
    let sha = digest(&request[1]);
    let mut vm = scripts.lend_eval(engine)?;
    let script = match vm.script(&sha, &scripts.cache) {
        Some(script) => script,
        None => Arc::new(add(engine, &mut vm, cx.env.now_ms, &request[1], false)?),
    };
    run(cx, &mut vm, request, &script, keys, read_only)
}

fn evalsha(cx: &mut UnitCx<'_, '_>, request: Request<'_>, read_only: bool) -> Outcome {
    let keys = super::run::count(request, CommandError::NOT_INTEGER)?;
    let engine = cx.env.engine;
    let scripts = Scripts::of(engine);
    let sha = parse_sha(&request[1]).ok_or(CommandError::NO_SCRIPT)?;
    let mut vm = scripts.lend_eval(engine)?;
    let script = vm.script(&sha, &scripts.cache);
    let script = script.ok_or(CommandError::NO_SCRIPT)?;
    run(cx, &mut vm, request, &script, keys, read_only)
}

/// Whether a script may write, as far as its first line says.
fn declares_writes(text: &[u8]) -> bool {
    header::script(text).map_or(true, |(flags, _)| !flags.has(header::Flags::NO_WRITES))
}

/// The script that `digits` spell the SHA-1 of.
fn known(engine: &Engine, digits: &[u8]) -> Option<Arc<Script>> {
    Scripts::of(engine).cache.get(&parse_sha(digits)?)
}

fn run(
    cx: &mut UnitCx<'_, '_>,
    vm: &mut Vm,
    request: Request<'_>,
    script: &Own<Script>,
    keys: usize,
    read_only: bool,
) -> Outcome {
    script.touch(cx.env.now_ms);
    if read_only
        && !script.flags.has(header::Flags::UNDECLARED)
        && !script.flags.has(header::Flags::NO_WRITES)
    {
        return Err(CommandError::SCRIPT_WRITES);
    }
    execute(cx, vm, request, &Program::Script(script), keys, read_only)
}
