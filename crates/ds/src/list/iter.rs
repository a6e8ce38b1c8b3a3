//! Walking over a list's elements in either direction.
//!
//! Invariant: a block is looked up once for all its elements, so a step costs what decoding costs.

use super::{Block, ListRef, entry};
use crate::pack::Element;

/// Elements of a list in order, or backward; see [`ListRef::range`].
#[derive(Clone)]
pub struct Iter<'a> {
    list: ListRef<'a>,
    block: Option<Block<'a>>,
    /// Offset in the block of the next element; backward, of the end of it.
    place: usize,
    /// Elements left in the block.
    inside: usize,
    /// Elements left altogether.
    left: usize,
    back: bool,
}

impl<'a> Iter<'a> {
    pub(super) fn forward(list: ListRef<'a>, start: usize, count: usize) -> Iter<'a> {
        let left = count.min(list.len().saturating_sub(start));
        let block = if left > 0 { list.block(start) } else { None };
        let (mut place, mut inside) = (0, 0);
        if let Some(block) = block {
            let skipped = start - block.first;
            inside = block.count - skipped;
            if !block.alone {
                place = entry::seek(block.bytes, block.count, skipped);
            }
        }
        Iter {
            list,
            block,
            place,
            inside,
            left,
            back: false,
        }
    }

    pub(super) fn backward(list: ListRef<'a>, end: usize, count: usize) -> Iter<'a> {
        let end = end.min(list.len());
        let left = count.min(end);
        let block = if left > 0 { list.block(end - 1) } else { None };
        let (mut place, mut inside) = (0, 0);
        if let Some(block) = block {
            inside = end - block.first;
            if !block.alone {
                place = entry::seek(block.bytes, block.count, inside);
            }
        }
        Iter {
            list,
            block,
            place,
            inside,
            left,
            back: true,
        }
    }

    /// Tells `visit` the elements until it says `false`: faster than taking them one by one.
    #[inline]
    pub fn walk(mut self, mut visit: impl FnMut(Element<'a>) -> bool) {
        while self.left > 0 {
            if self.inside == 0 && self.next_block().is_none() {
                return;
            }
            let Some(block) = self.block else { return };
            let run = self.inside.min(self.left);
            if block.alone || self.back {
                match self.next() {
                    Some(element) if visit(element) => continue,
                    _ => return,
                }
            }
            for _ in 0..run {
                let Some((element, next)) = entry::at(block.bytes, self.place) else {
                    return;
                };
                if !visit(element) {
                    return;
                }
                self.place = next;
            }
            self.inside -= run;
            self.left -= run;
        }
    }

    fn next_block(&mut self) -> Option<()> {
        let block = self.block?;
        let block = if self.back {
            self.list.block(block.first.checked_sub(1)?)?
        } else {
            self.list.block(block.first + block.count)?
        };
        self.inside = block.count;
        self.place = if self.back { block.bytes.len() } else { 0 };
        self.block = Some(block);
        Some(())
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.left == 0 {
            return None;
        }
        if self.inside == 0 {
            self.next_block()?;
        }
        self.left -= 1;
        self.inside -= 1;
        let block = self.block?;
        if block.alone {
            return Some(Element::Bytes(block.bytes));
        }
        if self.back {
            self.place = entry::before(block.bytes, self.place)?;
            return Some(entry::at(block.bytes, self.place)?.0);
        }
        let (element, next) = entry::at(block.bytes, self.place)?;
        self.place = next;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
