//! The current values of all settings: typed reading, CONFIG GET, CONFIG SET.
//!
//! Invariants:
//! - `values` has one entry per row of the table, of the shape that the row's kind has.
//! - `numbers` and `limits` mirror `values`; they are written under the lock of `values` only.
//! - A change is all or nothing: parsing everything and the hook come before any value changes.
//!
//! Does not act on changes: the server's [`Apply`] does. Reading a number costs one relaxed load;
//! reading anything else, a read lock and a reference count.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::file::UserLine;
use super::id::{Choice, Decimals, ENABLE_PROTECTED_CONFIGS, Flag, Int, Numbers, Text};
use super::rows::{TABLE, find, row};
use super::setting::{Flags, Kind, Setting, Standing};
use super::value::{self, Value};
use crate::error::printed;

/// One setting that CONFIG SET is about to change.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The row.
    pub setting: &'static Setting,
    /// The value so far.
    pub old: Value,
    /// The value to come.
    pub new: Value,
}

/// Why the server cannot carry out a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The setting to blame, if it is one.
    pub setting: Option<&'static str>,
    /// What is wrong, for the client.
    pub reason: String,
}

/// Carries changes out: rebinds listeners, changes the log level, and so on.
pub trait Apply {
    /// Called once for each CONFIG SET that changes a value, while [`Settings`] still shows the
    /// old values. After an error nothing is changed, so the hook has to leave things as they were.
    ///
    /// # Errors
    /// When a change cannot be carried out, such as a port that cannot be bound.
    fn apply(&self, changed: &[Changed]) -> Result<(), Refusal>;
}

/// Who asks for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A connection from this machine.
    Local,
    /// Any other connection.
    Remote,
}

/// Why CONFIG SET changed nothing. Displays as Redis's error reply, including `ERR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// No setting has this name.
    Unknown(Vec<u8>),
    /// The named argument is to blame, for the given reason.
    Argument(Vec<u8>, String),
    /// The hook blamed no single setting.
    Refused(String),
}

impl SetError {
    /// The error reply without its leading `-`. Bytes of the client are kept as they are.
    #[must_use]
    pub fn to_reply(&self) -> Vec<u8> {
        match self {
            SetError::Unknown(name) => {
                let start = b"ERR Unknown option or number of arguments for CONFIG SET - '";
                [start.as_slice(), printed(name), b"'"].concat()
            }
            SetError::Argument(name, reason) => {
                let start = b"ERR CONFIG SET failed (possibly related to argument '";
                [start.as_slice(), printed(name), b"') - ", reason.as_bytes()].concat()
            }
            SetError::Refused(reason) => format!("ERR CONFIG SET failed - {reason}").into_bytes(),
        }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&String::from_utf8_lossy(&self.to_reply()))
    }
}

impl std::error::Error for SetError {}

/// A class of clients with an output buffer limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    /// Clients that send requests, and monitors.
    Normal,
    /// Replicas.
    Replica,
    /// Subscribers.
    PubSub,
}

/// The output buffer limit of one class; 0 means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimit {
    /// Bytes at which a client is disconnected at once.
    pub hard_bytes: u64,
    /// Bytes above which a client may stay for `soft_seconds`.
    pub soft_bytes: u64,
    /// Seconds for which a client may stay above `soft_bytes`.
    pub soft_seconds: u64,
}

impl BufferLimit {
    /// Whether a client that `bytes` wait for at `now_ms` (Unix milliseconds) is to be disconnected.
    /// `soft_since_ms` keeps since when it has been above the soft limit, from one call to the next.
    pub fn is_exceeded(&self, bytes: u64, soft_since_ms: &mut Option<i64>, now_ms: i64) -> bool {
        let hard = self.hard_bytes > 0 && bytes >= self.hard_bytes;
        if self.soft_bytes == 0 || bytes < self.soft_bytes {
            *soft_since_ms = None;
            return hard;
        }
        let since = *soft_since_ms.get_or_insert(now_ms);
        let patience_ms = i64::try_from(self.soft_seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        hard || now_ms - since > patience_ms
    }
}

/// The current values of all settings.
#[derive(Debug)]
pub struct Settings {
    numbers: Box<[AtomicI64]>,
    limits: [AtomicI64; 9],
    generation: AtomicU64,
    /// Guards: the values. Order: after `change`. Never held across: the hook.
    values: RwLock<Vec<Value>>,
    /// Guards: nothing but the order of changes. Order: first. Held across the hook, so that two
    /// changes cannot cross.
    change: Mutex<()>,
    /// Guards: users that files declare. Order: last.
    users: Mutex<Vec<UserLine>>,
    /// Guards: rows that a file or the command line gave a value. Order: last.
    given: Mutex<BTreeSet<usize>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings::new()
    }
}

