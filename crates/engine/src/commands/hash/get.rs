//! Reading single fields of hashes.

use super::{HASH, reply_count, reply_element};
use crate::exec::{Out, ReadCx};
use crate::spec::{Arg, Command, Flags, Outcome, Run, key};
use ochre_ds::hash::HashRef;
use ochre_resp::Request;

/// Fields whose memory is asked for together.
pub(super) const AHEAD: usize = 16;

pub(super) const HGET: Command = Command {
    name: "hget",
    element: 2,
    summary: "Returns the value of one field of a hash.",
    arity: 3,
    flags: Flags::FAST,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::string("field")],
    run: Run::Read(hget),
    ..HASH
};

fn hget(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    reply_field(cx.out, cx.keys.hash(0)?, &args[2]);
    Ok(())
}

/// Sends the value of a field, or null.
#[inline]
pub(super) fn reply_field(out: &mut Out, hash: Option<HashRef<'_>>, field: &[u8]) {
    match hash.and_then(|h| h.get(field)) {
        Some(value) => reply_element(out, value),
        None => out.null(),
    }
}

pub(super) const HMGET: Command = Command {
    name: "hmget",
    summary: "Returns the values of several fields of a hash.",
    complexity: "O(N) where N is the number of fields being requested.",
    arity: -3,
    flags: Flags::FAST,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::string("field").multiple()],
    run: Run::Read(hmget),
    ..HASH
};

fn hmget(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let hash = cx.keys.hash(0)?;
    let count = args.len() - 2;
    cx.out.array(count);
    for (i, field) in args.tail(2).iter().enumerate() {
        if i.is_multiple_of(AHEAD)
            && count > 1
            && let Some(hash) = hash
        {
            hash.prefetch_all(args.tail(2 + i).iter().take(AHEAD));
        }
        reply_field(cx.out, hash, field);
    }
    Ok(())
}

pub(super) const HEXISTS: Command = Command {
    name: "hexists",
    element: 2,
    summary: "Tells whether a hash has a field.",
    arity: 3,
    flags: Flags::FAST,
    keys: &[key(1).ro()],
    args: &[Arg::key("key"), Arg::string("field")],
    run: Run::Read(hexists),
    ..HASH
};

fn hexists(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let found = cx.keys.hash(0)?.is_some_and(|h| h.contains(&args[2]));
    cx.out.integer(i64::from(found));
    Ok(())
}

pub(super) const HSTRLEN: Command = Command {
    name: "hstrlen",
    element: 2,
    summary: "Returns the length of a field's value in bytes.",
    since: "3.2.0",
    arity: 3,
    flags: Flags::FAST,
    keys: &[key(1).ro()],
    args: &[Arg::key("key"), Arg::string("field")],
    run: Run::Read(hstrlen),
    ..HASH
};

fn hstrlen(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let value = cx.keys.hash(0)?.and_then(|h| h.get(&args[2]));
    reply_count(cx.out, value.map_or(0, |v| v.len()));
    Ok(())
}

pub(super) const HLEN: Command = Command {
    name: "hlen",
    summary: "Returns the number of fields of a hash.",
    arity: 2,
    flags: Flags::FAST,
    keys: &[key(1).ro()],
    args: &[Arg::key("key")],
    run: Run::Read(hlen),
    ..HASH
};

fn hlen(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    reply_count(cx.out, cx.keys.hash(0)?.map_or(0, HashRef::len));
    Ok(())
}
