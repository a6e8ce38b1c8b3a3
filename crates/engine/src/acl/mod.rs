//! Access control: who may run which commands on which keys and channels.
//!
//! | module | does |
//! |---|---|
//! | `selector` | one set of permissions, and the words that change it |
//! | `ordered` | what was said, in its order |
//! | `rules` | one user: passwords, state, selectors |
//! | `check` | decides about a request |
//! | `log` | ACL LOG |
//! | `load` | users in the `aclfile` and in the settings file |
//! | `session` | what a change means for open connections |
//!
//! Invariants
//! - The user `default` always exists. A user keeps its identity while it has its name; a deleted one is `gone` for good.
//! - Rules are immutable behind an `Arc`: a change makes new ones, and raises the version afterwards.
//! - A session sees a change at its next batch: what was read before the change was answered may come before it.
//!
//! Cost: a session of a user who may do everything tests one flag of its own per request, and compares versions once per
//! batch. Other users cost a bit of a bitmap by the command's dense index; keys and channels only where not all are permitted.
//!
//! Does not read or write files (`ports`), and does not know how commands spell replies.

mod check;
mod load;
mod log;
mod ordered;
mod rules;
mod selector;
mod session;
#[cfg(test)]
mod tests;

pub use check::Denied;
pub use log::Context;
pub(crate) use log::LogEntry;
pub use rules::Rules;
pub(crate) use rules::{Frame, hex};
pub(crate) use session::may_listen;

use crate::error::{CommandError, printed};
use crate::exec::Lookup;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A pattern or name in a rule; both ends of an [`ordered::Ordered`] share it.
type Name = Arc<[u8]>;

/// The user that connections begin as.
pub const DEFAULT_USER: &[u8] = b"default";

/// A user. Holders of an `Arc` see changes of its rules.
pub struct User {
    name: Box<[u8]>,
    /// Guards: the rules in force. Order: last.
    rules: Mutex<Arc<Rules>>,
    gone: AtomicBool,
}

impl User {
    fn new(name: &[u8], rules: Arc<Rules>) -> Arc<User> {
        Arc::new(User {
            name: name.into(),
            rules: Mutex::new(rules),
            gone: AtomicBool::new(false),
        })
    }

    /// The name: bytes without spaces.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.lock().clone()
    }

    /// Whether the user was deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// Why a word of a rule is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// No such command or category.
    Unknown,
    Syntax,
    AfterAllKeys,
    AfterAllChannels,
    NoSuchPassword,
    BadHash,
    FirstArgOfSubcommand,
}

impl Reason {
    /// Redis's text.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Reason::Unknown => "Unknown command or category name in ACL",
            Reason::Syntax => "Syntax error",
            Reason::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Reason::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Reason::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Reason::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            Reason::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// Joins the words between parentheses into one word each: `(+get`, `~x)` becomes `(+get ~x)`.
///
/// # Errors
/// The word with a parenthesis that is never closed.
pub(crate) fn merge_selectors<'a>(
    words: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open = None;
    for word in words {
        match (open, merged.last_mut()) {
            (Some(_), Some(selector)) => {
                selector.push(b' ');
                selector.extend_from_slice(word);
                if word.ends_with(b")") {
                    open = None;
                }
            }
            _ => {
                if word.starts_with(b"(") && !word.ends_with(b")") {
                    open = Some(word);
                }
                merged.push(word.to_vec());
            }
        }
    }
    open.map_or(Ok(merged), Err)
}

/// The users, and what was refused to them.
pub struct Acl {
    /// Guards: who exists; held while rules are changed, so that changes do not cross. Order: before `pubsub`'s locks.
    users: Mutex<BTreeMap<Vec<u8>, Arc<User>>>,
    default: Arc<User>,
    /// Raised after every change of anybody's rules.
    version: AtomicU64,
    /// Whether connections begin unauthenticated.
    closed: AtomicBool,
    log: Mutex<log::Log>,
    /// The `requirepass` that the default user was last given.
    required: Mutex<Arc<[u8]>>,
}

impl Acl {
    /// Only the default user, who may do everything.
    pub(crate) fn new(lookup: &Lookup) -> Acl {
        let default = User::new(DEFAULT_USER, Arc::new(Rules::pristine(lookup)));
        Acl {
            users: Mutex::new(BTreeMap::from([(DEFAULT_USER.to_vec(), default.clone())])),
            default,
            version: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            log: Mutex::default(),
            required: Mutex::new(Arc::new([])),
        }
    }

    /// A number that grows with every change.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        // Pairs with the release in `replace`: who sees the number sees the rules.
        self.version.load(Ordering::Acquire)
    }

    /// The user that connections begin as.
    pub fn default_user(&self) -> &Arc<User> {
        &self.default
    }

    /// A user by name.
    pub fn user(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.lock().get(name).cloned()
    }

    /// All users, by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.users.lock().values().cloned().collect()
    }

    /// Whether new connections have to authenticate.
    #[inline]
    pub fn needs_password(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Puts rules in force. Returns those before them.
    fn replace(&self, user: &Arc<User>, rules: Rules) -> Arc<Rules> {
        if Arc::ptr_eq(user, &self.default) {
            self.closed.store(!rules.is_open(), Ordering::Relaxed);
        }
        let old = std::mem::replace(&mut *user.rules.lock(), Arc::new(rules));
        self.version.fetch_add(1, Ordering::Release);
        old
    }

    /// The newest refusals.
    pub(crate) fn logged(&self, count: usize) -> Vec<LogEntry> {
        self.log.lock().newest(count)
    }

    /// Forgets all refusals.
    pub(crate) fn clear_log(&self) {
        self.log.lock().clear();
    }
}

/// Applies the words of ACL SETUSER to `rules`.
fn apply_words<'a>(
    rules: &mut Rules,
    frame: Frame<'_>,
    words: impl Iterator<Item = &'a [u8]>,
) -> Result<(), CommandError> {
    let words = merge_selectors(words).map_err(CommandError::acl_unmatched)?;
    words.iter().try_for_each(|word| {
        rules
            .apply(frame, word)
            .map_err(|reason| CommandError::acl_modifier(printed(word), reason.text()))
    })
}
