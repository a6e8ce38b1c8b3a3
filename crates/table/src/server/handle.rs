//! The connections of a server, so that they can be counted, found idle, and told to go.

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What others may do to a connection.
pub(super) struct Handle {
    stop: AtomicBool,
    /// Milliseconds of the server's clock at which it was last active; [`BUSY`] while it must not be found idle.
    active_ms: AtomicU64,
    waker: AtomicWaker,
}

/// Something is under way.
const BUSY: u64 = u64::MAX;

/// All connections of a server.
pub(super) struct Registry {
    started: Instant,
    all: Mutex<HashMap<u64, Arc<Handle>>>,
    next: AtomicU64,
    stop: watch::Sender<bool>,
    /// Changes when a connection leaves after the stop.
    left: watch::Sender<()>,
    /// How many listeners are accepted from.
    listeners: watch::Sender<usize>,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry {
            started: Instant::now(),
            all: Mutex::default(),
            next: AtomicU64::new(0),
            stop: watch::Sender::new(false),
            left: watch::Sender::new(()),
            listeners: watch::Sender::new(0),
        }
    }
}

impl Registry {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(0)
    }

    /// Enters a connection; `None` when there are `most`, or the server stops.
    pub(super) fn enter(self: &Arc<Self>, most: usize) -> Option<Entered> {
        let mut all = self.all.lock();
        if all.len() >= most || *self.stop.borrow() {
            return None;
        }
        let id = self.next.fetch_add(1, Relaxed);
        let handle = Arc::new(Handle {
            stop: AtomicBool::new(false),
            active_ms: AtomicU64::new(self.now_ms()),
            waker: AtomicWaker::new(),
        });
        all.insert(id, handle.clone());
        Some(Entered {
            registry: self.clone(),
            id,
            handle,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.all.lock().len()
    }

    pub(super) fn close_idle(&self, idle: Option<Duration>) {
        let Some(idle) = idle else {
            return;
        };
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let now_ms = self.now_ms();
        for handle in self.all.lock().values() {
            let active_ms = handle.active_ms.load(Relaxed);
            if active_ms != BUSY && now_ms.saturating_sub(active_ms) > idle_ms {
                handle.stop();
            }
        }
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
        self.all.lock().values().for_each(|handle| handle.stop());
    }

    /// Ready when a stop was asked for.
    pub(super) async fn stopping(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Counts a listener until what this gives is dropped, which has to be after the listener.
    pub(super) fn listens(self: &Arc<Self>) -> Listens {
        self.listeners.send_modify(|n| *n += 1);
        Listens(self.clone())
    }

    /// Ready when a stop was asked for and neither a listener nor a connection is left.
    pub(super) async fn stopped(&self) {
        self.stopping().await;
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.listeners.subscribe().wait_for(|n| *n == 0).await;
        let mut left = self.left.subscribe();
        while self.len() > 0 && left.changed().await.is_ok() {}
    }
}

/// A listener, counted.
pub(super) struct Listens(Arc<Registry>);

impl Drop for Listens {
    fn drop(&mut self) {
        self.0.listeners.send_modify(|n| *n -= 1);
    }
}

impl Handle {
    fn stop(&self) {
        self.stop.store(true, Relaxed);
        self.waker.wake();
    }
}

/// A connection's own hold of its handle; it leaves when this is dropped.
pub(super) struct Entered {
    registry: Arc<Registry>,
    id: u64,
    handle: Arc<Handle>,
}

impl Entered {
    /// A handle for another stream of the same connection; `None` as of [`Registry::enter`].
    pub(super) fn sibling(&self, most: usize) -> Option<Entered> {
        self.registry.enter(most)
    }

    #[inline]
    pub(super) fn is_stopped(&self) -> bool {
        self.handle.stop.load(Relaxed)
    }

    /// Ready when the connection was told to go; else its task will be woken then.
    #[inline]
    pub(super) fn poll_stopped(&self, cx: &Context<'_>) -> Poll<()> {
        self.handle.waker.register(cx.waker());
        match self.is_stopped() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Ready when the connection was told to go.
    pub(super) async fn stopped(&self) {
        std::future::poll_fn(|cx| self.poll_stopped(cx)).await;
    }

    /// Notes that something was asked for.
    #[inline]
    pub(super) fn active(&self) {
        let now_ms = self.registry.now_ms();
        self.handle.active_ms.store(now_ms, Relaxed);
    }

    /// Notes that the connection is not idle until it is [active](Self::active) again.
    pub(super) fn busy(&self) {
        self.handle.active_ms.store(BUSY, Relaxed);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.registry.all.lock().remove(&self.id);
        self.registry.left.send_replace(());
    }
}
