//! The nodes of the tree: leaves with the elements, inner nodes with a summary of each child.
//!
//! Invariants
//! - Elements and entries stand at `0..len`, in order; what lies behind is stale.
//! - An entry's score and handle are those of the first element under its child, its count is the
//!   number of elements under it.
//! - Leaves are linked in order, both ways.
//!
//! Cost: with the default sizes both kinds take 1024 bytes, a size class of the allocator.
//! Scores and handles lie in arrays of their own, so that a search by score touches no record.

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// Elements with their scores and the handles of their records.
#[derive(Clone)]
pub(super) struct Leaf<const L: usize> {
    scores: [f64; L],
    handles: [u32; L],
    len: u32,
    pub(super) before: u32,
    pub(super) after: u32,
}

/// What an inner node knows of a child.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) score: f64,
    pub(super) handle: u32,
    pub(super) count: u32,
    pub(super) child: u32,
}

/// Children with the first element and the number of elements of each.
#[derive(Clone)]
pub(super) struct Inner<const B: usize> {
    scores: [f64; B],
    handles: [u32; B],
    counts: [u32; B],
    children: [u32; B],
    len: u32,
}

/// The first place for which `before` does not hold.
#[inline]
fn partition(scores: &[f64], handles: &[u32], before: impl Fn(f64, u32) -> bool) -> usize {
    let (mut low, mut high) = (0, scores.len().min(handles.len()));
    while low < high {
        let middle = (low + high) / 2;
        if before(scores[middle], handles[middle]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The first place that is not before a score, where `tie` says which elements of just that score are.
///
/// Counting is faster than halving here: no branch depends on what is found, and the compiler compares
/// several scores at once.
#[inline]
fn partition_score(
    scores: &[f64],
    handles: &[u32],
    score: f64,
    tie: impl Fn(u32) -> bool,
) -> usize {
    let below: usize = scores.iter().map(|s| usize::from(*s < score)).sum();
    if scores.get(below) != Some(&score) {
        return below;
    }
    let run = scores[below..].partition_point(|s| *s <= score);
    below + handles[below..below + run].partition_point(|h| tie(*h))
}

/// Makes room at `at` in the first `len` values and puts one there.
fn insert<T: Copy>(values: &mut [T], len: usize, at: usize, value: T) {
    values.copy_within(at..len, at + 1);
    values[at] = value;
}

impl<const L: usize> Leaf<L> {
    pub(super) fn new() -> Leaf<L> {
        Leaf {
            scores: [0.0; L],
            handles: [0; L],
            len: 0,
            before: NONE,
            after: NONE,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    fn set_len(&mut self, len: usize) {
        // Lossless: a node has a few dozen places.
        self.len = len as u32;
    }

    pub(super) fn scores(&self) -> &[f64] {
        &self.scores[..self.len()]
    }

    pub(super) fn handles(&self) -> &[u32] {
        &self.handles[..self.len()]
    }

    pub(super) fn get(&self, at: usize) -> Option<(f64, u32)> {
        Some((*self.scores().get(at)?, self.handles[at]))
    }

    pub(super) fn partition(&self, before: impl Fn(f64, u32) -> bool) -> usize {
        partition(self.scores(), self.handles(), before)
    }

    #[inline]
    pub(super) fn partition_score(&self, score: f64, tie: impl Fn(u32) -> bool) -> usize {
        partition_score(self.scores(), self.handles(), score, tie)
    }

    pub(super) fn insert(&mut self, at: usize, score: f64, handle: u32) {
        let len = self.len();
        insert(&mut self.scores, len, at, score);
        insert(&mut self.handles, len, at, handle);
        self.set_len(len + 1);
    }

    pub(super) fn set(&mut self, at: usize, score: f64, handle: u32) {
        self.scores[at] = score;
        self.handles[at] = handle;
    }

    /// Removes `count` elements from `at` on.
    pub(super) fn remove(&mut self, at: usize, count: usize) {
        let len = self.len();
        self.scores.copy_within(at + count..len, at);
        self.handles.copy_within(at + count..len, at);
        self.set_len(len - count);
    }

    /// Appends the first `count` elements of `from`, which keeps them.
    fn append(&mut self, from: &Leaf<L>, start: usize, count: usize) {
        let len = self.len();
        self.scores[len..len + count].copy_from_slice(&from.scores[start..start + count]);
        self.handles[len..len + count].copy_from_slice(&from.handles[start..start + count]);
        self.set_len(len + count);
    }

    /// Moves the elements from `keep` on into a new leaf, which is not linked.
    pub(super) fn split_off(&mut self, keep: usize) -> Leaf<L> {
        let mut right = Leaf::new();
        right.append(self, keep, self.len() - keep);
        self.set_len(keep);
        right
    }

    /// Moves elements between this leaf and its right neighbour so that this one has `keep`.
    pub(super) fn share(&mut self, right: &mut Leaf<L>, keep: usize) {
        if keep >= self.len() {
            let moved = keep - self.len();
            self.append(right, 0, moved);
            right.remove(0, moved);
        } else {
            let mut moved = self.split_off(keep);
            moved.append(right, 0, right.len());
            (moved.before, moved.after) = (right.before, right.after);
            *right = moved;
        }
    }

    /// The entry for this leaf; `None` when it is empty.
    pub(super) fn entry(&self, child: u32) -> Option<Entry> {
        let (score, handle) = self.get(0)?;
        Some(Entry {
            score,
            handle,
            count: self.len,
            child,
        })
    }
}

impl<const B: usize> Inner<B> {
    pub(super) fn new() -> Inner<B> {
        Inner {
            scores: [0.0; B],
            handles: [0; B],
            counts: [0; B],
            children: [0; B],
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    fn set_len(&mut self, len: usize) {
        // Lossless: a node has a few dozen places.
        self.len = len as u32;
    }

    pub(super) fn child(&self, at: usize) -> u32 {
        self.children[at]
    }

    pub(super) fn counts(&self) -> &[u32] {
        &self.counts[..self.len()]
    }

    /// Elements under the children before `at`.
    #[inline]
    pub(super) fn count_before(&self, at: usize) -> usize {
        // The sum fits: handles have 32 bits.
        self.counts[..at].iter().sum::<u32>() as usize
    }

    /// The last child whose first element `before` holds for, or the first child.
    #[inline]
    pub(super) fn descend(&self, before: impl Fn(f64, u32) -> bool) -> usize {
        let len = self.len();
        partition(&self.scores[..len], &self.handles[..len], before).saturating_sub(1)
    }

    /// The last child whose first element is before a score, or the first child.
    #[inline]
    pub(super) fn descend_score(&self, score: f64, tie: impl Fn(u32) -> bool) -> usize {
        let len = self.len();
        partition_score(&self.scores[..len], &self.handles[..len], score, tie).saturating_sub(1)
    }

    /// The child that holds the element at `rank`, and the rank within it.
    pub(super) fn descend_rank(&self, mut rank: usize) -> (usize, usize) {
        let last = self.len().saturating_sub(1);
        for at in 0..last {
            let count = self.counts[at] as usize;
            if rank < count {
                return (at, rank);
            }
            rank -= count;
        }
        (last, rank)
    }

    pub(super) fn get(&self, at: usize) -> Option<Entry> {
        (at < self.len()).then(|| Entry {
            score: self.scores[at],
            handle: self.handles[at],
            count: self.counts[at],
            child: self.children[at],
        })
    }

    pub(super) fn set(&mut self, at: usize, entry: Entry) {
        self.scores[at] = entry.score;
        self.handles[at] = entry.handle;
        self.counts[at] = entry.count;
        self.children[at] = entry.child;
    }

    /// Overwrites what is known of the first element under a child.
    pub(super) fn set_first(&mut self, at: usize, score: f64, handle: u32) {
        self.scores[at] = score;
        self.handles[at] = handle;
    }

    pub(super) fn add_count(&mut self, at: usize, count: u32) {
        self.counts[at] += count;
    }

    pub(super) fn sub_count(&mut self, at: usize, count: u32) {
        self.counts[at] -= count;
    }

    pub(super) fn insert(&mut self, at: usize, entry: Entry) {
        let len = self.len();
        insert(&mut self.scores, len, at, entry.score);
        insert(&mut self.handles, len, at, entry.handle);
        insert(&mut self.counts, len, at, entry.count);
        insert(&mut self.children, len, at, entry.child);
        self.set_len(len + 1);
    }

    pub(super) fn remove(&mut self, at: usize, count: usize) {
        let len = self.len();
        self.scores.copy_within(at + count..len, at);
        self.handles.copy_within(at + count..len, at);
        self.counts.copy_within(at + count..len, at);
        self.children.copy_within(at + count..len, at);
        self.set_len(len - count);
    }

    fn append(&mut self, from: &Inner<B>, start: usize, count: usize) {
        let (len, end) = (self.len(), start + count);
        self.scores[len..len + count].copy_from_slice(&from.scores[start..end]);
        self.handles[len..len + count].copy_from_slice(&from.handles[start..end]);
        self.counts[len..len + count].copy_from_slice(&from.counts[start..end]);
        self.children[len..len + count].copy_from_slice(&from.children[start..end]);
        self.set_len(len + count);
    }

    /// Moves the entries from `keep` on into a new node.
    pub(super) fn split_off(&mut self, keep: usize) -> Inner<B> {
        let mut right = Inner::new();
        right.append(self, keep, self.len() - keep);
        self.set_len(keep);
        right
    }

    /// Moves entries between this node and its right neighbour so that this one has `keep`.
    pub(super) fn share(&mut self, right: &mut Inner<B>, keep: usize) {
        if keep >= self.len() {
            let moved = keep - self.len();
            self.append(right, 0, moved);
            right.remove(0, moved);
        } else {
            let mut moved = self.split_off(keep);
            moved.append(right, 0, right.len());
            *right = moved;
        }
    }

    /// The entry for this node; `None` when it is empty.
    pub(super) fn entry(&self, child: u32) -> Option<Entry> {
        let first = self.get(0)?;
        Some(Entry {
            count: self.counts().iter().sum(),
            child,
            ..first
        })
    }
}

/// Nodes named by number, each in an allocation of its own, so that growing moves none.
#[derive(Clone)]
pub(super) struct Pool<T> {
    nodes: Vec<Option<Box<T>>>,
    free: Vec<u32>,
}

impl<T> Pool<T> {
    pub(super) fn new() -> Pool<T> {
        Pool {
            nodes: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Bytes held from the allocator.
    pub(super) fn bytes(&self) -> usize {
        let live = self.nodes.len() - self.free.len();
        live * size_of::<T>()
            + self.nodes.capacity() * size_of::<Option<Box<T>>>()
            + self.free.capacity() * size_of::<u32>()
    }

    pub(super) fn add(&mut self, node: T) -> u32 {
        let node = Some(Box::new(node));
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            return id;
        }
        self.nodes.push(node);
        // Lossless: a node holds an element or more, of which there are less than 2^32.
        (self.nodes.len() - 1) as u32
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> &T {
        self.nodes[id as usize]
            .as_deref()
            .expect("links name live nodes")
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> &mut T {
        self.nodes[id as usize]
            .as_deref_mut()
            .expect("links name live nodes")
    }

    /// Two different nodes.
    pub(super) fn pair_mut(&mut self, a: u32, b: u32) -> (&mut T, &mut T) {
        let [a, b] = self
            .nodes
            .get_disjoint_mut([a as usize, b as usize])
            .expect("two nodes differ");
        (
            a.as_deref_mut().expect("links name live nodes"),
            b.as_deref_mut().expect("links name live nodes"),
        )
    }

    pub(super) fn free(&mut self, id: u32) {
        self.nodes[id as usize] = None;
        self.free.push(id);
    }

    /// Begins to load the first `bytes` of a node, of which a search would else wait for one line after
    /// the other. Every second line is asked for: the processor loads lines in pairs.
    #[inline]
    pub(super) fn prefetch(&self, id: u32, bytes: usize) {
        const PAIR: usize = 128;
        if let Some(Some(node)) = self.nodes.get(id as usize) {
            let start = std::ptr::from_ref::<T>(node).addr();
            for offset in (0..bytes).step_by(PAIR) {
                crate::prefetch::read(start.wrapping_add(offset));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.nodes.len() - self.free.len()
    }
}
