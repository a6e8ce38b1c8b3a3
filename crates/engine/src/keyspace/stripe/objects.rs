//! Collections in a stripe: storing them, and changing them where they are.
//!
//! Invariants
//! - A change works on a packed collection's bytes in the thread's scratch room and writes the entry
//!   once; an object is changed in place.
//! - `held` follows every change of an object, also of one that failed halfway.

use super::{Found, Full, Owned, Stripe};
use crate::keyspace::entry::{self, Kind, Outside, Spec};
use crate::keyspace::object::{Collection, Object};
use crate::keyspace::value::{Garbage, Value};
use ochre_ds::hash::Hash;
use ochre_ds::list::List;
use ochre_ds::set::Set;
use ochre_ds::zset::Zset;
use std::cell::Cell;

/// Bytes of scratch room that a thread keeps.
const SCRATCH_KEPT: usize = 2048;

thread_local! {
    /// Room for a packed collection while it is changed.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
/// An object whose packed form has at most this many bytes moves back into its entry: far enough
/// below the room of an entry that a few elements more or less do not move it each time.
const MOVE_BACK: usize = entry::INLINE_VALUE_MAX * 3 / 4;

/// What became of a key whose collection was changed.
pub(crate) struct Edited {
    /// Where the key is now, `None` when it is gone.
    pub(crate) found: Option<Found>,
}

impl Stripe {
    /// Stores an object, replacing whatever was there; small ones inside the entry. It is not empty.
    pub(crate) fn set_object(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        object: Object,
        expires_at: Option<i64>,
        clock: u32,
    ) -> Result<(Found, Garbage), Full> {
        let replaced = self.owned_by(old);
        let base = Spec {
            kind: object.kind(),
            modified: false,
            key,
            expires_at,
            value: &[],
            clock,
            epoch: self.epoch,
        };
        if let Some((kind, bytes)) = object.packed()
            && fits(key.len(), expires_at.is_some(), bytes.len())
        {
            let spec = Spec {
                kind,
                value: bytes,
                ..base
            };
            let found = self.write(hash, old, &spec)?;
            return Ok((found, self.release(replaced)));
        }
        let held = object.bytes();
        let index = self.objects.insert(object).map_err(|_| Full)?;
        self.held += held;
        let spec = Spec {
            value: &index.to_le_bytes(),
            ..base
        };
        let found = self.write(hash, old, &spec);
        if found.is_err() {
            self.objects.remove(index);
            self.held -= held;
        }
        Ok((found?, self.release(replaced)))
    }

    /// Lends the collection of a key, or an empty one, to `change`, which says whether it changed
    /// anything, and keeps what becomes of it: an empty one is removed. `None` when the key has another type.
    ///
    /// `clock` is that of a new key; the expiry stays. What is to be dropped goes to `garbage`.
    #[inline]
    pub(crate) fn edit<C: Collection>(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        clock: u32,
        garbage: &mut Vec<Garbage>,
        change: impl FnOnce(&mut C) -> bool,
    ) -> Result<Option<Edited>, Full> {
        match self.owned_by(old) {
            Some((Outside::Object, index)) => {
                self.edit_object(hash, key, old, index, garbage, change)
            }
            Some(_) => Ok(None),
            None => self.edit_packed(hash, key, old, clock, change),
        }
    }

    #[inline]
    fn edit_object<C: Collection>(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        index: u32,
        garbage: &mut Vec<Garbage>,
        change: impl FnOnce(&mut C) -> bool,
    ) -> Result<Option<Edited>, Full> {
        let Some(object) = self.objects.get_mut(index) else {
            return Ok(None);
        };
        let before = object.bytes();
        let Some(collection) = C::of_mut(object) else {
            return Ok(None);
        };
        let changed = change(collection);
        let empty = collection.is_empty();
        let small = collection
            .packed()
            .is_some_and(|(_, bytes)| bytes.len() <= MOVE_BACK);
        self.held = self.held + object.bytes() - before;
        let mut edited = Edited { found: old };
        let Some(found) = old else {
            return Ok(Some(edited));
        };
        if empty {
            garbage.push(self.remove(hash, found));
            edited.found = None;
        } else if small {
            garbage.push(self.move_back(hash, key, found, index)?);
            edited.found = self.find(hash, key);
        } else if changed {
            entry::set_epoch(self.arena.get_mut(found.handle), self.epoch);
        }
        Ok(Some(edited))
    }

    /// Moves a small object into its entry.
    #[cold]
    fn move_back(
        &mut self,
        hash: u64,
        key: &[u8],
        found: Found,
        index: u32,
    ) -> Result<Garbage, Full> {
        let (Some(view), Some(object)) = (self.view(found.handle), self.objects.get(index)) else {
            return Err(Full);
        };
        let (expires_at, clock) = (view.expires_at(), view.clock());
        if object
            .packed()
            .is_none_or(|(_, b)| !fits(key.len(), expires_at.is_some(), b.len()))
        {
            return Ok(Garbage::Nothing);
        }
        let object = object.clone();
        self.set_object(hash, key, Some(found), object, expires_at, clock)
            .map(|(_, garbage)| garbage)
    }

    #[inline]
    fn edit_packed<C: Collection>(
        &mut self,
        hash: u64,
        key: &[u8],
        old: Option<Found>,
        clock: u32,
        change: impl FnOnce(&mut C) -> bool,
    ) -> Result<Option<Edited>, Full> {
        let mut bytes = SCRATCH.take();
        bytes.clear();
        let (mut expires_at, mut clock) = (None, clock);
        let mut collection = match old.and_then(|f| self.view(f.handle)) {
            None => C::empty(bytes),
            Some(view) => {
                (expires_at, clock) = (view.expires_at(), view.clock());
                bytes.extend_from_slice(view.value());
                let kind = view.kind().ok_or(Full)?;
                match C::from_packed(kind, bytes) {
                    Some(collection) => collection,
                    None => return Ok(None),
                }
            }
        };
        let changed = change(&mut collection);
        let mut edited = Edited { found: old };
        if !changed {
            keep_scratch(collection);
            return Ok(Some(edited));
        }
        if collection.is_empty() {
            if let Some(found) = old {
                // A packed collection has nothing outside its entry.
                self.remove(hash, found);
                edited.found = None;
            }
            keep_scratch(collection);
            return Ok(Some(edited));
        }
        if let Some((kind, value)) = collection.packed()
            && fits(key.len(), expires_at.is_some(), value.len())
        {
            let spec = Spec {
                kind,
                modified: false,
                key,
                expires_at,
                value,
                clock,
                epoch: self.epoch,
            };
            edited.found = Some(self.write(hash, old, &spec)?);
            keep_scratch(collection);
            return Ok(Some(edited));
        }
        let (found, replaced) =
            self.set_object(hash, key, old, collection.wrap(), expires_at, clock)?;
        edited.found = Some(found);
        debug_assert!(matches!(replaced, Garbage::Nothing), "it was packed");
        Ok(Some(edited))
    }

    /// The object that the entry owns.
    pub(super) fn object(&self, handle: ochre_ds::arena::Handle) -> Option<&Object> {
        let view = self.view(handle)?;
        match view.kind()?.outside() {
            Outside::Object => self.objects.get(view.index()),
            _ => None,
        }
    }

    /// The entry's collection; `None` for another type.
    #[inline]
    pub(crate) fn collection<C: Collection>(
        &self,
        handle: ochre_ds::arena::Handle,
    ) -> Option<C::Ref<'_>> {
        let view = self.view(handle)?;
        let kind = view.kind()?;
        match kind.outside() {
            Outside::Object => self.objects.get(view.index()).and_then(C::of).map(C::view),
            Outside::Blob => None,
            Outside::Nothing => C::view_packed(kind, view.value()),
        }
    }

    /// The entry's value, whatever its type.
    pub(crate) fn value(&self, handle: ochre_ds::arena::Handle) -> Option<Value<'_>> {
        let kind = self.view(handle)?.kind()?;
        Some(match kind {
            Kind::Int | Kind::Inline | Kind::Blob => Value::String(self.string(handle)?),
            Kind::PackedList | Kind::List => Value::List(self.collection::<List>(handle)?),
            Kind::PackedSet | Kind::IntSet | Kind::Set => {
                Value::Set(self.collection::<Set>(handle)?)
            }
            Kind::PackedZset | Kind::Zset => Value::Zset(self.collection::<Zset>(handle)?),
            Kind::PackedHash | Kind::Hash => Value::Hash(self.collection::<Hash>(handle)?),
        })
    }

    /// What an entry owns outside itself.
    #[inline]
    pub(super) fn owned_by(&self, old: Option<Found>) -> Owned {
        let view = self.view(old?.handle)?;
        match view.kind().map(Kind::outside)? {
            Outside::Nothing => None,
            outside => Some((outside, view.index())),
        }
    }

    /// Takes out what an entry owned that is gone or was overwritten; not before, as writing may fail.
    #[inline]
    pub(super) fn release(&mut self, owned: Owned) -> Garbage {
        match owned {
            None => Garbage::Nothing,
            Some(owned) => self.release_owned(owned),
        }
    }

    fn release_owned(&mut self, (outside, index): (Outside, u32)) -> Garbage {
        match outside {
            Outside::Nothing => {}
            Outside::Blob => {
                if let Some(blob) = self.blobs.remove(index) {
                    self.held -= blob.heap_bytes();
                    return Garbage::Blob(blob);
                }
            }
            Outside::Object => {
                if let Some(object) = self.objects.remove(index) {
                    self.held -= object.bytes();
                    return Garbage::Object(object);
                }
            }
        }
        Garbage::Nothing
    }
}

fn keep_scratch(collection: impl Collection) {
    if let Some(bytes) = collection.into_packed()
        && bytes.capacity() <= SCRATCH_KEPT
    {
        SCRATCH.set(bytes);
    }
}

/// Whether a packed collection of `len` bytes has room in its entry.
fn fits(key: usize, expires: bool, len: usize) -> bool {
    len <= entry::INLINE_VALUE_MAX && entry::size(key, expires, len) <= entry::INLINE_MAX
}
