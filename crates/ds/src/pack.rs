//! A few byte strings packed into one byte vector: small sets and sorted sets, and parts of small hashes (`pairs`).
//!
//! ```text
//! count u16 | element | element | ...
//! element:  00..BF  a string of that many bytes, which follow
//!           C0..EF  the integer 0..47
//!           F0      a string, its length in the next four bytes
//!           F1..F4  an integer of 1, 2, 4, 8 bytes
//!           F5      a double of 8 bytes
//! ```
//! All numbers are stored low byte first.
//!
//! Invariants
//! - A string that is the canonical text of an integer ([`crate::int::parse_i64`]) is stored as one,
//!   so equal strings have equal encodings, and comparing needs no decoding.
//! - `count` is the number of elements; from 65535 on it says "count them".
//! - Elements keep the order of insertion; nothing is ever aligned or padded.
//!
//! Cost: a byte an element above its text, less for integers; everything is a scan, so packs are kept small by their owners.
//! It does not know which elements are fields, members or scores.

use crate::int::parse_i64;
use std::cmp::Ordering;

/// Offset of the first element.
pub const FIRST: usize = 2;

const SHORT_MAX: usize = 0xBF;
const SMALL_INT: u8 = 0xC0;
const SMALL_INT_MAX: i64 = 47;
const LONG: u8 = 0xF0;
const INT8: u8 = 0xF1;
const INT16: u8 = 0xF2;
const INT32: u8 = 0xF3;
const INT64: u8 = 0xF4;
const DOUBLE: u8 = 0xF5;
/// A count that does not fit.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// One element as it is stored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Element<'a> {
    /// A string that is no integer.
    Bytes(&'a [u8]),
    /// A string that is an integer's decimal digits.
    Int(i64),
    /// A number put by [`push_double`]; it has no text of its own here.
    Double(f64),
}

impl<'a> Element<'a> {
    /// Length of the text in bytes.
    pub fn len(&self) -> usize {
        match self {
            Element::Bytes(b) => b.len(),
            Element::Int(n) => int_len(*n),
            Element::Double(_) => 8,
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        matches!(self, Element::Bytes([]))
    }

    /// Whether the text is `other`.
    pub fn is(&self, other: &[u8]) -> bool {
        match self {
            Element::Bytes(b) => *b == other,
            Element::Int(n) => other.len() <= 20 && parse_i64(other) == Some(*n),
            Element::Double(_) => false,
        }
    }

    /// The text; `digits` is room for that of an integer.
    pub fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Element::Bytes(b) => b,
            Element::Int(n) => digits.format(*n).as_bytes(),
            Element::Double(_) => &[],
        }
    }

    /// A copy of the text.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// Byte-wise order of the texts.
    pub fn text_cmp(&self, other: &[u8]) -> Ordering {
        self.bytes(&mut itoa::Buffer::new()).cmp(other)
    }

    /// The number, whichever way it is stored; `None` for a string.
    pub fn number(&self) -> Option<f64> {
        match self {
            Element::Bytes(_) => None,
            Element::Int(n) => Some(*n as f64),
            Element::Double(d) => Some(*d),
        }
    }
}

/// Digits of an integer, its sign included.
fn int_len(n: i64) -> usize {
    let digits = n.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(n < 0)
}

/// An element in its encoding, made before a place for it is found.
pub(crate) struct Encoded<'a> {
    head: [u8; 9],
    head_len: usize,
    body: &'a [u8],
}

