//! Setting whole values: SET and the older commands that are special cases of it.
//!
//! Invariants
//! - A value whose deadline has passed is removed as soon as it is stored: nobody can read it.
//! - What is journalled names an absolute deadline and no condition.
//!
//! Cost: SET without options is one overwrite; nothing is parsed.

use super::options::{Accepts, Condition, Deadline, Options};
use crate::error::CommandError;
use crate::exec::{Counter, Expiry, WriteCx, reply_string};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Deprecation, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

/// The event of a string that was stored whole.
pub(super) const SET_EVENT: (EventClasses, &str) = (EventClasses::STRING, "set");

/// SET reads the old value only for GET and for conditions on it.
fn set_access(args: Request<'_>) -> Access {
    if args.iter().skip(3).any(|a| a.eq_ignore_ascii_case(b"get")) {
        Access::RW.with(Access::ACCESS).with(Access::UPDATE)
    } else {
        Access::OW.with(Access::UPDATE)
    }
}

pub(super) const SET: Command = Command {
    name: "set",
    summary: "Sets the string value of a key, whatever type it had, and creates it if there is none.",
    group: Group::String,
    arity: -3,
    flags: Flags::DENYOOM,
    categories: Categories::STRING,
    keys: &[key(1)
        .access(
            Access::RW
                .with(Access::ACCESS)
                .with(Access::UPDATE)
                .with(Access::VARIABLE),
        )
        .note("RW and ACCESS because of the optional `GET`")],
    variable: Some(set_access),
    args: &[
        Arg::key("key"),
        Arg::string("value"),
        Arg::one_of(
            "condition",
            &[
                Arg::word("nx", "NX"),
                Arg::word("xx", "XX"),
                Arg::string("ifeq-value").token("IFEQ").since("8.4.0"),
                Arg::string("ifne-value").token("IFNE").since("8.4.0"),
                Arg::string("ifdeq-digest").token("IFDEQ").since("8.4.0"),
                Arg::string("ifdne-digest").token("IFDNE").since("8.4.0"),
            ],
        )
        .optional()
        .since("2.6.12"),
        Arg::word("get", "GET").optional().since("6.2.0"),
        Arg::one_of(
            "expiration",
            &[
                Arg::integer("seconds").token("EX").since("2.6.12"),
                Arg::integer("milliseconds").token("PX").since("2.6.12"),
                Arg::unix_time("unix-time-seconds")
                    .token("EXAT")
                    .since("6.2.0"),
                Arg::unix_time("unix-time-milliseconds")
                    .token("PXAT")
                    .since("6.2.0"),
                Arg::word("keepttl", "KEEPTTL").since("6.0.0"),
            ],
        )
        .optional(),
    ],
    history: &[
        ("2.6.12", "The options `EX`, `PX`, `NX` and `XX` exist."),
        ("6.0.0", "The option `KEEPTTL` exists."),
        ("6.2.0", "The options `GET`, `EXAT` and `PXAT` exist."),
        ("7.0.0", "`NX` and `GET` may be used together."),
        (
            "8.4.0",
            "The options `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE` exist.",
        ),
    ],
    run: Run::Write(set),
    ..Command::NEW
};

fn set(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() > 3 {
        return set_with(cx, args);
    }
    cx.storing(0, SET_EVENT, |keys| {
        keys.set_string(0, &args[2], Expiry::Clear)
    })?;
    cx.out.ok();
    Ok(())
}

#[cold]
fn set_with(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let options = Options::parse(args, 3, Accepts::Set)?;
    let expiry = options.lifetime.resolve("set", cx.env.now_ms)?;
    if options.get {
        cx.sought(0);
        match cx.keys.string(0)? {
            Some(old) => reply_string(cx.out, old),
            None => cx.out.null(),
        }
    }
    let met = match options.condition {
        None => true,
        Some(Condition::Absent) => !cx.keys.exists(0),
        Some(Condition::Present) => cx.keys.exists(0),
        Some(Condition::Compares(comparison)) => comparison.holds(cx.keys.string(0)?)?,
    };
    if met {
        store(cx, args, &args[2], expiry)?;
    }
    match (options.get, met) {
        (true, _) => {}
        (false, true) => cx.out.ok(),
        (false, false) => cx.out.null(),
    }
    Ok(())
}

/// Stores `value` at the request's only key and journals it as a plain SET.
fn store(cx: &mut WriteCx<'_>, args: Request<'_>, value: &[u8], expiry: Expiry) -> Outcome {
    cx.storing(0, SET_EVENT, |keys| keys.set_string(0, value, expiry))?;
    if let Expiry::At(at) = expiry {
        cx.notify(EventClasses::GENERIC, "expire", 0);
        if at <= cx.env.now_ms {
            cx.effects.replace([b"DEL".as_slice(), &args[1]]);
            return expire_at_once(cx, 0);
        }
    }
    journal_set(cx, args, value, expiry);
    Ok(())
}

