//! A map from byte strings to byte strings for large hashes and sets: a table of handles over an arena of records.
//!
//! ```text
//! record:  01..7F  key of 0..126 bytes, no value
//!          80..FE  key of 0..126 bytes | length of the value: a byte below FE, or FE u16, or FF u32
//!          FF      length of the key u32 | length of the value u32
//!          ... then the key, then the value
//! ```
//! All numbers are stored low byte first.
//!
//! Invariants
//! - Every live record of the arena is in the table, under the hash of its key, and no other handle is.
//! - A record's first byte is not zero.
//!
//! Cost: a record of a 15-byte member is 16 bytes and its share of the table 8.5; a lookup reads a bucket
//! and a record. No operation but `clone` takes time in proportion to the whole: growing and shrinking go
//! bucket by bucket, and records of sparse slabs are moved together in the course of removals, one slab
//! (14 KiB at most) for every 4 KiB removed.
//!
//! It does not know whether it is a hash or a set; an empty value and no value are the same.

use crate::arena::{Arena, Handle, Records, slot_size};
use crate::hasher::KeyHasher;
use crate::random::Random;
use crate::table::{Place, Position, Table, position_of};

mod record;
mod sample;

pub use crate::arena::Cursor;
use record::Record;
pub use sample::Sample;

/// The arena's handles, or the memory, are used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// Removed bytes after which a sparse slab is looked for: a quarter of the largest slab, which is what
/// emptying one gains at least, so that it keeps pace with removals.
const COMPACT_AFTER: usize = 3584;
/// Moved records whose buckets are asked for before they are needed.
const AHEAD: usize = 8;
/// Free bytes that are not worth moving anything for.
const SLACK_MIN: usize = 16 * 1024;

/// See the module's documentation.
#[derive(Clone)]
pub struct Dict {
    table: Table,
    arena: Arena,
    hasher: KeyHasher,
    /// Bytes removed since a sparse slab was last looked for.
    removed: usize,
}

impl std::fmt::Debug for Dict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Dict {
    /// An empty map whose hash is seeded with `seed`.
    pub fn new(seed: u64) -> Dict {
        Dict {
            table: Table::new(),
            arena: Arena::new(),
            hasher: KeyHasher::new(seed),
            removed: 0,
        }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes held from the allocator. Constant time.
    pub fn heap_bytes(&self) -> usize {
        self.table.bytes() + self.arena.bytes() + self.arena.directory_bytes()
    }

    /// The hash of a key, for the functions that take one: equal in all maps of one seed.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// Begins to load the bucket of a hash: the first step towards a lookup.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.table.bucket_hint(hash).first();
    }

