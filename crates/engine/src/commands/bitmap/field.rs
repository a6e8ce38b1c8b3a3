//! BITFIELD and BITFIELD_RO: integers of 1 to 64 bits anywhere in a string.
//!
//! Invariants
//! - All operations are parsed before the first is carried out, so a wrong one changes nothing.
//! - A request that only reads neither creates nor lengthens the key; one that writes lengthens it to
//!   its last field at once, even if OVERFLOW FAIL then refuses every write (as Redis does).

use super::bit::bytes_for;
use super::offset::bit_offset;
use crate::error::CommandError;
use crate::exec::{Out, ReadCx, WriteCx};
use crate::keyspace::Str;
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::bits;
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

const ENCODING: Arg = Arg::string("encoding");
const OFFSET: Arg = Arg::integer("offset");
const GET: Arg = Arg::block("get-block", &[ENCODING, OFFSET]).token("GET");

pub(super) const BITFIELD: Command = Command {
    name: "bitfield",
    summary: "Reads, sets and increments integer fields of any width in a string.",
    since: "3.2.0",
    group: Group::Bitmap,
    complexity: "O(1) for each subcommand specified",
    arity: -2,
    flags: Flags::DENYOOM,
    categories: Categories::BITMAP,
    keys: &[key(1)
        .access(
            Access::RW
                .with(Access::ACCESS)
                .with(Access::UPDATE)
                .with(Access::VARIABLE),
        )
        .note("Subcommands decide whether the key is read or changed")],
    variable: Some(bitfield_access),
    args: &[
        Arg::key("key"),
        Arg::one_of(
            "operation",
            &[
                GET,
                Arg::block(
                    "write",
                    &[
                        Arg::one_of(
                            "overflow-block",
                            &[
                                Arg::word("wrap", "WRAP"),
                                Arg::word("sat", "SAT"),
                                Arg::word("fail", "FAIL"),
                            ],
                        )
                        .token("OVERFLOW")
                        .optional(),
                        Arg::one_of(
                            "write-operation",
                            &[
                                Arg::block("set-block", &[ENCODING, OFFSET, Arg::integer("value")])
                                    .token("SET"),
                                Arg::block(
                                    "incrby-block",
                                    &[ENCODING, OFFSET, Arg::integer("increment")],
                                )
                                .token("INCRBY"),
                            ],
                        ),
                    ],
                ),
            ],
        )
        .optional()
        .multiple(),
    ],
    run: Run::Write(bitfield),
    ..Command::NEW
};

fn bitfield(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let operations = parse(args, cx.env.bulk_max())?;
    let last_bit = operations
        .iter()
        .filter(|o| !matches!(o.action, Action::Get))
        .map(|o| o.field.offset + u64::from(o.field.bits) - 1)
        .max();
    let Some(last_bit) = last_bit else {
        cx.sought(0);
        read_all(cx.keys.string(0)?, &operations, cx.out);
        return Ok(());
    };
    let before = cx.keys.string(0)?.map(|value| value.len());
    let bytes = cx.keys.string_mut(0, bytes_for(last_bit)?)?;
    let grows = before.is_none_or(|len| len < bytes.len());
    let mut changed = 0;
    cx.out.array(operations.len());
    for operation in &operations {
        let value = operation.field.get(bytes);
        match operation.apply(bytes) {
            Some(reply) => cx.out.integer(reply),
            None => {
                cx.out.null();
                continue;
            }
        }
        let writes = !matches!(operation.action, Action::Get);
        changed += u64::from(writes && (grows || operation.field.get(bytes) != value));
    }
    cx.keys.count_changes(changed.saturating_sub(1));
    match (changed > 0, grows) {
        (true, _) => cx.notify(EventClasses::STRING, "setbit", 0),
        (false, false) => cx.keys.left_as_it_was(0),
        // compat: a string that only became longer, because all was refused, is no change to those who watch it.
        (false, true) => {
            cx.keys.unnoticed(0);
            if before.is_none() {
                cx.notify_new(0);
            }
        }
    }
    Ok(())
}

pub(super) const BITFIELD_RO: Command = Command {
    name: "bitfield_ro",
    summary: "Reads integer fields of any width in a string.",
    since: "6.0.0",
    group: Group::Bitmap,
    complexity: "O(1) for each subcommand specified",
    arity: -2,
    flags: Flags::FAST,
    categories: Categories::BITMAP,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), GET.optional().multiple_token()],
    run: Run::Read(bitfield_ro),
    ..Command::NEW
};

fn bitfield_ro(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let operations = parse(args, cx.env.bulk_max())?;
    if operations.iter().any(|o| !matches!(o.action, Action::Get)) {
        return Err(CommandError::BITFIELD_READ_ONLY);
    }
    read_all(cx.keys.string(0)?, &operations, cx.out);
    Ok(())
}

fn read_all(value: Option<Str<'_>>, operations: &[Operation], out: &mut Out) {
    let mut digits = itoa::Buffer::new();
    let bytes = value.as_ref().map_or(&[][..], |v| v.bytes(&mut digits));
    out.array(operations.len());
    for operation in operations {
        out.integer(operation.field.get(bytes));
    }
}

