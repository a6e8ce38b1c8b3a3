//! Key specifications: where a command's keys are, and what it does with them.
//!
//! The model is the one that Redis documents for `COMMAND INFO`: a rule that finds the first
//! argument to look at, a rule that finds the keys from there, and the kind of access.
//! The lock plan, cluster checks and ACL key permissions are computed from these, so they cannot drift.

use ochre_resp::Request;

/// What is done with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Access(u16);

impl Access {
    /// Nothing is known of it.
    pub const UNKNOWN: Access = Access(0);
    /// Reads the value or metadata and writes nothing.
    pub const RO: Access = Access(1);
    /// Reads and writes.
    pub const RW: Access = Access(2);
    /// Overwrites without reading.
    pub const OW: Access = Access(4);
    /// Removes.
    pub const RM: Access = Access(8);
    /// Returns or copies the value's data.
    pub const ACCESS: Access = Access(16);
    /// Changes the value in dependence on what was there.
    pub const UPDATE: Access = Access(32);
    /// Adds data.
    pub const INSERT: Access = Access(64);
    /// Deletes data.
    pub const DELETE: Access = Access(128);
    /// Not a key, but routed as one.
    pub const NOT_KEY: Access = Access(256);
    /// The specification may miss keys.
    pub const INCOMPLETE: Access = Access(512);
    /// The kind of access depends on the arguments.
    pub const VARIABLE: Access = Access(1024);

    /// Internal: that the key is not there is no event.
    pub const UNMISSED: Access = Access(2048);

    /// Internal: it is removed without being looked for where there is nothing to store.
    pub const UNSEEN: Access = Access(4096);

    const NAMES: [(Access, &'static str); 11] = [
        (Access::RO, "RO"),
        (Access::RW, "RW"),
        (Access::OW, "OW"),
        (Access::RM, "RM"),
        (Access::ACCESS, "access"),
        (Access::UPDATE, "update"),
        (Access::INSERT, "insert"),
        (Access::DELETE, "delete"),
        (Access::NOT_KEY, "not_key"),
        (Access::INCOMPLETE, "incomplete"),
        (Access::VARIABLE, "variable_flags"),
    ];

    /// Both together.
    pub const fn with(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }

    /// Whether all of `other` hold.
    pub const fn has(self, other: Access) -> bool {
        self.0 & other.0 == other.0
    }

    /// Wire names, in the order in which `COMMAND INFO` lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(a, _)| self.has(*a))
            .map(|(_, n)| *n)
    }
}

/// Where to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// At a fixed argument (the command name is 0).
    Index(usize),
    /// At the argument after a word, searched from `from` (negative: from the end).
    Keyword {
        /// The word, upper case.
        word: &'static str,
        /// Where the search starts.
        from: i32,
    },
    /// No rule tells it; see [`KeySpec::locate`].
    Unknown,
}

/// Which arguments from there on are keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Find {
    /// Every `step`-th argument up to `last` (relative; negative: from the end, then divided by `limit`).
    Range {
        /// Last key relative to the first, or from the end when negative.
        last: i32,
        /// Distance between keys.
        step: usize,
        /// If `last` is -1: look at only the first 1/limit of the remaining arguments (0 and 1: all).
        limit: usize,
    },
    /// An argument holds the number of keys.
    Count {
        /// Where the number is, relative to the beginning.
        at: usize,
        /// The first key, relative to the beginning.
        first: usize,
        /// Distance between keys.
        step: usize,
    },
    /// No rule tells it; see [`KeySpec::locate`].
    Unknown,
}

/// One key specification.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: Begin,
    /// Which arguments are keys.
    pub find: Find,
    /// What is done with them.
    pub access: Access,
    /// A note on the specification, shown by `COMMAND INFO`.
    pub notes: Option<&'static str>,
    /// Finds the key's argument where no rule can tell it; the rules are then unknown.
    pub locate: Option<fn(Request<'_>) -> Option<usize>>,
}

/// One key at argument `index`. Extend with `.to(last, step)` and say the access.
pub const fn key(index: usize) -> KeySpec {
    KeySpec {
        begin: Begin::Index(index),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        access: Access(0),
        notes: None,
        locate: None,
    }
}

/// Keys counted by the argument at `index`, which they follow.
pub const fn numkeys(index: usize) -> KeySpec {
    KeySpec {
        begin: Begin::Index(index),
        find: Find::Count {
            at: 0,
            first: 1,
            step: 1,
        },
        access: Access(0),
        notes: None,
        locate: None,
    }
}

/// One key after `word`.
pub const fn keyword(word: &'static str, from: i32) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword { word, from },
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        access: Access(0),
        notes: None,
        locate: None,
    }
}

/// Keys that no rule tells. Extend with `.located(f)` if the command's own parser finds one.
pub const fn unknown() -> KeySpec {
    KeySpec {
        begin: Begin::Unknown,
        find: Find::Unknown,
        access: Access(0),
        notes: None,
        locate: None,
    }
}

/// The number that `text` begins with, as C's `atoi` reads it: Redis finds keys so behind a count that it will refuse.
#[cold]
fn leading(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|b| b.is_ascii_digit());
    let number = digits.fold(0i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    if negative { -number } else { number }
}

