//! A sorted set in two sizes: a pack of members and scores, or a tree with an index.
//!
//! Invariants
//! - Members are distinct; the order is by score, then by the member's bytes. Scores are never NaN.
//! - A pack holds member, score, member, score ... in order.
//! - A set moves from a pack to a tree when a member passes one of the [`Limits`], never back.
//! - A tree is shared by its `Arc`; changing one that somebody else holds copies it first, so that a
//!   holder sees a snapshot.
//!
//! compat: minus zero becomes zero in a pack and stays minus zero in a tree, as scores do in Redis.
//!
//! Cost: packs are scanned; in trees everything is O(log n). Ranges of scores and members are turned
//! into ranges of ranks, so counting, reading and removing them is one code.
//! The rules of conversion are those observed on Redis 8.2. It does not know keys, replies or effects.

mod combine;
mod iter;
mod packed;
mod range;
mod sample;

pub use combine::{Aggregate, Builder, Input, Source, diff, inter, inter_count, union};
pub use iter::Iter;
pub use range::{LexBound, LexRange, ScoreRange};
pub use sample::distinct_ranks;

use crate::dict::Full;
use crate::ordered::Ordered;
use crate::pack::{self, Element};
use crate::unique::make_mut;
use std::ops::Range;
use std::sync::Arc;

/// Up to where a sorted set stays packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most members (`zset-max-listpack-entries`).
    pub entries: usize,
    /// Longest member in bytes (`zset-max-listpack-value`).
    pub value: usize,
}

/// A sorted set that owns its members.
#[derive(Clone, Debug)]
pub enum Zset {
    /// A pack of members and scores in order.
    Packed(Vec<u8>),
    /// A tree.
    Tree(Arc<Ordered>),
}

/// A sorted set that is only read.
#[derive(Clone, Copy, Debug)]
pub enum ZsetRef<'a> {
    /// A pack.
    Packed(&'a [u8]),
    /// A tree.
    Tree(&'a Arc<Ordered>),
}

impl Default for Zset {
    fn default() -> Zset {
        Zset::Packed(Vec::new())
    }
}

impl Zset {
    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The set to read.
    #[inline]
    pub fn view(&self) -> ZsetRef<'_> {
        match self {
            Zset::Packed(buf) => ZsetRef::Packed(buf),
            Zset::Tree(tree) => ZsetRef::Tree(tree),
        }
    }

    /// Name of the form, as OBJECT ENCODING answers it.
    pub fn encoding(&self) -> &'static str {
        self.view().encoding()
    }

    /// Bytes held from the allocator.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Zset::Packed(buf) => buf.capacity(),
            // The counters of the Arc stand before the value.
            Zset::Tree(tree) => 2 * size_of::<usize>() + size_of::<Ordered>() + tree.heap_bytes(),
        }
    }

    /// Makes a small set a tree when `count` members to be added pass the limits by themselves.
    ///
    /// # Errors
    /// When the tree cannot hold the members; the set is as it was.
    pub fn expect(&mut self, count: usize, limits: Limits, seed: u64) -> Result<(), Full> {
        if matches!(self, Zset::Packed(_)) && count > limits.entries {
            self.make_tree(seed)?;
        }
        Ok(())
    }

    /// Adds a member or changes its score; the score it had. The score is not NaN. `seed` is that of
    /// the hash a new tree uses.
    ///
    /// # Errors
    /// When the tree cannot hold the member; the set is as it was.
    pub fn insert(
        &mut self,
        member: &[u8],
        score: f64,
        limits: Limits,
        seed: u64,
    ) -> Result<Option<f64>, Full> {
        if let Zset::Packed(buf) = self {
            if let Some((offset, old)) = packed::find(buf, member) {
                if old != score {
                    packed::rescore(buf, offset, member, score);
                }
                return Ok(Some(old));
            }
            if packed::len(buf) < limits.entries && member.len() <= limits.value {
                packed::insert(buf, member, score);
                return Ok(None);
            }
            self.make_tree(seed)?;
        }
        match self {
            Zset::Tree(tree) => make_mut(tree).insert(member, score),
            Zset::Packed(_) => Err(Full),
        }
    }

    /// Removes a member; the score it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            Zset::Packed(buf) => {
                let (offset, score) = packed::find(buf, member)?;
                pack::remove(buf, offset, 2);
                Some(score)
            }
            Zset::Tree(tree) => {
                // Without the member there is nothing to copy a shared tree for.
                tree.score(member)?;
                make_mut(tree).remove(member)
            }
        }
    }

    /// Removes the members of these ranks; ranks beyond the end have none.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        let count = ranks.len().min(self.len().saturating_sub(ranks.start));
        if count == 0 {
            return;
        }
        match self {
            Zset::Packed(buf) => {
                let offset = packed::offset(buf, ranks.start);
                pack::remove(buf, offset, 2 * count);
            }
            Zset::Tree(tree) => make_mut(tree).remove_ranks(ranks.start, count),
        }
    }

    /// Makes a pack a tree.
    ///
    /// # Errors
    /// When the tree cannot hold the members; the set is as it was.
    pub fn make_tree(&mut self, seed: u64) -> Result<(), Full> {
        if let Zset::Packed(buf) = self {
            let mut builder = Builder::new(seed);
            for (member, score) in packed::pairs(buf) {
                builder.add(member, score)?;
            }
            *self = builder.finish_tree();
        }
        Ok(())
    }
}

