//! A chunked vector of optional values named by index: a home for values too large for an arena.
//!
//! Growing never moves what is there, so no operation costs more than one chunk.
//! Free positions are linked through the vector itself.

const CHUNK: usize = 256;

#[derive(Clone)]
enum Slot<T> {
    Full(T),
    /// Next free position plus one; 0 ends the list.
    Free(u32),
}

/// See the module's documentation.
pub struct Slots<T> {
    chunks: Vec<Vec<Slot<T>>>,
    free: u32,
    len: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots {
            chunks: Vec::new(),
            free: 0,
            len: 0,
        }
    }
}

impl<T: Clone> Clone for Slots<T> {
    fn clone(&self) -> Self {
        let copy = |chunk: &Vec<Slot<T>>| {
            let mut copy = Vec::with_capacity(chunk.capacity());
            copy.extend_from_slice(chunk);
            copy
        };
        Slots {
            chunks: self.chunks.iter().map(copy).collect(),
            ..*self
        }
    }
}

impl<T> Slots<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes held from the allocator for positions, not for what the values hold themselves. Constant time.
    pub fn heap_bytes(&self) -> usize {
        let room = match self.chunks.as_slice() {
            [] => 0,
            [one] => one.capacity(),
            many => many.len() * CHUNK,
        };
        room * std::mem::size_of::<Slot<T>>()
            + self.chunks.capacity() * std::mem::size_of::<Vec<Slot<T>>>()
    }

    /// The first value at or behind `index`, and its position.
    pub fn next_from(&self, index: u32) -> Option<(u32, &T)> {
        let end = self.chunks.len().checked_sub(1)? * CHUNK + self.chunks.last()?.len();
        (index..u32::try_from(end).unwrap_or(u32::MAX)).find_map(|i| Some((i, self.get(i)?)))
    }

    /// Stores `value`; gives it back when 2^32 positions are taken.
    ///
    /// # Errors
    /// The value, when there is no position left.
    pub fn insert(&mut self, value: T) -> Result<u32, T> {
        if self.free != 0 {
            let index = self.free - 1;
            if let Some(slot) = self.slot_mut(index)
                && let Slot::Free(next) = *slot
            {
                *slot = Slot::Full(value);
                self.free = next;
                self.len += 1;
                return Ok(index);
            }
            return Err(value);
        }
        if self.chunks.last().is_none_or(|c| c.len() == CHUNK) {
            // The first chunk grows by doubling, so that a stripe with one large value stays small.
            self.chunks.push(if self.chunks.is_empty() {
                Vec::new()
            } else {
                Vec::with_capacity(CHUNK)
            });
        }
        let index = (self.chunks.len() - 1) * CHUNK + self.chunks.last().map_or(0, Vec::len);
        let Ok(index) = u32::try_from(index) else {
            return Err(value);
        };
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(Slot::Full(value));
        }
        self.len += 1;
        Ok(index)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.chunks
            .get_mut(index as usize / CHUNK)?
            .get_mut(index as usize % CHUNK)
    }

    /// The value at `index`.
    pub fn get(&self, index: u32) -> Option<&T> {
        match self
            .chunks
            .get(index as usize / CHUNK)?
            .get(index as usize % CHUNK)?
        {
            Slot::Full(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// The value at `index`, to change it.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.slot_mut(index)? {
            Slot::Full(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// Takes the value at `index` out.
    pub fn remove(&mut self, index: u32) -> Option<T> {
        let next = self.free;
        let slot = self.slot_mut(index)?;
        if matches!(slot, Slot::Free(_)) {
            return None;
        }
        let Slot::Full(value) = std::mem::replace(slot, Slot::Free(next)) else {
            return None;
        };
        self.free = index + 1;
        self.len -= 1;
        if self.len == 0 {
            *self = Slots::default();
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_reused_and_values_stay() {
        let mut slots = Slots::default();
        let ids: Vec<u32> = (0..1000).map(|i| slots.insert(i).unwrap()).collect();
        for id in ids.iter().step_by(3) {
            assert_eq!(slots.remove(*id), Some(*id as i32));
            assert_eq!(slots.remove(*id), None);
        }
        let again = slots.insert(7).unwrap();
        assert!(again < 1000);
        assert_eq!(slots.get(ids[1]), Some(&1));
        assert_eq!(slots.len(), 1000 - 334 + 1);
    }
}
