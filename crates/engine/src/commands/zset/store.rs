//! Union, intersection and difference, stored.
//!
//! Invariant: a large result is computed on clones without any lock, and stored only if its inputs
//! did not change meanwhile.

use super::combine::{AGGREGATE, WEIGHTS};
use super::range::store;
use super::sources::{self, Inputs, Job, Operation, Options};
use crate::exec::{Commit, OUTSIDE_MIN, WriteCx};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key, numkeys};
use ochre_resp::Request;

pub(super) const ZUNIONSTORE: Command = Command {
    name: "zunionstore",
    summary: "Stores the members of any of several sorted sets as a sorted set.",
    since: "2.0.0",
    group: Group::SortedSet,
    complexity: "O(N)+O(M*log(M)) where N is the number of members of all inputs and M of the result.",
    arity: -4,
    flags: Flags::DENYOOM,
    categories: Categories::SORTEDSET,
    keys: &[key(1).result(), numkeys(2).read()],
    args: &[
        Arg::key("destination"),
        Arg::integer("numkeys"),
        Arg::key("key").of_spec(1).multiple(),
        WEIGHTS,
        AGGREGATE,
    ],
    history: &[("8.8.0", "Takes `AGGREGATE COUNT`.")],
    run: Run::Write(zunionstore),
    ..Command::NEW
};

fn zunionstore(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    combine(cx, args, "zunionstore", Operation::Union)
}

pub(super) const ZINTERSTORE: Command = Command {
    name: "zinterstore",
    summary: "Stores the members that several sorted sets have in common as a sorted set.",
    complexity: "O(N*K)+O(M*log(M)) where N is the number of members of the smallest input, K of inputs, and M of members of the result.",
    run: Run::Write(zinterstore),
    ..ZUNIONSTORE
};

fn zinterstore(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    combine(cx, args, "zinterstore", Operation::Inter)
}

pub(super) const ZDIFFSTORE: Command = Command {
    name: "zdiffstore",
    summary: "Stores the members of the first of several sorted sets that no other one has as a sorted set.",
    since: "6.2.0",
    complexity: "O(L + (N-K)log(N)) where L is the number of members of all inputs, N of the first, and K of the result.",
    args: &[
        Arg::key("destination"),
        Arg::integer("numkeys"),
        Arg::key("key").of_spec(1).multiple(),
    ],
    history: &[],
    run: Run::Write(zdiffstore),
    ..ZUNIONSTORE
};

fn zdiffstore(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    combine(cx, args, "zdiffstore", Operation::Diff)
}

fn combine(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    name: &'static str,
    operation: Operation,
) -> Outcome {
    let count = sources::count(args, 2, name)?;
    let inputs = (1..=count)
        .map(|i| sources::input(cx.keys.value(i)))
        .collect::<Result<Vec<_>, _>>()?;
    let options = Options::parse(args, 3 + count, count, operation, true)?;
    let job = Job::new(operation, options, true, &cx.env);
    if sources::cost(&inputs, operation) < OUTSIDE_MIN || cx.must_finish() {
        let result = job.run(&inputs)?;
        return store(cx, result, name);
    }
    let inputs = Inputs::clone_of(&inputs);
    cx.outside(Box::new(move || -> Commit {
        let result = job.run(&inputs.views());
        Box::new(move |cx| {
            let same = (0..inputs.len()).all(|i| inputs.is_same(i, cx.keys.value(i + 1)));
            // The clones would make the next change of an input copy it.
            drop(inputs);
            if same {
                store(cx, result?, name)?;
            }
            Ok(same)
        })
    }));
    Ok(())
}
