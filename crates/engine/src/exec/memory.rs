//! The memory limit: `maxmemory` against what the allocator holds.
//!
//! Asking the allocator costs tens of microseconds, so it is asked ten times a second; in between
//! commands add what their stripes' live bytes changed. Free slots of arenas are not counted as
//! used: new entries reuse them, and compaction returns them.
//!
//! Invariant: with no limit set, a command pays one relaxed load.

use super::Engine;
use crate::keyspace::{STRIPES, Stripes};
use crate::ports::{Memory, MemoryFigures};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The limit and what is used of it.
pub struct MemoryLimit {
    port: Arc<dyn Memory>,
    limit: AtomicU64,
    used: AtomicI64,
    /// Where the next eviction looks first.
    stripe: AtomicUsize,
}

impl MemoryLimit {
    pub(crate) fn new(port: Arc<dyn Memory>) -> MemoryLimit {
        MemoryLimit {
            port,
            limit: AtomicU64::new(0),
            used: AtomicI64::new(0),
            stripe: AtomicUsize::new(0),
        }
    }

    /// Where an eviction is to look: a number to be taken modulo that of the stripes. All have their turn.
    pub(crate) fn next_stripe(&self) -> usize {
        /// Odd, so that it visits every stripe, and far from small ratios, so that neighbours are far apart.
        const STRIDE: usize = 0x9E37_79B1;
        self.stripe.fetch_add(STRIDE, Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
    }

    /// Whether there is a limit.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.limit.load(Relaxed) > 0
    }

    /// The limit in bytes, 0 for none.
    pub fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    pub(crate) fn changed(&self, before: usize, after: usize) {
        let delta =
            i64::try_from(after).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX);
        if delta != 0 {
            self.used.fetch_add(delta, Relaxed);
        }
    }

    /// Whether more is used than the limit allows.
    pub fn is_over(&self) -> bool {
        let used = u64::try_from(self.used.load(Relaxed)).unwrap_or(0);
        self.is_limited() && used > self.limit.load(Relaxed)
    }

    /// The allocator's figures now.
    pub fn figures(&self) -> MemoryFigures {
        self.port.figures()
    }

    /// The allocator's port.
    pub fn port(&self) -> &dyn Memory {
        &*self.port
    }
}

impl Engine {
    /// Asks the allocator anew.
    pub(crate) fn poll_memory(&self, stripes: &Stripes<'_>) {
        let figures = self.memory.figures();
        let slack: usize = (0..stripes.databases())
            .flat_map(|db| (0..STRIPES).map(move |i| (db, i)))
            .filter_map(|(db, i)| stripes.with(db, i, |stripe| stripe.slack_bytes()))
            .sum();
        let used = figures.allocated.saturating_sub(slack as u64);
        self.memory
            .used
            .store(i64::try_from(used).unwrap_or(i64::MAX), Relaxed);
        self.note_peak(figures.allocated);
    }

    /// Bytes in use as INFO reports them; notes the peak.
    pub fn used_memory(&self) -> u64 {
        let allocated = self.memory.figures().allocated;
        self.note_peak(allocated);
        allocated
    }

    fn note_peak(&self, allocated: u64) {
        if self.stats.peak_memory.fetch_max(allocated, Relaxed) < allocated {
            self.stats.peak_ms.store(self.clock.unix_ms(), Relaxed);
        }
    }
}
