//! One thread: an event loop with connections of its own.
//!
//! Invariants
//! - The loop waits for nothing but events; what a socket has no room for is kept by its connection.
//! - A read of replies, one reading of the clock, and a write of the next requests are all that a batch costs, besides
//!   its part of a wait for events.
//! - It looks at the flag that ends a run at least every [`GLANCE`].

mod closed;
mod open;

use crate::connection::{Connection, Phase, Tally};
use crate::failure::Failure;
use crate::keys::Keys;
use crate::load::{Load, Shared, nanos};
use crate::poller::Poller;
use crate::request::Composer;
use crate::stats::{Counts, INTERVAL};
use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// Bytes read at once.
const READ: usize = 64 * 1024;
/// Connections that are opened before the first of them is waited for, well below the backlog of servers.
const OPENED_AT_ONCE: usize = 128;
/// Longest wait for events.
const GLANCE: Duration = Duration::from_millis(100);

/// What a thread tells the one that collects.
pub(crate) enum Told {
    /// Its connections are ready for requests.
    Ready,
    /// What it counted in interval `index`.
    Interval {
        thread: usize,
        index: u64,
        counts: Box<Counts>,
    },
    /// It has finished; the last reply came at `last`, in nanoseconds from the start.
    Done {
        thread: usize,
        index: u64,
        counts: Box<Counts>,
        last: u64,
    },
    Failed(Failure),
}

/// A connection and what it is to send next.
struct Slot {
    connection: Connection,
    /// Requests that it will send when it is ready; with a new connection each only.
    assigned: Range<u64>,
    /// It can take another request; in the open loop only.
    is_free: bool,
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    load: &'a Load,
    thread: usize,
    poller: Poller,
    slots: Vec<Slot>,
    composer: Composer<'a>,
    counts: Counts,
    buffer: Vec<u8>,
    tell: Sender<Told>,
    /// When the run began.
    epoch: Instant,
    /// Nanoseconds from then on to the first request that counts.
    from: u64,
    /// When counts are told next, in nanoseconds.
    next_tick: u64,
    /// The last reply that counts came then.
    last: u64,
}

/// The whole life of a thread; what it counts and how it ends goes to `tell`.
pub(crate) fn run(
    shared: &Shared<'_>,
    thread: usize,
    tell: Sender<Told>,
    start: &Receiver<Instant>,
) {
    let worked = Worker::new(shared, thread, tell.clone()).and_then(|mut worker| {
        worker.open_all()?;
        // Nobody listens when another thread has failed; then nobody starts us either.
        let _ = tell.send(Told::Ready);
        match start.recv() {
            Ok(epoch) => worker.work(epoch),
            Err(_) => Err(Failure::Stopped),
        }
    });
    if let Err(failure) = worked {
        let _ = tell.send(Told::Failed(failure));
    }
}

