//! Reading whole string values.

use crate::exec::{ReadCx, reply_string};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
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
