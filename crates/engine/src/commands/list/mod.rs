//! Lists: sequences of byte strings that grow and shrink at both ends.
//!
//! Invariants
//! - A list is never empty: its key goes with its last element.
//! - What takes time in proportion to a long list (searching it, sending it) is done on a snapshot, outside
//!   the locks.
//!
//! How lists are kept is `ochre_ds::list`'s business; when they change their encoding, too.

mod blocking;
mod change;
mod pop;
mod push;
mod read;
mod transfer;

use crate::error::CommandError;
use crate::exec::{Out, Producer, STREAM_MIN};
use crate::spec::{Access, Arg, Command, KeySpec, key};
use ochre_ds::int::parse_i64;
use ochre_ds::list::{End, List, ListRef};
use ochre_ds::pack::Element;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    blocking::BLMOVE,
    blocking::BLMOVEM,
    blocking::BLMPOP,
    blocking::BLPOP,
    blocking::BRPOP,
    blocking::BRPOPLPUSH,
    change::LINSERT,
    change::LREM,
    change::LSET,
    change::LTRIM,
    pop::LMPOP,
    pop::LPOP,
    pop::RPOP,
    push::LPUSH,
    push::LPUSHX,
    push::RPUSH,
    push::RPUSHX,
    read::LINDEX,
    read::LLEN,
    read::LPOS,
    read::LRANGE,
    transfer::LMOVE,
    transfer::LMOVEM,
    transfer::RPOPLPUSH,
];

/// Lists from this length are searched outside the locks: below it, a search takes less than a
/// quarter of a millisecond.
const SEARCH_OUTSIDE_MIN: usize = 64 * 1024;
/// Bytes of a reply that are written between two chances to send them.
const PIECE: usize = 64 * 1024;

const LEFT: Arg = Arg::word("left", "LEFT");
const RIGHT: Arg = Arg::word("right", "RIGHT");

/// A key whose elements are returned and removed.
const fn popped(index: usize) -> KeySpec {
    key(index).access(Access::RW.with(Access::ACCESS).with(Access::DELETE))
}

/// A key that elements are added to.
const fn added_to(index: usize) -> KeySpec {
    key(index).access(Access::RW.with(Access::INSERT))
}

/// The event of elements that were added.
fn pushed(end: End) -> &'static str {
    match end {
        End::Front => "lpush",
        End::Back => "rpush",
    }
}

/// The event of elements that were taken.
fn popped_event(end: End) -> &'static str {
    match end {
        End::Front => "lpop",
        End::Back => "rpop",
    }
}

/// LEFT or RIGHT.
fn end(word: &[u8]) -> Result<End, CommandError> {
    if word.eq_ignore_ascii_case(b"LEFT") {
        Ok(End::Front)
    } else if word.eq_ignore_ascii_case(b"RIGHT") {
        Ok(End::Back)
    } else {
        Err(CommandError::SYNTAX)
    }
}

fn integer(text: &[u8]) -> Result<i64, CommandError> {
    parse_i64(text).ok_or(CommandError::NOT_INTEGER)
}

/// A number that may be as negative as it may be positive.
fn symmetric(text: &[u8]) -> Result<i64, CommandError> {
    match integer(text)? {
        i64::MIN => Err(CommandError::NOT_SYMMETRIC),
        n => Ok(n),
    }
}

/// The place that an index names, a negative one counted from the end.
fn place(index: i64, len: usize) -> Option<usize> {
    let place = if index < 0 {
        len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    (place < len).then_some(place)
}

/// The places from `start` to `stop` inclusive, of which negative ones are counted from the end.
fn range(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front = |i: i64| if i < 0 { (i + len).max(0) } else { i.min(len) };
    let first = from_front(start);
    // A stop before the first element is before any start.
    let end = if stop < -len {
        0
    } else {
        from_front(stop).saturating_add(1).min(len)
    };
    let number = |n: i64| usize::try_from(n).unwrap_or(0);
    number(first)..number(end.max(first))
}

fn reply_count(out: &mut Out, count: usize) {
    out.integer(i64::try_from(count).unwrap_or(i64::MAX));
}

#[inline]
fn reply_element(out: &mut Out, element: Element<'_>) {
    match element {
        Element::Int(n) => out.bulk_integer(n),
        Element::Bytes(text) => out.bulk(text),
        // Lists hold no doubles.
        Element::Double(_) => out.bulk(b""),
    }
}

/// Sends a run of a list's elements, from the front or from the back, piece by piece.
struct Elements {
    list: List,
    /// The next element; from the back, the one after it.
    next: usize,
    left: usize,
    from: End,
}

/// Replies with a run of a list's elements: `count` from `next` on, or before `next` from the back. Gives
/// the rest when there are many, or large ones.
fn reply_elements(
    out: &mut Out,
    list: ListRef<'_>,
    next: usize,
    count: usize,
    from: End,
) -> Option<Box<Elements>> {
    out.array(count);
    let mut written = 0;
    // Packed lists are small.
    if count < STREAM_MIN || matches!(list, ListRef::Packed(_)) {
        written = write_piece(out, list, next, count, from);
    }
    (written < count).then(|| {
        Box::new(Elements {
            list: list.to_owned(),
            next: match from {
                End::Front => next + written,
                End::Back => next - written,
            },
            left: count - written,
            from,
        })
    })
}

/// Writes up to `count` elements until there is a piece. Returns how many.
fn write_piece(out: &mut Out, list: ListRef<'_>, next: usize, count: usize, from: End) -> usize {
    let (begin, mut written) = (out.len(), 0);
    let elements = match from {
        End::Front => list.range(next, count),
        End::Back => list.range_back(next, count),
    };
    elements.walk(|element| {
        reply_element(out, element);
        written += 1;
        out.len() - begin < PIECE
    });
    written
}

impl Producer for Elements {
    fn produce(&mut self, out: &mut Out) -> bool {
        let written = write_piece(out, self.list.view(), self.next, self.left, self.from);
        match self.from {
            End::Front => self.next += written,
            End::Back => self.next -= written,
        }
        self.left -= written;
        self.left > 0 && written > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_and_ranges() {
        assert_eq!(place(0, 3), Some(0));
        assert_eq!(place(-1, 3), Some(2));
        assert_eq!(place(-3, 3), Some(0));
        for outside in [3, -4, i64::MAX, i64::MIN] {
            assert_eq!(place(outside, 3), None);
        }
        for (start, stop, expected) in [
            (0, -1, 0..3),
            (0, 0, 0..1),
            (-100, 100, 0..3),
            (1, 0, 1..1),
            (2, i64::MAX, 2..3),
            (3, 5, 3..3),
            (i64::MIN, i64::MAX, 0..3),
            (i64::MIN, i64::MIN, 0..0),
            (0, -4, 0..0),
            (0, -3, 0..1),
            (-1, -1, 2..3),
        ] {
            assert_eq!(range(start, stop, 3), expected, "{start} {stop}");
        }
    }
}
