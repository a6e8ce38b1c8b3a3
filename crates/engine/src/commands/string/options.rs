//! The options that SET, GETEX, MSETEX and INCREX share: conditions and expiries.
//!
//! Invariants
//! - Options may stand in any order. One that contradicts an earlier one is a syntax error; saying
//!   the same again is not, and of several values for one expiry option the last counts.
//! - Times are read only when the command asks for them: a malformed time is reported after every
//!   syntax error, and by some commands not at all when there is no key.
//!
//! Source: observed replies of Redis 7.0.15, 8.2.3 and Valkey 9.1.2.

use super::digest::Comparison;
use crate::error::CommandError;
use crate::exec::Expiry;
use crate::spec::Arg;
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

/// A point in time as the request says it, not read yet.
#[derive(Clone, Copy)]
pub(super) struct Deadline<'a> {
    text: &'a [u8],
    seconds: bool,
    absolute: bool,
}

impl<'a> Deadline<'a> {
    /// So many seconds from now.
    pub(super) fn in_seconds(text: &'a [u8]) -> Deadline<'a> {
        Deadline {
            text,
            seconds: true,
            absolute: false,
        }
    }

    /// So many milliseconds from now.
    pub(super) fn in_milliseconds(text: &'a [u8]) -> Deadline<'a> {
        Deadline {
            text,
            seconds: false,
            absolute: false,
        }
    }

    /// The deadline in Unix milliseconds, above zero.
    ///
    /// # Errors
    /// When it is not an integer, not positive, or beyond the end of time; `command` is named then.
    pub(super) fn resolve(self, command: &str, now_ms: i64) -> Result<i64, CommandError> {
        let value = parse_i64(self.text).ok_or(CommandError::NOT_INTEGER)?;
        let ms = value.checked_mul(if self.seconds { 1000 } else { 1 });
        let base = if self.absolute { 0 } else { now_ms };
        ms.filter(|ms| *ms > 0)
            .and_then(|ms| ms.checked_add(base))
            .ok_or_else(|| CommandError::invalid_expire(command))
    }
}

/// What the request says about the expiry.
#[derive(Clone, Copy, Default)]
pub(super) enum Lifetime<'a> {
    /// Nothing.
    #[default]
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// EX, PX, EXAT or PXAT.
    Until(Deadline<'a>),
}

impl<'a> Lifetime<'a> {
    /// What becomes of the expiry of a key that is set; see [`Deadline::resolve`] for the errors.
    pub(super) fn resolve(self, command: &str, now_ms: i64) -> Result<Expiry, CommandError> {
        match self {
            Lifetime::Unsaid | Lifetime::Persist => Ok(Expiry::Clear),
            Lifetime::Keep => Ok(Expiry::Keep),
            Lifetime::Until(deadline) => deadline.resolve(command, now_ms).map(Expiry::At),
        }
    }

    /// Takes note of an expiry option, unless it contradicts what was said before.
    pub(super) fn say(&mut self, new: Lifetime<'a>) -> Result<(), CommandError> {
        let agrees = match (*self, new) {
            (Lifetime::Unsaid, _)
            | (Lifetime::Keep, Lifetime::Keep)
            | (Lifetime::Persist, Lifetime::Persist) => true,
            (Lifetime::Until(a), Lifetime::Until(b)) => {
                (a.seconds, a.absolute) == (b.seconds, b.absolute)
            }
            _ => false,
        };
        if !agrees {
            return Err(CommandError::SYNTAX);
        }
        *self = new;
        Ok(())
    }

    /// Reads the option at argument `at` if it is about expiry. How many arguments it takes, 0 when
    /// it is another option.
    ///
    /// # Errors
    /// When its value is missing or it contradicts an earlier one.
    pub(super) fn read(&mut self, args: Request<'a>, at: usize) -> Result<usize, CommandError> {
        let Some(word) = args.get(at) else {
            return Ok(0);
        };
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let (seconds, absolute) = match word.len() {
            2 if is("EX") => (true, false),
            2 if is("PX") => (false, false),
            4 if is("EXAT") => (true, true),
            4 if is("PXAT") => (false, true),
            7 if is("KEEPTTL") => return self.say(Lifetime::Keep).map(|()| 1),
            7 if is("PERSIST") => return self.say(Lifetime::Persist).map(|()| 1),
            _ => return Ok(0),
        };
        let text = args.get(at + 1).ok_or(CommandError::SYNTAX)?;
        self.say(Lifetime::Until(Deadline {
            text,
            seconds,
            absolute,
        }))?;
        Ok(2)
    }
}

/// When a key is set.
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    /// NX: there is none.
    Absent,
    /// XX: there is one.
    Present,
    /// IFEQ and its like: by its present value.
    Compares(Comparison<'a>),
}

/// Which options a command takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    /// SET: conditions on presence and value, GET, KEEPTTL.
    Set,
    /// GETEX: PERSIST.
    Getex,
    /// MSETEX: conditions on presence, KEEPTTL.
    Msetex,
}

/// The options of a request.
#[derive(Clone, Copy, Default)]
pub(super) struct Options<'a> {
    /// What becomes of the expiry.
    pub(super) lifetime: Lifetime<'a>,
    /// When to act at all.
    pub(super) condition: Option<Condition<'a>>,
    /// Whether to answer the old value.
    pub(super) get: bool,
}

