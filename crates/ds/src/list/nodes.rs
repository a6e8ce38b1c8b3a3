//! Lists as they are serialised: nodes that are listpacks, or single elements as they are.
//!
//! Invariant: a listpack that is read may hold any bytes. Every element is decoded within its bounds and
//! encoded anew, so nothing of it reaches a list but the elements.
//!
//! Layout of a listpack: total bytes (u32), elements (u16, 65535 for "count them"), the elements, FF.

use super::chunk::Chunk;
use super::chunks::Chunks;
use super::entry::{self, Encoded};
use super::limits::{FRAME, Limits};
use super::{Block, List, ListRef};
use crate::unique::make_mut;
use std::sync::Arc;

const HEADER: usize = 6;
const END: u8 = 0xFF;

/// A serialised node that cannot be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadNode;

/// A part of a list to be serialised.
#[derive(Clone, Copy)]
pub struct Node<'a>(Block<'a>);

impl<'a> Node<'a> {
    /// The only element, if it is stored as it is; otherwise the node is a listpack.
    pub fn alone(&self) -> Option<&'a [u8]> {
        self.0.alone.then_some(self.0.bytes)
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.0.count
    }

    /// Appends the node as a listpack to `out`.
    pub fn write_listpack(&self, out: &mut Vec<u8>) {
        let total = u32::try_from(self.0.bytes.len() + FRAME).unwrap_or(u32::MAX);
        let count = u16::try_from(self.0.count).unwrap_or(u16::MAX);
        out.reserve(self.0.bytes.len() + FRAME);
        out.extend_from_slice(&total.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(self.0.bytes);
        out.push(END);
    }

    /// Bytes that [`Self::write_listpack`] appends.
    pub fn listpack_len(&self) -> usize {
        self.0.bytes.len() + FRAME
    }
}

/// The parts of a list in order.
#[derive(Clone)]
pub struct Nodes<'a> {
    list: ListRef<'a>,
    next: usize,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.next >= self.list.len() {
            return None;
        }
        let block = self.list.block(self.next)?;
        self.next = block.first + block.count;
        Some(Node(block))
    }
}

impl<'a> ListRef<'a> {
    /// The parts in which the list is serialised.
    pub fn nodes(self) -> Nodes<'a> {
        Nodes {
            list: self,
            next: 0,
        }
    }
}

impl List {
    /// An empty list to add nodes to, and to be [`Self::loaded`] in the end.
    pub fn to_load(limits: Limits) -> List {
        List::Chunks(Arc::new(Chunks::new(limits)))
    }

    /// Adds an element as a node of its own.
    pub fn load_alone(&mut self, value: &[u8], limits: Limits) {
        // The same limits, but such that this element is alone.
        let alone = Limits {
            alone_from: Some(0),
            ..limits
        };
        self.load_chunk(Chunk::of(value, alone));
    }

    /// Adds the elements of a listpack, those of an oversized one in several parts. An empty one adds none.
    ///
    /// # Errors
    /// When it is malformed; the list is then of no use.
    pub fn load_listpack(&mut self, listpack: &[u8]) -> Result<(), BadNode> {
        let elements = listpack_elements(listpack)?;
        let (mut data, mut count, mut place) = (Vec::new(), 0, 0);
        let most = match self {
            List::Chunks(chunks) => chunks.grown_bytes(),
            List::Packed(_) => usize::MAX,
        };
        let mut total = 0;
        while place < elements.len() {
            if data.len() > most {
                self.load_chunk(Chunk::from_parts(std::mem::take(&mut data), 0, count));
                count = 0;
            }
            let (element, next) = entry::at(elements, place).ok_or(BadNode)?;
            if next > elements.len() || entry::before(elements, next) != Some(place) {
                return Err(BadNode);
            }
            let element = Encoded::of(element);
            let at = data.len();
            data.resize(at + element.len(), 0);
            element.write(&mut data[at..]);
            count += 1;
            total += 1;
            place = next;
        }
        let said = usize::from(u16::from_le_bytes([listpack[4], listpack[5]]));
        if said != total && said != usize::from(u16::MAX) {
            return Err(BadNode);
        }
        self.load_chunk(Chunk::from_parts(data, 0, count));
        Ok(())
    }

    fn load_chunk(&mut self, chunk: Chunk) {
        if let List::Chunks(chunks) = self {
            make_mut(chunks).append(chunk);
        }
    }

    /// Chooses the encoding when all nodes were added.
    #[must_use]
    pub fn loaded(mut self, limits: Limits) -> List {
        self.settle(false, limits);
        self
    }
}

/// The elements of a listpack whose frame is right.
fn listpack_elements(listpack: &[u8]) -> Result<&[u8], BadNode> {
    let (total, rest) = listpack.split_first_chunk::<4>().ok_or(BadNode)?;
    let [_, _, elements @ .., END] = rest else {
        return Err(BadNode);
    };
    let total = usize::try_from(u32::from_le_bytes(*total)).map_err(|_| BadNode)?;
    if total != listpack.len() || total < HEADER + 1 {
        return Err(BadNode);
    }
    Ok(elements)
}
