//! Hits and misses: how often a key was looked for to be read, and was there.
//!
//! A request that succeeds looked for every key that it reads. One that fails may have been refused before: of its keys
//! those count that its handler asked for.
//!
//! Does not count keys that are looked for only to be changed, nor what OBJECT and the like look at.

use super::Engine;
use super::plan::PlannedKey;
use super::stats::{Counter, Tally};
use crate::spec::{Access, Outcome};
use std::sync::atomic::Ordering::Relaxed;

impl PlannedKey {
    /// Notes that the handler asked for it.
    #[inline(always)] // on the way of every request with a key
    pub(super) fn ask(&self) {
        self.asked.store(true, Relaxed);
    }

    /// Whether a request that ended so looked for it.
    #[inline(always)] // on the way of every read
    pub(super) fn was_sought(&self, outcome: &Outcome) -> bool {
        outcome.is_ok() || self.asked.load(Relaxed)
    }
}

impl Tally {
    /// Counts the keys of a request that only reads, as it ended; `found` of them are there.
    #[inline]
    pub(super) fn read(&mut self, keys: &[PlannedKey], found: u64, outcome: &Outcome) {
        if outcome.is_ok() {
            self.hits += found;
            self.misses += keys.len() as u64 - found;
        } else {
            self.sought(keys, outcome);
        }
    }

    /// Counts those keys that a request only reads, though it changes others.
    #[inline(never)] // off the way of requests with one key
    pub(super) fn sought(&mut self, keys: &[PlannedKey], outcome: &Outcome) {
        let read = keys.iter().filter(|key| key.access.has(Access::RO));
        for key in read.filter(|key| key.was_sought(outcome)) {
            self.hits += u64::from(key.found.is_some());
            self.misses += u64::from(key.found.is_none());
        }
    }
}

impl Engine {
    /// Counts a key that was looked for beside those that the declaration says are read.
    pub(crate) fn count_sought(&self, there: bool) {
        let counter = if there {
            Counter::KeyspaceHits
        } else {
            Counter::KeyspaceMisses
        };
        self.stats.add(counter, 1);
    }
}
