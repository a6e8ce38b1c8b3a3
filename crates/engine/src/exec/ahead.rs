//! Looking ahead in a batch: requests are looked up and their keys hashed before any is executed, and
//! the cache lines of their entries are asked for meanwhile.
//!
//! With a few requests in flight the waits for memory overlap instead of adding up. Nothing here
//! decides anything: a hint that is out of date when the request runs costs only time, and what a look told of a key holds
//! only while its stripe is of the same version.
//!
//! Invariant: no lock is taken or released between two hints. A locked instruction waits until the hints before it have
//! found their pages, so that the walks through the page tables, which are most of the wait, would add up.
//!
//! Cost: one short lock a request, for batches of several requests only. A batch holds the locks of all its keys' stripes
//! until it knows where the entries lie, for which it waits for the buckets; it waits for no lock meanwhile.

use super::Engine;
use super::held::Held;
use super::lookup::Entry;
use super::plan::Known;
use crate::keyspace::{Database, StripeGuard, stripe_of};
use crate::spec::{Command, Flags};
use arrayvec::ArrayVec;
use ochre_ds::prefetch::{self, Hint};
use ochre_resp::Request;

/// Requests whose memory is asked for at once: enough to hide a wait for memory behind the others.
pub const AHEAD_MAX: usize = 16;

/// What is known of a request before it runs.
#[derive(Clone, Copy, Default)]
pub struct Ahead {
    /// Its command; `None` when lookup fails, which execution then reports.
    pub(crate) entry: Option<Entry>,
    /// The hash of the key that `hashed` tells.
    hash: u64,
    hashed: Hashed,
}

/// Which key of a request was hashed ahead.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Hashed {
    #[default]
    None,
    /// The only one, which the declaration names at a fixed place.
    Only,
    /// The first of several (a script's, say): for hints alone.
    First,
}

impl Ahead {
    /// The hash of the request's only key, if the declaration names one at a fixed place.
    #[inline]
    pub(crate) fn hash(&self) -> Option<u64> {
        (self.hashed == Hashed::Only).then_some(self.hash)
    }

    /// The hash of the key whose memory will be needed, as far as that is known.
    #[inline]
    fn hint(&self) -> Option<u64> {
        (self.hashed != Hashed::None).then_some(self.hash)
    }

