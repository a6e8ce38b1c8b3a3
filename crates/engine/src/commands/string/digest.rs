//! Comparing values: IFEQ, IFNE, IFDEQ, IFDNE, and the commands DIGEST and DELEX.
//!
//! A digest is the 64-bit XXH3 of the value without seed, as 16 hexadecimal digits.
//! Invariants
//! - No key differs from every value: IFNE and IFDNE hold, IFEQ and IFDEQ do not.
//! - A malformed digest is an error only when there is a value to compare it with.
//!
//! Source: the public documentation of Redis 8.4.

use crate::error::CommandError;
use crate::exec::{LATER_MIN, ReadCx, WriteCx, wrong_arity};
use crate::keyspace::Str;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;
use xxhash_rust::xxh3::xxh3_64;

const DIGITS: usize = 16;

/// A condition on the present value.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    operand: &'a [u8],
    by_digest: bool,
    negated: bool,
}

impl<'a> Comparison<'a> {
    /// The condition that `word` names; `None` when it names none.
    pub(super) fn new(word: &[u8], operand: &'a [u8]) -> Option<Comparison<'a>> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let (by_digest, negated) = match word.len() {
            4 if is("IFEQ") => (false, false),
            4 if is("IFNE") => (false, true),
            5 if is("IFDEQ") => (true, false),
            5 if is("IFDNE") => (true, true),
            _ => return None,
        };
        Some(Comparison {
            operand,
            by_digest,
            negated,
        })
    }

    /// Whether the condition holds for `value`.
    ///
    /// # Errors
    /// When the operand should be a digest and is none.
    pub(super) fn holds(self, value: Option<Str<'_>>) -> Result<bool, CommandError> {
        let Some(value) = value else {
            return Ok(self.negated);
        };
        let mut digits = itoa::Buffer::new();
        let bytes = value.bytes(&mut digits);
        let same = if self.by_digest {
            xxh3_64(bytes) == parse_digest(self.operand).ok_or(CommandError::DIGEST_LENGTH)?
        } else {
            bytes == self.operand
        };
        Ok(same != self.negated)
    }
}

fn parse_digest(text: &[u8]) -> Option<u64> {
    if text.len() != DIGITS {
        return None;
    }
    text.iter().try_fold(0u64, |sum, digit| {
        Some(sum << 4 | u64::from(char::from(*digit).to_digit(16)?))
    })
}

fn write_digest(out: &mut crate::exec::Out, value: &[u8]) {
    let digest = xxh3_64(value).to_be_bytes();
    let text: [u8; DIGITS] = std::array::from_fn(|i| {
        let byte = digest[i / 2];
        let nibble = if i % 2 == 0 { byte >> 4 } else { byte & 0xF };
        b"0123456789abcdef"[usize::from(nibble)]
    });
    out.bulk(&text);
}

pub(super) const DIGEST: Command = Command {
    name: "digest",
    summary: "Returns the XXH3 digest of a string value as hexadecimal digits.",
    since: "8.4.0",
    group: Group::String,
    complexity: "O(N) where N is the length of the value.",
    arity: 2,
    flags: Flags::FAST,
    categories: Categories::STRING,
    keys: &[key(1).read()],
    args: &[Arg::key("key")],
    run: Run::Read(digest),
    ..Command::NEW
};

fn digest(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    match cx.keys.string(0)? {
        None => cx.out.null(),
        Some(Str::Blob(blob)) if blob.len() >= LATER_MIN => {
            let blob = blob.clone();
            cx.later(Box::new(move |out| {
                write_digest(out, blob.as_slice());
                Ok(())
            }));
        }
        Some(value) => write_digest(cx.out, value.bytes(&mut itoa::Buffer::new())),
    }
    Ok(())
}

pub(super) const DELEX: Command = Command {
    name: "delex",
    summary: "Removes a key, on condition of its present value if wished.",
    since: "8.4.0",
    group: Group::String,
    complexity: "O(1), with `IFDEQ` and `IFDNE` O(N) where N is the length of the value.",
    arity: -2,
    flags: Flags::FAST,
    categories: Categories::STRING,
    keys: &[key(1).access(Access::RW.with(Access::DELETE))],
    args: &[
        Arg::key("key"),
        Arg::one_of(
            "condition",
            &[
                Arg::string("ifeq-value").token("IFEQ"),
                Arg::string("ifne-value").token("IFNE"),
                Arg::string("ifdeq-digest").token("IFDEQ"),
                Arg::string("ifdne-digest").token("IFDNE"),
            ],
        )
        .optional(),
    ],
    run: Run::Write(delex),
    ..Command::NEW
};

fn delex(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let comparison = match args.len() {
        2 => None,
        4 => Some(Comparison::new(&args[2], &args[3]).ok_or(CommandError::DELEX_CONDITION)?),
        _ => return Err(wrong_arity("delex")),
    };
    let wanted = match comparison {
        _ if !cx.keys.exists(0) => false,
        None => true,
        Some(comparison) => {
            let value = cx.keys.string(0).map_err(|_| CommandError::DELEX_TYPE)?;
            comparison.holds(value)?
        }
    };
    let removed = wanted && cx.keys.remove(0)?;
    if removed {
        cx.notify_removed(0);
    }
    cx.effects.replace([b"DEL".as_slice(), &args[1]]);
    cx.out.integer(i64::from(removed));
    Ok(())
}
