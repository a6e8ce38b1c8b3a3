//! Adding members and changing their scores.

use crate::error::CommandError;
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::float::parse_double;
use ochre_ds::zset::Zset;
use ochre_resp::Request;
use smallvec::SmallVec;

pub(super) const ZADD: Command = Command {
    name: "zadd",
    element: 3,
    summary: "Adds members to a sorted set or changes their scores; creates the set if there is none.",
    since: "1.2.0",
    group: Group::SortedSet,
    complexity: "O(log(N)) for each member, where N is the number of members of the set.",
    arity: -4,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[key(1).rw_update()],
    args: &[
        Arg::key("key"),
        Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")])
            .optional()
            .since("3.0.2"),
        Arg::one_of(
            "comparison",
            &[Arg::word("gt", "GT"), Arg::word("lt", "LT")],
        )
        .optional()
        .since("6.2.0"),
        Arg::word("change", "CH").optional().since("3.0.2"),
        Arg::word("increment", "INCR").optional().since("3.0.2"),
        Arg::block("data", &[Arg::double("score"), Arg::string("member")]).multiple(),
    ],
    history: &[
        ("2.4.0", "Takes several members."),
        ("3.0.2", "Takes `XX`, `NX`, `CH` and `INCR`."),
        ("6.2.0", "Takes `GT` and `LT`."),
    ],
    run: Run::Write(zadd),
    ..Command::NEW
};

/// The options of ZADD.
#[derive(Clone, Copy, Default)]
struct Options {
    absent: bool,
    present: bool,
    greater: bool,
    less: bool,
    changed: bool,
    increment: bool,
}

impl Options {
    /// Reads the options and returns where the pairs begin.
    fn parse(args: Request<'_>) -> (Options, usize) {
        let (mut options, mut at) = (Options::default(), 2);
        while let Some(word) = args.get(at) {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let flag = match word.len() {
                2 if is("NX") => &mut options.absent,
                2 if is("XX") => &mut options.present,
                2 if is("GT") => &mut options.greater,
                2 if is("LT") => &mut options.less,
                2 if is("CH") => &mut options.changed,
                4 if is("INCR") => &mut options.increment,
                _ => break,
            };
            *flag = true;
            at += 1;
        }
        (options, at)
    }

    fn check(self, pairs: usize) -> Result<(), CommandError> {
        if self.absent && self.present {
            return Err(CommandError::XX_AND_NX);
        }
        let exclusive = [self.greater, self.less, self.absent];
        if exclusive.iter().filter(|set| **set).count() > 1 {
            return Err(CommandError::GT_LT_NX);
        }
        if self.increment && pairs > 1 {
            return Err(CommandError::INCR_PAIRS);
        }
        Ok(())
    }

    /// Whether a member is added or rescored whatever its score is now.
    fn is_plain(self) -> bool {
        !(self.absent || self.present || self.greater || self.less || self.increment)
    }

    /// The score that a member gets, `None` when it stays as it is.
    fn decide(self, old: Option<f64>, given: f64) -> Result<Option<f64>, CommandError> {
        let Some(old) = old else {
            return Ok((!self.present).then_some(given));
        };
        if self.absent {
            return Ok(None);
        }
        let new = if self.increment { old + given } else { given };
        if new.is_nan() {
            return Err(CommandError::SCORE_NAN);
        }
        let refused = (self.less && new >= old) || (self.greater && new <= old);
        Ok((!refused).then_some(new))
    }
}

/// The event of a member whose score something was added to.
const INCREMENTED: &str = "zincr";

/// What became of the members.
#[derive(Default)]
struct Done {
    added: u64,
    updated: u64,
    /// The set took another form.
    reformed: bool,
    /// The last member's new score, if it was not refused.
    score: Option<f64>,
}

fn zadd(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (options, first) = Options::parse(args);
    let rest = args.len() - first;
    if rest == 0 || !rest.is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    let pairs = rest / 2;
    options.check(pairs)?;
    let scores = (0..pairs)
        .map(|i| parse_double(&args[first + 2 * i]).ok_or(CommandError::NOT_FLOAT))
        .collect::<Result<SmallVec<[f64; 16]>, _>>()?;
    let (limits, seed) = (cx.env.zset_limits(), cx.env.hash_seed());
    let done = cx.keys.edit_zset(0, |zset| {
        if options.present && zset.is_empty() {
            return Ok((Done::default(), 0));
        }
        let full = |_| CommandError::FULL;
        let form = zset.encoding();
        zset.expect(pairs, limits, seed).map_err(full)?;
        let members = (0..pairs).map(|i| &args[first + 2 * i + 1]);
        if pairs > 1 {
            zset.view().prefetch(members.clone());
        }
        let mut done = Done::default();
        for (member, given) in members.zip(&scores) {
            let score = if options.is_plain() {
                Some(*given)
            } else {
                options.decide(zset.view().score(member), *given)?
            };
            done.score = score;
            let Some(score) = score else { continue };
            match zset.insert(member, score, limits, seed).map_err(full)? {
                None => done.added += 1,
                Some(old) => done.updated += u64::from(old != score),
            }
        }
        // A new form alone must be kept, too: the number of members given decides it, not that of new ones.
        let reformed = u64::from(zset.encoding() != form);
        done.reformed = reformed > 0;
        let changes = (done.added + done.updated).max(reformed);
        Ok((done, changes))
    })?;
    if done.added + done.updated > 0 {
        let event = if options.increment {
            INCREMENTED
        } else {
            "zadd"
        };
        cx.notify(EventClasses::ZSET, event, 0);
    } else if done.reformed {
        cx.keys.unnoticed(0);
    }
    if options.increment {
        match done.score {
            Some(score) => cx.out.double(score),
            None => cx.out.null(),
        }
        return Ok(());
    }
    let counted = done.added + if options.changed { done.updated } else { 0 };
    cx.out.integer(i64::try_from(counted).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const ZINCRBY: Command = Command {
    name: "zincrby",
    element: 3,
    summary: "Adds a number to a member's score; a new member begins at zero.",
    since: "1.2.0",
    group: Group::SortedSet,
    complexity: "O(log(N)) where N is the number of members of the set.",
    arity: 4,
    flags: Flags::DENYOOM.with(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE))],
    args: &[
        Arg::key("key"),
        Arg::integer("increment"),
        Arg::string("member"),
    ],
    run: Run::Write(zincrby),
    ..Command::NEW
};

fn zincrby(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let increment = parse_double(&args[2]).ok_or(CommandError::NOT_FLOAT)?;
    let (limits, seed) = (cx.env.zset_limits(), cx.env.hash_seed());
    let (score, changed, reformed) = cx.keys.edit_zset(0, |zset: &mut Zset| {
        let (old, form) = (zset.view().score(&args[3]), zset.encoding());
        let score = old.map_or(increment, |old| old + increment);
        if score.is_nan() {
            return Err(CommandError::SCORE_NAN);
        }
        zset.expect(1, limits, seed)
            .map_err(|_| CommandError::FULL)?;
        zset.insert(&args[3], score, limits, seed)
            .map_err(|_| CommandError::FULL)?;
        let (changed, reformed) = (old != Some(score), zset.encoding() != form);
        Ok(((score, changed, reformed), u64::from(changed | reformed)))
    })?;
    if changed {
        cx.notify(EventClasses::ZSET, INCREMENTED, 0);
    } else if reformed {
        cx.keys.unnoticed(0);
    }
    cx.out.double(score);
    Ok(())
}