impl<'a> Encoded<'a> {
    pub(crate) fn head(first: u8, rest: &[u8], body: &'a [u8]) -> Encoded<'a> {
        let mut head = [0; 9];
        head[0] = first;
        head[1..=rest.len()].copy_from_slice(rest);
        Encoded {
            head,
            head_len: 1 + rest.len(),
            body,
        }
    }

    /// A string without anything before it, whose length is known from elsewhere.
    pub(crate) fn bare(text: &'a [u8]) -> Encoded<'a> {
        Encoded {
            head: [0; 9],
            head_len: 0,
            body: text,
        }
    }

    #[inline]
    pub(crate) fn text(text: &'a [u8]) -> Encoded<'a> {
        if text.len() <= 20
            && let Some(n) = parse_i64(text)
        {
            return Encoded::int(n);
        }
        if text.len() <= SHORT_MAX {
            return Encoded::head(text.len().to_le_bytes()[0], &[], text);
        }
        // Elements of 4 GiB are refused long before: no request brings one.
        Encoded::head(LONG, &text.len().to_le_bytes()[..4], text)
    }

    fn int(n: i64) -> Encoded<'a> {
        let bytes = n.to_le_bytes();
        if (0..=SMALL_INT_MAX).contains(&n) {
            Encoded::head(SMALL_INT + bytes[0], &[], &[])
        } else if i8::try_from(n).is_ok() {
            Encoded::head(INT8, &bytes[..1], &[])
        } else if i16::try_from(n).is_ok() {
            Encoded::head(INT16, &bytes[..2], &[])
        } else if i32::try_from(n).is_ok() {
            Encoded::head(INT32, &bytes[..4], &[])
        } else {
            Encoded::head(INT64, &bytes, &[])
        }
    }

    fn double(d: f64) -> Encoded<'a> {
        let whole = d as i64;
        // Beyond 2^53 an integer may stand for several doubles; minus zero has no integer.
        if whole.unsigned_abs() <= 1 << 53
            && whole as f64 == d
            && !(d == 0.0 && d.is_sign_negative())
        {
            return Encoded::int(whole);
        }
        Encoded::head(DOUBLE, &d.to_le_bytes(), &[])
    }

    pub(crate) fn len(&self) -> usize {
        self.head_len + self.body.len()
    }

    /// The element itself.
    pub(crate) fn element(&self) -> Element<'a> {
        if self.body.is_empty() {
            at(&self.head[..self.head_len], 0).map_or(Element::Bytes(&[]), |(element, _)| {
                match element {
                    Element::Int(n) => Element::Int(n),
                    Element::Double(d) => Element::Double(d),
                    Element::Bytes(_) => Element::Bytes(&[]),
                }
            })
        } else {
            Element::Bytes(self.body)
        }
    }

    /// The same integer, not in the form that has it in its first byte.
    pub(crate) fn without_small(self) -> Encoded<'a> {
        match self.head[0] {
            small @ SMALL_INT..LONG => Encoded::head(INT8, &[small - SMALL_INT], &[]),
            _ => self,
        }
    }

    /// Writes it to `room`, which is as long as it.
    pub(crate) fn write(&self, room: &mut [u8]) {
        let (head, body) = room.split_at_mut(self.head_len);
        head.copy_from_slice(&self.head[..self.head_len]);
        body.copy_from_slice(self.body);
    }

    fn push(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.head[..self.head_len]);
        buf.extend_from_slice(self.body);
    }

    /// Writes it in place of `buf[at..until]`.
    fn splice(&self, buf: &mut Vec<u8>, at: usize, until: usize) {
        let (old, new) = (until - at, self.len());
        let end = buf.len();
        if new > old {
            buf.resize(end + new - old, 0);
            buf.copy_within(until..end, at + new);
        } else if new < old {
            buf.copy_within(until..end, at + new);
            buf.truncate(end - (old - new));
        }
        self.write(&mut buf[at..at + new]);
    }
}

/// Bytes that `text` would take as an element.
pub fn encoded_len(text: &[u8]) -> usize {
    Encoded::text(text).len()
}

fn add_count(buf: &mut Vec<u8>, change: isize) {
    change_count(buf, change, count);
}

/// Changes the count of what `buf` holds, after elements were removed and before others are added; `count`
/// counts them where the field says that they must be.
pub(crate) fn change_count(buf: &mut Vec<u8>, change: isize, count: impl Fn(&[u8]) -> usize) {
    if buf.len() < FIRST {
        buf.resize(FIRST, 0);
    }
    let stored = u16::from_le_bytes([buf[0], buf[1]]);
    if stored == COUNT_UNKNOWN && change > 0 {
        return;
    }
    let now = if stored == COUNT_UNKNOWN {
        count(buf)
    } else {
        usize::from(stored).saturating_add_signed(change)
    };
    let now = u16::try_from(now).unwrap_or(COUNT_UNKNOWN);
    buf[..FIRST].copy_from_slice(&now.to_le_bytes());
}

/// Number of elements. Constant time below 65535.
#[inline]
pub fn count(buf: &[u8]) -> usize {
    stored_count(buf).unwrap_or_else(|| iter(buf).count())
}

/// The count that is stored; `None` when it is too large for that.
#[inline]
pub(crate) fn stored_count(buf: &[u8]) -> Option<usize> {
    match buf {
        [a, b, ..] => match u16::from_le_bytes([*a, *b]) {
            COUNT_UNKNOWN => None,
            n => Some(usize::from(n)),
        },
        _ => Some(0),
    }
}