    /// Begins to load the likely record of a hash, whose bucket should be there by now: the second step.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        self.table.likely(hash).hint(&self.arena).first();
    }

    /// Begins to load what looking up each of `keys` will read. Worth it for 4 to 32 keys at a time.
    pub fn prefetch_all<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let hashes: smallvec::SmallVec<[u64; 32]> = keys.map(|k| self.hash(k)).collect();
        hashes.iter().for_each(|h| self.prefetch_bucket(*h));
        hashes.iter().for_each(|h| self.prefetch_record(*h));
    }

    #[inline]
    fn record(&self, handle: Handle) -> Record<'_> {
        Record::new(self.arena.get(handle))
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<(Place, Handle)> {
        self.table.find(hash, |h| self.record(h).key() == key)
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.get_hashed(self.hash(key), key)
    }

    /// The value of a key whose hash is known.
    #[inline]
    pub fn get_hashed(&self, hash: u64, key: &[u8]) -> Option<&[u8]> {
        self.find(hash, key).map(|(_, h)| self.record(h).value())
    }

    /// Whether the key is there.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(self.hash(key), key).is_some()
    }

    /// Whether the key is there, its hash being known.
    #[inline]
    pub fn contains_hashed(&self, hash: u64, key: &[u8]) -> bool {
        self.find(hash, key).is_some()
    }

    /// Gives a key its value, and returns whether the key is new.
    ///
    /// # Errors
    /// [`Full`], and nothing is changed.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<bool, Full> {
        let hash = self.hash(key);
        let size = record::size(key, value).ok_or(Full)?;
        if let Some((place, old)) = self.find(hash, key) {
            self.overwrite(place, old, size, key, value)?;
            return Ok(false);
        }
        let handle = self.arena.alloc(size).ok_or(Full)?;
        record::write(self.arena.get_mut(handle), key, value);
        let (arena, hasher) = (&self.arena, self.hasher);
        let prefetch = |h| arena.hint(h).first();
        let rehash = |h| hasher.hash(Record::new(arena.get(h)).key());
        if self
            .table
            .insert(hash, handle, false, prefetch, rehash)
            .is_none()
        {
            self.arena.free(handle);
            return Err(Full);
        }
        Ok(true)
    }

    fn overwrite(
        &mut self,
        place: Place,
        old: Handle,
        size: usize,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Full> {
        let held = self.arena.get(old).len();
        if slot_size(size) == held {
            record::write(self.arena.get_mut(old), key, value);
            return Ok(());
        }
        let handle = self.arena.alloc(size).ok_or(Full)?;
        record::write(self.arena.get_mut(handle), key, value);
        self.table.replace(place, handle, false);
        self.arena.free(old);
        self.compact_after(held);
        Ok(())
    }

    /// Removes a key, and returns whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        let Some((place, handle)) = self.find(hash, key) else {
            return false;
        };
        let held = self.arena.get(handle).len();
        self.table.remove(hash, place);
        self.arena.free(handle);
        self.compact_after(held);
        true
    }

    /// Counts `bytes` as removed, and moves the records of one sparse slab together when enough were.
    fn compact_after(&mut self, bytes: usize) {
        self.removed = self.removed.saturating_add(bytes);
        if self.removed < COMPACT_AFTER {
            return;
        }
        self.removed = 0;
        let slack = self.arena.bytes() - self.arena.live_bytes();
        if slack < SLACK_MIN || slack < self.arena.bytes() / 4 {
            return;
        }
        let Some(plan) = self.arena.sparsest() else {
            return;
        };
        let (mut moves, hasher) = (Vec::new(), self.hasher);
        self.arena.evacuate(plan, |old, new, record| {
            moves.push((hasher.hash(Record::new(record).key()), old, new));
        });
        for (i, (hash, old, new)) in moves.iter().enumerate() {
            if let Some((ahead, _, _)) = moves.get(i + AHEAD) {
                self.prefetch_bucket(*ahead);
            }
            if let Some((place, _)) = self.table.find(*hash, |h| h == *old) {
                self.table.replace(place, *new, false);
            }
        }
    }

    /// All keys with their values, in the order of memory.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(Cursor::default())
    }

    /// The keys from `cursor` on, which came from [`Iter::cursor`] of this map, unchanged since, or of its copy.
    pub fn iter_from(&self, cursor: Cursor) -> Iter<'_> {
        Iter {
            records: self.arena.records(cursor),
        }
    }

    /// Visits a bucket's keys and returns where to go on; 0 after the last one. Begins at 0.
    ///
    /// A key that is there from the beginning of a scan to its end is visited, whatever is inserted
    /// and removed between the calls, and only once.
    pub fn scan<'s>(
        &'s self,
        position: Position,
        mut visit: impl FnMut(&'s [u8], &'s [u8]),
    ) -> Position {
        let whole = self.table.is_bucket_start(position);
        self.table.scan(position, |handle, _| {
            let record = self.record(handle);
            // After a merge a bucket reaches back to what was visited before.
            if whole || position_of(self.hash(record.key())) >= position {
                visit(record.key(), record.value());
            }
        })
    }

    /// A key and its value, chosen with equal chances; `None` when there is none.
    pub fn random(&self, random: &mut Random) -> Option<(&[u8], &[u8])> {
        let record = self.record(self.table.random(random)?);
        Some((record.key(), record.value()))
    }
}

/// Keys and values in the order of memory.
#[derive(Clone)]
pub struct Iter<'a> {
    records: Records<'a>,
}

impl Iter<'_> {
    /// Where the iteration stands, to go on by [`Dict::iter_from`].
    pub fn cursor(&self) -> Cursor {
        self.records.cursor()
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = Record::new(self.records.next()?);
        Some((record.key(), record.value()))
    }
}

#[cfg(test)]
mod tests;
