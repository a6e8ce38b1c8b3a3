//! Ranges of scores and of members, and the ranks they cover.
//!
//! A range of members makes sense where all scores are equal. compat: where they are not, a pack
//! answers what Redis does, which reads from the range's first member to the first one outside, from
//! whichever end the command begins.

use super::{ZsetRef, packed};
use crate::pack::Element;
use std::ops::Range;

/// Scores from `min` to `max`. Neither is NaN.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ScoreRange {
    /// The lower bound.
    pub min: f64,
    /// The upper bound.
    pub max: f64,
    /// Whether the lower bound itself is left out.
    pub min_excluded: bool,
    /// Whether the upper bound itself is left out.
    pub max_excluded: bool,
}

impl ScoreRange {
    fn is_below(&self, score: f64) -> bool {
        score < self.min || (self.min_excluded && score == self.min)
    }

    fn is_above(&self, score: f64) -> bool {
        score > self.max || (self.max_excluded && score == self.max)
    }

    fn is_empty(&self) -> bool {
        self.min > self.max || (self.min == self.max && (self.min_excluded || self.max_excluded))
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LexBound<'a> {
    /// Before every member.
    Least,
    /// After every member.
    Greatest,
    /// This member and what lies inside.
    Included(&'a [u8]),
    /// What lies inside, without this member.
    Excluded(&'a [u8]),
}

/// Members from `min` to `max` in the order of their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LexRange<'a> {
    /// The lower bound.
    pub min: LexBound<'a>,
    /// The upper bound.
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Least => false,
            LexBound::Greatest => true,
            LexBound::Included(bound) => member < bound,
            LexBound::Excluded(bound) => member <= bound,
        }
    }

    fn is_above(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Least => true,
            LexBound::Greatest => false,
            LexBound::Included(bound) => member > bound,
            LexBound::Excluded(bound) => member >= bound,
        }
    }

    fn is_empty(&self) -> bool {
        let text = |bound| match bound {
            LexBound::Included(text) | LexBound::Excluded(text) => text,
            LexBound::Least | LexBound::Greatest => &[],
        };
        match (self.min, self.max) {
            (LexBound::Greatest, _) | (_, LexBound::Least) => true,
            (LexBound::Least, _) | (_, LexBound::Greatest) => false,
            (LexBound::Included(min), LexBound::Included(max)) => min > max,
            (min, max) => text(min) >= text(max),
        }
    }

    /// The ranks in a pack, from the first member inside to before the next one outside.
    fn packed(&self, buf: &[u8]) -> Range<usize> {
        let mut digits = itoa::Buffer::new();
        let mut start = None;
        for (rank, (member, _)) in packed::pairs(buf).enumerate() {
            let member = member.bytes(&mut digits);
            if start.is_none() && !self.is_below(member) {
                start = Some(rank);
            }
            if let Some(start) = start
                && self.is_above(member)
            {
                return start..rank;
            }
        }
        let len = packed::len(buf);
        start.unwrap_or(len)..len
    }

    /// The ranks in a pack, from the last member inside back to behind the next one outside.
    fn packed_from_end(&self, buf: &[u8]) -> Range<usize> {
        let members: Vec<Element<'_>> = packed::pairs(buf).map(|(member, _)| member).collect();
        let mut digits = itoa::Buffer::new();
        let mut end = None;
        for (rank, member) in members.iter().enumerate().rev() {
            let member = member.bytes(&mut digits);
            if end.is_none() && !self.is_above(member) {
                end = Some(rank + 1);
            }
            if let Some(end) = end
                && self.is_below(member)
            {
                return rank + 1..end;
            }
        }
        0..end.unwrap_or(0)
    }

    /// Whether the first and the last member leave room for the range between them.
    fn touches(&self, zset: ZsetRef<'_>) -> bool {
        let mut digits = itoa::Buffer::new();
        let last = zset.at(zset.len().wrapping_sub(1));
        let ends_before = last.is_none_or(|(m, _)| self.is_below(m.bytes(&mut digits)));
        let first = zset.at(0);
        !ends_before && first.is_some_and(|(m, _)| !self.is_above(m.bytes(&mut digits)))
    }
}

impl ZsetRef<'_> {
    /// The ranks of the members with a score in `range`.
    pub fn ranks_by_score(self, range: &ScoreRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let (start, end) = match self {
            ZsetRef::Packed(buf) => {
                let scores = || packed::pairs(buf).map(|(_, score)| score);
                (
                    scores().take_while(|s| range.is_below(*s)).count(),
                    scores().take_while(|s| !range.is_above(*s)).count(),
                )
            }
            ZsetRef::Tree(tree) => (
                match range.min {
                    f64::NEG_INFINITY if !range.min_excluded => 0,
                    _ => tree.count_below(range.min, range.min_excluded),
                },
                match range.max {
                    f64::INFINITY if !range.max_excluded => tree.len(),
                    _ => tree.count_below(range.max, !range.max_excluded),
                },
            ),
        };
        start..end.max(start)
    }

    /// The ranks of the members in `range`. `from_end` says that the command reads backwards, which
    /// matters only for packs whose scores differ. Where they differ in a tree, the ranks depend on the
    /// tree's shape, as those of Redis depend on chance.
    pub fn ranks_by_member(self, range: &LexRange<'_>, from_end: bool) -> Range<usize> {
        if range.is_empty() || !range.touches(self) {
            return 0..0;
        }
        match self {
            ZsetRef::Packed(buf) if from_end => range.packed_from_end(buf),
            ZsetRef::Packed(buf) => range.packed(buf),
            ZsetRef::Tree(tree) => {
                let start = match range.min {
                    LexBound::Least => 0,
                    _ => tree.partition_members(|m| range.is_below(m)),
                };
                let end = match range.max {
                    LexBound::Greatest => tree.len(),
                    _ => tree.partition_members(|m| !range.is_above(m)),
                };
                start..end.max(start)
            }
        }
    }
}
