//! How fast counters grow: the `instantaneous_*` fields of INFO.
//!
//! Samples are taken from the background round, at least [`PERIOD_MS`] apart; a rate is the mean of the
//! last [`SAMPLES`], as Redis documents it: about 1.6 seconds.

use super::stats::{Counter, Stats};
use parking_lot::Mutex;

const SAMPLES: usize = 16;
const PERIOD_MS: i64 = 100;

/// A counter whose rate is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    /// Commands.
    Commands,
    /// Bytes received.
    NetIn,
    /// Bytes sent.
    NetOut,
}

const COUNTERS: [Counter; 3] = [Counter::Commands, Counter::NetIn, Counter::NetOut];

#[derive(Default)]
struct Samples {
    /// When the counters were read last, Unix milliseconds, and what they were.
    last: Option<(i64, [u64; COUNTERS.len()])>,
    /// Growth per second, a ring.
    ring: [[u64; COUNTERS.len()]; SAMPLES],
    next: usize,
}

/// See the module's documentation.
#[derive(Default)]
pub struct Rates(Mutex<Samples>);

impl Rates {
    /// Reads the counters, if the last sample is old enough.
    pub(crate) fn sample(&self, stats: &Stats, now_ms: i64) {
        let mut samples = self.0.lock();
        let Some((at, before)) = samples.last else {
            samples.last = Some((now_ms, COUNTERS.map(|c| stats.get(c))));
            return;
        };
        let elapsed = now_ms - at;
        if (0..PERIOD_MS).contains(&elapsed) {
            return;
        }
        let now = COUNTERS.map(|c| stats.get(c));
        // A clock set back or a reset of the counters gives no rate.
        if let Some(elapsed) = u64::try_from(elapsed).ok().filter(|e| *e > 0) {
            let next = samples.next;
            samples.ring[next] = std::array::from_fn(|i| {
                now[i].saturating_sub(before[i]).saturating_mul(1000) / elapsed
            });
            samples.next = (next + 1) % SAMPLES;
        }
        samples.last = Some((now_ms, now));
    }

    /// Growth per second.
    pub fn per_second(&self, rate: Rate) -> u64 {
        let samples = self.0.lock();
        let sum = samples
            .ring
            .iter()
            .fold(0u64, |sum, s| sum.saturating_add(s[rate as usize]));
        sum / SAMPLES as u64
    }

    /// Starts over (CONFIG RESETSTAT).
    pub fn reset(&self) {
        *self.0.lock() = Samples::default();
    }
}
