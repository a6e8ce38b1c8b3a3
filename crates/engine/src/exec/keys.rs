//! The declared keys of a command as its handler reaches them: to read, or to read and change.
//!
//! Invariants
//! - A handler reaches only keys that its declaration names, by their number in the plan.
//! - Every change goes through [`WriteKeys`], which counts it, so that the effects stage knows.
//!
//! What is removed or replaced goes to `garbage` and is dropped after the stripes are released.

use super::Engine;
use super::notify::MISS;
use super::plan::PlannedKey;
use crate::error::CommandError;
use crate::keyspace::access::AccessRule;
use crate::keyspace::{
    Collection, Detached, Found, Full, Garbage, KeyHasher, Lent, Locked, Str, Stripe, Value,
    stripe_of,
};
use crate::settings::EventClasses;
use ochre_ds::blob::Blob;
use ochre_ds::hash::{Hash, HashRef};
use ochre_ds::list::{List, ListRef};
use ochre_ds::set::{Set, SetRef};
use ochre_ds::zset::{Zset, ZsetRef};

macro_rules! reading {
    () => {
        /// Number of keys the request names.
        pub fn count(&self) -> usize {
            self.plan.len()
        }

        /// Whether key `i` exists.
        #[inline]
        pub fn exists(&self, i: usize) -> bool {
            self.found(i).is_some()
        }

        /// The string at key `i`, `None` when there is no such key.
        ///
        /// # Errors
        /// `WRONGTYPE` when the key holds another type.
        #[inline]
        pub fn string(&self, i: usize) -> Result<Option<Str<'_>>, CommandError> {
            match self.found(i) {
                None => Ok(None),
                Some((stripe, found)) => stripe
                    .string(found.handle)
                    .map(Some)
                    .ok_or(CommandError::WRONG_TYPE),
            }
        }

        /// The collection at key `i`, `None` when there is no such key.
        ///
        /// # Errors
        /// `WRONGTYPE` when the key holds another type.
        #[inline]
        fn collection<C: Collection>(&self, i: usize) -> Result<Option<C::Ref<'_>>, CommandError> {
            match self.found(i) {
                None => Ok(None),
                Some((stripe, found)) => stripe
                    .collection::<C>(found.handle)
                    .map(Some)
                    .ok_or(CommandError::WRONG_TYPE),
            }
        }

        /// The list at key `i`, `None` when there is no such key.
        ///
        /// # Errors
        /// `WRONGTYPE` when the key holds another type.
        #[inline]
        pub fn list(&self, i: usize) -> Result<Option<ListRef<'_>>, CommandError> {
            self.collection::<List>(i)
        }

        /// The set at key `i`, `None` when there is no such key.
        ///
        /// # Errors
        /// `WRONGTYPE` when the key holds another type.
        #[inline]
        pub fn set(&self, i: usize) -> Result<Option<SetRef<'_>>, CommandError> {
            self.collection::<Set>(i)
        }

        /// The sorted set at key `i`, `None` when there is no such key.
        ///
        /// # Errors
        /// `WRONGTYPE` when the key holds another type.
        #[inline]
        pub fn zset(&self, i: usize) -> Result<Option<ZsetRef<'_>>, CommandError> {
            self.collection::<Zset>(i)
        }

        /// The hash at key `i`, `None` when there is no such key.
        ///
        /// # Errors
        /// `WRONGTYPE` when the key holds another type.
        #[inline]
        pub fn hash(&self, i: usize) -> Result<Option<HashRef<'_>>, CommandError> {
            self.collection::<Hash>(i)
        }

        /// The value at any key of the session's database, `None` when there is no such key. For commands that are
        /// declared `wide`, and then for those requests that are.
        pub fn any_value(&self, name: &[u8]) -> Option<Value<'_>> {
            let (stripe, found) = self.any(name)?;
            stripe.value(found.handle)
        }

        /// Looks an undeclared key up; one whose time has come is hidden.
        fn any(&self, name: &[u8]) -> Option<(&Stripe, Found)> {
            let wide = self.wide?;
            let hash = wide.hasher.hash(name);
            let stripe = self.locked.stripe(wide.base + stripe_of(hash));
            let living = stripe.find(hash, name).filter(|found| {
                let view = stripe.view(found.handle);
                view.is_some_and(|v| v.expires_at().is_none_or(|at| at > wide.now_ms))
            });
            self.engine.count_sought(living.is_some());
            if living.is_none() {
                self.engine.raise(EventClasses::MISSED, MISS, wide.db, name);
            }
            living.map(|found| (stripe, found))
        }

        /// The name of key `i`.
        pub fn name(&self, i: usize) -> Option<&[u8]> {
            self.args.get(self.plan.get(i)?.arg)
        }

        /// The value at key `i`, whatever its type.
        pub fn value(&self, i: usize) -> Option<Value<'_>> {
            let (stripe, found) = self.found(i)?;
            stripe.value(found.handle)
        }

        /// Unix milliseconds at which key `i` expires.
        pub fn expires_at(&self, i: usize) -> Option<i64> {
            self.found(i)
                .and_then(|(s, f)| s.view(f.handle)?.expires_at())
        }

        /// The type's name as TYPE answers it, `None` when there is no such key.
        pub fn type_name(&self, i: usize) -> Option<&'static str> {
            let (stripe, found) = self.found(i)?;
            Some(stripe.view(found.handle)?.kind()?.type_name())
        }

        /// A copy of the value at key `i` with its expiry; a large one is shared.
        pub fn duplicate(&self, i: usize) -> Option<Detached> {
            let (stripe, found) = self.found(i)?;
            stripe.duplicate(found.handle)
        }

        /// The access clock of key `i`.
        pub(crate) fn access_clock(&self, i: usize) -> Option<u32> {
            let (stripe, found) = self.found(i)?;
            stripe.view(found.handle).map(|v| v.clock())
        }

        #[inline(always)] // on the way of every request with a key
        fn found(&self, i: usize) -> Option<(&Stripe, Found)> {
            let key = self.plan.get(i)?;
            key.ask();
            let stripe = self.locked.stripe(key.guard);
            let found = if key.version == stripe.version {
                key.found
            } else {
                stripe.find(key.hash, self.args.get(key.arg)?)
            };
            if found.is_none() && self.engine.wanted_events.any() {
                self.engine.raise_miss(key, self.args);
            }
            found.map(|f| (stripe, f))
        }
    };
}

