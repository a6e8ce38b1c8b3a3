//! Bits of byte strings, for the bitmap commands: counting, finding, combining, and integer fields.
//!
//! Invariants:
//! - Bit 0 is the highest bit of byte 0; ranges are half-open and in bits.
//! - Bytes after the end of a string read as zero in [`combine`] and the getters; [`find_bit`] and
//!   [`count_range_bits`] look at existing bytes only.
//! - A setter never grows a string; it refuses what does not fit.
//!
//! Cost: long runs go 16 bytes or more a step; counting uses AVX2 or POPCNT where the processor has
//! them.
#![cfg_attr(target_arch = "x86_64", allow(unsafe_code))]

/// Bytes combined at a time, so that the destination stays in the first-level cache between
/// sources.
const BLOCK: usize = 4096;

/// Bytes that a search looks at before it decides, wide enough to hide the cost of deciding.
const SEARCHED: usize = 128;

/// How [`combine`] forms each bit of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOp {
    /// Set in all sources.
    And,
    /// Set in any source.
    Or,
    /// Set in an odd number of sources.
    Xor,
    /// Not set in the first source; others are not looked at.
    Not,
    /// Set in the first source and in no other.
    Diff,
    /// Not set in the first source, but in another.
    Diff1,
    /// Set in the first source and in another.
    AndOr,
    /// Set in exactly one source.
    One,
}

/// How many bits are set.
pub fn count_ones(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= 64 && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has both features that the function is compiled for.
        return unsafe { count_ones_avx2(bytes) };
    }
    count_ones_by_word(bytes)
}

/// The same loop, for which the compiler may use wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn count_ones_avx2(bytes: &[u8]) -> u64 {
    count_ones_by_word(bytes)
}

#[inline(always)]
fn count_ones_by_word(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<8>();
    let counted: u64 = words
        .iter()
        .map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()))
        .sum();
    counted
        + tail
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum::<u64>()
}

/// How many bits from `start_bit` up to, not including, `end_bit` are set.
pub fn count_range_bits(bytes: &[u8], start_bit: u64, end_bit: u64) -> u64 {
    let Some(span) = Span::new(bytes, start_bit, end_bit) else {
        return 0;
    };
    u64::from(span.head(0).count_ones())
        + count_ones(span.middle())
        + span.tail(0).map_or(0, |tail| u64::from(tail.count_ones()))
}

/// The first bit equal to `bit` from `from_bit` up to, not including, `to_bit`.
pub fn find_bit(bytes: &[u8], bit: bool, from_bit: u64, to_bit: u64) -> Option<u64> {
    let span = Span::new(bytes, from_bit, to_bit)?;
    // Flipping reduces the search for a clear bit to that for a set one.
    let flip = if bit { 0x00 } else { 0xff };
    let place = |byte: usize, value: u8| byte as u64 * 8 + u64::from(value.leading_zeros());
    let head = span.head(flip);
    if head != 0 {
        return Some(place(span.first, head));
    }
    let middle = span.middle();
    if let Some(at) = position_other(middle, flip) {
        return Some(place(span.first + 1 + at, middle[at] ^ flip));
    }
    let tail = span.tail(flip).filter(|&tail| tail != 0)?;
    Some(place(span.last, tail))
}

/// The first byte that is not `skip`.
fn position_other(bytes: &[u8], skip: u8) -> Option<usize> {
    let wide = u64::from_ne_bytes([skip; 8]);
    let (blocks, _) = bytes.as_chunks::<SEARCHED>();
    let same = blocks.iter().take_while(|block| {
        let (words, _) = block.as_chunks::<8>();
        words
            .iter()
            .fold(0, |any, word| any | (u64::from_ne_bytes(*word) ^ wide))
            == 0
    });
    let start = same.count() * SEARCHED;
    bytes[start..]
        .iter()
        .position(|&byte| byte != skip)
        .map(|at| start + at)
}

