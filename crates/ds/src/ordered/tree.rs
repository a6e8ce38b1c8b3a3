//! A counted B+tree of (score, record handle): order is the caller's predicate, so it never reads records.
//!
//! A predicate `before(score, handle)` holds for the elements before some point of the order and for none
//! after it; it is how every search is spelled, be it by score, by member or by both.
//!
//! Invariants
//! - All leaves are at the same depth; `height` is the number of inner nodes above one.
//! - No node is empty but the only leaf of an empty tree. Nodes that an insertion at an end did not begin
//!   are at least a quarter full.
//!
//! Cost: O(log n) for everything but ranges, whose removal costs one descent per leaf.
//! A full node splits in halves, but one to fifteen at an end where elements are added in order.

use super::node::{Entry, Inner, Leaf, NONE, Pool};
use smallvec::SmallVec;

/// See the module's documentation.
#[derive(Clone)]
pub(super) struct Tree<const L: usize, const B: usize> {
    leaves: Pool<Leaf<L>>,
    inners: Pool<Inner<B>>,
    root: u32,
    height: usize,
    len: usize,
}

#[derive(Clone, Copy)]
struct Step {
    node: u32,
    at: usize,
}

/// A place between elements, with the way there. Valid until the next change.
pub(super) struct Spot {
    path: SmallVec<[Step; 8]>,
    leaf: u32,
    /// Place in the leaf: of the element after the point, or the leaf's end.
    at: usize,
    /// Elements before the point.
    pub(super) rank: usize,
}

impl Spot {
    /// The place of the element before the point, which is in the same leaf.
    pub(super) fn back(mut self) -> Spot {
        self.at = self.at.saturating_sub(1);
        self.rank = self.rank.saturating_sub(1);
        self
    }
}

/// Where in a full node something is added.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Middle,
    Right,
}

/// How many of `len` stay in the left half of a split.
fn kept(side: Side, len: usize) -> usize {
    match side {
        Side::Left => len / 16,
        Side::Middle => len / 2,
        Side::Right => len - len / 16,
    }
}

impl<const L: usize, const B: usize> Tree<L, B> {
    /// An empty tree: one leaf.
    pub(super) fn new() -> Self {
        let mut leaves = Pool::new();
        let root = leaves.add(Leaf::new());
        Tree {
            leaves,
            inners: Pool::new(),
            root,
            height: 0,
            len: 0,
        }
    }

