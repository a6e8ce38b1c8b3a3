//! Intersections, unions and differences that are stored.
//!
//! Invariants
//! - The destination is replaced by the whole result, or not touched; an empty result removes it.
//! - A large result is made with no stripe held, from snapshots, and stored only if every input is
//!   still what it was.

use super::change::sets_of;
use super::{SET, reply_count};
use crate::error::CommandError;
use crate::exec::{Commit, Expiry, OUTSIDE_MIN, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{Arg, Command, Flags, Outcome, Run, key};
use ochre_ds::dict::Full;
use ochre_ds::set::{Making, Set, SetRef};

/// Makes a result of its inputs.
type Make = fn(Making, &[SetRef<'_>]) -> Result<Set, Full>;

pub(super) const SINTERSTORE: Command = Command {
    name: "sinterstore",
    summary: "Stores the members that several sets have in common.",
    complexity: "O(N*M) at worst, where N is the size of the smallest set and M the number of sets.",
    arity: -3,
    flags: Flags::DENYOOM,
    keys: &[key(1).result(), key(2).to(-1, 1).read()],
    args: &[
        Arg::key("destination"),
        Arg::key("key").of_spec(1).multiple(),
    ],
    run: Run::Write(|cx, _| store(cx, Making::intersection, SINTERSTORE.name)),
    ..SET
};

pub(super) const SUNIONSTORE: Command = Command {
    name: "sunionstore",
    summary: "Stores the members of several sets together.",
    complexity: "O(N) where N is the number of members of all sets.",
    run: Run::Write(|cx, _| store(cx, Making::union, SUNIONSTORE.name)),
    ..SINTERSTORE
};

pub(super) const SDIFFSTORE: Command = Command {
    name: "sdiffstore",
    summary: "Stores the members of a set that others do not have.",
    complexity: "O(N) where N is the number of members of all sets.",
    run: Run::Write(|cx, _| store(cx, Making::difference, SDIFFSTORE.name)),
    ..SINTERSTORE
};

fn store(cx: &mut WriteCx<'_>, make: Make, event: &'static str) -> Outcome {
    let making = Making {
        limits: cx.env.set_limits(),
        seed: cx.env.hash_seed(),
    };
    let sets = sets_of(cx.keys.count(), 1, |i| cx.keys.set(i))?;
    let total: usize = sets.iter().map(|s| s.len()).sum();
    if total < OUTSIDE_MIN || cx.must_finish() {
        let result = make(making, &sets)?;
        return finish(cx, result, event);
    }
    let sets: Vec<Set> = sets.into_iter().map(SetRef::to_owned).collect();
    cx.outside(Box::new(move || {
        let views: Vec<_> = sets.iter().map(Set::view).collect();
        let result = make(making, &views);
        commit(sets, result, event)
    }));
    Ok(())
}

/// Stores a result if the inputs are still the same.
fn commit(sets: Vec<Set>, result: Result<Set, Full>, event: &'static str) -> Commit {
    Box::new(move |cx| {
        let now = sets_of(cx.keys.count(), 1, |i| cx.keys.set(i))?;
        let same = now.len() == sets.len() && now.iter().zip(&sets).all(|(a, b)| a.same(b));
        if same {
            finish(cx, result?, event)?;
        }
        Ok(same)
    })
}

fn finish(cx: &mut WriteCx<'_>, result: Set, event: &'static str) -> Result<(), CommandError> {
    let len = result.len();
    cx.storing(0, (EventClasses::SET, event), |keys| {
        keys.store_set(0, result, Expiry::Clear).map(drop)
    })?;
    reply_count(cx.out, len);
    Ok(())
}