/// A non-empty range of bits as bytes: a first one and perhaps a last one in part, whole ones
/// between.
struct Span<'a> {
    bytes: &'a [u8],
    first: usize,
    last: usize,
    first_mask: u8,
    last_mask: u8,
}

impl<'a> Span<'a> {
    /// `None` when no existing bit is in the range.
    fn new(bytes: &'a [u8], start_bit: u64, end_bit: u64) -> Option<Self> {
        let end_bit = end_bit.min(bytes.len() as u64 * 8);
        if start_bit >= end_bit {
            return None;
        }
        let last_bit = end_bit - 1;
        // Both are below the slice's length, so they fit.
        let (first, last) = ((start_bit / 8) as usize, (last_bit / 8) as usize);
        let (first_mask, last_mask) = (0xff >> (start_bit % 8), 0xff << (7 - last_bit % 8));
        Some(Self {
            bytes,
            first,
            last,
            first_mask,
            last_mask,
        })
    }

    /// The bits of the first byte, flipped by `flip`.
    fn head(&self, flip: u8) -> u8 {
        let mask = if self.first == self.last {
            self.first_mask & self.last_mask
        } else {
            self.first_mask
        };
        (self.bytes[self.first] ^ flip) & mask
    }

    fn middle(&self) -> &'a [u8] {
        self.bytes.get(self.first + 1..self.last).unwrap_or(&[])
    }

    /// The bits of the last byte, unless that is also the first.
    fn tail(&self, flip: u8) -> Option<u8> {
        (self.first != self.last).then(|| (self.bytes[self.last] ^ flip) & self.last_mask)
    }
}

/// Fills `dest` with `op` of the sources, each as if padded with zeros to the length of `dest`.
///
/// BITOP's result is as long as the longest source. Without sources the result is zeros.
pub fn combine(op: BitOp, dest: &mut [u8], sources: &[&[u8]]) {
    let Some((first, others)) = sources.split_first() else {
        dest.fill(0);
        return;
    };
    for (number, block) in dest.chunks_mut(BLOCK).enumerate() {
        let length = block.len();
        let part = |source: &&'_ [u8]| -> std::ops::Range<usize> {
            let start = (number * BLOCK).min(source.len());
            start..(start + length).min(source.len())
        };
        let head = &first[part(first)];
        block[..head.len()].copy_from_slice(head);
        block[head.len()..].fill(0);
        combine_block(op, block, others.iter().map(|source| &source[part(source)]));
    }
}

/// `block` holds the first source's part; the others' may be shorter.
fn combine_block<'a>(op: BitOp, block: &mut [u8], others: impl Iterator<Item = &'a [u8]>) {
    match op {
        BitOp::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
        BitOp::Or => others.for_each(|other| each(block, other, |to, from| *to |= from)),
        BitOp::Xor => others.for_each(|other| each(block, other, |to, from| *to ^= from)),
        BitOp::Diff => others.for_each(|other| each(block, other, |to, from| *to &= !from)),
        BitOp::And => others.for_each(|other| {
            each(block, other, |to, from| *to &= from);
            block[other.len()..].fill(0);
        }),
        BitOp::Diff1 | BitOp::AndOr => {
            let mut union = [0; BLOCK];
            others.for_each(|other| each(&mut union, other, |to, from| *to |= from));
            if op == BitOp::AndOr {
                each(block, &union, |to, from| *to &= from);
            } else {
                each(block, &union, |to, from| *to = !*to & from);
            }
        }
        BitOp::One => {
            let mut repeated = [0; BLOCK];
            others.for_each(|other| {
                for ((to, repeated), from) in block.iter_mut().zip(&mut repeated).zip(other) {
                    *repeated |= *to & from;
                    *to |= from;
                }
            });
            each(block, &repeated, |to, from| *to &= !from);
        }
    }
}

#[inline(always)]
fn each(block: &mut [u8], other: &[u8], apply: impl Fn(&mut u8, u8)) {
    for (to, from) in block.iter_mut().zip(other) {
        apply(to, *from);
    }
}

