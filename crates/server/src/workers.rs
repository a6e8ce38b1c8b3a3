//! The worker threads: one Tokio runtime each, and the places of connections at them.
//!
//! Invariants
//! - A connection's socket is registered with its worker's own driver, and its task runs on no other
//!   worker: readiness wakes exactly one thread, and no thread is woken to look for another's work.
//! - A connection has a home, and is there while that worker serves; else it is with one that does. It moves only between
//!   two batches, of its own accord, when the desk of its worker says so.
//! - Each runtime is of the multi-thread kind with one worker, so that long work (`block_in_place`)
//!   hands the other connections to a fresh thread.
//! - The home of a new connection is where the fewest are at home.
//!
//! Does not decide how many workers serve and who moves: `balance.rs` does.
//! Why not one runtime for all: see `docs/decisions/0004-a-runtime-a-worker.md`.

use ochre_engine::exec::Wakes;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// Turns after which a worker that is never idle looks which sockets have become ready; a connection has two for a batch.
/// Looking costs a system call, and the fewer there are the more replies leave in a burst; but nobody's bytes are seen
/// sooner, whatever the pipelines of the others take.
const TURNS_BETWEEN_EVENTS: u32 = 64;

/// Owns the worker threads.
pub(crate) struct Workers {
    runtimes: Vec<Runtime>,
}

impl Workers {
    /// Starts `count` workers, at least one; `started` is called on each of their threads before anything else.
    pub(crate) fn start(
        count: usize,
        started: impl Fn() + Send + Sync + Clone + 'static,
    ) -> io::Result<Workers> {
        let runtime = |_| {
            Builder::new_multi_thread()
                .worker_threads(1)
                .event_interval(TURNS_BETWEEN_EVENTS)
                .thread_name("ochre-worker")
                .on_thread_start(started.clone())
                .enable_all()
                .build()
        };
        let runtimes = (0..count.max(1)).map(runtime).collect::<io::Result<_>>()?;
        Ok(Workers { runtimes })
    }

    /// The worker that accepts connections and waits for signals, beside its own connections.
    pub(crate) fn first(&self) -> &Runtime {
        &self.runtimes[0]
    }

    /// Number of workers.
    pub(crate) fn count(&self) -> usize {
        self.runtimes.len()
    }

    /// Places for connections. `serving`, the number of workers that serve, is shared with who shows it.
    pub(crate) fn seats(&self, serving: Arc<AtomicUsize>) -> Seats {
        let desk = |number| {
            Arc::new(Desk {
                number,
                ..Desk::default()
            })
        };
        let rows = (0..).zip(&self.runtimes);
        let places = rows.map(|(number, r)| (r.handle().clone(), desk(number)));
        Seats {
            places: places.collect(),
            serving,
        }
    }

    /// Ends all workers; tasks that do not end soon are dropped.
    pub(crate) fn stop(self) {
        for runtime in self.runtimes {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

/// The places of connections at the workers. Clones share them.
#[derive(Clone)]
pub(crate) struct Seats {
    places: Arc<[(Handle, Arc<Desk>)]>,
    /// How many workers serve connections: the first ones.
    serving: Arc<AtomicUsize>,
}

/// What the connections of a worker have in common. Aligned, so that two workers' desks share no cache line, nor a pair that
/// is fetched together.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Desk {
    /// The number of the worker.
    number: u32,
    /// How many connections are at home here.
    homes: AtomicUsize,
    /// The [`Order`] that holds, as a number.
    order: AtomicU64,
    /// How many connections have seen it.
    followers: AtomicU64,
    /// Whom they have served or sent messages to in this turn. Woken one by one, a connection of another worker would
    /// often be done before the next is woken, and its worker fall asleep and be woken again for each.
    wakes: Mutex<Wakes>,
}

impl Desk {
    /// Takes over whom a batch has to wake. Who calls this calls [`Self::wake`] when the turn is over.
    pub(crate) fn keep(&self, wakes: &mut Wakes) {
        self.wakes.lock().append(wakes);
    }

    /// Wakes all of them.
    pub(crate) fn wake(&self) {
        self.wakes.lock().wake();
    }
}

/// What the connections of a worker are told: a share of them, of those that have something to do meanwhile, has its home
/// at another worker from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    /// The number of that worker.
    pub(crate) to: u16,
    /// In parts of [`Order::ALL`]; 0 means that nobody's home changes.
    pub(crate) share: u16,
}

impl Order {
    /// The share that is everybody.
    pub(crate) const ALL: u16 = u16::MAX;
    /// Nobody's home changes.
    pub(crate) const STAY: Order = Order { to: 0, share: 0 };

    #[allow(clippy::cast_possible_truncation)] // the word is cut into its parts
    fn of(word: u64) -> Order {
        Order {
            to: (word >> 16) as u16,
            share: word as u16,
        }
    }

