//! Setting and clearing the time at which a key expires.
//!
//! Invariants
//! - Expiry is absolute, in Unix milliseconds; relative times count from the batch's time.
//! - A time that has come removes the key at once, and its effect is a DEL.
//! - Any other effect is a PEXPIREAT, so that a replay does not depend on when it happens.
//! - Arguments are judged before the key is looked at: options, then the time, then the key.

use crate::error::CommandError;
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[
        Arg::word("nx", "NX"),
        Arg::word("xx", "XX"),
        Arg::word("gt", "GT"),
        Arg::word("lt", "LT"),
    ],
)
.optional()
.since("7.0.0");

/// What the four setters have in common.
const SETTER: Command = Command {
    group: Group::Generic,
    arity: -3,
    flags: Flags::FAST,
    categories: Categories::KEYSPACE,
    keys: &[key(1).rw_update()],
    history: &[("7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`.")],
    ..Command::NEW
};

pub(super) const EXPIRE: Command = Command {
    name: "expire",
    summary: "Lets a key expire after a number of seconds.",
    args: &[Arg::key("key"), Arg::integer("seconds"), CONDITION],
    run: Run::Write(|cx, args| expire(cx, args, EXPIRE.name, Unit::Seconds, From::Now)),
    ..SETTER
};

pub(super) const PEXPIRE: Command = Command {
    name: "pexpire",
    summary: "Lets a key expire after a number of milliseconds.",
    since: "2.6.0",
    args: &[Arg::key("key"), Arg::integer("milliseconds"), CONDITION],
    run: Run::Write(|cx, args| expire(cx, args, PEXPIRE.name, Unit::Milliseconds, From::Now)),
    ..SETTER
};

pub(super) const EXPIREAT: Command = Command {
    name: "expireat",
    summary: "Lets a key expire at a Unix time in seconds.",
    since: "1.2.0",
    args: &[
        Arg::key("key"),
        Arg::unix_time("unix-time-seconds"),
        CONDITION,
    ],
    run: Run::Write(|cx, args| expire(cx, args, EXPIREAT.name, Unit::Seconds, From::Epoch)),
    ..SETTER
};

pub(super) const PEXPIREAT: Command = Command {
    name: "pexpireat",
    summary: "Lets a key expire at a Unix time in milliseconds.",
    since: "2.6.0",
    args: &[
        Arg::key("key"),
        Arg::unix_time("unix-time-milliseconds"),
        CONDITION,
    ],
    run: Run::Write(|cx, args| expire(cx, args, PEXPIREAT.name, Unit::Milliseconds, From::Epoch)),
    ..SETTER
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Now,
    Epoch,
}

/// When the new time is taken.
#[derive(Clone, Copy, Default)]
struct Conditions {
    /// Only without an expiry.
    nx: bool,
    /// Only with an expiry.
    xx: bool,
    /// Only if later; no expiry is latest of all.
    gt: bool,
    /// Only if earlier.
    lt: bool,
}

impl Conditions {
    /// Reads the options, which may stand in any order and repeat.
    fn parse(options: Request<'_>) -> Result<Conditions, CommandError> {
        let mut c = Conditions::default();
        for option in options.iter() {
            let flag = match option {
                o if o.eq_ignore_ascii_case(b"NX") => &mut c.nx,
                o if o.eq_ignore_ascii_case(b"XX") => &mut c.xx,
                o if o.eq_ignore_ascii_case(b"GT") => &mut c.gt,
                o if o.eq_ignore_ascii_case(b"LT") => &mut c.lt,
                other => return Err(CommandError::unsupported_option(other)),
            };
            *flag = true;
        }
        if c.nx && (c.xx || c.gt || c.lt) {
            Err(CommandError::NX_CONFLICT)
        } else if c.gt && c.lt {
            Err(CommandError::GT_LT_CONFLICT)
        } else {
            Ok(c)
        }
    }

    fn allow(self, current: Option<i64>, at: i64) -> bool {
        match current {
            None => !(self.xx || self.gt),
            Some(current) => !(self.nx || self.gt && at <= current || self.lt && at >= current),
        }
    }
}

/// The absolute time in milliseconds, `None` when it cannot be expressed.
fn absolute(time: i64, unit: Unit, from: From, now_ms: i64) -> Option<i64> {
    let ms = match unit {
        Unit::Seconds => time.checked_mul(1000)?,
        Unit::Milliseconds => time,
    };
    match from {
        From::Now => ms.checked_add(now_ms),
        From::Epoch => Some(ms),
    }
}

fn expire(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    name: &'static str,
    unit: Unit,
    from: From,
) -> Outcome {
    let conditions = Conditions::parse(args.tail(3))?;
    let time = ochre_ds::int::parse_i64(&args[2]).ok_or(CommandError::NOT_INTEGER)?;
    let at = absolute(time, unit, from, cx.env.now_ms)
        .ok_or_else(|| CommandError::invalid_expire(name))?;
    if !cx.keys.exists(0) || !conditions.allow(cx.keys.expires_at(0), at) {
        cx.out.integer(0);
        return Ok(());
    }
    if at <= cx.env.now_ms {
        cx.keys.remove(0)?;
        cx.notify_removed(0);
        cx.effects.replace([b"DEL".as_slice(), &args[1]]);
    } else {
        cx.keys.set_expiry(0, Some(at))?;
        cx.notify(EventClasses::GENERIC, "expire", 0);
        let mut digits = itoa::Buffer::new();
        let at = digits.format(at).as_bytes();
        cx.effects.replace([b"PEXPIREAT".as_slice(), &args[1], at]);
    }
    cx.out.integer(1);
    Ok(())
}

pub(super) const PERSIST: Command = Command {
    name: "persist",
    summary: "Clears the expiry of a key.",
    since: "2.2.0",
    group: Group::Generic,
    arity: 2,
    flags: Flags::FAST,
    categories: Categories::KEYSPACE,
    keys: &[key(1).rw_update()],
    args: &[Arg::key("key")],
    run: Run::Write(persist),
    ..Command::NEW
};

fn persist(cx: &mut WriteCx<'_>, _: Request<'_>) -> Outcome {
    let expires = cx.keys.expires_at(0).is_some();
    if expires {
        cx.keys.set_expiry(0, None)?;
        cx.notify(EventClasses::GENERIC, "persist", 0);
    }
    cx.out.integer(i64::from(expires));
    Ok(())
}
