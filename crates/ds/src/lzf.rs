//! LZF, the compression of strings in RDB files and DUMP payloads.
//!
//! The format is a sequence of items. A control byte below 32 is followed by that many literals
//! plus one. Any other is a copy: its top three bits are the length minus two (7: a byte to add
//! follows), its low five bits and the next byte are the distance minus one.
//!
//! Invariants:
//! - The output depends on the input alone, not on what was compressed before.
//! - The choices (hash, table size, when to give up) are those of the reference implementation, so
//!   that payloads equal those of Redis byte for byte.
//! - Decompression never reads or writes outside, and never allocates more than the expected
//!   length.
//!
//! Cost: one pass; each thread that compresses keeps a table of 256 KiB.
//! Source: the published format of liblzf; DUMP replies of Redis 7.0.15.

use std::cell::RefCell;

const HASH_BITS: u32 = 16;
const MAX_LITERALS: usize = 32;
const MAX_DISTANCE: usize = 1 << 13;
const MAX_COPY: usize = (1 << 8) + (1 << 3);
/// Redis keeps the plain text unless at least this many bytes are saved.
const MIN_SAVED: usize = 4;

/// Copies below this length are cheaper byte by byte than by a call.
const SHORT_COPY: usize = 16;

type Table = [u32; 1 << HASH_BITS];

thread_local! {
    /// Last position of each hash, all zero between calls. Zero also means none: the reference
    /// implementation never copies from position zero.
    static TABLE: RefCell<Box<Table>> = RefCell::new(new_table());
}

/// Why compressed bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LzfError {
    /// The bytes end within an item.
    Truncated,
    /// A copy reaches back before the start of the output.
    Distance,
    /// The output is not as long as expected.
    Length,
    /// The memory for the output could not be had.
    OutOfMemory,
}

fn new_table() -> Box<Table> {
    // Made on the heap at once; an array literal would pass over the stack.
    let slots = vec![0; 1 << HASH_BITS].into_boxed_slice();
    slots
        .try_into()
        .expect("the vector has as many slots as the table")
}

/// The compressed form, if it is at least four bytes shorter than `input`.
///
/// Redis does not try strings of 20 bytes or less; that is the caller's to decide.
pub fn compress(input: &[u8]) -> Option<Vec<u8>> {
    if input.len() <= MIN_SAVED || u32::try_from(input.len()).is_err() {
        return None;
    }
    TABLE.with_borrow_mut(|table| {
        let output = Compressor::new(input, input.len() - MIN_SAVED).run(table);
        clear(table, input);
        output
    })
}

/// Zeroes the slots that `input` can have used, or all when that is less work.
fn clear(table: &mut Table, input: &[u8]) {
    if input.len() < table.len() / 4 {
        for triple in input.windows(3) {
            table[slot(triple)] = 0;
        }
    } else {
        table.fill(0);
    }
}

/// The hash of three bytes.
#[inline]
fn slot(triple: &[u8]) -> usize {
    let value = u32::from(triple[0]) << 16 | u32::from(triple[1]) << 8 | u32::from(triple[2]);
    let hash = (value >> (24 - HASH_BITS)).wrapping_sub(value.wrapping_mul(5));
    (hash & ((1 << HASH_BITS) - 1)) as usize
}

struct Compressor<'a> {
    /// Not longer than a `u32` counts, so that the table can hold every position.
    input: &'a [u8],
    at: usize,
    output: Vec<u8>,
    limit: usize,
    /// Literals since the last control byte, for which a place is kept in the output.
    literals: usize,
}

impl<'a> Compressor<'a> {
    fn new(input: &'a [u8], limit: usize) -> Self {
        // Most callers compress what compresses well; growth is cheap beside the search.
        let mut output = Vec::with_capacity(limit.min(input.len() / 2 + 16));
        output.push(0);
        Self {
            input,
            at: 0,
            output,
            limit,
            literals: 0,
        }
    }

