//! Intersection, union and difference of sets that are only read.
//!
//! Invariants
//! - Nothing is copied that is only read: results are shown member by member to a function, which
//!   ends the work by returning false.
//! - Each member of the result is shown once; among integers only, in ascending order.
//! - The work never exceeds that of asking every set for every member of the one that is gone through.
//!
//! Cost: an intersection goes through the smallest set and asks the others, smallest first. A
//! difference asks the sets to subtract, largest first, or, where the first is far larger, the
//! first for their members. A union asks the larger sets for members of the smaller ones, and for
//! many sets notes what it showed in a table. Questions go in batches, so that cache misses overlap.

use super::batch::{Batch, bits};
use super::probe::Probe;
use super::{Iter, SetRef};
use crate::dict::{Dict, Full};
use crate::intset;
use crate::pack::Element;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

/// What a copied member costs, in questions to a table.
const COPY_COST: usize = 4;

/// Visits the members of `of` that are in none of the probes (or, with `inside`, in all); whether all were.
fn pass<'a>(
    of: SetRef<'a>,
    probes: &[Probe<'_>],
    inside: bool,
    visit: impl FnMut(Element<'a>) -> bool,
) -> bool {
    // The form is chosen once, not for each member.
    match of.iter() {
        Iter::Ints(ints) => pass_each(ints.map(Element::Int), probes, inside, visit),
        Iter::Packed(pack) => pass_each(pack.map(|(_, m)| m), probes, inside, visit),
        Iter::Table(dict) => {
            let members = dict.map(|(m, _)| Element::Bytes(m));
            pass_each(members, probes, inside, visit)
        }
    }
}

#[inline]
fn pass_each<'a>(
    mut of: impl Iterator<Item = Element<'a>>,
    probes: &[Probe<'_>],
    inside: bool,
    mut visit: impl FnMut(Element<'a>) -> bool,
) -> bool {
    let (mut batch, forms) = (Batch::new(), Probe::forms(probes));
    loop {
        let mut left = batch.fill(&mut of, forms);
        if left == 0 {
            return true;
        }
        for probe in probes {
            let found = probe.found(&mut batch, left);
            left &= if inside { found } else { !found };
            if left == 0 {
                break;
            }
        }
        for at in bits(left) {
            if !visit(batch.member(at)) {
                return false;
            }
        }
    }
}

/// The sets as probes, each to be asked about `questions` times.
fn probes<'a>(sets: &[SetRef<'a>], questions: usize) -> Vec<Probe<'a>> {
    sets.iter().map(|s| Probe::new(*s, questions)).collect()
}

/// The integers of every set, if all are sets of integers.
fn all_ints<'a>(sets: &[SetRef<'a>]) -> Option<Vec<&'a [u8]>> {
    sets.iter()
        .map(|set| match set {
            SetRef::Ints(buf) => Some(*buf),
            _ => None,
        })
        .collect()
}

/// Visits the members that are in all sets, in the order of the smallest one (of several, the first),
/// until `visit` returns false. No sets have no members.
pub fn intersection<'a>(sets: &[SetRef<'a>], mut visit: impl FnMut(Element<'a>) -> bool) {
    let mut sets = sets.to_vec();
    sets.sort_by_key(|s| s.len());
    let Some((smallest, others)) = sets.split_first() else {
        return;
    };
    if smallest.is_empty() {
        return;
    }
    match all_ints(&sets) {
        Some(ints) => merge_common(&ints, visit),
        None => {
            let probes = probes(others, smallest.len());
            pass(*smallest, &probes, true, &mut visit);
        }
    }
}

/// Visits the integers that are in all of `sets`, going through the first and searching on from place to place in the others.
fn merge_common<'a>(sets: &[&[u8]], mut visit: impl FnMut(Element<'a>) -> bool) {
    let Some((first, others)) = sets.split_first() else {
        return;
    };
    let mut places = vec![0; others.len()];
    for value in intset::iter(first) {
        let mut everywhere = true;
        for (other, place) in others.iter().zip(&mut places) {
            *place = intset::rank_from(other, value, *place);
            match intset::get(other, *place) {
                Some(there) if there == value => {}
                Some(_) => everywhere = false,
                None => return,
            }
            if !everywhere {
                break;
            }
        }
        if everywhere && !visit(Element::Int(value)) {
            return;
        }
    }
}

