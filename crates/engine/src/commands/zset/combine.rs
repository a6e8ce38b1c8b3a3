//! Union, intersection and difference, returned.

use super::reply::Part;
use super::sources::{self, Inputs, Job, Operation, Options};
use crate::error::CommandError;
use crate::exec::{Out, Producer, ReadCx, ReadKeys, STREAM_MIN};
use crate::ports::Runtime;
use crate::spec::{Arg, Categories, Command, Group, Outcome, Run, numkeys};
use ochre_ds::int::parse_i64;
use ochre_ds::zset::{Input, Zset, inter_count};
use ochre_resp::Request;
use std::sync::Arc;

pub(super) const WEIGHTS: Arg = Arg::integer("weight")
    .token("WEIGHTS")
    .optional()
    .multiple();
pub(super) const AGGREGATE: Arg = Arg::one_of(
    "aggregate",
    &[
        Arg::word("sum", "SUM"),
        Arg::word("min", "MIN"),
        Arg::word("max", "MAX"),
        Arg::word("count", "COUNT").since("8.8.0"),
    ],
)
.token("AGGREGATE")
.optional();
const WITHSCORES: Arg = Arg::word("withscores", "WITHSCORES").optional();

pub(super) const ZUNION: Command = Command {
    name: "zunion",
    summary: "Returns the members of any of several sorted sets.",
    since: "6.2.0",
    group: Group::SortedSet,
    complexity: "O(N)+O(M*log(M)) where N is the number of members of all inputs and M of the result.",
    arity: -3,
    categories: Categories::SORTEDSET,
    keys: &[numkeys(1).read()],
    args: &[
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        WEIGHTS,
        AGGREGATE,
        WITHSCORES,
    ],
    history: &[("8.8.0", "Takes `AGGREGATE COUNT`.")],
    run: Run::Read(zunion),
    ..Command::NEW
};

fn zunion(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    combine(cx, args, "zunion", Operation::Union)
}

pub(super) const ZINTER: Command = Command {
    name: "zinter",
    summary: "Returns the members that several sorted sets have in common.",
    complexity: "O(N*K)+O(M*log(M)) where N is the number of members of the smallest input, K of inputs, and M of members of the result.",
    run: Run::Read(zinter),
    ..ZUNION
};

fn zinter(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    combine(cx, args, "zinter", Operation::Inter)
}

pub(super) const ZDIFF: Command = Command {
    name: "zdiff",
    summary: "Returns the members of the first of several sorted sets that no other one has.",
    complexity: "O(L + (N-K)log(N)) where L is the number of members of all inputs, N of the first, and K of the result.",
    args: &[
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        WITHSCORES,
    ],
    history: &[],
    run: Run::Read(zdiff),
    ..ZUNION
};

fn zdiff(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    combine(cx, args, "zdiff", Operation::Diff)
}

/// The inputs at all keys.
fn inputs<'k>(keys: &'k ReadKeys<'_>, count: usize) -> Result<Vec<Input<'k>>, CommandError> {
    (0..count).map(|i| sources::input(keys.value(i))).collect()
}

fn combine(cx: &mut ReadCx<'_>, args: Request<'_>, name: &str, operation: Operation) -> Outcome {
    let count = sources::count(args, 1, name)?;
    let inputs = inputs(&cx.keys, count)?;
    let options = Options::parse(args, 2 + count, count, operation, false)?;
    let scores = options.scores;
    let job = Job::new(operation, options, false, &cx.env);
    if sources::cost(&inputs, operation) >= STREAM_MIN {
        let work = Work {
            inputs: Inputs::clone_of(&inputs),
            job,
            scores,
            runtime: cx.env.engine.runtime.clone(),
        };
        cx.stream(Box::new(Combination::Todo(work)));
        return Ok(());
    }
    let result = job.run(&inputs)?;
    if let Some(rest) = whole(&result, scores).write(cx.out, result.view()) {
        cx.stream(rest);
    }
    Ok(())
}

fn whole(result: &Zset, scores: bool) -> Part {
    Part {
        ranks: 0..result.len(),
        reverse: false,
        scores,
    }
}

/// What a combination is computed from.
struct Work {
    inputs: Inputs,
    job: Job,
    scores: bool,
    runtime: Arc<dyn Runtime>,
}

/// A combination that is computed when its reply is due, and then written piece by piece.
enum Combination {
    Todo(Work),
    Rest(Box<dyn Producer>),
    Done,
}

impl Producer for Combination {
    fn produce(&mut self, out: &mut Out) -> bool {
        match self {
            Combination::Done => false,
            Combination::Rest(rest) => rest.produce(out),
            Combination::Todo(work) => {
                let mut result = Ok(Zset::default());
                work.runtime
                    .long(&mut || result = work.job.run(&work.inputs.views()));
                *self = match result {
                    Ok(result) => whole(&result, work.scores)
                        .write(out, result.view())
                        .map_or(Combination::Done, Combination::Rest),
                    Err(error) => {
                        out.error(error.text());
                        Combination::Done
                    }
                };
                matches!(self, Combination::Rest(_))
            }
        }
    }
}

pub(super) const ZINTERCARD: Command = Command {
    name: "zintercard",
    summary: "Returns how many members several sorted sets have in common.",
    since: "7.0.0",
    complexity: "O(N*K) where N is the number of members of the smallest input and K of inputs.",
    args: &[
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        Arg::integer("limit").token("LIMIT").optional(),
    ],
    history: &[],
    run: Run::Read(zintercard),
    ..ZUNION
};

fn zintercard(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let count = sources::count(args, 1, "zintercard")?;
    let inputs = inputs(&cx.keys, count)?;
    let mut limit = usize::MAX;
    let mut options = args.tail(2 + count).iter();
    while let Some(word) = options.next() {
        let value = options
            .next()
            .filter(|_| word.eq_ignore_ascii_case(b"LIMIT"));
        let number = parse_i64(value.ok_or(CommandError::SYNTAX)?);
        let number = number.and_then(|n| usize::try_from(n).ok());
        // No limit is spelled 0.
        limit = match number.ok_or(CommandError::LIMIT_NEGATIVE)? {
            0 => usize::MAX,
            limit => limit,
        };
    }
    let reply = move |out: &mut Out, inputs: &[Input<'_>]| {
        let found = inter_count(&sources::sources(inputs, &[]), limit);
        out.integer(i64::try_from(found).unwrap_or(i64::MAX));
    };
    if sources::cost(&inputs, Operation::Inter).min(limit) >= STREAM_MIN {
        let clones = Inputs::clone_of(&inputs);
        cx.later(Box::new(move |out| {
            reply(out, &clones.views());
            Ok(())
        }));
        return Ok(());
    }
    reply(cx.out, &inputs);
    Ok(())
}
