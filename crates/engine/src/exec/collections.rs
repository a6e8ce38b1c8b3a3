//! How handlers change collections, and how long work on them is kept away from the locks.
//!
//! Invariants
//! - A handler lends a collection to a closure and never holds one across a release.
//! - What is computed or sent after the release works on a clone of the collection's `Arc`: a
//!   snapshot. Whoever changes it meanwhile copies it first, so equality of the pointers proves that
//!   nothing changed.
//! - A command that computes outside commits under the locks again, and only if its inputs are
//!   still the same; after [`ATTEMPTS`] tries it computes under the locks instead, so it always ends.

use super::Engine;
use super::context::{Env, Out, WriteCx};
use super::keys::{Expiry, WriteKeys};
use crate::error::CommandError;
use crate::keyspace::{Collection, Garbage, Object};
use crate::settings::id;
use ochre_ds::hash::Hash;
use ochre_ds::list::List;
use ochre_ds::set::Set;
use ochre_ds::zset::Zset;
use ochre_ds::{hash, list, set, zset};
use std::sync::atomic::Ordering::Relaxed;

/// Elements from which a whole collection is sent piece by piece.
pub const STREAM_MIN: usize = 1024;
/// Elements of all inputs together from which a store command computes outside the locks.
pub const OUTSIDE_MIN: usize = 4096;
/// Tries outside the locks before the work is done under them.
const ATTEMPTS: u32 = 3;

/// Writes the rest of a reply, piece by piece.
pub trait Producer: Send + Sync {
    /// Writes a piece, about 64 KiB. Whether there is more.
    fn produce(&mut self, out: &mut Out) -> bool;
}

/// Stores what was computed outside, under the locks. False when an input changed meanwhile: the
/// command then runs again.
pub type Commit = Box<dyn FnOnce(&mut WriteCx<'_>) -> Result<bool, CommandError> + Send>;

/// Computes without any lock.
pub type Outside = Box<dyn FnOnce() -> Commit + Send>;

/// How large collections may become before they leave their packed forms.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `hash-max-listpack-*`.
    pub hash: hash::Limits,
    /// `set-max-*`.
    pub set: set::Limits,
    /// `zset-max-listpack-*`.
    pub zset: zset::Limits,
    /// `list-max-listpack-size`, DEBUG QUICKLIST-PACKED-THRESHOLD.
    pub list: list::Limits,
}

fn size(engine: &Engine, id: id::Int) -> usize {
    usize::try_from(engine.settings.int(id)).unwrap_or(0)
}

impl Env<'_> {
    /// How large collections may become before they leave their packed forms.
    pub fn limits(&self) -> Limits {
        Limits {
            hash: self.hash_limits(),
            set: self.set_limits(),
            zset: self.zset_limits(),
            list: self.list_limits(),
        }
    }

    /// [`Limits::hash`].
    #[inline]
    pub fn hash_limits(&self) -> hash::Limits {
        hash::Limits {
            entries: size(self.engine, id::HASH_MAX_LISTPACK_ENTRIES),
            value: size(self.engine, id::HASH_MAX_LISTPACK_VALUE),
        }
    }

    /// [`Limits::set`].
    #[inline]
    pub fn set_limits(&self) -> set::Limits {
        set::Limits {
            ints: size(self.engine, id::SET_MAX_INTSET_ENTRIES),
            entries: size(self.engine, id::SET_MAX_LISTPACK_ENTRIES),
            value: size(self.engine, id::SET_MAX_LISTPACK_VALUE),
        }
    }

    /// [`Limits::zset`].
    #[inline]
    pub fn zset_limits(&self) -> zset::Limits {
        zset::Limits {
            entries: size(self.engine, id::ZSET_MAX_LISTPACK_ENTRIES),
            value: size(self.engine, id::ZSET_MAX_LISTPACK_VALUE),
        }
    }

    /// [`Limits::list`].
    #[inline]
    pub fn list_limits(&self) -> list::Limits {
        let size = self.engine.settings.int(id::LIST_MAX_LISTPACK_SIZE);
        list::Limits {
            size: i32::try_from(size).unwrap_or(-2),
            alone_from: match self.engine.list_alone_from.load(Relaxed) {
                0 => None,
                bytes => Some(bytes),
            },
        }
    }
}

