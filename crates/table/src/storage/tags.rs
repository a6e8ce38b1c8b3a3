//! Typed values as byte strings, so that stores of bytes keep the type.
//!
//! A string is itself. Every other type is the byte 0xFF, a letter, and the content:
//!
//! | type | bytes |
//! |---|---|
//! | bytes | `FF 'b'` and the bytes |
//! | integer | `FF 'i'` and decimal digits |
//! | double | `FF 'd'` and the shortest decimal digits that give it back, `NaN`, `inf` or `-inf` |
//! | bool | `FF 't'` or `FF 'f'` |
//! | empty | `FF 'e'` |
//!
//! Invariants
//! - 0xFF occurs nowhere in UTF-8, so no string looks like a tagged value, whatever it contains.
//! - Bytes of others that are neither UTF-8 nor well-formed in this table read as bytes.
//! - A NaN keeps being one, not its payload.

use crate::values::ValueRef;
use std::io::Write as _;

const MARK: u8 = 0xFF;

/// Appends the bytes that stand for `value`.
pub(super) fn encode(out: &mut Vec<u8>, value: ValueRef<'_>) {
    // Writing to a Vec does not fail.
    let _ = match value {
        ValueRef::String(s) => out.write_all(s.as_bytes()),
        ValueRef::Binary(b) => {
            out.extend_from_slice(&[MARK, b'b']);
            out.write_all(b)
        }
        ValueRef::Integer(n) => {
            out.extend_from_slice(&[MARK, b'i']);
            write!(out, "{n}")
        }
        ValueRef::Float(n) => {
            out.extend_from_slice(&[MARK, b'd']);
            write!(out, "{n:?}")
        }
        ValueRef::Bool(b) => out.write_all(&[MARK, if b { b't' } else { b'f' }]),
        ValueRef::Empty => out.write_all(&[MARK, b'e']),
    };
}

/// The value that `bytes` stand for.
pub(super) fn decode(bytes: &[u8]) -> ValueRef<'_> {
    if let [MARK, kind, rest @ ..] = bytes
        && let Some(value) = tagged(*kind, rest)
    {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => ValueRef::String(text),
        Err(_) => ValueRef::Binary(bytes),
    }
}

fn tagged(kind: u8, rest: &[u8]) -> Option<ValueRef<'_>> {
    let text = || std::str::from_utf8(rest).ok();
    match (kind, rest) {
        (b'b', bytes) => Some(ValueRef::Binary(bytes)),
        (b'i', _) => text()?.parse().ok().map(ValueRef::Integer),
        (b'd', _) => text()?.parse().ok().map(ValueRef::Float),
        (b't', []) => Some(ValueRef::Bool(true)),
        (b'f', []) => Some(ValueRef::Bool(false)),
        (b'e', []) => Some(ValueRef::Empty),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comes_back(value: ValueRef<'_>) {
        let mut bytes = Vec::new();
        encode(&mut bytes, value);
        match (value, decode(&bytes)) {
            (ValueRef::Float(a), ValueRef::Float(b)) if a.is_nan() => assert!(b.is_nan()),
            (ValueRef::Float(a), ValueRef::Float(b)) => assert_eq!(a.to_bits(), b.to_bits()),
            (a, b) => assert_eq!(a, b),
        }
    }

    #[test]
    fn edges_come_back() {
        for n in [
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            5e-324,
        ] {
            comes_back(ValueRef::Float(n));
        }
        for n in [0, -1, i64::MAX, i64::MIN] {
            comes_back(ValueRef::Integer(n));
        }
        for value in [ValueRef::Empty, ValueRef::Bool(true), ValueRef::Bool(false)] {
            comes_back(value);
        }
        for text in ["", "5", "true", "i5", "\u{FF}i5", "ÿi5"] {
            comes_back(ValueRef::String(text));
        }
        for bytes in [&b""[..], b"text", b"\xFFi5", b"\xFF"] {
            comes_back(ValueRef::Binary(bytes));
        }
    }

    #[test]
    fn bytes_of_others_stay_bytes() {
        for bytes in [
            &b"\xFF"[..],
            b"\xFFi",
            b"\xFFi5x",
            b"\xFFtx",
            b"\xFFz",
            b"\x80",
        ] {
            assert_eq!(decode(bytes), ValueRef::Binary(bytes));
        }
    }

    proptest! {
        #[test]
        fn everything_comes_back(text: String, bytes: Vec<u8>, int: i64, bits: u64) {
            comes_back(ValueRef::String(&text));
            comes_back(ValueRef::Binary(&bytes));
            comes_back(ValueRef::Integer(int));
            comes_back(ValueRef::Float(f64::from_bits(bits)));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