/// The unsigned integer in the `bits` bits from `bit_offset` on, highest first; `bits` is at most
/// 64.
///
/// # Panics
/// If `bits` is over 64.
pub fn get_unsigned(bytes: &[u8], bit_offset: u64, bits: u32) -> u64 {
    assert!(bits <= 64, "a field has at most 64 bits");
    let (window, _) = load(bytes, bit_offset);
    // The window's 72 bits start at most seven bits early, so a field always lies within.
    let field = window >> (72 - bit_offset % 8 - u64::from(bits));
    (field & mask(bits)) as u64
}

/// As [`get_unsigned`], in two's complement.
///
/// # Panics
/// If `bits` is over 64.
pub fn get_signed(bytes: &[u8], bit_offset: u64, bits: u32) -> i64 {
    let value = get_unsigned(bytes, bit_offset, bits);
    match 64 - bits {
        64 => 0,
        unused => (value << unused).cast_signed() >> unused,
    }
}

/// Writes the low `bits` bits of `value` from `bit_offset` on; false, and nothing done, if `bytes`
/// ends before the field does.
///
/// # Panics
/// If `bits` is over 64.
#[must_use]
pub fn set_unsigned(bytes: &mut [u8], bit_offset: u64, bits: u32, value: u64) -> bool {
    assert!(bits <= 64, "a field has at most 64 bits");
    let fits = bit_offset
        .checked_add(u64::from(bits))
        .is_some_and(|end| end <= bytes.len() as u64 * 8);
    if !fits {
        return false;
    }
    let shift = 72 - bit_offset % 8 - u64::from(bits);
    let (window, start) = load(bytes, bit_offset);
    let window = window & !(mask(bits) << shift) | (u128::from(value) & mask(bits)) << shift;
    for (to, from) in bytes[start..].iter_mut().zip(&window.to_be_bytes()[7..]) {
        *to = *from;
    }
    true
}

/// As [`set_unsigned`], in two's complement.
///
/// # Panics
/// If `bits` is over 64.
#[must_use]
pub fn set_signed(bytes: &mut [u8], bit_offset: u64, bits: u32, value: i64) -> bool {
    set_unsigned(bytes, bit_offset, bits, value.cast_unsigned())
}

fn mask(bits: u32) -> u128 {
    (1 << bits) - 1
}

