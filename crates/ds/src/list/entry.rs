//! One element of a list as bytes that can be walked from both ends.
//!
//! ```text
//! head | body | length of head and body, in reverse
//! head:    0xxxxxxx            the integer 0..127
//!          10llllll            a string of up to 63 bytes
//!          110xxxxx + 1 byte   an integer of 13 bits
//!          1110llll + 1 byte   a string of up to 4095 bytes
//!          F0 + 4 bytes        a longer string
//!          F1 F2 F3 F4         an integer of 2, 3, 4, 8 bytes
//! ```
//!
//! Invariants
//! - Canonical integers are stored as integers, in their shortest form: equal elements have equal bytes.
//! - The layout is that of the entries in Redis's serialised listpacks, so chunks are dumped as they are,
//!   and their sizes agree with what `list-max-listpack-size` counts.
//!
//! Cost: two bytes above the text of a string of up to 63 bytes.
//! Source: the listpack specification (antirez/listpack, 2017), checked against DUMP of 7.0.15 and 8.2.3.

use crate::int::parse_i64;
use crate::pack::Element;

const LONG: u8 = 0xF0;
const INT16: u8 = 0xF1;
const INT24: u8 = 0xF2;
const INT32: u8 = 0xF3;
const INT64: u8 = 0xF4;
const SHORT_MAX: usize = 63;
const MEDIUM_MAX: usize = 4095;
/// No canonical integer has more characters.
const INT_TEXT_MAX: usize = 20;

/// An element in its encoding, made before there is a place for it.
pub(super) struct Encoded<'a> {
    head: [u8; 9],
    head_len: usize,
    body: &'a [u8],
    back: [u8; 5],
    back_len: usize,
}

impl<'a> Encoded<'a> {
    pub(super) fn new(text: &'a [u8]) -> Encoded<'a> {
        if text.len() <= INT_TEXT_MAX
            && let Some(n) = parse_i64(text)
        {
            return Encoded::int(n);
        }
        let len = text.len().to_le_bytes();
        match text.len() {
            0..=SHORT_MAX => Encoded::with_head([0x80 | len[0]], text),
            64..=MEDIUM_MAX => Encoded::with_head([0xE0 | len[1], len[0]], text),
            _ => Encoded::with_head([LONG, len[0], len[1], len[2], len[3]], text),
        }
    }

    pub(super) fn of(element: Element<'a>) -> Encoded<'a> {
        match element {
            Element::Int(n) => Encoded::int(n),
            Element::Bytes(text) => Encoded::new(text),
            // Lists hold no doubles.
            Element::Double(_) => Encoded::new(b""),
        }
    }

    fn int(n: i64) -> Encoded<'a> {
        let b = n.to_le_bytes();
        match n {
            0..=127 => Encoded::with_head([b[0]], &[]),
            -4096..=4095 => Encoded::with_head([0xC0 | (b[1] & 0x1F), b[0]], &[]),
            -0x8000..=0x7FFF => Encoded::with_head([INT16, b[0], b[1]], &[]),
            -0x80_0000..=0x7F_FFFF => Encoded::with_head([INT24, b[0], b[1], b[2]], &[]),
            -0x8000_0000..=0x7FFF_FFFF => Encoded::with_head([INT32, b[0], b[1], b[2], b[3]], &[]),
            _ => Encoded::with_head([INT64, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]], &[]),
        }
    }

    fn with_head<const N: usize>(bytes: [u8; N], body: &'a [u8]) -> Encoded<'a> {
        let mut head = [0; 9];
        head[..N].copy_from_slice(&bytes);
        let (back, back_len) = back_length(N + body.len());
        Encoded {
            head,
            head_len: N,
            body,
            back,
            back_len,
        }
    }

    /// Bytes that the element takes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.head_len + self.body.len() + self.back_len
    }

    /// Writes it to the beginning of `room`, which has at least [`Self::len`] bytes.
    #[inline]
    pub(super) fn write(&self, room: &mut [u8]) {
        if (self.head_len, self.back_len) == (1, 1) {
            // Short strings, and the smallest integers: no loops for single bytes.
            let len = self.body.len();
            room[..len + 2][len + 1] = self.back[0];
            room[0] = self.head[0];
            room[1..=len].copy_from_slice(self.body);
            return;
        }
        let (head, room) = room.split_at_mut(self.head_len);
        head.copy_from_slice(&self.head[..self.head_len]);
        let (body, room) = room.split_at_mut(self.body.len());
        body.copy_from_slice(self.body);
        room[..self.back_len].copy_from_slice(&self.back[..self.back_len]);
    }

    /// Appends it.
    #[inline]
    pub(super) fn append(&self, data: &mut Vec<u8>) {
        data.extend_from_slice(&self.head[..self.head_len]);
        data.extend_from_slice(self.body);
        data.extend_from_slice(&self.back[..self.back_len]);
    }