impl KeySpec {
    /// Finds the key by a function.
    pub const fn located(mut self, locate: fn(Request<'_>) -> Option<usize>) -> KeySpec {
        self.locate = Some(locate);
        self
    }

    /// Further keys up to `last` (negative: from the end) at distance `step`.
    pub const fn to(mut self, last: i32, step: usize) -> KeySpec {
        self.find = Find::Range {
            last,
            step,
            limit: 0,
        };
        self
    }

    /// Distance between counted keys.
    pub const fn every(mut self, step: usize) -> KeySpec {
        if let Find::Count { at, first, .. } = self.find {
            self.find = Find::Count { at, first, step };
        }
        self
    }

    /// Only the first 1/limit of the remaining arguments.
    pub const fn limit(mut self, limit: usize) -> KeySpec {
        if let Find::Range { last, step, .. } = self.find {
            self.find = Find::Range { last, step, limit };
        }
        self
    }

    /// What is done with the keys.
    pub const fn access(mut self, access: Access) -> KeySpec {
        self.access = access;
        self
    }

    /// Adds a note.
    pub const fn note(mut self, note: &'static str) -> KeySpec {
        self.notes = Some(note);
        self
    }

    /// Read without returning data (EXISTS, TTL).
    pub const fn ro(self) -> KeySpec {
        self.access(Access::RO)
    }

    /// Read and returned (GET).
    pub const fn read(self) -> KeySpec {
        self.access(Access::RO.with(Access::ACCESS))
    }

    /// Read and changed (INCR).
    pub const fn rw_update(self) -> KeySpec {
        self.access(Access::RW.with(Access::UPDATE))
    }

    /// Overwritten (SETEX).
    pub const fn overwrite(self) -> KeySpec {
        self.access(Access::OW.with(Access::UPDATE))
    }

    /// Overwritten by a result, which removes it if it is empty (SUNIONSTORE).
    pub const fn result(self) -> KeySpec {
        self.access(Access::OW.with(Access::UPDATE).with(Access::UNSEEN))
    }

    /// Removed (DEL).
    pub const fn remove(self) -> KeySpec {
        self.access(Access::RM.with(Access::DELETE))
    }

    /// Whether the keys cannot be told by first, last and step alone.
    pub const fn is_movable(&self) -> bool {
        !matches!(
            (self.begin, self.find),
            (Begin::Index(_), Find::Range { limit: 0 | 1, .. })
        )
    }

    /// Whether an argument holds the number of keys.
    pub(super) const fn is_counted(&self) -> bool {
        matches!(self.find, Find::Count { .. })
    }

    /// Whether the number of keys is one to `atoi` only, such as `2x`.
    pub(super) fn is_counted_loosely(&self, args: Request<'_>) -> bool {
        let Find::Count { at, .. } = self.find else {
            return false;
        };
        let count = self.begin_at(args).and_then(|begin| args.get(begin + at));
        count.is_some_and(|count| ochre_ds::int::parse_i64(count).is_none())
    }

    /// Calls `found` with the argument index of every key.
    ///
    /// # Errors
    /// `InvalidKeys` when a key count is not a number, is below 1, or exceeds the arguments.
    pub fn positions(
        &self,
        args: Request<'_>,
        found: &mut impl FnMut(usize),
    ) -> Result<(), InvalidKeys> {
        if let Some(locate) = self.locate {
            locate(args).into_iter().for_each(found);
            return Ok(());
        }
        let Some(begin) = self.begin_at(args) else {
            return Ok(());
        };
        match self.find {
            Find::Unknown => {}
            Find::Range { last, step, limit } => {
                let last = if last >= 0 {
                    begin + last.unsigned_abs() as usize
                } else if limit > 1 {
                    begin + (args.len() - begin) / limit + (-1 - last).unsigned_abs() as usize - 1
                } else {
                    args.len().saturating_sub(last.unsigned_abs() as usize)
                };
                if last >= args.len() {
                    return Err(InvalidKeys);
                }
                (begin..=last).step_by(step.max(1)).for_each(found);
            }
            Find::Count { at, first, step } => {
                let count = args.get(begin + at).ok_or(InvalidKeys)?;
                let count = ochre_ds::int::parse_i64(count).unwrap_or_else(|| leading(count));
                let count = usize::try_from(count).map_err(|_| InvalidKeys)?;
                // As in Redis, a destination before the count is no key either then.
                if count == 0 {
                    return Err(InvalidKeys);
                }
                let first = begin + first;
                let span = count.checked_mul(step.max(1)).ok_or(InvalidKeys)?;
                if span > args.len().saturating_sub(first) {
                    return Err(InvalidKeys);
                }
                (first..first + span).step_by(step.max(1)).for_each(found);
            }
        }
        Ok(())
    }

    fn begin_at(&self, args: Request<'_>) -> Option<usize> {
        match self.begin {
            Begin::Unknown => None,
            Begin::Index(i) => (i < args.len()).then_some(i),
            Begin::Keyword { word, from } => {
                let start = if from >= 0 {
                    from.unsigned_abs() as usize
                } else {
                    args.len().saturating_sub(from.unsigned_abs() as usize)
                };
                let matches = |i: &usize| {
                    args.get(*i)
                        .is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()))
                };
                let at = if from >= 0 {
                    (start..args.len()).find(matches)
                } else {
                    (1..=start).rev().find(matches)
                };
                at.map(|i| i + 1).filter(|i| *i < args.len())
            }
        }
    }
}

/// The key arguments contradict the declaration; the handler reports what is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidKeys;