impl Settings {
    /// All settings at their defaults.
    #[must_use]
    pub fn new() -> Self {
        let values: Vec<Value> = TABLE.iter().map(default_of).collect();
        let settings = Settings {
            numbers: values.iter().map(|_| AtomicI64::new(0)).collect(),
            limits: Default::default(),
            generation: AtomicU64::new(0),
            values: RwLock::new(Vec::new()),
            change: Mutex::new(()),
            users: Mutex::default(),
            given: Mutex::new(BTreeSet::new()),
        };
        for (row, value) in values.iter().enumerate() {
            settings.mirror(row, value);
        }
        *settings.values.write() = values;
        settings
    }

    /// The current number.
    #[must_use]
    pub fn int(&self, id: Int) -> i64 {
        self.numbers[id.0].load(Ordering::Relaxed)
    }

    /// The current number where it cannot be negative; a negative one reads as 0.
    #[must_use]
    pub fn size(&self, id: Int) -> u64 {
        u64::try_from(self.int(id)).unwrap_or(0)
    }

    /// The current boolean.
    #[must_use]
    pub fn flag(&self, id: Flag) -> bool {
        self.numbers[id.0].load(Ordering::Relaxed) != 0
    }

    /// The current choice, by its word in the table.
    #[must_use]
    pub fn choice(&self, id: Choice) -> &'static str {
        match TABLE[id.0].kind {
            Kind::Choice(words) => words
                .get(self.choice_index(id))
                .copied()
                .unwrap_or_default(),
            _ => "",
        }
    }

    /// The current choice, by its position in the table's list of words.
    #[must_use]
    pub fn choice_index(&self, id: Choice) -> usize {
        usize::try_from(self.numbers[id.0].load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// The current text.
    #[must_use]
    pub fn text(&self, id: Text) -> Arc<[u8]> {
        match &self.values.read()[id.0] {
            Value::Text(text) => Arc::clone(text),
            _ => Arc::new([]),
        }
    }

    /// The current words; bytes that are not UTF-8 read as replacement characters.
    #[must_use]
    pub fn words(&self, id: Text) -> Vec<String> {
        let text = self.text(id);
        let words = text
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty());
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    }

    /// The current list of integers.
    #[must_use]
    pub fn numbers(&self, id: Numbers) -> Arc<[i64]> {
        match &self.values.read()[id.0] {
            Value::Numbers(numbers) => Arc::clone(numbers),
            _ => Arc::new([]),
        }
    }

    /// The current list of percentiles.
    #[must_use]
    pub fn decimals(&self, id: Decimals) -> Arc<[f64]> {
        match &self.values.read()[id.0] {
            Value::Decimals(decimals) => Arc::clone(decimals),
            _ => Arc::new([]),
        }
    }

    /// The current output buffer limit of `class`: three relaxed loads. While it is being changed,
    /// old and new parts may mix.
    #[must_use]
    pub fn buffer_limit(&self, class: ClientClass) -> BufferLimit {
        let first = match class {
            ClientClass::Normal => 0,
            ClientClass::Replica => 3,
            ClientClass::PubSub => 6,
        };
        let at = |index: usize| u64::try_from(self.limits[index].load(Ordering::Relaxed));
        BufferLimit {
            hard_bytes: at(first).unwrap_or(0),
            soft_bytes: at(first + 1).unwrap_or(0),
            soft_seconds: at(first + 2).unwrap_or(0),
        }
    }

    /// A number that grows with every change, for readers that keep derived values.
    #[must_use]
    pub fn generation(&self) -> u64 {
        // Pairs with the release in `commit`: who sees the number sees the values.
        self.generation.load(Ordering::Acquire)
    }

    /// Answers CONFIG GET: names as asked for, or as the pattern matched them, with their values.
    /// `matches(pattern, name)` is a glob matcher that ignores case.
    #[must_use]
    pub fn get(
        &self,
        patterns: &[&[u8]],
        matches: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let values = self.values.read();
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for pattern in patterns {
            let exact = !pattern
                .iter()
                .any(|byte| matches!(byte, b'*' | b'?' | b'['));
            for (row, (setting, value)) in TABLE.iter().zip(values.iter()).enumerate() {
                let names = [Some(setting.name), setting.alias];
                for (which, name) in names.into_iter().flatten().enumerate() {
                    let name = name.as_bytes();
                    // compat: an exact name is answered as it was spelled.
                    let shown = if exact { pattern } else { name };
                    let fits = if exact {
                        name.eq_ignore_ascii_case(pattern)
                    } else {
                        !setting.flags.has(Flags::HIDDEN) && matches(pattern, name)
                    };
                    if fits && seen.insert((row, which)) {
                        found.push((shown.to_vec(), value::show(setting, value)));
                    }
                }
            }
        }
        found
    }

    /// Carries out CONFIG SET: all of `pairs` or none. The answer lists what differs from before,
    /// and what has to be read again.
    ///
    /// # Errors
    /// With Redis's text for the first pair that is unknown, fixed, protected, repeated or invalid,
    /// or with what the hook refused.
    pub fn set(
        &self,
        pairs: &[(&[u8], &[u8])],
        origin: Origin,
        hook: &dyn Apply,
    ) -> Result<Vec<Changed>, SetError> {
        let _one_at_a_time = self.change.lock();
        let rows = self.check_names(pairs, origin)?;
        let mut changes: Vec<(usize, Changed)> = Vec::new();
        for ((name, text), row) in pairs.iter().zip(rows) {
            let setting = &TABLE[row];
            let old = self.values.read()[row].clone();
            // A name and its alias in one command: the later one builds on the earlier.
            let earlier = changes.iter().position(|(changed, _)| *changed == row);
            let base = earlier.map_or(&old, |at| &changes[at].1.new);
            let new = value::parse(setting, &[text], base)
                // compat: a value that does not parse is blamed on the setting as it is declared.
                .map_err(|reason| SetError::Argument(name.to_ascii_lowercase(), reason))?;
            match earlier {
                Some(at) => changes[at].1.new = new,
                None => changes.push((row, Changed { setting, old, new })),
            }
        }
        changes.retain(|(_, changed)| {
            changed.old != changed.new || changed.setting.flags.has(Flags::VOLATILE)
        });
        let (rows, changed): (Vec<usize>, Vec<Changed>) = changes.into_iter().unzip();
        if changed.is_empty() {
            return Ok(changed);
        }
        hook.apply(&changed)
            .map_err(|refusal| match refusal.setting {
                Some(name) => SetError::Argument(as_asked(pairs, name), refusal.reason),
                None => SetError::Refused(refusal.reason),
            })?;
        self.commit(
            rows.into_iter()
                .zip(changed.iter().map(|changed| changed.new.clone())),
        );
        Ok(changed)
    }

    fn check_names(
        &self,
        pairs: &[(&[u8], &[u8])],
        origin: Origin,
    ) -> Result<Vec<usize>, SetError> {
        let mut rows = Vec::with_capacity(pairs.len());
        let mut names = BTreeSet::new();
        for (name, _) in pairs {
            let row = find(name).ok_or_else(|| SetError::Unknown(name.to_vec()))?;
            let flags = TABLE[row].flags;
            let blame = |reason: &str| SetError::Argument(name.to_vec(), reason.to_owned());
            if flags.has(Flags::IMMUTABLE) {
                return Err(blame("can't set immutable config"));
            }
            if flags.has(Flags::PROTECTED) && !self.may_change_protected(origin) {
                return Err(blame("can't set protected config"));
            }
            // compat: a name and its alias are not taken for duplicates of each other.
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(blame("duplicate parameter"));
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn may_change_protected(&self, origin: Origin) -> bool {
        match self.choice(ENABLE_PROTECTED_CONFIGS) {
            "yes" => true,
            "local" => origin == Origin::Local,
            _ => false,
        }
    }

    /// The settings as they will be once `changed` is in force: what [`Apply::apply`] prepares for.
    #[must_use]
    pub fn preview(&self, changed: &[Changed]) -> Settings {
        let preview = Settings::new();
        let values = self.values.read().clone();
        preview.commit(values.into_iter().enumerate());
        let news = changed.iter().map(|c| (row(c.setting.name), c.new.clone()));
        preview.commit(news);
        preview
    }

    /// Sets a value that the server itself determines, such as the working directory or a
    /// `maxclients` lowered to what the system allows. No flag is checked and no hook is called.
    ///
    /// # Errors
    /// When no setting has the name or the value does not parse.
    pub fn preset(&self, name: &str, text: &[u8]) -> Result<(), SetError> {
        let _one_at_a_time = self.change.lock();
        let row = find(name.as_bytes()).ok_or_else(|| SetError::Unknown(name.into()))?;
        let current = self.values.read()[row].clone();
        let value = value::parse(&TABLE[row], &[text], &current)
            .map_err(|reason| SetError::Argument(name.into(), reason))?;
        self.commit([(row, value)]);
        Ok(())
    }

    /// The inert settings that a file or the command line gave a value other than the default, to
    /// be named once in the log.
    #[must_use]
    pub fn inert_given(&self) -> Vec<&'static str> {
        let values = self.values.read();
        let given = self.given.lock();
        let rows = given.iter().map(|row| (&TABLE[*row], &values[*row]));
        rows.filter(|(setting, value)| {
            setting.standing == Standing::Inert && **value != default_of(setting)
        })
        .map(|(setting, _)| setting.name)
        .collect()
    }

    /// Gives `row` the value that a line of a file holds, on top of what earlier lines gave it.
    pub(super) fn assign(&self, row: usize, words: &[&[u8]]) -> Result<(), String> {
        let setting = &TABLE[row];
        let _one_at_a_time = self.change.lock();
        let current = self.values.read()[row].clone();
        let again = !self.given.lock().insert(row);
        let value = fold(setting, words, &current, again)?;
        self.commit([(row, value)]);
        Ok(())
    }

    /// Keeps a line that declares a user.
    pub(super) fn declare_user(&self, mut line: UserLine) {
        let mut users = self.users.lock();
        line.again = users.iter().any(|known| known.name == line.name);
        users.push(line);
    }

    /// The lines of files that declare users, in their order.
    pub(crate) fn user_lines(&self) -> Vec<UserLine> {
        self.users.lock().clone()
    }

    /// The value of `row`.
    pub(super) fn value(&self, row: usize) -> Value {
        self.values.read()[row].clone()
    }

    fn commit(&self, changes: impl IntoIterator<Item = (usize, Value)>) {
        let mut values = self.values.write();
        for (row, value) in changes {
            self.mirror(row, &value);
            values[row] = value;
        }
        // Pairs with the acquire in `generation`.
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn mirror(&self, row: usize, value: &Value) {
        match value {
            Value::Number(number) => self.numbers[row].store(*number, Ordering::Relaxed),
            Value::Numbers(numbers) if TABLE[row].kind == Kind::BufferLimits => {
                for (limit, number) in self.limits.iter().zip(numbers.iter()) {
                    limit.store(*number, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }
}

fn as_asked(pairs: &[(&[u8], &[u8])], name: &'static str) -> Vec<u8> {
    let row = find(name.as_bytes());
    let asked = pairs.iter().find(|(asked, _)| find(asked) == row);
    asked.map_or_else(|| name.into(), |(asked, _)| asked.to_vec())
}

/// The value of a line on top of `current`: save rules of a later line (`again`) add to those of
/// the earlier ones, while the first line replaces the defaults.
pub(super) fn fold(
    setting: &Setting,
    words: &[&[u8]],
    current: &Value,
    again: bool,
) -> Result<Value, String> {
    let value = value::parse(setting, words, current)?;
    Ok(match (setting.kind, &value, current) {
        (Kind::SaveRules, Value::Numbers(new), Value::Numbers(old)) if again && !new.is_empty() => {
            Value::Numbers(old.iter().chain(new.iter()).copied().collect())
        }
        _ => value,
    })
}

/// The default of `setting`.
///
/// # Panics
/// Never: that every default parses is a table test.
pub(super) fn default_of(setting: &Setting) -> Value {
    let blank = match setting.kind {
        Kind::BufferLimits => Value::Numbers(Arc::new([0; 9])),
        _ => Value::Number(0),
    };
    let bare = Setting {
        standing: Standing::Live,
        ..*setting
    };
    value::parse(&bare, &[setting.default.as_bytes()], &blank)
        .expect("every default parses: see the table tests")
}

/// The setting named `name`, if there is one; the alias counts.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<&'static Setting> {
    find(name).map(|row| &TABLE[row])
}

const _: () = assert!(matches!(
    TABLE[row("client-output-buffer-limit")].kind,
    Kind::BufferLimits
));
