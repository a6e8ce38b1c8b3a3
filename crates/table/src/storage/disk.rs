//! Tables on disk: an LSM tree (fjall) that holds all tables, each a range of its keys.
//!
//! Layout: a key is the table's length in two bytes, the table, and the key; the value is as `tags` says.
//!
//! Invariants
//! - Who writes a key reads its previous value before, under the lock of the key's stripe; locks of several stripes
//!   are taken in ascending order. A write of several keys is one batch, a read of several one snapshot.
//! - With [`SyncPolicy::Always`], [`Storage::settle`] returns when the journal is on the disk with everything written before
//!   the call; those who wait share one sync.
//! - After a failed sync nothing is written any more: what the disk holds is not known then.
//!
//! Does not keep a table in memory: reads go through fjall's block cache, scans hold a page.

use super::{PAGE_BYTES, PAGE_MAX, Page, Storage, pair_bytes, tags};
use crate::error::KvError;
use crate::pb::{Kvpair, Value};
use crate::values::ValueRef;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::hash::BuildHasher as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Locks for writers.
const STRIPES: usize = 256;
/// What fjall takes as a key, in bytes.
const KEY_MAX: usize = 65_535;
/// Bytes of blocks that are cached by default.
const CACHE_BYTES: u64 = 64 << 20;

/// When what was written is brought to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before it is acknowledged; one sync for a batch of requests.
    Always,
    /// This often. A crash of the machine loses what was acknowledged since; one of the process loses nothing.
    Every(Duration),
    /// When the operating system thinks fit.
    Never,
}

/// How a [`DiskTable`] is to be.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// When what was written is brought to the disk; every second by default.
    pub sync: SyncPolicy,
    /// Bytes of the block cache; 64 MiB by default.
    pub cache_bytes: u64,
}

impl Default for DiskOptions {
    fn default() -> DiskOptions {
        DiskOptions {
            sync: SyncPolicy::Every(Duration::from_secs(1)),
            cache_bytes: CACHE_BYTES,
        }
    }
}

/// Why a [`DiskTable`] cannot be opened.
#[derive(Debug)]
pub struct DiskError(String);

impl std::fmt::Display for DiskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DiskError {}

/// Tables on disk, in a folder that one process has open at a time.
pub struct DiskTable {
    inner: Arc<Inner>,
    hasher: foldhash::fast::RandomState,
    stripes: Box<[Mutex<()>]>,
    syncer: Option<Syncer>,
    sync: SyncPolicy,
}

/// The disk store under the name that programs of the well-known tutorial give theirs.
pub type SledDb = DiskTable;

struct Inner {
    db: Database,
    keys: Keyspace,
    /// Number of writes made.
    written: AtomicU64,
    /// Number of writes that are on the disk. Guards the sync: who waits for it finds that it was done for them too.
    synced: Mutex<u64>,
    failed: AtomicBool,
}