/// What looking up undeclared keys takes, where every stripe of the database is locked.
#[derive(Clone, Copy)]
pub(crate) struct Wide {
    pub(crate) hasher: KeyHasher,
    pub(crate) now_ms: i64,
    pub(crate) db: usize,
    /// Where the database's stripes begin among those that are locked.
    pub(crate) base: usize,
}

/// The declared keys of a command, locked for reading.
pub struct ReadKeys<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) wide: Option<Wide>,
    pub(crate) locked: &'a Locked<'a>,
    pub(crate) plan: &'a [PlannedKey],
    pub(crate) args: ochre_resp::Request<'a>,
}

impl ReadKeys<'_> {
    reading!();

    /// Whether the string at key `i` was changed in place, so that its encoding is `raw`.
    pub(crate) fn is_modified(&self, i: usize) -> bool {
        self.found(i)
            .and_then(|(s, f)| s.view(f.handle))
            .is_some_and(|v| v.modified())
    }

    /// Bytes that key `i` takes, table share included.
    pub(crate) fn memory(&self, i: usize) -> Option<usize> {
        let (stripe, found) = self.found(i)?;
        Some(stripe.memory(found.handle))
    }
}

/// The declared keys of a command, locked, to read and change.
pub struct WriteKeys<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) wide: Option<Wide>,
    pub(crate) locked: Lent<'a>,
    /// Not a slice: its length was written just now and its address long ago, and a load of both at once has to wait.
    pub(crate) plan: &'a mut Vec<PlannedKey>,
    pub(crate) args: ochre_resp::Request<'a>,
    pub(crate) rule: &'a AccessRule,
    pub(crate) changes: u64,
    pub(crate) garbage: &'a mut Vec<Garbage>,
}

/// What becomes of the expiry of a key that is overwritten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// It stays.
    Keep,
    /// There is none.
    Clear,
    /// The key expires at this time, Unix milliseconds.
    At(i64),
}

