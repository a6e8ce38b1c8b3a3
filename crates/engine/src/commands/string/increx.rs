//! INCREX: adding within bounds and setting the expiry in one step, as rate limiters do.
//!
//! Invariants
//! - A sum outside the bounds, or outside the type, changes nothing (not even the expiry) and answers
//!   the present value and 0; with SATURATE the bound is stored instead.
//! - The answer's second element is what was added in fact.
//! - What is journalled is the result with an absolute deadline.
//!
//! Source: the public documentation of Redis 8.8, and for what it leaves open the discussion of
//! Valkey's implementation of the same command.

use super::counter::{COUNTED, integer};
use super::options::{EXPIRATION_OR_PERSIST, Lifetime};
use super::set::journal_set;
use crate::error::CommandError;
use crate::exec::{Expiry, Out, WriteCx};
use crate::keyspace::Str;
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_ds::long_double::LongDouble;
use ochre_resp::{Protocol, Request};

pub(super) const INCREX: Command = Command {
    name: "increx",
    summary: "Adds to the numeric value of a key within bounds and sets when it expires; no key counts as 0.",
    since: "8.8.0",
    group: Group::String,
    arity: -2,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::STRING,
    keys: &[COUNTED],
    args: &[
        Arg::key("key"),
        Arg::one_of(
            "increment",
            &[
                Arg::double("float").token("BYFLOAT"),
                Arg::integer("integer").token("BYINT"),
            ],
        )
        .optional(),
        Arg::word("saturate", "SATURATE").optional(),
        Arg::string("lowerbound").token("LBOUND").optional(),
        Arg::string("upperbound").token("UBOUND").optional(),
        EXPIRATION_OR_PERSIST,
        Arg::word("enx", "ENX").optional(),
    ],
    run: Run::Write(increx),
    ..Command::NEW
};

/// The options as the request says them; numbers are read once it is known which kind they are.
#[derive(Clone, Copy, Default)]
struct Options<'a> {
    by_int: Option<&'a [u8]>,
    by_float: Option<&'a [u8]>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    lifetime: Lifetime<'a>,
    only_without_expiry: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Request<'a>) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let taken = options.lifetime.read(args, at)?;
            if taken > 0 {
                at += taken;
                continue;
            }
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            at += 1;
            let value = if is("SATURATE") {
                options.saturate = true;
                continue;
            } else if is("ENX") {
                options.only_without_expiry = true;
                continue;
            } else if is("BYINT") {
                &mut options.by_int
            } else if is("BYFLOAT") {
                &mut options.by_float
            } else if is("LBOUND") {
                &mut options.lower
            } else if is("UBOUND") {
                &mut options.upper
            } else {
                return Err(CommandError::SYNTAX);
            };
            *value = Some(args.get(at).ok_or(CommandError::SYNTAX)?);
            at += 1;
        }
        let pointless =
            options.only_without_expiry && !matches!(options.lifetime, Lifetime::Until(_));
        let both = options.by_int.is_some() && options.by_float.is_some();
        if both || pointless || matches!(options.lifetime, Lifetime::Keep) {
            return Err(CommandError::SYNTAX);
        }
        Ok(options)
    }
}

fn increx(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let options = Options::parse(args)?;
    let until = match options.lifetime {
        Lifetime::Until(deadline) => Some(deadline.resolve("increx", cx.env.now_ms)?),
        Lifetime::Unsaid | Lifetime::Keep | Lifetime::Persist => None,
    };
    let expiry = match (options.lifetime, until) {
        (_, Some(_)) if options.only_without_expiry && cx.keys.expires_at(0).is_some() => {
            Expiry::Keep
        }
        (_, Some(at)) => Expiry::At(at),
        (Lifetime::Persist, None) => Expiry::Clear,
        _ => Expiry::Keep,
    };
    match options.by_float {
        None => add_integer(cx, args, &options, expiry),
        Some(by) => add_float(cx, args, &options, by, expiry),
    }
}

