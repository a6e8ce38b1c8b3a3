//! One stripe: a table of handles, the arena of its entries, and its large values.
//!
//! Invariants
//! - Every handle in the table names a live entry whose key hashes to this stripe, and every live
//!   entry of the arena is in the table.
//! - The table's volatile mark equals "has an expiry".
//! - A `Blob` entry owns exactly one position of `blobs`, an object's entry one of `objects`.
//! - `held` is what the stripe's blobs and objects hold, in bytes.
//!
//! It is pure state behind one lock: it takes no lock, knows no client, and never frees a large
//! value itself: removal hands it out, so that it dies after the lock is released.

mod hints;
mod objects;

use super::access::AccessRule;
use super::entry::{self, Kind, Outside, Spec, View};
use super::interest::{Interest, Presence};
use super::object::Object;
use super::value::{Detached, DetachedValue, Garbage, KeyHasher, Str};
use ochre_ds::arena::{self, Arena, Handle};
use ochre_ds::blob::Blob;
use ochre_ds::slots::Slots;
use ochre_ds::table::{Likely, Place, Position, Table, position_of};

/// The stripe cannot hold more: handles or memory are exhausted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// An entry that was found. Valid until the stripe changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub(crate) place: Place,
    pub(crate) handle: Handle,
}

/// What an entry owns outside itself, and where.
type Owned = Option<(Outside, u32)>;

/// See the module's documentation.
#[repr(C)] // what every request reads comes first: with the lock before it, two cache lines
pub struct Stripe {
    /// Counts structural changes of the place: a `Found` from before one must be looked up again. No two states of a
    /// place have the same, whatever it exchanges its contents with.
    pub(crate) version: u64,
    pub(crate) table: Table,
    pub(crate) arena: Arena,
    /// Who wants to know of changes; it belongs to the place, not to its contents.
    pub(crate) interest: Option<Box<Interest>>,
    blobs: Slots<Blob>,
    objects: Slots<Object>,
    held: usize,
    random: u64,
    hasher: KeyHasher,
    /// Snapshot epoch given to entries that are created or changed.
    epoch: u8,
}

impl Stripe {
    /// An empty stripe.
    pub fn new(hasher: KeyHasher, seed: u64) -> Stripe {
        Stripe {
            table: Table::new(),
            arena: Arena::new(),
            blobs: Slots::default(),
            objects: Slots::default(),
            held: 0,
            epoch: 0,
            random: seed | 1,
            hasher,
            version: 0,
            interest: None,
        }
    }

    /// Empties the stripe and returns what was in it.
    pub fn take(&mut self) -> Stripe {
        let mut interest = self.interest.take();
        if let Some(interest) = &mut interest {
            interest.replaced(|key| self.has(key), |_| Presence::Absent);
        }
        let mut empty = Stripe::new(self.hasher, self.random);
        empty.epoch = self.epoch;
        empty.version = self.version + 1;
        empty.interest = interest;
        std::mem::replace(self, empty)
    }

    /// Bytes of the table alone.
    pub fn table_bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Number of keys, expired ones included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Number of keys with an expiry.
    pub fn volatile_len(&self) -> usize {
        self.table.volatile_len()
    }

