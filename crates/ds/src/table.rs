//! A hash table of 32-bit handles that grows and shrinks by one bucket at a time (linear hashing,
//! Litwin 1980), in 64-byte buckets with one-byte tags.
//!
//! ```text
//! bucket, one cache line:  tags 12 x 1 B | volatile mask 12 bit, overflow link 20 bit | handles 12 x 4 B
//! ```
//!
//! Invariants
//! - Of 2^L + p primary buckets, p below 2^L, those before p are split. A hash belongs to bucket
//!   `hash mod 2^(L+1)` if that bucket exists, else to `hash mod 2^L`.
//! - A tag is zero exactly when its place is empty; the tag of an entry is bits 48..56 of its hash, or 1 for 0.
//! - A full bucket continues in a chain of overflow buckets of its segment (2^16 primary buckets, for
//!   which a link of 20 bits is ample); no overflow bucket in a chain is empty.
//! - No operation moves more than one bucket's chain, so none pauses, at any size.
//!
//! Scanning visits entries in the order of the bit-reversed hash, of which a bucket at any level is a
//! contiguous range: a cursor is a position in that order, and stays meaningful while buckets split and merge.
//!
//! Cost: 64 bytes per 9.5 entries plus the overflow, about 8 bytes an entry; a lookup reads one
//! cache line, and a second one for about one entry in six.
//!
//! The table never reads records: callers give hash and equality.

use crate::arena::{Arena, Handle};
use crate::prefetch::Hint;
use crate::random::Random;
use bucket::{Bucket, CHUNK, Item, Items, LINK_MAX, PLACES, chunk_bytes, copy_chunk, push_bucket};
use overflow::Segment;

mod bucket;
mod overflow;

/// Entries per primary bucket, in halves: above it a bucket is split.
const LOAD_HALVES: usize = 19;
/// Below this many entries per primary bucket, in halves, a bucket is merged; far enough below to avoid thrashing.
const SPARSE_HALVES: usize = 13;
/// Hash bits that choose buckets; the rest is for tags and for the caller (choice of a stripe).
pub const INDEX_BITS: u32 = 40;

/// Where an entry stands. Valid until the next insertion or removal.
///
/// One number, so that a lookup returns its result in registers: the place in the bucket in four bits, whether that is
/// an overflow bucket in one, then the number of the primary bucket, or of the overflow bucket in its segment in 20 bits
/// and of the segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(u64);

impl Place {
    const IN_BUCKET: u32 = 4;
    const LINK: u32 = LINK_MAX.count_ones();
    const OVERFLOW: u64 = 1 << Self::IN_BUCKET;

    #[inline]
    fn new(bucket: BucketRef, place: usize) -> Place {
        let number = match bucket {
            BucketRef::Primary(index) => (index as u64) << 1,
            BucketRef::Overflow(segment, link) => {
                ((segment as u64) << Self::LINK | link as u64) << 1 | 1
            }
        };
        Place(number << Self::IN_BUCKET | place as u64)
    }

    fn bucket(self) -> BucketRef {
        let number = self.0 >> (Self::IN_BUCKET + 1);
        // Lossless: they were of this type.
        if self.0 & Self::OVERFLOW == 0 {
            BucketRef::Primary(number as usize)
        } else {
            BucketRef::Overflow((number >> Self::LINK) as usize, number as usize & LINK_MAX)
        }
    }

    fn in_bucket(self) -> usize {
        (self.0 & (Self::OVERFLOW - 1)) as usize
    }
}

const _: () = assert!(PLACES <= 1 << Place::IN_BUCKET && LINK_MAX.trailing_ones() == Place::LINK);

/// What a key's first bucket says of where its record is. Valid until the next insertion or removal.
#[derive(Clone, Copy, Debug)]
pub enum Likely {
    /// A record with the right tag, and its place: the key's, if it has that key.
    Record(Place, Handle),
    /// The bucket behind knows.
    Bucket(Hint),
    /// There is none.
    Nothing,
}

impl Likely {
    /// As if nobody had looked.
    pub const UNKNOWN: Likely = Likely::Bucket(Hint::NONE);

