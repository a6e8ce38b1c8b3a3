//! Random requests from the declared argument grammar: valid ones, and valid ones with damage.
//!
//! A new command takes part as soon as it is declared; nothing here knows one by its behaviour.
//!
//! Invariants:
//! - The same seed, commands and limits give the same requests.
//! - Commands, subcommands and arguments newer than [`Limits::version`] are not generated, in damage neither,
//!   so that a reference of that version can be asked.
//! - Unless [`Limits::near`] is set, no generated expiry falls into the time that a test may take.
//! - Every request has at least its command's name.
//! - No request asks for a random sample of more than [`SAMPLE_MAX`] elements, be there as few as may.
//!
//! Does not decide which requests are fit to be sent to a server; [`crate::differential::rules`] does.

mod collections;
mod mutate;
mod values;

pub use crate::rng::Rng;
pub use values::KEYS;

use ochre_engine::spec::{Access, Arg, ArgKind, Command, Group, Run};

/// Words of the grammar (not those that introduce a value) whose version Redis's own COMMAND DOCS does not tell, and therefore ours does not.
const NEWER_WORDS: &[(&str, &str)] = &[
    ("DIFF", "8.2.0"),
    ("DIFF1", "8.2.0"),
    ("ANDOR", "8.2.0"),
    ("ONE", "8.2.0"),
    ("NOVALUES", "7.4.0"),
    ("WITHSCORE", "7.2.0"),
    ("COUNT", "8.8.0"),
];

/// Elements of a sample that may repeat them: such a reply is as long as the request wants it to be.
pub const SAMPLE_MAX: i64 = 1000;

/// A version of Redis.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// Newer than everything.
    pub const ANY: Version = Version(u16::MAX, 0, 0);

    /// Reads `7.0.15`; missing or odd parts count as 0.
    #[must_use]
    pub fn parse(text: &str) -> Version {
        let mut parts = text.split('.').map(|p| p.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        Version(next(), next(), next())
    }
}

/// What generated requests may contain.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Nothing newer than this is generated.
    pub version: Version,
    /// Percentage of damaged requests.
    pub damaged: u64,
    /// Expiries are within a few seconds of `now_ms`, for tests with a clock of their own.
    pub near: bool,
    /// Unix milliseconds of that clock.
    pub now_ms: i64,
    /// Bytes of the long values among the ordinary ones.
    pub long_value: usize,
    /// Serialised values as DUMP gives them.
    pub payloads: Vec<Vec<u8>>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            version: Version::ANY,
            damaged: 30,
            near: false,
            now_ms: 0,
            long_value: 20_000,
            payloads: Vec::new(),
        }
    }
}

/// A request and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The words, the command's name first.
    pub args: Vec<Vec<u8>>,
    /// Where a valid request has its scan cursor.
    pub cursor: Option<usize>,
}

#[derive(Clone, Copy)]
struct Choice {
    command: &'static Command,
    parent: Option<&'static Command>,
    weight: u64,
}

/// The commands to choose from.
pub struct Grammar {
    focus: Vec<Choice>,
    populate: Vec<Choice>,
    select: bool,
    /// What requests may contain.
    pub limits: Limits,
}

/// Where values come from while one request is drawn.
pub(crate) struct Draw<'a> {
    rng: &'a mut Rng,
    limits: &'a Limits,
    group: Group,
    /// The kind of the argument that is being drawn.
    kind: ArgKind,
    /// Keys that are still to come, by the count drawn before them.
    numkeys: Option<usize>,
    /// Keys that came after such a count.
    counted: Option<usize>,
    /// The last key of the collections' own ones.
    key: Option<&'static [u8]>,
    /// What the bounds drawn so far are, if the command lets one choose.
    range: Option<collections::Range>,
    chooses_range: bool,
    /// The request carries very many elements.
    bulk: bool,
    cursor: Option<usize>,
    args: Vec<Vec<u8>>,
}

impl Grammar {
    /// Requests for the commands of `families` that are in `group` (all without one) and `known`,
    /// mixed with writes of the other groups, so that there are values of all types to meet.
    pub fn new(
        families: &[&'static [Command]],
        group: Option<&str>,
        limits: Limits,
        known: impl Fn(&str) -> bool,
    ) -> Grammar {
        let mut grammar = Grammar {
            focus: Vec::new(),
            populate: Vec::new(),
            select: false,
            limits,
        };
        for command in families.iter().flat_map(|f| f.iter()) {
            if !known(command.name) || Version::parse(command.since) > grammar.limits.version {
                continue;
            }
            grammar.select |= command.name == "select";
            let in_group = group.is_none_or(|g| g == command.group.name());
            for choice in choices(command, grammar.limits.version) {
                if in_group {
                    grammar.focus.push(choice);
                } else if creates(choice.command) {
                    grammar.populate.push(choice);
                }
            }
        }
        grammar
    }

    /// Whether there is nothing to choose from.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.focus.is_empty()
    }

