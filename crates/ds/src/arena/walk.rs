//! Walking over all records of an arena in the order of memory: as fast as reading can be, and nearly in
//! the order in which the records came, size class by size class.
//!
//! It sees the records whose first byte is set, each once; it holds nothing but its position.

use super::Arena;

/// A place in the order of [`Arena::records`]. Stays valid while the arena (or its copy) is not changed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// A slab's number; behind the last one the large records follow.
    slab: usize,
    slot: usize,
}

/// Live records in the order of memory: nearly the order in which they came, size class by size class.
#[derive(Clone)]
pub struct Records<'a> {
    arena: &'a Arena,
    slab: usize,
    /// Slots of the slab that were ever used, from the next one on.
    rest: &'a [u8],
    size: usize,
    large: u32,
}

impl<'a> Records<'a> {
    /// Where the iteration stands.
    pub fn cursor(&self) -> Cursor {
        if self.slab >= self.arena.slabs.len() {
            return Cursor {
                slab: self.slab,
                slot: self.large as usize,
            };
        }
        let used = usize::from(self.arena.slabs[self.slab].fresh);
        Cursor {
            slab: self.slab,
            slot: used - self.rest.len() / self.size.max(1),
        }
    }

    /// Begins with slot `slot` of slab `slab`.
    fn enter(&mut self, slab: usize, slot: usize) {
        self.slab = slab;
        (self.rest, self.size) = (&[], 0);
        if let Some(found) = self.arena.slabs.get(slab) {
            (self.rest, self.size) = (found.used_slots(slot), found.slot_size());
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some((record, rest)) = self.rest.split_at_checked(self.size)
                && self.size > 0
            {
                self.rest = rest;
                if record[0] != 0 {
                    return Some(record);
                }
            } else if self.slab < self.arena.slabs.len() {
                self.enter(self.slab + 1, 0);
            } else {
                let (index, record) = self.arena.large.next_from(self.large)?;
                self.large = index + 1;
                return Some(record);
            }
        }
    }
}

impl Arena {
    /// Live records from `cursor` on, in the order of memory. Whoever holds a record whose first byte
    /// is not set yet does not see it here.
    pub fn records(&self, cursor: Cursor) -> Records<'_> {
        let mut records = Records {
            arena: self,
            slab: cursor.slab,
            rest: &[],
            size: 0,
            large: 0,
        };
        if cursor.slab >= self.slabs.len() {
            records.large = u32::try_from(cursor.slot).unwrap_or(u32::MAX);
        } else {
            records.enter(cursor.slab, cursor.slot);
        }
        records
    }
}
