//! HSCAN.
//!
//! A field that is there during a whole scan is returned once: the cursor is a position in the order of
//! the fields' hashes, which stays meaningful while the hash grows and shrinks.

use super::{HASH, reply_element};
use crate::commands::generic::cursor_number;
use crate::error::CommandError;
use crate::exec::{Out, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Command, Outcome, Run, key};
use ochre_ds::glob::glob_match;
use ochre_ds::hash::HashRef;
use ochre_ds::int::parse_i64;
use ochre_ds::pack::Element;
use ochre_ds::table::{INDEX_BITS, Position};
use ochre_resp::Request;
use smallvec::SmallVec;

/// Fields visited in a call, unless COUNT says otherwise.
const COUNT: usize = 10;

pub(super) const HSCAN: Command = Command {
    name: "hscan",
    summary: "Goes through the fields of a hash in steps.",
    since: "2.8.0",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
    arity: -3,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::integer("cursor"),
        Arg::pattern("pattern").token("MATCH").optional(),
        Arg::integer("count").token("COUNT").optional(),
        Arg::word("novalues", "NOVALUES").optional(),
    ],
    tips: &["nondeterministic_output"],
    run: Run::Read(hscan),
    ..HASH
};

fn hscan(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let cursor = cursor_number(&args[2]).ok_or(CommandError::INVALID_CURSOR)?;
    let Some(hash) = cx.keys.hash(0)? else {
        // The options of a scan of nothing are not looked at.
        reply(cx.out, HashRef::Packed(&[]), 0, &Wanted::default());
        return Ok(());
    };
    let wanted = Wanted::new(args.tail(3))?;
    if wanted.count < STREAM_MIN || hash.len() < STREAM_MIN {
        reply(cx.out, hash, cursor, &wanted);
        return Ok(());
    }
    let hash = hash.to_owned();
    let pattern = wanted.pattern.map(<[u8]>::to_vec);
    let (count, values) = (wanted.count, wanted.values);
    cx.later(Box::new(move |out| {
        let wanted = Wanted {
            pattern: pattern.as_deref(),
            count,
            values,
        };
        reply(out, hash.view(), cursor, &wanted);
        Ok(())
    }));
    Ok(())
}

/// The options.
struct Wanted<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    values: bool,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Wanted {
            pattern: None,
            count: COUNT,
            values: true,
        }
    }
}

impl<'a> Wanted<'a> {
    /// Of repeated options the last one counts.
    fn new(options: Request<'a>) -> Result<Wanted<'a>, CommandError> {
        let mut wanted = Wanted::default();
        let mut rest = options.iter();
        while let Some(word) = rest.next() {
            if word.eq_ignore_ascii_case(b"NOVALUES") {
                wanted.values = false;
            } else if word.eq_ignore_ascii_case(b"MATCH") {
                let pattern = rest.next().ok_or(CommandError::SYNTAX)?;
                // compat: a star alone is no pattern, so it also takes the empty field, which it does not match.
                wanted.pattern = Some(pattern).filter(|p| *p != b"*");
            } else if word.eq_ignore_ascii_case(b"COUNT") {
                let count = rest.next().ok_or(CommandError::SYNTAX)?;
                let count = parse_i64(count).ok_or(CommandError::NOT_INTEGER)?;
                if count < 1 {
                    return Err(CommandError::SYNTAX);
                }
                wanted.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(wanted)
    }
}

/// Answers one call. A cursor beyond the last position is at the end.
fn reply<'a>(out: &mut Out, hash: HashRef<'a>, cursor: Position, wanted: &Wanted<'_>) {
    let mut found: SmallVec<[(Element<'a>, Element<'a>); 2 * COUNT]> = SmallVec::new();
    let visit = |field: Element<'a>, value: Element<'a>| {
        let fits = |p| glob_match(p, field.bytes(&mut itoa::Buffer::new()), false);
        if wanted.pattern.is_none_or(fits) {
            found.push((field, value));
        }
    };
    let next = match hash {
        HashRef::Table(_) if cursor >= 1 << INDEX_BITS => 0,
        hash => hash.scan(cursor, wanted.count, visit),
    };
    out.array(2);
    out.bulk(itoa::Buffer::new().format(next).as_bytes());
    out.array(found.len() * if wanted.values { 2 } else { 1 });
    for (field, value) in found {
        reply_element(out, field);
        if wanted.values {
            reply_element(out, value);
        }
    }
}
