//! A hash table of 32-bit handles that grows and shrinks by one bucket at a time (linear hashing,
//! Litwin 1980), in 64-byte buckets with one-byte tags.
//!
//! ```text
//! bucket, one cache line:  tags 12 x 1 B | volatile mask 12 bit, overflow link 20 bit | handles 12 x 4 B
//! ```
//!
//! Invariants
//! - With `level` L and `split` p there are 2^L + p primary buckets. A hash belongs to bucket
//!   `hash mod 2^(L+1)` if that bucket exists, else to `hash mod 2^L`.
//! - A tag is zero exactly when its place is empty; the tag of an entry is bits 48..56 of its hash, or 1 for 0.
//! - A full bucket continues in a chain of overflow buckets; no overflow bucket is empty.
//! - No operation moves more than one bucket's chain, so none pauses, at any size.
//!
//! Scanning visits entries in the order of the bit-reversed hash, of which a bucket at any level is a
//! contiguous range: a cursor is a position in that order, and stays meaningful while buckets split and merge.
//!
//! Cost: 64 bytes per 9.5 entries plus the overflow, about 8 bytes an entry; a lookup reads one
//! cache line, and a second one for about one entry in six.
//!
//! The table never reads records: callers give hash and equality.

use crate::arena::Handle;

const PLACES: usize = 12;
/// Entries per primary bucket, in halves: above it a bucket is split.
const LOAD_HALVES: usize = 19;
/// Below this many entries per primary bucket, in halves, a bucket is merged; far enough below to avoid thrashing.
const SPARSE_HALVES: usize = 13;
const CHUNK: usize = 64;
/// Hash bits that choose buckets; the rest is for tags and for the caller (choice of a stripe).
pub const INDEX_BITS: u32 = 40;
const OVERFLOW_MAX: usize = (1 << 20) - 1;
const PLACE_MASK: u32 = (1 << PLACES) - 1;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    /// Twelve tags, then the meta word in the last four bytes.
    head: [u8; 16],
    handles: [u32; PLACES],
}

const _: () = assert!(std::mem::size_of::<Bucket>() == 64);

impl Bucket {
    const EMPTY: Bucket = Bucket {
        head: [0; 16],
        handles: [0; PLACES],
    };

    #[inline]
    fn matches(&self, tag: u8) -> u32 {
        match_bytes(&self.head, tag) & PLACE_MASK
    }

    #[inline]
    fn meta(&self) -> u32 {
        u32::from_le_bytes([self.head[12], self.head[13], self.head[14], self.head[15]])
    }

    fn set_meta(&mut self, meta: u32) {
        self.head[12..].copy_from_slice(&meta.to_le_bytes());
    }

    /// Index of the next overflow bucket plus one; 0 for none.
    #[inline]
    fn next(&self) -> usize {
        (self.meta() >> PLACES) as usize
    }

    fn set_next(&mut self, next: usize) {
        let next = u32::try_from(next.min(OVERFLOW_MAX)).unwrap_or(0);
        self.set_meta((self.meta() & PLACE_MASK) | (next << PLACES));
    }

    fn is_volatile(&self, place: usize) -> bool {
        self.meta() >> place & 1 == 1
    }

    fn set_volatile(&mut self, place: usize, on: bool) {
        let bit = 1 << place;
        self.set_meta(if on {
            self.meta() | bit
        } else {
            self.meta() & !bit
        });
    }

    fn put(&mut self, place: usize, item: Item) {
        self.head[place] = item.tag;
        self.handles[place] = item.handle.raw();
        self.set_volatile(place, item.volatile);
    }

