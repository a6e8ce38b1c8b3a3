//! A set of strings in three sizes: sorted integers, a pack, a hash table.
//!
//! Invariants
//! - Members are distinct by their text; in a pack and among the integers they have one encoding each.
//! - A set moves from integers to a pack to a table, or straight to a table, exactly when a member
//!   passes one of the [`Limits`]; it never moves back on its own.
//! - Reading never copies: members are lent as [`Element`]s, and a table is shared by its `Arc`.
//! - Writing to a table that somebody else holds copies it first, so that a holder sees a snapshot.
//!
//! Cost: integers and packs are scanned or moved within the limits; a table is O(1) a member.
//! The rules of conversion are those observed on Redis 7.2 and 8.2.
//! It does not know keys, replies or the effects of a change.

pub mod algebra;
mod batch;
mod probe;
mod result;
mod sample;

pub use result::Making;
pub use sample::Repeated;

use crate::dict::{self, Dict, Full};
use crate::int::{i64_len, parse_i64};
use crate::pack::{self, Element};
use crate::random::Random;
use crate::unique::make_mut;
use crate::{intset, pack::FIRST};
use std::sync::Arc;

/// Up to where a set stays small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most members of a set of integers (`set-max-intset-entries`).
    pub ints: usize,
    /// Most members of a pack (`set-max-listpack-entries`).
    pub entries: usize,
    /// Longest member of a pack in bytes (`set-max-listpack-value`).
    pub value: usize,
}

/// A set that owns its members.
#[derive(Clone)]
pub enum Set {
    /// Integers only, as `intset` keeps them.
    Ints(Vec<u8>),
    /// A pack of members in order of insertion.
    Packed(Vec<u8>),
    /// A table of members.
    Table(Arc<Dict>),
}

/// A set that is only read.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    /// Integers only.
    Ints(&'a [u8]),
    /// A pack.
    Packed(&'a [u8]),
    /// A table.
    Table(&'a Arc<Dict>),
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

impl std::fmt::Debug for SetRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.encoding(), self.len())
    }
}

impl Default for Set {
    fn default() -> Set {
        Set::Packed(Vec::new())
    }
}

impl Set {
    /// Prepares to add `count` members of which `first` is the first: an empty set takes the form that
    /// suits them, another becomes a table when their number passes the limits by itself.
    ///
    /// # Errors
    /// When the table cannot hold the members; the set is as it was.
    #[inline]
    pub fn prepare(
        &mut self,
        first: &[u8],
        count: usize,
        limits: Limits,
        seed: u64,
    ) -> Result<(), Full> {
        if !self.is_empty() {
            return self.expect(count, limits, seed);
        }
        let mut room = match self {
            Set::Ints(buf) | Set::Packed(buf) => std::mem::take(buf),
            Set::Table(_) => Vec::new(),
        };
        room.clear();
        *self = if count <= limits.ints && parse_i64(first).is_some() {
            Set::Ints(room)
        } else if count <= limits.entries {
            Set::Packed(room)
        } else {
            Set::Table(Arc::new(Dict::new(seed)))
        };
        Ok(())
    }

    #[inline]
    fn expect(&mut self, count: usize, limits: Limits, seed: u64) -> Result<(), Full> {
        match self {
            Set::Ints(_) if count > limits.ints => self.make_table(seed),
            Set::Packed(_) if count > limits.entries => self.make_table(seed),
            _ => Ok(()),
        }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The set to read.
    #[inline]
    pub fn view(&self) -> SetRef<'_> {
        match self {
            Set::Ints(buf) => SetRef::Ints(buf),
            Set::Packed(buf) => SetRef::Packed(buf),
            Set::Table(dict) => SetRef::Table(dict),
        }
    }

