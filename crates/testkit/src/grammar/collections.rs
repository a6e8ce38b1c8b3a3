//! Values for the arguments of lists, hashes, sets, sorted sets and SORT.
//!
//! Invariants:
//! - Members come from a small pool, so that they meet again in one collection and in others, with a wide part from
//!   which collections grow past every threshold.
//! - A key tells what its collection is like: the first set holds integers, the first sorted set equal scores
//!   (with exceptions, so that they change their encoding now and then).
//! - The bounds of one range agree with each other and with the word that says what they are.

use super::values::{self, Strategy};
use super::{Arg, ArgKind, Draw, Group};

/// What the bounds of a range are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    Rank,
    Score,
    Lex,
}

impl Range {
    const fn word(self) -> Option<&'static str> {
        match self {
            Range::Rank => None,
            Range::Score => Some("BYSCORE"),
            Range::Lex => Some("BYLEX"),
        }
    }
}

/// Distinct members of the wide pool.
const WIDE: i64 = 400;

/// The edges of the widths in which sets of integers are kept, and some neighbours.
const EDGES: &[i64] = &[
    i16::MIN as i64,
    i16::MAX as i64,
    i16::MAX as i64 + 1,
    i16::MIN as i64 - 1,
    i32::MAX as i64,
    i32::MIN as i64,
    i32::MAX as i64 + 1,
    i32::MIN as i64 - 1,
    i64::MAX,
    i64::MIN,
    127,
    128,
    -128,
    -129,
    4095,
    4096,
    8_388_607,
    8_388_608,
];

const ODD: &[&str] = &[
    "",
    "3.5",
    "-0",
    "007",
    " 1",
    "+5",
    "1e3",
    "inf",
    "a\0b",
    "a\0c",
    "\r\n",
    "9223372036854775808",
    "Zebra",
    "apple",
    "\u{e9}t\u{e9}",
    "key:1",
    "a",
];

const SCORES: &[&str] = &[
    "inf",
    "-inf",
    "+inf",
    "Infinity",
    "-infinity",
    "0.5",
    "-0.5",
    "1.5",
    "3.25",
    "0.1",
    "1e20",
    "-1e20",
    "1e-9",
    "-0",
    "9007199254740993",
    "1e308",
    "-1e308",
    "5e-324",
    "0x10",
    "100000000000000000000",
];

const PATTERNS: &[&str] = &[
    "key:*",
    "*",
    "s:*",
    "h:*->m1",
    "h:*->1",
    "h:*->*",
    "h:*->",
    "->m1",
    "z:*",
    "l:*",
    "nosort",
    "#",
    "##",
    "key:*->m1",
    "h:1->m*",
    "a*b*",
    "h:*->m1->m2",
    "k\0*",
    "",
];

/// By group and argument name.
const BY_GROUP: &[(Group, &str, Strategy)] = &[
    (Group::Generic, "offset", few),
    (Group::Generic, "by-pattern", |d| d.one_of(PATTERNS)),
    (Group::Generic, "get-pattern", get_pattern),
    (Group::List, "element", member),
    (Group::List, "pivot", member),
    (Group::List, "index", values::index),
    (Group::List, "rank", |d| {
        d.rng.range(-3, 4).to_string().into_bytes()
    }),
    (Group::List, "num-matches", few),
    (Group::List, "len", |d| {
        d.rng.range(-1, 30).to_string().into_bytes()
    }),
    (Group::List, "count", count),
    (Group::Set, "member", member),
    (Group::Set, "count", count),
    (Group::Set, "limit", few),
    (Group::Set, "pattern", pattern),
    (Group::Hash, "field", member),
    (Group::Hash, "value", field_value),
    (Group::Hash, "increment", increment),
    (Group::Hash, "count", count),
    (Group::Hash, "pattern", pattern),
    (Group::SortedSet, "member", member),
    (Group::SortedSet, "score", score),
    (Group::SortedSet, "increment", score),
    (Group::SortedSet, "weight", weight),
    (Group::SortedSet, "count", count),
    (Group::SortedSet, "offset", few),
    (Group::SortedSet, "limit", few),
    (Group::SortedSet, "pattern", pattern),
    (Group::SortedSet, "min", bound),
    (Group::SortedSet, "max", bound),
    (Group::SortedSet, "start", bound),
    (Group::SortedSet, "stop", bound),
];

/// The strategy for an argument of a group's commands, where the name means something of its own there.
pub(super) fn strategy(group: Group, name: &str) -> Option<Strategy> {
    let mut rows = BY_GROUP.iter();
    rows.find(|(g, n, _)| *g == group && *n == name)
        .map(|(.., s)| *s)
}

/// Whether a command of that group keeps many elements under a key.
pub(super) const fn is_collection(group: Group) -> bool {
    matches!(
        group,
        Group::List | Group::Set | Group::Hash | Group::SortedSet
    )
}

/// Whether the argument is the choice between the kinds of ranges.
pub(super) fn is_range_choice(arg: &Arg) -> bool {
    arg.kind == ArgKind::OneOf && arg.args.iter().any(|a| a.token == Range::Lex.word())
}

