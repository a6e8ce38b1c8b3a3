//! ACL LOG: what was refused, the newest first.
//!
//! Invariants
//! - There are at most `acllog-max-len` entries after each addition, each with at most [`OBJECT_MAX`] bytes of what was refused.
//! - The same refusal within [`MERGE_MS`] counts up the entry that there is, if it is among the newest [`LOOKED_AT`].

use super::check::Denied;
use std::collections::VecDeque;

/// Milliseconds within which refusals are merged.
const MERGE_MS: i64 = 60_000;
/// Entries that are looked through for one to merge with.
const LOOKED_AT: usize = 10;
/// Bytes kept of a key's or a channel's name; Redis keeps all, which may be half a gigabyte.
pub(crate) const OBJECT_MAX: usize = 4096;

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// A connection.
    Toplevel,
    /// A transaction: while it is queued or while it runs.
    Multi,
    /// A script or function.
    Lua,
}

impl Context {
    /// Its name in ACL LOG.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Context::Toplevel => "toplevel",
            Context::Multi => "multi",
            Context::Lua => "lua",
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// User or password were wrong.
    Auth,
    /// A permission was missing.
    Denied(Denied),
}

impl Why {
    /// Its name in ACL LOG.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Why::Auth => "auth",
            Why::Denied(Denied::Command) => "command",
            Why::Denied(Denied::Key(_)) => "key",
            Why::Denied(Denied::Channel(_)) => "channel",
        }
    }
}

/// One refusal, or several of the same.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    /// Ascending over the life of the server.
    pub(crate) id: u64,
    pub(crate) count: u64,
    /// Why, as ACL LOG names it.
    pub(crate) reason: &'static str,
    pub(crate) context: Context,
    /// The command, key or channel.
    pub(crate) object: Vec<u8>,
    pub(crate) user: Vec<u8>,
    /// The connection, as CLIENT INFO describes it.
    pub(crate) client: Vec<u8>,
    /// Unix milliseconds.
    pub(crate) created_ms: i64,
    /// Unix milliseconds of the last of them.
    pub(crate) updated_ms: i64,
}

/// The log.
#[derive(Default)]
pub(super) struct Log {
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

impl Log {
    /// Adds an entry, whose id and count are given here, or merges it with one that is there.
    pub(super) fn add(&mut self, mut entry: LogEntry, most: usize) {
        if most == 0 {
            return self.entries.clear();
        }
        entry.object.truncate(OBJECT_MAX);
        entry.user.truncate(OBJECT_MAX);
        let same = self.entries.iter().take(LOOKED_AT).position(|e| {
            (e.reason, e.context) == (entry.reason, entry.context)
                && entry.updated_ms - e.updated_ms <= MERGE_MS
                && e.object == entry.object
                && e.user == entry.user
        });
        match same.and_then(|at| self.entries.remove(at)) {
            Some(known) => {
                entry.count = known.count + 1;
                entry.id = known.id;
                entry.created_ms = known.created_ms;
            }
            None => {
                entry.count = 1;
                entry.id = self.next_id;
                self.next_id += 1;
            }
        }
        self.entries.push_front(entry);
        self.entries.truncate(most);
    }

    pub(super) fn newest(&self, count: usize) -> Vec<LogEntry> {
        self.entries.iter().take(count).cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
