//! Client-side caching: values kept here until the server says that they changed (RESP3, `CLIENT TRACKING`).
//!
//! Invariants
//! - A value that was read before its key's invalidation arrived is never kept after it: an invalidation, a lost
//!   connection or missed messages move `epoch` on, and a reply is kept only if the epoch is that of its request.
//! - At most [`CachedClient::capacity`] values are kept; the one used longest ago goes first.
//! - Kept values are copies of their own, so that a small one does not keep a whole read buffer.

use crate::arg::cmd;
use crate::error::Error;
use crate::error::{ErrorKind, Executed};
use crate::manager::Push;
use crate::multiplexed::MultiplexedClient;
use crate::value::Value;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::AbortHandle;

/// Values that a cache keeps by default.
pub const CACHE_CAPACITY: usize = 10_000;

/// A client that answers repeated GETs by itself.
///
/// Needs a server that tracks (Redis from 6.0 on) and RESP3. Between a change on the server and the arrival of its
/// message a cached value may be old, by about a round trip.
///
/// ```no_run
/// # async fn example() -> Result<(), ochre_client::Error> {
/// use ochre_client::{CachedClient, MultiplexedClient};
///
/// let client = MultiplexedClient::connect("127.0.0.1:6379").await?;
/// let cached = CachedClient::over(client, 10_000).await?;
/// let first = cached.get("key").await?; // asks the server
/// let again = cached.get("key").await?; // does not
/// assert_eq!(first, again);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CachedClient {
    client: MultiplexedClient,
    cache: Arc<Cache>,
    _listening: Arc<Listening>,
}

/// Ends the listening task with the last handle.
struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Cache {
    entries: Mutex<Entries>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Entries {
    values: HashMap<Bytes, Entry>,
    /// Keys by the time of their last use.
    order: BTreeMap<u64, Bytes>,
    clock: u64,
    /// Moves on with every invalidation.
    epoch: u64,
    /// The connection whose messages are listened to.
    connection: u64,
    capacity: usize,
}

struct Entry {
    value: Option<Bytes>,
    used: u64,
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics under the lock, apart from exhaustion of memory, which aborts.
        self.entries.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Entries {
    fn forget_all(&mut self) {
        self.epoch += 1;
        self.values.clear();
        self.order.clear();
    }

    fn forget(&mut self, key: &[u8]) {
        self.epoch += 1;
        if let Some(entry) = self.values.remove(key) {
            self.order.remove(&entry.used);
        }
    }

    fn find(&mut self, key: &[u8]) -> Option<Option<Bytes>> {
        let entry = self.values.get_mut(key)?;
        self.clock += 1;
        let name = self.order.remove(&entry.used);
        entry.used = self.clock;
        self.order.extend(name.map(|name| (self.clock, name)));
        Some(entry.value.clone())
    }

    fn keep(&mut self, key: Bytes, value: Option<Bytes>) {
        self.clock += 1;
        let entry = Entry {
            value,
            used: self.clock,
        };
        self.order.insert(self.clock, key.clone());
        if let Some(old) = self.values.insert(key, entry) {
            self.order.remove(&old.used);
        }
        while self.values.len() > self.capacity {
            let Some((_, oldest)) = self.order.pop_first() else {
                return;
            };
            self.values.remove(&oldest);
        }
    }
}

impl CachedClient {
    /// Switches tracking on for the connection of `client`, also for the connections that follow it, and keeps up to
    /// `capacity` values. Other handles of the same client are not disturbed.
    ///
    /// # Errors
    /// When the connection does not speak RESP3 or the server does not track.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping the future may leave tracking switched on, which costs the server memory only.
    pub async fn over(client: MultiplexedClient, capacity: usize) -> Result<CachedClient, Error> {
        if !client.is_resp3() {
            let text = "client-side caching needs RESP3".to_owned();
            return Err(Error::new(ErrorKind::Unsuitable(text), Executed::No));
        }
        let cache = Arc::new(Cache {
            entries: Mutex::new(Entries {
                values: HashMap::new(),
                order: BTreeMap::new(),
                clock: 0,
                epoch: 0,
                connection: client.connections(),
                capacity: capacity.max(1),
            }),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        });
        let mut pushes = client.pushes();
        // First for the connections to come, then for this one: if it is lost in between, the next one tracks.
        let tracking = cmd("CLIENT TRACKING ON");
        client.shared().add_prelude(tracking.clone());
        client.run::<()>(tracking).await?;
        let listener = cache.clone();
        let task = tokio::spawn(async move {
            loop {
                match pushes.recv().await {
                    Ok(push) => invalidate(&listener, &push),
                    Err(RecvError::Lagged(_)) => listener.lock().forget_all(),
                    Err(RecvError::Closed) => return listener.lock().forget_all(),
                }
                // What has come already is dealt with before others run.
                loop {
                    match pushes.try_recv() {
                        Ok(push) => invalidate(&listener, &push),
                        Err(TryRecvError::Lagged(_)) => listener.lock().forget_all(),
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
            }
        });
        Ok(CachedClient {
            client,
            cache,
            _listening: Arc::new(Listening(task.abort_handle())),
        })
    }

    /// The value of a key, from here if it is known.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// # Cancel safety
    /// As for [`MultiplexedClient::run`].
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        let key = key.as_ref();
        let epoch = {
            let mut entries = self.cache.lock();
            let connected = self.client.is_connected();
            let connection = self.client.connections();
            if entries.connection != connection || !connected {
                // Messages of the old connection may have been lost with it.
                entries.connection = connection;
                entries.forget_all();
            }
            if let Some(value) = entries.find(key) {
                self.cache.hits.fetch_add(1, Relaxed);
                return Ok(value);
            }
            entries.epoch
        };
        self.cache.misses.fetch_add(1, Relaxed);
        let value: Option<Bytes> = self.client.run_typed(cmd("GET").arg(key)).await?;
        let mut entries = self.cache.lock();
        if entries.epoch == epoch && entries.connection == self.client.connections() {
            let kept = value.as_ref().map(|v| Bytes::copy_from_slice(v));
            entries.keep(Bytes::copy_from_slice(key), kept);
        }
        Ok(value)
    }

    /// The client under it.
    #[must_use]
    pub fn client(&self) -> &MultiplexedClient {
        &self.client
    }

    /// Values kept at present.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cache.lock().values.len()
    }

    /// Whether no value is kept at present.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values kept at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.cache.lock().capacity
    }

    /// GETs answered from here, and GETs that asked the server.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (
            self.cache.hits.load(Relaxed),
            self.cache.misses.load(Relaxed),
        )
    }
}

/// Takes `invalidate` messages: a list of keys, or null for all.
fn invalidate(cache: &Cache, push: &Push) {
    let mut items = push.iter();
    if items.next().and_then(Value::as_bytes) != Some(b"invalidate") {
        return;
    }
    let mut entries = cache.lock();
    match items.next() {
        Some(Value::Array(keys)) => {
            for key in keys {
                entries.forget(key.as_bytes().unwrap_or_default());
            }
        }
        _ => entries.forget_all(),
    }
}

impl std::fmt::Debug for CachedClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedClient")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
