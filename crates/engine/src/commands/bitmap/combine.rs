//! BITOP: bitwise operations over whole strings.
//!
//! The result is as long as the longest source and is made under the locks of all keys, since it
//! replaces a key; from [`LATER_MIN`] bytes on, other connections of the worker move on meanwhile.

use crate::error::CommandError;
use crate::exec::{Expiry, LATER_MIN, WriteCx};
use crate::keyspace::Str;
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::bits::{self, BitOp};
use ochre_resp::Request;

pub(super) const BITOP: Command = Command {
    name: "bitop",
    summary: "Combines strings bit by bit and stores the result.",
    since: "2.6.0",
    group: Group::Bitmap,
    complexity: "O(N)",
    arity: -4,
    flags: Flags::DENYOOM,
    categories: Categories::BITMAP,
    keys: &[key(2).result(), key(3).to(-1, 1).read()],
    args: &[
        Arg::one_of(
            "operation",
            &[
                Arg::word("and", "AND"),
                Arg::word("or", "OR"),
                Arg::word("xor", "XOR"),
                Arg::word("not", "NOT"),
                Arg::word("diff", "DIFF"),
                Arg::word("diff1", "DIFF1"),
                Arg::word("andor", "ANDOR"),
                Arg::word("one", "ONE"),
            ],
        ),
        Arg::key("destkey"),
        Arg::key("key").of_spec(1).multiple(),
    ],
    history: &[("8.2.0", "DIFF, DIFF1, ANDOR and ONE.")],
    run: Run::Write(bitop),
    ..Command::NEW
};

/// Words, operations and the least number of sources.
const OPERATIONS: [(&str, BitOp, usize); 8] = [
    ("AND", BitOp::And, 1),
    ("OR", BitOp::Or, 1),
    ("XOR", BitOp::Xor, 1),
    ("NOT", BitOp::Not, 1),
    ("DIFF", BitOp::Diff, 2),
    ("DIFF1", BitOp::Diff1, 2),
    ("ANDOR", BitOp::AndOr, 2),
    ("ONE", BitOp::One, 1),
];

fn bitop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (word, operation, least) = OPERATIONS
        .into_iter()
        .find(|(word, ..)| args[1].eq_ignore_ascii_case(word.as_bytes()))
        .ok_or(CommandError::SYNTAX)?;
    let count = cx.keys.count().saturating_sub(1);
    if operation == BitOp::Not && count != 1 {
        return Err(CommandError::BITOP_NOT);
    }
    if count < least {
        return Err(CommandError::bitop_sources(word));
    }
    let result = result_of(cx, operation, count)?;
    cx.out
        .integer(i64::try_from(result.len()).unwrap_or(i64::MAX));
    cx.storing(0, (EventClasses::STRING, "set"), |keys| {
        if result.is_empty() {
            keys.remove(0).map(drop)
        } else {
            keys.set_raw(0, result, Expiry::Clear)
        }
    })
}

fn result_of(
    cx: &mut WriteCx<'_>,
    operation: BitOp,
    count: usize,
) -> Result<Vec<u8>, CommandError> {
    let values = (1..=count)
        .map(|i| cx.keys.string(i))
        .collect::<Result<Vec<Option<Str<'_>>>, _>>()?;
    let mut digits = vec![itoa::Buffer::new(); count];
    let sources: Vec<&[u8]> = values
        .iter()
        .zip(&mut digits)
        .map(|(value, digits)| value.as_ref().map_or(&[][..], |v| v.bytes(digits)))
        .collect();
    let len = sources.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut result = Vec::new();
    result
        .try_reserve_exact(len)
        .map_err(|_| CommandError::FULL)?;
    result.resize(len, 0);
    if len < LATER_MIN {
        bits::combine(operation, &mut result, &sources);
    } else {
        cx.env
            .engine
            .runtime
            .long(&mut || bits::combine(operation, &mut result, &sources));
    }
    Ok(result)
}
