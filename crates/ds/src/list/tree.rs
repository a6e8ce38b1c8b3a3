//! The chunks of a list in order: a counted tree, found and changed by element number.
//!
//! Invariants
//! - Every part knows the elements and the bytes below it; no part is empty.
//! - All chunks are equally deep; a node has at most [`MOST`] parts.
//! - Nodes and chunks are shared by clones of the tree and copied on the way to a change, never all.
//!
//! Cost: O(log chunks) a lookup or change; a clone copies one node. 32 bytes a chunk beside its own.

use super::End;
use super::chunk::Chunk;
use super::entry::Encoded;
use crate::unique::{is_only, make_mut};
use std::mem::size_of;
use std::ops::Range;
use std::sync::Arc;

const MOST: usize = 64;
/// A node with fewer parts is joined to a neighbour that has room.
const FEW: usize = MOST / 4;
/// The two counters of an `Arc`.
const ARC: usize = 2 * size_of::<usize>();

#[derive(Clone, Debug)]
struct Part {
    elements: usize,
    /// Held from the allocator by all that is below.
    bytes: usize,
    below: Below,
}

#[derive(Clone, Debug)]
enum Below {
    Chunk(Arc<Chunk>),
    Node(Arc<Node>),
}

#[derive(Clone, Default, Debug)]
struct Node {
    parts: Vec<Part>,
}

/// See the module's documentation.
#[derive(Default, Debug)]
pub(super) struct Tree {
    root: Node,
    elements: usize,
    bytes: usize,
}

impl Clone for Tree {
    fn clone(&self) -> Tree {
        let root = self.root.clone();
        // A copied node has no spare room.
        let bytes = self.bytes - self.root.own_bytes() + root.own_bytes();
        Tree {
            root,
            elements: self.elements,
            bytes,
        }
    }
}

/// Chunks that were taken out of a list and are still to be dropped, which may take a while.
#[derive(Default, Debug)]
pub struct Removed(Vec<Part>);

impl Removed {
    /// Bytes that dropping gives back, those included that others share.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|p| p.bytes).sum()
    }

    /// Whether nothing was taken out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Part {
    fn chunk(chunk: Chunk) -> Part {
        Part {
            elements: chunk.count(),
            bytes: chunk_bytes(&chunk),
            below: Below::Chunk(Arc::new(chunk)),
        }
    }

    fn node(node: Node) -> Part {
        let (elements, bytes) = node.measure();
        Part {
            elements,
            bytes,
            below: Below::Node(Arc::new(node)),
        }
    }
}

fn chunk_bytes(chunk: &Chunk) -> usize {
    chunk.room() + ARC + size_of::<Chunk>()
}

/// What a change below did to the numbers above it, modulo 2^64.
struct Change {
    elements: usize,
    bytes: usize,
}

impl Node {
    fn elements(&self) -> usize {
        self.parts.iter().map(|p| p.elements).sum()
    }

    fn bytes(&self) -> usize {
        self.own_bytes() + self.parts.iter().map(|p| p.bytes).sum::<usize>()
    }

    fn own_bytes(&self) -> usize {
        self.parts.capacity() * size_of::<Part>()
    }

    /// The part that has element `index` of `total`, and the number of the part's first element.
    #[inline]
    fn place(&self, index: usize, total: usize) -> Option<(usize, usize)> {
        if index >= total {
            return None;
        }
        if index < total / 2 {
            let mut first = 0;
            for (i, part) in self.parts.iter().enumerate() {
                if index - first < part.elements {
                    return Some((i, first));
                }
                first += part.elements;
            }
        } else {
            let mut first = total;
            for (i, part) in self.parts.iter().enumerate().rev() {
                first -= part.elements;
                if index >= first {
                    return Some((i, first));
                }
            }
        }
        None
    }

    /// The number of the part at an end.
    #[inline]
    fn edge(&self, end: End) -> usize {
        match end {
            End::Front => 0,
            End::Back => self.parts.len().wrapping_sub(1),
        }
    }

    /// Changes the chunk with element `index`, and drops it when it is left empty. The second value is
    /// what changed below this node, `None` when that is to be counted.
    fn edit<R>(
        &mut self,
        index: usize,
        total: usize,
        work: impl FnOnce(&mut Chunk, usize) -> R,
    ) -> Option<(R, Option<Change>)> {
        let (at, first) = self.place(index, total)?;
        let part = &mut self.parts[at];
        let (elements, bytes) = (part.elements, part.bytes);
        let mut sparse = false;
        let result = match &mut part.below {
            Below::Chunk(chunk) => {
                let chunk = make_mut(chunk);
                let result = work(chunk, index - first);
                part.elements = chunk.count();
                part.bytes = chunk_bytes(chunk);
                result
            }
            Below::Node(shared) => {
                let before = shared.own_bytes();
                let node = make_mut(shared);
                let (result, change) = node.edit(index - first, elements, work)?;
                match change {
                    Some(change) => {
                        part.elements = elements.wrapping_add(change.elements);
                        part.bytes = bytes
                            .wrapping_add(change.bytes)
                            .wrapping_add(node.own_bytes())
                            .wrapping_sub(before);
                    }
                    None => (part.elements, part.bytes) = node.measure(),
                }
                sparse = node.parts.len() < FEW;
                result
            }
        };
        let mut change = Change {
            elements: part.elements.wrapping_sub(elements),
            bytes: part.bytes.wrapping_sub(bytes),
        };
        if part.elements == 0 {
            change.bytes = 0usize.wrapping_sub(bytes);
            self.parts.remove(at);
        } else if sparse && self.join(at) {
            return Some((result, None));
        }
        Some((result, Some(change)))
    }