impl<'a> Worker<'a> {
    fn new(
        shared: &'a Shared<'a>,
        thread: usize,
        tell: Sender<Told>,
    ) -> Result<Worker<'a>, Failure> {
        let load = shared.load;
        let seed = load.seed.wrapping_add(thread as u64);
        let keys = Keys::new(load.distribution, load.keyspace, seed);
        let from = nanos(load.warmup);
        let interval = nanos(INTERVAL);
        Ok(Worker {
            shared,
            load,
            thread,
            poller: Poller::new().map_err(|e| Failure::io(&e))?,
            slots: Vec::new(),
            composer: Composer::new(shared.kinds, &shared.making, keys, load.pipeline),
            counts: Counts::new(shared.kinds.len(), load.rate.is_some()),
            buffer: vec![0; READ],
            tell,
            epoch: Instant::now(),
            from,
            // So that one tick is when the warm-up ends.
            next_tick: match from % interval {
                0 => interval,
                rest => rest,
            },
            last: from,
        })
    }

    /// Connections of this thread: an even part of all.
    fn clients(&self) -> usize {
        let (all, threads) = (self.load.clients, self.load.threads);
        all / threads + usize::from(self.thread < all % threads)
    }

    fn open_all(&mut self) -> Result<(), Failure> {
        let clients = self.clients();
        while self.slots.len() < clients {
            let first = self.slots.len();
            for token in first..clients.min(first + OPENED_AT_ONCE) {
                let connection = Connection::open(self.shared.target, self.clock())?;
                let added = self
                    .poller
                    .add(connection.socket(), token, connection.interest);
                added.map_err(|e| Failure::io(&e))?;
                self.slots.push(Slot {
                    connection,
                    assigned: 0..0,
                    is_free: true,
                });
            }
            self.make_ready(first)?;
        }
        Ok(())
    }

    /// Waits until the connections from `first` on are ready.
    fn make_ready(&mut self, first: usize) -> Result<(), Failure> {
        let mut since = Instant::now();
        let is_ready = |slot: &Slot| slot.connection.phase == Phase::Ready;
        while !self.slots[first..].iter().all(is_ready) {
            self.wait(None)?;
            if self.poller.len() > 0 {
                since = Instant::now();
            } else if since.elapsed() >= self.load.timeout {
                return Err(self.not_ready());
            }
            for at in 0..self.poller.len() {
                let Some((token, flags)) = self.poller.event(at) else {
                    continue;
                };
                let now = self.clock();
                let connection = &mut self.slots[token].connection;
                if connection.phase == Phase::Ready {
                    connection.idle(&mut self.buffer)?;
                } else {
                    connection.prepare(self.shared.target, flags, &mut self.buffer, now)?;
                }
                self.adjust(token)?;
            }
        }
        Ok(())
    }

    /// Why connections are not ready, although nothing has gone wrong.
    fn not_ready(&self) -> Failure {
        let is_connecting = |slot: &Slot| slot.connection.phase == Phase::Connecting;
        if self.slots.iter().any(is_connecting) {
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Failure::connect(&self.shared.target.place, &error);
        }
        Failure::Silent(self.load.timeout)
    }

    fn work(&mut self, epoch: Instant) -> Result<(), Failure> {
        self.epoch = epoch;
        if self.load.is_idle {
            self.idle()?;
        } else if let Some(rate) = self.load.rate {
            self.open_loop(rate)?;
        } else {
            self.closed_loop()?;
        }
        let index = self.interval_of(self.next_tick);
        let counts = self.take_counts();
        let last = self.last;
        // The collector is gone only when the run is given up.
        let _ = self.tell.send(Told::Done {
            thread: self.thread,
            index,
            counts,
            last,
        });
        Ok(())
    }

    /// Holds connections and sends nothing.
    fn idle(&mut self) -> Result<(), Failure> {
        let end = self.end();
        while self.clock() < end {
            self.wait(None)?;
            for at in 0..self.poller.len() {
                if let Some((token, _)) = self.poller.event(at) {
                    self.slots[token].connection.idle(&mut self.buffer)?;
                }
            }
            self.tick(self.clock())?;
        }
        Ok(())
    }

    #[inline]
    fn clock(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// When no more requests are sent, in nanoseconds.
    fn end(&self) -> u64 {
        let duration = self.load.duration.map_or(u64::MAX, nanos);
        self.from.saturating_add(duration)
    }

    /// Waits for events, and no longer than is good for a glance at the flag.
    fn wait(&mut self, wake_in: Option<u64>) -> Result<(), Failure> {
        let waited = self
            .poller
            .wake_in(wake_in)
            .and_then(|()| self.poller.wait(GLANCE));
        waited.map_err(|e| Failure::io(&e))?;
        match self.shared.stop.load(Ordering::Relaxed) {
            true => Err(Failure::Stopped),
            false => Ok(()),
        }
    }

    /// Asks the kernel for what a connection waits for, if that has changed.
    #[inline]
    fn adjust(&mut self, token: usize) -> Result<(), Failure> {
        let connection = &mut self.slots[token].connection;
        let wanted = connection.wanted();
        if wanted == connection.interest {
            return Ok(());
        }
        connection.interest = wanted;
        let modified = self.poller.modify(connection.socket(), token, wanted);
        modified.map_err(|e| Failure::io(&e))
    }

    /// Counts the replies that have come on a connection; returns the time.
    #[inline]
    fn receive(&mut self, token: usize) -> Result<u64, Failure> {
        let mut tally = Tally {
            counts: &mut self.counts,
            from: self.from,
            keep_going: self.load.keep_going,
        };
        let epoch = self.epoch;
        let connection = &mut self.slots[token].connection;
        let now = connection.receive(&mut self.buffer, &mut tally, || nanos(epoch.elapsed()))?;
        self.last = self.last.max(now);
        Ok(now)
    }

    fn interval_of(&self, tick: u64) -> u64 {
        tick.saturating_sub(self.from)
            .div_ceil(nanos(INTERVAL))
            .saturating_sub(1)
    }

    fn take_counts(&mut self) -> Box<Counts> {
        let empty = Counts::new(self.shared.kinds.len(), self.load.rate.is_some());
        Box::new(std::mem::replace(&mut self.counts, empty))
    }

    /// Tells what was counted, when it is time, and notices silence.
    #[inline]
    fn tick(&mut self, now: u64) -> Result<(), Failure> {
        if now < self.next_tick {
            return Ok(());
        }
        let tick = self.next_tick;
        let interval = nanos(INTERVAL);
        while self.next_tick <= now {
            self.next_tick = self.next_tick.saturating_add(interval);
        }
        if tick > self.from {
            let index = self.interval_of(tick);
            let counts = self.take_counts();
            let _ = self.tell.send(Told::Interval {
                thread: self.thread,
                index,
                counts,
            });
        }
        let timeout = nanos(self.load.timeout);
        let is_silent = |slot: &Slot| {
            let connection = &slot.connection;
            let waits = connection.in_flight > 0 || connection.phase != Phase::Ready;
            waits && now.saturating_sub(connection.since) > timeout
        };
        match self.slots.iter().any(is_silent) {
            true => Err(Failure::Silent(self.load.timeout)),
            false => Ok(()),
        }
    }
}
