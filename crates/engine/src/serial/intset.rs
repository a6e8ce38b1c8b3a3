//! Intsets: the sorted arrays of integers in which Redis keeps small sets of numbers.
//!
//! ```text
//! width u32 (2, 4 or 8) | members u32 | member | member | ...
//! ```
//! All numbers are stored low byte first.
//!
//! Invariants
//! - [`Elements`] reads bytes that nobody vouches for: the length must be exact, the members ascending and
//!   different. It allocates nothing.
//! - [`write`](fn@write) gives, byte for byte, what Redis 7.0.15 keeps.
//!
//! Source: the published description of intsets; DUMP replies of Redis 7.0.15.

use super::read::BadData;

const HEADER: usize = 8;

/// Reads an intset in ascending order. After an error there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    width: usize,
    last: Option<i64>,
}

impl<'a> Elements<'a> {
    /// The members in `bytes`, which are all of the intset.
    ///
    /// # Errors
    /// When the width is unknown or the length is not what width and count say.
    pub fn new(bytes: &'a [u8]) -> Result<Elements<'a>, BadData> {
        let (width, rest) = bytes.split_first_chunk::<4>().ok_or(BadData)?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(BadData)?;
        let width = match u32::from_le_bytes(*width) {
            2 => 2,
            4 => 4,
            8 => 8,
            _ => return Err(BadData),
        };
        let count = usize::try_from(u32::from_le_bytes(*count)).map_err(|_| BadData)?;
        if count.checked_mul(width) != Some(rest.len()) {
            return Err(BadData);
        }
        Ok(Elements {
            rest,
            width,
            last: None,
        })
    }

    /// Bytes a member takes: 2, 4 or 8.
    pub fn width(&self) -> usize {
        self.width
    }

    fn step(&mut self) -> Option<i64> {
        let (member, rest) = self.rest.split_at_checked(self.width)?;
        let member = match *member {
            [a, b] => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            _ => i64::from_le_bytes(member.try_into().ok()?),
        };
        if self.last.is_some_and(|last| last >= member) {
            return None;
        }
        self.last = Some(member);
        self.rest = rest;
        Some(member)
    }
}

impl Iterator for Elements<'_> {
    type Item = Result<i64, BadData>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step().ok_or(BadData);
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}

/// The intset whose members, each of `width` bytes (2, 4 or 8), ascending and low byte first, are `members`;
/// `None` if there are more than its header can say.
pub fn write(width: u8, members: &[u8]) -> Option<Vec<u8>> {
    let count = members.len() / usize::from(width).max(1);
    let count = u32::try_from(count).ok()?;
    let mut bytes = Vec::with_capacity(HEADER + members.len());
    bytes.extend_from_slice(&u32::from(width).to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(members);
    Some(bytes)
}
