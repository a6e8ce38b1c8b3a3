//! Ziplists: the byte vectors in which Redis before 7 kept small collections and the nodes of lists. Read only.
//!
//! ```text
//! bytes u32 | offset of the last u32 | entries u16 | entry | entry | ... | FF
//! entry:    length of the entry before (a byte below FE, or FE and four bytes), then
//!           00llllll                  a string of up to 63 bytes, which follow
//!           01llllll l8               a string, its length in 14 bits, high part first
//!           80 l32                    a string, its length in four bytes, high byte first
//!           C0 v16, D0 v32, E0 v64, F0 v24, FE v8   integers with a sign, low byte first
//!           F1..FD                    the integers 0..12
//! ```
//!
//! Invariants
//! - [`Elements`] reads bytes that nobody vouches for: every entry is stepped over once, and all that the format
//!   says twice (lengths of entries before, the offset of the last, the count) must agree. It allocates nothing.
//!
//! Source: the published description of ziplists.

use super::read::BadData;
use ochre_ds::pack::Element;

const HEADER: usize = 10;
const END: u8 = 0xFF;
/// Before a length of four bytes.
const WIDE: u8 = 0xFE;
/// A count that says "count them".
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Reads a ziplist from front to back. After an error there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    /// All but the end mark.
    bytes: &'a [u8],
    /// Where the next entry begins.
    at: usize,
    /// Where the entry before it begins, or the first would.
    before: usize,
    /// Where the header says that the last entry begins.
    last: usize,
    /// Entries that the header announces beyond those read, unless it does not tell.
    expected: Option<u16>,
}

impl<'a> Elements<'a> {
    /// The elements of `bytes`, which are all of the ziplist.
    ///
    /// # Errors
    /// When header or end mark are wrong.
    pub fn new(bytes: &'a [u8]) -> Result<Elements<'a>, BadData> {
        let (header, _) = bytes.split_first_chunk::<HEADER>().ok_or(BadData)?;
        let [a, b, c, d, e, f, g, h, i, j] = *header;
        let whole = usize::try_from(u32::from_le_bytes([a, b, c, d])) == Ok(bytes.len());
        let last = usize::try_from(u32::from_le_bytes([e, f, g, h])).map_err(|_| BadData)?;
        let count = u16::from_le_bytes([i, j]);
        match bytes[HEADER..].split_last() {
            Some((&END, entries)) if whole => Ok(Elements {
                bytes: &bytes[..HEADER + entries.len()],
                at: HEADER,
                before: HEADER,
                last,
                expected: (count != COUNT_UNKNOWN).then_some(count),
            }),
            _ => Err(BadData),
        }
    }

    fn step(&mut self) -> Result<Element<'a>, BadData> {
        if let Some(expected) = &mut self.expected {
            *expected = expected.checked_sub(1).ok_or(BadData)?;
        }
        let rest = &self.bytes[self.at..];
        let (before, head) = length_before(rest).ok_or(BadData)?;
        let (element, len) = decode(&rest[head..]).ok_or(BadData)?;
        if before != self.at - self.before {
            return Err(BadData);
        }
        self.before = self.at;
        self.at += head + len;
        Ok(element)
    }

    /// Whether nothing that the header says is left unmet.
    fn is_consistent(&self) -> bool {
        self.before == self.last && self.expected.is_none_or(|n| n == 0)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, BadData>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = if self.at < self.bytes.len() {
            self.step()
        } else if self.is_consistent() {
            return None;
        } else {
            Err(BadData)
        };
        if result.is_err() {
            *self = Elements {
                at: self.bytes.len(),
                last: self.before,
                expected: None,
                ..*self
            };
        }
        Some(result)
    }
}

/// The length of the entry before, and how many bytes tell it.
fn length_before(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.split_first()? {
        (&END, _) => None,
        (&WIDE, rest) => {
            let len = u32::from_le_bytes(*rest.first_chunk()?);
            Some((usize::try_from(len).ok()?, 5))
        }
        (&len, _) => Some((usize::from(len), 1)),
    }
}

/// The element at the front, and its length.
fn decode(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let text = |head: usize, len: usize| {
        let text = bytes.get(head..head.checked_add(len)?)?;
        Some((Element::Bytes(text), head + len))
    };
    let int = |n: i64, len: usize| Some((Element::Int(n), len));
    match first {
        0..=0x3F => text(1, usize::from(first)),
        0x40..=0x7F => text(
            2,
            usize::from(first & 0x3F) << 8 | usize::from(*rest.first()?),
        ),
        0x80 => {
            let len = u32::from_be_bytes(*rest.first_chunk()?);
            text(5, usize::try_from(len).ok()?)
        }
        0xC0 => int(i64::from(i16::from_le_bytes(*rest.first_chunk()?)), 3),
        0xD0 => int(i64::from(i32::from_le_bytes(*rest.first_chunk()?)), 5),
        0xE0 => int(i64::from_le_bytes(*rest.first_chunk()?), 9),
        0xF0 => {
            let [a, b, c] = *rest.first_chunk()?;
            int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), 4)
        }
        0xF1..=0xFD => int(i64::from(first - 0xF1), 1),
        0xFE => int(i64::from(i8::from_le_bytes(*rest.first_chunk()?)), 2),
        _ => None,
    }
}
