//! Members with scores, in order and by name: the large form of a sorted set.
//!
//! A counted B+tree holds score and record handle of every member in order, a hash table finds a
//! member's record, and the record holds member and score.
//!
//! Invariants
//! - The order is by score, then by the member's bytes. Scores are never NaN; minus zero equals zero.
//! - Tree, table and arena hold the same members, and a record's score is the tree's.
//!
//! Cost: about 46 bytes for a member of 15 bytes: a record of 24, 8 in the table, 13 in leaves that
//! were filled in order (up to 24 in others). Every operation is O(log n); no operation on one
//! member moves more than a few kilobytes.
//! It does not know about small sets, replies or limits.

mod build;
mod node;
mod record;
mod tree;

pub use build::Builder;

use crate::dict::Full;
use crate::hasher::KeyHasher;
use crate::table::{Place, Position, Table};
use record::Records;
use tree::{Spot, Tree};

/// Places of a leaf and of an inner node: both kinds then take 1024 bytes.
const LEAF: usize = 84;
const INNER: usize = 51;
const _: () = assert!(size_of::<node::Leaf<LEAF>>() == 1024);
const _: () = assert!(size_of::<node::Inner<INNER>>() == 1024);

/// Records whose lines are requested before they are read.
const AHEAD: usize = 8;
/// Removals between two looks for a slab worth emptying.
const CONDENSE_EVERY: u32 = 64;

/// The sorted set with nodes of the usual size.
pub type Ordered = OrderedOf<LEAF, INNER>;

/// See the module's documentation. `L` and `B` are the places of leaves and inner nodes.
#[derive(Clone)]
pub struct OrderedOf<const L: usize, const B: usize> {
    records: Records,
    index: Table,
    hasher: KeyHasher,
    tree: Tree<L, B>,
    removals: u32,
}

impl<const L: usize, const B: usize> std::fmt::Debug for OrderedOf<L, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.walk(0, self.len(), false))
            .finish()
    }
}

impl<const L: usize, const B: usize> OrderedOf<L, B> {
    /// An empty set; `seed` is that of its hash.
    pub fn new(seed: u64) -> Self {
        OrderedOf {
            records: Records::default(),
            index: Table::new(),
            hasher: KeyHasher::new(seed),
            tree: Tree::new(),
            removals: 0,
        }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held from the allocator.
    pub fn heap_bytes(&self) -> usize {
        self.records.bytes() + self.index.bytes() + self.tree.bytes()
    }

    fn find(&self, hash: u64, member: &[u8]) -> Option<(Place, u32)> {
        let same = |h: crate::arena::Handle| self.records.member(h.raw()) == member;
        let (place, handle) = self.index.find(hash, same)?;
        Some((place, handle.raw()))
    }

    fn handle(&self, member: &[u8]) -> Option<u32> {
        Some(self.find(self.hasher.hash(member), member)?.1)
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.handle(member).map(|h| self.records.score(h))
    }

    /// Begins to load what looking `members` up needs.
    pub fn prefetch<'m>(&self, members: impl Iterator<Item = &'m [u8]> + Clone) {
        for member in members.clone() {
            self.index.bucket_hint(self.hasher.hash(member)).first();
        }
        for member in members {
            let likely = self.index.likely(self.hasher.hash(member));
            self.records.hint(likely).first();
        }
    }

    /// Where a member that is not there belongs.
    fn gap(&self, score: f64, member: &[u8]) -> Spot {
        let records = &self.records;
        self.tree
            .locate_score(score, |h| records.member(h) < member)
    }

    /// Where the record `handle` stands. `resolve` translates handles whose records moved.
    fn spot(&self, handle: u32, resolve: impl Fn(u32) -> u32) -> Spot {
        let records = &self.records;
        let (score, member) = (records.score(handle), records.member(handle));
        let tie = |h: u32| h == handle || records.member(resolve(h)) <= member;
        self.tree.locate_score(score, tie).back()
    }

