//! The worker threads: one Tokio runtime each, and every connection stays with the one that it was given.
//!
//! Invariants
//! - A connection's socket is registered with its worker's own driver, and its task runs on no other
//!   worker: readiness wakes exactly one thread, and no thread is woken to look for another's work.
//! - Each runtime is of the multi-thread kind with one worker, so that long work (`block_in_place`)
//!   hands the other connections to a fresh thread.
//! - New connections go to the worker with the fewest.
//!
//! Why not one runtime for all: see `docs/decisions/0004-a-runtime-a-worker.md`.

use ochre_engine::exec::Wakes;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
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

    /// Places for connections.
    pub(crate) fn seats(&self) -> Seats {
        let row = |r: &Runtime| (r.handle().clone(), Arc::default());
        Seats(self.runtimes.iter().map(row).collect())
    }

    /// Ends all workers; tasks that do not end soon are dropped.
    pub(crate) fn stop(self) {
        for runtime in self.runtimes {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

/// Chooses workers for connections. Clones share the places.
#[derive(Clone)]
pub(crate) struct Seats(Vec<(Handle, Arc<Desk>)>);

/// What the connections of a worker have in common.
#[derive(Default)]
pub(crate) struct Desk {
    /// How many there are.
    taken: AtomicUsize,
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

/// A connection's place at a worker, free again when it is dropped.
pub(crate) struct Seat {
    pub(crate) worker: Handle,
    pub(crate) desk: Arc<Desk>,
}

impl Seats {
    /// A place at the worker with the fewest connections. `None` when there is no worker.
    pub(crate) fn take(&self) -> Option<Seat> {
        let (worker, desk) = (self.0.iter()).min_by_key(|(_, desk)| desk.taken.load(Relaxed))?;
        desk.taken.fetch_add(1, Relaxed);
        Some(Seat {
            worker: worker.clone(),
            desk: desk.clone(),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.desk.taken.fetch_sub(1, Relaxed);
    }
}