    fn run(mut self, table: &mut Table) -> Option<Vec<u8>> {
        let end = self.input.len();
        while self.at + 2 < end {
            match self.find(table) {
                Some(from) => {
                    self.copy(from)?;
                    if self.at + 2 >= end {
                        break;
                    }
                    // The last two positions of what was copied are remembered too.
                    for at in self.at - 2..self.at {
                        table[slot(&self.input[at..at + 3])] = at as u32;
                    }
                }
                None if self.output.len() >= self.limit => return None,
                None => self.literal(),
            }
        }
        if self.output.len() + 3 > self.limit {
            return None;
        }
        while self.at < end {
            self.literal();
        }
        self.end_literals();
        Some(self.output)
    }

    /// An earlier place with the next three bytes, near enough to copy from.
    #[inline]
    fn find(&self, table: &mut Table) -> Option<usize> {
        let next = &self.input[self.at..self.at + 3];
        let from = std::mem::replace(&mut table[slot(next)], self.at as u32) as usize;
        let near = from > 0 && self.at - from <= MAX_DISTANCE;
        (near && self.input[from..from + 3] == *next).then_some(from)
    }

    #[inline]
    fn literal(&mut self) {
        self.output.push(self.input[self.at]);
        self.at += 1;
        self.literals += 1;
        if self.literals == MAX_LITERALS {
            self.end_literals();
            self.output.push(0);
        }
    }

    /// Fills in the control byte, or removes its place when nothing came after it.
    fn end_literals(&mut self) {
        if self.literals == 0 {
            self.output.pop();
        } else {
            let control = self.output.len() - self.literals - 1;
            // At most MAX_LITERALS.
            self.output[control] = (self.literals - 1) as u8;
            self.literals = 0;
        }
    }

    fn copy(&mut self, from: usize) -> Option<()> {
        if self.output.len() - usize::from(self.literals == 0) + 4 >= self.limit {
            return None;
        }
        self.end_literals();
        let length = self.copy_length(from);
        let [.., high, low] = (self.at - from - 1).to_be_bytes();
        // At most MAX_COPY - 2, whose excess over 7 is the largest byte.
        let (code, more) = match length - 2 {
            short @ 0..7 => (short as u8, None),
            long => (7, Some((long - 7) as u8)),
        };
        self.output.push(high | code << 5);
        self.output.extend(more);
        self.output.extend_from_slice(&[low, 0]);
        self.at += length;
        Some(())
    }

    /// How many bytes are equal, three at least.
    ///
    /// The reference leaves the last two bytes of the input out, unless its first sixteen
    /// comparisons, which it makes unconditionally when more than sixteen bytes remain after them,
    /// reach there.
    fn copy_length(&self, from: usize) -> usize {
        let most = match self.input.len() - self.at - 2 {
            few @ 0..=16 => few.max(3),
            many => many.clamp(19, MAX_COPY),
        };
        let (old, new) = (&self.input[from..], &self.input[self.at..]);
        (3..most).find(|&at| old[at] != new[at]).unwrap_or(most)
    }
}

/// Restores what was compressed.
///
/// # Errors
/// If `input` is malformed, or does not give exactly `expected_len` bytes.
pub fn decompress(input: &[u8], expected_len: usize) -> Result<Vec<u8>, LzfError> {
    // No item gives more than 264 bytes for its three, so a lie about the length is refused unpaid.
    if expected_len > input.len().saturating_mul(MAX_COPY / 3) {
        return Err(LzfError::Length);
    }
    let mut output: Vec<u8> = Vec::new();
    output
        .try_reserve_exact(expected_len)
        .map_err(|_| LzfError::OutOfMemory)?;
    output.resize(expected_len, 0);
    let mut rest = input;
    let mut filled = 0;
    while let Some((&control, after)) = rest.split_first() {
        let control = usize::from(control);
        if control < MAX_LITERALS {
            let (literals, after) = after
                .split_at_checked(control + 1)
                .ok_or(LzfError::Truncated)?;
            let end = filled + literals.len();
            output
                .get_mut(filled..end)
                .ok_or(LzfError::Length)?
                .copy_from_slice(literals);
            (filled, rest) = (end, after);
            continue;
        }
        let (more, after) = match (control >> 5, after) {
            (7, [more, after @ ..]) => (usize::from(*more), after),
            (7, []) => return Err(LzfError::Truncated),
            (_, after) => (0, after),
        };
        let (&low, after) = after.split_first().ok_or(LzfError::Truncated)?;
        let distance = ((control & 31) << 8 | usize::from(low)) + 1;
        let end = filled + (control >> 5) + more + 2;
        let from = filled.checked_sub(distance).ok_or(LzfError::Distance)?;
        copy_back(output.get_mut(from..end).ok_or(LzfError::Length)?, distance);
        (filled, rest) = (end, after);
    }
    if filled == expected_len {
        Ok(output)
    } else {
        Err(LzfError::Length)
    }
}

