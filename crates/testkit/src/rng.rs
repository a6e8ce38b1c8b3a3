//! The source of choices behind generated requests: a seed, or the bytes that a fuzzer supplies.
//!
//! Invariants:
//! - The same seed or bytes give the same choices, on every machine and in every build.
//! - A source of bytes never fails: when they are used up, every choice is the first one.
//!   So whatever draws must be bounded without luck; no loop may run "until a draw says stop".
//!
//! Not for secrets and not for statistics. The generator is SplitMix64 (Steele, Lea, Flood 2014).

/// A deterministic source of choices.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
    bytes: Option<(Vec<u8>, usize)>,
}

impl Rng {
    /// Choices from a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Rng {
        Rng {
            state: seed,
            bytes: None,
        }
    }

    /// Choices from a fuzzer's bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Rng {
        Rng {
            state: 0,
            bytes: Some((bytes.to_vec(), 0)),
        }
    }

    /// Whether a fuzzer's bytes are used up; never with a seed.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.bytes.as_ref().is_some_and(|(b, at)| *at >= b.len())
    }

    /// Sixty-four bits.
    pub fn bits(&mut self) -> u64 {
        if self.bytes.is_some() {
            return (0..8).fold(0, |n, _| n << 8 | u64::from(self.byte()));
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Eight bits.
    pub fn byte(&mut self) -> u8 {
        match &mut self.bytes {
            Some((bytes, at)) => {
                let byte = bytes.get(*at).copied().unwrap_or(0);
                *at += 1;
                byte
            }
            None => self.bits().to_le_bytes()[0],
        }
    }

    /// A number below `n`; 0 when `n` is 0. Takes one byte from a fuzzer for `n` up to 256.
    pub fn below(&mut self, n: u64) -> u64 {
        match (n, &self.bytes) {
            (0 | 1, _) => 0,
            (2..=256, Some(_)) => u64::from(self.byte()) % n,
            (_, Some(_)) => self.bits() % n,
            // The high half of the product is uniform in 0..n up to 2^-64 n.
            (_, None) => {
                let product = u128::from(self.bits()) * u128::from(n);
                u64::try_from(product >> 64).unwrap_or(0)
            }
        }
    }

    /// An index into something of `len` elements; 0 when there are none.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// A number in `low..=high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        let drawn = self.below(high.abs_diff(low).saturating_add(1));
        low.wrapping_add_unsigned(drawn)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_same_seed_gives_the_same_choices() {
        let (mut a, mut b) = (Rng::seeded(7), Rng::seeded(7));
        assert!((0..1000).all(|n| a.below(n) == b.below(n)));
        assert!((1..1000).all(|n| a.below(n) < n));
        assert!((0..1000).all(|_| (-3..=5).contains(&a.range(-3, 5))));
        assert_eq!(a.range(i64::MIN, i64::MIN), i64::MIN);
    }

    #[test]
    fn spent_bytes_choose_the_first() {
        let mut rng = Rng::of_bytes(&[3, 255]);
        assert_eq!((rng.below(10), rng.below(10)), (3, 5));
        assert!(rng.is_spent());
        assert_eq!((rng.below(10), rng.bits(), rng.chance(1)), (0, 0, true));
    }
}
