//! KEYS and SCAN: the names of a database, stripe after stripe.
//!
//! Invariants
//! - A stripe is held for one slice at a time: a few hundred entries or [`SLICE_BYTES`] of names,
//!   some tens of microseconds. Patterns are matched, and the reply is written, with no stripe held.
//! - Keys whose time has come are hidden, and left to the expiry cycle.
//! - A key that is there from the first call of a scan to its last is returned at least once; the
//!   cursor is a place in hash order, which growing and shrinking keep.
//! - COUNT bounds the entries visited, not those returned; an empty stripe costs one lock.

use crate::error::CommandError;
use crate::exec::{Env, SweepCx};
use crate::keyspace::{Cursor, Stripes, stripe_of};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use ochre_ds::glob::{glob_match, is_literal, literal_prefix};
use ochre_ds::int::parse_i64;
use ochre_resp::{Aggregate, Request};

/// Entries per lock.
const SLICE: usize = 256;
/// Bytes of names copied per lock, beyond which a slice ends after its bucket.
const SLICE_BYTES: usize = 64 << 10;
/// Entries from which a SCAN counts as long, so that other connections of the worker move on.
const LONG_MIN: usize = 10_000;
/// COUNT where none is given.
const COUNT: usize = 10;

/// What a sweep looks for.
#[derive(Clone, Copy, Default)]
struct Wanted<'a> {
    /// `None` for every name.
    pattern: Option<&'a [u8]>,
    /// A type's name in any case.
    kind: Option<&'a [u8]>,
}

impl<'a> Wanted<'a> {
    fn matching(pattern: &'a [u8]) -> Wanted<'a> {
        Wanted {
            pattern: (pattern != b"*").then_some(pattern),
            kind: None,
        }
    }

    fn names(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|p| glob_match(p, name, false))
    }
}

/// Names copied out of a stripe, one after the other in one buffer.
#[derive(Default)]
struct Names {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[*start..*end])
    }
}

