//! The records of a sorted set's members: one header byte, the score, the member.
//!
//! ```text
//! 1 + unused bytes at the end (1 B) | score, little endian (8 B) | member | unused (0..8 B)
//! ```
//!
//! Invariants
//! - The header is never zero, as the arena wants it.
//! - The member's length is the slot's less the score, the header and the unused bytes: it is stored nowhere else.
//!
//! A handle is a plain `u32` here, zero for none, as nodes keep thousands of them in arrays.

use crate::arena::{Arena, Handle, slot_size};
use crate::prefetch::Hint;
use crate::table::Likely;

/// Header and score.
const FRONT: usize = 9;

/// See the module's documentation.
#[derive(Clone, Default)]
pub(super) struct Records {
    arena: Arena,
}

/// The member in the bytes of a slot; empty for those of a released one.
fn member_of(slot: &[u8]) -> &[u8] {
    let unused = slot.first().map_or(0, |header| header.wrapping_sub(1));
    let end = slot.len().saturating_sub(usize::from(unused));
    slot.get(FRONT..end).unwrap_or(&[])
}

impl Records {
    /// Bytes held from the allocator.
    pub(super) fn bytes(&self) -> usize {
        self.arena.bytes() + self.arena.directory_bytes()
    }

    /// Stores a member; `None` when the arena is exhausted.
    pub(super) fn add(&mut self, member: &[u8], score: f64) -> Option<Handle> {
        let size = FRONT + member.len();
        let unused = slot_size(size) - size;
        let handle = self.arena.alloc(size)?;
        let slot = self.arena.get_mut(handle);
        // Lossless: a slot is less than SLOT_MIN bytes larger than its record.
        slot[0] = 1 + unused as u8;
        slot[1..FRONT].copy_from_slice(&score.to_le_bytes());
        slot[FRONT..size].copy_from_slice(member);
        Some(handle)
    }

    /// The member of a record; empty for a handle that names none.
    #[inline]
    pub(super) fn member(&self, handle: u32) -> &[u8] {
        Handle::from_raw(handle).map_or(&[], |h| member_of(self.arena.get(h)))
    }

    /// The score of a record; 0 for a handle that names none.
    #[inline]
    pub(super) fn score(&self, handle: u32) -> f64 {
        let slot = Handle::from_raw(handle).map_or(&[][..], |h| self.arena.get(h));
        let bytes = slot.get(1..FRONT).and_then(|b| b.try_into().ok());
        f64::from_le_bytes(bytes.unwrap_or_default())
    }

    /// Overwrites the score of a record.
    pub(super) fn set_score(&mut self, handle: u32, score: f64) {
        let slot = Handle::from_raw(handle).map(|h| self.arena.get_mut(h));
        if let Some(place) = slot.and_then(|s| s.get_mut(1..FRONT)) {
            place.copy_from_slice(&score.to_le_bytes());
        }
    }

    /// Gives a record's memory back.
    pub(super) fn free(&mut self, handle: u32) {
        if let Some(handle) = Handle::from_raw(handle) {
            self.arena.free(handle);
        }
    }

    /// Begins to load a record.
    #[inline]
    pub(super) fn prefetch(&self, handle: u32) {
        if let Some(handle) = Handle::from_raw(handle) {
            self.arena.hint(handle).first();
        }
    }

    /// That the likely record of a search is read, or the bucket behind.
    #[inline]
    pub(super) fn hint(&self, likely: Likely) -> Hint {
        likely.hint(&self.arena)
    }

    /// Empties a slab whose class is sparse: the old and new handle of each record that moved.
    /// `None` when there is no such slab. Old handles name nothing afterwards.
    pub(super) fn condense(&mut self) -> Option<Vec<(u32, u32)>> {
        let plan = self.arena.sparsest()?;
        let mut moves = Vec::new();
        self.arena
            .evacuate(plan, |old, new, _| moves.push((old.raw(), new.raw())));
        Some(moves)
    }
}
