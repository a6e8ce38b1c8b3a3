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
use super::unit::UnitCx;
use crate::error::CommandError;
use crate::settings::id;
use crate::spec::{Flags, Outcome};
use ochre_resp::{Request, RequestQueue};

/// Bytes of a queue whose memory the next transaction of the same batch takes over.
const KEPT: usize = 16 << 10;

/// What a connection queued since MULTI.
#[derive(Default)]
pub struct Transaction {
    pub(crate) queue: RequestQueue<Queued>,
    /// Something was refused; EXEC will be.
    pub(crate) aborted: bool,
    /// The properties of all that is queued.
    flags: Flags,
    /// Something queued needs every stripe.
    everything: bool,
}

/// What is known of a queued request.
#[derive(Clone, Copy)]
pub(crate) struct Queued {
    pub(crate) entry: Entry,
    /// The hash of its only key, as in [`super::Ahead`].
    pub(crate) hash: Option<u64>,
}

impl Transaction {
    /// Whether any queued command has one of these properties, declared or implied.
    pub(crate) fn has(&self, flags: Flags) -> bool {
        self.flags.any(flags)
    }

    /// Whether a queued command concerns whole databases.
    pub(crate) fn needs_everything(&self) -> bool {
        self.everything
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
        self.queue.heap_bytes() as u64
    }
}

impl Engine {
    /// Keeps a request for EXEC. When the queue is full, the connection is closed.
    ///
    /// # Errors
    /// When the command may not be part of a transaction.
    #[inline(never)] // off the way of requests that run at once
    pub(crate) fn queue(
        &self,
        session: &mut Session,
        entry: Entry,
        hash: Option<u64>,
        request: Request<'_>,
        out: &mut Out,
    ) -> Outcome {
        let Some(transaction) = &mut session.transaction else {
            return Ok(());
        };
        if let Err(error) = may_be_queued(&entry) {
            transaction.aborted = true;
            session.tally.rejected(&self.stats, entry.index);
            return Err(error);
        }
        transaction.queue.push(Queued { entry, hash }, request);
        transaction.flags = transaction.flags.with(entry.command.all_flags());
        transaction.everything |= UnitCx::needs_everything(&entry);
        let shown = u32::try_from(transaction.queue.len()).unwrap_or(u32::MAX);
        let bytes = transaction.bytes();
        session.client.show_queue(shown, bytes);
        if bytes <= self.settings.size(id::CLIENT_QUERY_BUFFER_LIMIT) {
            out.raw(b"+QUEUED\r\n");
        } else {
            session.closing = true;
        }
        Ok(())
    }

    /// What a request is answered that was refused before it ran: in a transaction, that is the end of it.
    /// EXEC says so even where there is none, and forgets what is watched, as in Redis.
    #[cold]
    pub(crate) fn turned_away(
        &self,
        session: &mut Session,
        entry: Option<Entry>,
        error: CommandError,
    ) -> CommandError {
        if entry.is_some_and(|entry| entry.command.flags.has(Flags::ENDS_TRANSACTION)) {
            self.end_transaction(session);
            return CommandError::exec_aborted(&error);
        }
        if let Some(transaction) = &mut session.transaction {
            transaction.aborted = true;
        }
        error
    }

    /// Forgets what was queued and what is watched. No stripe may be held.
    pub(crate) fn end_transaction(&self, session: &mut Session) {
        self.unwatch(session);
        session.client.show_queue(u32::MAX, 0);
        session.transaction = None;
    }
}

/// # Errors
/// Some commands make no sense among others that run later.
pub(super) fn may_be_queued(entry: &Entry) -> Result<(), CommandError> {
    if entry.command.flags.has(Flags::NO_MULTI) {
        return Err(CommandError::NOT_IN_MULTI);
    }
    Ok(())
}

impl Session {
    /// Begins to queue.
    pub(crate) fn begin_transaction(&mut self) {
        self.transaction = Some(self.spare_transaction.take().unwrap_or_default());
        self.client.show_queue(0, 0);
    }

    /// Keeps the memory of a transaction for the next one of this batch.
    pub(crate) fn keep_transaction(&mut self, mut transaction: Box<Transaction>) {
        if transaction.queue.heap_bytes() <= KEPT {
            let mut queue = std::mem::take(&mut transaction.queue);
            queue.clear();
            *transaction = Transaction {
                queue,
                ..Transaction::default()
            };
            self.spare_transaction = Some(transaction);
        }
    }
}