/// The options of that choice that go with the bounds drawn before.
pub(super) fn fitting<'a>(draw: &Draw<'_>, options: Vec<&'a Arg>) -> Vec<&'a Arg> {
    let word = draw.range.and_then(Range::word);
    let fits = |a: &&&Arg| word.is_some() && a.token == word;
    let fitting: Vec<_> = options.iter().filter(fits).copied().collect();
    if fitting.is_empty() { options } else { fitting }
}

fn number(n: i64) -> Vec<u8> {
    n.to_string().into_bytes()
}

fn few(draw: &mut Draw<'_>) -> Vec<u8> {
    number(draw.rng.range(-1, 8))
}

/// Counts of elements: few, or more than there are, or of none.
fn count(draw: &mut Draw<'_>) -> Vec<u8> {
    match draw.rng.below(12) {
        0..=7 => number(draw.rng.range(-4, 8)),
        8 => b"0".to_vec(),
        9 => number(draw.rng.range(-40, 400)),
        10 => b"100000".to_vec(),
        _ => values::integer(draw),
    }
}

fn last_key_is(draw: &Draw<'_>, name: &[u8]) -> bool {
    draw.key == Some(name)
}

pub(super) fn member(draw: &mut Draw<'_>) -> Vec<u8> {
    if last_key_is(draw, b"s:1") && draw.rng.chance(96) {
        return integer_member(draw);
    }
    if draw.bulk {
        return format!("member:{}", draw.rng.range(0, WIDE)).into_bytes();
    }
    match draw.rng.below(100) {
        0..=54 => format!("m{}", draw.rng.below(16)).into_bytes(),
        55..=72 => integer_member(draw),
        73..=82 => format!("member:{}", draw.rng.range(0, WIDE)).into_bytes(),
        83..=91 => draw.one_of(ODD),
        // Around the longest member of a packed collection.
        92..=95 => {
            let (byte, len) = (b'a' + draw.rng.byte() % 3, 62 + draw.rng.index(5));
            vec![byte; len]
        }
        96..=98 => {
            let len = draw.rng.index(20);
            (0..len).map(|_| draw.rng.byte()).collect()
        }
        _ => values::long(draw),
    }
}

fn integer_member(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.bulk {
        return number(draw.rng.range(0, 1000));
    }
    if draw.rng.chance(8) {
        return number(*draw.rng.pick(EDGES));
    }
    number(draw.rng.range(-4, 24))
}

/// What fields hold: often a number, for the commands that add to it.
fn field_value(draw: &mut Draw<'_>) -> Vec<u8> {
    match draw.rng.below(10) {
        0..=3 => values::integer(draw),
        4 | 5 => values::double(draw),
        6 | 7 => member(draw),
        _ => values::value(draw),
    }
}

fn increment(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.kind == ArgKind::Double {
        values::double(draw)
    } else {
        values::integer(draw)
    }
}

fn score(draw: &mut Draw<'_>) -> Vec<u8> {
    if last_key_is(draw, b"z:1") && draw.rng.chance(95) {
        return b"0".to_vec();
    }
    match draw.rng.below(10) {
        0..=5 => number(draw.rng.range(-5, 12)),
        6 | 7 => draw.one_of(SCORES),
        _ => values::double(draw),
    }
}

fn weight(draw: &mut Draw<'_>) -> Vec<u8> {
    match draw.rng.below(10) {
        0..=5 => number(draw.rng.range(-2, 4)),
        6 | 7 => draw.one_of(&["0.5", "-1.5", "2.25", "1e3", "nan", "x"]),
        _ => score(draw),
    }
}

/// A bound of a range of ranks, scores or members, whichever the argument takes.
fn bound(draw: &mut Draw<'_>) -> Vec<u8> {
    let range = match draw.kind {
        ArgKind::Integer => Range::Rank,
        ArgKind::Double => Range::Score,
        _ if !draw.chooses_range => Range::Lex,
        _ => {
            let any = *draw
                .rng
                .pick(&[Range::Rank, Range::Rank, Range::Score, Range::Lex]);
            *draw.range.get_or_insert(any)
        }
    };
    match range {
        Range::Rank => values::index(draw),
        Range::Score => {
            let open: &[u8] = if draw.rng.chance(25) { b"(" } else { b"" };
            let at = if draw.rng.chance(25) {
                draw.one_of(&["-inf", "+inf", "inf"])
            } else {
                score(draw)
            };
            [open, &at].concat()
        }
        Range::Lex if draw.rng.chance(35) => draw.one_of(&["-", "+"]),
        Range::Lex => {
            let open = draw.one_of(&["[", "(", "[", "(", "[", "(", "", "-", "(("]);
            [open, member(draw)].concat()
        }
    }
}

fn pattern(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.rng.chance(40) {
        return values::pattern(draw);
    }
    draw.one_of(&[
        "*",
        "m*",
        "*1",
        "m[0-5]",
        "member:1*",
        "[0-9]*",
        "m1",
        "1",
        "nosuch",
    ])
}

fn get_pattern(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.rng.chance(40) {
        return b"#".to_vec();
    }
    draw.one_of(PATTERNS)
}
