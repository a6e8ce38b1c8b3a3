//! Members with their scores, in or against the order.

use super::packed::{self, Pairs};
use crate::ordered::Walk;
use crate::pack::Element;
use std::iter::{Rev, Take};
use std::ops::Range;

/// See [`super::ZsetRef::range`].
pub struct Iter<'a>(Source<'a>);

enum Source<'a> {
    Packed(Take<Pairs<'a>>),
    /// Packs are read forwards only, so the part is collected.
    PackedReverse(Rev<std::vec::IntoIter<(Element<'a>, f64)>>),
    Tree(Walk<'a>),
}

impl<'a> Iter<'a> {
    pub(super) fn packed(buf: &'a [u8], ranks: Range<usize>) -> Iter<'a> {
        let from = packed::offset(buf, ranks.start);
        Iter(Source::Packed(
            packed::pairs_from(buf, from).take(ranks.len()),
        ))
    }

    pub(super) fn packed_reverse(buf: &'a [u8], ranks: Range<usize>) -> Iter<'a> {
        let from = packed::offset(buf, ranks.start);
        let part: Vec<_> = packed::pairs_from(buf, from).take(ranks.len()).collect();
        Iter(Source::PackedReverse(part.into_iter().rev()))
    }

    pub(super) fn tree(walk: Walk<'a>) -> Iter<'a> {
        Iter(Source::Tree(walk))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Packed(pairs) => pairs.next(),
            Source::PackedReverse(pairs) => pairs.next(),
            Source::Tree(walk) => walk
                .next()
                .map(|(member, score)| (Element::Bytes(member), score)),
        }
    }
}