/// Repeats the first `distance` bytes of `window` through the rest of it.
#[inline]
fn copy_back(window: &mut [u8], distance: usize) {
    if window.len() < distance + SHORT_COPY {
        for at in distance..window.len() {
            window[at] = window[at - distance];
        }
        return;
    }
    // What is filled doubles with each part, so the parts are few even at distance one.
    let mut filled = distance;
    while filled < window.len() {
        let part = filled.min(window.len() - filled);
        window.copy_within(..part, filled);
        filled += part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(input: &[u8]) -> Option<Vec<u8>> {
        let packed = compress(input);
        if let Some(packed) = &packed {
            assert!(packed.len() + MIN_SAVED <= input.len());
            assert_eq!(decompress(packed, input.len()).as_deref(), Ok(input));
        }
        packed
    }

    proptest! {
        #[test]
        fn what_compresses_decompresses(input in proptest::collection::vec(0u8..3, 0..700)) {
            let first = round_trip(&input);
            prop_assert_eq!(first, round_trip(&input));
        }

        #[test]
        fn repeated_text(part in any::<Vec<u8>>(), times in 1usize..300) {
            round_trip(&part.repeat(times));
        }

        #[test]
        fn any_bytes_are_safe(input in any::<Vec<u8>>(), length in 0usize..5000) {
            if let Ok(output) = decompress(&input, length) {
                prop_assert_eq!(output.len(), length);
            }
        }
    }

    #[test]
    fn bytes_of_the_reference() {
        assert_eq!(
            compress(&[b'a'; 100]).as_deref(),
            Some(b"\x01aa\xe0\x57\0\x01aa".as_slice())
        );
        assert_eq!(
            compress(&[b'b'; 21]).as_deref(),
            Some(b"\x01bb\xe0\x0a\0".as_slice())
        );
        assert_eq!(
            compress(&b"x2\xee\x04".repeat(6)).as_deref(),
            Some(b"\x04x2\xee\x04x\xe0\x0a\x03".as_slice())
        );
        assert_eq!(compress(b""), None);
        assert_eq!(compress(b"aaaa"), None);
        assert_eq!(compress(b"the quick brown fox jumps"), None);
    }

    #[test]
    fn large_inputs() {
        let text: Vec<u8> = (0u32..200_000)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 29) as u8)
            .collect();
        assert!(round_trip(&text).is_some());
        assert!(round_trip(&vec![0; 1 << 20]).is_some_and(|packed| packed.len() < 13_000));
    }

    #[test]
    fn malformed() {
        for (input, length, error) in [
            (b"".as_slice(), 1, LzfError::Length),
            (b"\x01a", 2, LzfError::Truncated),
            (b"\x00a", 2, LzfError::Length),
            (b"\x01aa", 1, LzfError::Length),
            (b"\x20\x00", 3, LzfError::Distance),
            (b"\x00a\x20", 4, LzfError::Truncated),
            (b"\x00a\xe0", 4, LzfError::Truncated),
            (b"\x00a\xe0\x00", 4, LzfError::Truncated),
            (b"\x00a\x20\x01", 4, LzfError::Distance),
            (b"\x00a\x20\x00", 3, LzfError::Length),
            (b"\x00a", usize::MAX, LzfError::Length),
        ] {
            assert_eq!(decompress(input, length), Err(error), "{input:?}");
        }
        assert_eq!(
            decompress(b"\x00a\x20\x00", 4).as_deref(),
            Ok(b"aaaa".as_slice())
        );
        assert_eq!(decompress(b"", 0).as_deref(), Ok(b"".as_slice()));
    }
}
