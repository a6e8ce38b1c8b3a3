//! Lists: one byte vector while small, a tree of shared chunks when large.
//!
//! Invariants
//! - A list turns from `listpack` to `quicklist` and back at the elements at which Redis's does (7.2 on).
//! - A clone shares all chunks; a change copies the chunk it changes and the nodes above it.
//! - Equal elements have equal bytes; an element that is a canonical integer is stored as one.
//!
//! Cost: O(log chunks) plus a walk of at most half a chunk for any index; pushes and pops at the ends are
//! O(1) amortised; about 15.2 bytes an element for elements of 13. Nothing here fails or panics; memory
//! that the allocator does not have aborts, as everywhere.
//!
//! It does not know keys, replies or which client waits for an element.

mod chunk;
mod chunks;
mod entry;
mod iter;
mod limits;
mod nodes;
mod packed;
#[cfg(test)]
mod tests;
mod tree;

pub use chunks::Chunks;
pub use iter::Iter;
pub use limits::Limits;
pub use nodes::{BadNode, Node, Nodes};
pub use tree::Removed;

use crate::pack::Element;
use crate::unique::make_mut;
use chunk::Chunk;
use entry::Encoded;
use limits::FRAME;
use std::ops::Range;
use std::sync::Arc;

/// One of a list's ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Before the first element: LEFT.
    Front,
    /// Behind the last element: RIGHT.
    Back,
}

/// A list. See the module's documentation.
#[derive(Clone, Debug)]
pub enum List {
    /// All elements in one byte vector: `listpack`.
    Packed(Vec<u8>),
    /// Elements in chunks: `quicklist`.
    Chunks(Arc<Chunks>),
}