/// Visits one slice of at most about `most` entries from `cursor`, copying the names that may be wanted. Returns where
/// to go on and how many entries were visited.
///
/// The pattern's literal beginning is all that is compared while the stripe is held.
fn slice(
    (stripes, db): (&Stripes<'_>, usize),
    cursor: Cursor,
    now_ms: i64,
    wanted: Wanted<'_>,
    most: usize,
    names: &mut Names,
) -> (Cursor, usize) {
    let prefix = wanted.pattern.map_or(&[][..], literal_prefix);
    let mut visited = 0;
    names.clear();
    let next = stripes.step(db, cursor, |stripe, mut position| {
        if stripe.is_empty() {
            return 0;
        }
        loop {
            position = stripe.scan(position, |_, view| {
                visited += 1;
                let kind = || view.kind().map_or("", |k| k.type_name()).as_bytes();
                if view.key().starts_with(prefix)
                    && view.expires_at().is_none_or(|at| at > now_ms)
                    && wanted.kind.is_none_or(|k| k.eq_ignore_ascii_case(kind()))
                {
                    names.push(view.key());
                }
            });
            if position == 0 || visited >= most.min(SLICE) || names.bytes.len() >= SLICE_BYTES {
                return position;
            }
        }
    });
    (next, visited)
}

pub(super) const KEYS: Command = Command {
    name: "keys",
    summary: "Returns the names that match a pattern.",
    group: Group::Generic,
    complexity: "O(N) where N is the number of keys of the database; O(1) for a pattern without special characters.",
    arity: 2,
    flags: Flags::LONG,
    categories: Categories::KEYSPACE.with(Categories::DANGEROUS),
    args: &[Arg::pattern("pattern")],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    run: Run::Sweep(keys),
    ..Command::NEW
};

fn keys(cx: &mut SweepCx<'_>, args: Request<'_>) -> Outcome {
    let pattern = &args[1];
    if is_literal(pattern) {
        let there = is_there(&cx.stripes, &cx.env, pattern);
        cx.out.array(usize::from(there));
        if there {
            cx.out.bulk(pattern);
        }
        return Ok(());
    }
    let wanted = Wanted::matching(pattern);
    let (mark, mut count) = (cx.out.mark(), 0);
    let (mut cursor, mut names) = (Cursor::START, Names::default());
    loop {
        let now_ms = cx.env.now_ms;
        (cursor, _) = slice(
            (&cx.stripes, cx.env.db),
            cursor,
            now_ms,
            wanted,
            SLICE,
            &mut names,
        );
        for name in names.iter().filter(|n| wanted.names(n)) {
            cx.out.bulk(name);
            count += 1;
        }
        if cursor == Cursor::START {
            break;
        }
        cx.env.engine.runtime.breathe();
    }
    cx.out.insert(mark, Aggregate::Array, count);
    Ok(())
}

/// Whether a key is there and its time has not come.
fn is_there(stripes: &Stripes<'_>, env: &Env<'_>, name: &[u8]) -> bool {
    let hash = env.engine.keyspace.hasher().hash(name);
    let there = stripes.with(env.db, stripe_of(hash), |stripe| {
        stripe
            .find(hash, name)
            .and_then(|found| stripe.view(found.handle))
            .is_some_and(|view| view.expires_at().is_none_or(|at| at > env.now_ms))
    });
    there.unwrap_or(false)
}

pub(super) const SCAN: Command = Command {
    name: "scan",
    summary: "Goes through the names of the database in steps.",
    since: "2.8.0",
    group: Group::Generic,
    complexity: "O(1) a call, O(N) for all calls until the cursor is 0 again, where N is the number of keys of the database.",
    arity: -2,
    categories: Categories::KEYSPACE,
    args: &[
        Arg::integer("cursor"),
        Arg::pattern("pattern").token("MATCH").optional(),
        Arg::integer("count").token("COUNT").optional(),
        Arg::string("type").token("TYPE").optional().since("6.0.0"),
    ],
    history: &[("6.0.0", "The option `TYPE`.")],
    tips: &[
        "nondeterministic_output",
        "request_policy:special",
        "response_policy:special",
    ],
    run: Run::Sweep(scan),
    ..Command::NEW
};

fn scan(cx: &mut SweepCx<'_>, args: Request<'_>) -> Outcome {
    let number = cursor_number(&args[1]).ok_or(CommandError::INVALID_CURSOR)?;
    let (wanted, count) = options(args.tail(2))?;
    let Some(start) = Cursor::from_number(number) else {
        // No cursor of ours: a scan from beyond the end is at its end.
        return reply(cx, Cursor::START, &[]);
    };
    if count < LONG_MIN {
        return visit(cx, start, wanted, count);
    }
    let (runtime, mut outcome) = (&cx.env.engine.runtime, Ok(()));
    runtime.long(&mut || outcome = visit(cx, start, wanted, count));
    outcome
}

/// The options of SCAN: what is wanted and the COUNT; of repeated ones the last counts.
fn options(options: Request<'_>) -> Result<(Wanted<'_>, usize), CommandError> {
    let (mut wanted, mut count) = (Wanted::default(), COUNT);
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
            wanted.pattern = Wanted::matching(value).pattern;
        } else if word.eq_ignore_ascii_case(b"TYPE") {
            wanted.kind = Some(value);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok((wanted, count))
}

/// A cursor as Redis 8.2 reads it: not a negative number in its usual form, else what C's `strtoull` takes, which is
/// blanks, a sign and digits.
pub(in crate::commands) fn cursor_number(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    // Rust's notion of a blank lacks the vertical tab.
    let blanks = text
        .iter()
        .take_while(|b| b.is_ascii_whitespace() || **b == 0x0B)
        .count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative {
        number.wrapping_neg()
    } else {
        number
    })
}

fn visit(cx: &mut SweepCx<'_>, start: Cursor, wanted: Wanted<'_>, count: usize) -> Outcome {
    let (mut cursor, mut left) = (start, count);
    let (mut names, mut found) = (Names::default(), Vec::new());
    loop {
        let visited;
        (cursor, visited) = slice(
            (&cx.stripes, cx.env.db),
            cursor,
            cx.env.now_ms,
            wanted,
            left,
            &mut names,
        );
        left = left.saturating_sub(visited);
        if names.iter().any(|n| wanted.names(n)) {
            found.push(std::mem::take(&mut names));
        }
        if cursor == Cursor::START || left == 0 {
            break;
        }
    }
    let found: Vec<&[u8]> = found
        .iter()
        .flat_map(Names::iter)
        .filter(|n| wanted.names(n))
        .collect();
    reply(cx, cursor, &found)
}

fn reply(cx: &mut SweepCx<'_>, cursor: Cursor, names: &[&[u8]]) -> Outcome {
    cx.out.array(2);
    cx.out.bulk(cursor.number().to_string().as_bytes());
    cx.out.array(names.len());
    names.iter().for_each(|name| cx.out.bulk(name));
    Ok(())
}