/// How many members are in all sets; at most `limit`, if there is one.
pub fn intersection_len(sets: &[SetRef<'_>], limit: Option<usize>) -> usize {
    count(limit, |visit| intersection(sets, |_| visit()))
}

/// How many members are in the first set and in no other; at most `limit`, if there is one.
pub fn difference_len(sets: &[SetRef<'_>], limit: Option<usize>) -> usize {
    count(limit, |visit| difference(sets, |_| visit()))
}

/// How many members are in any of the sets; at most `limit`, if there is one.
///
/// # Errors
/// When there are too many members to keep them apart.
pub fn union_len(sets: &[SetRef<'_>], limit: Option<usize>, seed: u64) -> Result<usize, Full> {
    let mut outcome = Ok(());
    let len = count(limit, |visit| outcome = union(sets, seed, |_| visit()));
    outcome.map(|()| len)
}

/// Counts what `work` visits, and ends it at the limit.
fn count(limit: Option<usize>, work: impl FnOnce(&mut dyn FnMut() -> bool)) -> usize {
    let mut count = 0;
    if limit != Some(0) {
        work(&mut || {
            count += 1;
            limit.is_none_or(|most| count < most)
        });
    }
    count
}

/// Visits the members of the first set that are in no other, in the first one's order, until `visit` returns false.
pub fn difference<'a>(sets: &[SetRef<'a>], visit: impl FnMut(Element<'a>) -> bool) {
    let Some((first, others)) = sets.split_first() else {
        return;
    };
    if first.is_empty() {
        return;
    }
    let mut others: Vec<_> = others.iter().copied().filter(|s| !s.is_empty()).collect();
    others.sort_by_key(|s| Reverse(s.len()));
    let total = others.iter().map(|s| s.len()).sum::<usize>();
    match first {
        SetRef::Table(dict) if first.len() * others.len() > total * 2 + first.len() / 4 => {
            without(dict, &others, visit);
        }
        _ => {
            pass(*first, &probes(&others, first.len()), false, visit);
        }
    }
}

/// Visits the members of a table that are in no other set, by looking up those of the others.
fn without<'a>(dict: &'a Dict, others: &[SetRef<'a>], mut visit: impl FnMut(Element<'a>) -> bool) {
    // Two records never end at the same address, so the end of one tells it from all others.
    let mut gone = HashSet::new();
    let mut digits = itoa::Buffer::new();
    for member in others.iter().flat_map(|s| s.iter()) {
        if let Some(value) = dict.get(member.bytes(&mut digits)) {
            gone.insert(value.as_ptr().addr());
        }
    }
    for (member, value) in dict.iter() {
        if !gone.contains(&value.as_ptr().addr()) && !visit(Element::Bytes(member)) {
            return;
        }
    }
}

/// Visits the members of all sets until `visit` returns false. `seed` is that of the process's tables.
///
/// # Errors
/// When there are many sets with too many members to note what was visited.
pub fn union<'a>(
    sets: &[SetRef<'a>],
    seed: u64,
    mut visit: impl FnMut(Element<'a>) -> bool,
) -> Result<(), Full> {
    let mut sets: Vec<_> = sets.iter().copied().filter(|s| !s.is_empty()).collect();
    if let Some(ints) = all_ints(&sets) {
        merge_all(&ints, visit);
        return Ok(());
    }
    sets.sort_by_key(|s| Reverse(s.len()));
    let questions: usize = sets.iter().enumerate().map(|(i, s)| s.len() * i).sum();
    let copies: usize = sets.iter().skip(1).map(|s| s.len()).sum();
    if questions > copies * COPY_COST {
        return union_noting(&sets, seed, visit);
    }
    for (i, set) in sets.iter().enumerate() {
        let larger = probes(&sets[..i], set.len());
        if !pass(*set, &larger, false, &mut visit) {
            break;
        }
    }
    Ok(())
}

/// Visits the members of all sets, the first of which is the largest, noting those of the others in a table.
fn union_noting<'a>(
    sets: &[SetRef<'a>],
    seed: u64,
    mut visit: impl FnMut(Element<'a>) -> bool,
) -> Result<(), Full> {
    let Some((largest, others)) = sets.split_first() else {
        return Ok(());
    };
    if !pass(*largest, &[], false, &mut visit) {
        return Ok(());
    }
    let (mut noted, mut digits) = (Dict::new(seed), itoa::Buffer::new());
    let mut outcome = Ok(());
    for set in others {
        let probe = probes(&[*largest], set.len());
        let goes_on = pass(*set, &probe, false, |member| {
            match noted.insert(member.bytes(&mut digits), &[]) {
                Ok(new) => !new || visit(member),
                Err(full) => {
                    outcome = Err(full);
                    false
                }
            }
        });
        if !goes_on {
            break;
        }
    }
    outcome
}

/// Visits the integers of all sets, ascending.
fn merge_all<'a>(sets: &[&[u8]], mut visit: impl FnMut(Element<'a>) -> bool) {
    let mut rests: Vec<_> = sets.iter().map(|buf| intset::iter(buf)).collect();
    let firsts = rests.iter_mut().enumerate();
    let mut next: BinaryHeap<_> = firsts
        .filter_map(|(i, rest)| Some(Reverse((rest.next()?, i))))
        .collect();
    let mut last = None;
    while let Some(Reverse((value, i))) = next.pop() {
        if last != Some(value) && !visit(Element::Int(value)) {
            return;
        }
        last = Some(value);
        next.extend(rests[i].next().map(|v| Reverse((v, i))));
    }
}