/// Removes key `i`, which was stored with a deadline that has passed. Both together are one change.
///
/// # Errors
/// Only for an undeclared key.
pub(super) fn expire_at_once(cx: &mut WriteCx<'_>, i: usize) -> Outcome {
    if cx.keys.remove(i)? {
        cx.keys.changes -= 1;
        cx.env.engine.stats.add(Counter::ExpiredKeys, 1);
        cx.notify(EventClasses::EXPIRED, "expired", i);
    }
    Ok(())
}

/// Has a plain SET of the request's only key replayed instead of the request.
pub(super) fn journal_set(cx: &mut WriteCx<'_>, args: Request<'_>, value: &[u8], expiry: Expiry) {
    let set = [b"SET".as_slice(), &args[1], value];
    match expiry {
        Expiry::Clear => cx.effects.replace(set),
        Expiry::Keep => {
            let keep = [b"KEEPTTL".as_slice()];
            cx.effects.replace(set.into_iter().chain(keep));
        }
        Expiry::At(at) => {
            let mut digits = itoa::Buffer::new();
            let until = [b"PXAT".as_slice(), digits.format(at).as_bytes()];
            cx.effects.replace(set.into_iter().chain(until));
        }
    }
}

pub(super) const SETEX: Command = Command {
    name: "setex",
    summary: "Sets the string value of a key and when it expires, in seconds from now.",
    since: "2.0.0",
    group: Group::String,
    arity: 4,
    flags: Flags::DENYOOM,
    categories: Categories::STRING,
    keys: &[key(1).overwrite()],
    args: &[
        Arg::key("key"),
        Arg::integer("seconds"),
        Arg::string("value"),
    ],
    deprecated: Some(Deprecation {
        since: "2.6.12",
        instead: "`SET` with `EX`",
    }),
    run: Run::Write(setex),
    ..Command::NEW
};

fn setex(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    set_for(cx, args, "setex", Deadline::in_seconds(&args[2]))
}

pub(super) const PSETEX: Command = Command {
    name: "psetex",
    summary: "Sets the string value of a key and when it expires, in milliseconds from now.",
    since: "2.6.0",
    group: Group::String,
    arity: 4,
    flags: Flags::DENYOOM,
    categories: Categories::STRING,
    keys: &[key(1).overwrite()],
    args: &[
        Arg::key("key"),
        Arg::integer("milliseconds"),
        Arg::string("value"),
    ],
    deprecated: Some(Deprecation {
        since: "2.6.12",
        instead: "`SET` with `PX`",
    }),
    run: Run::Write(psetex),
    ..Command::NEW
};

fn psetex(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    set_for(cx, args, "psetex", Deadline::in_milliseconds(&args[2]))
}

fn set_for(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    command: &str,
    deadline: Deadline<'_>,
) -> Outcome {
    let at = deadline.resolve(command, cx.env.now_ms)?;
    store(cx, args, &args[3], Expiry::At(at))?;
    cx.out.ok();
    Ok(())
}

pub(super) const SETNX: Command = Command {
    name: "setnx",
    summary: "Sets the string value of a key if there is no such key.",
    group: Group::String,
    arity: 3,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::STRING,
    keys: &[key(1).access(Access::OW.with(Access::INSERT))],
    args: &[Arg::key("key"), Arg::string("value")],
    deprecated: Some(Deprecation {
        since: "2.6.12",
        instead: "`SET` with `NX`",
    }),
    run: Run::Write(setnx),
    ..Command::NEW
};

fn setnx(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let absent = !cx.keys.exists(0);
    if absent {
        cx.keys.set_string(0, &args[2], Expiry::Clear)?;
        cx.notify(EventClasses::STRING, "set", 0);
    }
    cx.out.integer(i64::from(absent));
    Ok(())
}

pub(super) const GETSET: Command = Command {
    name: "getset",
    summary: "Sets the string value of a key and returns the one before.",
    group: Group::String,
    arity: 3,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::STRING,
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE))],
    args: &[Arg::key("key"), Arg::string("value")],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        instead: "`SET` with `GET`",
    }),
    run: Run::Write(getset),
    ..Command::NEW
};

fn getset(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    cx.sought(0);
    match cx.keys.string(0)? {
        Some(old) => reply_string(cx.out, old),
        None => cx.out.null(),
    }
    store(cx, args, &args[2], Expiry::Clear)
}

/// A string longer than `proto-max-bulk-len` cannot be.
pub(super) fn checked_len(a: usize, b: usize, most: usize) -> Result<usize, CommandError> {
    a.checked_add(b)
        .filter(|len| *len <= most)
        .ok_or(CommandError::TOO_LONG)
}
