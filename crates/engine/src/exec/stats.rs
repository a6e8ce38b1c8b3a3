//! Counters: what INFO, LATENCY HISTOGRAM and CONFIG RESETSTAT show.
//!
//! Invariants
//! - A worker counts in a shard of its own thread; readers add the shards up. No cache line is
//!   written by two workers, and a reset stores a base to subtract instead of writing into shards.
//! - A session gathers a batch's counts in its [`Tally`] and adds them once per batch.

use parking_lot::Mutex;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Latency buckets: powers of two of nanoseconds, up to about 2^40 ns.
pub const LATENCY_BUCKETS: usize = 40;

/// Counts of one command.
#[derive(Clone, Copy, Debug)]
pub struct CommandCounts {
    /// Executions.
    pub calls: u64,
    /// Time in nanoseconds.
    pub nanos: u64,
    /// Refused before execution.
    pub rejected: u64,
    /// Executed and answered with an error.
    pub failed: u64,
    /// Executions by log2 of nanoseconds.
    pub latency: [u64; LATENCY_BUCKETS],
}

impl Default for CommandCounts {
    fn default() -> Self {
        CommandCounts {
            calls: 0,
            nanos: 0,
            rejected: 0,
            failed: 0,
            latency: [0; LATENCY_BUCKETS],
        }
    }
}

impl CommandCounts {
    fn add(&mut self, other: &CommandCounts, sign: i8) {
        let apply = |a: &mut u64, b: u64| {
            *a = if sign >= 0 {
                a.wrapping_add(b)
            } else {
                a.saturating_sub(b)
            }
        };
        apply(&mut self.calls, other.calls);
        apply(&mut self.nanos, other.nanos);
        apply(&mut self.rejected, other.rejected);
        apply(&mut self.failed, other.failed);
        self.latency
            .iter_mut()
            .zip(other.latency)
            .for_each(|(a, b)| apply(a, b));
    }
}

/// Shared counters of the whole server, by name. Each is added to at most once per batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
#[allow(missing_docs)] // named after the INFO fields that they become
pub enum Counter {
    KeyspaceHits,
    KeyspaceMisses,
    ExpiredKeys,
    EvictedKeys,
    Commands,
    NetIn,
    NetOut,
    Connections,
    RejectedConnections,
    TlsHandshakeFailures,
    ErrorReplies,
    Reads,
    Writes,
    Changes,
    ClientQueryBufferLimitDisconnections,
    ClientOutputBufferLimitDisconnections,
    ExpireCycleTimeCapReached,
    AclAccessDeniedAuth,
    AclAccessDeniedCmd,
    AclAccessDeniedKey,
    AclAccessDeniedChannel,
    Count,
}

const COUNTERS: usize = Counter::Count as usize;

/// Counts of one command in a shard.
struct SharedCounts {
    calls: AtomicU64,
    nanos: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    latency: [AtomicU64; LATENCY_BUCKETS],
}

impl SharedCounts {
    fn new() -> SharedCounts {
        let zero = || AtomicU64::new(0);
        SharedCounts {
            calls: zero(),
            nanos: zero(),
            rejected: zero(),
            failed: zero(),
            latency: std::array::from_fn(|_| zero()),
        }
    }

    fn read(&self) -> CommandCounts {
        CommandCounts {
            calls: self.calls.load(Relaxed),
            nanos: self.nanos.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            failed: self.failed.load(Relaxed),
            latency: std::array::from_fn(|i| self.latency[i].load(Relaxed)),
        }
    }
}

/// Adds to a cell that only this thread writes: no read-modify-write is needed, readers see either value.
fn bump(cell: &AtomicU64, n: u64) {
    if n > 0 {
        cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
    }
}

struct Shard {
    counters: [AtomicU64; COUNTERS],
    commands: Vec<SharedCounts>,
}

impl Shard {
    fn new(commands: usize) -> Shard {
        Shard {
            counters: std::array::from_fn(|_| AtomicU64::new(0)),
            commands: (0..commands).map(|_| SharedCounts::new()).collect(),
        }
    }
}

/// Commands whose counts a batch gathers before it adds them to the thread's: a transaction or a script takes turns
/// with few.
const GATHERED: usize = 4;

/// Counts of one command in a batch.
#[derive(Default)]
struct Counts {
    calls: u64,
    nanos: u64,
    rejected: u64,
    failed: u64,
    /// Latency buckets in use, one bit each, and their counts.
    used: u64,
    latency: Latency,
}

/// A batch has fewer commands than fit in 32 bits: their replies are bounded.
struct Latency([u32; LATENCY_BUCKETS]);

impl Default for Latency {
    fn default() -> Latency {
        Latency([0; LATENCY_BUCKETS])
    }
}

/// What a batch gathers of the commands that it executes. Lent by the thread for a batch: a session keeps none, so that many
/// connections need neither the memory nor, one after the other, the same room in the cache.
#[derive(Default)]
struct Gathered {
    /// Dense indexes of the commands counted, and which of them is the last one executed.
    of: [usize; GATHERED],
    current: usize,
    /// One bit for each of `counts` that counts something.
    dirty: u32,
    counts: [Counts; GATHERED],
}

