//! Several keys at once: MGET, MSET, MSETNX and MSETEX.
//!
//! Invariants
//! - All keys are locked together: nobody sees some of the new values and not the others.
//! - A key named twice gets the last of its values.

use super::options::{Accepts, Condition, EXPIRATION_OR_KEEP, Options};
use super::set::{SET_EVENT, expire_at_once};
use crate::error::CommandError;
use crate::exec::{Expiry, ReadCx, WriteCx, reply_string, wrong_arity};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key, numkeys};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

const PAIRS: Arg = Arg::block("data", &[Arg::key("key"), Arg::string("value")]).multiple();

pub(super) const MGET: Command = Command {
    name: "mget",
    summary: "Returns the string values of several keys, read at one moment.",
    group: Group::String,
    complexity: "O(N) where N is the number of keys.",
    arity: -2,
    flags: Flags::FAST,
    categories: Categories::STRING,
    keys: &[key(1).to(-1, 1).read()],
    args: &[Arg::key("key").multiple()],
    tips: &["request_policy:multi_shard"],
    run: Run::Read(mget),
    ..Command::NEW
};

fn mget(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let count = cx.keys.count();
    cx.out.array(count);
    for i in 0..count {
        match cx.keys.string(i) {
            Ok(Some(value)) => reply_string(cx.out, value),
            // A key of another type has no string value.
            Ok(None) | Err(_) => cx.out.null(),
        }
    }
    Ok(())
}

pub(super) const MSET: Command = Command {
    name: "mset",
    summary: "Sets the string values of several keys at one moment.",
    since: "1.0.1",
    group: Group::String,
    complexity: "O(N) where N is the number of keys.",
    arity: -3,
    flags: Flags::DENYOOM,
    categories: Categories::STRING,
    keys: &[key(1).to(-1, 2).overwrite()],
    args: &[PAIRS],
    tips: &[
        "request_policy:multi_shard",
        "response_policy:all_succeeded",
    ],
    run: Run::Write(mset),
    ..Command::NEW
};

fn mset(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(wrong_arity("mset"));
    }
    set_all(cx, args, 2, Expiry::Clear)?;
    cx.out.ok();
    Ok(())
}

/// Sets every key; the first value is argument `first`, and every second one from there is a value.
fn set_all(cx: &mut WriteCx<'_>, args: Request<'_>, first: usize, expiry: Expiry) -> Outcome {
    for i in 0..cx.keys.count() {
        let value = &args[first + 2 * i];
        cx.storing(i, SET_EVENT, |keys| keys.set_string(i, value, expiry))?;
        if matches!(expiry, Expiry::At(_)) {
            cx.notify(EventClasses::GENERIC, "expire", i);
        }
    }
    Ok(())
}

pub(super) const MSETNX: Command = Command {
    name: "msetnx",
    summary: "Sets the string values of several keys if none of them exists.",
    since: "1.0.1",
    group: Group::String,
    complexity: "O(N) where N is the number of keys.",
    arity: -3,
    flags: Flags::DENYOOM,
    categories: Categories::STRING,
    keys: &[key(1).to(-1, 2).access(Access::OW.with(Access::INSERT))],
    args: &[PAIRS],
    run: Run::Write(msetnx),
    ..Command::NEW
};

fn msetnx(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(wrong_arity("msetnx"));
    }
    let free = (0..cx.keys.count()).all(|i| !cx.keys.exists(i));
    if free {
        set_all(cx, args, 2, Expiry::Clear)?;
    }
    cx.out.integer(i64::from(free));
    Ok(())
}

pub(super) const MSETEX: Command = Command {
    name: "msetex",
    summary: "Sets the string values of several keys with one expiry, on condition of their presence if wished.",
    since: "8.4.0",
    group: Group::String,
    complexity: "O(N) where N is the number of keys.",
    arity: -4,
    flags: Flags::DENYOOM,
    categories: Categories::STRING,
    keys: &[numkeys(1).every(2).overwrite()],
    args: &[
        Arg::integer("numkeys"),
        PAIRS,
        Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
        EXPIRATION_OR_KEEP,
    ],
    tips: &[
        "request_policy:multi_shard",
        "response_policy:all_succeeded",
    ],
    run: Run::Write(msetex),
    ..Command::NEW
};

fn msetex(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let count = parse_i64(&args[1])
        .filter(|n| *n > 0)
        .and_then(|n| i32::try_from(n).ok())
        .and_then(|n| usize::try_from(n).ok())
        .ok_or(CommandError::NUMKEYS)?;
    // With fewer arguments than that no key was planned.
    if cx.keys.count() != count {
        return Err(CommandError::SYNTAX);
    }
    let options = Options::parse(args, 2 + 2 * count, Accepts::Msetex)?;
    let expiry = options.lifetime.resolve("msetex", cx.env.now_ms)?;
    let present = |i| cx.keys.exists(i);
    let met = match options.condition {
        Some(Condition::Absent) => !(0..count).any(present),
        Some(Condition::Present) => (0..count).all(present),
        Some(Condition::Compares(_)) | None => true,
    };
    if met {
        set_all_until(cx, args, expiry)?;
    }
    cx.out.integer(i64::from(met));
    Ok(())
}

fn set_all_until(cx: &mut WriteCx<'_>, args: Request<'_>, expiry: Expiry) -> Outcome {
    let count = cx.keys.count();
    let keys = (0..count).map(|i| &args[2 + 2 * i]);
    match expiry {
        Expiry::At(at) if at <= cx.env.now_ms => {
            set_all(cx, args, 3, expiry)?;
            for i in 0..count {
                expire_at_once(cx, i)?;
            }
            cx.effects
                .replace(std::iter::once(b"DEL".as_slice()).chain(keys));
        }
        Expiry::At(at) => {
            set_all(cx, args, 3, expiry)?;
            let mut digits = itoa::Buffer::new();
            let at = digits.format(at).as_bytes();
            let pairs = args.iter().take(2 + 2 * count);
            cx.effects.replace(pairs.chain([b"PXAT".as_slice(), at]));
        }
        Expiry::Clear | Expiry::Keep => set_all(cx, args, 3, expiry)?,
    }
    Ok(())
}
