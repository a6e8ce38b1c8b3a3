//! Drops large values, collections and whole stripes away from locks and workers, on one background thread.
//!
//! Invariant: the queue is unbounded in length but each item's memory was already allocated, so it
//! never holds more than the keyspace did. If the thread is gone, the value is dropped in place.

use crate::keyspace::{Garbage, Object, Stripe};
use ochre_ds::blob::Blob;
use ochre_ds::list::Removed;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};

/// Collections from this size are dropped in the background: below it, freeing costs less than the hand-over.
const BACKGROUND_MIN: usize = 64 * 1024;
/// Strings from this size are dropped in the background. One is a single allocation, which is given back in less time than
/// it takes to wake a thread, until the allocator returns its pages.
const BACKGROUND_MIN_STRING: usize = 1024 * 1024;

enum Item {
    Blob(Blob),
    Object(Object),
    Chunks(Removed),
    Stripe(Box<Stripe>),
}

/// Hands values to the background thread.
pub struct Reclaimer {
    /// `None` only while the reclaimer is being dropped.
    queue: Option<mpsc::Sender<Item>>,
    thread: Option<std::thread::JoinHandle<()>>,
    pending: Arc<AtomicU64>,
    freed: Arc<AtomicU64>,
}

impl Reclaimer {
    /// Starts the thread; dropping the reclaimer waits until it has dropped what was handed over.
    pub(crate) fn start() -> Reclaimer {
        let (queue, items) = mpsc::channel::<Item>();
        let (pending, freed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (waiting, done) = (pending.clone(), freed.clone());
        // If no thread can be started, `send` fails and values are dropped by whoever removed them.
        let thread = std::thread::Builder::new()
            .name("ochre-reclaim".to_owned())
            .spawn(move || {
                for item in items {
                    let count = match item {
                        Item::Blob(blob) => {
                            drop(blob);
                            1
                        }
                        Item::Object(object) => {
                            drop(object);
                            1
                        }
                        Item::Chunks(chunks) => {
                            drop(chunks);
                            1
                        }
                        Item::Stripe(stripe) => stripe.len() as u64,
                    };
                    waiting.fetch_sub(count.min(waiting.load(Relaxed)), Relaxed);
                    done.fetch_add(count, Relaxed);
                }
            })
            .ok();
        Reclaimer {
            queue: Some(queue),
            thread,
            pending,
            freed,
        }
    }

    /// Hands an item over; gives it back when there is no thread to take it.
    fn send(&self, item: Item) -> Option<Item> {
        match &self.queue {
            Some(queue) => queue.send(item).err().map(|e| e.0),
            None => Some(item),
        }
    }

    /// Drops what was removed, here if it is small.
    pub(crate) fn discard(&self, garbage: Garbage) {
        let item = match garbage {
            Garbage::Blob(blob) if blob.len() >= BACKGROUND_MIN_STRING => Item::Blob(blob),
            Garbage::Object(object) if object.bytes() >= BACKGROUND_MIN => Item::Object(object),
            Garbage::Chunks(chunks) if chunks.bytes() >= BACKGROUND_MIN => Item::Chunks(chunks),
            small => return drop(small),
        };
        self.pending.fetch_add(1, Relaxed);
        // A failed send gives the value back, and it is dropped here.
        drop(self.send(item));
    }

    /// Drops whole stripes.
    pub(crate) fn stripes(&self, stripes: Vec<Stripe>) {
        for stripe in stripes.into_iter().filter(|s| !s.is_empty()) {
            self.pending.fetch_add(stripe.len() as u64, Relaxed);
            // A failed send gives the value back, and it is dropped here.
            drop(self.send(Item::Stripe(Box::new(stripe))));
        }
    }

    /// Values waiting to be dropped.
    pub fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    /// Values dropped so far.
    pub fn freed(&self) -> u64 {
        self.freed.load(Relaxed)
    }
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by itself.
            let _ = thread.join();
        }
    }
}
