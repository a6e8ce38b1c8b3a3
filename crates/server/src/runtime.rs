//! The engine's port to Tokio: long work, logging, the orderly stop.

use crate::log::Log;
use ochre_engine::ports::{LogLevel, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How much long work workers have had.
#[derive(Default)]
pub(crate) struct LongWork {
    nanos: AtomicU64,
    running: AtomicUsize,
}

impl LongWork {
    fn begin(&self) -> Running<'_> {
        self.running.fetch_add(1, Relaxed);
        Running(self, Instant::now())
    }

    /// How long all that has ended took.
    pub(crate) fn done(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Relaxed))
    }

    /// How many run now.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Relaxed)
    }
}

/// Long work that has not ended; also when it panics it ends with this.
struct Running<'a>(&'a LongWork, Instant);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let nanos = u64::try_from(self.1.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.nanos.fetch_add(nanos, Relaxed);
        self.0.running.fetch_sub(1, Relaxed);
    }
}

/// See the module's documentation.
pub(crate) struct ServerRuntime {
    pub(crate) log: Arc<Log>,
    pub(crate) long_work: Arc<LongWork>,
    stop: watch::Sender<bool>,
}

impl ServerRuntime {
    pub(crate) fn new(log: Arc<Log>) -> ServerRuntime {
        ServerRuntime {
            log,
            long_work: Arc::default(),
            stop: watch::Sender::new(false),
        }
    }

    /// Ready when the server is to stop.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

impl Runtime for ServerRuntime {
    fn log(&self, level: LogLevel, message: &str) {
        self.log.write(level, message);
    }

    fn long(&self, work: &mut dyn FnMut()) {
        use tokio::runtime::{Handle, RuntimeFlavor};
        match Handle::try_current().map(|h| h.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => {
                let _running = self.long_work.begin();
                tokio::task::block_in_place(work);
            }
            // Embedded in a single-threaded runtime, or called from a thread of its own.
            _ => work(),
        }
    }

    fn breathe(&self) {
        // A thread that waits for this core would else wait for the rest of this one's slice, some milliseconds.
        std::thread::yield_now();
    }

    fn shutdown(&self) {
        self.stop.send_replace(true);
    }

    fn entropy(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        use rustix::rand::{GetRandomFlags, getrandom};
        let mut filled = 0;
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        Ok(())
    }

    fn cpu_seconds(&self) -> [f64; 4] {
        // Fields 14 to 17 of proc(5) stat, in clock ticks, counted behind the command's name.
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields: Vec<&str> = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        std::array::from_fn(|i| {
            let value: u32 = fields.get(11 + i).and_then(|f| f.parse().ok()).unwrap_or(0);
            f64::from(value) / f64::from(u32::try_from(ticks).unwrap_or(100))
        })
    }
}
