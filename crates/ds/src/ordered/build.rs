//! Builds a sorted set from members in any order: first the records and their index, then the tree at once.
//!
//! Sorting handles with their scores once and filling nodes from end to end costs a fraction of
//! inserting member by member, and what comes in runs that are in order is merged, not sorted.

use super::record::Records;
use super::{OrderedOf, Tree, add_to_index};
use crate::arena::Handle;
use crate::dict::Full;
use crate::hasher::KeyHasher;
use crate::table::Table;

/// See the module's documentation.
pub struct Builder {
    records: Records,
    index: Table,
    hasher: KeyHasher,
    handles: Vec<u32>,
    longest: usize,
}

impl Builder {
    /// Nothing yet; `seed` is that of the set's hash.
    pub fn new(seed: u64) -> Builder {
        Builder {
            records: Records::default(),
            index: Table::new(),
            hasher: KeyHasher::new(seed),
            handles: Vec::new(),
            longest: 0,
        }
    }

    /// Number of members so far.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Whether there is no member so far.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Bytes of the longest member so far.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Whether a member is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        let same = |h: Handle| self.records.member(h.raw()) == member;
        self.index.find(self.hasher.hash(member), same).is_some()
    }

    /// Adds a member that is not there. The score is not NaN.
    ///
    /// # Errors
    /// When the arena is exhausted.
    pub fn add(&mut self, member: &[u8], score: f64) -> Result<(), Full> {
        self.add_hashed(self.hasher.hash(member), member, score)
    }

    fn add_hashed(&mut self, hash: u64, member: &[u8], score: f64) -> Result<(), Full> {
        let handle = self.records.add(member, score).ok_or(Full)?;
        add_to_index(&mut self.index, &self.records, self.hasher, hash, handle);
        self.handles.push(handle.raw());
        self.longest = self.longest.max(member.len());
        Ok(())
    }

    /// Adds a member, or has `join` make its score from the one it has and this one.
    ///
    /// # Errors
    /// When the arena is exhausted.
    pub fn join(
        &mut self,
        member: &[u8],
        score: f64,
        join: impl FnOnce(f64, f64) -> f64,
    ) -> Result<(), Full> {
        let hash = self.hasher.hash(member);
        let same = |h: Handle| self.records.member(h.raw()) == member;
        match self.index.find(hash, same) {
            Some((_, handle)) => {
                let old = self.records.score(handle.raw());
                self.records.set_score(handle.raw(), join(old, score));
                Ok(())
            }
            None => self.add_hashed(hash, member, score),
        }
    }

    /// Begins to load what looking `members` up needs.
    pub fn prefetch<'m>(&self, members: impl Iterator<Item = &'m [u8]>) {
        for member in members {
            self.index.bucket_hint(self.hasher.hash(member)).first();
        }
    }

    /// The set.
    pub fn finish<const L: usize, const B: usize>(self) -> OrderedOf<L, B> {
        let records = self.records;
        let mut elements: Vec<(f64, u32)> = self
            .handles
            .into_iter()
            .map(|h| (records.score(h), h))
            .collect();
        // Stable, as that sort finds runs; members differ, so no two elements are equal.
        elements.sort_by(|(a, x), (b, y)| {
            let by_score = a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
            by_score.then_with(|| records.member(*x).cmp(records.member(*y)))
        });
        OrderedOf {
            tree: Tree::build(&elements),
            records,
            index: self.index,
            hasher: self.hasher,
            removals: 0,
        }
    }
}
