//! The inputs of unions, intersections and differences: which keys, with what weights.
//!
//! Invariant: what is computed without the locks works on clones, and knows whether its keys still
//! hold what was cloned.

use crate::error::CommandError;
use crate::exec::Env;
use crate::keyspace::Value;
use ochre_ds::dict::Full;
use ochre_ds::float::parse_double;
use ochre_ds::int::parse_i64;
use ochre_ds::set::Set;
use ochre_ds::zset::{self, Aggregate, Input, Limits, Source, Zset, ZsetRef};
use ochre_resp::Request;

/// What becomes of the inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// ZUNION and ZUNIONSTORE.
    Union,
    /// ZINTER and ZINTERSTORE.
    Inter,
    /// ZDIFF and ZDIFFSTORE.
    Diff,
}

/// The options behind the keys.
pub(super) struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    /// WITHSCORES was given.
    pub(super) scores: bool,
}

/// The number of keys, which is argument `at`; the keys follow it.
///
/// # Errors
/// When it is no number, below one, or more than the arguments; `command` is named then.
pub(super) fn count(args: Request<'_>, at: usize, command: &str) -> Result<usize, CommandError> {
    let count = parse_i64(&args[at]).ok_or(CommandError::NOT_INTEGER)?;
    if count < 1 {
        return Err(CommandError::needs_input_key(command));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > args.len() - at - 1 {
        return Err(CommandError::SYNTAX);
    }
    Ok(count)
}

impl Options {
    /// Reads the options from argument `at` on: WEIGHTS and AGGREGATE but for differences,
    /// WITHSCORES unless the result is stored.
    ///
    /// # Errors
    /// A syntax error, or a weight that is no number.
    pub(super) fn parse(
        args: Request<'_>,
        mut at: usize,
        count: usize,
        operation: Operation,
        store: bool,
    ) -> Result<Options, CommandError> {
        let weighs = operation != Operation::Diff;
        let mut options = Options {
            weights: vec![1.0; count],
            aggregate: Aggregate::Sum,
            scores: false,
        };
        while let Some(word) = args.get(at) {
            let left = args.len() - at - 1;
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if weighs && left >= count && is("WEIGHTS") {
                for (i, weight) in options.weights.iter_mut().enumerate() {
                    *weight = parse_double(&args[at + 1 + i]).ok_or(CommandError::WEIGHT)?;
                }
                at += count;
            } else if weighs && left >= 1 && is("AGGREGATE") {
                options.aggregate = aggregate(&args[at + 1])?;
                at += 1;
            } else if !store && is("WITHSCORES") {
                options.scores = true;
            } else {
                return Err(CommandError::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }
}

fn aggregate(word: &[u8]) -> Result<Aggregate, CommandError> {
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if is("SUM") {
        Ok(Aggregate::Sum)
    } else if is("MIN") {
        Ok(Aggregate::Min)
    } else if is("MAX") {
        Ok(Aggregate::Max)
    } else if is("COUNT") {
        Ok(Aggregate::Count)
    } else {
        Err(CommandError::SYNTAX)
    }
}

/// What a key holds, as an input; nothing is an empty one.
///
/// # Errors
/// `WRONGTYPE` when it is neither a set nor a sorted set.
pub(super) fn input(value: Option<Value<'_>>) -> Result<Input<'_>, CommandError> {
    match value {
        None => Ok(Input::Zset(ZsetRef::EMPTY)),
        Some(Value::Zset(zset)) => Ok(Input::Zset(zset)),
        Some(Value::Set(set)) => Ok(Input::Set(set)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

/// About how many members an operation looks at.
pub(super) fn cost(inputs: &[Input<'_>], operation: Operation) -> usize {
    let lens = inputs.iter().map(|i| i.len());
    match operation {
        Operation::Union | Operation::Diff => lens.sum(),
        Operation::Inter => lens.min().unwrap_or(0).saturating_mul(inputs.len()),
    }
}

/// An operation with everything it needs but its inputs.
#[derive(Clone)]
pub(super) struct Job {
    operation: Operation,
    weights: Vec<f64>,
    aggregate: Aggregate,
    /// `None` when the result is only sent: minus zero stays, as it does in Redis.
    limits: Option<Limits>,
    seed: u64,
}

impl Job {
    /// `store` says that the result is stored.
    pub(super) fn new(operation: Operation, options: Options, store: bool, env: &Env<'_>) -> Job {
        Job {
            operation,
            weights: options.weights,
            aggregate: options.aggregate,
            limits: store.then(|| env.zset_limits()),
            seed: env.hash_seed(),
        }
    }

    /// Computes the result.
    ///
    /// # Errors
    /// When it does not fit a sorted set.
    pub(super) fn run(&self, inputs: &[Input<'_>]) -> Result<Zset, CommandError> {
        let sources = sources(inputs, &self.weights);
        let result = match self.operation {
            Operation::Union => zset::union(&sources, self.aggregate, self.seed),
            Operation::Inter => zset::inter(&sources, self.aggregate, self.seed),
            Operation::Diff => zset::diff(&sources, self.seed),
        };
        let result = result.map_err(|_: Full| CommandError::FULL)?;
        Ok(match self.limits {
            Some(limits) => result.finish(limits),
            None => result.finish_tree(),
        })
    }
}

/// Inputs with their weights; 1 where there is none.
pub(super) fn sources<'a>(inputs: &[Input<'a>], weights: &[f64]) -> Vec<Source<'a>> {
    let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
    inputs
        .iter()
        .zip(weights)
        .map(|(input, weight)| Source {
            input: *input,
            weight,
        })
        .collect()
}

/// Clones of inputs.
pub(super) struct Inputs(Vec<Cloned>);

enum Cloned {
    Zset(Zset),
    Set(Set),
}

impl Inputs {
    /// Clones inputs; large ones are shared.
    pub(super) fn clone_of(inputs: &[Input<'_>]) -> Inputs {
        let clone = |input: &Input<'_>| match *input {
            Input::Zset(zset) => Cloned::Zset(zset.to_owned()),
            Input::Set(set) => Cloned::Set(set.to_owned()),
        };
        Inputs(inputs.iter().map(clone).collect())
    }

    /// The clones to read.
    pub(super) fn views(&self) -> Vec<Input<'_>> {
        let views = self.0.iter().map(|cloned| match cloned {
            Cloned::Zset(zset) => Input::Zset(zset.view()),
            Cloned::Set(set) => Input::Set(set.view()),
        });
        views.collect()
    }

    /// Whether the clone number `i` still is what its key holds.
    pub(super) fn is_same(&self, i: usize, value: Option<Value<'_>>) -> bool {
        match (self.0.get(i), input(value)) {
            (Some(Cloned::Zset(clone)), Ok(Input::Zset(zset))) => zset.same(clone),
            (Some(Cloned::Set(clone)), Ok(Input::Set(set))) => set.same(clone),
            _ => false,
        }
    }

    /// Number of inputs.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
