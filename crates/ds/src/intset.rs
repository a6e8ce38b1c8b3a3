//! Sorted integers packed into one byte vector: the smallest form of a set.
//!
//! ```text
//! width 2, 4 or 8 | integer | integer | ...     each of `width` bytes, low byte first, ascending
//! ```
//!
//! Invariants
//! - The integers are distinct and ascending.
//! - The width is the least that ever held all of them: a wider newcomer widens all, nothing narrows them.
//! - An empty vector is the empty set.
//!
//! Cost: membership is a binary search; adding and removing move half of the bytes on average.
//! It does not bound its own size: its owner turns it into a table before moves become dear.

use crate::random::Random;

/// Bytes before the first integer.
const HEAD: usize = 1;

/// The narrowest width that holds `value`.
fn width_for(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

/// Bytes per integer; 2 for a set without any.
#[inline]
fn width(buf: &[u8]) -> usize {
    match buf.first() {
        Some(8) => 8,
        Some(4) => 4,
        _ => 2,
    }
}

/// The integers' bytes.
#[inline]
fn body(buf: &[u8]) -> &[u8] {
    buf.get(HEAD..).unwrap_or_default()
}

/// The integer at `index` of integers of `width` bytes; 0 beyond the end.
#[inline]
fn load(body: &[u8], width: usize, index: usize) -> i64 {
    let rest = body.get(index * width..).unwrap_or_default();
    match width {
        2 => rest
            .first_chunk()
            .map_or(0, |b| i64::from(i16::from_le_bytes(*b))),
        4 => rest
            .first_chunk()
            .map_or(0, |b| i64::from(i32::from_le_bytes(*b))),
        _ => rest.first_chunk().map_or(0, |b| i64::from_le_bytes(*b)),
    }
}

/// Number of integers.
#[inline]
pub fn len(buf: &[u8]) -> usize {
    body(buf).len() / width(buf)
}

/// The integer at `index` in ascending order.
#[inline]
pub fn get(buf: &[u8], index: usize) -> Option<i64> {
    (index < len(buf)).then(|| load(body(buf), width(buf), index))
}

/// The smallest integer.
pub fn first(buf: &[u8]) -> Option<i64> {
    get(buf, 0)
}

/// The largest integer.
pub fn last(buf: &[u8]) -> Option<i64> {
    get(buf, len(buf).checked_sub(1)?)
}

/// The place of `value`, or the place where it would have to be.
///
/// # Errors
/// The place for it, when it is not there.
#[inline]
pub fn rank(buf: &[u8], value: i64) -> Result<usize, usize> {
    // One branchless search for each width.
    match width(buf) {
        2 => search::<2>(buf, value),
        4 => search::<4>(buf, value),
        _ => search::<8>(buf, value),
    }
}

#[inline]
fn search<const WIDTH: usize>(buf: &[u8], value: i64) -> Result<usize, usize> {
    let body = body(buf);
    let (mut base, mut size) = (0, body.len() / WIDTH);
    if size == 0 {
        return Err(0);
    }
    while size > 1 {
        let half = size / 2;
        if load(body, WIDTH, base + half) <= value {
            base += half;
        }
        size -= half;
    }
    match load(body, WIDTH, base).cmp(&value) {
        std::cmp::Ordering::Equal => Ok(base),
        std::cmp::Ordering::Less => Err(base + 1),
        std::cmp::Ordering::Greater => Err(base),
    }
}

/// The first place from `start` on whose integer is not below `value`; the end if there is none. Cheap when it is near.
#[inline]
pub fn rank_from(buf: &[u8], value: i64, start: usize) -> usize {
    let (body, width) = (body(buf), width(buf));
    let len = body.len() / width;
    let below = |place: usize| place < len && load(body, width, place) < value;
    let (mut low, mut step) = (start, 1);
    // All places before `low` are below; strides grow until one is not.
    while below(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = len.min(low + step - 1);
    while low < high {
        let middle = low.midpoint(high);
        if below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.min(len)
}

/// Whether `value` is there.
#[inline]
pub fn contains(buf: &[u8], value: i64) -> bool {
    rank(buf, value).is_ok()
}

/// Adds `value`; false when it was there.
pub fn insert(buf: &mut Vec<u8>, value: i64) -> bool {
    if buf.is_empty() {
        buf.push(width_for(value).to_le_bytes()[0]);
    } else if width_for(value) > width(buf) {
        widen(buf, width_for(value));
    }
    let Err(index) = rank(buf, value) else {
        return false;
    };
    let (width, end) = (width(buf), buf.len());
    let at = HEAD + index * width;
    buf.resize(end + width, 0);
    buf.copy_within(at..end, at + width);
    buf[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    true
}

/// Stores the same integers in `new` bytes each, from the last one back, as each only moves up.
fn widen(buf: &mut Vec<u8>, new: usize) {
    let (old, count) = (width(buf), len(buf));
    buf.resize(HEAD + count * new, 0);
    for index in (0..count).rev() {
        let value = load(body(buf), old, index);
        let at = HEAD + index * new;
        buf[at..at + new].copy_from_slice(&value.to_le_bytes()[..new]);
    }
    buf[0] = new.to_le_bytes()[0];
}

/// Removes `value`; false when it was not there.
pub fn remove(buf: &mut Vec<u8>, value: i64) -> bool {
    let Ok(index) = rank(buf, value) else {
        return false;
    };
    let at = HEAD + index * width(buf);
    buf.drain(at..at + width(buf));
    true
}

/// A uniformly chosen integer.
pub fn random(buf: &[u8], random: &mut Random) -> Option<i64> {
    get(buf, random.index(len(buf)))
}

/// The integers in ascending order.
#[derive(Clone, Copy)]
pub struct Iter<'a> {
    body: &'a [u8],
    width: usize,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        let rest = self.body.get(self.width..)?;
        let value = load(self.body, self.width, 0);
        self.body = rest;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.body.len() / self.width;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// All integers in ascending order.
pub fn iter(buf: &[u8]) -> Iter<'_> {
    Iter {
        body: body(buf),
        width: width(buf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn sample(random: &mut Random) -> i64 {
        match random.below(8) {
            0 => (random.next_u64() as i64) >> random.below(64),
            1 => [i64::MIN, i64::MAX, -32768, 32767, 32768, -32769][random.index(6)],
            _ => random.below(60) as i64 - 30,
        }
    }

    /// Random changes against a std set; seed in the message.
    #[test]
    fn it_behaves_as_a_sorted_set() {
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let (mut buf, mut model) = (Vec::new(), BTreeSet::new());
            for _ in 0..400 {
                let value = sample(&mut random);
                match random.below(3) {
                    0 => assert_eq!(remove(&mut buf, value), model.remove(&value), "seed {seed}"),
                    _ => assert_eq!(insert(&mut buf, value), model.insert(value), "seed {seed}"),
                }
                let probe = sample(&mut random);
                assert_eq!(contains(&buf, probe), model.contains(&probe), "seed {seed}");
                let below = model.range(..probe).count();
                let rank = rank(&buf, probe).unwrap_or_else(|place| place);
                assert_eq!(rank, below, "seed {seed}");
                let start = random.index(model.len() + 2);
                let from = rank_from(&buf, probe, start);
                assert_eq!(from, below.max(start).min(model.len()), "seed {seed}");
                assert!(iter(&buf).eq(model.iter().copied()), "seed {seed}");
                assert_eq!(iter(&buf).len(), model.len());
                assert_eq!(len(&buf), model.len());
                assert_eq!(first(&buf), model.first().copied());
                assert_eq!(last(&buf), model.last().copied());
            }
        }
    }

    #[test]
    fn the_width_follows_the_widest() {
        let mut buf = Vec::new();
        for (value, bytes) in [(1, 3), (-32768, 5), (32768, 13), (i64::MIN, 33)] {
            assert!(insert(&mut buf, value));
            assert_eq!(buf.len(), bytes);
        }
        assert!(remove(&mut buf, i64::MIN));
        assert_eq!(buf.len(), 25, "nothing narrows");
        assert!(iter(&buf).eq([-32768, 1, 32768]));
    }

    #[test]
    fn choices_are_uniform() {
        let mut buf = Vec::new();
        for i in 0..10 {
            insert(&mut buf, i * 7);
        }
        let (mut generator, mut counts) = (Random::new(3), [0u32; 10]);
        for _ in 0..100_000 {
            let value = random(&buf, &mut generator).unwrap();
            counts[usize::try_from(value / 7).unwrap()] += 1;
        }
        let chi: f64 = counts
            .iter()
            .map(|c| (f64::from(*c) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        // 9 degrees of freedom: 27.9 is exceeded once in a thousand seeds.
        assert!(chi < 27.9, "chi squared {chi}");
        assert_eq!(random(&[], &mut generator), None);
    }
}
