//! A whole small list in one byte vector: a count of two bytes, then the elements.
//!
//! Invariants
//! - An empty vector is an empty list; otherwise the count is the number of elements.
//! - A list is converted to chunks before its count exceeds 65535: no limit on bytes admits so many.
//!
//! Cost: a change moves what is behind it, at most a chunk's bytes; the room grows by an eighth.

use super::End;
use super::entry::{self, Encoded};

/// Room that is never given back: the owner may lend the same vector to one list after the other.
const KEPT: usize = 2048;

/// Where the elements begin.
pub(super) const FIRST: usize = 2;

pub(super) fn count(buf: &[u8]) -> usize {
    match buf {
        [low, high, ..] => usize::from(u16::from_le_bytes([*low, *high])),
        _ => 0,
    }
}

pub(super) fn entries(buf: &[u8]) -> &[u8] {
    buf.get(FIRST..).unwrap_or(&[])
}

/// A list of `count` elements, whose bytes are `entries`.
pub(super) fn build(entries: &[u8], count: usize) -> Vec<u8> {
    let mut buf = Vec::with_capacity(FIRST + entries.len());
    buf.extend_from_slice(&[0; FIRST]);
    buf.extend_from_slice(entries);
    set_count(&mut buf, count);
    buf
}

fn set_count(buf: &mut [u8], count: usize) {
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    buf[..FIRST].copy_from_slice(&count.to_le_bytes());
}

/// Where element `index` begins.
pub(super) fn seek(buf: &[u8], index: usize) -> usize {
    FIRST + entry::seek(entries(buf), count(buf), index)
}

/// Adds an element at an end.
pub(super) fn push(buf: &mut Vec<u8>, end: End, element: &Encoded<'_>) {
    let at = match end {
        End::Front => 0,
        End::Back => count(buf),
    };
    insert(buf, at, element);
}

/// Inserts an element before the one at `index`.
pub(super) fn insert(buf: &mut Vec<u8>, index: usize, element: &Encoded<'_>) {
    let count = count(buf);
    if buf.is_empty() {
        buf.reserve_exact(FIRST + element.len());
        buf.resize(FIRST, 0);
    }
    let place = if index >= count {
        buf.len()
    } else {
        seek(buf, index)
    };
    splice(buf, place, place, Some(element));
    set_count(buf, count + 1);
}

/// Replaces element `index`, which exists.
pub(super) fn replace(buf: &mut Vec<u8>, index: usize, element: &Encoded<'_>) {
    let place = seek(buf, index);
    let end = FIRST + entry::after(entries(buf), place - FIRST).unwrap_or(0);
    splice(buf, place, end.max(place), Some(element));
}

/// Removes `number` elements from `index` on, all of which exist.
pub(super) fn remove(buf: &mut Vec<u8>, index: usize, number: usize) {
    let count = count(buf);
    let (from, until) = (seek(buf, index), seek(buf, index + number));
    splice(buf, from, until, None);
    set_count(buf, count - number);
}

fn splice(buf: &mut Vec<u8>, from: usize, until: usize, element: Option<&Encoded<'_>>) {
    let (old, new) = (until - from, element.map_or(0, Encoded::len));
    let end = buf.len();
    if new > old {
        let more = new - old;
        if buf.capacity() - end < more {
            buf.reserve_exact(more.max(end / 8));
        }
        buf.resize(end + more, 0);
    }
    buf.copy_within(until..end, from + new);
    buf.truncate(end + new - old);
    if let Some(element) = element {
        element.write(&mut buf[from..]);
    }
    if buf.capacity() > KEPT && buf.len() < buf.capacity() / 4 {
        buf.shrink_to(buf.len() + buf.len() / 8);
    }
}
