//! A run of a list's elements in one byte vector, with room to grow at both ends; or one large element.
//!
//! Invariants
//! - A chunk in a list has at least one element; one marked `ALONE` has exactly one, stored as it is.
//! - The elements are `data[start..]`; what is before is room for pushing at the front.
//! - Room is at most doubled by growth, or what the owner gives a new chunk; it is never beyond the chunk's limit, and
//!   is given back by `trim` and when three quarters are unused.
//!
//! Cost: pushes and pops at both ends are amortised O(1); a change inside moves the shorter side.

use super::End;
use super::entry::{self, Encoded};
use super::limits::{FRAME, Limits};
use crate::pack::Element;

/// Marks the only element of a chunk that is stored without head and length.
const ALONE: u32 = 1 << 31;
const ROOM_MIN: usize = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Chunk {
    data: Vec<u8>,
    start: u32,
    count: u32,
}

impl Clone for Chunk {
    fn clone(&self) -> Chunk {
        Chunk {
            data: self.bytes().to_vec(),
            start: 0,
            count: self.count,
        }
    }
}

impl Chunk {
    /// A chunk of one element.
    pub(super) fn of(value: &[u8], limits: Limits) -> Chunk {
        Chunk::roomy(value, End::Back, 0, limits)
    }

    /// A chunk of one element at an end of a list, with `room` bytes for it and more on the side of that end.
    pub(super) fn roomy(value: &[u8], end: End, room: usize, limits: Limits) -> Chunk {
        if limits.alone(value.len()) {
            return Chunk {
                data: value.to_vec(),
                start: 0,
                count: 1 | ALONE,
            };
        }
        let element = Encoded::new(value);
        let room = room.max(element.len()).max(ROOM_MIN);
        let mut data = Vec::with_capacity(room);
        if end == End::Front {
            data.resize(room, 0);
        }
        let start = data.len();
        let mut chunk = Chunk::from_parts(data, start, 0);
        chunk.insert(0, &element, limits);
        chunk
    }

    /// A chunk of `count` elements, which are the bytes of `data` from `start` on.
    pub(super) fn from_parts(data: Vec<u8>, start: usize, count: usize) -> Chunk {
        Chunk {
            data,
            start: narrow(start),
            count: narrow(count),
        }
    }

    pub(super) fn count(&self) -> usize {
        (self.count & !ALONE) as usize
    }

    pub(super) fn is_alone(&self) -> bool {
        self.count & ALONE != 0
    }