impl WriteKeys<'_> {
    reading!();

    /// Looks key `i` up again if the stripe changed since, and gives what an update needs.
    pub(super) fn target(&mut self, i: usize) -> Result<Target<'_>, CommandError> {
        let key = self.plan.get_mut(i).ok_or(CommandError::UNDECLARED_KEY)?;
        let name = self.args.get(key.arg).ok_or(CommandError::UNDECLARED_KEY)?;
        let stripe = self.locked.stripe_mut(key.guard);
        if key.version != stripe.version {
            key.found = stripe.find(key.hash, name);
            key.version = stripe.version;
        }
        Ok(Target {
            key,
            name,
            stripe,
            garbage: self.garbage,
        })
    }

    /// Stores a value at key `i`, whatever was there, in the way that `put` puts it into the stripe.
    #[inline(always)] // on the way of every SET
    pub(super) fn overwrite(
        &mut self,
        i: usize,
        expiry: Expiry,
        put: impl FnOnce(&mut Stripe, Placing<'_>) -> Result<(Found, Garbage), Full>,
    ) -> Result<(), CommandError> {
        let rule = self.rule;
        let t = self.target(i)?;
        let placing = Placing {
            hash: t.key.hash,
            name: t.name,
            old: t.key.found,
            expires_at: t.expiry(expiry),
            clock: t.clock(rule),
        };
        let (found, garbage) = put(t.stripe, placing)?;
        t.settle(found);
        self.changed(garbage);
        Ok(())
    }

    /// Stores a string at key `i`, whatever was there; an integer is stored as one.
    ///
    /// # Errors
    /// When the keyspace cannot hold it.
    pub fn set_string(
        &mut self,
        i: usize,
        value: &[u8],
        expiry: Expiry,
    ) -> Result<(), CommandError> {
        self.overwrite(i, expiry, |stripe, p| {
            stripe.set(p.hash, p.name, p.old, value, p.expires_at, p.clock)
        })
    }

    /// Stores an integer at key `i`.
    ///
    /// # Errors
    /// When the keyspace cannot hold it.
    pub fn set_int(&mut self, i: usize, value: i64, expiry: Expiry) -> Result<(), CommandError> {
        self.overwrite(i, expiry, |stripe, p| {
            stripe.set_int(p.hash, p.name, p.old, value, p.expires_at, p.clock)
        })
    }

    /// Stores bytes at key `i` that are not to be taken for an integer (results of in-place changes).
    ///
    /// # Errors
    /// When the keyspace cannot hold it.
    pub fn set_raw(
        &mut self,
        i: usize,
        value: Vec<u8>,
        expiry: Expiry,
    ) -> Result<(), CommandError> {
        self.overwrite(i, expiry, |stripe, p| {
            if value.len() > crate::keyspace::entry::INLINE_VALUE_MAX {
                let blob = Blob::from(value);
                stripe.set_blob(p.hash, p.name, p.old, blob, p.expires_at, p.clock, true)
            } else {
                stripe.set_bytes(p.hash, p.name, p.old, &value, p.expires_at, p.clock, true)
            }
        })
    }

    /// Stores a number's text at key `i` as bytes, even if it is an integer's: its encoding is `embstr`.
    ///
    /// # Errors
    /// When the keyspace cannot hold it.
    pub fn set_text(&mut self, i: usize, text: &[u8], expiry: Expiry) -> Result<(), CommandError> {
        self.overwrite(i, expiry, |stripe, p| {
            stripe.set_bytes(p.hash, p.name, p.old, text, p.expires_at, p.clock, false)
        })
    }

    /// Lends the string at key `i` as bytes of length `len` (at least its present length), zero-filled
    /// beyond its end; creates it when there is none. The expiry stays.
    ///
    /// # Errors
    /// `WRONGTYPE`, or when the keyspace cannot hold it.
    pub fn string_mut(&mut self, i: usize, len: usize) -> Result<&mut [u8], CommandError> {
        if let Some(mut bytes) = self.outgrown(i, len)? {
            let clock = self.access_clock(i);
            bytes
                .try_reserve_exact(len.saturating_sub(bytes.len()))
                .map_err(|_| CommandError::FULL)?;
            bytes.resize(len.max(bytes.len()), 0);
            self.set_raw(i, bytes, Expiry::Keep)?;
            self.changes -= 1;
            if let Some(clock) = clock {
                self.set_access_clock(i, clock);
            }
        }
        self.changes += 1;
        let t = self.target(i)?;
        let found = t.key.found.ok_or(CommandError::FULL)?;
        let (hash, key) = (t.key.hash, t.key);
        let (found, bytes) = t.stripe.string_mut(hash, found, len)?;
        // The version moved if the entry did; the next access then looks it up again.
        key.found = Some(found);
        key.changed = true;
        Ok(bytes)
    }

    /// Has key `i` taken for changed though its value is the same: whoever watches it is told.
    pub fn touched(&mut self, i: usize) {
        if let Some(key) = self.plan.get_mut(i) {
            key.changed = true;
        }
    }

    /// Has the change of key `i` kept from those who watch it.
    pub fn unnoticed(&mut self, i: usize) {
        if let Some(key) = self.plan.get_mut(i) {
            key.changed = false;
        }
    }

    /// Takes back that the only change so far, one of key `i`, was one: its value is the same.
    pub fn left_as_it_was(&mut self, i: usize) {
        self.changes -= 1;
        self.unnoticed(i);
    }

    /// The bytes that key `i` has now, if it is absent or too small a string to become `len` bytes in
    /// place: they are then grown outside and moved in, which copies a large value once, not twice.
    fn outgrown(&self, i: usize, len: usize) -> Result<Option<Vec<u8>>, CommandError> {
        Ok(match self.string(i)? {
            None => Some(Vec::new()),
            Some(Str::Blob(_)) => None,
            Some(small) if len > crate::keyspace::entry::INLINE_VALUE_MAX => Some(small.to_vec()),
            Some(_) => None,
        })
    }

    /// Gives a detached value to key `i`, replacing whatever was there.
    ///
    /// # Errors
    /// When the keyspace cannot hold it.
    pub fn put(&mut self, i: usize, value: Detached) -> Result<(), CommandError> {
        let t = self.target(i)?;
        let (found, garbage) = t.stripe.put(t.key.hash, t.name, t.key.found, value)?;
        t.settle(found);
        self.changed(garbage);
        Ok(())
    }

    /// Moves the value of key `from` to key `to`, with its expiry, replacing whatever was there. They
    /// are different keys. Whether there was a value.
    ///
    /// # Errors
    /// When the keyspace cannot hold it; then nothing changed at `from`.
    pub fn relocate(&mut self, from: usize, to: usize) -> Result<bool, CommandError> {
        let Some(value) = self.duplicate(from) else {
            return Ok(false);
        };
        self.put(to, value)?;
        let t = self.target(from)?;
        if let Some(found) = t.key.found {
            // The value lives on at `to`, so this frees no memory; kept until later, it would
            // force the next change at `to` to copy.
            drop(t.stripe.remove(t.key.hash, found));
            t.key.found = None;
            t.key.version = t.stripe.version;
            t.key.changed = true;
        }
        Ok(true)
    }

    /// Removes key `i`. Whether it was there.
    ///
    /// # Errors
    /// Only for an undeclared key.
    pub fn remove(&mut self, i: usize) -> Result<bool, CommandError> {
        let t = self.target(i)?;
        let Some(found) = t.key.found else {
            return Ok(false);
        };
        let garbage = t.stripe.remove(t.key.hash, found);
        t.key.found = None;
        t.key.version = t.stripe.version;
        t.key.changed = true;
        self.changed(garbage);
        Ok(true)
    }

    /// Sets or clears the expiry of key `i`. Whether the key exists.
    ///
    /// # Errors
    /// When the keyspace cannot hold it.
    pub fn set_expiry(&mut self, i: usize, expires_at: Option<i64>) -> Result<bool, CommandError> {
        let t = self.target(i)?;
        let Some(found) = t.key.found else {
            return Ok(false);
        };
        let found = t.stripe.set_expiry(t.key.hash, found, expires_at)?;
        t.settle(found);
        self.changed(Garbage::default());
        Ok(true)
    }

    /// Counts changes beyond the one that replacing or removing a key counts: of its elements.
    pub fn count_changes(&mut self, more: u64) {
        self.changes += more;
    }

    /// Overwrites the access clock of key `i`.
    pub(crate) fn set_access_clock(&mut self, i: usize, clock: u32) {
        if let Ok(t) = self.target(i)
            && let Some(found) = t.key.found
        {
            t.stripe.set_clock(found.handle, clock);
        }
    }

    /// How accesses are recorded.
    pub(crate) fn rule(&self) -> AccessRule {
        *self.rule
    }

    pub(super) fn changed(&mut self, garbage: Garbage) {
        self.changes += 1;
        self.discard(garbage);
    }

    pub(super) fn discard(&mut self, garbage: Garbage) {
        if !matches!(garbage, Garbage::Nothing) {
            self.garbage.push(garbage);
        }
    }
}