/// The thread that syncs now and then.
struct Syncer {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Inner {
    /// Brings everything written before the call to the disk.
    fn sync(&self) -> Result<(), KvError> {
        let wanted = self.written.load(Ordering::Acquire);
        let mut synced = self.synced.lock();
        if self.failed.load(Ordering::Acquire) {
            return Err(sync_failed());
        }
        if *synced >= wanted {
            return Ok(());
        }
        let upto = self.written.load(Ordering::Acquire);
        if let Err(error) = self.db.persist(PersistMode::SyncData) {
            self.failed.store(true, Ordering::Release);
            return Err(failed(&error));
        }
        *synced = upto;
        Ok(())
    }
}

fn sync_failed() -> KvError {
    KvError::Storage("A sync of the disk store failed; it takes no more writes".to_owned())
}

#[cold]
fn failed(error: &fjall::Error) -> KvError {
    let text = format!("Disk store: {error}");
    match error {
        fjall::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => {
            KvError::OutOfMemory(text)
        }
        _ => KvError::Storage(text),
    }
}

impl DiskTable {
    /// Opens the tables of the folder `path`, which is made if it is not there, with the default options.
    ///
    /// # Panics
    /// When that fails; [`DiskTable::open`] tells why.
    #[must_use]
    #[allow(clippy::panic)] // the signature that programs of the tutorial expect
    pub fn new(path: impl AsRef<Path>) -> DiskTable {
        match DiskTable::open(path, DiskOptions::default()) {
            Ok(table) => table,
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens the tables of the folder `path`, which is made if it is not there.
    ///
    /// # Errors
    /// When another process has it open, or the disk refuses.
    pub fn open(path: impl AsRef<Path>, options: DiskOptions) -> Result<DiskTable, DiskError> {
        let path = path.as_ref();
        let error = |e: fjall::Error| DiskError(format!("{}: {e}", path.display()));
        let db = Database::builder(path)
            .cache_size(options.cache_bytes)
            .open()
            .map_err(error)?;
        let keys = db
            .keyspace("tables", KeyspaceCreateOptions::default)
            .map_err(error)?;
        let inner = Arc::new(Inner {
            db,
            keys,
            written: AtomicU64::new(0),
            synced: Mutex::new(0),
            failed: AtomicBool::new(false),
        });
        let syncer = match options.sync {
            SyncPolicy::Every(period) => {
                let started = Syncer::start(inner.clone(), period);
                Some(started.map_err(|e| DiskError(format!("{}: {e}", path.display())))?)
            }
            SyncPolicy::Always | SyncPolicy::Never => None,
        };
        Ok(DiskTable {
            inner,
            hasher: foldhash::fast::RandomState::default(),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            syncer,
            sync: options.sync,
        })
    }

    fn stripe(&self, key: &[u8]) -> usize {
        usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % STRIPES
    }

    fn lock(&self, key: &[u8]) -> MutexGuard<'_, ()> {
        self.stripes[self.stripe(key)].lock()
    }

    /// Locks the stripes of several keys.
    fn lock_all(&self, keys: &[Vec<u8>]) -> Vec<MutexGuard<'_, ()>> {
        let mut stripes: Vec<usize> = keys.iter().map(|key| self.stripe(key)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        stripes.iter().map(|&at| self.stripes[at].lock()).collect()
    }

    fn writable(&self) -> Result<(), KvError> {
        match self.inner.failed.load(Ordering::Acquire) {
            true => Err(sync_failed()),
            false => Ok(()),
        }
    }

    fn read(&self, key: &[u8]) -> Result<Option<fjall::Slice>, KvError> {
        self.inner.keys.get(key).map_err(|e| failed(&e))
    }

    /// Writes several keys at once: a value, or none to delete.
    fn write_all(
        &self,
        keys: Vec<Vec<u8>>,
        values: impl Iterator<Item = Option<Vec<u8>>>,
    ) -> Result<Vec<Option<Value>>, KvError> {
        self.writable()?;
        let _guards = self.lock_all(&keys);
        let mut batch = self.inner.db.batch();
        // What the batch has of a key counts as its previous value for the rest of the call.
        let mut now = std::collections::HashMap::<Vec<u8>, Option<Vec<u8>>>::new();
        let mut previous = Vec::with_capacity(keys.len());
        for (key, value) in keys.into_iter().zip(values) {
            let before = match now.get(&key) {
                Some(value) => value.as_deref().map(|b| tags::decode(b).to_value()),
                None => self.read(&key)?.map(|b| tags::decode(&b).to_value()),
            };
            previous.push(before);
            now.insert(key, value);
        }
        for (key, value) in now {
            match value {
                Some(value) => batch.insert(&self.inner.keys, key, value),
                None => batch.remove(&self.inner.keys, key),
            }
        }
        batch.commit().map_err(|e| failed(&e))?;
        self.inner.written.fetch_add(1, Ordering::Release);
        Ok(previous)
    }
}

impl Syncer {
    fn start(inner: Arc<Inner>, period: Duration) -> std::io::Result<Syncer> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopping = stop.clone();
        let run = move || {
            let mut stopped = stopping.0.lock();
            while !*stopped {
                // A time-out is the usual outcome; a wake-up means the stop.
                let _ = stopping.1.wait_for(&mut stopped, period);
                // A failure is remembered, and told to the next who writes.
                let _ = inner.sync();
            }
        };
        let thread = std::thread::Builder::new()
            .name("ochre-table-sync".to_owned())
            .spawn(run)?;
        Ok(Syncer {
            stop,
            thread: Some(thread),
        })
    }
}

/// Brings everything to the disk.
impl Drop for DiskTable {
    fn drop(&mut self) {
        if let Some(mut syncer) = self.syncer.take() {
            *syncer.stop.0.lock() = true;
            syncer.stop.1.notify_all();
            if let Some(thread) = syncer.thread.take() {
                // A panic of the thread was reported by itself.
                let _ = thread.join();
            }
        }
        // Nobody is left to be told; a failure was told to those who wrote.
        let _ = self.inner.sync();
    }
}

/// A table's prefix.
fn prefix(table: &str) -> Result<Vec<u8>, KvError> {
    let Ok(len) = u16::try_from(table.len()) else {
        return Err(too_long());
    };
    Ok([&len.to_be_bytes(), table.as_bytes()].concat())
}

fn whole_key(table: &str, key: &str) -> Result<Vec<u8>, KvError> {
    let mut bytes = prefix(table)?;
    bytes.extend_from_slice(key.as_bytes());
    if bytes.len() > KEY_MAX {
        return Err(too_long());
    }
    Ok(bytes)
}

#[cold]
fn too_long() -> KvError {
    KvError::TooLarge(format!(
        "Table and key have more than the {} bytes that the disk store takes",
        KEY_MAX - 2
    ))
}

fn encoded(value: ValueRef<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    tags::encode(&mut bytes, value);
    bytes
}

impl Storage for DiskTable {
    fn get(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        let bytes = self.read(&whole_key(table, key)?)?;
        Ok(bytes.map(|b| tags::decode(&b).to_value()))
    }

