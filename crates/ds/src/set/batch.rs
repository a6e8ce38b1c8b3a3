//! A few members of one set on their way through other sets, so that the waits for memory overlap.
//!
//! Each member is held as it came, and besides in the forms that the sets to be asked need: tables need
//! texts; integers and indexed packs need elements as a pack would keep them.

use crate::dict::Dict;
use crate::int::parse_i64;
use crate::pack::Element;

/// Members in a batch: enough to cover the latency of a miss, few enough to stay in the first cache.
pub(super) const BATCH: usize = 32;
/// Length of the longest integer's text, its sign included.
const INTEGER_MAX: usize = 20;

/// The forms that members are needed in besides the one they come in.
#[derive(Clone, Copy, Default)]
pub(super) struct Forms {
    /// Integers are spelled out.
    pub(super) texts: bool,
    /// Texts of integers are read.
    pub(super) elements: bool,
}

pub(super) struct Batch<'a> {
    members: [Element<'a>; BATCH],
    elements: [Element<'a>; BATCH],
    digits: [[u8; INTEGER_MAX]; BATCH],
    digits_len: [u8; BATCH],
    hashes: [u64; BATCH],
}

impl<'a> Batch<'a> {
    pub(super) fn new() -> Batch<'a> {
        Batch {
            members: [Element::Int(0); BATCH],
            elements: [Element::Int(0); BATCH],
            digits: [[0; INTEGER_MAX]; BATCH],
            digits_len: [0; BATCH],
            hashes: [0; BATCH],
        }
    }

    /// Takes the next members; their bits, 0 at the end.
    #[inline]
    pub(super) fn fill(
        &mut self,
        members: &mut impl Iterator<Item = Element<'a>>,
        forms: Forms,
    ) -> u32 {
        let mut len = 0;
        for member in members.by_ref().take(BATCH) {
            self.members[len] = member;
            if forms.elements {
                self.elements[len] = read(member);
            }
            if forms.texts
                && let Element::Int(value) = member
            {
                self.spell(len, value);
            }
            len += 1;
        }
        u32::MAX.checked_shr(u32::BITS - len as u32).unwrap_or(0)
    }

    fn spell(&mut self, at: usize, value: i64) {
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(value).as_bytes();
        self.digits[at][..text.len()].copy_from_slice(text);
        self.digits_len[at] = text.len().to_le_bytes()[0];
    }

    /// The member as it came.
    #[inline]
    pub(super) fn member(&self, at: usize) -> Element<'a> {
        self.members[at]
    }

    /// The member as a pack would keep it.
    #[inline]
    pub(super) fn element(&self, at: usize) -> Element<'a> {
        self.elements[at]
    }

    /// The member's text.
    #[inline]
    pub(super) fn text(&self, at: usize) -> &[u8] {
        match &self.members[at] {
            Element::Bytes(text) => text,
            _ => &self.digits[at][..usize::from(self.digits_len[at])],
        }
    }

    /// Hashes the members in `asked` for a table.
    #[inline]
    pub(super) fn hash(&mut self, dict: &Dict, asked: u32) {
        for at in bits(asked) {
            self.hashes[at] = dict.hash(self.text(at));
        }
    }

    /// The hash taken last.
    #[inline]
    pub(super) fn hashed(&self, at: usize) -> u64 {
        self.hashes[at]
    }
}

/// The element that a pack would keep for this member.
#[inline]
fn read(member: Element<'_>) -> Element<'_> {
    match member {
        Element::Bytes(text) if text.len() <= INTEGER_MAX => {
            parse_i64(text).map_or(member, Element::Int)
        }
        _ => member,
    }
}

/// The places of the set bits, ascending.
#[inline]
pub(super) fn bits(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (at < BATCH).then_some(at)
    })
}

/// Those of `asked` for which `holds`.
#[inline]
pub(super) fn filter(asked: u32, mut holds: impl FnMut(usize) -> bool) -> u32 {
    bits(asked).fold(0, |found, at| found | u32::from(holds(at)) << at)
}