    /// The elements, or the only one as it is.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data[self.start as usize..]
    }

    /// The size that limits count.
    pub(super) fn size(&self) -> usize {
        let len = self.bytes().len();
        if self.is_alone() { len } else { len + FRAME }
    }

    /// Bytes held from the allocator, without the chunk's own.
    pub(super) fn room(&self) -> usize {
        self.data.capacity()
    }

    /// Whether an element of `len` bytes may be added.
    pub(super) fn accepts(&self, len: usize, limits: Limits) -> bool {
        !self.is_alone() && !limits.alone(len) && !limits.full(self.size(), self.count(), len)
    }

    /// Whether `other` may be joined to it.
    pub(super) fn may_join(&self, other: &Chunk, limits: Limits) -> bool {
        !self.is_alone()
            && !other.is_alone()
            && !limits.exceeded(
                self.size() + other.size() - FRAME,
                self.count() + other.count(),
            )
    }

    /// Element `index`.
    pub(super) fn get(&self, index: usize) -> Option<Element<'_>> {
        if self.is_alone() {
            return Some(Element::Bytes(self.bytes()));
        }
        let place = entry::seek(self.bytes(), self.count(), index);
        entry::at(self.bytes(), place).map(|(element, _)| element)
    }

    /// Inserts an element before the one at `index`. Not for chunks of one large element.
    pub(super) fn insert(&mut self, index: usize, element: &Encoded<'_>, limits: Limits) {
        let place = match index {
            0 => 0,
            _ if index == self.count() => self.bytes().len(),
            _ => entry::seek(self.bytes(), self.count(), index),
        };
        self.open(place, element.len(), limits);
        let start = self.start as usize;
        element.write(&mut self.data[start + place..]);
        self.count += 1;
    }

    /// Adds an element at an end. Not for chunks of one large element.
    pub(super) fn push(&mut self, end: End, element: &Encoded<'_>, limits: Limits) {
        let at = match end {
            End::Front => 0,
            End::Back => self.count(),
        };
        self.insert(at, element, limits);
    }

    /// Whether an element of `len` bytes can be added at an end as the room is. Not for chunks of one large element.
    #[inline]
    pub(super) fn has_room(&self, end: End, len: usize) -> bool {
        match end {
            End::Front => self.start as usize >= len,
            End::Back => self.data.capacity() - self.data.len() >= len,
        }
    }

    /// Adds an element at an end for which [`Self::has_room`].
    #[inline]
    pub(super) fn push_into_room(&mut self, end: End, element: &Encoded<'_>) {
        match end {
            End::Front => {
                let start = self.start as usize - element.len();
                element.write(&mut self.data[start..]);
                self.start = narrow(start);
            }
            End::Back => element.append(&mut self.data),
        }
        self.count += 1;
    }

    /// Replaces element `index` of several, or the only one, by one that is not stored alone.
    pub(super) fn replace(&mut self, index: usize, element: &Encoded<'_>, limits: Limits) {
        let place = entry::seek(self.bytes(), self.count(), index);
        let end = entry::after(self.bytes(), place).unwrap_or(place);
        let (old, new) = (end - place, element.len());
        if new > old {
            self.open(end, new - old, limits);
        } else {
            self.close(place, old - new);
        }
        let start = self.start as usize;
        element.write(&mut self.data[start + place..]);
    }

    /// Replaces the only element by another that is stored alone.
    pub(super) fn replace_alone(&mut self, value: &[u8]) {
        self.data = value.to_vec();
        self.start = 0;
        self.count = 1 | ALONE;
    }

    /// Removes `number` elements from `index` on; the chunk may be empty then.
    pub(super) fn remove(&mut self, index: usize, number: usize) {
        let number = number.min(self.count() - index);
        if number == self.count() {
            *self = Chunk::from_parts(Vec::new(), 0, 0);
            return;
        }
        let from = entry::seek(self.bytes(), self.count(), index);
        let until = if number == 1 {
            entry::after(self.bytes(), from).unwrap_or(from)
        } else {
            entry::seek(self.bytes(), self.count(), index + number)
        };
        self.close(from, until - from);
        self.count -= narrow(number);
    }

    /// Removes up to `most` elements equal to `element`, from the back if so wished. Returns how many.
    pub(super) fn remove_equal(
        &mut self,
        element: &Encoded<'_>,
        value: &[u8],
        most: usize,
        backward: bool,
    ) -> usize {
        if self.is_alone() {
            let equal = most > 0 && self.bytes() == value;
            if equal {
                self.remove(0, 1);
            }
            return usize::from(equal);
        }
        let (data, mut doomed) = (self.bytes(), Vec::new());
        let mut place = if backward { data.len() } else { 0 };
        while doomed.len() < most {
            let (from, until) = if backward {
                match entry::before(data, place) {
                    Some(from) => (from, place),
                    None => break,
                }
            } else {
                match entry::after(data, place) {
                    Some(until) => (place, until),
                    None => break,
                }
            };
            if element.begins(&data[from..]) {
                doomed.push(from..until);
            }
            place = if backward { from } else { until };
        }
        if backward {
            doomed.reverse();
        }
        self.close_all(&doomed);
        doomed.len()
    }

    /// Takes out several ascending parts at once.
    fn close_all(&mut self, parts: &[std::ops::Range<usize>]) {
        let Some(first) = parts.first() else { return };
        let start = self.start as usize;
        let len = self.data.len() - start;
        let mut to = first.start;
        for (i, part) in parts.iter().enumerate() {
            let next = parts.get(i + 1).map_or(len, |p| p.start);
            self.data
                .copy_within(start + part.end..start + next, start + to);
            to += next - part.end;
        }
        self.data.truncate(start + to);
        self.count -= narrow(parts.len());
        self.relieve();
    }

    /// Splits off the elements from `index` on.
    pub(super) fn split_off(&mut self, index: usize) -> Chunk {
        let place = entry::seek(self.bytes(), self.count(), index);
        let tail = Chunk::from_parts(self.bytes()[place..].to_vec(), 0, self.count() - index);
        self.data.truncate(self.start as usize + place);
        self.count = narrow(index);
        self.trim();
        tail
    }

    /// Appends all elements of `other`.
    pub(super) fn join(&mut self, other: &Chunk) {
        self.data.reserve_exact(other.bytes().len());
        self.data.extend_from_slice(other.bytes());
        self.count += other.count;
    }

    /// Gives back room worth it: of a chunk at an end that became an inner one.
    pub(super) fn trim(&mut self) {
        let len = self.bytes().len();
        if self.data.capacity() - len > len / 32 + 16 {
            self.data = self.bytes().to_vec();
            self.start = 0;
        }
    }

    /// Makes `more` bytes of room at `place` of the elements.
    fn open(&mut self, place: usize, more: usize, limits: Limits) {
        let start = self.start as usize;
        let (len, end) = (self.data.len() - start, self.data.len());
        if start >= more && place <= len / 2 {
            self.data.copy_within(start..start + place, start - more);
            self.start = narrow(start - more);
            return;
        }
        if place < len && place == 0 {
            self.make_front_room(more, limits);
            self.start -= narrow(more);
            return;
        }
        if self.data.capacity() - end < more {
            if start >= more.max(len / 2) {
                self.data.copy_within(start.., 0);
                self.data.truncate(len);
                self.start = 0;
            } else {
                self.data.reserve_exact(more.max(growth(len, more, limits)));
            }
        }
        let start = self.start as usize;
        self.data.resize(start + len + more, 0);
        self.data
            .copy_within(start + place..start + len, start + place + more);
    }

    /// Moves the elements to the end of a larger room.
    fn make_front_room(&mut self, more: usize, limits: Limits) {
        let len = self.bytes().len();
        let room = more.max(growth(len, more, limits));
        let mut data = Vec::with_capacity(room + len);
        data.resize(room, 0);
        data.extend_from_slice(self.bytes());
        self.data = data;
        self.start = narrow(room);
    }

    /// Takes `number` bytes out at `place` of the elements.
    fn close(&mut self, place: usize, number: usize) {
        let start = self.start as usize;
        let len = self.data.len() - start;
        if place < len - place - number {
            self.data.copy_within(start..start + place, start + number);
            self.start = narrow(start + number);
        } else {
            self.data
                .copy_within(start + place + number.., start + place);
            self.data.truncate(start + len - number);
        }
        self.relieve();
    }

    fn relieve(&mut self) {
        let len = self.bytes().len();
        if self.data.capacity() > 4 * ROOM_MIN && len < self.data.capacity() / 4 {
            self.trim();
        }
    }
}

