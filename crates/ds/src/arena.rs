//! A slab arena for small records of one owner (a stripe of the keyspace).
//!
//! Records are byte strings of up to [`SMALL_MAX`] bytes in size classes 8 bytes apart, packed into
//! slabs, and named by a 32-bit [`Handle`] instead of a pointer: a table of handles is half the size
//! of a table of pointers, and a record can be moved by its owner, which is what gives memory back
//! after deletions (see [`Arena::sparsest`]). Larger records are allocated singly.
//!
//! Invariants
//! - The first byte of a live record is not zero; a free slot's first byte is zero, and bytes 4..6
//!   hold the next free slot of its slab. Slots from `fresh` on were never used.
//! - A slab with room is in the list of its class, a full one is not.
//! - `Handle` 0 is never handed out; the top bit tells the handle of a large record.
//! - Every byte of a slab is initialised (slabs are allocated zeroed), so that a stale handle reads
//!   old bytes and never undefined ones.
//!
//! Cost: allocation and release are a few instructions; waste is under 8 bytes a record, plus for a class of `h` bytes
//! about `1.5 sqrt(48 h)` in its newest slab and the directory (half of a small class). Emptying a slab costs in proportion
//! to that slab alone, as its owner holds a lock meanwhile.
//!
//! It does not know what records mean and never drops anything that they refer to.
#![allow(unsafe_code)] // raw slabs: every access goes through `slot`, which checks the handle

use crate::blocks;
use crate::prefetch::Hint;
use crate::slots::Slots;
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

mod walk;
pub use walk::{Cursor, Records};

/// The largest record that shares a slab, in bytes.
pub const SMALL_MAX: usize = 512;
/// An arena of at most so many bytes gives nothing back.
const KEPT: usize = 256;
/// The smallest slot: room for the free-list link.
const SLOT_MIN: usize = 16;
const STEP: usize = 8;
/// Slab sizes: with `h` bytes of a class held in slabs of `s`, the newest slab leaves `s / 2` unused on average, and the
/// directory has an entry for each `s` bytes, of which every access reads one. With `s = k * sqrt(2 * entry * h)` the two
/// take `(1 / k + k / 2) * sqrt(2 * entry * h)` bytes, the slabs that came before being smaller. That is least at 1.4;
/// at 2 it is hardly more, and directories are small enough to stay in a core's second cache for long. At most half of
/// what is held: an owner of few records holds little more than them.
/// The upper bound is jemalloc's largest small class: beyond it every block costs up to a page more.
/// Within that, `blocks` chooses the size that wastes least.
const SLAB_COST: usize = SLAB_FACTOR * SLAB_FACTOR * 2 * size_of::<Slab>();
const SLAB_FACTOR: usize = 2;
/// Handle layout: slab number above, slot number below; or `LARGE` and the number of a large record.
const SLOT_BITS: u32 = 10;
const LARGE: u32 = 1 << 31;
const NUMBER_BITS: u32 = 31 - SLOT_BITS;
const NUMBER_MASK: u32 = (1 << NUMBER_BITS) - 1;
const SLAB_NUMBER_MAX: usize = 1 << NUMBER_BITS;
const _: () = assert!(SMALL_MAX / STEP < 1 << (32 - NUMBER_BITS));
/// The largest record of all.
const LARGE_MAX: usize = u32::MAX as usize;
const _: () = assert!(blocks::MAX / SLOT_MIN <= 1 << SLOT_BITS);

/// Names a record of one [`Arena`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Handle(std::num::NonZeroU32);

impl Handle {
    /// The number behind the handle; never zero.
    pub fn raw(self) -> u32 {
        self.0.get()
    }

    /// The handle behind a number from [`Handle::raw`]; `None` for zero.
    pub fn from_raw(raw: u32) -> Option<Handle> {
        std::num::NonZeroU32::new(raw).map(Handle)
    }

    fn slab(self) -> usize {
        (self.raw() >> SLOT_BITS) as usize
    }

    fn slot(self) -> usize {
        (self.raw() & ((1 << SLOT_BITS) - 1)) as usize
    }

    fn large(self) -> Option<u32> {
        self.raw().checked_sub(LARGE)
    }
}

// A large handle names no slab: its number is beyond all of them.
const _: () = assert!((LARGE >> SLOT_BITS) as usize >= SLAB_NUMBER_MAX);