/// The element at `offset` and the offset behind it; `None` at the end.
#[inline]
pub fn at(buf: &[u8], offset: usize) -> Option<(Element<'_>, usize)> {
    let rest = buf.get(offset..)?;
    let (first, rest) = rest.split_first()?;
    let body = offset + 1;
    Some(match *first {
        len @ 0..=0xBF => {
            let len = usize::from(len);
            (Element::Bytes(rest.get(..len)?), body + len)
        }
        small @ SMALL_INT..=0xEF => (Element::Int(i64::from(small - SMALL_INT)), body),
        LONG => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            let len = u32::from_le_bytes(*len) as usize;
            (Element::Bytes(rest.get(..len)?), body + 4 + len)
        }
        INT8 => (
            Element::Int(i64::from(rest.first()?.cast_signed())),
            body + 1,
        ),
        INT16 => {
            let bytes = rest.first_chunk::<2>()?;
            (
                Element::Int(i64::from(i16::from_le_bytes(*bytes))),
                body + 2,
            )
        }
        INT32 => {
            let bytes = rest.first_chunk::<4>()?;
            (
                Element::Int(i64::from(i32::from_le_bytes(*bytes))),
                body + 4,
            )
        }
        INT64 => (
            Element::Int(i64::from_le_bytes(*rest.first_chunk::<8>()?)),
            body + 8,
        ),
        DOUBLE => (
            Element::Double(f64::from_le_bytes(*rest.first_chunk::<8>()?)),
            body + 8,
        ),
        _ => return None,
    })
}

/// The elements of a pack in order, each with its offset.
#[derive(Clone, Copy)]
pub struct Iter<'a> {
    buf: &'a [u8],
    offset: usize,
}

impl Iter<'_> {
    /// Offset of the element that `next` gives, or of the end.
    pub fn next_offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (usize, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (element, next) = at(self.buf, self.offset)?;
        let offset = std::mem::replace(&mut self.offset, next);
        Some((offset, element))
    }
}

/// All elements.
pub fn iter(buf: &[u8]) -> Iter<'_> {
    Iter { buf, offset: FIRST }
}

/// The elements from `offset` on.
pub fn iter_from(buf: &[u8], offset: usize) -> Iter<'_> {
    Iter { buf, offset }
}

/// Offset behind the element at `offset`; reads its head only. `None` at the end.
#[inline]
fn skip(buf: &[u8], offset: usize) -> Option<usize> {
    let first = *buf.get(offset)?;
    let next = offset
        + match first {
            len @ 0..=0xBF => 1 + usize::from(len),
            SMALL_INT..=0xEF => 1,
            INT8 => 2,
            INT16 => 3,
            INT32 => 5,
            INT64 | DOUBLE => 9,
            LONG => {
                let len = buf.get(offset + 1..)?.first_chunk::<4>()?;
                5 + u32::from_le_bytes(*len) as usize
            }
            _ => return None,
        };
    (next <= buf.len()).then_some(next)
}

/// Offset of the first element whose text is `wanted`, looking at every `step`-th (2 for the fields of pairs).
pub fn find(buf: &[u8], wanted: &[u8], step: usize) -> Option<usize> {
    let encoded = Encoded::text(wanted);
    let head = &encoded.head[..encoded.head_len];
    let mut offset = FIRST;
    while offset < buf.len() {
        let here = &buf[offset..];
        if here.starts_with(head) && here[head.len()..].starts_with(encoded.body) {
            return Some(offset);
        }
        for _ in 0..step.max(1) {
            match skip(buf, offset) {
                Some(next) => offset = next,
                None => return None,
            }
        }
    }
    None
}

/// Appends an element.
pub fn push(buf: &mut Vec<u8>, text: &[u8]) {
    add_count(buf, 1);
    Encoded::text(text).push(buf);
}

/// Appends a number.
pub fn push_double(buf: &mut Vec<u8>, number: f64) {
    add_count(buf, 1);
    Encoded::double(number).push(buf);
}

/// Puts an element before the one at `offset`; `offset` is one that this module gave, or the end.
pub fn insert(buf: &mut Vec<u8>, offset: usize, text: &[u8]) {
    add_count(buf, 1);
    let offset = offset.clamp(FIRST, buf.len());
    Encoded::text(text).splice(buf, offset, offset);
}

/// Like [`insert`], for a number.
pub fn insert_double(buf: &mut Vec<u8>, offset: usize, number: f64) {
    add_count(buf, 1);
    let offset = offset.clamp(FIRST, buf.len());
    Encoded::double(number).splice(buf, offset, offset);
}

