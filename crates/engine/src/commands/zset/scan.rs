//! ZSCAN: members by and by, in the order of their hashes.
//!
//! Invariants
//! - A member that is there from the first call to the last is returned at least once.
//! - COUNT bounds the members visited, not those returned; a small set is returned at once.

use super::reply;
use crate::commands::generic::cursor_number;
use crate::error::CommandError;
use crate::exec::{Out, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Categories, Command, Group, Outcome, Run, key};
use ochre_ds::float::write_g17;
use ochre_ds::glob::glob_match;
use ochre_ds::int::parse_i64;
use ochre_ds::table::INDEX_BITS;
use ochre_ds::zset::ZsetRef;
use ochre_resp::{Request, write_double};

/// COUNT where none is given.
const COUNT: usize = 10;

pub(super) const ZSCAN: Command = Command {
    name: "zscan",
    summary: "Iterates over the members and scores of a sorted set.",
    since: "2.8.0",
    group: Group::SortedSet,
    complexity: "O(1) for a call, O(N) for an iteration, where N is the number of members.",
    arity: -3,
    categories: Categories::SORTEDSET,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::integer("cursor"),
        Arg::pattern("pattern").token("MATCH").optional(),
        Arg::integer("count").token("COUNT").optional(),
    ],
    tips: &["nondeterministic_output"],
    run: Run::Read(zscan),
    ..Command::NEW
};

fn zscan(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let cursor = cursor_number(&args[2]).ok_or(CommandError::INVALID_CURSOR)?;
    let Some(zset) = cx.keys.zset(0)? else {
        // compat: the options of a scan of nothing are not read.
        cx.out.array(2);
        cx.out.bulk(b"0");
        cx.out.array(0);
        return Ok(());
    };
    let (pattern, count) = options(args.tail(3))?;
    if count >= STREAM_MIN && zset.len() >= STREAM_MIN {
        let (zset, pattern) = (zset.to_owned(), pattern.map(<[u8]>::to_vec));
        cx.later(Box::new(move |out| {
            visit(out, zset.view(), cursor, pattern.as_deref(), count);
            Ok(())
        }));
        return Ok(());
    }
    visit(cx.out, zset, cursor, pattern, count);
    Ok(())
}

/// The pattern, unless it fits everything, and the COUNT; of repeated options the last counts.
fn options(options: Request<'_>) -> Result<(Option<&[u8]>, usize), CommandError> {
    let (mut pattern, mut count) = (None, COUNT);
    let mut rest = options.iter();
    while let Some(word) = rest.next() {
        if word.eq_ignore_ascii_case(b"NOVALUES") {
            return Err(CommandError::NOVALUES);
        }
        let value = rest.next().ok_or(CommandError::SYNTAX)?;
        if word.eq_ignore_ascii_case(b"COUNT") {
            let n = parse_i64(value).ok_or(CommandError::NOT_INTEGER)?;
            if n < 1 {
                return Err(CommandError::SYNTAX);
            }
            count = usize::try_from(n).unwrap_or(usize::MAX);
        } else if word.eq_ignore_ascii_case(b"MATCH") {
            pattern = (value != b"*").then_some(value);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok((pattern, count))
}

/// Visits about `count` members and replies those that fit the pattern.
fn visit(out: &mut Out, zset: ZsetRef<'_>, cursor: u64, pattern: Option<&[u8]>, count: usize) {
    // The cursor comes before the members in the reply, but is known after them.
    let mut page = Out::new(out.protocol());
    let (mut visited, mut found) = (0, 0);
    let (mut digits, mut text) = (itoa::Buffer::new(), Vec::new());
    let mut position = cursor;
    // No cursor of ours: a scan from beyond the end is at its end.
    if matches!(zset, ZsetRef::Tree(_)) && cursor >> INDEX_BITS != 0 {
        position = 0;
        visited = count;
    }
    while visited < count {
        position = zset.scan(position, |member, score| {
            visited += 1;
            if pattern.is_none_or(|p| glob_match(p, member.bytes(&mut digits), false)) {
                found += 1;
                reply::member(&mut page, &member);
                text.clear();
                match zset {
                    ZsetRef::Packed(_) => write_double(&mut text, score),
                    // compat: Redis prints the scores of a skip list with seventeen digits here, and only here.
                    ZsetRef::Tree(_) => write_g17(&mut text, score),
                }
                page.bulk(&text);
            }
        });
        if position == 0 {
            break;
        }
    }
    out.array(2);
    out.bulk(itoa::Buffer::new().format(position).as_bytes());
    out.array(2 * found);
    out.raw(page.as_slice().unwrap_or_default());
}
