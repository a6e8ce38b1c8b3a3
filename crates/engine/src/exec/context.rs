//! What handlers see: their arguments, their locked keys (`keys.rs`), the time, and a place for the reply.
//!
//! Invariant: a `Read` handler gets nothing mutable but the reply.

use super::Engine;
use super::blocking::{Block, Nothing};
use super::collections::Producer;
use super::effects::Effects;
use super::keys::{ReadKeys, WriteKeys};
use super::run::Rest;
use super::session::Session;
use crate::error::CommandError;
use crate::keyspace::{Cut, Str, Stripe, Stripes};
use ochre_ds::blob::Blob;
use ochre_ds::random::Random;

/// The reply writer of a connection.
pub type Out = ochre_resp::Out<Blob>;

/// Values from this size are sent by reference instead of being copied: below it, copying costs less
/// than the extra segment of a vectored write.
pub const SHARE_MIN: usize = 16 * 1024;

/// A computation to be done after the stripes are released, on values held by reference.
pub type Later = Box<dyn FnOnce(&mut Out) -> Result<(), CommandError> + Send>;

/// A computation whose result is sent piece by piece.
pub type LaterStream = Box<dyn FnOnce() -> Result<Box<dyn Producer>, CommandError> + Send>;

/// What is left to be done when the stripes are released.
pub(crate) enum After {
    Reply(Later),
    Stream(LaterStream),
}

/// Strings from this size are computed on after the lock is released.
pub const LATER_MIN: usize = 256 * 1024;

/// What every handler may know.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The engine, for settings and statistics.
    pub engine: &'a Engine,
    /// Unix milliseconds: the same for all commands of a batch.
    pub now_ms: i64,
    /// The session's database.
    pub db: usize,
}

impl Env<'_> {
    /// The largest string in bytes (`proto-max-bulk-len`).
    pub fn bulk_max(&self) -> usize {
        self.engine.bulk_max()
    }

    /// The seed of the hash of large collections' elements.
    pub fn hash_seed(&self) -> u64 {
        self.engine.keyspace.element_seed()
    }

    /// A generator for one command's random choices.
    pub fn random(&self) -> Random {
        self.engine.random()
    }
}

/// Sends a string value as a bulk string, a large one by reference.
#[inline]
pub fn reply_string(out: &mut Out, value: Str<'_>) {
    match value {
        Str::Int(n) => out.bulk_integer(n),
        Str::Inline(b) => out.bulk(b),
        Str::Blob(b) if b.len() >= SHARE_MIN => out.shared(b.clone()),
        Str::Blob(b) => out.bulk(b.as_slice()),
    }
}

/// What a `Read` handler gets.
pub struct ReadCx<'a> {
    /// The declared keys.
    pub keys: ReadKeys<'a>,
    /// The reply.
    pub out: &'a mut Out,
    /// Time, database, settings.
    pub env: Env<'a>,
    pub(crate) later: Option<After>,
    pub(crate) stream: Option<Box<dyn Producer>>,
}

impl ReadCx<'_> {
    /// Sends the rest of the reply piece by piece after the stripes are released.
    pub fn stream(&mut self, producer: Box<dyn Producer>) {
        self.stream = Some(producer);
    }

    /// Computes the reply after the stripes are released: for work in proportion to a large value.
    pub fn later(&mut self, work: Later) {
        self.later = Some(After::Reply(work));
    }

    /// As [`Self::later`], for a reply that is sent piece by piece.
    pub fn later_stream(&mut self, work: LaterStream) {
        self.later = Some(After::Stream(work));
    }
}

/// What a `Write` handler gets.
pub struct WriteCx<'a> {
    /// The declared keys.
    pub keys: WriteKeys<'a>,
    /// The reply.
    pub out: &'a mut Out,
    /// Time, database, settings.
    pub env: Env<'a>,
    /// What is to be replayed instead of the request itself.
    pub effects: Effects,
    /// How often the request was tried already: see [`Self::outside`].
    pub(crate) attempt: u32,
    pub(crate) rest: Option<Box<Rest>>,
}

impl WriteCx<'_> {
    /// Waits for one of the keys that the request does not add to: the handler found nothing, changed nothing and
    /// replied nothing, and the request is run again when one of them has changed to the type that the command awaits.
    ///
    /// `deadline_ms` is in Unix milliseconds, `None` for ever. In a transaction or script nothing is
    /// waited for; the reply is `nothing`, as when the time has passed.
    pub fn block(&mut self, deadline_ms: Option<i64>, nothing: Nothing) {
        self.rest.get_or_insert_default().block = Some(Block {
            deadline_ms,
            nothing,
        });
    }

    /// Computes the reply after the stripes are released, and sends it piece by piece: where the request only reads.
    pub fn later_stream(&mut self, work: LaterStream) {
        self.rest.get_or_insert_default().later = Some(After::Stream(work));
    }
}

/// What a `Session` handler gets: no keys.
pub struct SessionCx<'a> {
    /// The connection's state.
    pub session: &'a mut Session,
    /// The reply.
    pub out: &'a mut Out,
    /// Time, database, settings.
    pub env: Env<'a>,
    /// All stripes, for commands that are declared to look at the keyspace.
    pub stripes: Stripes<'a>,
    /// The request behind this one is of the same command, and may be done with it: see [`Flags::JOINED`].
    pub(crate) joins: bool,
}

/// What a `Sweep` handler gets: one database, stripe after stripe.
pub struct SweepCx<'a> {
    /// All stripes; `env.db` is the session's database.
    pub stripes: Stripes<'a>,
    /// The connection's state.
    pub session: &'a mut Session,
    /// The reply.
    pub out: &'a mut Out,
    /// Time, database, settings.
    pub env: Env<'a>,
}

/// What a `Cut` handler gets: every stripe, held.
pub struct CutCx<'a, 'e> {
    /// All stripes of all databases in use.
    pub cut: Cut<'e>,
    /// The connection's state.
    pub session: &'a mut Session,
    /// The reply.
    pub out: &'a mut Out,
    /// Time, database, settings.
    pub env: Env<'a>,
    /// Changes made, to be counted; above zero the request goes to the journal.
    pub changes: u64,
    /// Stripes taken out, to be dropped after the release.
    pub garbage: Vec<Stripe>,
    /// Whether the garbage is dropped in the background.
    pub background: bool,
}
