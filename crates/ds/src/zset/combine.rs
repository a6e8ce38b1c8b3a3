//! Union, intersection and difference of sorted sets and sets.
//!
//! Invariants
//! - Inputs are taken from the smallest to the largest, as Redis does, because the order of additions
//!   decides the last digit of a sum.
//! - No result is NaN: infinity less infinity and infinity times zero count as zero.
//!
//! Cost: a union is one pass over all inputs, an intersection one over the smallest, a difference one
//! over the first; the result is sorted once and built at once (see [`crate::ordered::Builder`]).

use super::{Limits, Zset, ZsetRef, packed};
use crate::dict::Full;
use crate::ordered::{self, Ordered};
use crate::pack::Element;
use crate::set::{self, SetRef};
use smallvec::SmallVec;
use std::sync::Arc;

/// Elements whose places are requested before they are looked up.
const BATCH: usize = 16;

/// What to do with the scores of a member that is in several inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// Add them.
    Sum,
    /// Take the smallest.
    Min,
    /// Take the largest.
    Max,
    /// Forget them, and add the inputs' weights.
    Count,
}

impl Aggregate {
    fn weigh(self, score: f64, weight: f64) -> f64 {
        match self {
            Aggregate::Count => weight,
            Aggregate::Sum | Aggregate::Min | Aggregate::Max => score * weight,
        }
    }

    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum | Aggregate::Count => number(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

/// The number, or zero if it is none.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A sorted set, or a set whose members all have score 1.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// A sorted set.
    Zset(ZsetRef<'a>),
    /// A set.
    Set(SetRef<'a>),
}

impl<'a> Input<'a> {
    /// Number of members.
    pub fn len(self) -> usize {
        match self {
            Input::Zset(zset) => zset.len(),
            Input::Set(set) => set.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Input::Zset(zset) => zset.score(member),
            Input::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    fn prefetch<'m>(self, members: impl Iterator<Item = &'m [u8]> + Clone) {
        match self {
            Input::Zset(zset) => zset.prefetch(members),
            Input::Set(set) => set.prefetch(members),
        }
    }

    fn members(self) -> Members<'a> {
        match self {
            Input::Zset(zset) => Members::Zset(zset.iter()),
            Input::Set(set) => Members::Set(set.iter()),
        }
    }

    /// Whether members are looked up by scanning.
    fn is_scanned(self) -> bool {
        matches!(
            self,
            Input::Zset(ZsetRef::Packed(_)) | Input::Set(SetRef::Packed(_))
        )
    }
}

enum Members<'a> {
    Zset(super::Iter<'a>),
    Set(set::Iter<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Members::Zset(iter) => iter.next(),
            Members::Set(iter) => iter.next().map(|member| (member, 1.0)),
        }
    }
}

/// An input with its weight.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The input.
    pub input: Input<'a>,
    /// What its scores are multiplied by. Not NaN.
    pub weight: f64,
}

/// The next members, a batch at most.
type Batch<'a> = SmallVec<[(Element<'a>, f64); BATCH]>;

/// Calls `take` with batches of members, each with the texts that need no digits made.
fn batches<'a>(
    input: Input<'a>,
    mut take: impl FnMut(&Batch<'a>) -> Result<bool, Full>,
) -> Result<(), Full> {
    let mut members = input.members();
    loop {
        let batch: Batch<'a> = members.by_ref().take(BATCH).collect();
        if batch.is_empty() || !take(&batch)? {
            return Ok(());
        }
    }
}

/// The texts of a batch, for prefetching; integers of packs are not worth it.
fn texts<'b>(batch: &'b Batch<'_>) -> impl Iterator<Item = &'b [u8]> + Clone {
    batch.iter().filter_map(|(member, _)| match member {
        Element::Bytes(text) => Some(*text),
        Element::Int(_) | Element::Double(_) => None,
    })
}

fn by_size<'a>(sources: &[Source<'a>]) -> Vec<Source<'a>> {
    let mut sorted = sources.to_vec();
    sorted.sort_by_key(|s| s.input.len());
    sorted
}

