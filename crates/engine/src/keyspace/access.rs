//! The 24-bit access clock of an entry: seconds for LRU and LRM, a logarithmic counter for LFU.
//!
//! LFU packs sixteen bits of "last decremented" minutes and an eight-bit counter that grows with
//! probability 1 / ((counter - 5) * factor + 1) and decays by one every `decay` minutes
//! (the scheme that Redis documents for `lfu-log-factor` and `lfu-decay-time`).

/// Modulus of the second clock.
pub(crate) const CLOCK_MASK: u32 = 0x00FF_FFFF;
/// The counter of a new key under LFU.
pub(crate) const LFU_INITIAL: u8 = 5;

/// How accesses are recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AccessRule {
    /// Count frequency instead of storing time.
    pub(crate) lfu: bool,
    /// Record changes only, not reads.
    pub(crate) modified_only: bool,
    /// `lfu-log-factor`.
    pub(crate) factor: u32,
    /// `lfu-decay-time`, minutes.
    pub(crate) decay: u32,
    /// Current time in seconds, modulo 2^24.
    pub(crate) seconds: u32,
    /// Current time in minutes, modulo 2^16.
    pub(crate) minutes: u32,
}

impl AccessRule {
    /// The clock of a new entry.
    pub(crate) fn fresh(&self) -> u32 {
        if self.lfu {
            (self.minutes << 8) | u32::from(LFU_INITIAL)
        } else {
            self.seconds
        }
    }

    /// The clock after an access; `random` is uniform in 0..2^32.
    #[inline]
    pub(crate) fn touched(&self, clock: u32, random: impl FnOnce() -> u32) -> u32 {
        if !self.lfu {
            return self.seconds;
        }
        let counter = self.decayed(clock);
        let counter = if counter == 255 {
            255
        } else {
            let base = u64::from(counter.saturating_sub(LFU_INITIAL));
            let odds = base * u64::from(self.factor) + 1;
            // One in `odds`, which is below 2^40.
            if u128::from(random()) * u128::from(odds) < 1 << 32 {
                counter + 1
            } else {
                counter
            }
        };
        (self.minutes << 8) | u32::from(counter)
    }

    /// The LFU counter after decay.
    pub(crate) fn decayed(&self, clock: u32) -> u8 {
        let [counter, ..] = clock.to_le_bytes();
        let elapsed = self.minutes.wrapping_sub(clock >> 8) & 0xFFFF;
        let periods = elapsed.checked_div(self.decay).unwrap_or(0);
        u8::try_from(u32::from(counter).saturating_sub(periods)).unwrap_or(0)
    }

    /// Seconds since the last recorded access (LRU).
    pub(crate) fn idle_seconds(&self, clock: u32) -> u32 {
        self.seconds.wrapping_sub(clock) & CLOCK_MASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_factor_does_not_overflow() {
        let rule = AccessRule {
            lfu: true,
            factor: u32::MAX,
            ..AccessRule::default()
        };
        assert_eq!(rule.touched(200, || u32::MAX), 200);
        assert_eq!(rule.touched(200, || 0), 201);
    }
}
