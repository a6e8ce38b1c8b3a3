//! Stage 4: the checks between lookup and plan, in the order in which Redis makes them.
//!
//! A gate looks at properties of the declaration, never at a name, and either lets the command pass or
//! answers for it. The gates that need the keyspace take their own stripe locks, one at a time:
//! no lock is held here.

use super::Engine;
use super::lookup::Entry;
use super::session::Session;
use super::transaction;
use crate::error::CommandError;
use crate::spec::Flags;
use ochre_resp::Request;
use std::sync::atomic::Ordering::Relaxed;

/// A check: the engine, who asks, and what for.
type Gate = fn(&Engine, &Session, &Entry, &Request<'_>) -> Result<(), CommandError>;

/// The gates in order.
pub(crate) const GATES: &[(&str, Gate)] = &[
    ("authentication", |engine, session, entry, _| {
        authentication(engine, session, entry)
    }),
    ("permission", permission),
    ("memory", memory),
    ("context", context),
];

/// Runs every gate.
#[inline]
pub(crate) fn check(
    engine: &Engine,
    session: &Session,
    entry: &Entry,
    request: &Request<'_>,
) -> Result<(), CommandError> {
    GATES
        .iter()
        .try_for_each(|(_, gate)| gate(engine, session, entry, request))
}

pub(super) fn authentication(
    engine: &Engine,
    session: &Session,
    entry: &Entry,
) -> Result<(), CommandError> {
    // Without a password everybody is in, also who came while there was one.
    if session.authenticated
        || entry.command.flags.has(Flags::NO_AUTH)
        || !engine.acl.needs_password()
    {
        Ok(())
    } else {
        Err(CommandError::NO_AUTH)
    }
}

/// Whether the user may do this at all: nothing is asked for a user who may do everything.
#[inline]
fn permission(
    engine: &Engine,
    session: &Session,
    entry: &Entry,
    request: &Request<'_>,
) -> Result<(), CommandError> {
    if session.restricted {
        // What is no part of a transaction is refused as such, whoever asks; of others, that is seen when they queue.
        if session.transaction.is_some() {
            transaction::may_be_queued(entry)?;
        }
        engine.permit(session, entry, *request)
    } else {
        Ok(())
    }
}

fn memory(
    engine: &Engine,
    session: &Session,
    entry: &Entry,
    _: &Request<'_>,
) -> Result<(), CommandError> {
    // Making room takes locks. Who holds a stripe began when there was no limit.
    if session.holds || !engine.memory.is_limited() {
        return Ok(());
    }
    let enough = engine.make_room();
    if enough || !entry.command.flags.has(Flags::DENYOOM) {
        Ok(())
    } else {
        Err(CommandError::OOM)
    }
}

/// In RESP2 a connection that listens cannot tell a reply from a message; one that monitors counts as a replica, which
/// reads no keys.
#[inline]
fn context(
    _: &Engine,
    session: &Session,
    entry: &Entry,
    _: &Request<'_>,
) -> Result<(), CommandError> {
    if session.unusual {
        unusual_context(session, entry)
    } else {
        Ok(())
    }
}

#[cold]
fn unusual_context(session: &Session, entry: &Entry) -> Result<(), CommandError> {
    let listens = !session.subscriptions.is_empty();
    let flags = entry.command.all_flags();
    if listens && session.client.protocol.load(Relaxed) == 2 && !flags.has(Flags::SUBSCRIBED) {
        return Err(CommandError::subscribed(&entry.full_name()));
    }
    let keyspace = Flags::WRITE
        .with(Flags::READONLY)
        .with(Flags::MAY_REPLICATE)
        .with(Flags::WITH_WRITES);
    if session.monitors && flags.any(keyspace) {
        return Err(CommandError::REPLICA_CONTEXT);
    }
    Ok(())
}