impl Gathered {
    fn lent() -> Box<Gathered> {
        THREAD.with_borrow_mut(|thread| thread.spare.take().unwrap_or_default())
    }

    /// Adds the counts of one of the commands to the thread's. Returns how many were executed.
    fn flush(&mut self, shard: &Shard, which: usize) -> u64 {
        let take = std::mem::take::<u64>;
        self.dirty &= !(1 << which);
        let Some(shared) = shard.commands.get(self.of[which]) else {
            return 0;
        };
        let counts = &mut self.counts[which];
        let calls = take(&mut counts.calls);
        bump(&shared.calls, calls);
        bump(&shared.nanos, take(&mut counts.nanos));
        bump(&shared.rejected, take(&mut counts.rejected));
        bump(&shared.failed, take(&mut counts.failed));
        while counts.used != 0 {
            let bucket = counts.used.trailing_zeros() as usize;
            counts.used &= counts.used - 1;
            let latency = std::mem::take(&mut counts.latency.0[bucket]);
            bump(&shared.latency[bucket], latency.into());
        }
        calls
    }

    /// Makes room for a command that is not the last one's. Returns how many executions were added up for that.
    #[inline(never)] // off the way of requests like the one before
    fn turn(&mut self, stats: &Stats, command: usize) -> u64 {
        if let Some(known) = self.of.iter().position(|of| *of == command) {
            self.current = known;
            return 0;
        }
        self.current = (self.current + 1) % GATHERED;
        let mut added = 0;
        if self.dirty & 1 << self.current != 0 {
            added = stats.with_shard(|shard, _| self.flush(shard, self.current));
        }
        self.of[self.current] = command;
        added
    }
}

/// A batch's counts.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) changes: u64,
    pub(crate) errors: u64,
    pub(crate) net_in: u64,
    pub(crate) reads: u64,
    pub(crate) net_out: u64,
    pub(crate) writes: u64,
    commands: u64,
    /// From the first command of a batch until the flush.
    gathered: Option<Box<Gathered>>,
}

impl Tally {
    /// Counts one execution of the command with dense index `command`.
    #[inline]
    pub(crate) fn executed(&mut self, stats: &Stats, command: usize, nanos: u64, failed: bool) {
        let counts = self.turn_to(stats, command);
        counts.calls += 1;
        counts.nanos += nanos;
        counts.failed += u64::from(failed);
        let bucket = bucket_of(nanos);
        counts.used |= 1 << bucket;
        counts.latency.0[bucket] += 1;
    }

    pub(crate) fn rejected(&mut self, stats: &Stats, command: usize) {
        self.turn_to(stats, command).rejected += 1;
    }

    #[inline]
    fn turn_to(&mut self, stats: &Stats, command: usize) -> &mut Counts {
        let gathered = self.gathered.get_or_insert_with(Gathered::lent);
        if gathered.of[gathered.current % GATHERED] != command {
            self.commands += gathered.turn(stats, command);
        }
        let current = gathered.current % GATHERED;
        gathered.dirty |= 1 << current;
        &mut gathered.counts[current]
    }

    /// Adds everything gathered to the thread's shard.
    pub(crate) fn flush(&mut self, stats: &Stats) {
        stats.with_shard(|shard, spare| {
            if let Some(mut gathered) = self.gathered.take() {
                while gathered.dirty != 0 {
                    let which = gathered.dirty.trailing_zeros() as usize;
                    self.commands += gathered.flush(shard, which);
                }
                *spare = Some(gathered);
            }
            for (counter, n) in [
                (Counter::KeyspaceHits, &mut self.hits),
                (Counter::KeyspaceMisses, &mut self.misses),
                (Counter::Commands, &mut self.commands),
                (Counter::Changes, &mut self.changes),
                (Counter::ErrorReplies, &mut self.errors),
                (Counter::NetIn, &mut self.net_in),
                (Counter::Reads, &mut self.reads),
                (Counter::NetOut, &mut self.net_out),
                (Counter::Writes, &mut self.writes),
            ] {
                bump(&shard.counters[counter as usize], std::mem::take(n));
            }
        });
    }
}

fn bucket_of(nanos: u64) -> usize {
    (64 - nanos.leading_zeros() as usize).min(LATENCY_BUCKETS - 1)
}

/// All counters of an engine.
pub struct Stats {
    id: u64,
    commands: usize,
    shards: Mutex<Vec<Arc<Shard>>>,
    base: Mutex<Base>,
    /// Errors by code.
    errors: Mutex<std::collections::BTreeMap<String, u64>>,
    /// Largest memory use seen, bytes.
    pub peak_memory: AtomicU64,
    /// Unix milliseconds when it was seen.
    pub peak_ms: AtomicI64,
    /// Unix milliseconds of the last reset, or of the start.
    pub reset_ms: AtomicI64,
}

struct Base {
    counters: [u64; COUNTERS],
    commands: Vec<CommandCounts>,
}

