//! The pools that argument values are drawn from.
//!
//! Small on purpose: keys have to meet again, and numbers have to sit on the edges where implementations differ.
//! What a pure type cannot know (a bit offset, a point in time) is looked up by the argument's *name*,
//! in [`strategy`], never by the command's.
//!
//! Invariants:
//! - No drawn offset makes a string longer than [`OFFSET_MAX`] bits, save numbers so large that servers with
//!   `proto-max-bulk-len 1mb` refuse them.
//! - Times are far from every clock (2001 and 2096), or within [`NEAR_MS`] of the clock that the test gives.
//!   Distinct draws of far times are at least [`SPACING`] units apart, so that comparing two of them (EXPIRE GT)
//!   does not depend on the millisecond in which a server ran the command.

use super::{Draw, Group};

/// Highest bit offset that is drawn as a sensible one.
pub(super) const OFFSET_MAX: i64 = 1 << 20;
/// Distance of far times, in their own unit.
pub(super) const SPACING: i64 = 20_000;
/// Farthest expiry, in milliseconds, where a test lets keys expire on its own clock.
pub(super) const NEAR_MS: i64 = 3_000;

/// The keys that requests meet on.
pub const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"key:1",
    b"key:2",
    b"k\0\xff\r\n",
    b"a-key-of-more-than-forty-four-bytes-in-a-hash-{tag}",
    b"",
    b"[k]*?",
    b"l:1",
    b"l:2",
    b"l:3",
    b"l:4",
    b"h:1",
    b"h:2",
    b"h:3",
    b"h:4",
    b"s:1",
    b"s:2",
    b"s:3",
    b"s:4",
    b"z:1",
    b"z:2",
    b"z:3",
    b"z:4",
];

/// The keys that the commands of a group prefer, as a range of [`KEYS`]: lest strings, which overwrite anything,
/// take all keys from the types that do not.
fn own_keys(group: Group) -> Option<std::ops::Range<usize>> {
    match group {
        Group::String | Group::Bitmap => Some(0..8),
        Group::List => Some(8..12),
        Group::Hash => Some(12..16),
        Group::Set => Some(16..20),
        Group::SortedSet => Some(20..24),
        _ => None,
    }
}

const PATTERNS: &[&str] = &[
    "*",
    "a",
    "key:*",
    "k?y:[12]",
    "[a-b]",
    "[^a]*",
    "*:*",
    "\\*",
    "",
    "k*\u{0}*",
    "[k]*",
    "\\[k\\]\\*\\?",
    "[",
    "[a-",
    "**a**",
    "?",
    "[b-a]",
    "a\\",
];

const INTEGERS: &[i64] = &[
    0,
    1,
    2,
    3,
    7,
    8,
    10,
    31,
    32,
    63,
    64,
    100,
    255,
    1000,
    65_535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 53) + 1,
    i64::MAX - 1,
    i64::MAX,
    -1,
    -2,
    -3,
    -8,
    -100,
    -(1 << 31),
    -(1 << 31) - 1,
    i64::MIN,
    i64::MIN + 1,
    999_999_999_999,
    536_870_911,
    536_870_912,
    4_294_967_295,
];

const NUMBERS: &[&str] = &[
    "3.14",
    "-0.5",
    "1e10",
    "-0",
    "-0.0",
    "0.1",
    "5e-324",
    "1e308",
    "1.7976931348623157e308",
    "1e-7",
    "100000000000000000",
    "3.0000000000000000001",
    "0.30000000000000004",
    "1e400",
    "inf",
    "-inf",
    "+inf",
    "Infinity",
    "nan",
    "0x10",
    " 1",
    "1 ",
    "+5",
    "007",
    "1.",
    ".5",
    "1e",
    "--1",
    "1_000",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "1e17",
    "17179869184.5",
    "123456789.123456789",
    "0.000001",
];

