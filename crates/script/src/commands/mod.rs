//! The commands of scripts and functions.

mod eval;
mod fcall;
mod function;
mod libraries;
mod run;
mod script;

use ochre_engine::spec::{Access, Arg, Categories, Command, Flags, Group, KeySpec, numkeys};

/// All of them.
pub(crate) const COMMANDS: &[Command] = &[
    eval::EVAL,
    eval::EVALSHA,
    eval::EVALSHA_RO,
    eval::EVAL_RO,
    fcall::FCALL,
    fcall::FCALL_RO,
    function::FUNCTION,
    script::SCRIPT,
];

/// What all have in common.
const COMMON: Command = Command {
    group: Group::Scripting,
    categories: Categories::SCRIPTING,
    ..Command::NEW
};

/// What all that run something have in common.
const RUNS: Command = Command {
    arity: -3,
    complexity: "Depends on the script that is executed.",
    flags: Flags::NOSCRIPT
        .with(Flags::STALE)
        .with(Flags::SKIP_MONITOR)
        .with(Flags::NO_MANDATORY_KEYS),
    ..COMMON
};

/// What those that may write have in common.
const WRITES: Command = Command {
    flags: RUNS.flags.with(Flags::WITH_WRITES),
    ..RUNS
};

/// The keys of those that may write.
const KEYS: KeySpec = numkeys(2).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE));
/// The keys of those that must not.
const KEYS_READ: KeySpec = numkeys(2).access(Access::RO.with(Access::ACCESS));

const fn args(script: &'static str) -> [Arg; 4] {
    [
        Arg::string(script),
        Arg::integer("numkeys"),
        Arg::key("key").optional().multiple(),
        Arg::string("arg").optional().multiple(),
    ]
}
