//! Asking one set for many members: a pack gets an index first, a table has its cache misses overlapped.
//!
//! The index of a pack is an open-addressed array of offsets, half full at most: a few bytes a member for the
//! time of one operation, which pays from a handful of questions on. It compares members, so its
//! hash needs no seed: the worst that chosen members can do is the scan that it replaces.

use super::SetRef;
use super::batch::{Batch, Forms, bits, filter};
use crate::dict::Dict;
use crate::intset;
use crate::pack::{self, Element};

/// Members of a pack and questions to it, from which an index pays.
const INDEXED_MIN: usize = 12;

/// A set to be asked for members.
pub(super) enum Probe<'a> {
    Ints(&'a [u8]),
    Packed(&'a [u8]),
    Indexed(Index<'a>),
    Table(&'a Dict),
}

impl<'a> Probe<'a> {
    /// Prepares a set to be asked about `questions` times.
    pub(super) fn new(set: SetRef<'a>, questions: usize) -> Probe<'a> {
        match set {
            SetRef::Ints(buf) => Probe::Ints(buf),
            SetRef::Packed(buf) if questions.min(pack::count(buf)) >= INDEXED_MIN => {
                Probe::Indexed(Index::new(buf))
            }
            SetRef::Packed(buf) => Probe::Packed(buf),
            SetRef::Table(dict) => Probe::Table(dict),
        }
    }

    /// The forms that members are asked for in.
    pub(super) fn forms(probes: &[Probe<'_>]) -> Forms {
        let table = |p: &Probe<'_>| matches!(p, Probe::Table(_) | Probe::Packed(_));
        Forms {
            texts: probes.iter().any(table),
            elements: !probes.iter().all(table),
        }
    }

    /// Which of the batch's members in `asked` are in the set, as bits.
    #[inline]
    pub(super) fn found(&self, batch: &mut Batch<'_>, asked: u32) -> u32 {
        match self {
            Probe::Ints(buf) => filter(
                asked,
                |i| matches!(batch.element(i), Element::Int(value) if intset::contains(buf, value)),
            ),
            Probe::Packed(buf) => filter(asked, |i| pack::find(buf, batch.text(i), 1).is_some()),
            Probe::Indexed(index) => filter(asked, |i| index.contains(batch.element(i))),
            Probe::Table(dict) => {
                batch.hash(dict, asked);
                bits(asked).for_each(|i| dict.prefetch_bucket(batch.hashed(i)));
                bits(asked).for_each(|i| dict.prefetch_record(batch.hashed(i)));
                filter(asked, |i| {
                    dict.contains_hashed(batch.hashed(i), batch.text(i))
                })
            }
        }
    }
}

/// Where the members of a pack are, by a hash of their text.
pub(super) struct Index<'a> {
    buf: &'a [u8],
    /// Offsets; 0, which no member has, is an empty place. Their number is a power of two.
    places: Vec<u32>,
}

impl<'a> Index<'a> {
    fn new(buf: &'a [u8]) -> Index<'a> {
        let mut index = Index {
            buf,
            places: vec![0; (pack::count(buf) * 2).next_power_of_two().max(2)],
        };
        for (offset, member) in pack::iter(buf) {
            // A pack of 4 GiB is turned into a table long before; what has no place is found by scanning.
            let Ok(offset) = u32::try_from(offset) else {
                break;
            };
            let place = index.walk(member, |_| false);
            index.places[place] = offset;
        }
        index
    }

    /// The first place on the way of `member` that is empty or for which `stop` holds.
    #[inline]
    fn walk(&self, member: Element<'_>, stop: impl Fn(u32) -> bool) -> usize {
        let mask = self.places.len() - 1;
        // Lossless: masked to the length.
        let mut place = scatter(member) as usize & mask;
        while self.places[place] != 0 && !stop(self.places[place]) {
            place = (place + 1) & mask;
        }
        place
    }

    fn contains(&self, member: Element<'_>) -> bool {
        let same = |offset: u32| {
            pack::at(self.buf, offset as usize).is_some_and(|(there, _)| there == member)
        };
        self.places[self.walk(member, same)] != 0
    }
}

/// A hash over an integer, or over the length and up to 24 bytes of a text.
#[inline]
fn scatter(member: Element<'_>) -> u32 {
    let mixed = match member {
        Element::Int(value) => value.cast_unsigned(),
        Element::Double(value) => value.to_bits(),
        Element::Bytes(text) => {
            let len = text.len();
            let (first, middle, last) = match len {
                8.. => (
                    word(text),
                    word(&text[(len - 8) / 2..]),
                    word(&text[len - 8..]),
                ),
                _ => (text.iter().fold(0, |h, b| h << 8 | u64::from(*b)), 0, 0),
            };
            first
                .rotate_left(7)
                .wrapping_add(middle)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .wrapping_add(last)
                ^ len as u64
        }
    };
    let spread = mixed.wrapping_mul(0xD1B5_4A32_D192_ED03);
    (spread >> 32) as u32
}

#[inline]
fn word(text: &[u8]) -> u64 {
    text.first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}
