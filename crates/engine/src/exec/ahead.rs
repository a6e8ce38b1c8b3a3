//! Looking ahead in a batch: requests are looked up and their keys hashed before any is executed, and
//! the cache lines of their entries are asked for meanwhile.
//!
//! With a few requests in flight the waits for memory overlap instead of adding up. Nothing here
//! decides anything: a hint that is out of date when the request runs costs only time.
//!
//! Invariant: no lock is taken or released between two hints. A locked instruction waits until the hints before it have
//! found their pages, so that the walks through the page tables, which are most of the wait, would add up.
//!
//! Cost: two short locks a request, for batches of several requests only.

use super::Engine;
use super::lookup::Entry;
use crate::keyspace::{Database, StripeGuard, stripe_of};
use crate::spec::{Command, Flags};
use ochre_ds::prefetch;
use ochre_resp::Request;

/// Requests whose memory is asked for at once: enough to hide a wait for memory behind the others.
pub const AHEAD_MAX: usize = 16;

/// What is known of a request before it runs.
#[derive(Clone, Copy, Default)]
pub struct Ahead {
    /// Its command; `None` when lookup fails, which execution then reports.
    pub(crate) entry: Option<Entry>,
    /// The hash of its only key, if the declaration names one at a fixed place.
    pub(crate) hash: Option<u64>,
    /// The hash of the first of several keys (a script's, say): for hints alone.
    first: Option<u64>,
}

impl Ahead {
    /// The hash of the key whose memory will be needed, as far as that is known.
    #[inline]
    fn hint(&self) -> Option<u64> {
        self.hash.or(self.first)
    }

    /// Whether the request is queued and the requests behind it are, given whether it comes in a transaction.
    #[inline]
    pub fn queues(&self, in_transaction: bool) -> (bool, bool) {
        let Some(entry) = self.entry else {
            return (false, in_transaction);
        };
        let flags = entry.command.flags;
        let (begins, ends) = (Flags::BEGINS_TRANSACTION, Flags::ENDS_TRANSACTION);
        let queued = in_transaction && !flags.has(Flags::UNQUEUED);
        (
            queued,
            (in_transaction || flags.has(begins)) && !flags.has(ends),
        )
    }
}

/// The keys whose memory a window of requests will need, by their hashes.
#[derive(Debug, Default)]
pub struct Hints {
    hashes: [u64; AHEAD_MAX],
    count: usize,
}

impl Hints {
    /// Adds what is known of a request. Neighbours on one key need its lines once; of more than [`AHEAD_MAX`] keys, the
    /// last are left out.
    #[inline]
    pub fn add(&mut self, ahead: &Ahead) {
        if let Some(hash) = ahead.hint()
            && let Some(place) = self.hashes.get_mut(self.count)
        {
            *place = hash;
            let repeats = self.count > 0 && self.hashes[self.count - 1] == hash;
            self.count += usize::from(!repeats);
        }
    }

    /// Finds the addresses of all keys, and gives a hint of each when all of them are known.
    #[inline]
    fn gather(&self, find: impl Fn(u64) -> Option<*const u8>, hint: impl Fn(*const u8)) {
        let mut known = [std::ptr::null(); AHEAD_MAX];
        let mut count = 0;
        for hash in &self.hashes[..self.count] {
            if let Some(address) = find(*hash) {
                known[count] = address;
                count += 1;
            }
        }
        known[..count].iter().for_each(|address| hint(*address));
    }
}

impl Engine {
    /// Looks a request up and hashes its key.
    #[inline]
    pub fn look_ahead(&self, request: Request<'_>) -> Ahead {
        match self.lookup.find_short(request) {
            Some(entry) => self.look_ahead_of(entry, request),
            None => self.look_ahead_any(request),
        }
    }

    #[cold]
    fn look_ahead_any(&self, request: Request<'_>) -> Ahead {
        if request.is_empty() {
            return Ahead::default();
        }
        match self.lookup.find_any(request) {
            Ok(entry) => self.look_ahead_of(&entry, request),
            Err(_) => Ahead::default(),
        }
    }

    #[inline(always)] // on the way of every request
    fn look_ahead_of(&self, entry: &Entry, request: Request<'_>) -> Ahead {
        let (hash, first) = match entry.key_at {
            0 => (None, self.first_counted(entry.command, request)),
            at => {
                let key = request.get(at);
                (key.map(|key| self.keyspace.hasher().hash(key)), None)
            }
        };
        Ahead {
            entry: Some(*entry),
            hash,
            first,
        }
    }

    fn first_counted(&self, command: &Command, request: Request<'_>) -> Option<u64> {
        let (first, count) = command.first_counted()?;
        let key = request
            .get(first)
            .filter(|_| request.get(count) != Some(b"0"))?;
        Some(self.keyspace.hasher().hash(key))
    }

    /// Asks for the memory that the requests of some hints need, in the database `db`: first for the buckets of their
    /// keys, then for the entries that those name.
    #[inline]
    pub fn prefetch_all(&self, db: usize, hints: &Hints) {
        let database = self.keyspace.database(db);
        hints.gather(|hash| bucket_address(database, hash), prefetch::read);
        hints.gather(|hash| entry_address(database, hash), prefetch::entry);
    }

    /// Asks for the bucket of a request that comes later, and for the entry of one whose bucket should be there by now.
    #[inline]
    pub fn prefetch_staggered(&self, later: (usize, &Ahead), sooner: Option<(usize, Ahead)>) {
        let database = |db| self.keyspace.database(db);
        let entry = sooner.and_then(|(db, ahead)| entry_address(database(db), ahead.hint()?));
        let (db, ahead) = later;
        let bucket = ahead
            .hint()
            .and_then(|hash| bucket_address(database(db), hash));
        entry.into_iter().for_each(prefetch::entry);
        bucket.into_iter().for_each(prefetch::read);
    }
}

#[inline]
fn bucket_address(database: &Database, hash: u64) -> Option<*const u8> {
    Some(try_stripe(database, hash)?.bucket_address(hash))
}

#[inline]
fn entry_address(database: &Database, hash: u64) -> Option<*const u8> {
    try_stripe(database, hash)?.entry_address(hash)
}

/// The stripe of a hash. One that is busy is not waited for: the hint is not worth it.
#[inline]
fn try_stripe(database: &Database, hash: u64) -> Option<StripeGuard<'_>> {
    database.mutex(stripe_of(hash)).try_lock()
}