/// One block of memory cut into equal slots. A released slab number keeps a dangling entry with no slots.
///
/// There is one for every few records, so it is kept small.
struct Slab {
    base: NonNull<u8>,
    slots: u16,
    used: u16,
    /// First slot that was never used.
    fresh: u16,
    /// First free slot below `fresh` plus one, or 0.
    free: u16,
    /// Neighbour in the list of slabs with room, or 0; above `NUMBER_BITS` the slot size in steps.
    steps_and_before: u32,
    /// The other neighbour, or 0.
    after: u32,
}

const _: () = assert!(std::mem::size_of::<Slab>() == 24);

impl Slab {
    const VACANT: Slab = Slab {
        base: NonNull::dangling(),
        slots: 0,
        used: 0,
        fresh: 0,
        free: 0,
        steps_and_before: 0,
        after: 0,
    };

    #[inline]
    fn slot_size(&self) -> usize {
        (self.steps_and_before >> NUMBER_BITS) as usize * STEP
    }

    fn before(&self) -> u32 {
        self.steps_and_before & NUMBER_MASK
    }

    fn set_before(&mut self, number: u32) {
        self.steps_and_before = (self.steps_and_before & !NUMBER_MASK) | number;
    }

    fn bytes(&self) -> usize {
        self.slot_size() * usize::from(self.slots)
    }