/// What a thread has.
struct Thread {
    /// Its shard of each engine it works for; nearly always one.
    shards: Vec<(u64, Arc<Shard>)>,
    /// Nothing is counted in it. All engines number their commands from zero, so it does for each.
    spare: Option<Box<Gathered>>,
}

thread_local! {
    static THREAD: RefCell<Thread> = const {
        RefCell::new(Thread {
            shards: Vec::new(),
            spare: None,
        })
    };
}

/// Error codes kept apart; beyond it they are counted together, as a script can make up codes.
const ERROR_CODES_MAX: usize = 128;

impl Stats {
    /// Counters for `commands` commands.
    pub(crate) fn new(commands: usize) -> Stats {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Stats {
            id: NEXT.fetch_add(1, Relaxed),
            commands,
            shards: Mutex::default(),
            base: Mutex::new(Base {
                counters: [0; COUNTERS],
                commands: vec![CommandCounts::default(); commands],
            }),
            errors: Mutex::default(),
            peak_memory: AtomicU64::new(0),
            peak_ms: AtomicI64::new(0),
            reset_ms: AtomicI64::new(0),
        }
    }

    fn with_shard<R>(&self, work: impl FnOnce(&Shard, &mut Option<Box<Gathered>>) -> R) -> R {
        THREAD.with_borrow_mut(|Thread { shards, spare }| {
            if let Some((_, shard)) = shards.iter().find(|(id, _)| *id == self.id) {
                return work(shard, spare);
            }
            let shard = self.adopt_shard();
            // A shard that only this thread still holds belongs to an engine that is gone.
            shards.retain(|(_, s)| Arc::strong_count(s) > 1);
            shards.push((self.id, shard.clone()));
            work(&shard, spare)
        })
    }

    /// A shard for a thread that has none: that of a thread which has ended, or a new one.
    ///
    /// Long commands make the runtime start and end threads all the time.
    fn adopt_shard(&self) -> Arc<Shard> {
        let mut shards = self.shards.lock();
        // Only this list holds the shard of an ended thread, and only here, under its lock, is one shared.
        if let Some(orphan) = shards.iter().find(|s| Arc::strong_count(s) == 1) {
            return orphan.clone();
        }
        let shard = Arc::new(Shard::new(self.commands));
        shards.push(shard.clone());
        shard
    }

    /// Adds to a counter, in this thread's shard.
    pub fn add(&self, counter: Counter, n: u64) {
        self.with_shard(|s, _| bump(&s.counters[counter as usize], n));
    }

    /// Counts an error reply by its code.
    pub fn error(&self, code: &str) {
        let mut errors = self.errors.lock();
        let code = if errors.len() >= ERROR_CODES_MAX && !errors.contains_key(code) {
            "OTHER"
        } else {
            code
        };
        *errors.entry(code.to_owned()).or_default() += 1;
    }

    /// Error replies by code.
    pub fn errors(&self) -> Vec<(String, u64)> {
        self.errors
            .lock()
            .iter()
            .map(|(k, v)| (k.clone(), *v))
            .collect()
    }

    fn raw(&self, counter: usize) -> u64 {
        self.shards
            .lock()
            .iter()
            .map(|s| s.counters[counter].load(Relaxed))
            .sum()
    }

    /// A counter's value since the last reset.
    pub fn get(&self, counter: Counter) -> u64 {
        self.raw(counter as usize)
            .saturating_sub(self.base.lock().counters[counter as usize])
    }

    /// A command's counts since the last reset.
    pub fn command(&self, index: usize) -> CommandCounts {
        let mut sum = self.raw_command(index);
        if let Some(base) = self.base.lock().commands.get(index) {
            sum.add(base, -1);
        }
        sum
    }

    fn raw_command(&self, index: usize) -> CommandCounts {
        let mut sum = CommandCounts::default();
        for shard in self.shards.lock().iter() {
            if let Some(counts) = shard.commands.get(index) {
                sum.add(&counts.read(), 1);
            }
        }
        sum
    }

    /// Starts every counter over (CONFIG RESETSTAT).
    pub fn reset(&self, now_ms: i64) {
        let counters = std::array::from_fn(|i| self.raw(i));
        let commands = (0..self.commands).map(|i| self.raw_command(i)).collect();
        *self.base.lock() = Base { counters, commands };
        self.errors.lock().clear();
        self.reset_ms.store(now_ms, Relaxed);
    }

    /// Starts the latency histogram of one command over (LATENCY keeps calls and time).
    pub fn reset_latency(&self, index: usize) {
        let raw = self.raw_command(index).latency;
        if let Some(base) = self.base.lock().commands.get_mut(index) {
            base.latency = raw;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_come_and_go_share_a_shard_and_lose_no_count() {
        let stats = Arc::new(Stats::new(1));
        for _ in 0..20 {
            let stats = stats.clone();
            std::thread::spawn(move || stats.add(Counter::Connections, 1))
                .join()
                .unwrap();
        }
        assert_eq!(stats.get(Counter::Connections), 20);
        assert_eq!(stats.shards.lock().len(), 1);
    }
}