    /// The hint, for a table whose records lie in `records`.
    #[inline]
    pub fn hint(self, records: &Arena) -> Hint {
        match self {
            Likely::Record(_, handle) => records.hint(handle),
            Likely::Bucket(hint) => hint,
            Likely::Nothing => Hint::NONE,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BucketRef {
    Primary(usize),
    Overflow(usize, usize),
}

/// Bytes that an empty table may hold.
const KEPT: usize = 384;

/// A position in the order of bit-reversed hashes, below 2^40; 0 is the beginning.
pub type Position = u64;

/// A table of up to 2^32 entries.
pub type Table = Linear<16, LINK_MAX>;

/// See the module's documentation. A segment has `2^SEGMENT` primary buckets and up to `LINKS` overflow buckets.
#[derive(Default)]
#[repr(C)] // what a lookup reads comes first, so that it lies with what is before the table
pub struct Linear<const SEGMENT: u32, const LINKS: usize> {
    chunks: Vec<Vec<Bucket>>,
    /// Primary buckets.
    buckets: usize,
    len: usize,
    overflow: Vec<Segment>,
    volatile: usize,
    /// Overflow buckets of all segments, free ones included, and their bytes.
    overflow_len: usize,
    overflow_bytes: usize,
}

impl<const SEGMENT: u32, const LINKS: usize> Clone for Linear<SEGMENT, LINKS> {
    fn clone(&self) -> Self {
        let mut copy = Linear {
            chunks: self.chunks.iter().map(copy_chunk).collect(),
            overflow: self.overflow.clone(),
            ..*self
        };
        copy.overflow_bytes = copy.overflow.iter().map(Segment::bytes).sum();
        copy
    }
}

#[inline]
fn tag_of(hash: u64) -> u8 {
    let [_, tag, ..] = hash.to_be_bytes();
    tag.max(1)
}

/// Where `hash` stands in scan order.
pub fn position_of(hash: u64) -> Position {
    (hash << (64 - INDEX_BITS)).reverse_bits()
}

impl<const SEGMENT: u32, const LINKS: usize> Linear<SEGMENT, LINKS> {
    /// An empty table without any memory.
    pub fn new() -> Self {
        Linear::default()
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

    /// Bytes held from the allocator. Constant time.
    pub fn bytes(&self) -> usize {
        let primary = match self.chunks.as_slice() {
            [] => 0,
            [one] => chunk_bytes(one),
            many => many.len() * CHUNK * std::mem::size_of::<Bucket>(),
        };
        primary
            + self.overflow_bytes
            + self.chunks.capacity() * std::mem::size_of::<Vec<Bucket>>()
            + self.overflow.capacity() * std::mem::size_of::<Segment>()
    }

    /// Number of primary buckets.
    pub fn buckets(&self) -> usize {
        self.buckets
    }

    /// `L` of the invariants.
    #[inline]
    fn level(&self) -> u32 {
        (self.buckets | 1).ilog2()
    }

    /// `p` of the invariants: the next bucket to be split.
    fn split(&self) -> usize {
        self.buckets.saturating_sub(1 << self.level())
    }

    #[inline]
    fn index_of(&self, hash: u64) -> usize {
        let mask = usize::MAX >> (self.buckets | 1).leading_zeros();
        // Lossless: a table never has more buckets than the address space holds.
        let wide = (hash & ((1 << INDEX_BITS) - 1)) as usize & mask;
        if wide < self.buckets {
            wide
        } else {
            wide & (mask >> 1)
        }
    }

    #[inline]
    fn primary(&self, index: usize) -> &Bucket {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    fn bucket(&self, at: BucketRef) -> &Bucket {
        match at {
            BucketRef::Primary(i) => self.primary(i),
            BucketRef::Overflow(segment, i) => self.overflow[segment].bucket(i),
        }
    }

    fn bucket_mut(&mut self, at: BucketRef) -> &mut Bucket {
        match at {
            BucketRef::Primary(i) => &mut self.chunks[i / CHUNK][i % CHUNK],
            BucketRef::Overflow(segment, i) => self.overflow[segment].bucket_mut(i),
        }
    }

    /// That the bucket of a hash is likely to be read.
    #[inline]
    pub fn bucket_hint(&self, hash: u64) -> Hint {
        if self.chunks.is_empty() {
            return Hint::NONE;
        }
        Hint::of(self.primary(self.index_of(hash)))
    }

    /// What a search for `hash` is likely to read after its primary bucket, which should have been loaded by then.
    #[inline]
    pub fn likely(&self, hash: u64) -> Likely {
        if self.len == 0 {
            return Likely::Nothing;
        }
        let index = self.index_of(hash);
        self.likely_in(BucketRef::Primary(index), index, hash)
    }

    /// As [`Self::likely`] after the bucket behind that it told, which should have been loaded by then.
    #[inline(never)] // off the way of most
    pub fn likely_behind(&self, hash: u64) -> Likely {
        if self.len == 0 {
            return Likely::Nothing;
        }
        let index = self.index_of(hash);
        match self.primary(index).next() {
            0 => Likely::Nothing,
            next => self.likely_in(BucketRef::Overflow(index >> SEGMENT, next - 1), index, hash),
        }
    }

    #[inline(always)] // so that the place is known
    fn likely_in(&self, at: BucketRef, index: usize, hash: u64) -> Likely {
        let bucket = match at {
            BucketRef::Primary(index) => self.primary(index),
            behind => self.bucket(behind),
        };
        let mask = bucket.matches(tag_of(hash));
        if mask != 0 {
            let place = mask.trailing_zeros() as usize;
            return match Handle::from_raw(bucket.handles[place]) {
                Some(handle) => Likely::Record(Place::new(at, place), handle),
                None => Likely::Nothing,
            };
        }
        match bucket.next() {
            0 => Likely::Nothing,
            next => {
                let behind = self.bucket(BucketRef::Overflow(index >> SEGMENT, next - 1));
                Likely::Bucket(Hint::of(behind))
            }
        }
    }

    /// Finds the entry of `hash` for which `same` holds.
    #[inline]
    pub fn find(&self, hash: u64, mut same: impl FnMut(Handle) -> bool) -> Option<(Place, Handle)> {
        if self.len == 0 {
            return None;
        }
        let tag = tag_of(hash);
        let index = self.index_of(hash);
        let (mut at, mut bucket) = (BucketRef::Primary(index), self.primary(index));
        loop {
            let mut mask = bucket.matches(tag);
            while mask != 0 {
                let place = mask.trailing_zeros();
                mask &= mask - 1;
                if let Some(handle) = Handle::from_raw(bucket.handles[place as usize])
                    && same(handle)
                {
                    return Some((Place::new(at, place as usize), handle));
                }
            }
            match bucket.next() {
                0 => return None,
                next => at = BucketRef::Overflow(index >> SEGMENT, next - 1),
            }
            bucket = self.bucket(at);
        }
    }

    /// Replaces the handle of an entry that was found, keeping hash and place.
    pub fn replace(&mut self, place: Place, handle: Handle, volatile: bool) {
        let at = place.in_bucket();
        let bucket = self.bucket_mut(place.bucket());
        let was = bucket.is_volatile(at);
        bucket.handles[at] = handle.raw();
        bucket.set_volatile(at, volatile);
        self.volatile = self.volatile + usize::from(volatile) - usize::from(was);
    }

    /// Adds an entry that is not there, and returns its place; `None`, and nothing is changed, when the
    /// overflow links of a segment are used up: by millions of colliding hashes, which a seeded hash prevents.
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
    ) -> Option<Place> {
        if self.chunks.is_empty() {
            self.chunks.reserve_exact(1);
            self.overflow.reserve_exact(1);
            self.add_bucket();
        }
        if (self.len + 1) * 2 > self.buckets() * LOAD_HALVES {
            self.grow(prefetch, rehash);
        }
        let tag = tag_of(hash);
        let item = Item {
            tag,
            handle,
            volatile,
        };
        let place = self.place(self.index_of(hash), item)?;
        self.len += 1;
        self.volatile += usize::from(volatile);
        Some(place)
    }

    /// Puts an item into the first empty place of a chain, extending the chain when it is full.
    fn place(&mut self, index: usize, item: Item) -> Option<Place> {
        let mut at = BucketRef::Primary(index);
        let segment = index >> SEGMENT;
        loop {
            let bucket = self.bucket_mut(at);
            let empty = bucket.matches(0);
            if empty != 0 {
                let place = empty.trailing_zeros();
                bucket.put(place as usize, item);
                return Some(Place::new(at, place as usize));
            }
            let next = match bucket.next() {
                0 => {
                    let next = self.change_overflow(segment, |s| s.take(LINKS))?;
                    self.bucket_mut(at).set_next(next + 1);
                    next
                }
                link => link - 1,
            };
            at = BucketRef::Overflow(segment, next);
        }
    }

    /// Takes or releases overflow buckets of a segment.
    fn change_overflow<R>(&mut self, segment: usize, change: impl FnOnce(&mut Segment) -> R) -> R {
        let segment = &mut self.overflow[segment];
        let (len, bytes) = (segment.exist(), segment.bytes());
        let result = change(segment);
        self.overflow_len = self.overflow_len + segment.exist() - len;
        self.overflow_bytes = self.overflow_bytes + segment.bytes() - bytes;
        result
    }

    /// Number of overflow buckets in a chain.
    fn chain_len(&self, index: usize) -> usize {
        let (mut at, mut len) = (BucketRef::Primary(index), 0);
        while let link @ 1.. = self.bucket(at).next() {
            at = BucketRef::Overflow(index >> SEGMENT, link - 1);
            len += 1;
        }
        len
    }

    /// Overflow buckets that a primary bucket's segment can still give.
    fn room(&self, index: usize) -> usize {
        let segment = self.overflow.get(index >> SEGMENT);
        LINKS - segment.map_or(0, Segment::used)
    }

    /// Empties the chain of a primary bucket into `items`, releasing its overflow buckets.
    fn drain_chain(&mut self, index: usize, items: &mut Items) {
        let mut at = BucketRef::Primary(index);
        loop {
            let bucket = self.bucket_mut(at);
            items.extend((0..PLACES).filter_map(|p| bucket.take(p)));
            let next = bucket.next();
            bucket.set_next(0);
            if let BucketRef::Overflow(segment, i) = at {
                self.change_overflow(segment, |s| s.release(i));
            }
            match next {
                0 => return,
                link => at = BucketRef::Overflow(index >> SEGMENT, link - 1),
            }
        }
    }

    /// Adds a primary bucket at the end.
    fn add_bucket(&mut self) {
        let index = match self.chunks.split_last() {
            None => 0,
            Some((last, full)) => full.len() * CHUNK + last.len(),
        };
        if index.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::new());
        }
        if index.is_multiple_of(1 << SEGMENT) {
            self.overflow.push(Segment::default());
        }
        let first = self.chunks.len() == 1;
        if let Some(chunk) = self.chunks.last_mut() {
            push_bucket(chunk, first);
        }
        self.buckets = index + 1;
    }

    /// Takes the last primary bucket away, whose chain is empty.
    fn drop_bucket(&mut self, index: usize) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.pop();
            if chunk.is_empty() {
                self.chunks.pop();
                if self.chunks.len() * 4 <= self.chunks.capacity() {
                    self.chunks.shrink_to(self.chunks.len() * 2);
                }
            } else if index < CHUNK && chunk.len() * 4 <= chunk.capacity() {
                chunk.shrink_to(chunk.len() * 2);
            }
        }
        if index.is_multiple_of(1 << SEGMENT) {
            self.change_overflow(index >> SEGMENT, std::mem::take);
            self.overflow.pop();
        }
        self.buckets = index;
    }