    /// Joins the sparse node at `at` to a neighbour that has room for it.
    fn join(&mut self, at: usize) -> bool {
        let len = |i: usize| match self.parts.get(i).map(|p| &p.below) {
            Some(Below::Node(node)) => node.parts.len(),
            _ => MOST,
        };
        let left = if len(at) + len(at + 1) <= MOST / 2 {
            at
        } else if at > 0 && len(at - 1) + len(at) <= MOST / 2 {
            at - 1
        } else {
            return false;
        };
        let right = self.parts.remove(left + 1);
        let part = &mut self.parts[left];
        if let (Below::Node(into), Below::Node(from)) = (&mut part.below, right.below) {
            let into = make_mut(into);
            into.parts.append(&mut Arc::unwrap_or_clone(from).parts);
            (part.elements, part.bytes) = into.measure();
        }
        true
    }

    /// Inserts a chunk so that its first element becomes number `index`, which is where a chunk begins or
    /// the end. Gives the upper part of the node when it became too large.
    fn insert(&mut self, index: usize, chunk: Chunk) -> Option<Node> {
        let mut first = 0;
        let mut at = 0;
        while let Some(part) = self.parts.get_mut(at) {
            let end = first + part.elements;
            match &mut part.below {
                Below::Chunk(_) if index <= first => break,
                Below::Node(shared) if index <= end => {
                    let node = make_mut(shared);
                    let upper = node.insert(index - first, chunk);
                    (part.elements, part.bytes) = node.measure();
                    if let Some(upper) = upper {
                        self.parts.insert(at + 1, Part::node(upper));
                    }
                    return self.split(at);
                }
                _ => {}
            }
            first = end;
            at += 1;
        }
        self.parts.insert(at, Part::chunk(chunk));
        self.split(at)
    }

    /// Splits a node that became too large by an insertion at `at`: in halves, or where a list grows at
    /// its ends so that full nodes are left behind.
    fn split(&mut self, at: usize) -> Option<Node> {
        if self.parts.len() <= MOST {
            return None;
        }
        let place = if at + 2 >= self.parts.len() {
            MOST
        } else if at <= 1 {
            self.parts.len() - MOST
        } else {
            MOST / 2
        };
        let parts = self.parts.split_off(place);
        self.parts.shrink_to(MOST);
        Some(Node { parts })
    }

    /// Elements, and bytes of a part that is this node.
    fn measure(&self) -> (usize, usize) {
        (self.elements(), self.bytes() + ARC + size_of::<Node>())
    }

    /// Keeps the elements in `keep`, some but not none of them; the rest goes to `removed`, or is dropped
    /// where it shares a chunk with what is kept.
    fn trim(&mut self, keep: Range<usize>, removed: &mut Vec<Part>) {
        let mut end = 0;
        let mut inside = 0..0;
        for (i, part) in self.parts.iter_mut().enumerate() {
            let first = end;
            end += part.elements;
            if end <= keep.start || first >= keep.end {
                continue;
            }
            if inside.is_empty() {
                inside.start = i;
            }
            inside.end = i + 1;
            if first >= keep.start && end <= keep.end {
                continue;
            }
            let kept = keep.start.max(first) - first..keep.end.min(end) - first;
            match &mut part.below {
                Below::Chunk(chunk) => {
                    let chunk = make_mut(chunk);
                    chunk.remove(kept.end, chunk.count() - kept.end);
                    if kept.start > 0 {
                        chunk.remove(0, kept.start);
                    }
                    part.elements = chunk.count();
                    part.bytes = chunk_bytes(chunk);
                }
                Below::Node(node) => {
                    let node = make_mut(node);
                    node.trim(kept, removed);
                    (part.elements, part.bytes) = node.measure();
                }
            }
        }
        removed.extend(self.parts.drain(inside.end..));
        removed.extend(self.parts.drain(..inside.start));
    }
}

