//! SSCAN.
//!
//! A member that is there during a whole scan is returned once: the cursor is a position in the order of
//! the members' hashes, which stays meaningful while the set grows and shrinks. A small set is
//! returned at once, whatever the cursor, as in Redis.

use super::{SET, reply_member};
use crate::commands::generic::cursor_number;
use crate::error::CommandError;
use crate::exec::{Out, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Command, Outcome, Run, key};
use ochre_ds::glob::glob_match;
use ochre_ds::int::parse_i64;
use ochre_ds::pack::Element;
use ochre_ds::set::SetRef;
use ochre_ds::table::{INDEX_BITS, Position};
use ochre_resp::Request;
use smallvec::SmallVec;

/// Members visited in a call, unless COUNT says otherwise.
const COUNT: usize = 10;

pub(super) const SSCAN: Command = Command {
    name: "sscan",
    summary: "Goes through the members of a set in steps.",
    since: "2.8.0",
    complexity: "O(1) a call, O(N) for all calls until the cursor is 0 again, where N is the number of members.",
    arity: -3,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::integer("cursor"),
        Arg::pattern("pattern").token("MATCH").optional(),
        Arg::integer("count").token("COUNT").optional(),
    ],
    tips: &["nondeterministic_output"],
    run: Run::Read(sscan),
    ..SET
};

fn sscan(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let cursor = cursor_number(&args[2]).ok_or(CommandError::INVALID_CURSOR)?;
    let Some(set) = cx.keys.set(0)? else {
        // The options of a scan of nothing are not looked at.
        reply(cx.out, SetRef::EMPTY, 0, None, COUNT);
        return Ok(());
    };
    let (pattern, count) = options(args.tail(3))?;
    if count < STREAM_MIN || set.len() < STREAM_MIN {
        reply(cx.out, set, cursor, pattern, count);
        return Ok(());
    }
    let (set, pattern) = (set.to_owned(), pattern.map(<[u8]>::to_vec));
    cx.later(Box::new(move |out| {
        reply(out, set.view(), cursor, pattern.as_deref(), count);
        Ok(())
    }));
    Ok(())
}

/// The pattern and the COUNT; of repeated options the last one counts.
fn options(options: Request<'_>) -> Result<(Option<&[u8]>, usize), CommandError> {
    let (mut pattern, mut count) = (None, COUNT);
    let mut rest = options.iter();
    while let Some(word) = rest.next() {
        if word.eq_ignore_ascii_case(b"NOVALUES") {
            return Err(CommandError::NOVALUES);
        }
        let value = rest.next().ok_or(CommandError::SYNTAX)?;
        if word.eq_ignore_ascii_case(b"MATCH") {
            // compat: a star alone is no pattern, so it also takes the empty member, which it does not match.
            pattern = Some(value).filter(|p| *p != b"*");
        } else if word.eq_ignore_ascii_case(b"COUNT") {
            let n = parse_i64(value).ok_or(CommandError::NOT_INTEGER)?;
            if n < 1 {
                return Err(CommandError::SYNTAX);
            }
            count = usize::try_from(n).unwrap_or(usize::MAX);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok((pattern, count))
}

/// Answers one call. A cursor beyond the last position is at the end.
fn reply<'a>(
    out: &mut Out,
    set: SetRef<'a>,
    cursor: Position,
    pattern: Option<&[u8]>,
    count: usize,
) {
    let mut found: SmallVec<[Element<'a>; 2 * COUNT]> = SmallVec::new();
    let (mut visited, mut next) = (0, cursor);
    loop {
        if matches!(set, SetRef::Table(_)) && next >= 1 << INDEX_BITS {
            next = 0;
            break;
        }
        next = set.scan(next, |member| {
            visited += 1;
            let fits = |p| glob_match(p, member.bytes(&mut itoa::Buffer::new()), false);
            if pattern.is_none_or(fits) {
                found.push(member);
            }
        });
        if next == 0 || visited >= count {
            break;
        }
    }
    out.array(2);
    out.bulk(itoa::Buffer::new().format(next).as_bytes());
    out.array(found.len());
    found
        .into_iter()
        .for_each(|member| reply_member(out, member));
}
