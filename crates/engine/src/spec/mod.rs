//! The vocabulary in which commands are declared: plain data, no behaviour beyond derivation.
//!
//! A command is one `const` of [`Command`] beside its handler.
//! Everything else about it is derived from that constant: lookup, arity checks, key positions,
//! the lock plan, `COMMAND *` replies, ACL categories, statistics and the fuzz grammar.
//!
//! Invariants
//! - Every field is load-bearing: a wrong key specification locks the wrong stripe and the handler is refused its key.
//! - `write` and `readonly` are never declared: they are the variant of [`Run`].
//! - Nobody decides by a command's name; a missing property becomes a field here.

mod arg;
mod category;
mod channels;
mod flags;
mod help;
mod keys;

pub use arg::{Arg, ArgKind};
pub use category::Categories;
pub use channels::Channels;
pub use flags::Flags;
pub use help::help;
pub use keys::{Access, Begin, Find, InvalidKeys, KeySpec, key, keyword, numkeys, unknown};

use crate::error::CommandError;
use crate::exec::{CutCx, Engine, ReadCx, SessionCx, SweepCx, UnitCx, WriteCx};
use ochre_resp::Request;

/// What every handler returns: the reply is written through the context, an error replaces it.
pub type Outcome = Result<(), CommandError>;