impl Tree {
    /// Number of elements.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.elements
    }

    /// Bytes held from the allocator, in constant time.
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes
    }

    /// The only chunk, if there is one only.
    pub(super) fn single(&self) -> Option<&Chunk> {
        match self.root.parts.as_slice() {
            [
                Part {
                    below: Below::Chunk(chunk),
                    ..
                },
            ] => Some(chunk),
            _ => None,
        }
    }

    /// Whether there are so many chunks that they do not fit one node.
    pub(super) fn is_deep(&self) -> bool {
        matches!(
            self.root.parts.first(),
            Some(Part {
                below: Below::Node(_),
                ..
            })
        )
    }

    /// The chunk with element `index`, and the number of its first element.
    #[inline]
    pub(super) fn find(&self, index: usize) -> Option<(&Chunk, usize)> {
        let (mut node, mut total, mut before) = (&self.root, self.elements, 0);
        loop {
            let (at, first) = node.place(index - before, total)?;
            let part = &node.parts[at];
            before += first;
            match &part.below {
                Below::Chunk(chunk) => return Some((chunk, before)),
                Below::Node(below) => (node, total) = (below, part.elements),
            }
        }
    }

    /// Changes the chunk with element `index`; `work` also gets the element's number in the chunk. A
    /// chunk left empty is dropped. `None` when there is no such element.
    pub(super) fn edit<R>(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Chunk, usize) -> R,
    ) -> Option<R> {
        let (result, change) = self.root.edit(index, self.elements, work)?;
        match change {
            Some(change) => {
                self.elements = self.elements.wrapping_add(change.elements);
                self.bytes = self.bytes.wrapping_add(change.bytes);
            }
            None => self.recount(),
        }
        if self.root.parts.len() == 1 {
            self.lower();
        }
        Some(result)
    }

    /// The chunk at an end, if nobody shares it or a node on the way to it.
    #[inline]
    fn own_edge(&self, end: End) -> Option<&Chunk> {
        let mut node = &self.root;
        loop {
            match &node.parts.get(node.edge(end))?.below {
                Below::Chunk(chunk) => return is_only(chunk).then_some(chunk),
                Below::Node(below) if is_only(below) => node = below,
                Below::Node(_) => return None,
            }
        }
    }

    /// Adds an element at an end where that changes nothing but one chunk and the counts above it: the chunk is not
    /// shared, has room, and `accepts` says that it takes one more. Whether it was added.
    #[inline]
    pub(super) fn push_where_room_is(
        &mut self,
        end: End,
        element: &Encoded<'_>,
        accepts: impl FnOnce(&Chunk) -> bool,
    ) -> bool {
        let edge = self.own_edge(end);
        if !edge.is_some_and(|chunk| chunk.has_room(end, element.len()) && accepts(chunk)) {
            return false;
        }
        self.elements += 1;
        let mut node = &mut self.root;
        loop {
            let at = node.edge(end);
            let part = &mut node.parts[at];
            part.elements += 1;
            match &mut part.below {
                Below::Chunk(chunk) => {
                    make_mut(chunk).push_into_room(end, element);
                    return true;
                }
                Below::Node(below) => node = make_mut(below),
            }
        }
    }

    /// Inserts a chunk before the one that begins with element `index`, or at the end.
    pub(super) fn insert(&mut self, index: usize, chunk: Chunk) {
        if let Some(upper) = self.root.insert(index, chunk) {
            let lower = std::mem::take(&mut self.root);
            self.root.parts.push(Part::node(lower));
            self.root.parts.push(Part::node(upper));
        }
        self.recount();
    }

    /// Keeps the elements in `keep` and hands the chunks of the others over.
    pub(super) fn trim(&mut self, keep: Range<usize>) -> Removed {
        let mut removed = Vec::new();
        if keep.is_empty() {
            removed = std::mem::take(&mut self.root).parts;
        } else {
            self.root.trim(keep, &mut removed);
        }
        self.recount();
        self.lower();
        Removed(removed)
    }

    /// Takes levels off whose nodes have one part only.
    fn lower(&mut self) {
        while let [
            Part {
                below: Below::Node(_),
                ..
            },
        ] = self.root.parts.as_slice()
        {
            if let Some(Part {
                below: Below::Node(node),
                ..
            }) = self.root.parts.pop()
            {
                self.root = Arc::unwrap_or_clone(node);
            }
            self.recount();
        }
    }

    fn recount(&mut self) {
        self.elements = self.root.elements();
        self.bytes = self.root.bytes();
    }
}

#[cfg(test)]
impl Tree {
    /// Checks the invariants above.
    pub(super) fn check(&self) {
        assert_eq!(self.elements, self.root.elements());
        assert_eq!(self.bytes, self.root.bytes());
        check(&self.root, true);
    }
}

/// Checks a node and what is below; gives its height.
#[cfg(test)]
fn check(node: &Node, root: bool) -> usize {
    assert!(node.parts.len() <= MOST && (root || !node.parts.is_empty()));
    assert!(!root || node.parts.len() != 1 || matches!(node.parts[0].below, Below::Chunk(_)));
    let mut heights = node.parts.iter().map(|part| {
        assert!(part.elements > 0);
        match &part.below {
            Below::Chunk(chunk) => {
                chunk.check();
                assert_eq!(
                    (part.elements, part.bytes),
                    (chunk.count(), chunk_bytes(chunk))
                );
                0
            }
            Below::Node(node) => {
                assert_eq!((part.elements, part.bytes), node.measure());
                1 + check(node, false)
            }
        }
    });
    let first = heights.next().unwrap_or(0);
    assert!(heights.all(|h| h == first));
    first
}