    /// Bytes held for keys and values.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.arena.bytes() + self.held
    }

    /// Bytes of entries and large values in use, without the table and free slots. Constant time.
    pub fn live_bytes(&self) -> usize {
        self.arena.live_bytes() + self.held
    }

    /// Bytes of free slots, which new entries reuse.
    pub fn slack_bytes(&self) -> usize {
        self.arena.bytes() - self.arena.live_bytes()
    }

    /// Bytes that an entry takes, its share of the table included.
    pub(crate) fn memory(&self, handle: Handle) -> usize {
        /// Table bytes per entry at the usual load.
        const TABLE_SHARE: usize = 8;
        let blob = match self.string(handle) {
            Some(Str::Blob(b)) => b.heap_bytes() + std::mem::size_of::<Blob>(),
            _ => self.object(handle).map_or(0, Object::bytes),
        };
        self.arena.get(handle).len() + TABLE_SHARE + blob
    }

    /// A random number, uniform in 0..2^32 (xorshift; for sampling, not for secrets).
    pub(crate) fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u32::try_from(self.random >> 32).unwrap_or(0)
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<Found> {
        let same = |h: Handle| View::new(self.arena.get(h)).is_some_and(|v| v.key() == key);
        self.table
            .find(hash, same)
            .map(|(place, handle)| Found { place, handle })
    }

    /// Where the entry of `key` is, and what is in it. `likely` is what a look at this version of the stripe told.
    #[inline(always)] // on the way of every request with a key
    pub(crate) fn look_up(
        &self,
        hash: u64,
        key: &[u8],
        likely: Likely,
    ) -> Option<(Found, View<'_>)> {
        match likely {
            Likely::Record(place, handle) => {
                // Unless it is another key's of the same tag.
                let view = self.view(handle)?;
                if view.key() == key {
                    return Some((Found { place, handle }, view));
                }
            }
            Likely::Nothing => return None,
            Likely::Bucket(_) => {}
        }
        let found = self.find(hash, key)?;
        Some((found, self.view(found.handle)?))
    }

    /// Whether there is an entry for `key`, expired or not.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.find(self.hasher.hash(key), key).is_some()
    }

    /// What there is of a key at a time.
    pub(crate) fn presence(&self, key: &[u8], now_ms: i64) -> Presence {
        let Some(found) = self.find(self.hasher.hash(key), key) else {
            return Presence::Absent;
        };
        let expires_at = self.view(found.handle).and_then(|view| view.expires_at());
        if expires_at.is_some_and(|at| at <= now_ms) {
            Presence::Expired
        } else {
            Presence::Present
        }
    }

    #[inline]
    pub(crate) fn view(&self, handle: Handle) -> Option<View<'_>> {
        View::new(self.arena.get(handle))
    }

    /// The entry's string; `None` for another type.
    #[inline]
    pub(crate) fn string(&self, handle: Handle) -> Option<Str<'_>> {
        let view = self.view(handle)?;
        match view.kind()? {
            Kind::Int => Some(Str::Int(view.int())),
            Kind::Inline => Some(Str::Inline(view.value())),
            Kind::Blob => self.blobs.get(view.index()).map(Str::Blob),
            _ => None,
        }
    }

    /// Records an access to the entry.
    #[inline(always)] // on the way of every request with a key
    pub(crate) fn touch(&mut self, handle: Handle, rule: &AccessRule) {
        let slot = self.arena.get_mut(handle);
        match View::new(slot).map(View::clock) {
            Some(clock) if rule.lfu => self.count_use(handle, clock, rule),
            Some(clock) if clock != rule.seconds => entry::set_clock(slot, rule.seconds),
            _ => {}
        }
    }

    #[inline(never)] // keeps the usual way short
    fn count_use(&mut self, handle: Handle, clock: u32, rule: &AccessRule) {
        let touched = rule.touched(clock, || self.random());
        entry::set_clock(self.arena.get_mut(handle), touched);
    }

    pub(crate) fn set_clock(&mut self, handle: Handle, clock: u32) {
        entry::set_clock(self.arena.get_mut(handle), clock);
    }

    /// Writes an entry for `spec`, in place of `old` or new, and returns where it is.
    fn write(&mut self, hash: u64, old: Option<Found>, spec: &Spec<'_>) -> Result<Found, Full> {
        let size = spec.size();
        let volatile = spec.expires_at.is_some();
        if let Some(found) = old {
            let handle = if arena::slot_size(size) == self.arena.get(found.handle).len() {
                found.handle
            } else {
                let handle = self.arena.alloc(size).ok_or(Full)?;
                self.arena.free(found.handle);
                self.version += 1;
                handle
            };
            spec.write(self.arena.get_mut(handle));
            self.table.replace(found.place, handle, volatile);
            return Ok(Found {
                place: found.place,
                handle,
            });
        }
        let handle = self.arena.alloc(size).ok_or(Full)?;
        spec.write(self.arena.get_mut(handle));
        let (arena, hasher) = (&self.arena, self.hasher);
        let rehash = |h: Handle| View::new(arena.get(h)).map_or(0, |v| hasher.hash(v.key()));
        let place = self
            .table
            .insert(hash, handle, volatile, |h| arena.hint(h).first(), rehash);
        let Some(place) = place else {
            self.arena.free(handle);
            return Err(Full);
        };
        self.version += 1;
        Ok(Found { place, handle })
    }

    /// Stores a string, replacing whatever was there. An integer is stored as one.
    #[allow(clippy::too_many_arguments)] // the parts of an entry
    pub(crate) fn set(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        value: &[u8],
        expires_at: Option<i64>,
        clock: u32,
    ) -> Result<(Found, Garbage), Full> {
        if value.len() <= 20
            && let Some(n) = ochre_ds::int::parse_i64(value)
        {
            return self.set_int(hash, key, old, n, expires_at, clock);
        }
        self.set_bytes(hash, key, old, value, expires_at, clock, false)
    }

    pub(crate) fn set_int(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        n: i64,
        expires_at: Option<i64>,
        clock: u32,
    ) -> Result<(Found, Garbage), Full> {
        let (bytes, len) = entry::encode_int(n);
        let owned = self.owned_by(old);
        let epoch = self.epoch;
        let spec = Spec {
            kind: Kind::Int,
            modified: false,
            key,
            expires_at,
            value: &bytes[..len],
            clock,
            epoch,
        };
        Ok((self.write(hash, old, &spec)?, self.release(owned)))
    }

    #[allow(clippy::too_many_arguments)] // the parts of an entry
    pub(crate) fn set_bytes(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        value: &[u8],
        expires_at: Option<i64>,
        clock: u32,
        modified: bool,
    ) -> Result<(Found, Garbage), Full> {
        let inline = value.len() <= entry::INLINE_VALUE_MAX
            && entry::size(key.len(), expires_at.is_some(), value.len()) <= entry::INLINE_MAX;
        if !inline {
            return self.set_blob(
                hash,
                key,
                old,
                Blob::copy_from(value),
                expires_at,
                clock,
                modified,
            );
        }
        let owned = self.owned_by(old);
        let spec = Spec {
            kind: Kind::Inline,
            modified,
            key,
            expires_at,
            value,
            clock,
            epoch: self.epoch,
        };
        Ok((self.write(hash, old, &spec)?, self.release(owned)))
    }

    #[allow(clippy::too_many_arguments)] // the parts of an entry
    pub(crate) fn set_blob(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        blob: Blob,
        expires_at: Option<i64>,
        clock: u32,
        modified: bool,
    ) -> Result<(Found, Garbage), Full> {
        let replaced = self.owned_by(old);
        let held = blob.heap_bytes();
        let index = self.blobs.insert(blob).map_err(|_| Full)?;
        self.held += held;
        let value = index.to_le_bytes();
        let spec = Spec {
            kind: Kind::Blob,
            modified,
            key,
            expires_at,
            value: &value,
            clock,
            epoch: self.epoch,
        };
        let found = self.write(hash, old, &spec);
        if found.is_err() {
            self.blobs.remove(index);
            self.held -= held;
        }
        Ok((found?, self.release(replaced)))
    }

    /// Gives a value to a key, as `set` does for a string.
    pub(crate) fn put(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        value: Detached,
    ) -> Result<(Found, Garbage), Full> {
        let Detached {
            value,
            modified,
            expires_at,
            clock,
        } = value;
        match value {
            DetachedValue::Int(n) => self.set_int(hash, key, old, n, expires_at, clock),
            DetachedValue::Bytes(b) => {
                self.set_bytes(hash, key, old, &b, expires_at, clock, modified)
            }
            DetachedValue::Blob(b) => self.set_blob(hash, key, old, b, expires_at, clock, modified),
            DetachedValue::Object(o) => self.set_object(hash, key, old, o, expires_at, clock),
        }
    }

    /// A copy of the value; a large one is shared, not copied.
    pub(crate) fn duplicate(&self, handle: Handle) -> Option<Detached> {
        let view = self.view(handle)?;
        let value = match self.string(handle) {
            Some(Str::Int(n)) => DetachedValue::Int(n),
            Some(Str::Inline(b)) => DetachedValue::Bytes(b.to_vec()),
            Some(Str::Blob(b)) => DetachedValue::Blob(b.clone()),
            None => DetachedValue::Object(match self.object(handle) {
                Some(object) => object.clone(),
                None => Object::from_packed(view.kind()?, view.value().to_vec())?,
            }),
        };
        Some(Detached {
            value,
            modified: view.modified(),
            expires_at: view.expires_at(),
            clock: view.clock(),
        })
    }

    /// Turns the string into plain bytes of `len`, zero-filled beyond its end, and lends them.
    ///
    /// Never shortens: `len` is at least the present length.
    pub(crate) fn string_mut(
        &mut self,
        hash: u64,
        found: Found,
        len: usize,
    ) -> Result<(Found, &mut [u8]), Full> {
        let Some(view) = self.view(found.handle) else {
            return Err(Full);
        };
        let (expires_at, clock) = (view.expires_at(), view.clock());
        if view.kind() == Some(Kind::Blob) {
            let index = view.index();
            self.mark_changed(found);
            return self.grow_blob(index, len).map(|bytes| (found, bytes));
        }
        let Some(current) = self.string(found.handle) else {
            return Err(Full);
        };
        let mut value = current.to_vec();
        let key = view.key().to_vec();
        if value.len() < len {
            value
                .try_reserve_exact(len - value.len())
                .map_err(|_| Full)?;
        }
        value.resize(len.max(value.len()), 0);
        let (found, _) =
            self.set_bytes(hash, &key, Some(found), &value, expires_at, clock, true)?;
        let Some(view) = self.view(found.handle) else {
            return Err(Full);
        };
        if view.kind() == Some(Kind::Blob) {
            let index = view.index();
            return self.grow_blob(index, len).map(|bytes| (found, bytes));
        }
        let start = view.value_start();
        let end = start + view.value().len();
        Ok((found, &mut self.arena.get_mut(found.handle)[start..end]))
    }

    fn grow_blob(&mut self, index: u32, len: usize) -> Result<&mut [u8], Full> {
        /// Spare room beyond which doubling stops, as sds does: a gigabyte must not reserve another.
        const SPARE_MAX: usize = 1 << 20;
        let blob = self.blobs.get_mut(index).ok_or(Full)?;
        let before = blob.heap_bytes();
        let bytes = blob.make_mut();
        let mut fits = true;
        if len > bytes.capacity() {
            let room = len.saturating_add(len.min(SPARE_MAX));
            fits = bytes.try_reserve_exact(room - bytes.len()).is_ok();
        }
        if fits && len > bytes.len() {
            bytes.resize(len, 0);
        }
        // Also where it did not fit: unsharing has copied the blob.
        let after = blob.heap_bytes();
        self.held = self.held + after - before;
        if !fits {
            return Err(Full);
        }
        Ok(self.blobs.get_mut(index).ok_or(Full)?.make_mut())
    }

    fn mark_changed(&mut self, found: Found) {
        let epoch = self.epoch;
        let slot = self.arena.get_mut(found.handle);
        entry::set_epoch(slot, epoch);
        slot[1] |= entry::MODIFIED;
    }

    /// Sets or clears the expiry.
    pub(crate) fn set_expiry(
        &mut self,
        hash: u64,
        found: Found,
        expires_at: Option<i64>,
    ) -> Result<Found, Full> {
        let Some(view) = self.view(found.handle) else {
            return Err(Full);
        };
        let Some(kind) = view.kind() else {
            return Err(Full);
        };
        let (key, value) = (view.key().to_vec(), view.value().to_vec());
        let fits = entry::size(key.len(), expires_at.is_some(), value.len()) <= entry::INLINE_MAX;
        let (modified, clock) = (view.modified(), view.clock());
        if kind.is_packed() && !fits {
            let object = Object::from_packed(kind, value).ok_or(Full)?;
            return self
                .set_object(hash, &key, Some(found), object, expires_at, clock)
                .map(|(f, _)| f);
        }
        if kind == Kind::Inline && !fits {
            return self
                .set_bytes(hash, &key, Some(found), &value, expires_at, clock, modified)
                .map(|(f, _)| f);
        }
        let spec = Spec {
            kind,
            modified,
            key: &key,
            expires_at,
            value: &value,
            clock,
            epoch: self.epoch,
        };
        self.write(hash, Some(found), &spec)
    }

    /// Removes the entry.
    pub(crate) fn remove(&mut self, hash: u64, found: Found) -> Garbage {
        let owned = self.owned_by(Some(found));
        let garbage = self.release(owned);
        self.table.remove(hash, found.place);
        self.arena.free(found.handle);
        self.version += 1;
        garbage
    }

    /// Visits the keys of the bucket at `position` in scan order, each key once even after a merge,
    /// and returns the next position, 0 at the end.
    pub(crate) fn scan(
        &self,
        position: Position,
        mut visit: impl FnMut(Handle, View<'_>),
    ) -> Position {
        self.table.scan(position, |handle, _| {
            if let Some(view) = self.view(handle)
                && position_of(self.hasher.hash(view.key())) >= position
            {
                visit(handle, view);
            }
        })
    }

    /// Visits every entry of the bucket at `position`, also those before it after a merge.
    pub(crate) fn table_scan(
        &self,
        position: Position,
        mut visit: impl FnMut(Handle, View<'_>),
    ) -> Position {
        self.table.scan(position, |handle, _| {
            if let Some(view) = self.view(handle) {
                visit(handle, view);
            }
        })
    }

    /// Like `table_scan`, over entries with an expiry only; reads no other entry.
    pub(crate) fn scan_volatile(
        &self,
        position: Position,
        mut visit: impl FnMut(Handle, View<'_>),
    ) -> Position {
        self.table.scan(position, |handle, volatile| {
            if volatile && let Some(view) = self.view(handle) {
                visit(handle, view);
            }
        })
    }

    /// The hash of a key.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// Moves one sparse slab's records together, so that its memory goes back. Returns whether there was one.
    pub(crate) fn compact(&mut self) -> bool {
        let Some(plan) = self.arena.sparsest() else {
            return false;
        };
        let (table, hasher) = (&mut self.table, self.hasher);
        self.arena.evacuate(plan, |old, new, record| {
            if let Some(view) = View::new(record) {
                let hash = hasher.hash(view.key());
                if let Some((place, _)) = table.find(hash, |h| h == old) {
                    table.replace(place, new, view.expires_at().is_some());
                }
            }
        });
        self.version += 1;
        true
    }
}
