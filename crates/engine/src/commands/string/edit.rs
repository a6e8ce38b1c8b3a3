//! Changing a value in place: APPEND and SETRANGE.
//!
//! Invariants
//! - No value grows beyond `proto-max-bulk-len`.
//! - Writing nothing changes nothing: SETRANGE with an empty value creates no key.

use super::set::checked_len;
use crate::error::CommandError;
use crate::exec::{Expiry, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

pub(super) const APPEND: Command = Command {
    name: "append",
    summary: "Appends to the string value of a key, and creates it if there is none.",
    since: "2.0.0",
    group: Group::String,
    complexity: "O(1) amortized: room for growth is reserved ahead.",
    arity: 3,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::STRING,
    keys: &[key(1).access(Access::RW.with(Access::INSERT))],
    args: &[Arg::key("key"), Arg::string("value")],
    run: Run::Write(append),
    ..Command::NEW
};

fn append(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let addition = &args[2];
    let len = match cx.keys.string(0)?.map(|v| v.len()) {
        None => {
            cx.keys.set_string(0, addition, Expiry::Clear)?;
            addition.len()
        }
        Some(old) => {
            let len = checked_len(old, addition.len(), cx.env.bulk_max())?;
            cx.keys.string_mut(0, len)?[old..len].copy_from_slice(addition);
            len
        }
    };
    cx.notify(EventClasses::STRING, "append", 0);
    cx.out.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const SETRANGE: Command = Command {
    name: "setrange",
    summary: "Overwrites part of the string value of a key from an offset on, and creates it if there is none.",
    since: "2.2.0",
    group: Group::String,
    complexity: "O(1) plus the copying of the new part, O(M) where M is its length.",
    arity: 4,
    flags: Flags::DENYOOM,
    categories: Categories::STRING,
    keys: &[key(1).rw_update()],
    args: &[
        Arg::key("key"),
        Arg::integer("offset"),
        Arg::string("value"),
    ],
    run: Run::Write(setrange),
    ..Command::NEW
};

fn setrange(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let offset = parse_i64(&args[2]).ok_or(CommandError::NOT_INTEGER)?;
    let offset = usize::try_from(offset).map_err(|_| CommandError::OFFSET)?;
    let part = &args[3];
    let old = cx.keys.string(0)?.map_or(0, |v| v.len());
    let mut len = old;
    if !part.is_empty() {
        let end = checked_len(offset, part.len(), cx.env.bulk_max())?;
        len = len.max(end);
        cx.keys.string_mut(0, len)?[offset..end].copy_from_slice(part);
        cx.notify(EventClasses::STRING, "setrange", 0);
    }
    cx.out.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}