    /// The slots from `first` on that were ever used.
    fn used_slots(&self, first: usize) -> &[u8] {
        let (size, fresh) = (self.slot_size(), usize::from(self.fresh));
        let first = first.min(fresh);
        // SAFETY: `first <= fresh <= slots`, so the range lies inside the slab, whose bytes are all initialised.
        unsafe {
            std::slice::from_raw_parts(self.base.as_ptr().add(first * size), (fresh - first) * size)
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Class {
    /// First slab with room, or 0.
    open: u32,
    /// Slots in all slabs of the class, and those in use.
    slots: u32,
    used: u32,
}

/// See the module's documentation.
#[repr(C)] // what every access reads comes first
pub struct Arena {
    slabs: Vec<Slab>,
    vacant: Vec<u32>,
    /// By slot size in steps, as far as used.
    classes: Vec<Class>,
    large: Slots<Box<[u8]>>,
    bytes: usize,
    live: usize,
}

// SAFETY: an arena owns its slabs exclusively, as a Vec<u8> would; nothing in it is tied to a thread.
unsafe impl Send for Arena {}
// SAFETY: shared access only reads bytes; there is no interior mutability.
unsafe impl Sync for Arena {}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

/// The size of the slot that a record of `size` bytes occupies.
pub fn slot_size(size: usize) -> usize {
    size.max(SLOT_MIN).next_multiple_of(STEP)
}

impl Arena {
    /// An empty arena; its first slab comes with the first record.
    pub fn new() -> Arena {
        Arena {
            slabs: vec![Slab::VACANT],
            vacant: Vec::new(),
            classes: Vec::new(),
            large: Slots::default(),
            bytes: 0,
            live: 0,
        }
    }

    /// Bytes held from the allocator for records (the directory not counted).
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes held for the directory of slabs. Constant time.
    pub fn directory_bytes(&self) -> usize {
        self.slabs.capacity() * std::mem::size_of::<Slab>()
            + self.vacant.capacity() * std::mem::size_of::<u32>()
            + self.classes.capacity() * std::mem::size_of::<Class>()
            + self.large.heap_bytes()
    }

    /// Bytes of slots in use.
    pub fn live_bytes(&self) -> usize {
        self.live
    }

    /// Reserves a zero-filled or stale slot for a record of `size` bytes. The caller must make its first byte non-zero.
    ///
    /// `None` when the handle space or the allocator is exhausted, or `size` exceeds 4 GiB.
    pub fn alloc(&mut self, size: usize) -> Option<Handle> {
        let size = slot_size(size);
        if size > SMALL_MAX {
            return self.alloc_large(size);
        }
        let index = size / STEP;
        if self.classes.get(index).is_none_or(|c| c.open == 0) {
            self.grow(index)?;
        }
        let handle = self.take(index)?;
        self.classes[index].used += 1;
        self.live += size;
        Some(handle)
    }

    /// A slot of the first slab with room.
    fn take(&mut self, index: usize) -> Option<Handle> {
        let number = self.classes[index].open;
        let slab = self.slabs.get(number as usize)?;
        let slot = slab.free.checked_sub(1).unwrap_or(slab.fresh);
        let handle = Handle::from_raw((number << SLOT_BITS) | u32::from(slot))?;
        let link = self.slot(handle)?;
        let next = u16::from_le_bytes([link[4], link[5]]);
        let slab = &mut self.slabs[number as usize];
        if slab.free == 0 {
            slab.fresh += 1;
        } else {
            slab.free = next;
        }
        slab.used += 1;
        if slab.used == slab.slots {
            self.unlink(index, number);
        }
        Some(handle)
    }

    fn grow(&mut self, index: usize) -> Option<()> {
        let size = index * STEP;
        if index >= self.classes.len() {
            self.classes.reserve_exact(index + 1 - self.classes.len());
            self.classes.resize(index + 1, Class::default());
        }
        let held = self.classes[index].slots as usize * size;
        let target = (SLAB_COST * held).isqrt().min(held / 2);
        let slots = blocks::slots(size, target);
        let slab = self.add_slab(size, slots)?;
        self.classes[index].slots += u32::try_from(slots).ok()?;
        self.link(index, slab);
        Some(())
    }

    /// Puts a slab at the head of its class's list.
    fn link(&mut self, index: usize, number: u32) {
        let head = std::mem::replace(&mut self.classes[index].open, number);
        if head != 0 {
            self.slabs[head as usize].set_before(number);
        }
        let slab = &mut self.slabs[number as usize];
        slab.set_before(0);
        slab.after = head;
    }

    /// Takes a slab out of its class's list.
    fn unlink(&mut self, index: usize, number: u32) {
        let slab = &mut self.slabs[number as usize];
        let (before, after) = (slab.before(), slab.after);
        slab.set_before(0);
        slab.after = 0;
        if before == 0 {
            self.classes[index].open = after;
        } else {
            self.slabs[before as usize].after = after;
        }
        if after != 0 {
            self.slabs[after as usize].set_before(before);
        }
    }

    fn add_slab(&mut self, size: usize, slots: usize) -> Option<u32> {
        let number = self.vacant_number()?;
        let bytes = size.checked_mul(slots)?;
        let layout = Layout::from_size_align(bytes, STEP).ok()?;
        // SAFETY: the layout has a non-zero size, as size >= SLOT_MIN and slots >= 1.
        let Some(base) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            self.vacant.push(number);
            return None;
        };
        self.slabs[number as usize] = Slab {
            base,
            slots: u16::try_from(slots).ok()?,
            steps_and_before: u32::try_from(size / STEP).ok()? << NUMBER_BITS,
            ..Slab::VACANT
        };
        self.bytes += bytes;
        Some(number)
    }

    fn alloc_large(&mut self, size: usize) -> Option<Handle> {
        if size > LARGE_MAX || self.large.len() >= (u32::MAX - LARGE) as usize {
            return None;
        }
        let layout = Layout::array::<u8>(size).ok()?;
        // SAFETY: the size is not zero, as it is above SMALL_MAX.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let bytes = std::ptr::slice_from_raw_parts_mut(base.as_ptr(), size);
        // SAFETY: `size` initialised bytes, just allocated with the layout that Box<[u8]> frees them with.
        let record = unsafe { Box::from_raw(bytes) };
        let index = self.large.insert(record).ok()?;
        self.bytes += size;
        self.live += size;
        Handle::from_raw(LARGE | index)
    }

    /// Gives a record's slot back. The handle is dead afterwards.
    pub fn free(&mut self, handle: Handle) {
        let size = self.get(handle).len();
        if size == 0 {
            return;
        }
        self.live -= size;
        if let Some(large) = handle.large() {
            self.bytes -= size;
            self.large.remove(large);
            return;
        }
        let index = size / STEP;
        let number = handle.raw() >> SLOT_BITS;
        let next = self.slabs[number as usize].free;
        self.put_back(handle, next);
        let slab = &mut self.slabs[number as usize];
        let was_full = slab.used == slab.slots;
        slab.used -= 1;
        let (used, slots) = (slab.used, u32::from(slab.slots));
        let class = &mut self.classes[index];
        class.used -= 1;
        let elsewhere = class.slots - class.used - (slots - u32::from(used));
        if was_full {
            self.link(index, number);
        }
        if self.bytes <= KEPT {
            // What has a record now and then would allocate its slab each time.
        } else if self.classes[index].used == 0 {
            self.release_class(index);
        } else if used == 0 && elsewhere >= slots {
            // As much room is left as went, so that a few records more or less do not cost a slab each.
            self.release_slab(index, number);
        }
    }

    /// Marks a slot free and puts it before `next` in its slab's list.
    fn put_back(&mut self, handle: Handle, next: u16) {
        let slot = self.get_mut(handle);
        slot[0] = 0;
        slot[4..6].copy_from_slice(&next.to_le_bytes());
        // Lossless: a slab has at most 2^10 slots.
        self.slabs[handle.slab()].free = handle.slot() as u16 + 1;
    }

    /// Gives every slab of an unused class back. None is full, so all are in its list.
    fn release_class(&mut self, index: usize) {
        while self.classes[index].open != 0 {
            self.release_slab(index, self.classes[index].open);
        }
    }

    /// Gives a slab back that is in its class's list and holds no record.
    fn release_slab(&mut self, index: usize, number: u32) {
        self.unlink(index, number);
        self.classes[index].slots -= u32::from(self.slabs[number as usize].slots);
        self.drop_slab(number as usize);
    }

    fn drop_slab(&mut self, number: usize) {
        let slab = std::mem::replace(&mut self.slabs[number], Slab::VACANT);
        let bytes = slab.bytes();
        let Ok(layout) = Layout::from_size_align(bytes, STEP) else {
            return;
        };
        self.bytes -= bytes;
        // SAFETY: the slab was allocated in `add_slab` with this very layout and is forgotten above, so it is freed once.
        unsafe { dealloc(slab.base.as_ptr(), layout) };
        if let Ok(number) = u32::try_from(number) {
            self.vacant.push(number);
        }
        self.shrink_directory();
    }

    /// Gives the directory's unused end back when it is most of it.
    fn shrink_directory(&mut self) {
        while self.slabs.len() > 1 && self.slabs.last().is_some_and(|s| s.slots == 0) {
            self.slabs.pop();
        }
        let len = self.slabs.len();
        if len * 4 <= self.slabs.capacity() {
            self.slabs.shrink_to(len * 2);
        }
        // Numbers whose slabs were taken off the end are skipped when they come up; here when they pile up.
        if self.vacant.len() > len * 2 {
            let slabs = &self.slabs;
            self.vacant
                .retain(|n| slabs.get(*n as usize).is_some_and(|s| s.slots == 0));
            self.vacant.sort_unstable();
            self.vacant.dedup();
            self.vacant.shrink_to(len);
        }
    }

    /// A number in the directory that names no slab.
    fn vacant_number(&mut self) -> Option<u32> {
        while let Some(number) = self.vacant.pop() {
            if (self.slabs.get(number as usize)).is_some_and(|s| s.slots == 0) {
                return Some(number);
            }
        }
        if self.slabs.len() >= SLAB_NUMBER_MAX {
            return None;
        }
        if self.slabs.len() == self.slabs.capacity() {
            // An eighth at a time: half-used room would cost more than the copies.
            let wanted = self.slabs.len() + (self.slabs.len() / 8).max(4);
            let room = blocks::step(wanted * size_of::<Slab>()) / size_of::<Slab>();
            self.slabs.reserve_exact(room - self.slabs.len());
        }
        self.slabs.push(Slab::VACANT);
        u32::try_from(self.slabs.len() - 1).ok()
    }

    #[inline]
    fn slot(&self, handle: Handle) -> Option<&[u8]> {
        let Some(slab) = self.slabs.get(handle.slab()) else {
            return self.large.get(handle.large()?).map(|r| &**r);
        };
        if handle.slot() >= usize::from(slab.slots) {
            return None;
        }
        let size = slab.slot_size();
        // SAFETY: the slot lies inside the slab (checked above), whose bytes are all initialised and owned by `self`.
        Some(unsafe {
            std::slice::from_raw_parts(slab.base.as_ptr().add(handle.slot() * size), size)
        })
    }

    #[inline]
    fn slot_mut(&mut self, handle: Handle) -> Option<&mut [u8]> {
        let Some(slab) = self.slabs.get(handle.slab()) else {
            return self.large.get_mut(handle.large()?).map(|r| &mut **r);
        };
        if handle.slot() >= usize::from(slab.slots) {
            return None;
        }
        let size = slab.slot_size();
        // SAFETY: as in `slot`; `&mut self` makes the access exclusive.
        Some(unsafe {
            std::slice::from_raw_parts_mut(slab.base.as_ptr().add(handle.slot() * size), size)
        })
    }

    /// The whole slot of a record; empty for a handle that names nothing.
    #[inline]
    pub fn get(&self, handle: Handle) -> &[u8] {
        self.slot(handle).unwrap_or(&[])
    }

    /// The whole slot of a record, to change it; empty for a handle that names nothing.
    #[inline]
    pub fn get_mut(&mut self, handle: Handle) -> &mut [u8] {
        self.slot_mut(handle).unwrap_or(&mut [])
    }

    /// That the record's entry in the directory is likely to be read, which comes before the record itself.
    #[inline]
    pub fn directory_hint(&self, handle: Handle) -> Hint {
        self.slabs.get(handle.slab()).map_or(Hint::NONE, Hint::of)
    }

    /// That the record is likely to be read.
    #[inline]
    pub fn hint(&self, handle: Handle) -> Hint {
        self.slot(handle).map_or(Hint::NONE, Hint::of)
    }

    /// The class with the most free slots, if they are more than a quarter of the class: one of its
    /// emptiest slabs, whose records the owner should move by [`Arena::evacuate`]. `None` when the free
    /// slots of other slabs would not take them.
    pub fn sparsest(&self) -> Option<Evacuation> {
        /// Slabs compared: the choice need not be the best, but its cost must be bounded.
        const COMPARED: usize = 64;
        let (index, class) = self
            .classes
            .iter()
            .enumerate()
            .filter(|(_, c)| c.slots > 64 && c.used < c.slots - c.slots / 4)
            .max_by_key(|(i, c)| (c.slots - c.used) as usize * i)?;
        let free = class.slots - class.used;
        let slab = |n: &u32| &self.slabs[*n as usize];
        let first = Some(class.open).filter(|n| *n != 0);
        let open = std::iter::successors(first, |n| Some(slab(n).after).filter(|n| *n != 0));
        let number = open
            .take(COMPARED)
            .filter(|n| u32::from(slab(n).slots) <= free)
            .min_by_key(|n| u32::from(slab(n).used) * 1024 / u32::from(slab(n).slots).max(1))?;
        Some(Evacuation {
            class: index,
            slab: number,
        })
    }

    /// Empties the slab of `plan` by moving its live records to free slots of other slabs, and releases it.
    ///
    /// `moved` is told the old and the new handle of every record, with the record's bytes, and must update whatever held the old one.
    /// Cost: in proportion to the slab.
    pub fn evacuate(&mut self, plan: Evacuation, mut moved: impl FnMut(Handle, Handle, &[u8])) {
        let (index, number) = (plan.class, plan.slab);
        let Some(slab) = self.slabs.get(number as usize) else {
            return;
        };
        let (fresh, size) = (slab.fresh, slab.slot_size());
        if slab.used == slab.slots || size != index * STEP {
            return;
        }
        // Out of the list, it is not chosen for its own records.
        self.unlink(index, number);
        let mut record = [0; SMALL_MAX];
        let record = &mut record[..size];
        let handles =
            (0..fresh).filter_map(|s| Handle::from_raw((number << SLOT_BITS) | u32::from(s)));
        for old in handles {
            if self.get(old)[0] == 0 {
                continue;
            }
            let Some(new) = self.take(index) else { break };
            record.copy_from_slice(self.get(old));
            self.get_mut(new).copy_from_slice(record);
            let next = self.slabs[number as usize].free;
            self.put_back(old, next);
            self.slabs[number as usize].used -= 1;
            moved(old, new, record);
        }
        self.link(index, number);
        if self.slabs[number as usize].used == 0 {
            self.release_slab(index, number);
        }
    }
}

/// A slab worth emptying, from [`Arena::sparsest`].
#[derive(Clone, Copy, Debug)]
pub struct Evacuation {
    class: usize,
    slab: u32,
}

impl Clone for Arena {
    /// Copies slab by slab: every handle keeps its meaning in the copy.
    fn clone(&self) -> Self {
        let copy = |slab: &Slab| {
            let Ok(layout) = Layout::from_size_align(slab.bytes(), STEP) else {
                return Slab::VACANT;
            };
            if layout.size() == 0 {
                return Slab::VACANT;
            }
            // SAFETY: the layout's size is not zero.
            let Some(base) = NonNull::new(unsafe { alloc(layout) }) else {
                handle_alloc_error(layout)
            };
            // SAFETY: both are allocations of `layout.size()` bytes; the new one cannot overlap the old one.
            unsafe {
                std::ptr::copy_nonoverlapping(slab.base.as_ptr(), base.as_ptr(), layout.size());
            }
            Slab { base, ..*slab }
        };
        Arena {
            slabs: self.slabs.iter().map(copy).collect(),
            vacant: self.vacant.clone(),
            classes: self.classes.clone(),
            large: self.large.clone(),
            ..*self
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for number in 1..self.slabs.len() {
            if self.slabs[number].slots > 0 {
                self.drop_slab(number);
            }
        }
    }
}

#[cfg(test)]
mod tests;
