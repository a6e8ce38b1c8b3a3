//! A single small request that is executed in the turn after the one that read it.
//!
//! Between the two turns other connections of the worker read theirs, and the cache lines of the
//! request's entry arrive meanwhile: without pipelining nothing else would overlap these waits.
//!
//! Invariants
//! - A deferred request is complete, the only one that was read, and executed before the connection reads again.
//! - Looking up and hashing happen once, at the read.
//!
//! Cost: a copy of the request's bytes, at most [`ROOM`].

use ochre_engine::exec::{Ahead, Engine};
use ochre_resp::{Decoded, Decoder, Limits, Request};

/// The largest request that is deferred, in bytes.
const ROOM: usize = 192;
/// Requests' places kept by a thread: one for each connection that reads in the same turn.
const SPARE_MAX: usize = 64;

/// A request that was read and not executed yet. It lies on the heap: a connection that has none keeps no room for one,
/// and handing it on moves a pointer.
pub(crate) struct Deferred {
    bytes: [u8; ROOM],
    len: usize,
    decoder: Decoder,
    ahead: Ahead,
}

impl Default for Deferred {
    fn default() -> Deferred {
        Deferred {
            bytes: [0; ROOM],
            len: 0,
            decoder: Decoder::default(),
            ahead: Ahead::default(),
        }
    }
}

/// What a thread keeps for deferring.
#[derive(Default)]
pub(crate) struct Deferring {
    #[allow(clippy::vec_box)] // they come from connections and go to others
    spare: Vec<Box<Deferred>>,
    /// The last request read: its bucket was asked for and should have arrived when the next one is read.
    last: Option<(usize, Ahead)>,
}

impl Deferring {
    /// Takes back what was executed.
    #[inline]
    pub(crate) fn give_back(&mut self, deferred: Box<Deferred>) {
        if self.spare.len() < SPARE_MAX {
            self.spare.push(deferred);
        }
    }
}

impl Deferred {
    /// Takes `bytes` if they are one complete request that fits, and asks for the memory that it will need.
    #[inline]
    pub(crate) fn take(
        engine: &Engine,
        db: usize,
        bytes: &[u8],
        limits: &Limits,
        thread: &mut Deferring,
    ) -> Option<Box<Deferred>> {
        if bytes.len() > ROOM {
            return None;
        }
        let mut deferred = thread.spare.pop().unwrap_or_default();
        deferred.decoder.reset();
        let complete = matches!(
            deferred.decoder.decode(bytes, limits),
            Ok(Decoded::Complete { consumed }) if consumed == bytes.len()
        );
        if !complete {
            thread.give_back(deferred);
            return None;
        }
        deferred.ahead = engine.look_ahead(deferred.decoder.request(bytes));
        let last = thread.last.replace((db, deferred.ahead));
        engine.prefetch_staggered((db, &deferred.ahead), last);
        deferred.bytes[..bytes.len()].copy_from_slice(bytes);
        deferred.len = bytes.len();
        Some(deferred)
    }

    /// The request as it was read.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[inline]
    pub(crate) fn request(&self) -> Request<'_> {
        self.decoder.request(self.bytes())
    }

    /// What was looked up at the read.
    #[inline]
    pub(crate) fn ahead(&self) -> &Ahead {
        &self.ahead
    }
}