/// A list to read.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    /// All elements in one byte vector, which only this module made.
    Packed(&'a [u8]),
    /// Elements in chunks.
    Chunks(&'a Arc<Chunks>),
}

impl Default for List {
    fn default() -> List {
        List::Packed(Vec::new())
    }
}

impl List {
    /// To read.
    #[inline]
    pub fn view(&self) -> ListRef<'_> {
        match self {
            List::Packed(buf) => ListRef::Packed(buf),
            List::Chunks(chunks) => ListRef::Chunks(chunks),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that OBJECT ENCODING gives it.
    pub fn encoding(&self) -> &'static str {
        self.view().encoding()
    }

    /// Bytes held from the allocator, those included that clones share. Constant time.
    pub fn heap_bytes(&self) -> usize {
        match self {
            List::Packed(buf) => buf.capacity(),
            List::Chunks(chunks) => chunks.heap_bytes(),
        }
    }

    /// Pushes values at an end, one after the other.
    pub fn push<'v, I>(&mut self, end: End, mut values: I, limits: Limits)
    where
        I: ExactSizeIterator<Item = &'v [u8]> + Clone,
    {
        if values.len() == 1
            && let Some(value) = values.next()
        {
            self.prepare(value.len(), 1, limits);
            return self.push_one(end, value, &Encoded::new(value), limits);
        }
        let (bytes, count) = values
            .clone()
            .fold((0, 0), |(bytes, count), v| (bytes + v.len(), count + 1));
        self.prepare(bytes, count, limits);
        match self {
            List::Packed(buf) => {
                for value in values {
                    packed::push(buf, end, &Encoded::new(value));
                }
            }
            List::Chunks(chunks) => make_mut(chunks).push(end, values, limits),
        }
    }

    /// Pushes an element taken from a list.
    ///
    /// compat: Redis does not count an integer's bytes when it asks whether the list becomes too large.
    pub fn push_moved(&mut self, end: End, element: Element<'_>, limits: Limits) {
        let mut digits = itoa::Buffer::new();
        let text = element.bytes(&mut digits);
        match element {
            Element::Int(_) => self.prepare(0, 1, limits),
            _ => self.prepare(text.len(), 1, limits),
        }
        self.push_one(end, text, &Encoded::of(element), limits);
    }

    /// Pushes a value, for which the list was prepared.
    #[inline]
    fn push_one(&mut self, end: End, value: &[u8], encoded: &Encoded<'_>, limits: Limits) {
        match self {
            List::Packed(buf) => packed::push(buf, end, encoded),
            List::Chunks(chunks) => make_mut(chunks).push_one(end, value, encoded, limits),
        }
    }

    /// Converts to chunks if `count` more elements of together `bytes` bytes would be too many. Redis asks
    /// before it knows whether a change will happen (LINSERT, LSET); pushes do it by themselves.
    pub fn prepare(&mut self, bytes: usize, count: usize, limits: Limits) {
        let List::Packed(buf) = self else { return };
        let (now, elements) = (packed::entries(buf).len() + FRAME, packed::count(buf));
        if limits.exceeded(now + bytes, elements + count) {
            let mut chunks = Chunks::new(limits);
            if elements > 0 {
                let mut chunk = Chunk::from_parts(std::mem::take(buf), packed::FIRST, elements);
                chunk.trim();
                chunks.append(chunk);
            }
            *self = List::Chunks(Arc::new(chunks));
        }
    }

    /// Converts back to one byte vector if the list became small. Removals and replacements do it by
    /// themselves.
    fn settle(&mut self, shrinking: bool, limits: Limits) {
        let List::Chunks(chunks) = self else { return };
        if let Some(chunk) = chunks.single()
            && !chunk.is_alone()
            && limits.fits_packed(chunk.size(), chunk.count(), shrinking)
        {
            *self = List::Packed(packed::build(chunk.bytes(), chunk.count()));
        } else if chunks.is_empty() {
            *self = List::default();
        }
    }

    /// Removes the element at an end after `look` saw it; `None` when the list is empty.
    pub fn pop<R>(
        &mut self,
        end: End,
        limits: Limits,
        look: impl FnOnce(Element<'_>) -> R,
    ) -> Option<R> {
        let seen = self.take(end, look);
        self.settle(true, limits);
        seen
    }

    fn take<R>(&mut self, end: End, look: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        match self {
            List::Packed(buf) => {
                let at = match end {
                    End::Front => 0,
                    End::Back => packed::count(buf).checked_sub(1)?,
                };
                let (element, _) = entry::at(buf, packed::seek(buf, at))?;
                let seen = look(element);
                packed::remove(buf, at, 1);
                Some(seen)
            }
            List::Chunks(chunks) => {
                let chunks = make_mut(chunks);
                chunks.pop(end, |chunk, at| chunk.get(at).map(look))?
            }
        }
    }

    /// Moves the element at one end to the other, or back to the same, after `look` saw it; `None` when
    /// the list is empty.
    pub fn rotate<R>(
        &mut self,
        from: End,
        to: End,
        limits: Limits,
        look: impl FnOnce(Element<'_>) -> R,
    ) -> Option<R> {
        enum Held {
            Int(i64),
            Text(smallvec::SmallVec<[u8; 128]>),
        }
        let (seen, held) = self.take(from, |element| {
            let held = match element {
                Element::Int(n) => Held::Int(n),
                element => Held::Text(element.bytes(&mut itoa::Buffer::new()).into()),
            };
            (look(element), held)
        })?;
        match &held {
            Held::Int(n) => self.push_moved(to, Element::Int(*n), limits),
            Held::Text(text) => self.push_moved(to, Element::Bytes(text), limits),
        }
        self.settle(true, limits);
        Some(seen)
    }

    /// Inserts a value before or after element `pivot`. Nothing happens when there is no such element.
    /// [`Self::prepare`] comes before, as the caller looks for the pivot in between.
    pub fn insert(&mut self, pivot: usize, after: bool, value: &[u8], limits: Limits) {
        if pivot >= self.len() {
            return;
        }
        match self {
            List::Packed(buf) => {
                packed::insert(buf, pivot + usize::from(after), &Encoded::new(value));
            }
            List::Chunks(chunks) => {
                make_mut(chunks).insert(pivot, after, value, limits);
            }
        }
    }

    /// Replaces element `index`; `false` when there is none.
    pub fn set(&mut self, index: usize, value: &[u8], limits: Limits) -> bool {
        self.prepare(value.len(), 1, limits);
        if index >= self.len() {
            return false;
        }
        match self {
            List::Packed(buf) => packed::replace(buf, index, &Encoded::new(value)),
            List::Chunks(chunks) => make_mut(chunks).set(index, value, limits),
        }
        self.settle(true, limits);
        true
    }

    /// Removes element `index`; `false` when there is none.
    pub fn remove(&mut self, index: usize, limits: Limits) -> bool {
        if index >= self.len() {
            return false;
        }
        match self {
            List::Packed(buf) => packed::remove(buf, index, 1),
            List::Chunks(chunks) => make_mut(chunks).remove(index),
        }
        self.settle(true, limits);
        true
    }

    /// Removes up to `most` elements equal to `value`, from the end `from` on. Returns how many.
    pub fn remove_equal(&mut self, value: &[u8], most: usize, from: End, limits: Limits) -> usize {
        let backward = from == End::Back;
        // A search that finds nothing leaves everything shared.
        if most == 0 || self.view().find(value).is_none() {
            return 0;
        }
        let removed = match self {
            List::Packed(buf) => {
                let count = packed::count(buf);
                let bytes = packed::entries(buf).to_vec();
                let mut chunk = Chunk::from_parts(bytes, 0, count);
                let removed = chunk.remove_equal(&Encoded::new(value), value, most, backward);
                *buf = packed::build(chunk.bytes(), chunk.count());
                removed
            }
            List::Chunks(chunks) => make_mut(chunks).remove_equal(value, most, backward),
        };
        self.settle(true, limits);
        removed
    }

    /// Keeps the elements in `keep`. What is handed over takes time to drop in proportion to what was
    /// removed.
    pub fn trim(&mut self, keep: Range<usize>, limits: Limits) -> Removed {
        let len = self.len();
        let keep = keep.start.min(len)..keep.end.min(len);
        let mut removed = Removed::default();
        if keep.is_empty() {
            if let List::Chunks(chunks) = self {
                removed = make_mut(chunks).trim(0..0);
            }
            *self = List::default();
            return removed;
        }
        match self {
            List::Packed(buf) => {
                packed::remove(buf, keep.end, len - keep.end);
                packed::remove(buf, 0, keep.start);
            }
            List::Chunks(chunks) => removed = make_mut(chunks).trim(keep),
        }
        self.settle(true, limits);
        removed
    }
}

impl<'a> ListRef<'a> {
    /// Number of elements.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(buf) => packed::count(buf),
            ListRef::Chunks(chunks) => chunks.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The name that OBJECT ENCODING gives it.
    pub fn encoding(self) -> &'static str {
        match self {
            ListRef::Packed(_) => "listpack",
            ListRef::Chunks(_) => "quicklist",
        }
    }

    /// A list of its own: a copy of packed elements, a clone that shares chunks.
    pub fn to_owned(self) -> List {
        match self {
            ListRef::Packed(buf) => List::Packed(buf.to_vec()),
            ListRef::Chunks(chunks) => List::Chunks(chunks.clone()),
        }
    }

    /// Whether `list`, taken from this one by [`Self::to_owned`] and kept since, is still what it was.
    pub fn same(self, list: &List) -> bool {
        match (self, list) {
            (ListRef::Packed(a), List::Packed(b)) => a == b.as_slice(),
            (ListRef::Chunks(a), List::Chunks(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Element `index`.
    pub fn get(self, index: usize) -> Option<Element<'a>> {
        if index >= self.len() {
            return None;
        }
        let block = self.block(index)?;
        if block.alone {
            return Some(Element::Bytes(block.bytes));
        }
        let place = entry::seek(block.bytes, block.count, index - block.first);
        entry::at(block.bytes, place).map(|(element, _)| element)
    }

    /// The elements from `start` on, `count` of them or to the end.
    pub fn range(self, start: usize, count: usize) -> Iter<'a> {
        Iter::forward(self, start, count)
    }

    /// All elements.
    pub fn iter(self) -> Iter<'a> {
        self.range(0, usize::MAX)
    }

    /// The elements from the one before `end` backward, `count` of them or to the beginning.
    pub fn range_back(self, end: usize, count: usize) -> Iter<'a> {
        Iter::backward(self, end, count)
    }

    /// The first element equal to `value`.
    pub fn find(self, value: &[u8]) -> Option<usize> {
        let mut found = None;
        self.positions(value, End::Front, usize::MAX, |at| {
            found = Some(at);
            false
        });
        found
    }

    /// Tells `visit` the elements equal to `value` in order from the end `from` on, comparing at most
    /// `compare` elements, until it says `false`.
    pub fn positions(
        self,
        value: &[u8],
        from: End,
        compare: usize,
        mut visit: impl FnMut(usize) -> bool,
    ) {
        let (element, len) = (Encoded::new(value), self.len());
        let mut left = compare.min(len);
        let mut next = match from {
            End::Front => Some(0),
            End::Back => len.checked_sub(1),
        };
        while left > 0
            && let Some(block) = next.and_then(|at| self.block(at))
        {
            let part = left.min(block.count);
            if !block.positions(&element, value, from, part, &mut visit) {
                return;
            }
            left -= part;
            next = match from {
                End::Front => Some(block.first + block.count),
                End::Back => block.first.checked_sub(1),
            };
        }
    }

    /// The run of elements in one piece of memory that has element `index`.
    fn block(self, index: usize) -> Option<Block<'a>> {
        match self {
            ListRef::Packed(buf) => Some(Block {
                first: 0,
                count: packed::count(buf),
                bytes: packed::entries(buf),
                alone: false,
            }),
            ListRef::Chunks(chunks) => chunks.block(index),
        }
    }
}

/// A run of elements in one piece of memory.
#[derive(Clone, Copy)]
struct Block<'a> {
    /// Number of its first element in the list.
    first: usize,
    count: usize,
    bytes: &'a [u8],
    /// The bytes are one element as it is.
    alone: bool,
}

