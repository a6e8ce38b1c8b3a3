//! The overflow buckets of one segment of a table.
//!
//! Invariants
//! - Bit i of a chunk's `free` is set exactly when its bucket i exists and is in no chain.
//! - No chunk before `open` has a free bucket.
//! - Every chunk but the last has all its buckets.
//!
//! The lowest free bucket is taken first and the last chunk is given back when all of it is free, so
//! that a table that shrinks, and thereby rebuilds its chains, moves them together.

use super::bucket::{Bucket, CHUNK, chunk_bytes, copy_chunk, push_bucket};

struct Chunk {
    free: u64,
    buckets: Vec<Bucket>,
}

const _: () = assert!(CHUNK == 64, "one mask of a chunk's free buckets");

#[derive(Default)]
pub(super) struct Segment {
    chunks: Vec<Chunk>,
    /// First chunk that may have a free bucket.
    open: usize,
    used: usize,
}

impl Clone for Segment {
    fn clone(&self) -> Self {
        let copy = |c: &Chunk| Chunk {
            free: c.free,
            buckets: copy_chunk(&c.buckets),
        };
        Segment {
            chunks: self.chunks.iter().map(copy).collect(),
            ..*self
        }
    }
}

impl Segment {
    #[inline]
    pub(super) fn bucket(&self, index: usize) -> &Bucket {
        &self.chunks[index / CHUNK].buckets[index % CHUNK]
    }

    #[inline]
    pub(super) fn bucket_mut(&mut self, index: usize) -> &mut Bucket {
        &mut self.chunks[index / CHUNK].buckets[index % CHUNK]
    }

    /// Buckets in chains.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Buckets in chains and free ones.
    pub(super) fn exist(&self) -> usize {
        match self.chunks.split_last() {
            None => 0,
            Some((last, full)) => full.len() * CHUNK + last.buckets.len(),
        }
    }

    /// Bytes held from the allocator. Constant time: only a lone chunk has less than its full room.
    pub(super) fn bytes(&self) -> usize {
        let buckets = match self.chunks.as_slice() {
            [] => 0,
            [one] => chunk_bytes(&one.buckets),
            many => many.len() * CHUNK * std::mem::size_of::<Bucket>(),
        };
        buckets + self.chunks.capacity() * std::mem::size_of::<Chunk>()
    }

    /// An empty bucket below `limit`, or `None` when all of them are in chains.
    pub(super) fn take(&mut self, limit: usize) -> Option<usize> {
        while let Some(chunk) = self.chunks.get_mut(self.open) {
            if chunk.free != 0 {
                let place = chunk.free.trailing_zeros() as usize;
                chunk.free &= chunk.free - 1;
                chunk.buckets[place] = Bucket::EMPTY;
                self.used += 1;
                return Some(self.open * CHUNK + place);
            }
            if chunk.buckets.len() < CHUNK {
                break;
            }
            self.open += 1;
        }
        let index = self.exist();
        if index >= limit {
            return None;
        }
        if index.is_multiple_of(CHUNK) {
            if self.chunks.is_empty() {
                self.chunks.reserve_exact(1);
            }
            self.chunks.push(Chunk {
                free: 0,
                buckets: Vec::new(),
            });
        }
        let first = self.chunks.len() == 1;
        if let Some(chunk) = self.chunks.last_mut() {
            push_bucket(&mut chunk.buckets, first);
        }
        self.used += 1;
        Some(index)
    }

    /// Takes a bucket back that is in no chain any more.
    pub(super) fn release(&mut self, index: usize) {
        let chunk = index / CHUNK;
        *self.bucket_mut(index) = Bucket::EMPTY;
        self.chunks[chunk].free |= 1 << (index % CHUNK);
        self.open = self.open.min(chunk);
        self.used -= 1;
        while let Some(last) = self.chunks.last()
            && last.free.count_ones() as usize == last.buckets.len()
            // Half a chunk of room stays, so that one bucket more or less does not cost a chunk each.
            && (self.used == 0 || (self.chunks.len() - 1) * CHUNK >= self.used + CHUNK / 2)
        {
            self.chunks.pop();
        }
        self.open = self.open.min(self.chunks.len());
    }

    /// All buckets, the free ones included, which have no entries.
    pub(super) fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.chunks.iter().flat_map(|c| &c.buckets)
    }
}
