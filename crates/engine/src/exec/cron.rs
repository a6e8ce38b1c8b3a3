//! What happens without a request: active expiry, compaction, eviction, memory figures.
//!
//! `Engine::cron` is called `hz` times a second by the rim and never runs twice at once.
//! Each part has a share of the time; none holds a stripe for longer than one slice.

use super::Engine;
use super::stats::Counter;
use crate::keyspace::evict::evict_one;
use crate::keyspace::expire::{self, Slice};
use crate::keyspace::{Cursor, STRIPES, Stripes};
use crate::settings::{EventClasses, id};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Evictions before the stripe lock's owner lets others in and looks at the limit anew.
const EVICTIONS_MAX: usize = 1024;
/// Stripes compacted per call.
const COMPACTED_MAX: usize = 32;

/// Where the cycles stand.
#[derive(Default)]
pub(crate) struct Cron {
    expire_db: usize,
    expire_at: Cursor,
    compact_db: usize,
    compact_stripe: usize,
}

impl Engine {
    /// One round of background work; `period` is the time between two calls.
    pub fn cron(&self, period: Duration) {
        if self.cron_paused.load(Relaxed) {
            return;
        }
        let Some(mut cron) = self.cron.try_lock() else {
            return;
        };
        self.pause_in_force();
        self.rates.sample(&self.stats, self.clock.unix_ms());
        if self.active_expire.load(Relaxed) && !self.expiry_is_paused() {
            self.expire_cycle(&mut cron, period);
        }
        self.send_broadcasts();
        self.trim_tracking();
        self.sweep_tracking();
        self.compact_cycle(&mut cron);
        self.poll_memory(&Stripes::free(&self.keyspace, &*self.runtime));
        if self.memory.is_over() {
            drop(cron);
            self.make_room();
        }
    }

    /// Walks keys with an expiry for at most a share of `period` that `active-expire-effort` sets.
    fn expire_cycle(&self, cron: &mut Cron, period: Duration) {
        let effort = u32::try_from(self.settings.int(id::ACTIVE_EXPIRE_EFFORT))
            .unwrap_or(1)
            .clamp(1, 10);
        // 25 % of the time at effort 1, 43 % at effort 10, as Redis documents its share.
        let most = period * (23 + 2 * effort) / 100;
        let (start, now_ms) = (Instant::now(), self.clock.unix_ms());
        let mut rounds = 0;
        loop {
            let db = cron.expire_db;
            let Some(database) = self.keyspace.used(db) else {
                cron.expire_db = (db + 1) % self.keyspace.count();
                rounds += 1;
                if rounds > self.keyspace.count() {
                    return;
                }
                continue;
            };
            let mut done = Slice::default();
            cron.expire_at = expire::slice(
                database,
                cron.expire_at,
                now_ms,
                &mut done,
                |stripe, key| self.expired(stripe, db, key, 0, None),
            );
            self.discard(&mut done.garbage);
            if cron.expire_at == Cursor::START {
                cron.expire_db = (db + 1) % self.keyspace.count();
                rounds += 1;
            }
            let few = done.expired * 10 <= done.looked_at;
            // A quiet walk, also one that meets no key with an expiry, gets a small share; one that finds much to remove the whole.
            let share = if few { most / 16 } else { most };
            if rounds > self.keyspace.count() {
                return;
            }
            if start.elapsed() > share {
                if !few {
                    self.stats.add(Counter::ExpireCycleTimeCapReached, 1);
                }
                return;
            }
        }
    }

    /// Returns memory of sparse arenas, some stripes per call.
    fn compact_cycle(&self, cron: &mut Cron) {
        for _ in 0..COMPACTED_MAX {
            if cron.compact_stripe >= STRIPES {
                cron.compact_stripe = 0;
                cron.compact_db = (cron.compact_db + 1) % self.keyspace.count();
            }
            if let Some(database) = self.keyspace.used(cron.compact_db) {
                database.stripe(cron.compact_stripe).compact();
            }
            cron.compact_stripe += 1;
        }
    }

    /// Evicts keys until memory is within the limit. Whether it is.
    pub fn make_room(&self) -> bool {
        if !self.memory.is_over() {
            return true;
        }
        let policy = self.eviction_policy();
        if !policy.evicts() {
            return false;
        }
        let samples = usize::try_from(self.settings.int(id::MAXMEMORY_SAMPLES)).unwrap_or(5);
        let rule = self.access_rule(self.clock.unix_ms());
        for _ in 0..EVICTIONS_MAX {
            let start = self.memory.next_stripe();
            let evicted = evict_one(
                &self.keyspace,
                policy,
                samples,
                &rule,
                start,
                |stripe, db, e| {
                    self.raise(EventClasses::EVICTED, "evicted", db, &e.key);
                    self.removed(stripe, db, &e.key, 0, None);
                },
            );
            let Some(evicted) = evicted else {
                return !self.memory.is_over();
            };
            self.stats.add(Counter::EvictedKeys, 1);
            self.memory.changed(evicted.bytes, 0);
            self.reclaimer.discard(evicted.garbage);
            if !self.memory.is_over() {
                return true;
            }
        }
        // Much is over the limit: the next command goes on, this one is let in.
        true
    }
}
