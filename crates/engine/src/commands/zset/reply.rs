//! How members and scores are written, at once or piece by piece.
//!
//! Invariant: with scores, RESP2 gets one flat array, RESP3 an array of pairs.

use crate::exec::{Out, Producer, STREAM_MIN};
use ochre_ds::pack::Element;
use ochre_ds::zset::{Zset, ZsetRef};
use ochre_resp::Protocol;
use std::ops::Range;

/// Bytes of a piece of a long reply.
const PIECE: usize = 64 * 1024;
/// Members written before the piece's size is looked at.
const TURN: usize = 64;

/// Writes a member.
#[inline]
pub(super) fn member(out: &mut Out, member: &Element<'_>) {
    match member {
        Element::Bytes(text) => out.bulk(text),
        Element::Int(n) => out.bulk_integer(*n),
        Element::Double(_) => out.bulk(&member.to_vec()),
    }
}

/// Opens an array of `len` members, with scores or without.
pub(super) fn open(out: &mut Out, len: usize, scores: bool) {
    let flat = scores && out.protocol() == Protocol::Resp2;
    out.array(if flat { len.saturating_mul(2) } else { len });
}

/// Writes an element of an array that [`open`] began.
#[inline]
pub(super) fn element(out: &mut Out, text: &Element<'_>, score: f64, scores: bool) {
    if scores && out.protocol() == Protocol::Resp3 {
        out.array(2);
    }
    member(out, text);
    if scores {
        out.double(score);
    }
}

/// Members of a sorted set in order of rank, as they will be written.
pub(super) struct Part {
    /// Which ranks.
    pub(super) ranks: Range<usize>,
    /// Whether the last one comes first.
    pub(super) reverse: bool,
    /// Whether with scores.
    pub(super) scores: bool,
}

impl Part {
    /// Writes the part now, or returns what writes it after the locks are released when it is long.
    pub(super) fn write(self, out: &mut Out, zset: ZsetRef<'_>) -> Option<Box<dyn Producer>> {
        open(out, self.ranks.len(), self.scores);
        if self.ranks.len() >= STREAM_MIN {
            return Some(Box::new(Rest {
                zset: zset.to_owned(),
                part: self,
            }));
        }
        for (text, score) in zset.range(self.ranks, self.reverse) {
            element(out, &text, score, self.scores);
        }
        None
    }
}

/// What is left of a long part.
pub(super) struct Rest {
    zset: Zset,
    part: Part,
}

impl Rest {
    /// The part of a set that is ours; the array is open already.
    pub(super) fn new(zset: Zset, part: Part) -> Rest {
        Rest { zset, part }
    }
}

impl Producer for Rest {
    fn produce(&mut self, out: &mut Out) -> bool {
        let Part {
            ranks,
            reverse,
            scores,
        } = &mut self.part;
        let (start, mut written) = (out.len(), 0);
        let mut rest = self.zset.view().range(ranks.clone(), *reverse);
        while out.len() - start < PIECE {
            let before = written;
            for (text, score) in rest.by_ref().take(TURN) {
                element(out, &text, score, *scores);
                written += 1;
            }
            if written == before {
                return false;
            }
        }
        if *reverse {
            ranks.end -= written;
        } else {
            ranks.start += written;
        }
        ranks.start < ranks.end
    }
}
