//! The requests of one run, shared out among threads.
//!
//! Invariants
//! - Every number below the total is taken by one thread, once.
//! - Threads write to the shared counter once per [`CHUNK`] requests at most, near the end more often, so that all
//!   finish together.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests taken at once while many are left.
const CHUNK: u64 = 4096;

/// How many requests there are, and which is next.
#[derive(Debug)]
pub(crate) struct Budget {
    next: AtomicU64,
    total: u64,
    threads: u64,
}

impl Budget {
    /// `None`: without an end.
    pub(crate) fn new(total: Option<u64>, threads: usize) -> Budget {
        Budget {
            next: AtomicU64::new(0),
            total: total.unwrap_or(u64::MAX),
            threads: threads.max(1) as u64,
        }
    }

    /// Takes some numbers, at least `least` if so many are left.
    fn take(&self, least: u64) -> Range<u64> {
        let seen = self.next.load(Ordering::Relaxed);
        let left = self.total.saturating_sub(seen);
        let fair = left / (self.threads * 8);
        // Whole batches, so that none is cut before the end.
        let wanted = fair
            .clamp(1, CHUNK)
            .next_multiple_of(least.max(1))
            .min(left);
        if wanted == 0 {
            return 0..0;
        }
        let from = self.next.fetch_add(wanted, Ordering::Relaxed);
        from.min(self.total)..from.saturating_add(wanted).min(self.total)
    }
}

/// A thread's part of the budget.
#[derive(Debug, Default)]
pub(crate) struct Share(Range<u64>);

impl Share {
    /// Takes up to `wanted` successive numbers; fewer only when the budget ends or a chunk does. Empty: nothing is left.
    #[inline]
    pub(crate) fn take(&mut self, budget: &Budget, wanted: u64) -> Range<u64> {
        if self.0.is_empty() {
            self.0 = budget.take(wanted);
        }
        let from = self.0.start;
        let to = from.saturating_add(wanted).min(self.0.end);
        self.0.start = to;
        from..to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_taken_once() {
        let total = 100_003;
        let budget = Budget::new(Some(total), 3);
        let taken: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let take_all = |wanted: u64| {
                let mut share = Share::default();
                let mut all = Vec::new();
                loop {
                    let range = share.take(&budget, wanted);
                    if range.is_empty() {
                        return all;
                    }
                    all.extend(range);
                }
            };
            let threads = [1, 7, 16].map(|wanted| scope.spawn(move || take_all(wanted)));
            threads.map(|t| t.join().expect("a thread")).to_vec()
        });
        let mut all: Vec<u64> = taken.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..total).collect::<Vec<_>>());
    }

    #[test]
    fn without_an_end_it_does_not_end() {
        let budget = Budget::new(None, 1);
        let mut share = Share::default();
        assert_eq!(share.take(&budget, 2), 0..2);
        for _ in 0..10_000 {
            assert!(!share.take(&budget, 16).is_empty());
        }
    }
}
