//! Random members of a set, with and without repetition, and taking some of them out.
//!
//! Invariants
//! - Every member, or every subset of the wanted size, comes out with the same probability.
//! - No sample copies the set: at most, the places of a pack's members are noted.
//!
//! Cost: without repetition, one pass over a small set, and what [`Dict::sample`](crate::dict::Dict::sample)
//! costs for a table. Source: selection sampling, Knuth, The Art of Computer Programming, 3.4.2, algorithm S.

use super::{Limits, Set, SetRef};
use crate::dict::Full;
use crate::intset;
use crate::pack::{self, Element};
use crate::random::Random;

/// Members are taken out one by one while more than one in this many stays, as in Redis; else those that stay
/// move to a new set.
const STAY_SHARE: usize = 5;

/// Draws with repetition from one set.
pub struct Repeated<'a> {
    set: SetRef<'a>,
    /// Offsets of a pack's members.
    offsets: Vec<usize>,
}

impl<'a> Repeated<'a> {
    /// The next draw; `None` from an empty set.
    #[inline]
    pub fn draw(&self, random: &mut Random) -> Option<Element<'a>> {
        match self.set {
            SetRef::Packed(buf) => {
                let offset = *self.offsets.get(random.index(self.offsets.len()))?;
                pack::at(buf, offset).map(|(member, _)| member)
            }
            set => set.random(random),
        }
    }
}

impl<'a> SetRef<'a> {
    /// Prepares draws with repetition.
    pub fn repeated(self) -> Repeated<'a> {
        let offsets = match self {
            SetRef::Packed(buf) => pack::iter(buf).map(|(offset, _)| offset).collect(),
            _ => Vec::new(),
        };
        Repeated { set: self, offsets }
    }

    /// Visits `count` different members, or all there are.
    pub fn distinct(self, count: usize, random: &mut Random, mut visit: impl FnMut(Element<'_>)) {
        let len = self.len();
        match self {
            _ if count >= len => self.iter().for_each(visit),
            SetRef::Table(dict) => dict.sample(random, count, |m, _| visit(Element::Bytes(m))),
            small => select(small.iter(), len, count, random, |member, chosen| {
                if chosen {
                    visit(member);
                }
            }),
        }
    }
}

impl SetRef<'_> {
    /// A new set of the members that stay when `count` are taken out at random, if few stay: it may
    /// be smaller in form, as in Redis. `None` when so many stay that the others are better taken
    /// out one by one.
    ///
    /// # Errors
    /// When a table cannot hold those that stay.
    pub fn rest_of(
        self,
        count: usize,
        random: &mut Random,
        limits: Limits,
        seed: u64,
    ) -> Result<Option<Set>, Full> {
        let stay = self.len().saturating_sub(count);
        if stay > count / STAY_SHARE {
            return Ok(None);
        }
        let mut rest = match self {
            SetRef::Ints(_) => Set::Ints(Vec::new()),
            SetRef::Packed(_) | SetRef::Table(_) => Set::default(),
        };
        let (mut digits, mut outcome) = (itoa::Buffer::new(), Ok(true));
        self.distinct(stay, random, |member| {
            if outcome.is_ok() {
                outcome = rest.add(member.bytes(&mut digits), limits, seed);
            }
        });
        outcome.map(|_| Some(rest))
    }
}

/// Visits every member and tells whether it is among the `count` chosen of `len`.
fn select<'a>(
    members: impl Iterator<Item = Element<'a>>,
    len: usize,
    count: usize,
    random: &mut Random,
    mut visit: impl FnMut(Element<'a>, bool),
) {
    let (mut left, mut wanted) = (len, count);
    for member in members {
        let chosen = random.index(left) < wanted;
        wanted -= usize::from(chosen);
        left = left.saturating_sub(1);
        visit(member, chosen);
    }
}

impl Set {
    /// Takes one member out.
    pub fn pop(&mut self, random: &mut Random) -> Option<Vec<u8>> {
        if let Set::Ints(buf) = self {
            let value = intset::random(buf, random)?;
            intset::remove(buf, value);
            return Some(itoa::Buffer::new().format(value).as_bytes().to_vec());
        }
        let member = self.view().random(random)?.to_vec();
        self.remove(&member);
        Some(member)
    }

    /// Takes `count` different members out, or all there are, and shows each to `popped`.
    ///
    /// When few stay, they move to a new set, which may be smaller in form, as in Redis.
    ///
    /// # Errors
    /// When a table cannot hold those that stay; the set is as it was.
    pub fn pop_many(
        &mut self,
        count: usize,
        random: &mut Random,
        limits: Limits,
        seed: u64,
        mut popped: impl FnMut(Element<'_>),
    ) -> Result<(), Full> {
        if let Some(rest) = self.view().rest_of(count, random, limits, seed)? {
            super::algebra::difference(&[self.view(), rest.view()], |member| {
                popped(member);
                true
            });
            *self = rest;
            return Ok(());
        }
        match self {
            Set::Table(_) => {
                for _ in 0..count {
                    if let Some(member) = self.pop(random) {
                        popped(Element::Bytes(&member));
                    }
                }
            }
            Set::Ints(buf) => {
                let mut rest = Vec::with_capacity(buf.len());
                let (len, members) = (intset::len(buf), intset::iter(buf).map(Element::Int));
                select(members, len, count, random, |member, chosen| {
                    match member {
                        _ if chosen => popped(member),
                        Element::Int(value) => {
                            intset::insert(&mut rest, value);
                        }
                        _ => {}
                    };
                });
                *buf = rest;
            }
            Set::Packed(buf) => {
                let (mut rest, mut digits) = (Vec::with_capacity(buf.len()), itoa::Buffer::new());
                let (len, members) = (pack::count(buf), pack::iter(buf).map(|(_, m)| m));
                select(members, len, count, random, |member, chosen| {
                    if chosen {
                        popped(member);
                    } else {
                        pack::push(&mut rest, member.bytes(&mut digits));
                    }
                });
                *buf = rest;
            }
        }
        Ok(())
    }
}