    /// The word of this order when `last` was the one before: never the same.
    fn word(self, last: u64) -> u64 {
        let number = (last >> 32).wrapping_add(1);
        number << 32 | u64::from(self.to) << 16 | u64::from(self.share)
    }

    /// Whether the `n`th connection that sees the order follows it. They are taken evenly, and of few busy ones rather
    /// none: a single one would take its load to and fro.
    fn moves(self, n: u64) -> bool {
        let (share, all) = (u64::from(self.share), u64::from(Order::ALL));
        n.wrapping_add(1).wrapping_mul(share) / all > n.wrapping_mul(share) / all
    }
}

/// No word of an order: no worker has such a number.
const UNKNOWN: u64 = u64::MAX;

/// A connection's place at a worker. Its home is free again when it is dropped.
pub(crate) struct Seat {
    pub(crate) worker: Handle,
    pub(crate) desk: Arc<Desk>,
    /// Where it is when all workers serve.
    home: Arc<Desk>,
    /// The order that the connection knows. It knows none at first: how many workers serve may have changed while it was
    /// placed.
    known: u64,
}

impl Seat {
    /// The number of its worker.
    pub(crate) fn number(&self) -> u32 {
        self.desk.number
    }

    /// Whether there is an order that the connection has not seen. One load of a line that is seldom written.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.desk.order.load(Relaxed) != self.known
    }
}

impl Seats {
    /// A place for a new connection, whose home is the worker where the fewest are. `None` when there is no worker.
    pub(crate) fn take(&self) -> Option<Seat> {
        let least = |(_, desk): &&(Handle, Arc<Desk>)| desk.homes.load(Relaxed);
        let (_, home) = self.places.iter().min_by_key(least)?;
        self.sit(home)
    }

    /// The place of a connection at home at `home`.
    fn sit(&self, home: &Arc<Desk>) -> Option<Seat> {
        let serving = self.serving.load(Relaxed).clamp(1, self.places.len());
        let (worker, desk) = self.places.get(home.number as usize % serving)?;
        home.homes.fetch_add(1, Relaxed);
        Some(Seat {
            worker: worker.clone(),
            desk: desk.clone(),
            home: home.clone(),
            known: UNKNOWN,
        })
    }

    /// The place to move to, if that is what the news means for the connection at `seat`.
    #[cold]
    pub(crate) fn follow(&self, seat: &mut Seat) -> Option<Seat> {
        // Before `sit` looks how many workers serve: what is told later is news again.
        let known = seat.desk.order.load(Acquire);
        let order = Order::of(known);
        let follows = order.moves(seat.desk.followers.fetch_add(1, Relaxed));
        let new_home = self.places.get(usize::from(order.to)).filter(|_| follows);
        let place = self.sit(new_home.map_or(&seat.home, |(_, desk)| desk))?;
        if !Arc::ptr_eq(&place.desk, &seat.desk) {
            return Some(place);
        }
        *seat = place;
        seat.known = known;
        None
    }

    /// How many workers there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// How long each worker has been busy since it was started.
    pub(crate) fn busy(&self) -> impl Iterator<Item = Duration> + '_ {
        let places = self.places.iter();
        places.map(|(worker, _)| worker.metrics().worker_total_busy_duration(0))
    }

    /// Has the first `serving` workers serve, at least one. Connections learn it by the orders given next.
    pub(crate) fn serve_with(&self, serving: usize) {
        self.serving.store(serving.max(1), Relaxed);
    }

    /// Gives `order` to the connections that are at worker `of`, if it is not the one that holds, or if `anew`.
    pub(crate) fn tell(&self, of: usize, order: Order, anew: bool) {
        let Some((_, desk)) = self.places.get(of) else {
            return;
        };
        let last = desk.order.load(Relaxed);
        if anew || Order::of(last) != order {
            desk.followers.store(0, Relaxed);
            desk.order.store(order.word(last), Release);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.home.homes.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followers(share: u16, of: u64) -> usize {
        let order = Order { to: 1, share };
        (0..of).filter(|n| order.moves(*n)).count()
    }

    #[test]
    fn an_order_is_followed_by_its_share() {
        assert_eq!(followers(0, 1000), 0);
        assert_eq!(followers(Order::ALL, 1000), 1000);
        assert_eq!(followers(Order::ALL / 2 + 1, 1000), 500);
        assert_eq!(followers(Order::ALL / 4 + 1, 1000), 250);
        // The only one stays, with all of its load.
        assert_eq!(followers(Order::ALL / 2, 1), 0);
    }

    #[test]
    fn an_order_survives_as_a_word_that_is_new_each_time() {
        let order = Order { to: 513, share: 9 };
        let first = order.word(0);
        let second = order.word(first);
        assert_eq!((Order::of(first), Order::of(second)), (order, order));
        assert_ne!(first, second);
    }
}
