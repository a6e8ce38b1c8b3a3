//! Whether keys are there and of which type, and removing them.
//!
//! A key that is named twice counts twice where it is only looked at, once where it is removed.
//! Removed values are freed after the locks are released, for DEL as for UNLINK.

use crate::exec::{ReadCx, WriteCx};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

const PER_KEY: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub(super) const DEL: Command = Command {
    name: "del",
    summary: "Removes keys.",
    group: Group::Generic,
    complexity: "O(N) where N is the number of keys. Large values are freed in the background.",
    arity: -2,
    categories: Categories::KEYSPACE,
    keys: &[key(1).to(-1, 1).remove()],
    args: &[Arg::key("key").multiple()],
    tips: PER_KEY,
    run: Run::Write(remove),
    ..Command::NEW
};

pub(super) const UNLINK: Command = Command {
    name: "unlink",
    summary: "Removes keys and frees their values in the background.",
    since: "4.0.0",
    group: Group::Generic,
    complexity: "O(N) where N is the number of keys. Large values are freed in the background.",
    arity: -2,
    flags: Flags::FAST,
    categories: Categories::KEYSPACE,
    keys: &[key(1).to(-1, 1).remove()],
    args: &[Arg::key("key").multiple()],
    tips: PER_KEY,
    run: Run::Write(remove),
    ..Command::NEW
};

fn remove(cx: &mut WriteCx<'_>, _: Request<'_>) -> Outcome {
    let mut removed = 0;
    for i in 0..cx.keys.count() {
        if cx.keys.remove(i)? {
            removed += 1;
            cx.notify_removed(i);
        }
    }
    cx.out.integer(removed);
    Ok(())
}

pub(super) const EXISTS: Command = Command {
    name: "exists",
    summary: "Counts the named keys that exist.",
    group: Group::Generic,
    complexity: "O(N) where N is the number of keys.",
    arity: -2,
    flags: Flags::FAST.with(Flags::NO_TOUCH),
    categories: Categories::KEYSPACE,
    keys: &[key(1).to(-1, 1).ro()],
    args: &[Arg::key("key").multiple()],
    history: &[("3.0.3", "More than one key may be named.")],
    tips: PER_KEY,
    run: Run::Read(count),
    ..Command::NEW
};

pub(super) const TOUCH: Command = Command {
    name: "touch",
    summary: "Records an access to keys and counts those that exist.",
    since: "3.2.1",
    group: Group::Generic,
    complexity: "O(N) where N is the number of keys.",
    arity: -2,
    flags: Flags::FAST.with(Flags::ALWAYS_TOUCH),
    categories: Categories::KEYSPACE,
    keys: &[key(1).to(-1, 1).ro()],
    args: &[Arg::key("key").multiple()],
    tips: PER_KEY,
    run: Run::Read(count),
    ..Command::NEW
};

fn count(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let existing = (0..cx.keys.count()).filter(|i| cx.keys.exists(*i)).count();
    cx.out.integer(i64::try_from(existing).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const TYPE: Command = Command {
    name: "type",
    summary: "Names the type of the value at a key.",
    group: Group::Generic,
    arity: 2,
    flags: Flags::FAST.with(Flags::NO_TOUCH),
    categories: Categories::KEYSPACE,
    keys: &[key(1).ro()],
    args: &[Arg::key("key")],
    run: Run::Read(type_of),
    ..Command::NEW
};

fn type_of(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    cx.out.simple(cx.keys.type_name(0).unwrap_or("none"));
    Ok(())
}
