//! Setting and deleting fields of hashes.

use super::get::{AHEAD, reply_field};
use super::{HASH, reply_count};
use crate::error::CommandError;
use crate::exec::{WriteCx, wrong_arity};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Command, Deprecation, Flags, Outcome, Run, key};
use ochre_ds::hash::{Hash, Limits};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

const PAIRS: &[Arg] = &[
    Arg::key("key"),
    Arg::block("data", &[Arg::string("field"), Arg::string("value")]).multiple(),
];

pub(super) const HSET: Command = Command {
    name: "hset",
    element: 2,
    summary: "Sets fields of a hash.",
    complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
    arity: -4,
    flags: Flags::FAST.with(Flags::DENYOOM),
    keys: &[key(1).rw_update()],
    args: PAIRS,
    history: &[("4.0.0", "Several fields and values.")],
    run: Run::Write(hset),
    ..HASH
};

fn hset(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let added = set_pairs(cx, args, "hset")?;
    reply_count(cx.out, added);
    Ok(())
}

pub(super) const HMSET: Command = Command {
    name: "hmset",
    element: 2,
    summary: "Sets several fields of a hash.",
    complexity: "O(N) where N is the number of fields being set.",
    history: &[],
    deprecated: Some(Deprecation {
        since: "4.0.0",
        instead: "`HSET` with several fields and values",
    }),
    run: Run::Write(hmset),
    ..HSET
};

fn hmset(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    set_pairs(cx, args, "hmset")?;
    cx.out.ok();
    Ok(())
}

/// Sets the fields that the arguments name from the third on, and returns how many are new.
fn set_pairs(cx: &mut WriteCx<'_>, args: Request<'_>, name: &str) -> Result<usize, CommandError> {
    if !args.len().is_multiple_of(2) {
        return Err(wrong_arity(name));
    }
    let (limits, seed) = (cx.env.hash_limits(), cx.env.hash_seed());
    let pairs = args.len() / 2 - 1;
    let added = cx.keys.edit_hash(0, |hash| {
        hash.prepare(pairs, &limits, seed)?;
        let mut added = 0;
        for pair in 0..pairs {
            let at = 2 + 2 * pair;
            if pair.is_multiple_of(AHEAD) && pairs > 1 {
                let fields = args.tail(at).iter().step_by(2).take(AHEAD);
                hash.view().prefetch_all(fields);
            }
            let new = hash.set(&args[at], &args[at + 1], &limits, seed)?;
            added += usize::from(new);
        }
        Ok((added, pairs as u64))
    })?;
    cx.notify(EventClasses::HASH, "hset", 0);
    Ok(added)
}

pub(super) const HSETNX: Command = Command {
    name: "hsetnx",
    element: 2,
    summary: "Sets a field of a hash that has no such field.",
    arity: 4,
    flags: Flags::FAST.with(Flags::DENYOOM),
    keys: &[key(1).access(Access::RW.with(Access::INSERT))],
    args: &[Arg::key("key"), Arg::string("field"), Arg::string("value")],
    run: Run::Write(hsetnx),
    ..HASH
};

fn hsetnx(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (limits, seed) = (cx.env.hash_limits(), cx.env.hash_seed());
    let set = cx.keys.edit_hash(0, |hash| {
        if hash.view().contains(&args[2]) {
            return Ok((false, 0));
        }
        set_one(hash, &args[2], &args[3], &limits, seed)?;
        Ok((true, 1))
    })?;
    if set {
        cx.notify(EventClasses::HASH, "hset", 0);
    }
    cx.out.integer(i64::from(set));
    Ok(())
}

/// Sets one field.
pub(super) fn set_one(
    hash: &mut Hash,
    field: &[u8],
    value: &[u8],
    limits: &Limits,
    seed: u64,
) -> Result<bool, CommandError> {
    // A limit of no fields at all is passed by the first one.
    hash.prepare(1, limits, seed)?;
    Ok(hash.set(field, value, limits, seed)?)
}

pub(super) const HDEL: Command = Command {
    name: "hdel",
    element: 2,
    summary: "Deletes fields of a hash, and the hash with the last one.",
    complexity: "O(N) where N is the number of fields to be removed.",
    arity: -3,
    flags: Flags::FAST,
    keys: &[key(1).access(Access::RW.with(Access::DELETE))],
    args: &[Arg::key("key"), Arg::string("field").multiple()],
    history: &[("2.4.0", "Several fields.")],
    run: Run::Write(hdel),
    ..HASH
};

fn hdel(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let removed = remove_fields(cx, args.tail(2))?;
    if removed > 0 {
        cx.notify_taken(EventClasses::HASH, "hdel", 0);
    }
    reply_count(cx.out, removed);
    Ok(())
}

/// Removes fields of key 0, and returns how many there were.
fn remove_fields(cx: &mut WriteCx<'_>, fields: Request<'_>) -> Result<usize, CommandError> {
    cx.keys.edit_hash(0, |hash| {
        let mut removed = 0;
        for (i, field) in fields.iter().enumerate() {
            if i.is_multiple_of(AHEAD) && fields.len() > 1 {
                hash.view().prefetch_all(fields.tail(i).iter().take(AHEAD));
            }
            removed += usize::from(hash.remove(field));
        }
        Ok((removed, removed as u64))
    })
}

/// Deletes fields and answers the values that they had, null for one that was not there. How many were there.
pub(super) fn take_fields(cx: &mut WriteCx<'_>, fields: Request<'_>) -> Result<u64, CommandError> {
    cx.out.array(fields.len());
    let out = &mut *cx.out;
    let removed = cx.keys.edit_hash(0, |hash| {
        let mut removed = 0;
        for field in fields.iter() {
            // A field that is named twice is gone the second time.
            reply_field(out, Some(hash.view()), field);
            removed += u64::from(hash.remove(field));
        }
        Ok((removed, removed))
    })?;
    if removed > 0 {
        cx.notify_taken(EventClasses::HASH, "hdel", 0);
    }
    Ok(removed)
}

pub(super) const HGETDEL: Command = Command {
    name: "hgetdel",
    summary: "Returns the values of fields of a hash and deletes the fields.",
    since: "8.0.0",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::FAST,
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::DELETE))],
    args: &[
        Arg::key("key"),
        Arg::block(
            "fields",
            &[Arg::integer("numfields"), Arg::string("field").multiple()],
        )
        .token("FIELDS"),
    ],
    run: Run::Write(hgetdel),
    ..HASH
};

fn hgetdel(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    /// Where the fields begin: command, key, FIELDS, number.
    const FIRST: usize = 4;
    // The type is looked at before the arguments.
    cx.keys.hash(0)?;
    if !args[2].eq_ignore_ascii_case(b"FIELDS") {
        return Err(CommandError::FIELDS_MISSING);
    }
    let number = parse_i64(&args[3]).filter(|n| *n > 0);
    let number = number.ok_or(CommandError::NUMFIELDS)?;
    if usize::try_from(number) != Ok(args.len() - FIRST) {
        return Err(CommandError::NUMFIELDS_MISMATCH);
    }
    let fields = args.tail(FIRST);
    if take_fields(cx, fields)? > 0 {
        let deletion = [b"HDEL".as_slice(), &args[1]];
        cx.effects
            .replace(deletion.into_iter().chain(fields.iter()));
    }
    Ok(())
}