    /// Splits the next bucket in line. Not done when the new bucket's segment might lack overflow buckets for it.
    fn grow(&mut self, prefetch: impl Fn(Handle), rehash: impl Fn(Handle) -> u64) {
        let (old, new) = (self.split(), self.buckets);
        if self.room(new) < self.chain_len(old) {
            return;
        }
        self.add_bucket();
        let mut items = Items::new();
        self.drain_chain(old, &mut items);
        items.iter().for_each(|item| prefetch(item.handle));
        for item in items {
            let at = self.index_of(rehash(item.handle));
            debug_assert!(at == old || at == new);
            let placed = self.place(at, item);
            debug_assert!(placed.is_some(), "there was room for the whole chain");
        }
    }

    /// Merges the last bucket into the one it was split from. Not done when that one's segment might
    /// lack overflow buckets for both.
    fn shrink(&mut self) {
        if self.buckets <= 1 {
            return;
        }
        let last = self.buckets - 1;
        let target = last - (1 << last.ilog2());
        if self.room(target) < self.chain_len(last) + 1 {
            return;
        }
        let mut items = Items::new();
        self.drain_chain(last, &mut items);
        self.drain_chain(target, &mut items);
        self.drop_bucket(last);
        for item in items {
            let placed = self.place(target, item);
            debug_assert!(placed.is_some(), "there was room for both chains");
        }
    }

