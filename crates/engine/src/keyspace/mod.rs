//! The keyspace: databases of striped, lock-guarded tables.
//!
//! Invariants
//! - A key's stripe is the top byte(s) of its seeded hash, the same in every database.
//! - A database is allocated when it is first used, and never removed.
//! - Locks are taken in `lock` only, but for hints, which try them once.
//!
//! It knows no command, client or reply.

pub(crate) mod access;
pub(crate) mod entry;
pub(crate) mod evict;
pub(crate) mod expire;
mod guard;
pub(crate) mod interest;
pub(crate) mod lock;
mod object;
mod stripe;
mod value;

pub use guard::StripeGuard;
pub use lock::{Cut, Lent, Locked, StripeId, Stripes};
pub use object::{Collection, Object};
pub use stripe::{Found, Full, Stripe};
pub use value::{Detached, Garbage, KeyHasher, Str, Value};

use crate::ports::Runtime;
use crate::sync::Mutex;
use guard::StripeLock;
use ochre_ds::table::{INDEX_BITS, Position};
use std::sync::OnceLock;

/// Stripes of a database: a power of two, at most 256 as one byte of the hash chooses. Few where every order of their
/// locking is tried.
pub const STRIPES: usize = if cfg!(feature = "shuttle") { 8 } else { 256 };

/// A stripe and its lock, on cache lines of its own so that two workers do not share one.
///
/// Guards: everything in the stripe. Order: see `lock`. Never held across: an await, I/O, a large free.
#[repr(align(128))]
struct Guarded(StripeLock);

/// One numbered database.
pub struct Database {
    stripes: Box<[Guarded]>,
}

/// Where a sweep over a database stands: a stripe and a position in it. Its number is a SCAN cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cursor(u64);

impl Cursor {
    /// The beginning, and also the end.
    pub const START: Cursor = Cursor(0);

    /// The number that clients see.
    pub fn number(self) -> u64 {
        self.0
    }

    /// A cursor from a client: any number is accepted, one out of range means the end.
    pub fn from_number(n: u64) -> Option<Cursor> {
        ((n >> INDEX_BITS) < STRIPES as u64).then_some(Cursor(n))
    }

    fn parts(self) -> (usize, Position) {
        // Lossless: `from_number` bounds the stripe.
        (
            (self.0 >> INDEX_BITS) as usize,
            self.0 & ((1 << INDEX_BITS) - 1),
        )
    }

    fn at(stripe: usize, position: Position) -> Cursor {
        if stripe >= STRIPES {
            Cursor(0)
        } else {
            Cursor(((stripe as u64) << INDEX_BITS) | position)
        }
    }
}

/// The stripe of a hash.
#[inline]
pub fn stripe_of(hash: u64) -> usize {
    let [top, ..] = hash.to_be_bytes();
    usize::from(top) % STRIPES
}

impl Database {
    fn new(hasher: KeyHasher, seed: u64) -> Database {
        let stripe = |i: usize| {
            Guarded(StripeLock::new(Stripe::new(
                hasher,
                seed.wrapping_add((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            )))
        };
        Database {
            stripes: (0..STRIPES).map(stripe).collect(),
        }
    }

    /// Locks one stripe. For background work: the caller holds no other.
    pub fn stripe(&self, index: usize) -> StripeGuard<'_> {
        self.stripes[index % STRIPES].0.lock()
    }

    /// As [`Self::stripe`], unless somebody holds it for longer than a request waits.
    pub(crate) fn stripe_soon(&self, index: usize) -> Option<StripeGuard<'_>> {
        self.mutex(index).try_lock_for(lock::PATIENCE)
    }

    /// As [`Self::stripe`], for requests: while somebody holds it for long, the other connections of the worker go on.
    /// One of them may be the one that ends what takes so long.
    pub(crate) fn stripe_at_last(&self, index: usize, runtime: &dyn Runtime) -> StripeGuard<'_> {
        let mut guard = self.stripe_soon(index);
        loop {
            if let Some(guard) = guard {
                return guard;
            }
            runtime.long(&mut || guard = Some(self.stripe(index)));
        }
    }

    #[inline]
    pub(crate) fn mutex(&self, index: usize) -> &StripeLock {
        &self.stripes[index % STRIPES].0
    }

    /// Locks the stripe under `cursor`, lends it with the position in it, and returns where to go on.
    ///
    /// `step` gives back the next position in the stripe, 0 when it is done with it.
    pub(crate) fn step(
        &self,
        cursor: Cursor,
        step: impl FnOnce(&mut Stripe, Position) -> Position,
    ) -> Cursor {
        let (index, position) = cursor.parts();
        match step(&mut self.stripe(index), position) {
            0 => Cursor::at(index + 1, 0),
            next => Cursor::at(index, next),
        }
    }

    /// Number of keys, expired ones that were not removed yet included.
    pub fn len(&self) -> usize {
        (0..STRIPES).map(|i| self.stripe(i).len()).sum()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys with an expiry.
    pub fn volatile_len(&self) -> usize {
        (0..STRIPES).map(|i| self.stripe(i).volatile_len()).sum()
    }
}

/// All databases of an engine.
pub struct Keyspace {
    databases: Box<[OnceLock<Database>]>,
    hasher: KeyHasher,
    seed: u64,
    /// Held by the one cut at a time; taken while holding no stripe.
    cut: Mutex<()>,
    /// Held by the unit that waits for a further stripe while it holds others; only tried, never waited for.
    pub(crate) reaching: Mutex<()>,
}

impl Keyspace {
    /// A keyspace of `databases` empty databases.
    pub fn new(databases: usize, seed: u64) -> Keyspace {
        let keyspace = Keyspace {
            databases: (0..databases).map(|_| OnceLock::new()).collect(),
            hasher: KeyHasher::new(seed),
            seed,
            cut: Mutex::new(()),
            reaching: Mutex::new(()),
        };
        // The first database is the one that everybody uses.
        keyspace.database(0);
        keyspace
    }

    /// The hasher of all keys.
    #[inline]
    pub fn hasher(&self) -> KeyHasher {
        self.hasher
    }

    /// The seed of the hash of large collections' elements; another one than that of the keys.
    pub fn element_seed(&self) -> u64 {
        self.seed.rotate_left(32) ^ 0x9E37_79B9_7F4A_7C15
    }

    /// Number of databases, used or not.
    pub fn count(&self) -> usize {
        self.databases.len()
    }

    /// A database, allocated now if this is its first use. An index out of range means database 0; callers check first.
    #[inline]
    pub fn database(&self, index: usize) -> &Database {
        let cell = &self.databases[if index < self.databases.len() {
            index
        } else {
            0
        }];
        match cell.get() {
            Some(database) => database,
            None => cell.get_or_init(|| {
                Database::new(self.hasher, self.seed.rotate_left(index as u32 & 63))
            }),
        }
    }

    /// Whether nobody holds a stripe for longer than a request waits, as far as one look at each of them tells.
    pub(crate) fn is_free_soon(&self) -> bool {
        let used = self.databases.iter().filter_map(OnceLock::get);
        let mut stripes = used.flat_map(|database| (0..STRIPES).map(|s| database.stripe_soon(s)));
        stripes.all(|stripe| stripe.is_some())
    }

    /// A database if it was ever used.
    pub fn used(&self, index: usize) -> Option<&Database> {
        self.databases.get(index)?.get()
    }
}
