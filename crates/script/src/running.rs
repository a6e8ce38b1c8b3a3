//! The scripts that have been running for a while: what SCRIPT KILL and FUNCTION STATS look at.
//!
//! A script enters when it first looks at the time, so that short ones cost nothing here.

use ochre_engine::error::CommandError;
use ochre_resp::RequestBuf;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// A script that is running.
pub(crate) struct Running {
    /// Its SHA-1 or its function's name.
    pub(crate) name: Vec<u8>,
    /// The request that called it.
    pub(crate) command: RequestBuf,
    pub(crate) function: bool,
    pub(crate) started: Instant,
    pub(crate) wrote: AtomicBool,
    pub(crate) killed: AtomicBool,
    /// Has run for longer than `busy-reply-threshold`.
    pub(crate) busy: AtomicBool,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Register {
    all: Mutex<Vec<Arc<Running>>>,
    /// How many there are, to look at without the lock.
    count: AtomicUsize,
    busy: AtomicUsize,
}

impl Register {
    pub(crate) fn enter(&self, running: Running) -> Arc<Running> {
        let running = Arc::new(running);
        self.all.lock().push(running.clone());
        self.count.fetch_add(1, Relaxed);
        running
    }

    pub(crate) fn leave(&self, running: &Arc<Running>) {
        self.all.lock().retain(|other| !Arc::ptr_eq(other, running));
        self.count.fetch_sub(1, Relaxed);
        if running.busy.load(Relaxed) {
            self.busy.fetch_sub(1, Relaxed);
        }
    }

    /// Notes that a script has become busy.
    pub(crate) fn becomes_busy(&self, running: &Running) {
        if !running.busy.swap(true, Relaxed) {
            self.busy.fetch_add(1, Relaxed);
        }
    }

    /// Whether there are any.
    pub(crate) fn is_any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// What others are told while a script is busy.
    pub(crate) fn busy(&self) -> Option<CommandError> {
        if self.busy.load(Relaxed) == 0 {
            return None;
        }
        self.longest_busy().map(|running| busy_error(&running))
    }

    /// The busy script that has been running longest.
    pub(crate) fn longest_busy(&self) -> Option<Arc<Running>> {
        let all = self.all.lock();
        let busy = all.iter().filter(|running| running.busy.load(Relaxed));
        busy.min_by_key(|running| running.started).cloned()
    }

    /// Ends the busy scripts, or functions, that have changed nothing.
    pub(crate) fn kill(&self, functions: bool) -> Result<(), CommandError> {
        let all = self.all.lock();
        let busy = || all.iter().filter(|running| running.busy.load(Relaxed));
        let Some(first) = busy().next() else {
            return Err(CommandError::NOT_BUSY);
        };
        let mut wanted = busy()
            .filter(|running| running.function == functions)
            .peekable();
        if wanted.peek().is_none() {
            return Err(busy_error(first));
        }
        let mut killed = false;
        for running in wanted.filter(|running| !running.wrote.load(Relaxed)) {
            running.killed.store(true, Relaxed);
            killed = true;
        }
        if killed {
            Ok(())
        } else {
            Err(CommandError::UNKILLABLE)
        }
    }
}

fn busy_error(running: &Running) -> CommandError {
    if running.function {
        CommandError::BUSY_FUNCTION
    } else {
        CommandError::BUSY_SCRIPT
    }
}