const WORDS: &[&str] = &[
    "hello",
    "Hello World",
    "",
    "x",
    "value",
    "a\r\nb",
    "\u{e9}t\u{e9}",
    "0123456789",
    "true",
    "(nil)",
    "*3",
    "ohmytext",
    "mynewtext",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Settings that may be changed in mid-run without a server becoming another one.
const PARAMETERS: &[&str] = &[
    "lfu-log-factor",
    "lfu-decay-time",
    "slowlog-max-len",
    "slowlog-log-slower-than",
    "nosuch-setting",
    "",
    "LFU-log-FACTOR",
    "latency-tracking",
    "*-max-len",
    "lfu-*",
];

/// Draws a value for an argument of a certain name.
pub(super) type Strategy = fn(&mut Draw<'_>) -> Vec<u8>;

/// By argument name, for names that say more than their type.
const BY_NAME: &[(&str, Strategy)] = &[
    ("seconds", far_relative),
    ("milliseconds", far_relative),
    ("ttl", far_relative),
    ("unix-time-seconds", unix_seconds),
    ("timestamp", unix_seconds),
    ("unix-time-milliseconds", unix_milliseconds),
    ("milliseconds-timestamp", unix_milliseconds),
    ("cursor", |_| b"0".to_vec()),
    ("offset", offset),
    ("bit", bit),
    ("encoding", bitfield_type),
    ("start", index),
    ("end", index),
    ("stop", index),
    ("index", database),
    ("index1", database),
    ("index2", database),
    ("db", database),
    ("destination-db", database),
    ("count", small),
    ("len", small),
    ("min-match-len", small),
    ("type", type_name),
    ("serialized-value", payload),
    ("protover", |d| d.one_of(&["2", "3", "3", "4", "x"])),
    ("parameter", |d| d.one_of(PARAMETERS)),
    ("username", |d| d.one_of(&["default", "default", "nobody"])),
    ("clientname", label),
    ("connection-name", label),
    ("libname", label),
    ("libver", label),
    ("command-name", command_name),
    ("command", command_name),
    ("frequency", |d| {
        d.rng.range(0, 255).to_string().into_bytes()
    }),
];

/// The strategy for an argument name, if its type is not enough.
pub(super) fn strategy(name: &str) -> Option<Strategy> {
    BY_NAME.iter().find(|(n, _)| *n == name).map(|(_, s)| *s)
}

/// Whether arguments of that name are times.
pub(super) fn is_time(name: &str) -> bool {
    strategy(name).is_some_and(|s| {
        [far_relative as Strategy, unix_seconds, unix_milliseconds]
            .into_iter()
            .any(|t| std::ptr::fn_addr_eq(s, t))
    })
}

pub(super) fn key(draw: &mut Draw<'_>) -> Vec<u8> {
    let own = own_keys(draw.group).filter(|_| draw.rng.chance(85));
    let index = match own {
        // The first few more often, so that multi-key commands meet existing keys.
        Some(own) if own.start == 0 && draw.rng.chance(60) => draw.rng.index(4),
        Some(own) => own.start + draw.rng.index(own.len()),
        None if draw.rng.chance(30) => draw.rng.index(4),
        None => draw.rng.index(KEYS.len()),
    };
    draw.key = Some(KEYS[index]);
    KEYS[index].to_vec()
}

pub(super) fn integer(draw: &mut Draw<'_>) -> Vec<u8> {
    let number = if draw.rng.chance(70) {
        draw.rng.range(-20, 200)
    } else {
        *draw.rng.pick(INTEGERS)
    };
    number.to_string().into_bytes()
}

pub(super) fn double(draw: &mut Draw<'_>) -> Vec<u8> {
    match draw.rng.below(4) {
        0 => integer(draw),
        1 => draw.one_of(NUMBERS),
        2 => {
            let (whole, part) = (draw.rng.range(-999, 999), draw.rng.below(100_000));
            format!("{whole}.{part:05}").into_bytes()
        }
        _ => {
            let (digits, exponent) = (draw.rng.range(-99_999, 99_999), draw.rng.range(-12, 12));
            format!("{digits}e{exponent}").into_bytes()
        }
    }
}

pub(super) fn pattern(draw: &mut Draw<'_>) -> Vec<u8> {
    draw.one_of(PATTERNS)
}

/// A value of any kind that strings can hold.
pub(super) fn value(draw: &mut Draw<'_>) -> Vec<u8> {
    match draw.rng.below(100) {
        0..=29 => integer(draw),
        30..=44 => double(draw),
        45..=69 => draw.one_of(WORDS),
        // Around the border between embedded and separate strings, and beyond.
        70..=84 => {
            let (byte, len) = (draw.rng.byte(), draw.rng.index(100));
            vec![byte; len]
        }
        85..=97 => {
            let len = draw.rng.index(64);
            (0..len).map(|_| draw.rng.byte()).collect()
        }
        _ => long(draw),
    }
}

/// Twenty kilobytes, half of the time such that they can be compressed.
pub(super) fn long(draw: &mut Draw<'_>) -> Vec<u8> {
    let len = draw.limits.long_value;
    if draw.rng.chance(50) {
        let word = draw.one_of(WORDS);
        return word
            .iter()
            .copied()
            .chain(*b"-+")
            .cycle()
            .take(len)
            .collect();
    }
    let mut noise = super::Rng::seeded(draw.rng.below(256));
    (0..len).map(|_| noise.byte()).collect()
}

/// What no argument expects.
pub(super) fn hostile(draw: &mut Draw<'_>) -> Vec<u8> {
    match draw.rng.below(8) {
        0 => Vec::new(),
        1 | 2 => draw.rng.pick(INTEGERS).to_string().into_bytes(),
        3 => draw.one_of(NUMBERS),
        4 => draw.one_of(&[
            "NOSUCHTOKEN",
            "nx",
            "XX",
            "GET",
            "EX",
            "KEEPTTL",
            "COUNT",
            "MATCH",
            "HELP",
            "-",
            "#",
            "u64",
        ]),
        5 => key(draw),
        6 => b"\x00\xff\r\n$-1\r\n".to_vec(),
        _ => value(draw),
    }
}

fn far_relative(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.limits.near {
        return draw.rng.range(-2, NEAR_MS).to_string().into_bytes();
    }
    let number = match draw.rng.below(10) {
        0 => draw.rng.range(-3, 0),
        1 => *draw
            .rng
            .pick(&[i64::MAX, i64::MIN, i64::MAX / 1000 + 1, -1_000_000_000_000]),
        _ => (1000 + draw.rng.range(0, 500_000)) * SPACING,
    };
    number.to_string().into_bytes()
}

fn absolute(draw: &mut Draw<'_>, per_second: i64) -> Vec<u8> {
    if draw.limits.near {
        let at = draw.limits.now_ms + draw.rng.range(-5, NEAR_MS);
        return (at * per_second / 1000).to_string().into_bytes();
    }
    let spread = draw.rng.range(0, 5_000) * SPACING;
    let number = match draw.rng.below(10) {
        0 => draw.rng.range(-3, 3),
        1 => (1_000_000_000 + spread) * per_second,
        2 => *draw.rng.pick(&[i64::MAX, i64::MIN, i64::MAX / 1000, -1]),
        _ => (4_000_000_000 + spread) * per_second,
    };
    number.to_string().into_bytes()
}

fn unix_seconds(draw: &mut Draw<'_>) -> Vec<u8> {
    absolute(draw, 1)
}

fn unix_milliseconds(draw: &mut Draw<'_>) -> Vec<u8> {
    absolute(draw, 1000)
}

fn offset(draw: &mut Draw<'_>) -> Vec<u8> {
    let number = match draw.rng.below(20) {
        0..=12 => draw.rng.range(0, 100),
        13..=16 => draw.rng.range(0, 4096),
        17 => draw.rng.range(0, OFFSET_MAX),
        18 => *draw.rng.pick(INTEGERS),
        _ => return format!("#{}", draw.rng.range(0, 40)).into_bytes(),
    };
    number.to_string().into_bytes()
}

fn bit(draw: &mut Draw<'_>) -> Vec<u8> {
    draw.one_of(&["0", "1", "0", "1", "0", "1", "2", "-1"])
}

fn bitfield_type(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.rng.chance(10) {
        return draw.one_of(&[
            "u64", "i65", "u0", "i0", "8", "u", "U8", "i-1", "i08", "u8 ",
        ]);
    }
    let sign = draw.one_of(&["u", "i"]);
    let bits = draw.rng.range(1, if sign == b"u" { 63 } else { 64 });
    [sign, bits.to_string().into_bytes()].concat()
}

pub(super) fn index(draw: &mut Draw<'_>) -> Vec<u8> {
    let number = if draw.rng.chance(85) {
        draw.rng.range(-12, 40)
    } else {
        *draw.rng.pick(INTEGERS)
    };
    number.to_string().into_bytes()
}

fn database(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.rng.chance(92) {
        return draw.one_of(&["0", "1"]);
    }
    draw.one_of(&["15", "16", "-1", "x", "4294967296", "9223372036854775807"])
}

fn small(draw: &mut Draw<'_>) -> Vec<u8> {
    draw.rng.range(-1, 12).to_string().into_bytes()
}

fn type_name(draw: &mut Draw<'_>) -> Vec<u8> {
    draw.one_of(&[
        "string", "string", "STRING", "list", "hash", "set", "zset", "stream", "nosuch",
    ])
}

fn label(draw: &mut Draw<'_>) -> Vec<u8> {
    draw.one_of(&[
        "me",
        "",
        "with space",
        "a-b_c",
        "new\nline",
        "x\u{e9}",
        "1.2.3",
    ])
}

fn command_name(draw: &mut Draw<'_>) -> Vec<u8> {
    draw.one_of(&["get", "SET", "mset", "strlen", "nosuch", ""])
}

/// A dump of some value, or a damaged one.
fn payload(draw: &mut Draw<'_>) -> Vec<u8> {
    if draw.limits.payloads.is_empty() {
        return value(draw);
    }
    let mut bytes = draw.rng.pick(&draw.limits.payloads).clone();
    if draw.rng.chance(15) {
        let at = draw.rng.index(bytes.len());
        match draw.rng.below(3) {
            0 => bytes.truncate(at),
            1 => bytes.push(0),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1),
        }
    }
    bytes
}
