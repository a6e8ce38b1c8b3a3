//! Pairs of a field and a value packed into one byte vector: small hashes.
//!
//! ```text
//! count u16 | pair | pair | ...
//! pair:  00..BF  two strings: a field of 1..12 bytes (high half, less 1), a value of 0..15 (low half); both follow
//!        C0..EF  a field of 0..47 bytes, which follows, and the value as an element of a pack
//!        F0..F4  a field that is a pack's element beginning with this byte (long strings, integers), and the value
//!        F5      a field whose length is the next byte, and the value
//! ```
//!
//! Invariants
//! - A field or value that is the canonical text of an integer is stored as one, never as a string; so each has
//!   one encoding, though which form a pair takes depends on both.
//! - `count` is the number of pairs; from 65535 on it says "count them".
//! - Pairs keep the order of insertion.
//!
//! Cost: a byte a pair above its texts if both are short, two otherwise; everything is a scan, so hashes bound it.
//! It does not know the limits of hashes and never looks whether a field is there twice.

use crate::pack::{self, Element, Encoded};
use std::ops::Range;

/// Offset of the first pair.
pub const FIRST: usize = pack::FIRST;

const SHORT_FIELD_MAX: usize = 12;
const SHORT_VALUE_MAX: usize = 15;
const FIELD: u8 = 0xC0;
const FIELD_MAX: usize = 47;
const ELEMENT: u8 = 0xF0;
const SIZED_FIELD: u8 = 0xF5;

/// A pair that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair<'a> {
    /// The field.
    pub field: Element<'a>,
    /// The value.
    pub value: Element<'a>,
    /// Where the pair lies.
    pub place: Range<usize>,
}

/// The pair at `offset`; `None` at the end.
#[inline]
pub fn at(buf: &[u8], offset: usize) -> Option<Pair<'_>> {
    let head = *buf.get(offset)?;
    let (field, value, end) = if head < FIELD {
        let (field, end) = short(head, offset);
        let bytes = buf.get(offset + 1..end)?;
        let (field, value) = bytes.split_at_checked(field)?;
        (Element::Bytes(field), Element::Bytes(value), end)
    } else {
        let (field, next) = field_at(buf, head, offset)?;
        let (value, end) = pack::at(buf, next)?;
        (field, value, end)
    };
    Some(Pair {
        field,
        value,
        place: offset..end,
    })
}

/// Length of the field, and end of the pair that begins with `head`, which says that both are short.
#[inline]
fn short(head: u8, offset: usize) -> (usize, usize) {
    let field = usize::from(head >> 4) + 1;
    (field, offset + 1 + field + usize::from(head & 0x0F))
}

fn field_at(buf: &[u8], head: u8, offset: usize) -> Option<(Element<'_>, usize)> {
    let (start, len) = match head {
        FIELD..ELEMENT => (offset + 1, usize::from(head - FIELD)),
        SIZED_FIELD => (offset + 2, usize::from(*buf.get(offset + 1)?)),
        _ => return pack::at(buf, offset),
    };
    Some((Element::Bytes(buf.get(start..start + len)?), start + len))
}

/// The pair of a field; `None` when it is not there.
#[inline]
pub fn find<'a>(buf: &'a [u8], field: &[u8]) -> Option<Pair<'a>> {
    let encoded = Encoded::text(field);
    let wanted = encoded.element();
    let mut offset = FIRST;
    while let Some(&head) = buf.get(offset) {
        if head < FIELD {
            // Only lengths are read of pairs that do not fit.
            let (len, end) = short(head, offset);
            if len == field.len() && buf.get(offset + 1..offset + 1 + len)? == field {
                return at(buf, offset);
            }
            offset = end;
        } else {
            let pair = at(buf, offset)?;
            if pair.field == wanted {
                return Some(pair);
            }
            offset = pair.place.end;
        }
    }
    None
}

/// A pair in its encoding: what comes before the field's bytes, these, what comes before the value's, and those.
struct Written<'a>([Encoded<'a>; 2]);

impl<'a> Written<'a> {
    fn new(field: &'a [u8], value: &'a [u8]) -> Written<'a> {
        let (of_field, of_value) = (Encoded::text(field), Encoded::text(value));
        let Element::Bytes(_) = of_field.element() else {
            return Written([of_field.without_small(), of_value]);
        };
        let is_text = matches!(of_value.element(), Element::Bytes(_));
        let byte = |n: usize| n.to_le_bytes()[0];
        if is_text && (1..=SHORT_FIELD_MAX).contains(&field.len()) && value.len() <= SHORT_VALUE_MAX
        {
            let head = byte((field.len() - 1) << 4 | value.len());
            return Written([Encoded::head(head, &[], field), Encoded::bare(value)]);
        }
        let head = match field.len() {
            len @ 0..=FIELD_MAX => Encoded::head(FIELD + byte(len), &[], field),
            len @ 48..=255 => Encoded::head(SIZED_FIELD, &[byte(len)], field),
            _ => of_field,
        };
        Written([head, of_value])
    }

    fn len(&self) -> usize {
        self.0.iter().map(Encoded::len).sum()
    }

    /// Writes it to the beginning of `room`.
    fn write(&self, room: &mut [u8]) {
        let (field, value) = room.split_at_mut(self.0[0].len());
        self.0[0].write(field);
        self.0[1].write(value);
    }
}

