//! The argument grammar of a command: what `COMMAND DOCS` shows and what the fuzz grammar generates.

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgKind {
    /// Any bytes.
    String,
    /// A signed 64-bit integer.
    Integer,
    /// A floating point number.
    Double,
    /// A key name.
    Key,
    /// A glob pattern.
    Pattern,
    /// A point in time in Unix seconds or milliseconds.
    UnixTime,
    /// The token itself.
    Token,
    /// Exactly one of the nested arguments.
    OneOf,
    /// All nested arguments in order.
    Block,
}

impl ArgKind {
    /// The type's name in `COMMAND DOCS`.
    pub const fn name(self) -> &'static str {
        match self {
            ArgKind::String => "string",
            ArgKind::Integer => "integer",
            ArgKind::Double => "double",
            ArgKind::Key => "key",
            ArgKind::Pattern => "pattern",
            ArgKind::UnixTime => "unix-time",
            ArgKind::Token => "pure-token",
            ArgKind::OneOf => "oneof",
            ArgKind::Block => "block",
        }
    }
}

/// One argument of the grammar. Built with the `const` functions below and their modifiers.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Name in the documentation.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// The word that introduces it (or that it is), upper case.
    pub token: Option<&'static str>,
    /// Which key specification it belongs to; set for keys.
    pub key_spec: usize,
    /// May be absent.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token is repeated with every repetition.
    pub multiple_token: bool,
    /// The version that introduced it, if later than the command.
    pub since: Option<&'static str>,
    /// Nested arguments.
    pub args: &'static [Arg],
}

impl Arg {
    const fn new(name: &'static str, kind: ArgKind) -> Arg {
        Arg {
            name,
            kind,
            token: None,
            key_spec: 0,
            optional: false,
            multiple: false,
            multiple_token: false,
            since: None,
            args: &[],
        }
    }

    /// Any bytes.
    pub const fn string(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::String)
    }

    /// A signed integer.
    pub const fn integer(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Integer)
    }

    /// A floating point number.
    pub const fn double(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Double)
    }

    /// A key; `.of_spec(n)` when it is not of the first key specification.
    pub const fn key(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Key)
    }

    /// A glob pattern.
    pub const fn pattern(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Pattern)
    }

    /// A point in time.
    pub const fn unix_time(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::UnixTime)
    }

    /// A fixed word.
    pub const fn word(name: &'static str, token: &'static str) -> Arg {
        Arg::new(name, ArgKind::Token).token(token)
    }

    /// Exactly one of `args`.
    pub const fn one_of(name: &'static str, args: &'static [Arg]) -> Arg {
        let mut a = Arg::new(name, ArgKind::OneOf);
        a.args = args;
        a
    }

    /// All of `args` in order.
    pub const fn block(name: &'static str, args: &'static [Arg]) -> Arg {
        let mut a = Arg::new(name, ArgKind::Block);
        a.args = args;
        a
    }

    /// Introduced by `token`.
    pub const fn token(mut self, token: &'static str) -> Arg {
        self.token = Some(token);
        self
    }

    /// May be absent.
    pub const fn optional(mut self) -> Arg {
        self.optional = true;
        self
    }

    /// May be repeated.
    pub const fn multiple(mut self) -> Arg {
        self.multiple = true;
        self
    }

    /// May be repeated, token included.
    pub const fn multiple_token(mut self) -> Arg {
        self.multiple = true;
        self.multiple_token = true;
        self
    }

    /// Added in `version`.
    pub const fn since(mut self, version: &'static str) -> Arg {
        self.since = Some(version);
        self
    }

    /// Belongs to the key specification at `index`.
    pub const fn of_spec(mut self, index: usize) -> Arg {
        self.key_spec = index;
        self
    }
}