/// How much room to add to `len` bytes for `more`: as much again, but not beyond a chunk's limit.
fn growth(len: usize, more: usize, limits: Limits) -> usize {
    let most = limits.chunk_bytes().saturating_sub(len).max(more);
    len.max(ROOM_MIN).clamp(more, most)
}

/// Sizes within a chunk fit 31 bits: elements from 1 GiB on are alone, and those have no offsets.
fn narrow(n: usize) -> u32 {
    debug_assert!(u32::try_from(n).is_ok_and(|n| n & ALONE == 0));
    u32::try_from(n).unwrap_or(ALONE - 1)
}

#[cfg(test)]
impl Chunk {
    /// Checks the invariants above.
    pub(super) fn check(&self) {
        if self.is_alone() {
            assert_eq!(self.count(), 1);
            return;
        }
        let (data, mut places) = (self.bytes(), vec![0]);
        while let Some(next) = entry::after(data, places[places.len() - 1]) {
            places.push(next);
        }
        assert_eq!(places.len(), self.count() + 1);
        assert_eq!(places.pop(), Some(data.len()));
        let mut place = data.len();
        while let Some(previous) = entry::before(data, place) {
            assert_eq!(Some(previous), places.pop());
            place = previous;
        }
        assert!(places.is_empty());
    }
}