    /// Name of the form, as OBJECT ENCODING answers it.
    pub fn encoding(&self) -> &'static str {
        self.view().encoding()
    }

    /// Bytes held from the allocator. Constant time.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Set::Ints(buf) | Set::Packed(buf) => buf.capacity(),
            Set::Table(dict) => dict.heap_bytes() + size_of::<Dict>() + 2 * size_of::<usize>(),
        }
    }

    /// Adds a member; false when it was there.
    ///
    /// # Errors
    /// When the table cannot hold it; the members are as they were.
    pub fn add(&mut self, member: &[u8], limits: Limits, seed: u64) -> Result<bool, Full> {
        match self {
            Set::Table(dict) => {
                // A table that is shared is not copied for a member that is there.
                if Arc::get_mut(dict).is_none() && dict.contains(member) {
                    return Ok(false);
                }
                return make_mut(dict).insert(member, &[]);
            }
            Set::Ints(buf) => match parse_i64(member) {
                Some(value) if intset::len(buf) < limits.ints => {
                    return Ok(intset::insert(buf, value));
                }
                Some(value) if intset::contains(buf, value) => return Ok(false),
                Some(_) => {}
                None if fits_pack(buf, member, limits) => {
                    self.make_pack();
                    return self.add(member, limits, seed);
                }
                None => {}
            },
            Set::Packed(buf) => {
                if pack::find(buf, member, 1).is_some() {
                    return Ok(false);
                }
                if pack::count(buf) < limits.entries && member.len() <= limits.value {
                    pack::push(buf, member);
                    return Ok(true);
                }
            }
        }
        self.make_table(seed)?;
        self.add(member, limits, seed)
    }

    /// Removes a member; false when it was not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Ints(buf) => parse_i64(member).is_some_and(|value| intset::remove(buf, value)),
            Set::Packed(buf) => match pack::find(buf, member, 1) {
                Some(offset) => pack::remove(buf, offset, 1) == 1,
                None => false,
            },
            Set::Table(dict) => {
                if Arc::get_mut(dict).is_none() && !dict.contains(member) {
                    return false;
                }
                make_mut(dict).remove(member)
            }
        }
    }

    /// Begins to load what adding or removing `members` will read, so that the waits overlap.
    #[inline]
    pub fn prefetch<'m>(&self, members: impl Iterator<Item = &'m [u8]> + Clone) {
        if let Set::Table(dict) = self {
            dict.prefetch_all(members);
        }
    }

    /// Stores a set of integers as such, when there are few enough: what results of set algebra do.
    pub fn prefer_ints(&mut self, limits: Limits) {
        if matches!(self, Set::Ints(_)) || self.len() > limits.ints {
            return;
        }
        let mut ints = Vec::new();
        for member in self.view().iter() {
            let value = match member {
                Element::Int(value) => Some(value),
                Element::Bytes(text) => parse_i64(text),
                Element::Double(_) => None,
            };
            match value {
                Some(value) => intset::insert(&mut ints, value),
                None => return,
            };
        }
        *self = Set::Ints(ints);
    }

    fn make_pack(&mut self) {
        if let Set::Ints(ints) = self {
            let (mut buf, mut digits) = (Vec::new(), itoa::Buffer::new());
            for value in intset::iter(ints) {
                pack::push(&mut buf, digits.format(value).as_bytes());
            }
            *self = Set::Packed(buf);
        }
    }

    /// Makes the set a table, whatever its size.
    ///
    /// # Errors
    /// When the table cannot hold the members; the set is as it was.
    pub fn make_table(&mut self, seed: u64) -> Result<(), Full> {
        if !matches!(self, Set::Table(_)) {
            let (mut dict, mut digits) = (Dict::new(seed), itoa::Buffer::new());
            for member in self.view().iter() {
                dict.insert(member.bytes(&mut digits), &[])?;
            }
            *self = Set::Table(Arc::new(dict));
        }
        Ok(())
    }
}

/// Whether a pack may hold these integers and a string besides.
fn fits_pack(ints: &[u8], member: &[u8], limits: Limits) -> bool {
    let ends = [intset::first(ints), intset::last(ints)];
    let longest = ends.into_iter().flatten().map(i64_len).max().unwrap_or(0);
    intset::len(ints) < limits.entries && member.len().max(longest) <= limits.value
}

impl<'a> SetRef<'a> {
    /// The empty set: what an absent key holds.
    pub const EMPTY: SetRef<'static> = SetRef::Packed(&[]);

