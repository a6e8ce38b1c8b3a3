//! OBJECT: how a value is kept and when it was used.
//!
//! The answers are Redis's: `embstr` and `raw` tell short strings from long or changed ones, and
//! small integers show the reference count of Redis's shared objects, although nothing is shared here.
//! None of the subcommands counts as an access to the key.

use crate::error::CommandError;
use crate::exec::{ReadCx, SessionCx};
use crate::keyspace::{Str, Value};
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

/// Redis keeps one object each for the integers below this.
const SHARED_INTEGERS: i64 = 10_000;
/// The reference count of a shared object.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

pub(super) const OBJECT: Command = Command {
    name: "object",
    summary: "Groups the commands that tell how a value is kept.",
    since: "2.2.3",
    group: Group::Generic,
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT],
    run: Run::Container,
    ..Command::NEW
};

/// What the subcommands on a key have in common.
const ON_KEY: Command = Command {
    since: "2.2.3",
    group: Group::Generic,
    arity: 3,
    flags: Flags::NO_TOUCH,
    categories: Categories::KEYSPACE,
    keys: &[key(2).access(Access::RO.with(Access::UNMISSED))],
    args: &[Arg::key("key")],
    tips: &["nondeterministic_output"],
    ..Command::NEW
};

const ENCODING: Command = Command {
    name: "encoding",
    summary: "Returns the name of the form in which a value is kept.",
    run: Run::Read(encoding),
    ..ON_KEY
};

fn encoding(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    match cx.keys.value(0) {
        None => cx.out.null(),
        Some(value) => {
            let name = value.encoding(cx.keys.is_modified(0));
            cx.out.bulk(name.as_bytes());
        }
    }
    Ok(())
}

const FREQ: Command = Command {
    name: "freq",
    summary: "Returns the logarithmic counter of a key's accesses.",
    since: "4.0.0",
    run: Run::Read(freq),
    ..ON_KEY
};

fn freq(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let rule = cx.env.engine.access_rule(cx.env.now_ms);
    match cx.keys.access_clock(0) {
        None => cx.out.null(),
        Some(_) if !rule.lfu => return Err(CommandError::NO_LFU),
        Some(clock) => cx.out.integer(i64::from(rule.decayed(clock))),
    }
    Ok(())
}

const IDLETIME: Command = Command {
    name: "idletime",
    summary: "Returns the seconds since a key was last accessed.",
    run: Run::Read(idletime),
    ..ON_KEY
};

fn idletime(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let rule = cx.env.engine.access_rule(cx.env.now_ms);
    match cx.keys.access_clock(0) {
        None => cx.out.null(),
        Some(_) if rule.lfu => return Err(CommandError::IS_LFU),
        Some(clock) => cx.out.integer(i64::from(rule.idle_seconds(clock))),
    }
    Ok(())
}

const REFCOUNT: Command = Command {
    name: "refcount",
    summary: "Returns the number of references to a value.",
    run: Run::Read(refcount),
    ..ON_KEY
};

fn refcount(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    // Shared objects have no clock of their own, so Redis does without where eviction needs one.
    let shares = !(engine.memory.is_limited() && engine.eviction_policy().needs_clock());
    match cx.keys.value(0) {
        None => cx.out.null(),
        Some(Value::String(Str::Int(0..SHARED_INTEGERS))) if shares => {
            cx.out.integer(SHARED_REFERENCES)
        }
        Some(_) => cx.out.integer(1),
    }
    Ok(())
}

const HELP: Command = Command {
    name: "help",
    summary: "Returns a text about the subcommands.",
    since: "6.2.0",
    group: Group::Generic,
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    categories: Categories::KEYSPACE,
    run: Run::Session(help),
    ..Command::NEW
};

fn help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    crate::spec::help(&OBJECT, cx.out);
    Ok(())
}
