//! What one setting is: the row from which CONFIG, the command line, the file syntax and the
//! reference page derive.
//!
//! Invariants:
//! - A row is plain data, built in a `const`; nothing decides by a setting's name elsewhere.
//! - `default` is written as a configuration file would write it and parses (table test).
//! - Whether a setting takes several words follows from its kind.
//!
//! Does not hold current values (`store`) and does not parse them (`value`).

/// The largest C `int`, which bounds many of Redis's numeric settings.
pub(super) const INT_MAX: i64 = i32::MAX as i64;

/// How a setting's value is written and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A decimal integer within inclusive bounds.
    Int {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// A number of bytes with an optional unit (`b k kb m mb g gb`), within inclusive bounds.
    Memory {
        /// Smallest accepted value, in bytes.
        min: i64,
        /// Largest accepted value, in bytes.
        max: i64,
    },
    /// A number of bytes, or a percentage of `maxmemory` kept as a negative number.
    MemoryOrPercent,
    /// File permission bits in octal, 0 to 777.
    OctalMode,
    /// One word out of a list; the value is the index in it.
    Choice(&'static [&'static str]),
    /// One text, any bytes.
    Text,
    /// Up to `max` words, such as addresses.
    Words {
        /// How many words are accepted.
        max: usize,
    },
    /// Snapshot rules: pairs of seconds and changes.
    SaveRules,
    /// Hard limit, soft limit and soft seconds for each class of client.
    BufferLimits,
    /// Percentiles between 0 and 100.
    Percentiles,
    /// Three scores between -2000 and 2000.
    OomScores,
    /// The one-letter classes of keyspace events.
    EventClasses,
    /// The combination of shutdown modifiers that a signal asks for.
    ShutdownFlags,
    /// Host and port of the primary, or `no one`.
    Primary,
}

impl Kind {
    /// Whether the value may be spread over several words of a line.
    #[must_use]
    pub const fn takes_words(self) -> bool {
        matches!(
            self,
            Kind::Words { .. }
                | Kind::SaveRules
                | Kind::BufferLimits
                | Kind::Percentiles
                | Kind::OomScores
                | Kind::ShutdownFlags
                | Kind::Primary
        )
    }

    /// Whether repeated lines of a configuration file add to each other instead of replacing.
    #[must_use]
    pub const fn accumulates(self) -> bool {
        matches!(self, Kind::SaveRules | Kind::BufferLimits)
    }

    /// Whether the value is one number, readable without a lock.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Kind::Bool
                | Kind::Int { .. }
                | Kind::Memory { .. }
                | Kind::MemoryOrPercent
                | Kind::OctalMode
                | Kind::Choice(_)
                | Kind::EventClasses
                | Kind::ShutdownFlags
        )
    }

    /// Whether the value is kept as bytes.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Kind::Text | Kind::Words { .. } | Kind::Primary)
    }
}

/// Properties that restrict who may see or change a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No restriction.
    pub const NONE: Flags = Flags(0);
    /// Can be given at the start only.
    pub const IMMUTABLE: Flags = Flags(1);
    /// CONFIG SET needs `enable-protected-configs`.
    pub const PROTECTED: Flags = Flags(2);
    /// CONFIG GET answers its exact name only, never a pattern.
    pub const HIDDEN: Flags = Flags(4);
    /// The value is a secret, to be kept out of logs.
    pub const SENSITIVE: Flags = Flags(8);
    /// The value names a file: giving the same value again reads the file again.
    pub const VOLATILE: Flags = Flags(16);

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// What giving a setting does in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has effect.
    Live,
    /// It is accepted and checked so that files for Redis load, but has no meaning here.
    Inert,
    /// It would ask for something that is not there: only the default is accepted.
    Absent {
        /// What is answered to any other value.
        reason: &'static str,
    },
}

/// A condition on a text beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// None.
    Anything,
    /// A file name without directories.
    FileName,
    /// Letters, digits, hyphens and dots.
    HostName,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name, in lower case.
    pub name: &'static str,
    /// An older name for the same setting.
    pub alias: Option<&'static str>,
    /// How the value is written.
    pub kind: Kind,
    /// The value at the start, as a configuration file would write it.
    pub default: &'static str,
    /// Who may see or change it.
    pub flags: Flags,
    /// Whether it has effect.
    pub standing: Standing,
    /// Accepted values outside of this range are moved to its nearer end.
    pub clamp: Option<(i64, i64)>,
    /// A further condition on the text.
    pub check: Check,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// The reason given where a whole feature is not there yet.
pub(super) const NOT_SUPPORTED: &str = "not supported by this version of Ochre";

impl Setting {
    const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Setting {
            name,
            alias: None,
            kind,
            default,
            flags: Flags::NONE,
            standing: Standing::Inert,
            clamp: None,
            check: Check::Anything,
            doc,
        }
    }

    pub(super) const fn live(mut self) -> Self {
        self.standing = Standing::Live;
        self
    }

    pub(super) const fn absent(self) -> Self {
        self.absent_because(NOT_SUPPORTED)
    }

    pub(super) const fn absent_because(mut self, reason: &'static str) -> Self {
        self.standing = Standing::Absent { reason };
        self
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(super) const fn immutable(mut self) -> Self {
        self.flags = self.flags.and(Flags::IMMUTABLE);
        self
    }

    pub(super) const fn protected(mut self) -> Self {
        self.flags = self.flags.and(Flags::PROTECTED);
        self
    }

    pub(super) const fn hidden(mut self) -> Self {
        self.flags = self.flags.and(Flags::HIDDEN);
        self
    }

    pub(super) const fn sensitive(mut self) -> Self {
        self.flags = self.flags.and(Flags::SENSITIVE);
        self
    }

    pub(super) const fn volatile(mut self) -> Self {
        self.flags = self.flags.and(Flags::VOLATILE);
        self
    }

    pub(super) const fn clamp(mut self, min: i64, max: i64) -> Self {
        self.clamp = Some((min, max));
        self
    }

    pub(super) const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Whether `name`, in any case, is this setting's name or alias.
    #[must_use]
    pub fn answers_to(&self, name: &[u8]) -> bool {
        self.name.as_bytes().eq_ignore_ascii_case(name)
            || self
                .alias
                .is_some_and(|alias| alias.as_bytes().eq_ignore_ascii_case(name))
    }
}

pub(super) const fn flag(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, Kind::Bool, default, doc)
}

/// An integer from `min` to `max`.
pub(super) const fn int(
    name: &'static str,
    (min, max): (i64, i64),
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting::new(name, Kind::Int { min, max }, default, doc)
}

/// An integer from 0 to the largest C `int`.
pub(super) const fn count(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
    int(name, (0, INT_MAX), default, doc)
}

/// An integer from 0 to the largest 64-bit one.
pub(super) const fn long(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
    int(name, (0, i64::MAX), default, doc)
}

/// A number of bytes of at least `min`.
pub(super) const fn memory(
    name: &'static str,
    min: i64,
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting::new(name, Kind::Memory { min, max: i64::MAX }, default, doc)
}

/// A TCP port, 0 standing for none.
pub(super) const fn tcp_port(
    name: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Setting {
    int(name, (0, 65_535), default, doc)
}

pub(super) const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting::new(name, Kind::Choice(words), default, doc)
}

pub(super) const fn text(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(name, Kind::Text, default, doc)
}

pub(super) const fn special(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting::new(name, kind, default, doc)
}
