//! Adding to numbers in fields of hashes.

use super::HASH;
use super::set::set_one;
use crate::error::CommandError;
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Command, Flags, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_ds::long_double::{LongDouble, LongDoubleError, add_text};
use ochre_ds::pack::Element;
use ochre_resp::Request;

pub(super) const HINCRBY: Command = Command {
    name: "hincrby",
    element: 2,
    summary: "Adds to the integer in a field of a hash; no field counts as 0.",
    arity: 4,
    flags: Flags::FAST.with(Flags::DENYOOM),
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE))],
    args: &[
        Arg::key("key"),
        Arg::string("field"),
        Arg::integer("increment"),
    ],
    run: Run::Write(hincrby),
    ..HASH
};

fn hincrby(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let increment = parse_i64(&args[3]).ok_or(CommandError::NOT_INTEGER)?;
    let (limits, seed) = (cx.env.hash_limits(), cx.env.hash_seed());
    let sum = cx.keys.edit_hash(0, |hash| {
        let current = match hash.view().get(&args[2]) {
            None => 0,
            Some(Element::Int(n)) => n,
            Some(other) => parse_i64(&other.to_vec()).ok_or(CommandError::HASH_NOT_INTEGER)?,
        };
        let sum = current
            .checked_add(increment)
            .ok_or(CommandError::OVERFLOW)?;
        let mut digits = itoa::Buffer::new();
        set_one(hash, &args[2], digits.format(sum).as_bytes(), &limits, seed)?;
        Ok((sum, 1))
    })?;
    cx.notify(EventClasses::HASH, "hincrby", 0);
    cx.out.integer(sum);
    Ok(())
}

pub(super) const HINCRBYFLOAT: Command = Command {
    name: "hincrbyfloat",
    element: 2,
    summary: "Adds to the floating point number in a field of a hash; no field counts as 0.",
    since: "2.6.0",
    args: &[
        Arg::key("key"),
        Arg::string("field"),
        Arg::double("increment"),
    ],
    run: Run::Write(hincrbyfloat),
    ..HINCRBY
};

fn hincrbyfloat(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let increment = LongDouble::parse(&args[3]).ok_or(CommandError::NOT_FLOAT)?;
    if !increment.is_finite() {
        return Err(CommandError::INCREMENT_INFINITE);
    }
    let (limits, seed) = (cx.env.hash_limits(), cx.env.hash_seed());
    let sum = cx.keys.edit_hash(0, |hash| {
        let mut digits = itoa::Buffer::new();
        let current = hash.view().get(&args[2]).unwrap_or(Element::Int(0));
        let sum = add_text(current.bytes(&mut digits), &args[3]).map_err(|e| match e {
            LongDoubleError::NanOrInfinity => CommandError::NAN_OR_INFINITY,
            LongDoubleError::CurrentNotFloat => CommandError::HASH_NOT_FLOAT,
            LongDoubleError::IncrementNotFloat => CommandError::NOT_FLOAT,
        })?;
        set_one(hash, &args[2], &sum, &limits, seed)?;
        Ok((sum, 1))
    })?;
    cx.notify(EventClasses::HASH, "hincrbyfloat", 0);
    // Another machine's floating point might round otherwise.
    cx.effects
        .replace([b"HSET".as_slice(), &args[1], &args[2], &sum]);
    cx.out.bulk(&sum);
    Ok(())
}
