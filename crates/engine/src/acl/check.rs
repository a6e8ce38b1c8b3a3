//! Decisions: may a user make this request?
//!
//! Invariants
//! - A request is permitted if one selector permits all of it; permissions of several do not add up.
//! - What is denied is told as the selector that came furthest saw it: its command before its keys before its channels.
//! - Keys come from the key specifications, as the lock plan's do. Where the arguments contradict these there are none,
//!   and the handler reaches none.
//!
//! Cost: nothing is allocated unless a request names more than [`KEYS_INLINE`] keys, or only its first argument may permit it.

use super::User;
use super::rules::Rules;
use super::selector::Selector;
use crate::error::CommandError;
use crate::exec::Entry;
use crate::spec::{Access, Channels};
use ochre_resp::Request;
use smallvec::SmallVec;

/// Keys that are collected without allocating.
const KEYS_INLINE: usize = 8;

type Keys = SmallVec<[(usize, Access); KEYS_INLINE]>;

/// What a user may not have. The order is that of how far a check came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Denied {
    /// The command.
    Command,
    /// The key that is this argument.
    Key(usize),
    /// The channel, or pattern of channels, that is this argument.
    Channel(usize),
}

impl Denied {
    /// What was refused: a command's full name, a key, or a channel.
    pub(crate) fn object(self, entry: &Entry, request: Request<'_>) -> Vec<u8> {
        match self {
            Denied::Command => entry.full_name().into_bytes(),
            Denied::Key(at) | Denied::Channel(at) => request.get(at).unwrap_or_default().to_vec(),
        }
    }

    /// The sentence for a client, without a code. It does not name keys and channels, which may be known to the user
    /// under other names only.
    pub fn reason(self, user: &User, entry: &Entry) -> Vec<u8> {
        match self {
            Denied::Command => no_command(user, entry),
            Denied::Key(_) => b"No permissions to access a key".to_vec(),
            Denied::Channel(_) => b"No permissions to access a channel".to_vec(),
        }
    }

    /// The sentence of ACL DRYRUN, which names everything.
    pub(crate) fn details(self, user: &User, entry: &Entry, request: Request<'_>) -> Vec<u8> {
        let kind: &[u8] = match self {
            Denied::Command => return no_command(user, entry),
            Denied::Key(_) => b"' key",
            Denied::Channel(_) => b"' channel",
        };
        let object = self.object(entry, request);
        [
            b"User ",
            user.name(),
            b" has no permissions to access the '",
            &object,
            kind,
        ]
        .concat()
    }

    /// The error reply to a request that was refused.
    pub fn error(self, user: &User, entry: &Entry) -> CommandError {
        CommandError::new([b"NOPERM ".as_slice(), &self.reason(user, entry)].concat())
    }

    /// The error of a command of a transaction that was permitted when it was queued, and is no longer.
    pub fn since_queued(self) -> CommandError {
        match self {
            Denied::Command => CommandError::ACL_CHANGED_COMMAND,
            Denied::Key(_) => CommandError::ACL_CHANGED_KEY,
            Denied::Channel(_) => CommandError::ACL_CHANGED_CHANNEL,
        }
    }
}

fn no_command(user: &User, entry: &Entry) -> Vec<u8> {
    let name = entry.full_name();
    let after = format!(" has no permissions to run the '{name}' command");
    [b"User ", user.name(), after.as_bytes()].concat()
}

impl Rules {
    /// Whether a request is permitted.
    ///
    /// # Errors
    /// What is denied.
    pub fn check(&self, entry: &Entry, request: Request<'_>) -> Result<(), Denied> {
        let mut keys = None;
        let mut furthest = Denied::Command;
        for selector in self.selectors() {
            match check(selector, entry, request, &mut keys) {
                Ok(()) => return Ok(()),
                Err(denied) => furthest = furthest.max(denied),
            }
        }
        Err(furthest)
    }

    /// Whether a request is permitted by somebody who may read every key: for commands that read keys whose names they
    /// make of data (SORT).
    pub(crate) fn reads_every_key(&self, entry: &Entry, request: Request<'_>) -> bool {
        let mut keys = None;
        self.selectors().any(|selector| {
            selector.reads_every_key() && check(selector, entry, request, &mut keys).is_ok()
        })
    }
}

/// Checks one selector. `keys` keeps what was found for the next.
fn check(
    selector: &Selector,
    entry: &Entry,
    request: Request<'_>,
    keys: &mut Option<Keys>,
) -> Result<(), Denied> {
    if !selector.allows_command(entry, request) {
        return Err(Denied::Command);
    }
    if !selector.allows_all_keys() && !entry.command.keys.is_empty() {
        for (at, access) in keys.get_or_insert_with(|| keys_of(entry, request)) {
            let key = request.get(*at).unwrap_or_default();
            if !selector.allows_key(key, *access) {
                return Err(Denied::Key(*at));
            }
        }
    }
    let channels = entry.command.channels;
    if channels != Channels::None && !selector.allows_all_channels() {
        for at in channels.positions(request) {
            let name = request.get(at).unwrap_or_default();
            if !selector.allows_channel(name, channels == Channels::Patterns) {
                return Err(Denied::Channel(at));
            }
        }
    }
    Ok(())
}

/// The keys that a request names and what it does with each. Channels that are routed as keys are none.
fn keys_of(entry: &Entry, request: Request<'_>) -> Keys {
    let mut keys = Keys::new();
    let found = entry.command.each_key(request, &mut |at, access| {
        if !access.has(Access::NOT_KEY) {
            keys.push((at, access));
        }
    });
    if found.is_err() {
        keys.clear();
    }
    keys
}