fn add_integer(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    options: &Options<'_>,
    expiry: Expiry,
) -> Outcome {
    let read = |text: Option<&[u8]>, unsaid| match text {
        None => Ok(unsaid),
        Some(text) => parse_i64(text).ok_or(CommandError::NOT_INTEGER),
    };
    let by = read(options.by_int, 1)?;
    let (lower, upper) = (
        read(options.lower, i64::MIN)?,
        read(options.upper, i64::MAX)?,
    );
    if lower > upper {
        return Err(CommandError::BOUNDS_CROSSED);
    }
    let old = integer(cx.keys.string(0)?)?;
    let sum = i128::from(old) + i128::from(by);
    let bounded = sum.clamp(i128::from(lower), i128::from(upper));
    if sum != bounded && !options.saturate {
        cx.out.array(2);
        cx.out.integer(old);
        cx.out.integer(0);
        return Ok(());
    }
    // Clamped between two 64-bit integers.
    let new = i64::try_from(bounded).map_err(|_| CommandError::OVERFLOW)?;
    let applied = new.checked_sub(old).ok_or(CommandError::APPLIED_OVERFLOW)?;
    if !removed_as_passed(cx, args, expiry)? {
        let had_expiry = cx.keys.expires_at(0).is_some();
        cx.keys.set_int(0, new, expiry)?;
        notify(cx, "incrby", expiry, had_expiry);
        journal_set(cx, args, itoa::Buffer::new().format(new).as_bytes(), expiry);
    }
    cx.out.array(2);
    cx.out.integer(new);
    cx.out.integer(applied);
    Ok(())
}

fn add_float(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    options: &Options<'_>,
    by: &[u8],
    expiry: Expiry,
) -> Outcome {
    let by = LongDouble::parse(by).ok_or(CommandError::NOT_FLOAT)?;
    let largest = LongDouble::largest();
    let bound = |text: Option<&[u8]>, unsaid| match text {
        None => Ok(unsaid),
        Some(text) => LongDouble::parse(text)
            .filter(|bound| bound.is_finite())
            .ok_or(CommandError::NOT_FLOAT),
    };
    let lower = bound(options.lower, LongDouble::from(0).minus(largest))?;
    let upper = bound(options.upper, largest)?;
    if upper.is_less_than(lower) {
        return Err(CommandError::BOUNDS_CROSSED);
    }
    let old = {
        let mut digits = itoa::Buffer::new();
        let value = cx.keys.string(0)?.unwrap_or(Str::Int(0));
        LongDouble::parse(value.bytes(&mut digits)).ok_or(CommandError::NOT_FLOAT)?
    };
    if !by.is_finite() || !old.is_finite() {
        return Err(CommandError::NAN_OR_INFINITY);
    }
    let sum = old.plus(by);
    let (above, below) = (upper.is_less_than(sum), sum.is_less_than(lower));
    if (above || below) && !options.saturate {
        cx.out.array(2);
        float(cx.out, &old.to_text());
        float(cx.out, b"0");
        return Ok(());
    }
    let (new, applied) = match (above, below) {
        (true, _) => (upper, upper.minus(old)),
        (_, true) => (lower, lower.minus(old)),
        _ => (sum, by),
    };
    if !applied.is_finite() {
        return Err(CommandError::APPLIED_OVERFLOW);
    }
    let text = new.to_text();
    if !removed_as_passed(cx, args, expiry)? {
        let had_expiry = cx.keys.expires_at(0).is_some();
        cx.keys.set_text(0, &text, expiry)?;
        notify(cx, "incrbyfloat", expiry, had_expiry);
        journal_set(cx, args, &text, expiry);
    }
    cx.out.array(2);
    float(cx.out, &text);
    float(cx.out, &applied.to_text());
    Ok(())
}

/// Removes the request's only key if it is to expire at a time that has passed. Whether that is so.
///
/// # Errors
/// Only for an undeclared key.
fn removed_as_passed(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    expiry: Expiry,
) -> Result<bool, CommandError> {
    let passed = matches!(expiry, Expiry::At(at) if at <= cx.env.now_ms);
    if passed {
        if cx.keys.remove(0)? {
            cx.notify_removed(0);
        }
        cx.effects.replace([b"DEL".as_slice(), &args[1]]);
    }
    Ok(passed)
}

/// Raises what the request did to its only key.
fn notify(cx: &mut WriteCx<'_>, event: &'static str, expiry: Expiry, had_expiry: bool) {
    cx.notify(EventClasses::STRING, event, 0);
    match expiry {
        Expiry::At(_) => cx.notify(EventClasses::GENERIC, "expire", 0),
        Expiry::Clear if had_expiry => cx.notify(EventClasses::GENERIC, "persist", 0),
        Expiry::Clear | Expiry::Keep => {}
    }
}

/// A number by its text: a double in RESP3, where going through `f64` would lose digits.
fn float(out: &mut Out, text: &[u8]) {
    match out.protocol() {
        Protocol::Resp2 => out.bulk(text),
        Protocol::Resp3 => {
            out.raw(b",");
            out.raw(text);
            out.raw(b"\r\n");
        }
    }
}