macro_rules! typed {
    ($edit:ident, $store:ident, $type:ident, $name:literal) => {
        #[doc = concat!("Lends the ", $name, " at key `i`, an empty one if there is none, to `change`; an empty result removes the key, the expiry stays.")]
        ///
        /// `change` returns its result and the number of changes, 0 if it changed nothing. It fails
        /// before it changes anything.
        ///
        /// # Errors
        /// `WRONGTYPE`, those of `change`, or when the keyspace cannot hold it.
        #[inline]
        pub fn $edit<R>(
            &mut self,
            i: usize,
            change: impl FnOnce(&mut $type) -> Result<(R, u64), CommandError>,
        ) -> Result<R, CommandError> {
            self.edit(i, change)
        }

        #[doc = concat!("Stores a ", $name, " at key `i`, whatever was there; an empty one removes the key. Whether the key now exists.")]
        ///
        /// # Errors
        /// When the keyspace cannot hold it.
        pub fn $store(
            &mut self,
            i: usize,
            value: $type,
            expiry: Expiry,
        ) -> Result<bool, CommandError> {
            self.store(i, Object::$type(value), expiry)
        }
    };
}

impl WriteKeys<'_> {
    typed!(edit_list, store_list, List, "list");
    typed!(edit_set, store_set, Set, "set");
    typed!(edit_zset, store_zset, Zset, "sorted set");
    typed!(edit_hash, store_hash, Hash, "hash");

    #[inline]
    fn edit<C: Collection, R>(
        &mut self,
        i: usize,
        change: impl FnOnce(&mut C) -> Result<(R, u64), CommandError>,
    ) -> Result<R, CommandError> {
        let rule = self.rule;
        let t = self.target(i)?;
        let clock = t.clock(rule);
        // What the change says stays here: handed on through the layers it would be copied by each.
        let mut said = None;
        let change = |c: &mut C| matches!(said.insert(change(c)), Ok((_, 1..)));
        let edited = t
            .stripe
            .edit(t.key.hash, t.name, t.key.found, clock, t.garbage, change)?
            .ok_or(CommandError::WRONG_TYPE)?;
        t.key.created |= t.key.found.is_none() && edited.found.is_some();
        t.key.found = edited.found;
        t.key.version = t.stripe.version;
        let (result, changes) = said.ok_or(CommandError::WRONG_TYPE)??;
        t.key.changed |= changes > 0;
        self.changes += changes;
        Ok(result)
    }

    /// Drops what was taken out of a list after the release.
    pub fn drop_later(&mut self, removed: list::Removed) {
        if !removed.is_empty() {
            self.discard(Garbage::Chunks(removed));
        }
    }

    pub(crate) fn store(
        &mut self,
        i: usize,
        value: Object,
        expiry: Expiry,
    ) -> Result<bool, CommandError> {
        if value.is_empty() {
            self.remove(i)?;
            return Ok(false);
        }
        self.overwrite(i, expiry, |stripe, p| {
            stripe.set_object(p.hash, p.name, p.old, value, p.expires_at, p.clock)
        })?;
        Ok(true)
    }
}

impl WriteCx<'_> {
    /// Has `work` computed after the stripes are released, and its commit run under them again.
    ///
    /// The handler then returns `Ok` without having replied or changed anything. Its inputs are clones, and the
    /// commit returns false unless every one of them is still what its key holds; the handler then
    /// runs again.
    pub fn outside(&mut self, work: Outside) {
        self.rest.get_or_insert_default().outside = Some(work);
    }

    /// Whether the work must be done here, because it was tried outside often enough.
    pub fn must_finish(&self) -> bool {
        self.attempt >= ATTEMPTS
    }

    /// Sends the rest of the reply piece by piece after the stripes are released.
    pub fn stream(&mut self, producer: Box<dyn Producer>) {
        self.rest.get_or_insert_default().stream = Some(producer);
    }
}
