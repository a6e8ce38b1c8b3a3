//! Counting: INCR and its like, on integers of 64 bits and on floating point numbers.
//!
//! Invariants
//! - A sum that does not fit is an error and changes nothing.
//! - The expiry stays.
//! - Floating point sums are journalled as their result, so that replay does not depend on the machine.
//!
//! Source: observed replies of Redis 7.0.15; a floating point result is stored as text even when it is whole.

use super::set::journal_set;
use crate::error::CommandError;
use crate::exec::{Expiry, WriteCx};
use crate::keyspace::Str;
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, KeySpec, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_ds::long_double::{LongDoubleError, add_text};
use ochre_resp::Request;

/// The key of every counter.
pub(super) const COUNTED: KeySpec =
    key(1).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE));

const COUNTER: Command = Command {
    group: Group::String,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::STRING,
    keys: &[COUNTED],
    ..Command::NEW
};

pub(super) const INCR: Command = Command {
    name: "incr",
    summary: "Adds one to the integer value of a key; no key counts as 0.",
    arity: 2,
    args: &[Arg::key("key")],
    run: Run::Write(incr),
    ..COUNTER
};

fn incr(cx: &mut WriteCx<'_>, _: Request<'_>) -> Outcome {
    add(cx, 1)
}

pub(super) const DECR: Command = Command {
    name: "decr",
    summary: "Subtracts one from the integer value of a key; no key counts as 0.",
    arity: 2,
    args: &[Arg::key("key")],
    run: Run::Write(decr),
    ..COUNTER
};

fn decr(cx: &mut WriteCx<'_>, _: Request<'_>) -> Outcome {
    add(cx, -1)
}

pub(super) const INCRBY: Command = Command {
    name: "incrby",
    summary: "Adds to the integer value of a key; no key counts as 0.",
    arity: 3,
    args: &[Arg::key("key"), Arg::integer("increment")],
    run: Run::Write(incrby),
    ..COUNTER
};

fn incrby(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let delta = parse_i64(&args[2]).ok_or(CommandError::NOT_INTEGER)?;
    add(cx, delta)
}

pub(super) const DECRBY: Command = Command {
    name: "decrby",
    summary: "Subtracts from the integer value of a key; no key counts as 0.",
    arity: 3,
    args: &[Arg::key("key"), Arg::integer("decrement")],
    run: Run::Write(decrby),
    ..COUNTER
};

fn decrby(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let delta = parse_i64(&args[2]).ok_or(CommandError::NOT_INTEGER)?;
    add(
        cx,
        delta
            .checked_neg()
            .ok_or(CommandError::DECREMENT_OVERFLOW)?,
    )
}

/// The integer that a value is; no value is 0.
///
/// # Errors
/// When it is not an integer in its canonical form.
#[inline]
pub(super) fn integer(value: Option<Str<'_>>) -> Result<i64, CommandError> {
    match value {
        None => Ok(0),
        Some(Str::Int(n)) => Ok(n),
        Some(Str::Inline(bytes)) => parse_i64(bytes).ok_or(CommandError::NOT_INTEGER),
        Some(Str::Blob(blob)) => parse_i64(blob.as_slice()).ok_or(CommandError::NOT_INTEGER),
    }
}

#[inline]
fn add(cx: &mut WriteCx<'_>, delta: i64) -> Outcome {
    let sum = integer(cx.keys.string(0)?)?
        .checked_add(delta)
        .ok_or(CommandError::OVERFLOW)?;
    cx.keys.set_int(0, sum, Expiry::Keep)?;
    cx.notify(EventClasses::STRING, "incrby", 0);
    cx.out.integer(sum);
    Ok(())
}

pub(super) const INCRBYFLOAT: Command = Command {
    name: "incrbyfloat",
    summary: "Adds to the floating point value of a key; no key counts as 0.",
    since: "2.6.0",
    arity: 3,
    args: &[Arg::key("key"), Arg::double("increment")],
    run: Run::Write(incrbyfloat),
    ..COUNTER
};

fn incrbyfloat(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let mut digits = itoa::Buffer::new();
    let value = cx.keys.string(0)?.unwrap_or(Str::Int(0));
    let sum = add_text(value.bytes(&mut digits), &args[2]).map_err(|e| match e {
        LongDoubleError::NanOrInfinity => CommandError::NAN_OR_INFINITY,
        LongDoubleError::CurrentNotFloat | LongDoubleError::IncrementNotFloat => {
            CommandError::NOT_FLOAT
        }
    })?;
    cx.keys.set_text(0, &sum, Expiry::Keep)?;
    cx.notify(EventClasses::STRING, "incrbyfloat", 0);
    journal_set(cx, args, &sum, Expiry::Keep);
    cx.out.bulk(&sum);
    Ok(())
}
