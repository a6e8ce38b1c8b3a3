//! Results of set algebra as sets of their own, for what is stored.
//!
//! Invariants
//! - Members are added in the order in which Redis adds them, so a small result has its form and order.
//! - A result that is certain to be a table begins as a copy of the largest table it contains: memory
//!   is copied in slabs, and only the other sets' members are hashed.
//! - No result shares its table with an input: who changes it later copies nothing.
//!
//! Source of the rules for forms: observed replies of Redis 7.2 and 8.2.

use super::algebra::{difference, intersection};
use super::{Limits, Set, SetRef};
use crate::dict::{Dict, Full};
use crate::pack::Element;
use std::sync::Arc;

/// Members whose places are loaded ahead at a time.
const AHEAD: usize = 32;

/// What a result is made under.
#[derive(Clone, Copy, Debug)]
pub struct Making {
    /// Up to where the result stays small.
    pub limits: Limits,
    /// Seed of the process's tables.
    pub seed: u64,
}

impl Making {
    /// The members that are in all sets; no sets have none.
    ///
    /// # Errors
    /// When a table cannot hold them.
    pub fn intersection(self, sets: &[SetRef<'_>]) -> Result<Set, Full> {
        let mut result = match sets.iter().min_by_key(|s| s.len()) {
            Some(SetRef::Ints(_)) => Set::Ints(Vec::new()),
            _ => Set::default(),
        };
        self.collect(&mut result, |visit| intersection(sets, visit))?;
        result.prefer_ints(self.limits);
        Ok(result)
    }

    /// The members of all sets.
    ///
    /// # Errors
    /// When a table cannot hold them.
    pub fn union(self, sets: &[SetRef<'_>]) -> Result<Set, Full> {
        let largest = sets.iter().enumerate().max_by_key(|(_, s)| s.len());
        let (mut result, copied) = match largest {
            Some((i, SetRef::Table(dict))) if self.surely_table(dict.len()) => (own(dict), Some(i)),
            _ => (Set::Ints(Vec::new()), None),
        };
        for (i, set) in sets.iter().enumerate() {
            if Some(i) != copied {
                self.add_all(&mut result, *set)?;
            }
        }
        Ok(result)
    }

    /// The members of the first set that are in no other.
    ///
    /// # Errors
    /// When a table cannot hold them.
    pub fn difference(self, sets: &[SetRef<'_>]) -> Result<Set, Full> {
        let mut result = Set::Ints(Vec::new());
        match sets.split_first() {
            Some((first, others)) if copies_first(sets) => {
                match first {
                    SetRef::Table(dict) if self.surely_table(dict.len()) => result = own(dict),
                    _ => self.add_all(&mut result, *first)?,
                }
                for other in others {
                    remove_all(&mut result, *other);
                }
            }
            _ => self.collect(&mut result, |visit| difference(sets, visit))?,
        }
        Ok(result)
    }

    /// Whether a set of so many members cannot be small.
    fn surely_table(self, len: usize) -> bool {
        len > self.limits.ints.max(self.limits.entries)
    }

    /// Adds what `work` visits.
    fn collect(
        self,
        result: &mut Set,
        work: impl FnOnce(&mut dyn FnMut(Element<'_>) -> bool),
    ) -> Result<(), Full> {
        let (mut digits, mut outcome) = (itoa::Buffer::new(), Ok(true));
        work(&mut |member| {
            outcome = result.add(member.bytes(&mut digits), self.limits, self.seed);
            outcome.is_ok()
        });
        outcome.map(|_| ())
    }

    fn add_all(self, result: &mut Set, set: SetRef<'_>) -> Result<(), Full> {
        let mut digits = itoa::Buffer::new();
        let mut members = set.iter();
        loop {
            result.prefetch(members.clone().take(AHEAD).filter_map(text));
            for _ in 0..AHEAD {
                let Some(member) = members.next() else {
                    return Ok(());
                };
                result.add(member.bytes(&mut digits), self.limits, self.seed)?;
            }
        }
    }
}

fn remove_all(result: &mut Set, set: SetRef<'_>) {
    let mut digits = itoa::Buffer::new();
    let mut members = set.iter();
    loop {
        result.prefetch(members.clone().take(AHEAD).filter_map(text));
        for _ in 0..AHEAD {
            let Some(member) = members.next() else {
                return;
            };
            result.remove(member.bytes(&mut digits));
        }
    }
}

/// The text of a member that is stored as one.
fn text(member: Element<'_>) -> Option<&[u8]> {
    match member {
        Element::Bytes(text) => Some(text),
        _ => None,
    }
}

/// A copy of a table that nobody else has.
fn own(dict: &Dict) -> Set {
    Set::Table(Arc::new(dict.clone()))
}

/// Whether Redis computes this difference by taking the other sets' members out of a copy of the
/// first, which shows in the result's form: it is the copy's.
fn copies_first(sets: &[SetRef<'_>]) -> bool {
    let Some(first) = sets.first() else {
        return false;
    };
    let there = sets.iter().filter(|s| !s.is_empty());
    let total: usize = there.clone().map(|s| s.len()).sum();
    first.len() * there.count() / 2 > total
}
