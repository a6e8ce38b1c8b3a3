//! DUMP and RESTORE: a value out of the server and back in.
//!
//! RESTORE checks in Redis's order: options, existing key, TTL, footer, content. Its payload is
//! hostile; see [`crate::serial`].

use crate::error::CommandError;
use crate::exec::{Expiry, LATER_MIN, Out, ReadCx, SHARE_MIN, WriteCx};
use crate::keyspace::Str;
use crate::keyspace::access::CLOCK_MASK;
use crate::keyspace::entry::INLINE_VALUE_MAX;
use crate::serial::{self, read::Loaded};
use crate::settings::id;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::blob::Blob;
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

pub(super) const DUMP: Command = Command {
    name: "dump",
    summary: "Returns the value of a key in serialised form.",
    since: "2.6.0",
    group: Group::Generic,
    complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
    arity: 2,
    categories: Categories::KEYSPACE,
    keys: &[key(1).read()],
    args: &[Arg::key("key")],
    tips: &["nondeterministic_output"],
    run: Run::Read(dump),
    ..Command::NEW
};

fn dump(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let compress = cx.env.engine.settings.flag(id::RDBCOMPRESSION);
    let Some(value) = cx.keys.string(0)? else {
        cx.out.null();
        return Ok(());
    };
    if let Str::Blob(blob) = value
        && blob.len() >= LATER_MIN
    {
        let blob = blob.clone();
        cx.later(Box::new(move |out: &mut Out| {
            reply(out, serial::dump_string(blob.as_slice(), compress));
            Ok(())
        }));
        return Ok(());
    }
    let payload = serial::dump_string(value.bytes(&mut itoa::Buffer::new()), compress);
    reply(cx.out, payload);
    Ok(())
}

fn reply(out: &mut Out, payload: Vec<u8>) {
    if payload.len() >= SHARE_MIN {
        out.shared(Blob::from(payload));
    } else {
        out.bulk(&payload);
    }
}

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
    let value = unpack(cx, &args[3])?;
    // A time that overflows has passed, as in Redis, where it wraps.
    let expires_at = match ttl {
        0 => None,
        _ if options.absolute => Some(ttl),
        _ => Some(ttl.checked_add(cx.env.now_ms).unwrap_or(i64::MIN)),
    };
    if expires_at.is_some_and(|at| at <= cx.env.now_ms) {
        if cx.keys.remove(0)? {
            cx.effects.replace([b"DEL".as_slice(), &args[1]]);
        }
        cx.out.ok();
        return Ok(());
    }
    store(cx, value, expires_at.map_or(Expiry::Clear, Expiry::At))?;
    if let Some(clock) = options.clock(cx) {
        cx.keys.set_access_clock(0, clock);
    }
    if let Some(at) = expires_at.filter(|_| !options.absolute) {
        let at = itoa::Buffer::new().format(at).to_owned();
        let head = [b"RESTORE".as_slice(), &args[1], at.as_bytes(), &args[3]];
        let effect = head.into_iter().chain(args.tail(4));
        cx.effects.replace(effect.chain([b"ABSTTL".as_slice()]));
    }
    cx.out.ok();
    Ok(())
}

/// The value of a payload; a large one lets other connections of the worker move on meanwhile.
fn unpack<'p>(cx: &WriteCx<'_>, payload: &'p [u8]) -> Result<Loaded<'p>, CommandError> {
    let max = cx.env.bulk_max();
    let read = move || {
        let body = serial::verified(payload).ok_or(CommandError::RESTORE_FOOTER)?;
        serial::load(body, max).map_err(|_| CommandError::RESTORE_DATA)
    };
    if payload.len() < LATER_MIN {
        return read();
    }
    let mut result = Err(CommandError::RESTORE_DATA);
    cx.env.engine.runtime.long(&mut || result = read());
    result
}

fn store(cx: &mut WriteCx<'_>, value: Loaded<'_>, expiry: Expiry) -> Outcome {
    match value {
        Loaded::Int(n) => cx.keys.set_int(0, n, expiry),
        Loaded::Plain(bytes) => cx.keys.set_string(0, bytes, expiry),
        Loaded::Unpacked(bytes) if bytes.len() > INLINE_VALUE_MAX => {
            cx.keys.set_raw(0, bytes, expiry)
        }
        Loaded::Unpacked(bytes) => cx.keys.set_string(0, &bytes, expiry),
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
