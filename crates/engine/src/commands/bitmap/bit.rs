//! SETBIT and GETBIT: one bit.

use super::offset::bit_offset;
use crate::error::CommandError;
use crate::exec::{ReadCx, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::bits;
use ochre_resp::Request;

pub(super) const SETBIT: Command = Command {
    name: "setbit",
    summary: "Sets or clears one bit of a string, creating or lengthening it with zeros as needed.",
    since: "2.2.0",
    group: Group::Bitmap,
    arity: 4,
    flags: Flags::DENYOOM,
    categories: Categories::BITMAP,
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE))],
    args: &[
        Arg::key("key"),
        Arg::integer("offset"),
        Arg::integer("value"),
    ],
    run: Run::Write(setbit),
    ..Command::NEW
};

fn setbit(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let offset = bit_offset(&args[2], None, cx.env.bulk_max())?;
    let value = match &args[3] {
        b"0" => 0,
        b"1" => 1,
        _ => return Err(CommandError::BIT_VALUE),
    };
    let len = bytes_for(offset)?;
    let reaches = cx.keys.string(0)?.is_some_and(|old| old.len() >= len);
    let bytes = cx.keys.string_mut(0, len)?;
    let before = bits::get_unsigned(bytes, offset, 1);
    if !bits::set_unsigned(bytes, offset, 1, value) {
        return Err(CommandError::BIT_OFFSET);
    }
    if reaches && before == value {
        cx.keys.left_as_it_was(0);
    } else {
        cx.notify(EventClasses::STRING, "setbit", 0);
    }
    cx.out.integer(i64::from(before == 1));
    Ok(())
}

/// Bytes of a string whose last bit is at `offset`.
///
/// # Errors
/// When this machine cannot count them.
pub(super) fn bytes_for(offset: u64) -> Result<usize, CommandError> {
    usize::try_from(offset / 8 + 1).map_err(|_| CommandError::BIT_OFFSET)
}

pub(super) const GETBIT: Command = Command {
    name: "getbit",
    summary: "Returns one bit of a string.",
    since: "2.2.0",
    group: Group::Bitmap,
    arity: 3,
    flags: Flags::FAST,
    categories: Categories::BITMAP,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::integer("offset")],
    run: Run::Read(getbit),
    ..Command::NEW
};

fn getbit(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let offset = bit_offset(&args[2], None, cx.env.bulk_max())?;
    let bit = cx.keys.string(0)?.map_or(0, |value| {
        bits::get_unsigned(value.bytes(&mut itoa::Buffer::new()), offset, 1)
    });
    cx.out.integer(i64::from(bit == 1));
    Ok(())
}