    fn set(&self, table: &str, key: &str, value: Value) -> Result<Option<Value>, KvError> {
        let key = whole_key(table, key)?;
        self.writable()?;
        let _guard = self.lock(&key);
        let previous = self.read(&key)?;
        let inserted = self
            .inner
            .keys
            .insert(key.as_slice(), encoded((&value).into()));
        inserted.map_err(|e| failed(&e))?;
        self.inner.written.fetch_add(1, Ordering::Release);
        Ok(previous.map(|b| tags::decode(&b).to_value()))
    }

    fn del(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        let key = whole_key(table, key)?;
        self.writable()?;
        let _guard = self.lock(&key);
        let Some(previous) = self.read(&key)? else {
            return Ok(None);
        };
        let removed = self.inner.keys.remove(key.as_slice());
        removed.map_err(|e| failed(&e))?;
        self.inner.written.fetch_add(1, Ordering::Release);
        Ok(Some(tags::decode(&previous).to_value()))
    }

    fn contains(&self, table: &str, key: &str) -> Result<bool, KvError> {
        let found = self.inner.keys.contains_key(whole_key(table, key)?);
        found.map_err(|e| failed(&e))
    }

    fn mget(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        let snapshot = self.inner.db.snapshot();
        let value = |key: &String| {
            let bytes = snapshot.get(&self.inner.keys, whole_key(table, key)?);
            let bytes = bytes.map_err(|e| failed(&e))?;
            Ok(bytes.map(|b| tags::decode(&b).to_value()))
        };
        keys.iter().map(value).collect()
    }

    fn mset(&self, table: &str, pairs: &[Kvpair]) -> Result<Vec<Option<Value>>, KvError> {
        let keys = pairs.iter().map(|pair| whole_key(table, &pair.key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        self.write_all(
            keys,
            pairs.iter().map(|pair| Some(encoded(pair.value_ref()))),
        )
    }

    fn mdel(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        let keys = keys.iter().map(|key| whole_key(table, key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        self.write_all(keys, std::iter::repeat(None))
    }

    /// Keys in order; the cursor is the last key of the page.
    fn scan(&self, table: &str, cursor: Option<&str>, limit: usize) -> Result<Page, KvError> {
        let prefix = prefix(table)?;
        let from = match cursor {
            None => std::ops::Bound::Included(prefix.clone()),
            Some(key) => std::ops::Bound::Excluded(whole_key(table, key)?),
        };
        let (mut page, mut bytes) = (Page::default(), 0);
        let range = (from, std::ops::Bound::Unbounded);
        for entry in self.inner.keys.range::<Vec<u8>, _>(range) {
            let (key, value) = entry.into_inner().map_err(|e| failed(&e))?;
            let Some(key) = key.strip_prefix(prefix.as_slice()) else {
                break;
            };
            if page.pairs.len() >= limit.clamp(1, PAGE_MAX) || bytes >= PAGE_BYTES {
                page.next = page.pairs.last().map(|pair| pair.key.clone());
                break;
            }
            let Ok(key) = std::str::from_utf8(key) else {
                return Err(KvError::Storage("Disk store: a key is damaged".to_owned()));
            };
            let pair = Kvpair::new(key, tags::decode(&value).to_value());
            bytes += pair_bytes(&pair);
            page.pairs.push(pair);
        }
        Ok(page)
    }

    fn settles(&self) -> bool {
        self.sync == SyncPolicy::Always
    }

    fn settle(&self) -> Result<(), KvError> {
        match self.sync {
            SyncPolicy::Always => self.inner.sync(),
            SyncPolicy::Every(_) | SyncPolicy::Never => self.writable(),
        }
    }
}
