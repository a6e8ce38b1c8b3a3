//! The rules by which a long list's elements are spread over chunks: `quicklist` to clients.
//!
//! Invariants
//! - A chunk is made when an element does not fit the chunk it would go to; chunks that became small are
//!   joined when a split made them, or, in a list of many chunks, when elements were removed.
//! - Up to the first node of the tree (64 chunks) elements lie in chunks exactly as Redis's lie in nodes, so
//!   that `OBJECT ENCODING` goes back to `listpack` at the same element; but see [`GROWN`].
//! - The limits are those of the time when the list was converted, as in Redis.
//!
//! Cost: O(log chunks) to find a place, O(chunk) to change it; nothing is in proportion to the list.

use super::chunk::Chunk;
use super::entry::Encoded;
use super::limits::Limits;
use super::tree::{Removed, Tree};
use super::{Block, End};
use std::ops::Range;

/// A chunk that replaced elements made this many times larger than its limit is split.
///
/// compat: Redis lets it grow on, so that one node may hold megabytes.
const GROWN: usize = 4;

/// A list of this many chunks gives a new one at its end the room of the last: growing it in steps would copy its
/// elements several times, and leave blocks of all the sizes between with the allocator.
const ROOMY_FROM: usize = 16;

/// A list too large for one byte vector. See the module's documentation.
#[derive(Clone, Debug)]
pub struct Chunks {
    tree: Tree,
    limits: Limits,
}

impl Chunks {
    pub(super) fn new(limits: Limits) -> Chunks {
        Chunks {
            tree: Tree::default(),
            limits: limits.kept(),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is no element, which is so only within a change.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held from the allocator, its own included.
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + size_of::<Chunks>() + 2 * size_of::<usize>()
    }

    pub(super) fn block(&self, index: usize) -> Option<Block<'_>> {
        let (chunk, first) = self.tree.find(index)?;
        Some(Block::of(chunk, first))
    }

    pub(super) fn single(&self) -> Option<&Chunk> {
        self.tree.single()
    }

    /// Bytes beyond which no chunk of several elements is left.
    pub(super) fn grown_bytes(&self) -> usize {
        GROWN * self.limits.chunk_bytes()
    }

    /// The limits to work by: a lowered threshold for lone elements holds at once.
    fn limits(&self, now: Limits) -> Limits {
        Limits {
            alone_from: now.alone_from,
            ..self.limits
        }
    }

    /// Adds a chunk as it is at the end.
    pub(super) fn append(&mut self, chunk: Chunk) {
        if chunk.count() > 0 {
            self.tree.insert(self.len(), chunk);
        }
    }