    fn take(&mut self, place: usize) -> Option<Item> {
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

    fn is_empty(&self) -> bool {
        self.matches(0) == PLACE_MASK
    }
}

/// The items of one chain; longer ones than a bucket and two overflow buckets are rare.
type Items = smallvec::SmallVec<[Item; 3 * PLACES]>;

#[derive(Clone, Copy)]
struct Item {
    tag: u8,
    handle: Handle,
    volatile: bool,
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

/// Where an entry stands. Valid until the next insertion or removal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    bucket: BucketRef,
    place: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BucketRef {
    Primary(usize),
    Overflow(usize),
}

/// A position in the order of bit-reversed hashes, below 2^40; 0 is the beginning.
pub type Position = u64;

/// See the module's documentation.
#[derive(Default)]
pub struct Table {
    chunks: Vec<Vec<Bucket>>,
    overflow: Vec<Vec<Bucket>>,
    overflow_len: usize,
    /// First unused overflow bucket plus one, linked through `next`.
    overflow_free: usize,
    level: u32,
    split: usize,
    len: usize,
    volatile: usize,
}

fn tag_of(hash: u64) -> u8 {
    let [_, tag, ..] = hash.to_be_bytes();
    tag.max(1)
}

/// Where `hash` stands in scan order.
pub fn position_of(hash: u64) -> Position {
    (hash << (64 - INDEX_BITS)).reverse_bits()
}

impl Table {
    /// An empty table without any memory.
    pub fn new() -> Table {
        Table::default()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of entries marked volatile.
    pub fn volatile_len(&self) -> usize {
        self.volatile
    }

    /// Bytes held from the allocator.
    pub fn bytes(&self) -> usize {
        let held = |chunks: &Vec<Vec<Bucket>>| {
            chunks.capacity() * std::mem::size_of::<Vec<Bucket>>()
                + chunks.iter().map(Vec::capacity).sum::<usize>() * std::mem::size_of::<Bucket>()
        };
        held(&self.chunks) + held(&self.overflow)
    }

    /// Number of primary buckets.
    pub fn buckets(&self) -> usize {
        if self.chunks.is_empty() {
            0
        } else {
            (1 << self.level) + self.split
        }
    }

    #[inline]
    fn index_of(&self, hash: u64) -> usize {
        let low = hash & ((1 << INDEX_BITS) - 1);
        // Lossless: a table never has more buckets than the address space holds.
        let wide = (low & ((2 << self.level) - 1)) as usize;
        if wide < (1 << self.level) + self.split {
            wide
        } else {
            wide & ((1 << self.level) - 1)
        }
    }

    #[inline]
    fn primary(&self, index: usize) -> &Bucket {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    fn bucket(&self, at: BucketRef) -> &Bucket {
        match at {
            BucketRef::Primary(i) => self.primary(i),
            BucketRef::Overflow(i) => &self.overflow[i / CHUNK][i % CHUNK],
        }
    }

    fn bucket_mut(&mut self, at: BucketRef) -> &mut Bucket {
        match at {
            BucketRef::Primary(i) => &mut self.chunks[i / CHUNK][i % CHUNK],
            BucketRef::Overflow(i) => &mut self.overflow[i / CHUNK][i % CHUNK],
        }
    }

    /// The bucket's address, to prefetch it. The pointer may only be used as an address.
    #[inline]
    pub fn bucket_address(&self, hash: u64) -> *const u8 {
        if self.chunks.is_empty() {
            return std::ptr::null();
        }
        std::ptr::from_ref(self.primary(self.index_of(hash))).cast()
    }

    /// The first handle in the primary bucket whose tag fits: a guess for prefetching, not an answer.
    #[inline]
    pub fn likely(&self, hash: u64) -> Option<Handle> {
        if self.len == 0 {
            return None;
        }
        let bucket = self.primary(self.index_of(hash));
        let mask = bucket.matches(tag_of(hash));
        if mask == 0 {
            None
        } else {
            Handle::from_raw(bucket.handles[mask.trailing_zeros() as usize])
        }
    }

    /// Finds the entry of `hash` for which `same` holds.
    #[inline]
    pub fn find(&self, hash: u64, mut same: impl FnMut(Handle) -> bool) -> Option<(Place, Handle)> {
        if self.len == 0 {
            return None;
        }
        let tag = tag_of(hash);
        let mut at = BucketRef::Primary(self.index_of(hash));
        loop {
            let bucket = self.bucket(at);
            let mut mask = bucket.matches(tag);
            while mask != 0 {
                let place = mask.trailing_zeros();
                mask &= mask - 1;
                if let Some(handle) = Handle::from_raw(bucket.handles[place as usize])
                    && same(handle)
                {
                    return Some((
                        Place {
                            bucket: at,
                            place: place as u8,
                        },
                        handle,
                    ));
                }
            }
            match bucket.next() {
                0 => return None,
                next => at = BucketRef::Overflow(next - 1),
            }
        }
    }

    /// Replaces the handle of an entry that was found, keeping hash and place.
    pub fn replace(&mut self, place: Place, handle: Handle, volatile: bool) {
        let at = usize::from(place.place);
        let bucket = self.bucket_mut(place.bucket);
        let was = bucket.is_volatile(at);
        bucket.handles[at] = handle.raw();
        bucket.set_volatile(at, volatile);
        self.volatile = self.volatile + usize::from(volatile) - usize::from(was);
    }

    /// Adds an entry that is not there, and returns its place.
    ///
    /// One bucket may be split: `rehash` gives the hash of any entry, after `prefetch` was told which
    /// ones will be asked for.
    pub fn insert(
        &mut self,
        hash: u64,
        handle: Handle,
        volatile: bool,
        prefetch: impl Fn(Handle),
        rehash: impl Fn(Handle) -> u64,
    ) -> Place {
        if self.chunks.is_empty() {
            self.chunks.push(vec![Bucket::EMPTY]);
        }
        self.len += 1;
        self.volatile += usize::from(volatile);
        if self.len * 2 > self.buckets() * LOAD_HALVES {
            self.grow(prefetch, rehash);
        }
        let at = BucketRef::Primary(self.index_of(hash));
        self.place(
            at,
            Item {
                tag: tag_of(hash),
                handle,
                volatile,
            },
        )
    }

    /// Puts an item into the first empty place of a chain, extending the chain when it is full.
    fn place(&mut self, mut at: BucketRef, item: Item) -> Place {
        loop {
            let bucket = self.bucket_mut(at);
            let empty = bucket.matches(0);
            if empty != 0 {
                let place = empty.trailing_zeros();
                bucket.put(place as usize, item);
                return Place {
                    bucket: at,
                    place: place as u8,
                };
            }
            match bucket.next() {
                0 => {
                    let index = self.take_overflow();
                    self.bucket_mut(at).set_next(index + 1);
                    at = BucketRef::Overflow(index);
                }
                next => at = BucketRef::Overflow(next - 1),
            }
        }
    }

    fn take_overflow(&mut self) -> usize {
        if self.overflow_free != 0 {
            let index = self.overflow_free - 1;
            let at = BucketRef::Overflow(index);
            self.overflow_free = self.bucket(at).next();
            *self.bucket_mut(at) = Bucket::EMPTY;
            return index;
        }
        // With a seeded hash the chains hold about a quarter of the primary buckets' number, so the
        // 20-bit link suffices for tens of millions of entries in one table; a table is one stripe's.
        let index = self.overflow_len;
        assert!(
            index < OVERFLOW_MAX,
            "more overflow buckets than a seeded hash can cause"
        );
        if index.is_multiple_of(CHUNK) {
            self.overflow
                .push(Vec::with_capacity(if index == 0 { 1 } else { CHUNK }));
        }
        if let Some(chunk) = self.overflow.last_mut() {
            chunk.push(Bucket::EMPTY);
        }
        self.overflow_len += 1;
        index
    }

    fn release_overflow(&mut self, index: usize) {
        let free = self.overflow_free;
        let bucket = self.bucket_mut(BucketRef::Overflow(index));
        *bucket = Bucket::EMPTY;
        bucket.set_next(free);
        self.overflow_free = index + 1;
    }

    /// Empties the chain of a primary bucket into `items`, releasing its overflow buckets.
    fn drain_chain(&mut self, index: usize, items: &mut Items) {
        let mut at = BucketRef::Primary(index);
        loop {
            let bucket = self.bucket_mut(at);
            items.extend((0..PLACES).filter_map(|p| bucket.take(p)));
            let next = bucket.next();
            bucket.set_next(0);
            if let BucketRef::Overflow(i) = at {
                self.release_overflow(i);
            }
            match next {
                0 => return,
                n => at = BucketRef::Overflow(n - 1),
            }
        }
    }

    /// Splits the next bucket in line.
    fn grow(&mut self, prefetch: impl Fn(Handle), rehash: impl Fn(Handle) -> u64) {
        let old = self.split;
        let new = (1 << self.level) + self.split;
        if new.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(Bucket::EMPTY);
        }
        self.split += 1;
        if self.split == 1 << self.level {
            self.level += 1;
            self.split = 0;
        }
        let mut items = Items::new();
        self.drain_chain(old, &mut items);
        items.iter().for_each(|item| prefetch(item.handle));
        for item in items {
            let at = self.index_of(rehash(item.handle));
            debug_assert!(at == old || at == new);
            self.place(BucketRef::Primary(at), item);
        }
    }

    /// Merges the last bucket into the one it was split from.
    fn shrink(&mut self) {
        if self.buckets() <= 1 {
            return;
        }
        if self.split == 0 {
            self.level -= 1;
            self.split = 1 << self.level;
        }
        self.split -= 1;
        let last = (1 << self.level) + self.split;
        let mut items = Items::new();
        self.drain_chain(last, &mut items);
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.pop();
            if chunk.is_empty() {
                self.chunks.pop();
            }
        }
        for item in items {
            self.place(BucketRef::Primary(self.split), item);
        }
    }

