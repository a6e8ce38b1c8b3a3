//! Comparing serialised values, whose elements may have come out of a hash table.
//!
//! Sets and hashes in tables are compared as sets of their elements' serialised forms. Of lists in chunks only the
//! type is compared: where a chunk ends is a matter of how the list came to be; what the list holds is compared
//! by the digest, after each side has restored the other's payload.
//! Everything else is compared byte by byte, but for the last ten bytes: the format's version, and a checksum over it.
//!
//! Source: the RDB format as its public descriptions give it (types 2 and 4, length encodings, strings).

/// Version and checksum.
const TAIL: usize = 10;

const SET: u8 = 2;
const HASH: u8 = 4;
const CHUNKED_LIST: u8 = 18;

/// Whether two payloads of DUMP hold the same.
pub(super) fn agree(a: &[u8], b: &[u8]) -> bool {
    let (Some(a), Some(b)) = (body(a), body(b)) else {
        return false;
    };
    if a == b {
        return true;
    }
    match (a[0], b[0]) {
        (SET, SET) => items(a, 1).is_some_and(|i| Some(i) == items(b, 1)),
        (HASH, HASH) => items(a, 2).is_some_and(|i| Some(i) == items(b, 2)),
        (CHUNKED_LIST, CHUNKED_LIST) => true,
        _ => false,
    }
}

fn body(payload: &[u8]) -> Option<&[u8]> {
    let end = payload.len().checked_sub(TAIL)?;
    payload.get(..end).filter(|b| !b.is_empty())
}

/// The serialised items of `strings` strings each, sorted.
fn items(body: &[u8], strings: usize) -> Option<Vec<&[u8]>> {
    let mut rest = &body[1..];
    let (Length::Bytes(count), used) = length(rest)? else {
        return None;
    };
    rest = &rest[used..];
    let mut items = Vec::new();
    for _ in 0..count {
        let mut size = 0;
        for _ in 0..strings {
            size += string(&rest[size..])?;
        }
        items.push(&rest[..size]);
        rest = &rest[size..];
    }
    items.sort_unstable();
    rest.is_empty().then_some(items)
}

enum Length {
    Bytes(usize),
    /// An encoding of its own: an integer of 1, 2 or 4 bytes (0 to 2), or compressed (3).
    Special(u8),
}

/// A length and the bytes it takes.
fn length(bytes: &[u8]) -> Option<(Length, usize)> {
    let first = *bytes.first()?;
    let wide = |n: usize| {
        let digits = bytes.get(1..=n)?.iter();
        let value = digits.fold(0u64, |v, d| v << 8 | u64::from(*d));
        Some((Length::Bytes(usize::try_from(value).ok()?), 1 + n))
    };
    match first >> 6 {
        0 => Some((Length::Bytes(usize::from(first)), 1)),
        1 => {
            let low = usize::from(*bytes.get(1)?);
            Some((Length::Bytes(usize::from(first & 63) << 8 | low), 2))
        }
        2 if first == 0x80 => wide(4),
        2 => wide(8),
        _ => Some((Length::Special(first & 63), 1)),
    }
}

/// The bytes that a string takes.
fn string(bytes: &[u8]) -> Option<usize> {
    let (length_of, used) = length(bytes)?;
    let size = match length_of {
        Length::Bytes(n) => used.checked_add(n)?,
        Length::Special(i @ 0..=2) => used + (1 << i),
        Length::Special(_) => {
            let (Length::Bytes(packed), a) = length(&bytes[used..])? else {
                return None;
            };
            let (_, b) = length(bytes.get(used + a..)?)?;
            (used + a + b).checked_add(packed)?
        }
    };
    (size <= bytes.len()).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(body: &[u8]) -> Vec<u8> {
        [body, &[9; TAIL]].concat()
    }

    #[test]
    fn tables_agree_in_any_order() {
        let set = |body: &[u8]| payload(&[&[SET, 2][..], body].concat());
        assert!(agree(&set(b"\x01a\xc0\x05"), &set(b"\xc0\x05\x01a")));
        assert!(!agree(&set(b"\x01a\x01b"), &set(b"\x01a\x01c")));
        let hash = |body: &[u8]| payload(&[&[HASH, 2][..], body].concat());
        assert!(agree(
            &hash(b"\x01a\x01b\x01c\x01d"),
            &hash(b"\x01c\x01d\x01a\x01b")
        ));
        assert!(!agree(
            &hash(b"\x01a\x01b\x01c\x01d"),
            &hash(b"\x01a\x01d\x01c\x01b")
        ));
    }

    #[test]
    fn what_is_cut_short_does_not_agree() {
        assert!(!agree(
            &payload(b"\x02\x02\x01a"),
            &payload(b"\x02\x02\x01b")
        ));
        assert!(!agree(b"", b"x"));
        assert!(agree(&payload(b"\0\x01a"), &payload(b"\0\x01a")));
    }
}