    /// Pushes values one after the other.
    pub(super) fn push<'v>(
        &mut self,
        end: End,
        values: impl Iterator<Item = &'v [u8]>,
        now: Limits,
    ) {
        let limits = self.limits(now);
        let mut values = values.peekable();
        while values.peek().is_some() {
            let room = self.tree.edit(self.last(end), |chunk, _| {
                while let Some(value) = values.next_if(|v| chunk.accepts(v.len(), limits)) {
                    chunk.push(end, &Encoded::new(value), limits);
                }
                if values.peek().is_some() {
                    chunk.trim();
                }
                if chunk.is_alone() { 0 } else { chunk.room() }
            });
            if let Some(value) = values.next() {
                self.begin_chunk(end, value, room, limits);
            }
        }
    }

    /// Pushes one value.
    pub(super) fn push_one(&mut self, end: End, value: &[u8], encoded: &Encoded<'_>, now: Limits) {
        let limits = self.limits(now);
        let accepts = |chunk: &Chunk| chunk.accepts(value.len(), limits);
        if self.tree.push_where_room_is(end, encoded, accepts) {
            return;
        }
        let pushed = self.tree.edit(self.last(end), |chunk, _| {
            if accepts(chunk) {
                chunk.push(end, encoded, limits);
                return Ok(());
            }
            chunk.trim();
            Err(if chunk.is_alone() { 0 } else { chunk.room() })
        });
        if pushed != Some(Ok(())) {
            let room = pushed.and_then(Result::err);
            self.begin_chunk(end, value, room, limits);
        }
    }

    /// The number of the element at an end.
    #[inline]
    fn last(&self, end: End) -> usize {
        match end {
            End::Front => 0,
            End::Back => self.len().saturating_sub(1),
        }
    }

    /// Begins a chunk at an end with a value, beside one of `room` bytes if there is any.
    fn begin_chunk(&mut self, end: End, value: &[u8], room: Option<usize>, limits: Limits) {
        let place = match end {
            End::Front => 0,
            End::Back => self.len(),
        };
        let room = room
            .filter(|room| room * ROOMY_FROM <= self.tree.heap_bytes())
            .map_or(0, |room| room.min(limits.chunk_bytes()));
        self.tree
            .insert(place, Chunk::roomy(value, end, room, limits));
    }

    /// Inserts a value before or after element `pivot`, which exists.
    pub(super) fn insert(&mut self, pivot: usize, after: bool, value: &[u8], now: Limits) {
        let limits = self.limits(now);
        let Some((chunk, first)) = self.tree.find(pivot) else {
            return;
        };
        let (len, count) = (value.len(), chunk.count());
        let offset = pivot - first + usize::from(after);
        let end = first + count;
        let at_edge = offset == if after { count } else { 0 };
        if chunk.accepts(len, limits) {
            let element = Encoded::new(value);
            self.tree
                .edit(pivot, |chunk, _| chunk.insert(offset, &element, limits));
            return;
        }
        let neighbour = if after {
            Some(end)
        } else {
            first.checked_sub(1)
        };
        let neighbour_accepts = neighbour
            .and_then(|i| self.tree.find(i))
            .is_some_and(|(c, _)| c.accepts(len, limits));
        let edge = if after { end } else { first };
        let alone = limits.alone(len);
        if at_edge && !alone && neighbour_accepts {
            let element = Encoded::new(value);
            self.tree.edit(neighbour.unwrap_or(end), |chunk, _| {
                let at = if after { 0 } else { chunk.count() };
                chunk.insert(at, &element, limits);
            });
        } else if at_edge || chunk.is_alone() {
            self.tree.insert(edge, Chunk::of(value, limits));
        } else {
            self.insert_into_split(first, offset, after, value, limits);
        }
    }

    /// Splits the chunk that begins with element `first` before its element `offset`, where the value goes:
    /// alone if it is large, otherwise into the part that the pivot is not in.
    fn insert_into_split(
        &mut self,
        first: usize,
        offset: usize,
        after: bool,
        value: &[u8],
        limits: Limits,
    ) {
        let Some(mut right) = self.tree.edit(first, |chunk, _| chunk.split_off(offset)) else {
            return;
        };
        let middle = first + offset;
        if limits.alone(value.len()) {
            self.tree.insert(middle, right);
            self.tree.insert(middle, Chunk::of(value, limits));
            return;
        }
        let element = Encoded::new(value);
        if after {
            right.insert(0, &element, limits);
            self.tree.insert(middle, right);
            self.join_around(first, limits);
        } else {
            self.tree.insert(middle, right);
            self.tree.edit(first, |chunk, _| {
                chunk.insert(chunk.count(), &element, limits)
            });
            self.join_around(middle + 1, limits);
        }
    }

    /// Joins chunks around the one that begins with element `center`, in Redis's order.
    fn join_around(&mut self, center: usize, limits: Limits) {
        let begin = |list: &Chunks, index: usize| list.tree.find(index).map(|(_, first)| first);
        let end = |list: &Chunks, first: usize| {
            list.tree.find(first).map_or(first, |(c, f)| f + c.count())
        };
        if let Some(previous) = center.checked_sub(1).and_then(|i| begin(self, i)) {
            self.join_before(previous, limits);
        }
        let next_end = end(self, end(self, center));
        self.join_before(next_end, limits);
        self.join_before(center, limits);
        if let Some(target) = begin(self, center) {
            self.join_before(end(self, target), limits);
        }
    }

    /// Joins the chunk that begins with element `first` to the one before it, if together they are small
    /// enough.
    fn join_before(&mut self, first: usize, limits: Limits) {
        let Some(((left, _), (right, begin))) = first
            .checked_sub(1)
            .and_then(|i| self.tree.find(i))
            .zip(self.tree.find(first))
        else {
            return;
        };
        if begin != first || !left.may_join(right, limits) {
            return;
        }
        // Empties the right one, which drops it; then its elements go to the left one.
        let Some(right) = self.tree.edit(first, |chunk, _| {
            std::mem::replace(chunk, Chunk::from_parts(Vec::new(), 0, 0))
        }) else {
            return;
        };
        self.tree.edit(first - 1, |chunk, _| chunk.join(&right));
    }

    /// Replaces element `index`, which exists.
    pub(super) fn set(&mut self, index: usize, value: &[u8], now: Limits) {
        let limits = self.limits(now);
        let Some((chunk, first)) = self.tree.find(index) else {
            return;
        };
        let (alone, lone_chunk) = (limits.alone(value.len()), chunk.is_alone());
        let count = chunk.count();
        match (lone_chunk, alone) {
            (false, false) => {
                let element = Encoded::new(value);
                let most = self.grown_bytes();
                let grown = self.tree.edit(index, |chunk, at| {
                    chunk.replace(at, &element, limits);
                    chunk.count() > 1 && chunk.size() > most
                });
                if grown == Some(true) {
                    self.halve(first);
                }
            }
            (true, true) => {
                self.tree.edit(index, |chunk, _| chunk.replace_alone(value));
            }
            (true, false) => {
                self.insert(index, true, value, now);
                self.tree.edit(index, |chunk, _| chunk.remove(0, 1));
            }
            (false, true) => {
                if index + 1 < first + count
                    && let Some(right) = self.tree.edit(index, |chunk, at| chunk.split_off(at + 1))
                {
                    self.tree.insert(index + 1, right);
                }
                self.tree.insert(index + 1, Chunk::of(value, limits));
                self.tree.edit(index, |chunk, at| chunk.remove(at, 1));
            }
        }
    }

    fn halve(&mut self, first: usize) {
        let right = self.tree.edit(first, |chunk, _| {
            let half = chunk.count() / 2;
            (half, chunk.split_off(half))
        });
        if let Some((half, right)) = right {
            self.tree.insert(first + half, right);
        }
    }

    /// Removes the element at an end, which exists, after `look` saw its chunk and its number there.
    pub(super) fn pop<R>(&mut self, end: End, look: impl FnOnce(&Chunk, usize) -> R) -> Option<R> {
        let index = match end {
            End::Front => 0,
            End::Back => self.len().checked_sub(1)?,
        };
        self.tree.edit(index, |chunk, at| {
            let seen = look(chunk, at);
            chunk.remove(at, 1);
            seen
        })
    }

    /// Removes element `index`, if it exists.
    pub(super) fn remove(&mut self, index: usize) {
        self.tree.edit(index, |chunk, at| chunk.remove(at, 1));
        self.condense(index);
    }

    /// Removes up to `most` elements equal to `value`, from the back if so wished. Returns how many.
    pub(super) fn remove_equal(&mut self, value: &[u8], most: usize, backward: bool) -> usize {
        let (element, mut removed) = (Encoded::new(value), 0);
        let mut index = if backward { self.len() } else { 0 };
        while removed < most {
            let at = if backward {
                index.wrapping_sub(1)
            } else {
                index
            };
            let Some(block) = self.block(at) else { break };
            let (first, count) = (block.first, block.count);
            let mut gone = 0;
            if block.holds(&element, value) {
                let left = most - removed;
                gone = self
                    .tree
                    .edit(first, |chunk, _| {
                        chunk.remove_equal(&element, value, left, backward)
                    })
                    .unwrap_or(0);
                removed += gone;
            }
            index = if backward {
                first
            } else {
                first + count - gone
            };
            if gone > 0 && gone < count {
                // A part already searched may be searched again: nothing in it is equal any more.
                self.condense(first);
            }
        }
        removed
    }

    /// In a list of many chunks, joins the chunk that has element `index` to a neighbour if they fill a
    /// quarter of a chunk: so that a list of which most was removed does not keep its chunks.
    fn condense(&mut self, index: usize) {
        if !self.tree.is_deep() {
            return;
        }
        let Some((chunk, first)) = self.tree.find(index) else {
            return;
        };
        let quarter = self.limits.quarter();
        self.join_before(first + chunk.count(), quarter);
        self.join_before(first, quarter);
    }

    /// Keeps the elements in `keep` and hands the chunks of the others over.
    pub(super) fn trim(&mut self, keep: Range<usize>) -> Removed {
        self.tree.trim(keep)
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        self.tree.check();
    }
}