    /// Full names of the commands in focus (`name` or `container|name`).
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.focus.iter().map(|c| match c.parent {
            Some(parent) => format!("{}|{}", parent.name, c.command.name),
            None => c.command.name.to_owned(),
        })
    }

    /// The next request.
    pub fn request(&self, rng: &mut Rng) -> Generated {
        if self.select && rng.chance(1) {
            let db = if rng.chance(50) { "0" } else { "1" };
            return Generated {
                args: vec![b"SELECT".to_vec(), db.into()],
                cursor: None,
            };
        }
        let pool = if !self.populate.is_empty() && rng.chance(25) {
            &self.populate
        } else {
            &self.focus
        };
        let choice = weighted(pool, rng);
        self.fill(choice, rng)
    }

    fn fill(&self, choice: Choice, rng: &mut Rng) -> Generated {
        let mut tokens = Vec::new();
        words(choice.command.args, self.limits.version, &mut tokens);
        let mut draw = Draw {
            rng,
            limits: &self.limits,
            group: choice.command.group,
            kind: ArgKind::Block,
            numkeys: None,
            counted: None,
            key: None,
            range: None,
            chooses_range: tokens.contains(&"BYLEX"),
            bulk: false,
            cursor: None,
            args: Vec::new(),
        };
        for word in choice.parent.iter().chain(Some(&choice.command)) {
            let mut word = word.name.as_bytes().to_vec();
            if draw.rng.chance(50) {
                word.make_ascii_uppercase();
            }
            draw.args.push(word);
        }
        let fixed = draw.args.len();
        draw.all(choice.command.args);
        let (mut args, mut cursor) = (std::mem::take(&mut draw.args), draw.cursor);
        if draw.rng.chance(self.limits.damaged) {
            cursor = None;
            for _ in 0..1 + draw.rng.below(2) {
                mutate::mutate(&mut draw, &mut args, &tokens, fixed);
            }
        }
        if !self.limits.near {
            keep_far(choice.command, &mut args, draw.rng);
        }
        if choice.command.tips.contains(&"nondeterministic_output") {
            keep_small(&mut args);
        }
        Generated { args, cursor }
    }
}

fn weighted(pool: &[Choice], rng: &mut Rng) -> Choice {
    let mut at = rng.below(pool.iter().map(|c| c.weight).sum());
    for choice in pool {
        match at.checked_sub(choice.weight) {
            Some(rest) => at = rest,
            None => return *choice,
        }
    }
    pool[0]
}

/// A command, or its subcommands. Those that touch everything at once are rare, lest the keyspace be always empty.
fn choices(command: &'static Command, newest: Version) -> Vec<Choice> {
    let one = |command: &'static Command, parent, share: u64| Choice {
        command,
        parent,
        weight: share
            * match command.run {
                Run::Cut(_) => 1,
                Run::Sweep(_) => 10,
                _ if command.keys.iter().any(|k| k.access.has(Access::RM)) => 10,
                _ => 20,
            },
    };
    if command.subcommands.is_empty() {
        return vec![one(command, None, 4)];
    }
    let subcommands = command.subcommands.iter();
    subcommands
        .filter(|s| Version::parse(s.since) <= newest)
        .map(|s| one(s, Some(command), 1))
        .collect()
}

/// Whether a command leaves values behind.
fn creates(command: &Command) -> bool {
    let writes = |a: Access| a.has(Access::OW) || a.has(Access::RW) && !a.has(Access::DELETE);
    command.is_write() && command.keys.iter().any(|k| writes(k.access))
}

/// The fixed words of a grammar.
fn words(args: &[Arg], newest: Version, found: &mut Vec<&'static str>) {
    for arg in args.iter().filter(|a| is_old_enough(a, newest)) {
        found.extend(arg.token);
        words(arg.args, newest, found);
    }
}

fn is_old_enough(arg: &Arg, newest: Version) -> bool {
    let is_word = |word| arg.kind == ArgKind::Token && arg.token == Some(word);
    let undocumented = NEWER_WORDS.iter().find(|(word, _)| is_word(*word));
    let since = arg.since.or(undocumented.map(|(_, since)| *since));
    since.is_none_or(|s| Version::parse(s) <= newest)
}

