//! Reading string values, whole and in part.
//!
//! Invariant: a large value is sent by reference, and a large part of one is copied after the
//! stripes are released.

use crate::error::CommandError;
use crate::exec::{LATER_MIN, ReadCx, reply_string};
use crate::keyspace::Str;
use crate::spec::{Arg, Categories, Command, Deprecation, Flags, Group, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

pub(super) const GET: Command = Command {
    name: "get",
    summary: "Returns the string value of a key.",
    group: Group::String,
    arity: 2,
    flags: Flags::FAST,
    categories: Categories::STRING,
    keys: &[key(1).read()],
    args: &[Arg::key("key")],
    run: Run::Read(get),
    ..Command::NEW
};

fn get(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    match cx.keys.string(0)? {
        Some(value) => reply_string(cx.out, value),
        None => cx.out.null(),
    }
    Ok(())
}

pub(super) const STRLEN: Command = Command {
    name: "strlen",
    summary: "Returns the length of a string value in bytes.",
    since: "2.2.0",
    group: Group::String,
    arity: 2,
    flags: Flags::FAST,
    categories: Categories::STRING,
    keys: &[key(1).ro()],
    args: &[Arg::key("key")],
    run: Run::Read(strlen),
    ..Command::NEW
};

fn strlen(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let len = cx.keys.string(0)?.map_or(0, |v| v.len());
    cx.out.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const GETRANGE: Command = Command {
    name: "getrange",
    summary: "Returns part of a string value, by its first and last place.",
    since: "2.4.0",
    group: Group::String,
    complexity: "O(N) where N is the length of the part.",
    arity: 4,
    categories: Categories::STRING,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("end")],
    run: Run::Read(getrange),
    ..Command::NEW
};

pub(super) const SUBSTR: Command = Command {
    name: "substr",
    since: "1.0.0",
    deprecated: Some(Deprecation {
        since: "2.0.0",
        instead: "`GETRANGE`",
    }),
    ..GETRANGE
};

fn getrange(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let start = parse_i64(&args[2]).ok_or(CommandError::NOT_INTEGER)?;
    let end = parse_i64(&args[3]).ok_or(CommandError::NOT_INTEGER)?;
    let value = cx.keys.string(0)?.unwrap_or(Str::Inline(b""));
    let len = value.len();
    match part(start, end, len) {
        None => cx.out.bulk(b""),
        Some((0, end)) if end == len => reply_string(cx.out, value),
        Some((start, end)) => match value {
            Str::Blob(blob) if end - start >= LATER_MIN => {
                let blob = blob.clone();
                cx.later(Box::new(move |out| {
                    out.bulk(&blob.as_slice()[start..end]);
                    Ok(())
                }));
            }
            value => cx
                .out
                .bulk(&value.bytes(&mut itoa::Buffer::new())[start..end]),
        },
    }
    Ok(())
}

/// The part from `start` to `end` inclusive, negative ones counted from the end, as a non-empty
/// half-open range; `None` when it is empty. An end before the beginning counts as the first place.
fn part(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let length = i64::try_from(len).ok()?;
    let place = |i: i64| if i < 0 { (i + length).max(0) } else { i };
    let (start, end) = (place(start), place(end).min(length - 1));
    if start > end {
        return None;
    }
    Some((usize::try_from(start).ok()?, usize::try_from(end).ok()? + 1))
}