    /// Removes an entry that was found.
    pub fn remove(&mut self, hash: u64, place: Place) {
        let bucket = self.bucket_mut(place.bucket());
        let Some(item) = bucket.take(place.in_bucket()) else {
            return;
        };
        self.len -= 1;
        self.volatile -= usize::from(item.volatile);
        if let BucketRef::Overflow(_, index) = place.bucket()
            && self.bucket(place.bucket()).is_empty()
        {
            self.unlink(self.index_of(hash), index);
        }
        if self.len == 0 {
            // A little stays: what has an entry now and then would allocate it each time.
            if self.bytes() > KEPT {
                *self = Linear::default();
            }
        } else if self.len * 2 < self.buckets() * SPARSE_HALVES {
            self.shrink();
        }
    }

    fn unlink(&mut self, primary: usize, index: usize) {
        let segment = primary >> SEGMENT;
        let after = self.overflow[segment].bucket(index).next();
        let mut at = BucketRef::Primary(primary);
        loop {
            match self.bucket(at).next() {
                0 => return,
                link if link == index + 1 => break,
                link => at = BucketRef::Overflow(segment, link - 1),
            }
        }
        self.bucket_mut(at).set_next(after);
        self.change_overflow(segment, |s| s.release(index));
    }

    /// An entry chosen with equal chances; `None` when there is none.
    ///
    /// A bucket of any kind and a place in it are drawn until the place is taken: about 1.7 times.
    pub fn random(&self, random: &mut Random) -> Option<Handle> {
        if self.len == 0 {
            return None;
        }
        let primary = self.buckets();
        loop {
            let drawn = random.index((primary + self.overflow_len) * PLACES);
            let (index, place) = (drawn / PLACES, drawn % PLACES);
            let bucket = if index < primary {
                Some(self.primary(index))
            } else {
                self.nth_overflow(index - primary)
            };
            let raw = bucket.map_or(0, |b| b.handles[place]);
            if let Some(handle) = Handle::from_raw(raw) {
                return Some(handle);
            }
        }
    }