/// Moves numbers that damage has brought to the place of a time out of the near future.
fn keep_far(command: &Command, args: &mut [Vec<u8>], rng: &mut Rng) {
    const WORDS: [&[u8]; 4] = [b"EX", b"PX", b"EXAT", b"PXAT"];
    fn is_bare_time(arg: &Arg) -> bool {
        arg.token.is_none() && values::is_time(arg.name) || arg.args.iter().any(is_bare_time)
    }
    let bare = command.args.iter().any(is_bare_time);
    for i in 1..args.len() {
        let after_word = WORDS.iter().any(|w| args[i - 1].eq_ignore_ascii_case(w));
        let near = ochre_resp::parse_i64(&args[i]).filter(|n| (1..10_000_000).contains(n));
        if let (Some(n), true) = (near, after_word || bare && i > 1) {
            let far = n + (1000 + rng.range(0, 500_000)) * values::SPACING;
            args[i] = far.to_string().into_bytes();
        }
    }
}

/// Brings counts of samples with repetition within [`SAMPLE_MAX`]. The least number of all is refused everywhere.
fn keep_small(args: &mut [Vec<u8>]) {
    for arg in args.iter_mut().skip(1) {
        let large = |n: &i64| *n < -SAMPLE_MAX && *n != i64::MIN;
        if ochre_resp::parse_i64(arg).filter(large).is_some() {
            *arg = (-SAMPLE_MAX).to_string().into_bytes();
        }
    }
}

impl Draw<'_> {
    fn one_of(&mut self, words: &[&str]) -> Vec<u8> {
        self.rng.pick(words).as_bytes().to_vec()
    }

    fn all(&mut self, args: &[Arg]) {
        for arg in args {
            if is_old_enough(arg, self.limits.version) && self.wants(arg) {
                self.arg(arg);
            }
        }
    }

    fn wants(&mut self, arg: &Arg) -> bool {
        match self.range {
            Some(range) if collections::is_range_choice(arg) && self.rng.chance(92) => {
                range != collections::Range::Rank
            }
            _ => !arg.optional || self.rng.chance(35),
        }
    }

    /// How many elements a repeatable argument gets.
    fn repeats(&mut self, arg: &Arg, has_key: bool) -> usize {
        if has_key && let Some(n) = self.numkeys.take() {
            self.counted = Some(n);
            return n;
        }
        if arg.name == "weight"
            && let Some(n) = self.counted
            && self.rng.chance(85)
        {
            return n;
        }
        if collections::is_collection(self.group) && !has_key && self.rng.chance(1) {
            self.bulk = true;
            return 40 + self.rng.index(200);
        }
        if self.rng.chance(60) {
            1
        } else {
            1 + self.rng.index(5)
        }
    }

    fn arg(&mut self, arg: &Arg) {
        let has_key = arg.kind == ArgKind::Key || arg.args.iter().any(|a| a.kind == ArgKind::Key);
        let times = if arg.multiple {
            self.repeats(arg, has_key)
        } else {
            1
        };
        for i in 0..times {
            if let Some(token) = arg.token
                && (i == 0 || arg.multiple_token || arg.kind == ArgKind::Token)
            {
                let mut token = token.as_bytes().to_vec();
                if self.rng.chance(15) {
                    token.make_ascii_lowercase();
                }
                self.args.push(token);
            }
            self.value(arg);
        }
    }

    fn strategy(&self, name: &str) -> Option<values::Strategy> {
        collections::strategy(self.group, name).or_else(|| values::strategy(name))
    }

    fn value(&mut self, arg: &Arg) {
        self.kind = arg.kind;
        let value = match arg.kind {
            ArgKind::Token => return,
            ArgKind::Block => return self.all(arg.args),
            ArgKind::OneOf => {
                let newest = self.limits.version;
                let options: Vec<&Arg> = arg
                    .args
                    .iter()
                    .filter(|a| is_old_enough(a, newest))
                    .collect();
                let options = collections::fitting(self, options);
                if !options.is_empty() {
                    let chosen = *self.rng.pick(&options);
                    self.arg(chosen);
                }
                return;
            }
            ArgKind::Key => values::key(self),
            _ if arg.name == "numkeys" => {
                let count = 1 + self.rng.index(4);
                self.numkeys = Some(count);
                count.to_string().into_bytes()
            }
            _ => match (self.strategy(arg.name), arg.kind) {
                (Some(strategy), _) => {
                    if arg.name == "cursor" {
                        self.cursor = Some(self.args.len());
                    }
                    strategy(self)
                }
                (None, ArgKind::Integer) => values::integer(self),
                (None, ArgKind::Double) => values::double(self),
                (None, ArgKind::Pattern) => values::pattern(self),
                (None, ArgKind::UnixTime) => {
                    let unix = values::strategy("unix-time-seconds");
                    unix.map_or_else(Vec::new, |draw| draw(self))
                }
                _ => values::value(self),
            },
        };
        self.args.push(value);
    }
}

#[cfg(test)]
mod tests;
