//! Listpacks: the byte vectors in which Redis 7 keeps small collections and the nodes of lists.
//!
//! ```text
//! bytes u32 | elements u16 | element | element | ... | FF
//! element:  0vvvvvvv                  an integer of 7 bits
//!           10llllll                  a string of up to 63 bytes, which follow
//!           110vvvvv v8               an integer of 13 bits with a sign
//!           1110llll l8               a string of up to 4095 bytes
//!           F0 l32                    a string, its length in four bytes
//!           F1 v16, F2 v24, F3 v32, F4 v64   integers with a sign
//! ```
//! After each element stands its own length, seven bits a byte, so that it can be read backwards.
//! The bits of the 12- and 13-bit forms stand high part first, everything else low byte first.
//!
//! Invariants
//! - [`Elements`] reads bytes that nobody vouches for: it steps over every element once, checks the backward
//!   length too, and gives an error where anything disagrees; it allocates nothing.
//! - [`Writer`] gives, byte for byte, what Redis 7.0.15 makes of the same elements in the same order.
//!
//! Source: the published description of listpacks; DUMP replies of Redis 7.0.15.

use super::read::BadData;
use ochre_ds::int::parse_i64;
use ochre_ds::pack::Element;

const HEADER: usize = 6;
const END: u8 = 0xFF;
/// A count that says "count them".
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Reads a listpack from front to back. After an error there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    /// From the next element to the end mark, which is not in it.
    rest: &'a [u8],
    /// Elements that the header announces beyond those read, unless it does not tell.
    expected: Option<u16>,
}

impl<'a> Elements<'a> {
    /// The elements of `bytes`, which are all of the listpack.
    ///
    /// # Errors
    /// When header or end mark are wrong.
    pub fn new(bytes: &'a [u8]) -> Result<Elements<'a>, BadData> {
        let (total, rest) = bytes.split_first_chunk::<4>().ok_or(BadData)?;
        let (count, rest) = rest.split_first_chunk::<2>().ok_or(BadData)?;
        let (&end, rest) = rest.split_last().ok_or(BadData)?;
        let whole = usize::try_from(u32::from_le_bytes(*total)) == Ok(bytes.len());
        if !whole || end != END {
            return Err(BadData);
        }
        let count = u16::from_le_bytes(*count);
        Ok(Elements {
            rest,
            expected: (count != COUNT_UNKNOWN).then_some(count),
        })
    }

    /// The elements that the header announces, `None` if it does not tell. A claim, not a fact.
    pub fn announced(&self) -> Option<u16> {
        self.expected
    }

    fn step(&mut self) -> Result<Element<'a>, BadData> {
        if let Some(expected) = &mut self.expected {
            *expected = expected.checked_sub(1).ok_or(BadData)?;
        }
        let (element, len) = decode(self.rest).ok_or(BadData)?;
        let (back, back_len) = back_length(len);
        let rest = &self.rest[len..];
        let rest = rest.strip_prefix(&back[..back_len]).ok_or(BadData)?;
        self.rest = rest;
        Ok(element)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, BadData>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            // Too few elements are told once.
            let missing = self.expected.take().is_some_and(|n| n > 0);
            return missing.then_some(Err(BadData));
        }
        let step = self.step();
        if step.is_err() {
            *self = Elements {
                rest: &[],
                expected: None,
            };
        }
        Some(step)
    }
}

/// The element at the front, and its length without the backward length; `None` if it is none.
fn decode(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let text = |head: usize, len: usize| {
        let text = bytes.get(head..head.checked_add(len)?)?;
        Some((Element::Bytes(text), head + len))
    };
    let int = |n: i64, len: usize| Some((Element::Int(n), len));
    match first {
        0..=0x7F => int(i64::from(first), 1),
        0x80..=0xBF => text(1, usize::from(first & 0x3F)),
        0xC0..=0xDF => {
            // Thirteen bits, moved to the top and back to spread the sign.
            let bits = u16::from_be_bytes([first, *rest.first()?]) << 3;
            int(i64::from(bits.cast_signed() >> 3), 2)
        }
        0xE0..=0xEF => text(
            2,
            usize::from(first & 0x0F) << 8 | usize::from(*rest.first()?),
        ),
        0xF0 => {
            let len = u32::from_le_bytes(*rest.first_chunk()?);
            text(5, usize::try_from(len).ok()?)
        }
        0xF1 => int(i64::from(i16::from_le_bytes(*rest.first_chunk()?)), 3),
        0xF2 => {
            let [a, b, c] = *rest.first_chunk()?;
            int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), 4)
        }
        0xF3 => int(i64::from(i32::from_le_bytes(*rest.first_chunk()?)), 5),
        0xF4 => int(i64::from_le_bytes(*rest.first_chunk()?), 9),
        _ => None,
    }
}