/// The nine bytes from that of `bit_offset` on as a number, absent ones as zero; and where they
/// start.
fn load(bytes: &[u8], bit_offset: u64) -> (u128, usize) {
    let start = usize::try_from(bit_offset / 8).map_or(bytes.len(), |start| start.min(bytes.len()));
    let mut window = [0; 16];
    for (to, from) in window[7..].iter_mut().zip(&bytes[start..]) {
        *to = *from;
    }
    (u128::from_be_bytes(window), start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn bit(bytes: &[u8], at: u64) -> bool {
        let byte = usize::try_from(at / 8)
            .ok()
            .and_then(|byte| bytes.get(byte));
        byte.is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
    }

    const OPS: [BitOp; 8] = [
        BitOp::And,
        BitOp::Or,
        BitOp::Xor,
        BitOp::Not,
        BitOp::Diff,
        BitOp::Diff1,
        BitOp::AndOr,
        BitOp::One,
    ];

    /// Bytes with long runs of one value, so that searches cross whole blocks.
    fn runs() -> impl Strategy<Value = Vec<u8>> {
        vec(
            (prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 1usize..90),
            0..6,
        )
        .prop_map(|runs| {
            runs.into_iter()
                .flat_map(|(byte, times)| vec![byte; times])
                .collect()
        })
    }

    proptest! {
        #[test]
        fn counting_and_finding(bytes in runs(), start in 0u64..4400, length in 0u64..4400) {
            let end = start + length;
            let existing = bytes.len() as u64 * 8;
            let range = start.min(existing)..end.min(existing);
            let ones = range.clone().filter(|&at| bit(&bytes, at)).count() as u64;
            prop_assert_eq!(count_range_bits(&bytes, start, end), ones);
            let all = (0..existing).filter(|&at| bit(&bytes, at)).count() as u64;
            prop_assert_eq!(count_ones(&bytes), all);
            for wanted in [false, true] {
                let first = range.clone().find(|&at| bit(&bytes, at) == wanted);
                prop_assert_eq!(find_bit(&bytes, wanted, start, end), first);
            }
        }

        #[test]
        #[cfg_attr(miri, ignore = "no unsafe code")]
        fn combining(sources in vec(vec(any::<u8>(), 0..40), 1..5), long in any::<bool>()) {
            let sources: Vec<Vec<u8>> = sources.into_iter()
                .map(|source| if long { source.repeat(250) } else { source }).collect();
            let length = sources.iter().map(Vec::len).max().unwrap_or(0);
            let slices: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let byte = |source: &[u8], at: usize| source.get(at).copied().unwrap_or(0);
            for op in OPS {
                let mut dest = vec![0x5a; length];
                combine(op, &mut dest, &slices);
                for (at, &actual) in dest.iter().enumerate() {
                    let first = byte(slices[0], at);
                    let others = || slices[1..].iter().map(|source| byte(source, at));
                    let union = others().fold(0, |a, b| a | b);
                    let expected = match op {
                        BitOp::And => others().fold(first, |a, b| a & b),
                        BitOp::Or => first | union,
                        BitOp::Xor => others().fold(first, |a, b| a ^ b),
                        BitOp::Not => !first,
                        BitOp::Diff => first & !union,
                        BitOp::Diff1 => !first & union,
                        BitOp::AndOr => first & union,
                        BitOp::One => (0..8).map(|bit| 1 << bit).filter(|mask| {
                            slices.iter().filter(|source| byte(source, at) & mask != 0).count() == 1
                        }).sum(),
                    };
                    prop_assert_eq!(actual, expected, "{:?} at {}", op, at);
                }
            }
        }

        #[test]
        #[cfg_attr(miri, ignore = "no unsafe code")]
        fn fields(
            mut bytes in vec(any::<u8>(), 0..20),
            offset in 0u64..180,
            bits in 1u32..=64,
            value: u64,
        ) {
            let before = bytes.clone();
            let read = |bytes: &[u8]| {
                let places = (0..u64::from(bits)).map(|at| u64::from(bit(bytes, offset + at)));
                places.fold(0, |value, bit| value << 1 | bit)
            };
            prop_assert_eq!(get_unsigned(&bytes, offset, bits), read(&bytes));
            let signed = (read(&bytes) << (64 - bits)).cast_signed() >> (64 - bits);
            prop_assert_eq!(get_signed(&bytes, offset, bits), signed);
            let end = offset + u64::from(bits);
            let fits = end <= bytes.len() as u64 * 8;
            prop_assert_eq!(set_unsigned(&mut bytes, offset, bits, value), fits);
            if fits {
                let kept = value & (u64::MAX >> (64 - bits));
                prop_assert_eq!(get_unsigned(&bytes, offset, bits), kept);
            }
            for at in 0..bytes.len() as u64 * 8 {
                if !fits || at < offset || at >= end {
                    prop_assert_eq!(bit(&bytes, at), bit(&before, at));
                }
            }
        }
    }

    #[test]
    fn the_far_ends() {
        assert_eq!(get_unsigned(b"\xff", u64::MAX, 64), 0);
        assert_eq!(get_signed(b"\xff", 0, 8), -1);
        assert_eq!(get_signed(b"\xff", 0, 0), 0);
        assert!(!set_unsigned(&mut [0], u64::MAX, 64, 1));
        let mut bytes = [0; 8];
        assert!(set_signed(&mut bytes, 0, 64, i64::MIN));
        assert_eq!(get_signed(&bytes, 0, 64), i64::MIN);
        assert_eq!(find_bit(b"", true, 0, u64::MAX), None);
        assert_eq!(count_range_bits(b"\xff", 0, u64::MAX), 8);
        combine(BitOp::And, &mut bytes, &[]);
        assert_eq!(bytes, [0; 8]);
    }
}