/// Replaces the element at `offset`. Nothing happens when there is none.
pub fn replace(buf: &mut Vec<u8>, offset: usize, text: &[u8]) {
    if let Some(until) = skip(buf, offset) {
        Encoded::text(text).splice(buf, offset, until);
    }
}

/// Like [`replace`], by a number.
pub fn replace_double(buf: &mut Vec<u8>, offset: usize, number: f64) {
    if let Some(until) = skip(buf, offset) {
        Encoded::double(number).splice(buf, offset, until);
    }
}

/// Removes up to `elements` elements from `offset` on, and returns how many there were.
pub fn remove(buf: &mut Vec<u8>, offset: usize, elements: usize) -> usize {
    let mut until = offset;
    let mut gone = 0;
    while gone < elements
        && let Some(next) = skip(buf, until)
    {
        until = next;
        gone += 1;
    }
    if gone > 0 {
        buf.drain(offset..until);
        add_count(buf, -isize::try_from(gone).unwrap_or(isize::MAX));
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn texts(buf: &[u8]) -> Vec<Vec<u8>> {
        iter(buf).map(|(_, e)| e.to_vec()).collect()
    }

    fn offset_of(buf: &[u8], index: usize) -> usize {
        iter(buf).nth(index).map_or(buf.len(), |(offset, _)| offset)
    }

    fn sample(random: &mut Random) -> Vec<u8> {
        match random.below(6) {
            0 => random.below(100).to_string().into_bytes(),
            1 => (random.next_u64() as i64 >> random.below(64))
                .to_string()
                .into_bytes(),
            2 => vec![b'x'; random.index(400)],
            3 => b"007".to_vec(),
            4 => b"-0".to_vec(),
            _ => (0..random.index(12))
                .map(|_| random.below(256) as u8)
                .collect(),
        }
    }

    /// Random changes against a vector of strings; seed in the message.
    #[test]
    fn a_pack_behaves_as_a_vector() {
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let (mut buf, mut model): (Vec<u8>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
            for _ in 0..600 {
                let text = sample(&mut random);
                let index = random.index(model.len() + 1);
                let offset = offset_of(&buf, index);
                match random.below(5) {
                    0 => {
                        push(&mut buf, &text);
                        model.push(text);
                    }
                    1 => {
                        insert(&mut buf, offset, &text);
                        model.insert(index, text);
                    }
                    2 if index < model.len() => {
                        replace(&mut buf, offset, &text);
                        model[index] = text;
                    }
                    3 => {
                        let n = random.index(3);
                        let there = n.min(model.len() - index);
                        assert_eq!(remove(&mut buf, offset, n), there, "seed {seed}");
                        model.drain(index..index + there);
                    }
                    _ => {
                        let place = model.iter().position(|m| *m == text);
                        let found = find(&buf, &text, 1);
                        assert_eq!(found, place.map(|p| offset_of(&buf, p)), "seed {seed}");
                    }
                }
                assert_eq!(count(&buf), model.len(), "seed {seed}");
                assert_eq!(texts(&buf), model, "seed {seed}");
                for ((_, e), m) in iter(&buf).zip(&model) {
                    assert!(e.is(m) && e.len() == m.len());
                }
            }
        }
    }

    #[test]
    fn fields_are_found_among_pairs() {
        let mut buf = Vec::new();
        for text in [b"a".as_slice(), b"b", b"b", b"c"] {
            push(&mut buf, text);
        }
        let at_two = offset_of(&buf, 2);
        assert_eq!(find(&buf, b"b", 2), Some(at_two));
        assert_eq!(find(&buf, b"c", 2), None);
    }

    #[test]
    fn doubles_come_back_exactly() {
        let numbers = [
            0.0,
            -0.0,
            1.0,
            47.0,
            -3.0,
            0.1,
            1e300,
            f64::INFINITY,
            9007199254740993.0,
        ];
        let mut buf = Vec::new();
        for n in numbers {
            push_double(&mut buf, n);
        }
        let back: Vec<u64> = iter(&buf)
            .filter_map(|(_, e)| e.number().map(f64::to_bits))
            .collect();
        assert_eq!(back, numbers.map(f64::to_bits));
        replace_double(&mut buf, FIRST, 2.5);
        assert_eq!(at(&buf, FIRST).map(|(e, _)| e), Some(Element::Double(2.5)));
    }

    #[test]
    fn a_count_beyond_its_field_is_counted() {
        let mut buf = Vec::new();
        for _ in 0..70_000 {
            push(&mut buf, b"1");
        }
        assert_eq!(count(&buf), 70_000);
        remove(&mut buf, FIRST, 10_000);
        assert_eq!(count(&buf), 60_000);
    }
}