/// Finds a key that lies in another database: its argument and the database's index.
pub type Elsewhere = fn(Request<'_>) -> Option<(usize, usize)>;

/// How a command runs, which is also what it may touch.
#[derive(Clone, Copy)]
pub enum Run {
    /// Reads its declared keys; gets nothing mutable.
    Read(fn(&mut ReadCx<'_>, Request<'_>) -> Outcome),
    /// Reads and changes its declared keys.
    Write(fn(&mut WriteCx<'_>, Request<'_>) -> Outcome),
    /// Touches no key: connection state, settings, statistics, introspection.
    Session(fn(&mut SessionCx<'_>, Request<'_>) -> Outcome),
    /// Visits a whole database, stripe after stripe, holding one at a time.
    Sweep(fn(&mut SweepCx<'_>, Request<'_>) -> Outcome),
    /// Takes every stripe, does work in proportion to their number, and lets go.
    Cut(fn(&mut CutCx<'_, '_>, Request<'_>) -> Outcome),
    /// Runs other requests, with stripes held from the first to the last.
    Unit(fn(&mut UnitCx<'_, '_>, Request<'_>) -> Outcome),
    /// Has subcommands only.
    Container,
}

/// The group a command is listed under, as `COMMAND DOCS` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Whole and partial string values.
    String,
    /// Bits of strings.
    Bitmap,
    /// Keys of any type.
    Generic,
    /// The client's connection.
    Connection,
    /// The server itself.
    Server,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Hashes.
    Hash,
    /// Sorted sets.
    SortedSet,
    /// Publish/subscribe.
    PubSub,
    /// Several commands as one.
    Transactions,
    /// Scripts and functions.
    Scripting,
}

impl Group {
    /// The name in `COMMAND DOCS`.
    pub const fn name(self) -> &'static str {
        match self {
            Group::String => "string",
            Group::Bitmap => "bitmap",
            Group::Generic => "generic",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::List => "list",
            Group::Set => "set",
            Group::Hash => "hash",
            Group::SortedSet => "sorted-set",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Scripting => "scripting",
        }
    }
}

/// Since when a command is discouraged and what to use instead.
#[derive(Clone, Copy, Debug)]
pub struct Deprecation {
    /// First version that discouraged it.
    pub since: &'static str,
    /// What to use instead, in our own words.
    pub instead: &'static str,
}

/// The declaration of one command or subcommand.
#[derive(Clone, Copy)]
pub struct Command {
    /// Lower-case name; a subcommand's own word only.
    pub name: &'static str,
    /// One sentence in our own words.
    pub summary: &'static str,
    /// The Redis version that introduced it.
    pub since: &'static str,
    /// The group it is listed under.
    pub group: Group,
    /// Cost, as in `COMMAND DOCS`.
    pub complexity: &'static str,
    /// Argument count including the name; negative means "at least".
    pub arity: i16,
    /// Flags beyond `write`/`readonly`, which follow from `run`.
    pub flags: Flags,
    /// ACL categories beyond those implied by flags and `run`.
    pub categories: Categories,
    /// Where the keys are.
    pub keys: &'static [KeySpec],
    /// What a request does with its keys, where their specification says that it varies.
    pub variable: Option<fn(Request<'_>) -> Access>,
    /// A key that lies in another database: (argument, database), if the request names one.
    pub elsewhere: Option<Elsewhere>,
    /// Whether a request reads keys that only the data name (patterns of SORT): it then runs with every stripe of its
    /// database held, and only then may it ask for keys that it does not declare.
    pub wide: Option<fn(Request<'_>) -> bool>,
    /// The database that a request selects for those after it, where a transaction is planned.
    pub selects: Option<fn(Request<'_>) -> Option<usize>>,
    /// The error for a request that reads keys which it does not name, where it may be made only by somebody who may read
    /// every key; `None` for a request that reads none, or is wrong anyway.
    pub beyond: Option<fn(Request<'_>) -> Option<CommandError>>,
    /// Where channels are.
    pub channels: Channels,
    /// The argument that names an element of the key's collection, 0 for none: in a pipeline on one key its
    /// memory is asked for ahead.
    pub element: usize,
    /// The type (as TYPE names it) that a blocking command waits for: who changes one of its keys to it runs the request again.
    pub awaits: Option<&'static str>,
    /// The arguments of a request that nobody else may see, by their positions in ascending order: MONITOR and the slow log
    /// hide them.
    pub secret: Option<fn(Request<'_>) -> Vec<usize>>,
    /// Leaves what CLIENT CACHING said to the command after it.
    pub keeps_caching: bool,
    /// The argument grammar: documentation, hints and the fuzz grammar.
    pub args: &'static [Arg],
    /// What changed since its introduction: (version, change).
    pub history: &'static [(&'static str, &'static str)],
    /// Tips for clients and proxies, as `COMMAND INFO` lists them.
    pub tips: &'static [&'static str],
    /// Set when the command is discouraged.
    pub deprecated: Option<Deprecation>,
    /// Whether a request may write, where [`Flags::WITH_WRITES`] holds for some only (a script that says that it does not).
    pub writes: Option<fn(&Engine, Request<'_>) -> bool>,
    /// Subcommands; each `name` is the second word.
    pub subcommands: &'static [Command],
    /// The handler.
    pub run: Run,
}

impl Command {
    /// Defaults for `..Command::NEW`. Name, arity and run have no sensible default and must be given.
    pub const NEW: Command = Command {
        name: "",
        summary: "",
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        arity: 0,
        flags: Flags::NONE,
        categories: Categories::NONE,
        keys: &[],
        variable: None,
        elsewhere: None,
        wide: None,
        selects: None,
        beyond: None,
        channels: Channels::None,
        element: 0,
        awaits: None,
        secret: None,
        keeps_caching: false,
        args: &[],
        history: &[],
        tips: &[],
        deprecated: None,
        writes: None,
        subcommands: &[],
        run: Run::Container,
    };

    /// The arguments of a request as others may see them.
    pub(crate) fn shown<'r>(&self, request: Request<'r>) -> impl Iterator<Item = &'r [u8]> {
        let secret = self.secret.map(|secret| secret(request));
        let mut secret = secret.unwrap_or_default().into_iter().peekable();
        request.iter().enumerate().map(move |(at, arg)| {
            if secret.next_if_eq(&at).is_some() {
                b"(redacted)"
            } else {
                arg
            }
        })
    }

    /// Whether the handler may change keys.
    pub const fn is_write(&self) -> bool {
        matches!(self.run, Run::Write(_))
            || (matches!(self.run, Run::Cut(_)) && !self.flags.has(Flags::ADMIN_CUT))
    }

    /// Whether `count` arguments (name included) satisfy the declared arity.
    pub const fn accepts(&self, count: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 {
            count == arity
        } else {
            count >= arity
        }
    }

    /// Where the only key of a request stands, if the declaration alone tells that.
    #[inline]
    pub(crate) fn only_key(&self) -> Option<(usize, Access)> {
        match self.keys {
            [spec] if self.elsewhere.is_none() && self.wide.is_none() => {
                match (spec.begin, spec.find) {
                    (Begin::Index(at), Find::Range { last: 0, .. }) => {
                        (!spec.access.has(Access::NOT_KEY)).then_some((at, spec.access))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Where the first key of a request stands if an argument tells how many there are, and that argument.
    #[inline]
    pub(crate) fn first_counted(&self) -> Option<(usize, usize)> {
        match self.keys {
            [
                KeySpec {
                    begin: Begin::Index(begin),
                    find: Find::Count { at, first, .. },
                    ..
                },
            ] => Some((begin + first, begin + at)),
            _ => None,
        }
    }

    /// Calls `found` with the argument index of every key of a request and with what is done with it.
    ///
    /// # Errors
    /// [`InvalidKeys`] when the arguments contradict the specifications; what was found before does not count then.
    pub fn each_key(
        &self,
        request: Request<'_>,
        found: &mut impl FnMut(usize, Access),
    ) -> Result<(), InvalidKeys> {
        if self
            .keys
            .iter()
            .any(|spec| spec.is_counted_loosely(request))
        {
            return self.each_loose_key(request, found);
        }
        let variable = self.variable.map(|access| access(request));
        self.keys.iter().try_for_each(|spec| {
            let access = variable.unwrap_or(spec.access);
            spec.positions(request, &mut |at| found(at, access))
        })
    }

    /// Behind a count that is no number, which the handler will refuse, Redis does not go by the specifications: it takes
    /// what is counted first, and knows of no access.
    #[cold]
    fn each_loose_key(
        &self,
        request: Request<'_>,
        found: &mut impl FnMut(usize, Access),
    ) -> Result<(), InvalidKeys> {
        let (counted, others): (Vec<_>, Vec<_>) =
            self.keys.iter().partition(|spec| spec.is_counted());
        counted
            .into_iter()
            .chain(others)
            .try_for_each(|spec: &KeySpec| {
                spec.positions(request, &mut |at| found(at, Access::UNKNOWN))
            })
    }

    /// Declared and implied flags together, as `COMMAND INFO` reports them.
    pub const fn all_flags(&self) -> Flags {
        let mut flags = self.flags;
        match self.run {
            Run::Write(_) => flags = flags.with(Flags::WRITE),
            Run::Read(_) | Run::Sweep(_) => flags = flags.with(Flags::READONLY),
            Run::Cut(_) if !flags.has(Flags::ADMIN_CUT) => flags = flags.with(Flags::WRITE),
            _ => {}
        }
        let mut i = 0;
        while i < self.keys.len() {
            if self.keys[i].is_movable() {
                flags = flags.with(Flags::MOVABLE_KEYS);
            }
            i += 1;
        }
        flags
    }

    /// Declared and implied ACL categories together.
    ///
    /// The implications are those that Redis documents: a write command is `@write`, a command with
    /// the admin flag is `@admin` and `@dangerous`, and every command is either `@fast` or `@slow`.
    pub const fn all_categories(&self) -> Categories {
        let flags = self.all_flags();
        let mut c = self.categories;
        if flags.has(Flags::WRITE) {
            c = c.with(Categories::WRITE);
        }
        if flags.has(Flags::READONLY) && !self.categories.has(Categories::SCRIPTING) {
            c = c.with(Categories::READ);
        }
        if flags.has(Flags::ADMIN) {
            c = c.with(Categories::ADMIN).with(Categories::DANGEROUS);
        }
        if flags.has(Flags::PUBSUB) {
            c = c.with(Categories::PUBSUB);
        }
        if flags.has(Flags::BLOCKING) {
            c = c.with(Categories::BLOCKING);
        }
        c.with(if flags.has(Flags::FAST) {
            Categories::FAST
        } else {
            Categories::SLOW
        })
    }
}