    /// A tree of elements that are in order.
    pub(super) fn build(elements: &[(f64, u32)]) -> Self {
        if elements.is_empty() {
            return Tree::new();
        }
        let mut leaves = Pool::new();
        let mut entries = Vec::with_capacity(elements.len() / (L - L / 16) + 1);
        let mut before = NONE;
        for part in elements.chunks(L - L / 16) {
            let mut leaf = Leaf::new();
            for (at, (score, handle)) in part.iter().enumerate() {
                leaf.insert(at, *score, *handle);
            }
            leaf.before = before;
            let id = leaves.add(leaf);
            if before != NONE {
                leaves.get_mut(before).after = id;
            }
            entries.extend(leaves.get(id).entry(id));
            before = id;
        }
        let mut inners = Pool::new();
        let mut height = 0;
        while entries.len() > 1 {
            let mut above = Vec::with_capacity(entries.len() / B + 1);
            for part in entries.chunks(B - B / 16) {
                let mut inner = Inner::<B>::new();
                for (at, entry) in part.iter().enumerate() {
                    inner.insert(at, *entry);
                }
                let id = inners.add(inner);
                above.extend(inners.get(id).entry(id));
            }
            entries = above;
            height += 1;
        }
        Tree {
            leaves,
            inners,
            root: entries[0].child,
            height,
            len: elements.len(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes held from the allocator.
    pub(super) fn bytes(&self) -> usize {
        self.leaves.bytes() + self.inners.bytes()
    }

    /// The point before which `before` holds.
    #[inline]
    pub(super) fn locate(&self, before: impl Fn(f64, u32) -> bool) -> Spot {
        self.search(
            |inner| inner.descend(&before),
            |leaf| leaf.partition(&before),
        )
    }

    /// The point before which scores are below `score`, or equal to it where `tie` holds.
    #[inline]
    pub(super) fn locate_score(&self, score: f64, tie: impl Fn(u32) -> bool) -> Spot {
        self.search(
            |inner| inner.descend_score(score, &tie),
            |leaf| leaf.partition_score(score, &tie),
        )
    }

    #[inline]
    fn search(
        &self,
        descend: impl Fn(&Inner<B>) -> usize,
        partition: impl Fn(&Leaf<L>) -> usize,
    ) -> Spot {
        let (mut node, mut rank) = (self.root, 0);
        let mut path = SmallVec::new();
        for _ in 0..self.height {
            let inner = self.inners.get(node);
            let at = descend(inner);
            path.push(Step { node, at });
            node = inner.child(at);
            if path.len() == self.height {
                self.leaves.prefetch(node, L * size_of::<f64>());
            } else {
                self.inners.prefetch(node, size_of::<Inner<B>>());
            }
            rank += inner.count_before(at);
        }
        let at = partition(self.leaves.get(node));
        Spot {
            path,
            leaf: node,
            at,
            rank: rank + at,
        }
    }

    /// The place of the element at `rank`, or the end.
    pub(super) fn locate_rank(&self, rank: usize) -> Spot {
        let mut node = self.root;
        let mut path = SmallVec::new();
        let mut left = rank.min(self.len);
        for _ in 0..self.height {
            let inner = self.inners.get(node);
            let (at, rest) = inner.descend_rank(left);
            left = rest;
            path.push(Step { node, at });
            node = inner.child(at);
        }
        Spot {
            path,
            leaf: node,
            at: left,
            rank,
        }
    }

    /// The element at the place.
    pub(super) fn get(&self, spot: &Spot) -> Option<(f64, u32)> {
        self.leaves.get(spot.leaf).get(spot.at)
    }

    /// The elements before and after the one at the place.
    pub(super) fn neighbours(&self, spot: &Spot) -> [Option<(f64, u32)>; 2] {
        let leaf = self.leaves.get(spot.leaf);
        let before = match spot.at.checked_sub(1) {
            Some(at) => leaf.get(at),
            None if leaf.before == NONE => None,
            None => {
                let other = self.leaves.get(leaf.before);
                other.get(other.len().wrapping_sub(1))
            }
        };
        let after = match leaf.get(spot.at + 1) {
            None if leaf.after != NONE => self.leaves.get(leaf.after).get(0),
            found => found,
        };
        [before, after]
    }

    /// Overwrites the element at the place; the order must stay.
    pub(super) fn set(&mut self, spot: &Spot, score: f64, handle: u32) {
        self.leaves.get_mut(spot.leaf).set(spot.at, score, handle);
        if spot.at == 0 {
            self.set_first(spot, score, handle);
        }
    }

    /// Tells the nodes above a leaf of its new first element.
    fn set_first(&mut self, spot: &Spot, score: f64, handle: u32) {
        for step in spot.path.iter().rev() {
            self.inners
                .get_mut(step.node)
                .set_first(step.at, score, handle);
            if step.at != 0 {
                break;
            }
        }
    }

    /// Adds an element at the place.
    pub(super) fn insert(&mut self, spot: &Spot, score: f64, handle: u32) {
        self.len += 1;
        let leaf = self.leaves.get_mut(spot.leaf);
        if leaf.len() < L {
            leaf.insert(spot.at, score, handle);
            for step in &spot.path {
                self.inners.get_mut(step.node).add_count(step.at, 1);
            }
            if spot.at == 0 {
                self.set_first(spot, score, handle);
            }
            return;
        }
        let side = if leaf.after == NONE && spot.at == leaf.len() {
            Side::Right
        } else if leaf.before == NONE && spot.at == 0 {
            Side::Left
        } else {
            Side::Middle
        };
        let keep = kept(side, leaf.len());
        let right = self.split_leaf(spot.leaf, keep);
        let (left_leaf, right_leaf) = self.leaves.pair_mut(spot.leaf, right);
        if spot.at <= keep && keep < L {
            left_leaf.insert(spot.at, score, handle);
        } else {
            right_leaf.insert(spot.at - keep, score, handle);
        }
        let entries = (left_leaf.entry(spot.leaf), right_leaf.entry(right));
        if let (Some(old), Some(new)) = entries {
            self.add_above(spot, side, old, new);
        }
    }

    fn split_leaf(&mut self, id: u32, keep: usize) -> u32 {
        let leaf = self.leaves.get_mut(id);
        let mut right = leaf.split_off(keep);
        right.before = id;
        right.after = leaf.after;
        let after = right.after;
        let new = self.leaves.add(right);
        self.leaves.get_mut(id).after = new;
        if after != NONE {
            self.leaves.get_mut(after).before = new;
        }
        new
    }

    /// Replaces the entry of a leaf that was split by `old` and adds `new` after it, splitting upwards.
    fn add_above(&mut self, spot: &Spot, side: Side, mut old: Entry, new: Entry) {
        let mut new = Some(new);
        for step in spot.path.iter().rev() {
            let inner = self.inners.get_mut(step.node);
            inner.set(step.at, old);
            let split = match new.take() {
                Some(entry) if inner.len() < B => {
                    inner.insert(step.at + 1, entry);
                    None
                }
                Some(entry) => Some(self.split_inner(*step, side, entry)),
                None => None,
            };
            match self.inners.get(step.node).entry(step.node) {
                Some(entry) => old = entry,
                None => return,
            }
            new = split.and_then(|id| self.inners.get(id).entry(id));
        }
        if let Some(new) = new {
            let mut root = Inner::new();
            root.insert(0, old);
            root.insert(1, new);
            self.root = self.inners.add(root);
            self.height += 1;
        }
    }

    /// Splits a full inner node to add an entry after `step`; the new right node.
    fn split_inner(&mut self, step: Step, side: Side, entry: Entry) -> u32 {
        let inner = self.inners.get_mut(step.node);
        let place = step.at + 1;
        let side = match side {
            Side::Right if place != inner.len() => Side::Middle,
            Side::Left if step.at != 0 => Side::Middle,
            side => side,
        };
        let keep = kept(side, inner.len()).max(1);
        let mut right = inner.split_off(keep);
        if place <= keep && keep < B {
            inner.insert(place, entry);
        } else {
            right.insert(place - keep, entry);
        }
        self.inners.add(right)
    }

    /// Removes `count` elements from the place on, all of the same leaf.
    pub(super) fn remove(&mut self, spot: &Spot, count: usize) {
        self.len -= count;
        if self.len == 0 {
            *self = Tree::new();
            return;
        }
        let leaf = self.leaves.get_mut(spot.leaf);
        leaf.remove(spot.at, count);
        let mut entry = leaf.entry(spot.leaf);
        let mut small = leaf.len() < L / 4;
        // Lossless: at most a leaf's places.
        let count = count as u32;
        for (depth, step) in spot.path.iter().enumerate().rev() {
            let leaves_below = depth + 1 == spot.path.len();
            let inner = self.inners.get_mut(step.node);
            match entry {
                Some(entry) => {
                    inner.sub_count(step.at, count);
                    inner.set_first(step.at, entry.score, entry.handle);
                }
                None => {
                    let child = inner.child(step.at);
                    inner.remove(step.at, 1);
                    self.free(child, leaves_below);
                }
            }
            if entry.is_some() && small && self.inners.get(step.node).len() > 1 {
                let left = step.at.saturating_sub(1);
                if leaves_below {
                    self.balance_leaves(step.node, left);
                } else {
                    self.balance_inners(step.node, left);
                }
            }
            let inner = self.inners.get(step.node);
            entry = inner.entry(step.node);
            small = inner.len() < B / 4;
        }
        while self.height > 0 && self.inners.get(self.root).len() == 1 {
            let child = self.inners.get(self.root).child(0);
            self.inners.free(self.root);
            self.root = child;
            self.height -= 1;
        }
    }

    /// Frees a node that nothing refers to but its neighbours.
    fn free(&mut self, id: u32, is_leaf: bool) {
        if !is_leaf {
            self.inners.free(id);
            return;
        }
        let leaf = self.leaves.get(id);
        let (before, after) = (leaf.before, leaf.after);
        if before != NONE {
            self.leaves.get_mut(before).after = after;
        }
        if after != NONE {
            self.leaves.get_mut(after).before = before;
        }
        self.leaves.free(id);
    }

    /// Merges the leaves at `at` and `at + 1` of a parent, or evens them out.
    fn balance_leaves(&mut self, parent: u32, at: usize) {
        let inner = self.inners.get(parent);
        let (a, b) = (inner.child(at), inner.child(at + 1));
        let (left, right) = self.leaves.pair_mut(a, b);
        let sum = left.len() + right.len();
        left.share(right, if sum <= L * 3 / 4 { sum } else { sum / 2 });
        let entries = (left.entry(a), right.entry(b));
        self.settle(parent, at, entries, true);
    }

    /// Merges the inner nodes at `at` and `at + 1` of a parent, or evens them out.
    fn balance_inners(&mut self, parent: u32, at: usize) {
        let inner = self.inners.get(parent);
        let (a, b) = (inner.child(at), inner.child(at + 1));
        let (left, right) = self.inners.pair_mut(a, b);
        let sum = left.len() + right.len();
        left.share(right, if sum <= B * 3 / 4 { sum } else { sum / 2 });
        let entries = (left.entry(a), right.entry(b));
        self.settle(parent, at, entries, false);
    }

    /// Takes the entries of two balanced children over; the right one may be empty now.
    fn settle(
        &mut self,
        parent: u32,
        at: usize,
        (left, right): (Option<Entry>, Option<Entry>),
        leaves: bool,
    ) {
        let inner = self.inners.get_mut(parent);
        if let Some(entry) = left {
            inner.set(at, entry);
        }
        match right {
            Some(entry) => inner.set(at + 1, entry),
            None => {
                let child = inner.child(at + 1);
                inner.remove(at + 1, 1);
                self.free(child, leaves);
            }
        }
    }

    /// Removes up to `count` elements from `rank` on; `removed` is told their handles, leaf by leaf.
    pub(super) fn remove_ranks(
        &mut self,
        rank: usize,
        count: usize,
        mut removed: impl FnMut(&[u32]),
    ) {
        let mut left = count.min(self.len.saturating_sub(rank));
        while left > 0 {
            let spot = self.locate_rank(rank);
            let handles = &self.leaves.get(spot.leaf).handles()[spot.at..];
            let part = &handles[..handles.len().min(left)];
            removed(part);
            let part = part.len();
            self.remove(&spot, part);
            left -= part;
        }
    }

    /// Up to `count` elements from `rank` on, towards the end or, `reverse`, towards the beginning.
    pub(super) fn walk(&self, rank: usize, count: usize, reverse: bool) -> Walk<'_, L, B> {
        if rank >= self.len || count == 0 {
            return Walk {
                tree: self,
                leaf: None,
                at: 0,
                left: 0,
                reverse,
            };
        }
        let spot = self.locate_rank(rank);
        let reach = if reverse { rank + 1 } else { self.len - rank };
        Walk {
            tree: self,
            leaf: Some(self.leaves.get(spot.leaf)),
            at: spot.at,
            left: count.min(reach),
            reverse,
        }
    }
}

/// See [`Tree::walk`].
#[derive(Clone)]
pub(super) struct Walk<'a, const L: usize, const B: usize> {
    tree: &'a Tree<L, B>,
    leaf: Option<&'a Leaf<L>>,
    at: usize,
    left: usize,
    reverse: bool,
}

impl<'a, const L: usize, const B: usize> Walk<'a, L, B> {
    /// Elements still to come.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The handle of the element `distance` further, if it is in the same leaf: to prefetch its record.
    #[inline]
    pub(super) fn ahead(&self, distance: usize) -> Option<u32> {
        let at = if self.reverse {
            self.at.checked_sub(distance)?
        } else {
            self.at + distance
        };
        self.leaf?.handles().get(at).copied()
    }

