//! BITCOUNT and BITPOS: counting and finding bits.
//!
//! As in Redis 7.0, the range of a key that does not exist is not looked at (8.2 refuses a wrong one).
//! Strings of [`LATER_MIN`] bytes and more are gone through after the lock is released.

use super::offset::{Range, Unit};
use crate::error::CommandError;
use crate::exec::{LATER_MIN, Out, ReadCx};
use crate::keyspace::Str;
use crate::spec::{Arg, Categories, Command, Group, Outcome, Run, key};
use ochre_ds::bits;
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

const UNIT: Arg = Arg::one_of(
    "unit",
    &[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")],
)
.since("7.0.0")
.optional();

const HISTORY: &[(&str, &str)] = &[("7.0.0", "A range can be given in bits.")];

pub(super) const BITCOUNT: Command = Command {
    name: "bitcount",
    summary: "Counts the set bits of a string or of a range of it.",
    since: "2.6.0",
    group: Group::Bitmap,
    complexity: "O(N)",
    arity: -2,
    categories: Categories::BITMAP,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::block("range", &[Arg::integer("start"), Arg::integer("end"), UNIT]).optional(),
    ],
    history: HISTORY,
    run: Run::Read(bitcount),
    ..Command::NEW
};

fn bitcount(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    if !cx.keys.exists(0) {
        cx.out.integer(0);
        return Ok(());
    }
    let range = match args.len() {
        2 => Range::ALL,
        4 | 5 => Range {
            start: integer(&args[2])?,
            end: integer(&args[3])?,
            unit: args.get(4).map_or(Ok(Unit::Byte), Unit::parse)?,
        },
        _ => return Err(CommandError::SYNTAX),
    };
    over_bytes(cx, move |bytes| {
        // Both before the string would be moved to its first unit, but this way round is empty.
        let reversed = range.start < 0 && range.end < 0 && range.start > range.end;
        let counted = match range.bits(bytes.len()) {
            Some((from, to)) if !reversed => bits::count_range_bits(bytes, from, to),
            _ => 0,
        };
        i64::try_from(counted).unwrap_or(i64::MAX)
    })
}

pub(super) const BITPOS: Command = Command {
    name: "bitpos",
    summary: "Finds the first set or the first clear bit of a string or of a range of it.",
    since: "2.8.7",
    group: Group::Bitmap,
    complexity: "O(N)",
    arity: -3,
    categories: Categories::BITMAP,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::integer("bit"),
        Arg::block(
            "range",
            &[
                Arg::integer("start"),
                Arg::block("end-unit-block", &[Arg::integer("end"), UNIT]).optional(),
            ],
        )
        .optional(),
    ],
    history: HISTORY,
    run: Run::Read(bitpos),
    ..Command::NEW
};

fn bitpos(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let bit = match integer(&args[2])? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BIT_SOUGHT),
    };
    if !cx.keys.exists(0) {
        // Endless zeros.
        cx.out.integer(if bit { -1 } else { 0 });
        return Ok(());
    }
    if args.len() > 6 {
        return Err(CommandError::SYNTAX);
    }
    let start = args.get(3).map_or(Ok(0), integer)?;
    let unit = args.get(5).map_or(Ok(Unit::Byte), Unit::parse)?;
    let end = args.get(4).map(integer).transpose()?;
    let range = Range {
        start,
        end: end.unwrap_or(-1),
        unit,
    };
    over_bytes(cx, move |bytes| {
        let Some((from, to)) = range.bits(bytes.len()) else {
            return -1;
        };
        let at = match bits::find_bit(bytes, bit, from, to) {
            Some(at) => at,
            // Without an end, the string goes on with zeros.
            None if !bit && end.is_none() => to,
            None => return -1,
        };
        i64::try_from(at).unwrap_or(i64::MAX)
    })
}

/// Answers what `compute` makes of the bytes at the first key: at once, or after the lock if they are many.
fn over_bytes(cx: &mut ReadCx<'_>, compute: impl FnOnce(&[u8]) -> i64 + Send + 'static) -> Outcome {
    let Some(value) = cx.keys.string(0)? else {
        cx.out.integer(0);
        return Ok(());
    };
    if let Str::Blob(blob) = value
        && blob.len() >= LATER_MIN
    {
        let blob = blob.clone();
        cx.later(Box::new(move |out: &mut Out| {
            out.integer(compute(blob.as_slice()));
            Ok(())
        }));
        return Ok(());
    }
    let result = compute(value.bytes(&mut itoa::Buffer::new()));
    cx.out.integer(result);
    Ok(())
}

fn integer(arg: &[u8]) -> Result<i64, CommandError> {
    parse_i64(arg).ok_or(CommandError::NOT_INTEGER)
}
