//! Stage 6: requests that wait for EXEC.
//!
//! Invariants
//! - A request is queued after lookup and gates, exactly as it came; one that fails there makes EXEC fail.
//! - What is queued is bounded by `client-query-buffer-limit`, together with what is still to be decoded.
//!
//! Does not run anything: EXEC does, with the stripes of all that is queued held (see `commands/transaction`).

use super::Engine;
use super::context::Out;
use super::lookup::Entry;
use super::session::Session;
use crate::error::CommandError;
use crate::settings::id;
use crate::spec::{Flags, Outcome};
use ochre_resp::{Request, RequestBuf};

/// What a connection queued since MULTI.
#[derive(Default)]
pub struct Transaction {
    pub(crate) queue: Vec<(Entry, RequestBuf)>,
    /// Something was refused; EXEC will be.
    pub(crate) aborted: bool,
    bytes: u64,
}

impl Transaction {
    /// Whether any queued command has one of these properties, declared or implied.
    pub(crate) fn has(&self, flags: Flags) -> bool {
        let mut commands = self.queue.iter().map(|(entry, _)| entry.command);
        commands.any(|c| c.all_flags().any(flags))
    }

    /// Number of requests queued.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes that the queue takes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Engine {
    /// Keeps a request for EXEC. When the queue is full, the connection is closed.
    ///
    /// # Errors
    /// When the command may not be part of a transaction.
    #[cold]
    pub(crate) fn queue(
        &self,
        session: &mut Session,
        entry: Entry,
        request: Request<'_>,
        out: &mut Out,
    ) -> Outcome {
        let Some(transaction) = &mut session.transaction else {
            return Ok(());
        };
        if entry.command.flags.has(Flags::NO_MULTI) {
            transaction.aborted = true;
            return Err(CommandError::NOT_IN_MULTI);
        }
        let request = request.to_buf();
        let overhead = size_of::<(Entry, RequestBuf)>();
        transaction.bytes += (request.heap_bytes() + overhead) as u64;
        transaction.queue.push((entry, request));
        let shown = u32::try_from(transaction.queue.len()).unwrap_or(u32::MAX);
        session.client.show_queue(shown, transaction.bytes);
        if transaction.bytes <= self.settings.size(id::CLIENT_QUERY_BUFFER_LIMIT) {
            out.simple("QUEUED");
        } else {
            session.closing = true;
        }
        Ok(())
    }

    /// What a request is answered that was refused before it ran: in a transaction, that is the end of it.
    #[cold]
    pub(crate) fn turned_away(
        &self,
        session: &mut Session,
        entry: Option<Entry>,
        error: CommandError,
    ) -> CommandError {
        if let Some(transaction) = &mut session.transaction {
            transaction.aborted = true;
        }
        // compat: EXEC with a word too many is an aborted one where nothing was begun, too, and forgets what is watched.
        if entry.is_some_and(|entry| entry.command.flags.has(Flags::ENDS_TRANSACTION)) {
            self.end_transaction(session);
            return CommandError::exec_aborted(&error);
        }
        error
    }

    /// Forgets what was queued and what is watched. No stripe may be held.
    pub(crate) fn end_transaction(&self, session: &mut Session) -> Option<Box<Transaction>> {
        self.unwatch(session);
        session.client.show_queue(u32::MAX, 0);
        session.transaction.take()
    }
}