/// Where an integer is and what it can hold. An unsigned one has at most 63 bits, so all fit `i64`.
#[derive(Clone, Copy, Debug)]
struct Field {
    signed: bool,
    bits: u32,
    offset: u64,
}

impl Field {
    fn get(self, bytes: &[u8]) -> i64 {
        if self.signed {
            bits::get_signed(bytes, self.offset, self.bits)
        } else {
            bits::get_unsigned(bytes, self.offset, self.bits).cast_signed()
        }
    }

    /// The least and the greatest value.
    fn limits(self) -> (i128, i128) {
        if self.signed {
            (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        } else {
            (0, (1 << self.bits) - 1)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// BITFIELD without a change only reads.
///
/// compat: as in Redis, which looks at the words of GET and OVERFLOW and at how many operands they have, not at these.
fn bitfield_access(args: Request<'_>) -> Access {
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let left = args.len() - at - 1;
        if left >= 2 && word.eq_ignore_ascii_case(b"get") {
            at += 3;
        } else if left >= 1 && word.eq_ignore_ascii_case(b"overflow") {
            at += 2;
        } else {
            return Access::RW.with(Access::ACCESS).with(Access::UPDATE);
        }
    }
    Access::RO.with(Access::ACCESS)
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    field: Field,
    action: Action,
}

impl Operation {
    /// Carries the operation out on a string that holds its field, and gives its reply: `None` where it
    /// was refused.
    fn apply(&self, bytes: &mut [u8]) -> Option<i64> {
        let Operation { field, action } = *self;
        let before = field.get(bytes);
        let (wanted, overflow) = match action {
            Action::Get => return Some(before),
            // A negative number is a large one where the field has no sign.
            Action::Set(value, overflow) if !field.signed => {
                (i128::from(value.cast_unsigned()), overflow)
            }
            Action::Set(value, overflow) => (i128::from(value), overflow),
            Action::Add(increment, overflow) => {
                (i128::from(before) + i128::from(increment), overflow)
            }
        };
        let (least, greatest) = field.limits();
        let stored = match overflow {
            _ if (least..=greatest).contains(&wanted) => wanted,
            Overflow::Fail => return None,
            // compat: Redis computes the room above a value in 64 bits; where that overflows, a value far
            // below the field's range is taken for one above it.
            Overflow::Saturate
                if matches!(action, Action::Set(..))
                    && greatest - wanted > i128::from(i64::MAX) =>
            {
                greatest
            }
            Overflow::Saturate => wanted.clamp(least, greatest),
            Overflow::Wrap => wanted,
        };
        // Wrapping is keeping the low bits.
        let low_bits = (stored & i128::from(u64::MAX)) as u64;
        let written = bits::set_unsigned(bytes, field.offset, field.bits, low_bits);
        debug_assert!(written, "the string was made long enough");
        match action {
            Action::Add(..) => Some(field.get(bytes)),
            _ => Some(before),
        }
    }
}

/// # Errors
/// Redis's texts, for the first thing that is wrong.
fn parse(args: Request<'_>, bulk_max: usize) -> Result<Vec<Operation>, CommandError> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let left = args.len() - at - 1;
        let is = |name: &[u8], operands| left >= operands && word.eq_ignore_ascii_case(name);
        let (is_get, is_set) = (is(b"get", 2), is(b"set", 3));
        if is(b"overflow", 1) {
            overflow = parse_overflow(&args[at + 1])?;
            at += 2;
            continue;
        }
        if !is_get && !is_set && !is(b"incrby", 3) {
            return Err(CommandError::SYNTAX);
        }
        let (signed, bits) = parse_type(&args[at + 1]).ok_or(CommandError::BITFIELD_TYPE)?;
        let offset = bit_offset(&args[at + 2], Some(bits), bulk_max)?;
        let action = if is_get {
            at += 3;
            Action::Get
        } else {
            let value = parse_i64(&args[at + 3]).ok_or(CommandError::NOT_INTEGER)?;
            at += 4;
            if is_set {
                Action::Set(value, overflow)
            } else {
                Action::Add(value, overflow)
            }
        };
        let field = Field {
            signed,
            bits,
            offset,
        };
        operations.push(Operation { field, action });
    }
    Ok(operations)
}

fn parse_overflow(word: &[u8]) -> Result<Overflow, CommandError> {
    if word.eq_ignore_ascii_case(b"wrap") {
        Ok(Overflow::Wrap)
    } else if word.eq_ignore_ascii_case(b"sat") {
        Ok(Overflow::Saturate)
    } else if word.eq_ignore_ascii_case(b"fail") {
        Ok(Overflow::Fail)
    } else {
        Err(CommandError::BITFIELD_OVERFLOW)
    }
}

/// `i` or `u` and a width: whether it has a sign, and its bits.
fn parse_type(arg: &[u8]) -> Option<(bool, u32)> {
    let (signed, width) = match arg {
        [b'i', width @ ..] => (true, width),
        [b'u', width @ ..] => (false, width),
        _ => return None,
    };
    let most = if signed { 64 } else { 63 };
    let bits = u32::try_from(parse_i64(width)?).ok()?;
    (1..=most).contains(&bits).then_some((signed, bits))
}