    /// Removes an entry that was found.
    pub fn remove(&mut self, hash: u64, place: Place) {
        let bucket = self.bucket_mut(place.bucket);
        let Some(item) = bucket.take(usize::from(place.place)) else {
            return;
        };
        self.len -= 1;
        self.volatile -= usize::from(item.volatile);
        if let BucketRef::Overflow(index) = place.bucket
            && self.bucket(place.bucket).is_empty()
        {
            self.unlink(self.index_of(hash), index);
        }
        if self.len == 0 {
            *self = Table::default();
        } else if self.len * 2 < self.buckets() * SPARSE_HALVES {
            self.shrink();
        }
    }

    fn unlink(&mut self, primary: usize, index: usize) {
        let after = self.bucket(BucketRef::Overflow(index)).next();
        let mut at = BucketRef::Primary(primary);
        loop {
            match self.bucket(at).next() {
                0 => return,
                next if next == index + 1 => break,
                next => at = BucketRef::Overflow(next - 1),
            }
        }
        self.bucket_mut(at).set_next(after);
        self.release_overflow(index);
    }

    /// Visits the bucket that `position` lies in, with the volatile mark of each entry, and returns where to go on; 0 after the last one.
    ///
    /// An entry that is there from the beginning of a scan to its end is visited, whatever splits
    /// and merges happen between the calls. After a merge a bucket reaches back before `position`;
    /// a caller that wants no entry twice skips those whose [`position_of`] lies before it.
    pub fn scan(&self, position: Position, mut visit: impl FnMut(Handle, bool)) -> Position {
        if self.len == 0 {
            return 0;
        }
        let reversed = (position << (64 - INDEX_BITS)).reverse_bits();
        let index = self.index_of(reversed);
        let wide = index >= (1 << self.level) || index < self.split;
        let bits = self.level + u32::from(wide);
        let mut at = BucketRef::Primary(index);
        loop {
            let bucket = self.bucket(at);
            for place in 0..PLACES {
                if let Some(handle) = Handle::from_raw(bucket.handles[place]) {
                    visit(handle, bucket.is_volatile(place));
                }
            }
            match bucket.next() {
                0 => break,
                next => at = BucketRef::Overflow(next - 1),
            }
        }
        let width = 1u64 << (INDEX_BITS - bits);
        let next = (position | (width - 1)) + 1;
        if next >= 1 << INDEX_BITS { 0 } else { next }
    }
}

#[cfg(test)]
mod tests;
