//! The longest common subsequence of two byte strings, with the matching ranges that LCS IDX
//! reports.
//!
//! Invariants:
//! - Among equally long subsequences the answer is the one that Redis finds: walking back from both
//!   ends, equal bytes are taken, else `a` is shortened only if that alone keeps the length.
//! - Nothing is allocated before the limit was checked, and the limit counts what Redis would need
//!   (a table of 32-bit cells), so the same inputs are refused.
//!
//! The table is kept as one bit a cell: whether the length grows from the column before. Those bits
//! decide every step of the walk, and a row of them follows from the last by an addition
//! (Hyyrö, *Bit-parallel LCS-length computation revisited*, 2004). That is 64 cells a step, and a
//! sixteenth of Redis's memory at worst.

use std::ops::Range;

const WORD: usize = u64::BITS as usize;
/// Bytes of a cell in Redis's table, by which the limit is counted.
const COUNTED_CELL: u64 = 4;

/// A longest common subsequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lcs {
    /// Its bytes.
    pub text: Vec<u8>,
    /// Where it lies in both strings, last range first, each as long as possible.
    pub matches: Vec<LcsMatch>,
}

/// A stretch that is equal in both strings and part of the subsequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LcsMatch {
    /// The place in the first string.
    pub a: Range<usize>,
    /// The place in the second string; as long as that in the first.
    pub b: Range<usize>,
}

/// Why no subsequence was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LcsError {
    /// The table would exceed the caller's limit.
    OverLimit,
    /// The memory could not be had.
    OutOfMemory,
}

/// The longest common subsequence of `a` and `b`, if a table of four bytes for each pair of places
/// stays within `memory_limit` bytes.
///
/// # Errors
/// If the limit is exceeded, or memory is short.
pub fn lcs(a: &[u8], b: &[u8], memory_limit: u64) -> Result<Lcs, LcsError> {
    check_limit(a, b, memory_limit)?;
    let words = b.len().div_ceil(WORD);
    let mut growth = zeroed(words.checked_mul(a.len()).ok_or(LcsError::OverLimit)?)?;
    let mut rows = Rows::new(a, b)?;
    if words > 0 {
        for (&byte, row) in a.iter().zip(growth.chunks_exact_mut(words)) {
            rows.advance(byte);
            for (to, from) in row.iter_mut().zip(&rows.flat) {
                *to = !from;
            }
        }
    }
    walk_back(a, b, &growth, rows.length())
}

/// The length of the longest common subsequence; as [`lcs`], with memory for one row only.
///
/// # Errors
/// If the limit is exceeded (it counts the same as for [`lcs`]), or memory is short.
pub fn lcs_len(a: &[u8], b: &[u8], memory_limit: u64) -> Result<usize, LcsError> {
    check_limit(a, b, memory_limit)?;
    let mut rows = Rows::new(a, b)?;
    for &byte in a {
        rows.advance(byte);
    }
    Ok(rows.length())
}

fn check_limit(a: &[u8], b: &[u8], memory_limit: u64) -> Result<(), LcsError> {
    let side = |text: &[u8]| u64::try_from(text.len()).ok()?.checked_add(1);
    let counted = side(a)
        .zip(side(b))
        .and_then(|(a, b)| a.checked_mul(b)?.checked_mul(COUNTED_CELL))
        .ok_or(LcsError::OverLimit)?;
    if counted > memory_limit {
        Err(LcsError::OverLimit)
    } else {
        Ok(())
    }
}

fn zeroed(words: usize) -> Result<Vec<u64>, LcsError> {
    let mut vector = Vec::new();
    vector
        .try_reserve_exact(words)
        .map_err(|_| LcsError::OutOfMemory)?;
    vector.resize(words, 0);
    Ok(vector)
}

/// One row of the table, for a prefix of `a` against every prefix of `b`.
struct Rows {
    columns: usize,
    /// A set bit where the length stays as in the column before.
    flat: Vec<u64>,
    /// For each byte that occurs in `a`, where it occurs in `b`; `flat.len()` words each.
    places: Vec<u64>,
    /// Which part of `places` is a byte's.
    part: [u16; 256],
}

impl Rows {
    fn new(a: &[u8], b: &[u8]) -> Result<Self, LcsError> {
        let words = b.len().div_ceil(WORD);
        let mut part = [u16::MAX; 256];
        let mut kinds = 0u16;
        for &byte in a {
            let part = &mut part[usize::from(byte)];
            if *part == u16::MAX {
                *part = kinds;
                kinds += 1;
            }
        }
        let mut places = zeroed(
            words
                .checked_mul(usize::from(kinds))
                .ok_or(LcsError::OverLimit)?,
        )?;
        for (at, &byte) in b.iter().enumerate() {
            let part = part[usize::from(byte)];
            if part != u16::MAX {
                places[usize::from(part) * words + at / WORD] |= 1 << (at % WORD);
            }
        }
        let mut flat = zeroed(words)?;
        flat.fill(u64::MAX);
        Ok(Self {
            columns: b.len(),
            flat,
            places,
            part,
        })
    }