pub(super) struct Target<'t> {
    pub(super) key: &'t mut PlannedKey,
    pub(super) name: &'t [u8],
    pub(super) stripe: &'t mut Stripe,
    pub(super) garbage: &'t mut Vec<Garbage>,
}

/// Where a value is put, and what its entry holds beside it.
pub(super) struct Placing<'t> {
    pub(super) hash: u64,
    pub(super) name: &'t [u8],
    pub(super) old: Option<Found>,
    pub(super) expires_at: Option<i64>,
    pub(super) clock: u32,
}

impl Target<'_> {
    /// The access clock of a value that replaces what is there. A count of uses belongs to the key, so it stays.
    pub(super) fn clock(&self, rule: &AccessRule) -> u32 {
        let counted = self.key.found.filter(|_| rule.lfu);
        counted
            .and_then(|f| self.stripe.view(f.handle))
            .map_or_else(|| rule.fresh(), |v| v.clock())
    }

    pub(super) fn expiry(&self, expiry: Expiry) -> Option<i64> {
        match expiry {
            Expiry::Clear => None,
            Expiry::At(at) => Some(at),
            Expiry::Keep => self
                .key
                .found
                .and_then(|f| self.stripe.view(f.handle)?.expires_at()),
        }
    }

    pub(super) fn settle(self, found: Found) {
        self.key.created |= self.key.found.is_none();
        self.key.found = Some(found);
        self.key.version = self.stripe.version;
        self.key.changed = true;
    }
}
