//! LCS: the longest common subsequence of two strings.
//!
//! Invariants
//! - The table's size is limited by `proto-max-bulk-len`, counted as Redis counts it.
//! - Long strings are compared after the stripes are released, on values held by reference.

use crate::error::CommandError;
use crate::exec::{LATER_MIN, Out, ReadCx};
use crate::keyspace::Str;
use crate::spec::{Arg, Categories, Command, Group, Outcome, Run, key};
use ochre_ds::blob::Blob;
use ochre_ds::int::parse_i64;
use ochre_ds::lcs::{LcsError, lcs as find, lcs_len};
use ochre_resp::Request;

pub(super) const LCS: Command = Command {
    name: "lcs",
    summary: "Finds the longest common subsequence of two strings.",
    since: "7.0.0",
    group: Group::String,
    complexity: "O(N*M) where N and M are the lengths of the two strings.",
    arity: -3,
    categories: Categories::STRING,
    keys: &[key(1).to(1, 1).read()],
    args: &[
        Arg::key("key1"),
        Arg::key("key2"),
        Arg::word("len", "LEN").optional(),
        Arg::word("idx", "IDX").optional(),
        Arg::integer("min-match-len")
            .token("MINMATCHLEN")
            .optional(),
        Arg::word("withmatchlen", "WITHMATCHLEN").optional(),
    ],
    run: Run::Read(lcs),
    ..Command::NEW
};

#[derive(Clone, Copy, Default)]
struct Wanted {
    len: bool,
    idx: bool,
    with_len: bool,
    min_len: usize,
}

impl Wanted {
    fn parse(args: Request<'_>) -> Result<Wanted, CommandError> {
        let mut wanted = Wanted::default();
        let mut words = args.iter().skip(3);
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("LEN") {
                wanted.len = true;
            } else if is("IDX") {
                wanted.idx = true;
            } else if is("WITHMATCHLEN") {
                wanted.with_len = true;
            } else if is("MINMATCHLEN") {
                let min = words.next().ok_or(CommandError::SYNTAX)?;
                let min = parse_i64(min).ok_or(CommandError::NOT_INTEGER)?;
                // Negative is no minimum; larger than any string excludes all either way.
                wanted.min_len = usize::try_from(min.max(0)).unwrap_or(usize::MAX);
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        if wanted.len && wanted.idx {
            return Err(CommandError::LCS_BOTH);
        }
        Ok(wanted)
    }
}

/// A value that outlives the lock.
enum Text {
    Short(Vec<u8>),
    Long(Blob),
}

impl Text {
    fn of(value: Option<Str<'_>>) -> Text {
        match value {
            None => Text::Short(Vec::new()),
            Some(Str::Blob(blob)) => Text::Long(blob.clone()),
            Some(value) => Text::Short(value.to_vec()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Text::Short(bytes) => bytes,
            Text::Long(blob) => blob.as_slice(),
        }
    }
}

fn lcs(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let text = |i| match cx.keys.string(i) {
        Ok(value) => Ok(Text::of(value)),
        Err(_) => Err(CommandError::LCS_TYPE),
    };
    // Both are looked for before either is judged.
    let (a, b) = (text(0), text(1));
    let (a, b) = (a?, b?);
    let wanted = Wanted::parse(args)?;
    let limit = u64::try_from(cx.env.bulk_max()).unwrap_or(u64::MAX);
    let cells = a.as_slice().len().saturating_mul(b.as_slice().len());
    if cells < LATER_MIN {
        return answer(cx.out, a.as_slice(), b.as_slice(), wanted, limit);
    }
    cx.later(Box::new(move |out| {
        answer(out, a.as_slice(), b.as_slice(), wanted, limit)
    }));
    Ok(())
}

fn answer(out: &mut Out, a: &[u8], b: &[u8], wanted: Wanted, limit: u64) -> Outcome {
    let refused = |e| match e {
        LcsError::OverLimit => CommandError::LCS_TOO_LARGE,
        LcsError::OutOfMemory => CommandError::LCS_NO_MEMORY,
    };
    if wanted.len {
        integer(out, lcs_len(a, b, limit).map_err(refused)?);
        return Ok(());
    }
    let found = find(a, b, limit).map_err(refused)?;
    if !wanted.idx {
        out.bulk(&found.text);
        return Ok(());
    }
    let long_enough = || found.matches.iter().filter(|m| m.a.len() >= wanted.min_len);
    out.map(2);
    out.bulk(b"matches");
    out.array(long_enough().count());
    for place in long_enough() {
        out.array(if wanted.with_len { 3 } else { 2 });
        for range in [&place.a, &place.b] {
            out.array(2);
            integer(out, range.start);
            integer(out, range.end.saturating_sub(1));
        }
        if wanted.with_len {
            integer(out, place.a.len());
        }
    }
    out.bulk(b"len");
    integer(out, found.text.len());
    Ok(())
}

fn integer(out: &mut Out, value: usize) {
    out.integer(i64::try_from(value).unwrap_or(i64::MAX));
}
