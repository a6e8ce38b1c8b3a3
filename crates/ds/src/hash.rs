//! A hash: fields with values. Small ones are packed into one byte vector, in the order of insertion; larger ones are a dictionary.
//!
//! Invariants
//! - A packed hash has no field twice.
//! - Within its [`Limits`] a hash is packed; one that passed them becomes a dictionary, for good.
//! - A dictionary that is shared (a reader holds a clone) is never changed: the change goes to a copy.
//!
//! Cost: packed operations scan, which the limits bound; a dictionary's take constant time, but the first
//! change while a clone is held, which copies it.
//!
//! It does not know keys, expiry, or numbers beyond what packing does with them.

use crate::dict::{self, Dict};
use crate::pack::Element;
use crate::pairs;
use crate::random::Random;
use crate::table::Position;
use crate::unique::make_mut;
use std::sync::Arc;

pub use crate::dict::Full;

/// A packed hash of this many bytes becomes a dictionary whatever the limits say.
const PACKED_MAX: usize = 1 << 30;

/// Up to where a hash stays packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Number of fields.
    pub entries: usize,
    /// Bytes of a field or a value.
    pub value: usize,
}

/// An owned hash.
#[derive(Clone, Debug)]
pub enum Hash {
    /// Fields and values in a pack.
    Packed(Vec<u8>),
    /// Many fields, or long ones.
    Table(Arc<Dict>),
}

/// A borrowed hash, to read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    /// Fields and values in a pack.
    Packed(&'a [u8]),
    /// Many fields, or long ones.
    Table(&'a Arc<Dict>),
}

impl Default for Hash {
    fn default() -> Self {
        Hash::Packed(Vec::new())
    }
}

impl Hash {
    /// The hash, to read.
    #[inline]
    pub fn view(&self) -> HashRef<'_> {
        match self {
            Hash::Packed(pack) => HashRef::Packed(pack),
            Hash::Table(dict) => HashRef::Table(dict),
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Redis's name of the encoding.
    pub fn encoding(&self) -> &'static str {
        self.view().encoding()
    }

    /// Bytes held from the allocator. Constant time.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Hash::Packed(pack) => pack.capacity(),
            Hash::Table(dict) => table_bytes(dict),
        }
    }

    /// Gives a field its value, and returns whether the field is new. `seed` is that of a dictionary's hash.
    ///
    /// # Errors
    /// [`Full`], and nothing is changed but perhaps the representation.
    pub fn set(
        &mut self,
        field: &[u8],
        value: &[u8],
        limits: &Limits,
        seed: u64,
    ) -> Result<bool, Full> {
        if let Hash::Packed(pack) = self {
            let long = field.len() > limits.value || value.len() > limits.value;
            if !long && pack.len().saturating_add(field.len() + value.len()) < PACKED_MAX {
                let found = pairs::find(pack, field).map(|pair| pair.place);
                let len = pairs::count(pack);
                match found {
                    // The limit may have been lowered since the hash reached it.
                    Some(place) if len <= limits.entries => {
                        pairs::replace(pack, place, field, value);
                        return Ok(false);
                    }
                    None if len < limits.entries => {
                        pairs::push(pack, field, value);
                        return Ok(true);
                    }
                    _ => {}
                }
            }
        }
        make_mut(self.table(seed)?).insert(field, value)
    }

    /// Makes a packed hash a dictionary when `fields` more are coming than it may have in all: whether
    /// they are different is not looked at, as Redis does not.
    ///
    /// # Errors
    /// [`Full`], and nothing is changed.
    pub fn prepare(&mut self, fields: usize, limits: &Limits, seed: u64) -> Result<(), Full> {
        if fields > limits.entries {
            self.table(seed)?;
        }
        Ok(())
    }

    /// The dictionary, which a packed hash becomes.
    fn table(&mut self, seed: u64) -> Result<&mut Arc<Dict>, Full> {
        if let Hash::Packed(pack) = self {
            let mut dict = Dict::new(seed);
            let (mut a, mut b) = (itoa::Buffer::new(), itoa::Buffer::new());
            for (field, value) in HashRef::Packed(pack).iter() {
                dict.insert(field.bytes(&mut a), value.bytes(&mut b))?;
            }
            *self = Hash::Table(Arc::new(dict));
        }
        match self {
            Hash::Table(dict) => Ok(dict),
            Hash::Packed(_) => Err(Full),
        }
    }

    /// Removes a field, and returns whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Hash::Packed(pack) => {
                let found = pairs::find(pack, field).map(|pair| pair.place);
                found.is_some_and(|place| {
                    pairs::remove(pack, place);
                    true
                })
            }
            Hash::Table(dict) => match Arc::get_mut(dict) {
                Some(dict) => dict.remove(field),
                None => dict.contains(field) && make_mut(dict).remove(field),
            },
        }
    }
}

fn table_bytes(dict: &Dict) -> usize {
    /// The two counts of an `Arc`.
    const COUNTS: usize = 2 * std::mem::size_of::<usize>();
    COUNTS + std::mem::size_of::<Dict>() + dict.heap_bytes()
}

