//! Which keys requests go to: numbers below the size of the keyspace.
//!
//! Invariants
//! - The same seed gives the same numbers.
//! - With `sequential`, n requests of one key each visit n successive keys, whatever the number of threads.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};

/// Exponent of `zipf` where none is given; that of YCSB's zipfian workloads.
pub(crate) const DEFAULT_EXPONENT: f64 = 0.99;

/// How often each key is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// All alike.
    Uniform,
    /// Key k in proportion to 1 / (k + 1)^exponent.
    Zipf(f64),
    /// One after the other, and round again.
    Sequential,
}

/// A source of keys for one thread.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    rng: SmallRng,
    space: u64,
    zipf: Option<Zipf<f64>>,
    /// The next number, if they come one after the other.
    next: Option<u64>,
}

impl Keys {
    /// Numbers below `space`, which is at least 1.
    pub(crate) fn new(distribution: Distribution, space: u64, seed: u64) -> Keys {
        let space = space.max(1);
        let zipf = match distribution {
            // Neither argument is out of range: space is at least one, and the exponent was checked when read.
            #[allow(clippy::cast_precision_loss)] // a keyspace of more than 2^53
            Distribution::Zipf(exponent) => Zipf::new(space as f64, exponent).ok(),
            _ => None,
        };
        Keys {
            rng: SmallRng::seed_from_u64(seed),
            space,
            zipf,
            next: (distribution == Distribution::Sequential).then_some(0),
        }
    }

    /// Says which of all numbers in sequence comes next.
    #[inline]
    pub(crate) fn go_to(&mut self, number: u64) {
        if let Some(next) = &mut self.next {
            *next = number % self.space;
        }
    }

    /// The next key.
    #[inline]
    pub(crate) fn next_key(&mut self) -> u64 {
        if let Some(next) = &mut self.next {
            let key = *next;
            *next = if key + 1 == self.space { 0 } else { key + 1 };
            return key;
        }
        match &self.zipf {
            None => self.rng.random_range(0..self.space),
            Some(zipf) => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                // from 1 to space
                let rank = zipf.sample(&mut self.rng) as u64;
                rank.clamp(1, self.space) - 1
            }
        }
    }

    /// A number from `low` to `high`, both included; for sizes and choices.
    #[inline]
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.rng.random_range(low..=high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 400_000;

    fn counts(distribution: Distribution, space: u64) -> Vec<u32> {
        let mut keys = Keys::new(distribution, space, 7);
        let mut counts = vec![0_u32; usize::try_from(space).expect("small")];
        for _ in 0..DRAWS {
            counts[usize::try_from(keys.next_key()).expect("small")] += 1;
        }
        counts
    }

    /// Pearson's statistic against expected shares; about the number of cells, give or take its root.
    fn chi_square(counts: &[u32], share: impl Fn(usize) -> f64) -> f64 {
        let expected = |i| share(i) * f64::from(DRAWS);
        let term = |(i, &n): (usize, &u32)| (f64::from(n) - expected(i)).powi(2) / expected(i);
        counts.iter().enumerate().map(term).sum()
    }

    #[test]
    fn uniform_is_uniform() {
        let counts = counts(Distribution::Uniform, 1000);
        let chi = chi_square(&counts, |_| 0.001);
        // 999 degrees of freedom: the standard deviation is 45.
        assert!((chi - 999.0).abs() < 5.0 * 45.0, "{chi}");
    }

    #[test]
    fn zipf_follows_its_law() {
        for exponent in [0.5, 0.99, 1.0, 1.5] {
            let counts = counts(Distribution::Zipf(exponent), 200);
            let weight =
                |i: usize| (f64::from(u32::try_from(i).expect("small")) + 1.0).powf(-exponent);
            let total: f64 = (0..200).map(weight).sum();
            let chi = chi_square(&counts, |i| weight(i) / total);
            // 199 degrees of freedom: the standard deviation is 20.
            assert!(
                (chi - 199.0).abs() < 5.0 * 20.0,
                "exponent {exponent}: {chi}"
            );
        }
    }

    #[test]
    fn an_exponent_of_zero_is_uniform() {
        let counts = counts(Distribution::Zipf(0.0), 100);
        let chi = chi_square(&counts, |_| 0.01);
        assert!((chi - 99.0).abs() < 5.0 * 14.1, "{chi}");
    }

    #[test]
    fn sequential_goes_round() {
        let mut keys = Keys::new(Distribution::Sequential, 5, 0);
        keys.go_to(3);
        let drawn: Vec<u64> = (0..7).map(|_| keys.next_key()).collect();
        assert_eq!(drawn, [3, 4, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_seed_decides() {
        let draw = |seed| {
            let mut keys = Keys::new(Distribution::Uniform, 1 << 40, seed);
            [keys.next_key(), keys.next_key(), keys.next_key()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_space_of_one_or_none_has_key_zero() {
        for distribution in [
            Distribution::Uniform,
            Distribution::Zipf(0.99),
            Distribution::Sequential,
        ] {
            for space in [0, 1] {
                let mut keys = Keys::new(distribution, space, 3);
                assert_eq!([keys.next_key(), keys.next_key()], [0, 0]);
            }
        }
    }
}