    /// Lengthens the prefix of `a` by `byte`, which occurs in `a`.
    fn advance(&mut self, byte: u8) {
        let start = usize::from(self.part[usize::from(byte)]) * self.flat.len();
        let mut carry = false;
        for (flat, &places) in self.flat.iter_mut().zip(&self.places[start..]) {
            let matching = *flat & places;
            let (sum, over) = flat.overflowing_add(matching);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            carry = over || over_again;
            *flat = sum | (*flat & !places);
        }
    }

    fn length(&self) -> usize {
        let full = self.columns / WORD;
        let grown = |words: &[u64]| {
            words
                .iter()
                .map(|word| word.count_zeros() as usize)
                .sum::<usize>()
        };
        let tail = match self.columns % WORD {
            0 => 0,
            bits => (self.flat[full] | u64::MAX << bits).count_zeros() as usize,
        };
        grown(&self.flat[..full]) + tail
    }
}

fn walk_back(a: &[u8], b: &[u8], growth: &[u64], length: usize) -> Result<Lcs, LcsError> {
    let words = b.len().div_ceil(WORD);
    let mut found = Lcs::default();
    found
        .text
        .try_reserve_exact(length)
        .map_err(|_| LcsError::OutOfMemory)?;
    let (mut i, mut j) = (a.len(), b.len());
    let mut joined = false;
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            found.text.push(a[i]);
            match found.matches.last_mut() {
                Some(last) if joined => (last.a.start, last.b.start) = (i, j),
                _ => found.matches.push(LcsMatch {
                    a: i..i + 1,
                    b: j..j + 1,
                }),
            }
            joined = true;
        } else {
            // Where the length grew in this column, only shortening `a` keeps it.
            let grew = growth[(i - 1) * words + (j - 1) / WORD] >> ((j - 1) % WORD) & 1 == 1;
            if grew {
                i -= 1
            } else {
                j -= 1
            }
            joined = false;
        }
    }
    found.text.reverse();
    debug_assert_eq!(found.text.len(), length);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive_table(a: &[u8], b: &[u8]) -> Vec<Vec<u32>> {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        table
    }

    /// The walk by the full table, a pair of places for each byte, last first.
    fn naive_pairs(a: &[u8], b: &[u8]) -> Vec<(usize, usize)> {
        let table = naive_table(a, b);
        let (mut i, mut j, mut pairs) = (a.len(), b.len(), Vec::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                pairs.push((i, j));
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        pairs
    }

    proptest! {
        #[test]
        fn agrees_with_the_table(
            a in proptest::collection::vec(0u8..4, 0..200),
            b in proptest::collection::vec(0u8..5, 0..200),
        ) {
            let found = lcs(&a, &b, u64::MAX).expect("no limit");
            prop_assert_eq!(found.text.len() as u32, naive_table(&a, &b)[a.len()][b.len()]);
            prop_assert_eq!(lcs_len(&a, &b, u64::MAX), Ok(found.text.len()));
            let pairs: Vec<_> = found.matches.iter()
                .flat_map(|found| found.a.clone().zip(found.b.clone()).rev()).collect();
            prop_assert_eq!(&pairs, &naive_pairs(&a, &b));
            let text: Vec<u8> = pairs.iter().rev().map(|&(at, _)| a[at]).collect();
            prop_assert_eq!(text, found.text);
            for pair in found.matches.windows(2) {
                prop_assert!(pair[1].a.end < pair[0].a.start || pair[1].b.end < pair[0].b.start);
            }
        }
    }

    #[test]
    fn the_documented_example() {
        let found = lcs(b"ohmytext", b"mynewtext", 1 << 20).expect("within the limit");
        assert_eq!(found.text, b"mytext");
        assert_eq!(
            found.matches,
            [LcsMatch { a: 4..8, b: 5..9 }, LcsMatch { a: 2..4, b: 0..2 }]
        );
    }

    #[test]
    fn the_limit_counts_the_full_table() {
        assert!(lcs(b"abc", b"abcd", 80).is_ok());
        assert_eq!(lcs(b"abc", b"abcd", 79), Err(LcsError::OverLimit));
        assert_eq!(lcs_len(b"abc", b"abcd", 79), Err(LcsError::OverLimit));
        assert_eq!(lcs(b"", b"", 4), Ok(Lcs::default()));
    }
}
