//! One cache line of the table: twelve tags, twelve volatile marks, a link, twelve handles.
//!
//! Invariant: a place whose tag is zero has handle zero and no volatile mark.
//!
//! Buckets are kept in chunks of [`CHUNK`], so that growing never moves more than one chunk.

use crate::arena::Handle;
use crate::blocks;

pub(super) const PLACES: usize = 12;
/// Buckets allocated together.
pub(super) const CHUNK: usize = 64;
/// The largest link: it has 20 bits.
pub(super) const LINK_MAX: usize = (1 << 20) - 1;
const PLACE_MASK: u32 = (1 << PLACES) - 1;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    /// Twelve tags, then the meta word in the last four bytes.
    head: [u8; 16],
    pub(super) handles: [u32; PLACES],
}

const _: () = assert!(std::mem::size_of::<Bucket>() == 64);

impl Bucket {
    pub(super) const EMPTY: Bucket = Bucket {
        head: [0; 16],
        handles: [0; PLACES],
    };

    #[inline]
    pub(super) fn matches(&self, tag: u8) -> u32 {
        match_bytes(&self.head, tag) & PLACE_MASK
    }

    #[inline]
    fn meta(&self) -> u32 {
        u32::from_le_bytes([self.head[12], self.head[13], self.head[14], self.head[15]])
    }

    fn set_meta(&mut self, meta: u32) {
        self.head[12..].copy_from_slice(&meta.to_le_bytes());
    }

    /// Index of the next overflow bucket of the segment plus one; 0 for none.
    #[inline]
    pub(super) fn next(&self) -> usize {
        (self.meta() >> PLACES) as usize
    }

    pub(super) fn set_next(&mut self, next: usize) {
        let next = u32::try_from(next.min(LINK_MAX)).unwrap_or(0);
        self.set_meta((self.meta() & PLACE_MASK) | (next << PLACES));
    }

    pub(super) fn is_volatile(&self, place: usize) -> bool {
        self.meta() >> place & 1 == 1
    }

    pub(super) fn set_volatile(&mut self, place: usize, on: bool) {
        let bit = 1 << place;
        self.set_meta(if on {
            self.meta() | bit
        } else {
            self.meta() & !bit
        });
    }

    pub(super) fn put(&mut self, place: usize, item: Item) {
        self.head[place] = item.tag;
        self.handles[place] = item.handle.raw();
        self.set_volatile(place, item.volatile);
    }

    pub(super) fn take(&mut self, place: usize) -> Option<Item> {
        let handle = Handle::from_raw(self.handles[place])?;
        let item = Item {
            tag: self.head[place],
            handle,
            volatile: self.is_volatile(place),
        };
        self.head[place] = 0;
        self.handles[place] = 0;
        self.set_volatile(place, false);
        Some(item)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.matches(0) == PLACE_MASK
    }
}

/// The items of one chain; longer ones than a bucket and two overflow buckets are rare.
pub(super) type Items = smallvec::SmallVec<[Item; 3 * PLACES]>;

#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) tag: u8,
    pub(super) handle: Handle,
    pub(super) volatile: bool,
}

/// Bit i is set where byte i equals `wanted`.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code)]
fn match_bytes(bytes: &[u8; 16], wanted: u8) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
    // SAFETY: SSE2 is part of x86-64, and the load reads exactly the 16 bytes of the array.
    let mask = unsafe {
        let loaded = _mm_loadu_si128(bytes.as_ptr().cast());
        _mm_movemask_epi8(_mm_cmpeq_epi8(loaded, _mm_set1_epi8(wanted.cast_signed())))
    };
    mask.cast_unsigned()
}

/// Bit i is set where byte i equals `wanted`.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn match_bytes(bytes: &[u8; 16], wanted: u8) -> u32 {
    bytes
        .iter()
        .enumerate()
        .fold(0, |mask, (i, b)| mask | (u32::from(*b == wanted) << i))
}

/// Adds an empty bucket to a chunk. A table's first chunk starts with one bucket and grows in steps, so that a small
/// table stays small.
pub(super) fn push_bucket(chunk: &mut Vec<Bucket>, first: bool) {
    if chunk.len() == chunk.capacity() {
        let room = if first {
            blocks::step((chunk.len() + 1) * size_of::<Bucket>()) / size_of::<Bucket>()
        } else {
            CHUNK
        };
        chunk.reserve_exact(room.min(CHUNK).saturating_sub(chunk.len()).max(1));
    }
    chunk.push(Bucket::EMPTY);
}

/// A copy of a chunk with the same room.
pub(super) fn copy_chunk(chunk: &Vec<Bucket>) -> Vec<Bucket> {
    let mut copy = Vec::with_capacity(chunk.capacity());
    copy.extend_from_slice(chunk);
    copy
}

/// Bytes that a chunk holds.
pub(super) fn chunk_bytes(chunk: &Vec<Bucket>) -> usize {
    chunk.capacity() * std::mem::size_of::<Bucket>()
}
