//! Adding, removing and moving members.

use super::SET;
use crate::error::CommandError;
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Command, Flags, Outcome, Run, key};
use ochre_ds::set::{Set, SetRef};
use ochre_resp::Request;

/// Members whose places are loaded ahead at a time.
const AHEAD: usize = 32;

pub(super) const SADD: Command = Command {
    name: "sadd",
    element: 2,
    summary: "Adds members to a set, which is created if there is none.",
    complexity: "O(N) where N is the number of members to add.",
    arity: -3,
    flags: Flags::DENYOOM.with(Flags::FAST),
    keys: &[key(1).access(Access::RW.with(Access::INSERT))],
    args: &[Arg::key("key"), Arg::string("member").multiple()],
    history: &[("2.4.0", "Several members.")],
    run: Run::Write(sadd),
    ..SET
};

fn sadd(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (limits, seed) = (cx.env.set_limits(), cx.env.hash_seed());
    let members = args.tail(2);
    let (added, reformed) = cx.keys.edit_set(0, |set| {
        let form = set.encoding();
        set.prepare(&args[2], members.len(), limits, seed)?;
        let mut added = 0;
        let outcome = in_batches(set, members, |set, member| {
            added += u64::from(set.add(member, limits, seed)?);
            Ok(())
        });
        // A set that only took another form changed too, for it must be kept. What was added before
        // the table was full stays.
        let reformed = set.encoding() != form && !set.is_empty();
        let changes = added.max(u64::from(reformed));
        Ok((outcome.map(|()| (added, reformed)), changes))
    })??;
    match (added, reformed) {
        (1.., _) => cx.notify(EventClasses::SET, "sadd", 0),
        (0, true) => cx.keys.unnoticed(0),
        (0, false) => {}
    }
    cx.out.integer(i64::try_from(added).unwrap_or(i64::MAX));
    Ok(())
}

/// Does something with each member, those of a table loaded ahead a few at a time.
#[inline]
fn in_batches(
    set: &mut Set,
    members: Request<'_>,
    mut each: impl FnMut(&mut Set, &[u8]) -> Outcome,
) -> Outcome {
    for (i, member) in members.iter().enumerate() {
        if i.is_multiple_of(AHEAD) && members.len() > 1 {
            set.prefetch(members.tail(i).iter().take(AHEAD));
        }
        each(set, member)?;
    }
    Ok(())
}

pub(super) const SREM: Command = Command {
    name: "srem",
    element: 2,
    summary: "Removes members from a set, and the set with its last member.",
    complexity: "O(N) where N is the number of members to remove.",
    arity: -3,
    flags: Flags::FAST,
    keys: &[key(1).access(Access::RW.with(Access::DELETE))],
    args: &[Arg::key("key"), Arg::string("member").multiple()],
    history: &[("2.4.0", "Several members.")],
    run: Run::Write(srem),
    ..SET
};

fn srem(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    if cx.keys.set(0)?.is_none() {
        cx.out.integer(0);
        return Ok(());
    }
    let removed = cx.keys.edit_set(0, |set| {
        let mut removed = 0;
        in_batches(set, args.tail(2), |set, member| {
            removed += u64::from(set.remove(member));
            Ok(())
        })?;
        Ok((removed, removed))
    })?;
    if removed > 0 {
        cx.notify_taken(EventClasses::SET, "srem", 0);
    }
    cx.out.integer(i64::try_from(removed).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const SMOVE: Command = Command {
    name: "smove",
    summary: "Moves a member from one set to another.",
    arity: 4,
    flags: Flags::FAST,
    keys: &[
        key(1).access(Access::RW.with(Access::ACCESS).with(Access::DELETE)),
        key(2).access(Access::RW.with(Access::INSERT)),
    ],
    args: &[
        Arg::key("source"),
        Arg::key("destination").of_spec(1),
        Arg::string("member"),
    ],
    run: Run::Write(smove),
    ..SET
};

fn smove(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (limits, seed) = (cx.env.set_limits(), cx.env.hash_seed());
    let (source, destination, member) = (&args[1], &args[2], &args[3]);
    let moved = match cx.keys.set(0)? {
        None => false,
        Some(from) => {
            let there = from.contains(member);
            cx.keys.set(1)?;
            there
        }
    };
    cx.out.integer(i64::from(moved));
    if !moved || source == destination {
        return Ok(());
    }
    // Added first, which is what can fail.
    let added = cx.keys.edit_set(1, |to| {
        to.prepare(member, 1, limits, seed)?;
        let added = to.add(member, limits, seed)?;
        Ok((added, u64::from(added)))
    })?;
    cx.keys.edit_set(0, |from| {
        let removed = from.remove(member);
        Ok(((), u64::from(removed)))
    })?;
    cx.notify_taken(EventClasses::SET, "srem", 0);
    if added {
        cx.notify(EventClasses::SET, "sadd", 1);
    }
    Ok(())
}

/// The sets of keys `from` on, absent ones as empty.
pub(super) fn sets_of<'k>(
    count: usize,
    from: usize,
    set: impl Fn(usize) -> Result<Option<SetRef<'k>>, CommandError>,
) -> Result<Vec<SetRef<'k>>, CommandError> {
    (from..count)
        .map(|i| Ok(set(i)?.unwrap_or(SetRef::EMPTY)))
        .collect()
}
