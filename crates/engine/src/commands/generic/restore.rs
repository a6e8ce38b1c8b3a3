//! RESTORE: a value back in, from the form in which DUMP, and Redis, give it.
//!
//! The checks are made in Redis's order: options, existing key, TTL, footer, content. The payload is
//! hostile; see [`crate::serial`].

use crate::error::CommandError;
use crate::exec::{Expiry, LATER_MIN, WriteCx};
use crate::keyspace::access::CLOCK_MASK;
use crate::keyspace::entry::INLINE_VALUE_MAX;
use crate::serial::{self, Conditions, LoadError, Restored, read::Loaded};
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

pub(super) const RESTORE: Command = Command {
    name: "restore",
    summary: "Creates a key from a value in serialised form.",
    since: "2.6.0",
    group: Group::Generic,
    complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
    arity: -4,
    flags: Flags::DENYOOM,
    categories: Categories::KEYSPACE.with(Categories::DANGEROUS),
    keys: &[key(1).overwrite()],
    args: &[
        Arg::key("key"),
        Arg::integer("ttl"),
        Arg::string("serialized-value"),
        Arg::word("replace", "REPLACE").since("3.0.0").optional(),
        Arg::word("absttl", "ABSTTL").since("5.0.0").optional(),
        Arg::integer("seconds")
            .token("IDLETIME")
            .since("5.0.0")
            .optional(),
        Arg::integer("frequency")
            .token("FREQ")
            .since("5.0.0")
            .optional(),
    ],
    history: &[
        ("3.0.0", "REPLACE."),
        ("5.0.0", "ABSTTL."),
        ("5.0.0", "IDLETIME and FREQ."),
    ],
    run: Run::Write(restore),
    ..Command::NEW
};

/// RESTORE for a slot that is being imported.
pub(super) const RESTORE_ASKING: Command = Command {
    name: "restore-asking",
    summary: "Does what RESTORE does, for keys that migrate between nodes.",
    since: "3.0.0",
    group: Group::Server,
    flags: Flags::DENYOOM.with(Flags::ASKING),
    ..RESTORE
};

fn restore(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let options = Options::parse(args)?;
    if !options.replace && cx.keys.exists(0) {
        return Err(CommandError::BUSY_KEY);
    }
    let ttl = integer(&args[2])?;
    if ttl < 0 {
        return Err(CommandError::RESTORE_TTL);
    }
    let conditions = Conditions {
        bulk_max: cx.env.bulk_max(),
        limits: cx.env.limits(),
        seed: cx.env.hash_seed(),
    };
    // Building a large collection takes longer than others should wait for the key's stripe.
    let large = args[3].len() >= LATER_MIN && args[3].first() != Some(&serial::TYPE_STRING);
    if large && !cx.must_finish() {
        let payload = args[3].to_vec();
        cx.outside(Box::new(move || {
            let value = match unpack(&payload, &conditions) {
                Ok(Restored::Collection(object)) => Ok(object),
                Ok(Restored::String(_)) => Err(CommandError::RESTORE_DATA),
                Err(error) => Err(error),
            };
            Box::new(move |cx: &mut WriteCx<'_>| {
                finish(cx, Restored::Collection(value?)).map(|()| true)
            })
        }));
        return Ok(());
    }
    let mut value = Err(CommandError::RESTORE_DATA);
    if args[3].len() < LATER_MIN {
        value = unpack(&args[3], &conditions);
    } else {
        let mut work = || value = unpack(&args[3], &conditions);
        cx.env.engine.runtime.long(&mut work);
    }
    finish(cx, value?)
}

fn unpack<'p>(payload: &'p [u8], conditions: &Conditions) -> Result<Restored<'p>, CommandError> {
    let body = serial::verified(payload).ok_or(CommandError::RESTORE_FOOTER)?;
    serial::load(body, conditions).map_err(|error| match error {
        LoadError::BadData => CommandError::RESTORE_DATA,
        LoadError::Full => CommandError::FULL,
    })
}