impl<'a> ZsetRef<'a> {
    /// A set without members.
    pub const EMPTY: ZsetRef<'static> = ZsetRef::Packed(&[]);

    /// Number of members.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            ZsetRef::Packed(buf) => packed::len(buf),
            ZsetRef::Tree(tree) => tree.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Name of the form, as OBJECT ENCODING answers it.
    pub fn encoding(self) -> &'static str {
        match self {
            ZsetRef::Packed(_) => "listpack",
            ZsetRef::Tree(_) => "skiplist",
        }
    }

    /// A set of its own: a pack is copied, a tree shared.
    pub fn to_owned(self) -> Zset {
        match self {
            ZsetRef::Packed(buf) => Zset::Packed(buf.to_vec()),
            ZsetRef::Tree(tree) => Zset::Tree(tree.clone()),
        }
    }

    /// Whether `other`, once cloned from this set, still is what it was.
    pub fn same(self, other: &Zset) -> bool {
        match (self, other) {
            (ZsetRef::Packed(a), Zset::Packed(b)) => a == b,
            (ZsetRef::Tree(a), Zset::Tree(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Begins to load what looking `members` up needs.
    pub fn prefetch<'m>(self, members: impl Iterator<Item = &'m [u8]> + Clone) {
        if let ZsetRef::Tree(tree) = self {
            tree.prefetch(members);
        }
    }

    /// The score of a member.
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            ZsetRef::Packed(buf) => packed::find(buf, member).map(|(_, score)| score),
            ZsetRef::Tree(tree) => tree.score(member),
        }
    }

    /// How many members come before this one.
    pub fn rank(self, member: &[u8]) -> Option<usize> {
        match self {
            ZsetRef::Packed(buf) => packed::pairs(buf).position(|(m, _)| m.is(member)),
            ZsetRef::Tree(tree) => tree.rank(member),
        }
    }

    /// The member at `rank` with its score.
    pub fn at(self, rank: usize) -> Option<(Element<'a>, f64)> {
        match self {
            ZsetRef::Packed(buf) => packed::pairs(buf).nth(rank),
            ZsetRef::Tree(tree) => tree.at(rank).map(|(m, s)| (Element::Bytes(m), s)),
        }
    }

    /// All members in order.
    pub fn iter(self) -> Iter<'a> {
        self.range(0..self.len(), false)
    }

    /// The members of these ranks, the last one first if `reverse`.
    pub fn range(self, ranks: Range<usize>, reverse: bool) -> Iter<'a> {
        let ranks = ranks.start..ranks.end.min(self.len());
        match self {
            ZsetRef::Packed(buf) if reverse => Iter::packed_reverse(buf, ranks),
            ZsetRef::Packed(buf) => Iter::packed(buf, ranks),
            ZsetRef::Tree(tree) => {
                let first = if reverse {
                    ranks.end.saturating_sub(1)
                } else {
                    ranks.start
                };
                Iter::tree(tree.walk(first, ranks.len(), reverse))
            }
        }
    }

    /// Visits some members and returns where to go on; 0 after the last ones. Begins at 0.
    ///
    /// A member that is there from the beginning of a scan to its end is visited. A pack is visited at once.
    pub fn scan(self, position: u64, mut visit: impl FnMut(Element<'_>, f64)) -> u64 {
        match self {
            ZsetRef::Packed(buf) => {
                packed::pairs(buf).for_each(|(m, s)| visit(m, s));
                0
            }
            ZsetRef::Tree(tree) => tree.scan(position, |m, s| visit(Element::Bytes(m), s)),
        }
    }
}

#[cfg(test)]
mod tests;
