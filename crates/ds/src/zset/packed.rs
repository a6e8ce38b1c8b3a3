//! Packs of member, score, member, score ... in order.

use crate::pack::{self, Element};

/// Number of members.
pub(super) fn len(buf: &[u8]) -> usize {
    pack::count(buf) / 2
}

/// Members and scores in order.
pub(super) fn pairs(buf: &[u8]) -> Pairs<'_> {
    Pairs(pack::iter(buf))
}

/// Members and scores from the pair at `offset` on.
pub(super) fn pairs_from(buf: &[u8], offset: usize) -> Pairs<'_> {
    Pairs(pack::iter_from(buf, offset))
}

/// See [`pairs`].
#[derive(Clone)]
pub(super) struct Pairs<'a>(pack::Iter<'a>);

impl Pairs<'_> {
    /// Offset of the pair that `next` gives, or of the end.
    pub(super) fn offset(&self) -> usize {
        self.0.next_offset()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (_, member) = self.0.next()?;
        let (_, score) = self.0.next()?;
        // A member without a number behind it does not occur; it would count as zero.
        Some((member, score.number().unwrap_or_default()))
    }
}

/// Offset and score of a member.
pub(super) fn find(buf: &[u8], member: &[u8]) -> Option<(usize, f64)> {
    let offset = pack::find(buf, member, 2)?;
    let (_, score) = pairs_from(buf, offset).next()?;
    Some((offset, score))
}

/// Offset of the pair at `rank`, or of the end.
pub(super) fn offset(buf: &[u8], rank: usize) -> usize {
    let mut pairs = pairs(buf);
    if rank > 0 {
        pairs.nth(rank - 1);
    }
    pairs.offset()
}

/// A score as packs hold it: minus zero becomes zero.
fn stored(score: f64) -> f64 {
    score + 0.0
}

/// Adds a member that is not there.
pub(super) fn insert(buf: &mut Vec<u8>, member: &[u8], score: f64) {
    let mut rest = pairs(buf);
    let mut offset = rest.offset();
    while let Some((other, other_score)) = rest.next() {
        if other_score > score || (other_score == score && other.text_cmp(member).is_gt()) {
            break;
        }
        offset = rest.offset();
    }
    pack::insert(buf, offset, member);
    if let Some((_, next)) = pack::at(buf, offset) {
        pack::insert_double(buf, next, stored(score));
    }
}

/// Appends a member that belongs at the end.
pub(super) fn push(buf: &mut Vec<u8>, member: &[u8], score: f64) {
    pack::push(buf, member);
    pack::push_double(buf, stored(score));
}

/// Gives the member at `offset` another score.
pub(super) fn rescore(buf: &mut Vec<u8>, offset: usize, member: &[u8], score: f64) {
    pack::remove(buf, offset, 2);
    insert(buf, member, score);
}