impl<'a> Options<'a> {
    /// Reads the options from argument `at` to the end.
    ///
    /// # Errors
    /// A syntax error for an unknown or contradicting option, or one without its value.
    pub(super) fn parse(
        args: Request<'a>,
        mut at: usize,
        accepts: Accepts,
    ) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        while at < args.len() {
            let taken = match options.lifetime.read(args, at)? {
                0 => options.condition(args, at, accepts)?,
                taken => taken,
            };
            at += taken;
        }
        let refused = match options.lifetime {
            Lifetime::Keep => accepts == Accepts::Getex,
            Lifetime::Persist => accepts != Accepts::Getex,
            Lifetime::Unsaid | Lifetime::Until(_) => false,
        };
        if refused {
            return Err(CommandError::SYNTAX);
        }
        Ok(options)
    }

    fn condition(
        &mut self,
        args: Request<'a>,
        at: usize,
        accepts: Accepts,
    ) -> Result<usize, CommandError> {
        let word = args.get(at).ok_or(CommandError::SYNTAX)?;
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let (condition, taken) = match accepts {
            Accepts::Set if is("GET") => {
                self.get = true;
                return Ok(1);
            }
            Accepts::Set | Accepts::Msetex if is("NX") => (Condition::Absent, 1),
            Accepts::Set | Accepts::Msetex if is("XX") => (Condition::Present, 1),
            Accepts::Set => {
                let operand = args.get(at + 1).ok_or(CommandError::SYNTAX)?;
                let comparison = Comparison::new(word, operand).ok_or(CommandError::SYNTAX)?;
                (Condition::Compares(comparison), 2)
            }
            Accepts::Getex | Accepts::Msetex => return Err(CommandError::SYNTAX),
        };
        let agrees = matches!(
            (self.condition, condition),
            (None, _)
                | (Some(Condition::Absent), Condition::Absent)
                | (Some(Condition::Present), Condition::Present)
        );
        self.condition = Some(condition);
        if agrees {
            Ok(taken)
        } else {
            Err(CommandError::SYNTAX)
        }
    }
}

/// EX, PX, EXAT and PXAT in the argument grammar, and one more.
macro_rules! expiration {
    ($last:expr) => {
        Arg::one_of(
            "expiration",
            &[
                Arg::integer("seconds").token("EX"),
                Arg::integer("milliseconds").token("PX"),
                Arg::unix_time("unix-time-seconds").token("EXAT"),
                Arg::unix_time("unix-time-milliseconds").token("PXAT"),
                $last,
            ],
        )
        .optional()
    };
}

/// The expiry of GETEX and INCREX in the argument grammar.
pub(super) const EXPIRATION_OR_PERSIST: Arg = expiration!(Arg::word("persist", "PERSIST"));

/// The expiry of MSETEX in the argument grammar.
pub(super) const EXPIRATION_OR_KEEP: Arg = expiration!(Arg::word("keepttl", "KEEPTTL"));