/// The backward length of an element of `len` bytes, in the first bytes of the array.
fn back_length(len: usize) -> ([u8; 5], usize) {
    // The limits from the second on are one below what the bits could hold: so Redis writes them.
    let count = match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    for (at, byte) in bytes[..count].iter_mut().enumerate() {
        let bits = (len >> (7 * (count - 1 - at)) & 0x7F).to_le_bytes()[0];
        *byte = if at == 0 { bits } else { bits | 0x80 };
    }
    (bytes, count)
}

/// Makes a listpack.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    count: usize,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::with_capacity(0)
    }
}

impl Writer {
    /// An empty listpack with room for elements of `bytes` together.
    pub fn with_capacity(bytes: usize) -> Writer {
        let mut writer = Writer {
            bytes: Vec::with_capacity(HEADER + bytes + 1),
            count: 0,
        };
        writer.bytes.resize(HEADER, 0);
        writer
    }

    /// Appends an element; a double as Redis keeps a score: as an integer if it is one, else as `%.17g`.
    pub fn push(&mut self, element: Element<'_>) {
        match element {
            Element::Int(n) => self.push_int(n),
            Element::Bytes(text) => self.push_text(text),
            Element::Double(score) => match whole(score) {
                Some(n) => self.push_int(n),
                None => {
                    let mut text = Vec::new();
                    ochre_ds::float::write_g17(&mut text, score);
                    self.push_text(&text);
                }
            },
        }
    }

    /// Appends a string; one that is an integer's canonical text is stored as the integer.
    pub fn push_text(&mut self, text: &[u8]) {
        const INT_TEXT_MAX: usize = 20;
        if text.len() <= INT_TEXT_MAX
            && let Some(n) = parse_i64(text)
        {
            return self.push_int(n);
        }
        let start = self.bytes.len();
        let [low, high, c, d, ..] = (text.len() as u64).to_le_bytes();
        match text.len() {
            0..0x40 => self.bytes.push(0x80 | low),
            0x40..0x1000 => self.bytes.extend_from_slice(&[0xE0 | high, low]),
            _ => self.bytes.extend_from_slice(&[0xF0, low, high, c, d]),
        }
        self.bytes.extend_from_slice(text);
        self.end(start);
    }

    fn push_int(&mut self, n: i64) {
        let start = self.bytes.len();
        let le = n.to_le_bytes();
        match n {
            0..=127 => self.bytes.push(le[0]),
            -4096..=4095 => self.bytes.extend_from_slice(&[0xC0 | le[1] & 0x1F, le[0]]),
            -0x8000..=0x7FFF => self.int_bytes(0xF1, &le[..2]),
            -0x80_0000..=0x7F_FFFF => self.int_bytes(0xF2, &le[..3]),
            -0x8000_0000..=0x7FFF_FFFF => self.int_bytes(0xF3, &le[..4]),
            _ => self.int_bytes(0xF4, &le),
        }
        self.end(start);
    }

    fn int_bytes(&mut self, mark: u8, bytes: &[u8]) {
        self.bytes.push(mark);
        self.bytes.extend_from_slice(bytes);
    }

    fn end(&mut self, start: usize) {
        let (back, len) = back_length(self.bytes.len() - start);
        self.bytes.extend_from_slice(&back[..len]);
        self.count += 1;
    }

    /// The listpack; `None` if it became larger than its own header can say (4 GiB).
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.bytes.push(END);
        let total = u32::try_from(self.bytes.len()).ok()?;
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
        Some(self.bytes)
    }
}

/// The integer that a double is exactly, if Redis stores it as one: within 2^62. Minus zero is zero.
fn whole(score: f64) -> Option<i64> {
    const MOST: f64 = 4_611_686_018_427_387_904.0;
    // In that range the conversion is exact or cuts a fraction off.
    let inside = (-MOST..=MOST).contains(&score);
    (inside && score.fract() == 0.0).then_some(score as i64)
}