    /// Whether the element at the beginning of `data` is this one.
    #[inline]
    pub(super) fn begins(&self, data: &[u8]) -> bool {
        data.strip_prefix(&self.head[..self.head_len])
            .is_some_and(|rest| rest.starts_with(self.body))
    }
}

/// Bytes of the length behind head and body of together `len` bytes.
///
/// compat: from the second on, the largest length that the bits could hold takes a byte more.
#[inline]
fn back_len(len: usize) -> usize {
    match len {
        0..=0x7F => 1,
        0x80..0x3FFF => 2,
        0x3FFF..0x1F_FFFF => 3,
        0x1F_FFFF..0xFFF_FFFF => 4,
        _ => 5,
    }
}

/// Seven bits a byte, the highest first; a set high bit says that a byte is before it.
fn back_length(len: usize) -> ([u8; 5], usize) {
    let count = back_len(len);
    let mut back = [0; 5];
    for (i, byte) in back[..count].iter_mut().enumerate() {
        let bits = (len >> (7 * (count - 1 - i))).to_le_bytes()[0] & 0x7F;
        *byte = if i == 0 { bits } else { bits | 0x80 };
    }
    (back, count)
}

/// The element at `at` and where the next one begins; `None` at the end.
#[inline(always)] // a list is walked in a loop of a few instructions per short element
pub(super) fn at(data: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let first = *data.get(at)?;
    if first & 0xC0 == 0x80 {
        let end = at + 1 + usize::from(first & 0x3F);
        return Some((Element::Bytes(data.get(at + 1..end)?), end + 1));
    }
    at_any(data, at)
}

/// [`at`] for the other forms.
fn at_any(data: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let rest = data.get(at..)?;
    let first = *rest.first()?;
    let body = |head: usize, len: usize| {
        let text = rest.get(head..head.checked_add(len)?)?;
        Some((Element::Bytes(text), at + head + len + back_len(head + len)))
    };
    let int = |n: i64, len: usize| Some((Element::Int(n), at + len + 1));
    match first {
        0..=0x7F => int(i64::from(first), 1),
        0xC0..=0xDF => {
            let bits = u16::from_be_bytes([first & 0x1F, *rest.get(1)?]);
            // The sign is the highest of thirteen bits.
            int(i64::from((bits << 3).cast_signed() >> 3), 2)
        }
        0xE0..=0xEF => body(
            2,
            usize::from(u16::from_be_bytes([first & 0x0F, *rest.get(1)?])),
        ),
        LONG => body(
            5,
            u32::from_le_bytes(*rest.get(1..)?.first_chunk()?) as usize,
        ),
        INT16 => int(
            i64::from(i16::from_le_bytes(*rest.get(1..)?.first_chunk()?)),
            3,
        ),
        INT24 => {
            let b = rest.get(1..)?.first_chunk::<3>()?;
            int(i64::from(i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8), 4)
        }
        INT32 => int(
            i64::from(i32::from_le_bytes(*rest.get(1..)?.first_chunk()?)),
            5,
        ),
        INT64 => int(i64::from_le_bytes(*rest.get(1..)?.first_chunk()?), 9),
        _ => None,
    }
}

/// Where the element after the one at `at` begins; `None` at the end.
#[inline]
pub(super) fn after(data: &[u8], at: usize) -> Option<usize> {
    let first = *data.get(at)?;
    if first & 0xC0 == 0x80 {
        return Some(at + 2 + usize::from(first & 0x3F));
    }
    let len = match first {
        0..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 2 + usize::from(u16::from_be_bytes([first & 0x0F, *data.get(at + 1)?])),
        LONG => 5 + u32::from_le_bytes(*data.get(at + 1..)?.first_chunk()?) as usize,
        INT16 => 3,
        INT24 => 4,
        INT32 => 5,
        INT64 => 9,
        _ => return None,
    };
    Some(at + len + back_len(len))
}

/// Where the element that ends before `at` begins; `None` at the beginning.
#[inline]
pub(super) fn before(data: &[u8], at: usize) -> Option<usize> {
    let mut end = at.checked_sub(1)?;
    let mut byte = *data.get(end)?;
    let mut len = usize::from(byte & 0x7F);
    let mut shift = 7;
    while byte & 0x80 != 0 && shift < 35 {
        end = end.checked_sub(1)?;
        byte = *data.get(end)?;
        len |= usize::from(byte & 0x7F) << shift;
        shift += 7;
    }
    end.checked_sub(len)
}

/// Where element `index` of the `count` elements in `data` begins, searched from the nearer end;
/// the end of `data` for `index == count`.
pub(super) fn seek(data: &[u8], count: usize, index: usize) -> usize {
    let step = |place: Option<usize>| place.unwrap_or(data.len());
    if index <= count / 2 {
        (0..index).fold(0, |place, _| step(after(data, place)))
    } else {
        (index..count).fold(data.len(), |place, _| step(before(data, place)))
    }
}