impl<'a> Block<'a> {
    fn of(chunk: &'a Chunk, first: usize) -> Block<'a> {
        Block {
            first,
            count: chunk.count(),
            bytes: chunk.bytes(),
            alone: chunk.is_alone(),
        }
    }

    fn holds(&self, element: &Encoded<'_>, value: &[u8]) -> bool {
        !self.positions(element, value, End::Front, self.count, &mut |_| false)
    }

    /// As [`ListRef::positions`]; `false` when `visit` said so.
    fn positions(
        &self,
        element: &Encoded<'_>,
        value: &[u8],
        from: End,
        compare: usize,
        visit: &mut impl FnMut(usize) -> bool,
    ) -> bool {
        if self.alone {
            return self.bytes != value || visit(self.first);
        }
        let mut place = match from {
            End::Front => 0,
            End::Back => self.bytes.len(),
        };
        for i in 0..compare {
            let (at, next) = match from {
                End::Front => (place, entry::after(self.bytes, place)),
                End::Back => {
                    let before = entry::before(self.bytes, place);
                    (before.unwrap_or(0), before)
                }
            };
            let Some(next) = next else { break };
            if element.begins(&self.bytes[at..]) {
                let index = match from {
                    End::Front => self.first + i,
                    End::Back => self.first + self.count - 1 - i,
                };
                if !visit(index) {
                    return false;
                }
            }
            place = next;
        }
        true
    }
}