    /// Adds a member or changes its score; the score it had.
    ///
    /// # Errors
    /// When the arena or the table is exhausted; nothing changed then.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Result<Option<f64>, Full> {
        let hash = self.hasher.hash(member);
        if let Some((_, handle)) = self.find(hash, member) {
            let old = self.records.score(handle);
            if old != score {
                self.rescore(handle, score);
            }
            return Ok(Some(old));
        }
        let handle = self.records.add(member, score).ok_or(Full)?;
        add_to_index(&mut self.index, &self.records, self.hasher, hash, handle);
        let spot = self.gap(score, member);
        self.tree.insert(&spot, score, handle.raw());
        Ok(None)
    }

    /// Gives a record another score, in place when the order allows it.
    fn rescore(&mut self, handle: u32, score: f64) {
        let spot = self.spot(handle, |h| h);
        let member = self.records.member(handle);
        let [before, after] = self.tree.neighbours(&spot);
        let fits = before
            .is_none_or(|(s, h)| s < score || (s == score && self.records.member(h) < member))
            && after
                .is_none_or(|(s, h)| s > score || (s == score && self.records.member(h) > member));
        if fits {
            self.tree.set(&spot, score, handle);
        } else {
            self.tree.remove(&spot, 1);
            let spot = self.gap(score, member);
            self.tree.insert(&spot, score, handle);
        }
        self.records.set_score(handle, score);
    }

    /// Removes a member; the score it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = self.hasher.hash(member);
        let (place, handle) = self.find(hash, member)?;
        let score = self.records.score(handle);
        let spot = self.spot(handle, |h| h);
        self.tree.remove(&spot, 1);
        self.index.remove(hash, place);
        self.records.free(handle);
        self.removed(1);
        Some(score)
    }

    /// Removes up to `count` members from `rank` on.
    pub fn remove_ranks(&mut self, rank: usize, count: usize) {
        let before = self.len();
        let OrderedOf {
            records,
            index,
            hasher,
            tree,
            ..
        } = self;
        tree.remove_ranks(rank, count, |handles| {
            handles.iter().for_each(|h| records.prefetch(*h));
            // All of one leaf.
            let mut hashes = [0; L];
            for (hash, handle) in hashes.iter_mut().zip(handles) {
                *hash = hasher.hash(records.member(*handle));
                index.bucket_hint(*hash).first();
            }
            for (hash, handle) in hashes.iter().zip(handles) {
                if let Some((place, _)) = index.find(*hash, |h| h.raw() == *handle) {
                    index.remove(*hash, place);
                }
                records.free(*handle);
            }
        });
        let gone = before - self.len();
        self.removed(u32::try_from(gone).unwrap_or(u32::MAX));
    }

    /// Counts removals and now and then empties a sparse slab of records.
    fn removed(&mut self, count: u32) {
        self.removals = self.removals.saturating_add(count);
        if self.removals < CONDENSE_EVERY {
            return;
        }
        self.removals = 0;
        let Some(mut moves) = self.records.condense() else {
            return;
        };
        moves.sort_unstable();
        let resolve = |h: u32| match moves.binary_search_by_key(&h, |m| m.0) {
            Ok(at) => moves[at].1,
            Err(_) => h,
        };
        for (old, new) in &moves {
            let hash = self.hasher.hash(self.records.member(*new));
            if let Some((place, _)) = self.index.find(hash, |h| h.raw() == *old)
                && let Some(handle) = crate::arena::Handle::from_raw(*new)
            {
                self.index.replace(place, handle, false);
            }
            let spot = self.spot(*new, resolve);
            let score = self.records.score(*new);
            self.tree.set(&spot, score, *new);
        }
    }

    /// How many members come before this one.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        Some(self.spot(self.handle(member)?, |h| h).rank)
    }

    /// The member at `rank`, with its score.
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        let (score, handle) = self.tree.get(&self.tree.locate_rank(rank))?;
        Some((self.records.member(handle), score))
    }

    /// How many scores are below `score`, or `equal` to it. The score is not NaN.
    pub fn count_below(&self, score: f64, equal: bool) -> usize {
        self.tree.locate_score(score, |_| equal).rank
    }

    /// How many members `before` holds for; it must hold for all up to some point of the order and
    /// for none after it, as the order of bytes does where all scores are equal.
    pub fn partition_members(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let records = &self.records;
        self.tree.locate(|_, h| before(records.member(h))).rank
    }

    /// Up to `count` members from `rank` on, towards the end or, `reverse`, towards the beginning.
    pub fn walk(&self, rank: usize, count: usize, reverse: bool) -> Walk<'_, L, B> {
        let walk = self.tree.walk(rank, count, reverse);
        for distance in 0..AHEAD.min(count) {
            if let Some(handle) = walk.ahead(distance) {
                self.records.prefetch(handle);
            }
        }
        Walk {
            records: &self.records,
            walk,
        }
    }

    /// Visits the members of one bucket of the table and returns where to go on; 0 after the last one.
    ///
    /// A member that is there from the beginning of a scan to its end is visited.
    pub fn scan(&self, position: Position, mut visit: impl FnMut(&[u8], f64)) -> Position {
        self.index.scan(position, |handle, _| {
            let handle = handle.raw();
            visit(self.records.member(handle), self.records.score(handle));
        })
    }
}

/// Adds a record that is not there to the table.
fn add_to_index(
    index: &mut Table,
    records: &Records,
    hasher: KeyHasher,
    hash: u64,
    handle: crate::arena::Handle,
) {
    index.insert(
        hash,
        handle,
        false,
        |h| records.prefetch(h.raw()),
        |h| hasher.hash(records.member(h.raw())),
    );
}

/// Members with their scores in order; see [`OrderedOf::walk`].
#[derive(Clone)]
pub struct Walk<'a, const L: usize = LEAF, const B: usize = INNER> {
    records: &'a Records,
    walk: tree::Walk<'a, L, B>,
}

impl<'a, const L: usize, const B: usize> Iterator for Walk<'a, L, B> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(handle) = self.walk.ahead(AHEAD) {
            self.records.prefetch(handle);
        }
        let (score, handle) = self.walk.next()?;
        Some((self.records.member(handle), score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.walk.left(), Some(self.walk.left()))
    }
}

#[cfg(test)]
mod tests;