/// Stores the value, as the request says; it may have been read while the key was not locked.
fn finish(cx: &mut WriteCx<'_>, value: Restored<'_>) -> Outcome {
    let args = cx.keys.args;
    let options = Options::parse(args)?;
    if !options.replace && cx.keys.exists(0) {
        return Err(CommandError::BUSY_KEY);
    }
    // A time that overflows has passed, as in Redis, where it wraps.
    let expires_at = match integer(&args[2])? {
        0 => None,
        ttl if options.absolute => Some(ttl),
        ttl => Some(ttl.checked_add(cx.env.now_ms).unwrap_or(i64::MIN)),
    };
    if expires_at.is_some_and(|at| at <= cx.env.now_ms) {
        if cx.keys.remove(0)? {
            cx.notify_removed(0);
            cx.effects.replace([b"DEL".as_slice(), &args[1]]);
        }
        cx.out.ok();
        return Ok(());
    }
    let before = cx.keys.type_name(0);
    store(cx, value, expires_at.map_or(Expiry::Clear, Expiry::At))?;
    cx.notify_new(0);
    cx.notify(EventClasses::GENERIC, "restore", 0);
    cx.notify_replaced(0, before);
    let clock = options.clock(cx).unwrap_or_else(|| cx.keys.rule().fresh());
    cx.keys.set_access_clock(0, clock);
    if let Some(at) = expires_at.filter(|_| !options.absolute) {
        let at = itoa::Buffer::new().format(at).to_owned();
        let head = [b"RESTORE".as_slice(), &args[1], at.as_bytes(), &args[3]];
        let effect = head.into_iter().chain(args.tail(4));
        cx.effects.replace(effect.chain([b"ABSTTL".as_slice()]));
    }
    cx.out.ok();
    Ok(())
}

fn store(cx: &mut WriteCx<'_>, value: Restored<'_>, expiry: Expiry) -> Outcome {
    match value {
        Restored::Collection(object) => cx.keys.store(0, object, expiry).map(drop),
        Restored::String(Loaded::Int(n)) => cx.keys.set_int(0, n, expiry),
        Restored::String(Loaded::Plain(bytes)) => cx.keys.set_string(0, bytes, expiry),
        Restored::String(Loaded::Unpacked(bytes)) if bytes.len() > INLINE_VALUE_MAX => {
            cx.keys.set_raw(0, bytes, expiry)
        }
        Restored::String(Loaded::Unpacked(bytes)) => cx.keys.set_string(0, &bytes, expiry),
    }
}

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<i64>,
    frequency: Option<u8>,
}

impl Options {
    /// # Errors
    /// For unknown words, for IDLETIME beside FREQ, and for values out of range.
    fn parse(args: Request<'_>) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut words = args.tail(4).iter();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"replace") {
                options.replace = true;
            } else if word.eq_ignore_ascii_case(b"absttl") {
                options.absolute = true;
            } else if word.eq_ignore_ascii_case(b"idletime") && options.frequency.is_none() {
                let idle = integer(words.next().ok_or(CommandError::SYNTAX)?)?;
                if idle < 0 {
                    return Err(CommandError::RESTORE_IDLETIME);
                }
                options.idle_seconds = Some(idle);
            } else if word.eq_ignore_ascii_case(b"freq") && options.idle_seconds.is_none() {
                let frequency = integer(words.next().ok_or(CommandError::SYNTAX)?)?;
                let byte = u8::try_from(frequency).map_err(|_| CommandError::RESTORE_FREQ)?;
                options.frequency = Some(byte);
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(options)
    }

    /// The access clock that the options ask for, as far as the eviction policy has a use for them.
    fn clock(&self, cx: &WriteCx<'_>) -> Option<u32> {
        let rule = cx.keys.rule();
        if rule.lfu {
            return self.frequency.map(|f| rule.minutes << 8 | u32::from(f));
        }
        let idle = self.idle_seconds? & i64::from(CLOCK_MASK);
        let idle = u32::try_from(idle).ok()?;
        Some(rule.seconds.wrapping_sub(idle) & CLOCK_MASK)
    }
}

fn integer(arg: &[u8]) -> Result<i64, CommandError> {
    parse_i64(arg).ok_or(CommandError::NOT_INTEGER)
}