    /// Number of members.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            SetRef::Ints(buf) => intset::len(buf),
            SetRef::Packed(buf) => pack::count(buf),
            SetRef::Table(dict) => dict.len(),
        }
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Name of the form, as OBJECT ENCODING answers it.
    pub fn encoding(self) -> &'static str {
        match self {
            SetRef::Ints(_) => "intset",
            SetRef::Packed(_) => "listpack",
            SetRef::Table(_) => "hashtable",
        }
    }

    /// A set of one's own: copies a small one, shares a table.
    #[allow(clippy::should_implement_trait, clippy::wrong_self_convention)] // the twin of `view`
    pub fn to_owned(self) -> Set {
        match self {
            SetRef::Ints(buf) => Set::Ints(buf.to_vec()),
            SetRef::Packed(buf) => Set::Packed(buf.to_vec()),
            SetRef::Table(dict) => Set::Table(Arc::clone(dict)),
        }
    }

    /// Whether this is unchanged since `other` was taken from it by [`SetRef::to_owned`].
    pub fn same(self, other: &Set) -> bool {
        match (self, other) {
            (SetRef::Ints(a), Set::Ints(b)) | (SetRef::Packed(a), Set::Packed(b)) => a == b,
            (SetRef::Table(a), Set::Table(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Whether `member` is in the set.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Ints(buf) => parse_i64(member).is_some_and(|v| intset::contains(buf, v)),
            SetRef::Packed(buf) => pack::find(buf, member, 1).is_some(),
            SetRef::Table(dict) => dict.contains(member),
        }
    }

    /// Begins to load what asking for `members` will read, so that the waits overlap.
    #[inline]
    pub fn prefetch<'m>(self, members: impl Iterator<Item = &'m [u8]> + Clone) {
        if let SetRef::Table(dict) = self {
            dict.prefetch_all(members);
        }
    }

    /// All members: integers ascending, those of a pack in order of insertion, those of a table in none.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        match self {
            SetRef::Ints(buf) => Iter::Ints(intset::iter(buf)),
            SetRef::Packed(buf) => Iter::Packed(pack::iter_from(buf, FIRST)),
            SetRef::Table(dict) => Iter::Table(dict.iter()),
        }
    }

    /// Visits some members from `position` on (0 is the beginning) and returns where to go on, 0 at
    /// the end: a small set at once, a table bucket by bucket. A member that is there from the
    /// beginning of a scan to its end is visited, whatever is added and removed between the calls.
    pub fn scan(self, position: u64, mut visit: impl FnMut(Element<'a>)) -> u64 {
        match self {
            SetRef::Table(dict) => dict.scan(position, |member, _| visit(Element::Bytes(member))),
            small => {
                small.iter().for_each(visit);
                0
            }
        }
    }

    /// A member, each with the same probability.
    pub fn random(self, random: &mut Random) -> Option<Element<'a>> {
        match self {
            SetRef::Ints(buf) => intset::random(buf, random).map(Element::Int),
            SetRef::Packed(buf) => pack::iter(buf)
                .nth(random.index(pack::count(buf)))
                .map(|(_, member)| member),
            SetRef::Table(dict) => dict.random(random).map(|(m, _)| Element::Bytes(m)),
        }
    }
}

/// The members of a set.
#[derive(Clone)]
pub enum Iter<'a> {
    /// Of integers.
    Ints(intset::Iter<'a>),
    /// Of a pack.
    Packed(pack::Iter<'a>),
    /// Of a table.
    Table(dict::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Iter::Ints(ints) => ints.next().map(Element::Int),
            Iter::Packed(pack) => pack.next().map(|(_, member)| member),
            Iter::Table(dict) => dict.next().map(|(member, _)| Element::Bytes(member)),
        }
    }

    /// As `next` again and again, but chooses the form once.
    #[inline]
    fn fold<B, F: FnMut(B, Element<'a>) -> B>(self, init: B, mut f: F) -> B {
        match self {
            Iter::Ints(ints) => ints.fold(init, |b, value| f(b, Element::Int(value))),
            Iter::Packed(pack) => pack.fold(init, |b, (_, member)| f(b, member)),
            Iter::Table(dict) => dict.fold(init, |b, (member, _)| f(b, Element::Bytes(member))),
        }
    }
}

#[cfg(test)]
mod tests;