    /// Whether the request is queued and the requests behind it are, given whether it comes in a transaction.
    #[inline]
    pub fn queues(&self, in_transaction: bool) -> (bool, bool) {
        let Some(entry) = &self.entry else {
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

/// The keys whose memory a window of requests will need.
pub struct Hints<'e> {
    db: usize,
    database: &'e Database,
    hashes: ArrayVec<u64, AHEAD_MAX>,
}

/// A key by its hash, and which of the stripes held is its.
#[derive(Clone, Copy)]
struct HintedKey {
    hash: u64,
    stripe: usize,
}

impl<'e> Hints<'e> {
    /// Adds what is known of a request. Neighbours on one key need its lines once; of more than [`AHEAD_MAX`] keys, the
    /// last are left out.
    #[inline]
    pub fn add(&mut self, ahead: &Ahead) {
        let Some(hash) = ahead.hint() else {
            return;
        };
        if self.hashes.is_full() || self.hashes.last() == Some(&hash) {
            return;
        }
        prefetch::write(self.database.mutex(stripe_of(hash)));
        self.hashes.push(hash);
    }

    /// Loads the buckets of all keys, finds their entries, and begins to load the first of these. The stripes are held
    /// meanwhile, as far as they are free: none is waited for.
    #[inline]
    pub fn find(&self, held: &mut Held<'_>) {
        let entries = &mut held.entries;
        let mut stripes = ArrayVec::<StripeGuard<'_>, AHEAD_MAX>::new();
        let mut keys = ArrayVec::<HintedKey, AHEAD_MAX>::new();
        for hash in &self.hashes {
            let stripe = match try_stripe(self.database, *hash) {
                Some(guard) => {
                    stripes.push(guard);
                    stripes.len() - 1
                }
                None => match held_by(&keys, *hash) {
                    Some(held) => held,
                    None => continue,
                },
            };
            keys.push(HintedKey {
                hash: *hash,
                stripe,
            });
        }
        for key in &keys {
            stripes[key.stripe].bucket_hint(key.hash).first();
        }
        entries.begin(self.db);
        for key in &keys {
            let stripe = &stripes[key.stripe];
            let likely = stripe.likely(key.hash);
            stripe.prefetch_next(likely);
            entries.keys.push(Known {
                hash: key.hash,
                version: stripe.version,
                likely,
            });
        }
        for (key, known) in keys.iter().zip(&mut entries.keys) {
            let stripe = &stripes[key.stripe];
            known.likely = stripe.likelier(key.hash, known.likely);
            entries.hints.push(stripe.hint(known.likely));
        }
        drop(stripes);
        entries.ask();
    }
}

/// Which of the stripes held by `keys` is that of a hash.
#[cold]
fn held_by(keys: &[HintedKey], hash: u64) -> Option<usize> {
    let same = |key: &&HintedKey| stripe_of(key.hash) == stripe_of(hash);
    keys.iter().find(same).map(|key| key.stripe)
}

/// The keys of a window in the order in which they will be needed, and where their entries lie.
#[derive(Default)]
pub(super) struct Entries {
    db: usize,
    keys: ArrayVec<Known, AHEAD_MAX>,
    /// Where the entry of each lies.
    hints: ArrayVec<Hint, AHEAD_MAX>,
    /// The key that a request asked for last.
    at: usize,
    /// The first that was not asked for.
    next: usize,
    /// Requests until the next ones are asked for.
    rest: usize,
}

impl Entries {
    /// So many are asked for at once: their pages are looked for at the same time, while more lines than a core can wait
    /// for would wait for each other.
    const TOGETHER: usize = 4;

    /// None yet, of the database `db`.
    #[inline]
    fn begin(&mut self, db: usize) {
        self.keys.clear();
        self.hints.clear();
        (self.db, self.at, self.next, self.rest) = (db, 0, 0, 0);
    }

    /// What is known of the key of `hash` in the database `db`, if it is the one asked for last, or the one after.
    #[inline(always)] // on the way of every request with a key
    pub(super) fn known(&mut self, db: usize, hash: u64) -> Option<&Known> {
        if self.db != db {
            return None;
        }
        let keys = self.keys.get(self.at..)?;
        let ahead = keys.iter().take(2).position(|key| key.hash == hash)?;
        self.at += ahead;
        keys.get(ahead)
    }

    /// Begins to load those after the ones that are on their way, if it is time. To be called once for each request, under
    /// its lock: before that, the lock would wait until all pages are found.
    #[inline]
    pub(super) fn step(&mut self) {
        if self.rest == 0 {
            self.ask();
            self.rest = Self::TOGETHER;
        }
        self.rest -= 1;
    }

    #[inline]
    fn ask(&mut self) {
        let end = (self.next + Self::TOGETHER).min(self.hints.len());
        let hints = self.hints.get(self.next..end).unwrap_or(&[]);
        hints.iter().for_each(|hint| hint.all());
        self.next = end;
    }
}

impl Engine {
    /// Looks a request up and hashes its key.
    #[inline(always)] // so that the result is put together where it is kept
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
        let (key, hashed) = match entry.key_at {
            0 => (first_counted(entry.command, request), Hashed::First),
            at => (request.get(at), Hashed::Only),
        };
        let (hash, hashed) = match key {
            Some(key) => (self.keyspace.hasher().hash(key), hashed),
            None => (0, Hashed::None),
        };
        Ahead {
            entry: Some(*entry),
            hash,
            hashed,
        }
    }

    /// No keys yet, of the database `db`.
    #[inline]
    pub fn hints(&self, db: usize) -> Hints<'_> {
        Hints {
            db,
            database: self.keyspace.database(db),
            hashes: ArrayVec::new(),
        }
    }

    /// Asks for the bucket of a request that comes later, and for the entry of one whose bucket should be there by now.
    #[inline]
    pub fn prefetch_staggered(&self, later: (usize, &Ahead), sooner: Option<(usize, Ahead)>) {
        let stripe = |db, hash| try_stripe(self.keyspace.database(db), hash);
        let entry = sooner.and_then(|(db, ahead)| {
            let hash = ahead.hint()?;
            Some(stripe(db, hash)?.entry_hint(hash))
        });
        let (db, ahead) = later;
        let bucket = ahead
            .hint()
            .and_then(|hash| Some(stripe(db, hash)?.bucket_hint(hash)));
        entry.into_iter().for_each(Hint::all);
        bucket.into_iter().for_each(Hint::first);
    }
}

/// The first of a request's counted keys, if it has any.
fn first_counted<'r>(command: &Command, request: Request<'r>) -> Option<&'r [u8]> {
    let (first, count) = command.first_counted()?;
    request
        .get(first)
        .filter(|_| request.get(count) != Some(b"0"))
}

/// The stripe of a hash. One that is busy is not waited for: the hint is not worth it.
#[inline]
fn try_stripe(database: &Database, hash: u64) -> Option<StripeGuard<'_>> {
    database.mutex(stripe_of(hash)).try_lock()
}