    fn nth_overflow(&self, mut index: usize) -> Option<&Bucket> {
        for segment in &self.overflow {
            if index < segment.exist() {
                return Some(segment.bucket(index));
            }
            index -= segment.exist();
        }
        None
    }

    /// All entries, in no useful order, at the speed of memory.
    pub fn iter(&self) -> impl Iterator<Item = Handle> {
        let primary = self.chunks.iter().flatten();
        let buckets = primary.chain(self.overflow.iter().flat_map(Segment::buckets));
        buckets.flat_map(|b| b.handles.iter().filter_map(|h| Handle::from_raw(*h)))
    }

    /// Whether a bucket's range begins at `position`, so that [`Linear::scan`] visits nothing that lies before it.
    pub fn is_bucket_start(&self, position: Position) -> bool {
        position.trailing_zeros() >= INDEX_BITS - self.bits_at(position).min(INDEX_BITS)
    }

    /// The number of hash bits that choose the bucket in which `position` lies.
    fn bits_at(&self, position: Position) -> u32 {
        let index = self.index_of((position << (64 - INDEX_BITS)).reverse_bits());
        let wide = index >= (1 << self.level()) || index < self.split();
        self.level() + u32::from(wide)
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
        let bits = self.bits_at(position);
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
                link => at = BucketRef::Overflow(index >> SEGMENT, link - 1),
            }
        }
        let width = 1u64 << (INDEX_BITS - bits);
        let next = (position | (width - 1)) + 1;
        if next >= 1 << INDEX_BITS { 0 } else { next }
    }
}

#[cfg(test)]
mod tests;