impl<'a> HashRef<'a> {
    /// Number of fields.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pack) => pairs::count(pack),
            HashRef::Table(dict) => dict.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Redis's name of the encoding.
    pub fn encoding(self) -> &'static str {
        match self {
            HashRef::Packed(_) => "listpack",
            HashRef::Table(_) => "hashtable",
        }
    }

    /// Bytes held, were it owned. Constant time.
    pub fn heap_bytes(self) -> usize {
        match self {
            HashRef::Packed(pack) => pack.len(),
            HashRef::Table(dict) => table_bytes(dict),
        }
    }

    /// An owned hash: a copy of a packed one, a reference to a dictionary.
    pub fn to_owned(self) -> Hash {
        match self {
            HashRef::Packed(pack) => Hash::Packed(pack.to_vec()),
            HashRef::Table(dict) => Hash::Table(Arc::clone(dict)),
        }
    }

    /// Whether it is still what `copy` was made of by [`HashRef::to_owned`].
    pub fn same(self, copy: &Hash) -> bool {
        match (self, copy) {
            (HashRef::Packed(a), Hash::Packed(b)) => a == &b[..],
            (HashRef::Table(a), Hash::Table(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The value of a field.
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<Element<'a>> {
        match self {
            HashRef::Packed(pack) => pairs::find(pack, field).map(|pair| pair.value),
            HashRef::Table(dict) => dict.get(field).map(Element::Bytes),
        }
    }

    /// Whether the field is there.
    #[inline]
    pub fn contains(self, field: &[u8]) -> bool {
        match self {
            HashRef::Packed(pack) => pairs::find(pack, field).is_some(),
            HashRef::Table(dict) => dict.contains(field),
        }
    }

    /// Begins to load what looking up each of `fields` will read.
    pub fn prefetch_all<'k>(self, fields: impl Iterator<Item = &'k [u8]>) {
        if let HashRef::Table(dict) = self {
            dict.prefetch_all(fields);
        }
    }

    /// All fields with their values: a packed hash's in the order of insertion.
    pub fn iter(self) -> Iter<'a> {
        match self {
            HashRef::Packed(pack) => Iter::Packed(pairs::iter(pack)),
            HashRef::Table(dict) => Iter::Table(dict.iter()),
        }
    }

    /// The fields from `cursor` on, which came from [`Iter::cursor`] of this hash, unchanged since, or of its clone.
    pub fn iter_from(self, cursor: Cursor) -> Iter<'a> {
        match (self, cursor) {
            (HashRef::Packed(pack), Cursor::Packed(offset)) => {
                Iter::Packed(pairs::iter_from(pack, offset))
            }
            (HashRef::Table(dict), Cursor::Table(cursor)) => Iter::Table(dict.iter_from(cursor)),
            _ => self.iter(),
        }
    }

    /// Visits some fields with their values, and returns where to go on; 0 when all were visited.
    /// Begins at 0; about `count` are visited, all at once of a packed hash.
    ///
    /// A field that is there from the beginning of a scan to its end is visited, whatever happens between the calls.
    pub fn scan(
        self,
        position: Position,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) -> Position {
        match self {
            HashRef::Packed(_) => {
                self.iter().for_each(|(field, value)| visit(field, value));
                0
            }
            HashRef::Table(dict) => {
                let (mut at, mut visited) = (position, 0);
                loop {
                    at = dict.scan(at, |field, value| {
                        visit(Element::Bytes(field), Element::Bytes(value));
                        visited += 1;
                    });
                    if at == 0 || visited >= count {
                        return at;
                    }
                }
            }
        }
    }

    /// A field and its value, chosen with equal chances; `None` when there is none.
    pub fn random(self, random: &mut Random) -> Option<(Element<'a>, Element<'a>)> {
        match self {
            HashRef::Packed(_) => self.iter().nth(random.index(self.len())),
            HashRef::Table(dict) => {
                let (field, value) = dict.random(random)?;
                Some((Element::Bytes(field), Element::Bytes(value)))
            }
        }
    }

    /// Visits `count` fields, each chosen with equal chances among all.
    pub fn draw(
        self,
        random: &mut Random,
        count: usize,
        mut visit: impl FnMut(Element<'_>, Element<'_>),
    ) {
        let HashRef::Packed(pack) = self else {
            (0..count)
                .filter_map(|_| self.random(random))
                .for_each(|(f, v)| visit(f, v));
            return;
        };
        // One walk, instead of one for each draw.
        let pairs: smallvec::SmallVec<[_; 128]> = pairs::iter(pack).collect();
        for _ in 0..count {
            if let Some((field, value)) = pairs.get(random.index(pairs.len())) {
                visit(*field, *value);
            }
        }
    }

    /// Visits `count` different fields (all, if there are not so many), every such choice being equally
    /// likely. Collects at most an eighth of the fields' handles; see [`Dict::sample`].
    pub fn sample(
        self,
        random: &mut Random,
        count: usize,
        mut visit: impl FnMut(Element<'_>, Element<'_>),
    ) {
        match self {
            HashRef::Packed(_) => {
                let mut left = self.len();
                let mut wanted = count.min(left);
                for (field, value) in self.iter() {
                    if random.index(left) < wanted {
                        visit(field, value);
                        wanted -= 1;
                    }
                    left -= 1;
                }
            }
            HashRef::Table(dict) => dict.sample(random, count, |field, value| {
                visit(Element::Bytes(field), Element::Bytes(value));
            }),
        }
    }
}

/// A place among the fields of a hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// Offset in a packed hash.
    Packed(usize),
    /// Place in a dictionary.
    Table(dict::Cursor),
}

impl Iter<'_> {
    /// Where the iteration stands, to go on by [`HashRef::iter_from`].
    pub fn cursor(&self) -> Cursor {
        match self {
            Iter::Packed(pairs) => Cursor::Packed(pairs.next_offset()),
            Iter::Table(pairs) => Cursor::Table(pairs.cursor()),
        }
    }
}

/// Fields and values of a hash.
#[derive(Clone)]
pub enum Iter<'a> {
    /// Of a packed hash.
    Packed(pairs::Iter<'a>),
    /// Of a dictionary.
    Table(dict::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Packed(pairs) => pairs.next(),
            Iter::Table(pairs) => {
                let (field, value) = pairs.next()?;
                Some((Element::Bytes(field), Element::Bytes(value)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
