//! SLOWLOG: the last commands that took longer than `slowlog-log-slower-than`.
//!
//! Arguments are shortened as Redis does: at most 32 of them, at most 128 bytes each. Secret ones are hidden.

use super::session::Session;
use crate::spec::Command;
use ochre_resp::Request;
use parking_lot::Mutex;
use std::collections::VecDeque;

const ARGS_MAX: usize = 32;
const ARG_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Clone, Debug)]
pub struct SlowLogEntry {
    /// Ascending number.
    pub id: u64,
    /// Unix seconds.
    pub time: i64,
    /// Duration in microseconds.
    pub micros: u64,
    /// Arguments, shortened.
    pub args: Vec<Vec<u8>>,
    /// The client's address.
    pub addr: String,
    /// The client's name.
    pub name: Vec<u8>,
}

/// See the module's documentation.
#[derive(Default)]
pub struct SlowLog {
    entries: Mutex<(u64, VecDeque<SlowLogEntry>)>,
}

impl SlowLog {
    pub(crate) fn add(
        &self,
        command: &Command,
        request: Request<'_>,
        micros: u64,
        session: &Session,
        most: usize,
    ) {
        let shown = if request.len() > ARGS_MAX {
            ARGS_MAX - 1
        } else {
            request.len()
        };
        let mut args: Vec<Vec<u8>> = command.shown(request).take(shown).map(shorten).collect();
        if request.len() > ARGS_MAX {
            args.push(format!("... ({} more arguments)", request.len() - shown).into_bytes());
        }
        let client = &session.client;
        let name = client.labels.lock().name.clone();
        let mut entries = self.entries.lock();
        let id = entries.0;
        entries.0 += 1;
        let time = session.now_ms / 1000;
        entries.1.push_front(SlowLogEntry {
            id,
            time,
            micros,
            args,
            addr: client.endpoint.addr.clone(),
            name,
        });
        entries.1.truncate(most);
    }

    /// The newest `count` entries, newest first.
    pub fn newest(&self, count: usize) -> Vec<SlowLogEntry> {
        self.entries.lock().1.iter().take(count).cloned().collect()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.lock().1.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all entries; numbers go on.
    pub fn reset(&self) {
        self.entries.lock().1.clear();
    }
}

fn shorten(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= ARG_BYTES_MAX {
        return arg.to_vec();
    }
    let mut short = arg[..ARG_BYTES_MAX].to_vec();
    short.extend_from_slice(format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX).as_bytes());
    short
}