    fn neighbour(&self, id: u32) -> Option<&'a Leaf<L>> {
        (id != NONE).then(|| self.tree.leaves.get(id))
    }
}

impl<const L: usize, const B: usize> Iterator for Walk<'_, L, B> {
    type Item = (f64, u32);

    #[inline]
    fn next(&mut self) -> Option<(f64, u32)> {
        if self.left == 0 {
            return None;
        }
        let leaf = self.leaf?;
        let element = leaf.get(self.at)?;
        self.left -= 1;
        if self.reverse {
            if self.at == 0 {
                self.leaf = self.neighbour(leaf.before);
                self.at = self.leaf.map_or(0, Leaf::len);
            }
            self.at = self.at.saturating_sub(1);
        } else {
            self.at += 1;
            if self.at == leaf.len() {
                self.leaf = self.neighbour(leaf.after);
                self.at = 0;
                if let Some(next) = self.leaf {
                    self.tree.leaves.prefetch(next.after, size_of::<Leaf<L>>());
                }
            }
        }
        Some(element)
    }
}

#[cfg(test)]
impl<const L: usize, const B: usize> Tree<L, B> {
    /// Checks the invariants.
    pub(super) fn check(&self) {
        let mut leaves = Vec::new();
        let (total, inners) = self.check_node(self.root, self.height, &mut leaves);
        assert_eq!(total, self.len);
        assert_eq!(self.leaves.live(), leaves.len());
        assert_eq!(self.inners.live(), inners);
        let mut before = NONE;
        for (i, id) in leaves.iter().enumerate() {
            let leaf = self.leaves.get(*id);
            assert_eq!(leaf.before, before);
            assert_eq!(leaf.after, leaves.get(i + 1).copied().unwrap_or(NONE));
            before = *id;
        }
    }

    fn check_node(&self, id: u32, height: usize, leaves: &mut Vec<u32>) -> (usize, usize) {
        if height == 0 {
            leaves.push(id);
            let len = self.leaves.get(id).len();
            assert!(len > 0 || self.len == 0);
            return (len, 0);
        }
        let inner = self.inners.get(id);
        assert!(inner.len() > 0);
        let (mut total, mut inners) = (0, 1);
        for at in 0..inner.len() {
            let child = inner.child(at);
            let entry = if height == 1 {
                self.leaves.get(child).entry(child)
            } else {
                self.inners.get(child).entry(child)
            };
            assert_eq!(inner.get(at), entry);
            let (count, below) = self.check_node(child, height - 1, leaves);
            total += count;
            inners += below;
        }
        (total, inners)
    }

    /// Elements per place in the leaves.
    pub(super) fn fill(&self) -> f64 {
        self.len as f64 / (self.leaves.live() * L) as f64
    }
}