/// The members of any source.
///
/// # Errors
/// When the result does not fit its arena.
pub fn union(sources: &[Source<'_>], aggregate: Aggregate, seed: u64) -> Result<Builder, Full> {
    let mut result = Builder::new(seed);
    for source in by_size(sources) {
        let first = result.is_empty();
        batches(source.input, |batch| {
            if !first {
                result.0.prefetch(texts(batch));
            }
            let mut digits = itoa::Buffer::new();
            for (member, score) in batch {
                let member = member.bytes(&mut digits);
                let score = number(aggregate.weigh(*score, source.weight));
                if first {
                    result.0.add(member, score)?;
                } else {
                    result.0.join(member, score, |a, b| aggregate.join(a, b))?;
                }
            }
            Ok(true)
        })?;
    }
    Ok(result)
}

/// Calls `found` with the members of the first source that all others have, until it says to stop.
fn common(
    sources: &[Source<'_>],
    aggregate: Aggregate,
    mut found: impl FnMut(&[u8], f64) -> Result<bool, Full>,
) -> Result<(), Full> {
    let Some((first, others)) = sources.split_first() else {
        return Ok(());
    };
    batches(first.input, |batch| {
        for other in others {
            other.input.prefetch(texts(batch));
        }
        let mut digits = itoa::Buffer::new();
        'members: for (member, score) in batch {
            let member = member.bytes(&mut digits);
            let mut score = number(aggregate.weigh(*score, first.weight));
            for other in others {
                let Some(more) = other.input.score(member) else {
                    continue 'members;
                };
                score = aggregate.join(score, aggregate.weigh(more, other.weight));
            }
            if !found(member, score)? {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// The members of all sources.
///
/// # Errors
/// When the result does not fit its arena.
pub fn inter(sources: &[Source<'_>], aggregate: Aggregate, seed: u64) -> Result<Builder, Full> {
    let mut result = Builder::new(seed);
    common(&by_size(sources), aggregate, |member, score| {
        result.0.add(member, score).map(|()| true)
    })?;
    Ok(result)
}

/// How many members all sources have, counted up to `limit`.
pub fn inter_count(sources: &[Source<'_>], limit: usize) -> usize {
    let mut count = 0;
    // Counting allocates nothing that could be exhausted.
    let _ = common(&by_size(sources), Aggregate::Sum, |_, _| {
        count += 1;
        Ok(count < limit)
    });
    count.min(limit)
}

/// The members of the first source that no other one has.
///
/// # Errors
/// When the result does not fit its arena.
pub fn diff(sources: &[Source<'_>], seed: u64) -> Result<Builder, Full> {
    let mut result = Builder::new(seed);
    let Some((first, others)) = sources.split_first() else {
        return Ok(result);
    };
    let total: usize = others.iter().map(|s| s.input.len()).sum();
    let scans = others.len() > 1 || others.iter().any(|s| s.input.is_scanned());
    // Many lookups in many inputs cost more than one table of what is to be left out.
    if scans && total < first.input.len() {
        let left_out = union(others, Aggregate::Count, seed)?;
        each_without(*first, |member| left_out.0.contains(member), &mut result)?;
        return Ok(result);
    }
    let mut others: Vec<Input<'_>> = others.iter().map(|s| s.input).collect();
    others.sort_by_key(|input| std::cmp::Reverse(input.len()));
    let elsewhere = |member: &[u8]| others.iter().any(|o| o.score(member).is_some());
    each_without(*first, elsewhere, &mut result)?;
    Ok(result)
}

fn each_without(
    first: Source<'_>,
    left_out: impl Fn(&[u8]) -> bool,
    result: &mut Builder,
) -> Result<(), Full> {
    batches(first.input, |batch| {
        let mut digits = itoa::Buffer::new();
        for (member, score) in batch {
            let member = member.bytes(&mut digits);
            if !left_out(member) {
                result.0.add(member, *score)?;
            }
        }
        Ok(true)
    })
}

/// Makes a sorted set of members that come in any order.
pub struct Builder(ordered::Builder);

impl Builder {
    /// Nothing yet; `seed` is that of the hash.
    pub fn new(seed: u64) -> Builder {
        Builder(ordered::Builder::new(seed))
    }

    /// Number of members so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a member is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        self.0.contains(member)
    }

    /// Adds a member that is not there yet. The score is not NaN.
    ///
    /// # Errors
    /// When the arena is exhausted.
    pub fn add(&mut self, member: Element<'_>, score: f64) -> Result<(), Full> {
        self.0.add(member.bytes(&mut itoa::Buffer::new()), score)
    }

    /// The set as a tree.
    pub fn finish_tree(self) -> Zset {
        Zset::Tree(Arc::new(self.0.finish()))
    }

    /// The set, packed if it is within the limits.
    pub fn finish(self, limits: Limits) -> Zset {
        let small = self.len() <= limits.entries && self.0.longest() <= limits.value;
        let tree: Ordered = self.0.finish();
        if !small {
            return Zset::Tree(Arc::new(tree));
        }
        let mut buf = Vec::new();
        for (member, score) in tree.walk(0, usize::MAX, false) {
            packed::push(&mut buf, member, score);
        }
        Zset::Packed(buf)
    }
}