/// Number of pairs. Constant time below 65535.
#[inline]
pub fn count(buf: &[u8]) -> usize {
    match pack::stored_count(buf) {
        Some(count) => count,
        None => iter(buf).count(),
    }
}

/// Appends a pair.
pub fn push(buf: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    pack::change_count(buf, 1, count);
    let pair = Written::new(field, value);
    let end = buf.len();
    buf.resize(end + pair.len(), 0);
    pair.write(&mut buf[end..]);
}

/// Replaces the pair at `place`, which this module gave, by one of the same field.
pub fn replace(buf: &mut Vec<u8>, place: Range<usize>, field: &[u8], value: &[u8]) {
    let pair = Written::new(field, value);
    let new = place.start..place.start + pair.len();
    let end = buf.len();
    if new.end > place.end {
        buf.resize(end + new.end - place.end, 0);
    }
    buf.copy_within(place.end..end, new.end);
    buf.truncate(end + new.end - place.end);
    pair.write(&mut buf[new]);
}

/// Removes the pair at `place`, which this module gave.
pub fn remove(buf: &mut Vec<u8>, place: Range<usize>) {
    buf.drain(place);
    pack::change_count(buf, -1, count);
}

/// Fields and values in order.
#[derive(Clone)]
pub struct Iter<'a> {
    buf: &'a [u8],
    offset: usize,
}

impl Iter<'_> {
    /// Offset of the pair that `next` gives, or of the end.
    pub fn next_offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let pair = at(self.buf, self.offset)?;
        self.offset = pair.place.end;
        Some((pair.field, pair.value))
    }
}

/// All pairs.
pub fn iter(buf: &[u8]) -> Iter<'_> {
    iter_from(buf, FIRST)
}

/// The pairs from `offset` on.
pub fn iter_from(buf: &[u8], offset: usize) -> Iter<'_> {
    Iter { buf, offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn text(random: &mut Random) -> Vec<u8> {
        match random.below(5) {
            0 => random.below(100).to_string().into_bytes(),
            1 => (random.next_u64() as i64 >> random.below(64))
                .to_string()
                .into_bytes(),
            2 => {
                let len = [0, 1, 12, 13, 15, 16, 47, 48, 191, 192, 255, 256, 300];
                vec![b'x'; len[random.index(len.len())]]
            }
            3 => b"-0".to_vec(),
            _ => (0..random.index(18))
                .map(|_| random.below(256) as u8)
                .collect(),
        }
    }

    /// Random changes against a vector of pairs; seed in the message.
    #[test]
    fn pairs_behave_as_a_vector() {
        for seed in 0..30 {
            let mut random = Random::new(seed);
            let (mut buf, mut model): (Vec<u8>, Vec<[Vec<u8>; 2]>) = (Vec::new(), Vec::new());
            for _ in 0..400 {
                let (field, value) = (text(&mut random), text(&mut random));
                let place = model.iter().position(|[f, _]| *f == field);
                let found = find(&buf, &field).map(|p| (p.value.to_vec(), p.place));
                assert_eq!(
                    found.as_ref().map(|(value, _)| value),
                    place.map(|p| &model[p][1]),
                    "seed {seed}"
                );
                match (found, place) {
                    (Some((_, range)), Some(at)) if random.below(2) == 0 => {
                        remove(&mut buf, range);
                        model.remove(at);
                    }
                    (Some((_, range)), Some(at)) => {
                        replace(&mut buf, range, &field, &value);
                        model[at][1] = value;
                    }
                    _ => {
                        push(&mut buf, &field, &value);
                        model.push([field, value]);
                    }
                }
                let all: Vec<_> = iter(&buf).map(|(f, v)| [f.to_vec(), v.to_vec()]).collect();
                assert_eq!(
                    (all, count(&buf)),
                    (model.clone(), model.len()),
                    "seed {seed}"
                );
                for ((field, value), [f, v]) in iter(&buf).zip(&model) {
                    assert!(field.is(f) && value.is(v), "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn short_pairs_take_a_byte_each() {
        let mut buf = Vec::new();
        push(&mut buf, b"field1", b"value:000123");
        push(&mut buf, b"n", b"12");
        assert_eq!(buf.len(), FIRST + 1 + 6 + 12 + 1 + 1 + 1);
    }

    #[test]
    fn a_count_beyond_its_field_is_counted() {
        let mut buf = Vec::new();
        for _ in 0..70_000 {
            push(&mut buf, b"f", b"1");
        }
        assert_eq!(count(&buf), 70_000);
        let last = iter(&buf).count();
        for _ in 0..3 {
            let place = at(&buf, FIRST).map(|p| p.place).unwrap();
            remove(&mut buf, place);
        }
        assert_eq!(count(&buf), last - 3);
    }

    #[test]
    fn bytes_that_are_no_pairs_end_the_walk() {
        let mut random = Random::new(5);
        for _ in 0..2000 {
            let buf: Vec<u8> = (0..random.index(40))
                .map(|_| random.below(256) as u8)
                .collect();
            assert!(iter(&buf).count() <= buf.len());
            let _ = find(&buf, b"field");
        }
    }
}
