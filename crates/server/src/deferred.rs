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
use ochre_resp::{Decoded, Decoder, Limits};

/// The largest request that is deferred, in bytes.
const ROOM: usize = 192;
/// Decoders kept by a thread: one for each connection that reads in the same turn.
const SPARE_MAX: usize = 64;

/// A request that was read and not executed yet.
pub(crate) struct Deferred {
    bytes: [u8; ROOM],
    len: usize,
    /// `None` while nothing is deferred: decoders belong to the thread.
    decoder: Option<Decoder>,
    ahead: Ahead,
}

impl Default for Deferred {
    fn default() -> Deferred {
        Deferred {
            bytes: [0; ROOM],
            len: 0,
            decoder: None,
            ahead: Ahead::default(),
        }
    }
}

/// What a thread keeps for deferring.
#[derive(Default)]
pub(crate) struct Deferring {
    spare: Vec<Decoder>,
    /// The last request read: its bucket was asked for and should have arrived when the next one is read.
    last: Option<(usize, Ahead)>,
}

impl Deferred {
    /// Takes `bytes` if they are one complete request that fits, and asks for the memory that it will need.
    #[inline]
    pub(crate) fn take(
        &mut self,
        engine: &Engine,
        db: usize,
        bytes: &[u8],
        limits: &Limits,
        thread: &mut Deferring,
    ) -> bool {
        if bytes.len() > ROOM {
            return false;
        }
        let mut decoder = thread.spare.pop().unwrap_or_default();
        decoder.reset();
        let complete = matches!(
            decoder.decode(bytes, limits),
            Ok(Decoded::Complete { consumed }) if consumed == bytes.len()
        );
        if !complete {
            thread.spare.push(decoder);
            return false;
        }
        self.ahead = engine.look_ahead(decoder.request(bytes));
        let last = thread.last.replace((db, self.ahead));
        engine.prefetch_staggered((db, &self.ahead), last);
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.len = bytes.len();
        self.decoder = Some(decoder);
        true
    }

    /// Gives the request to `run`, if there is one; its decoder goes back to the thread.
    #[inline]
    pub(crate) fn run<R>(
        &mut self,
        thread: &mut Deferring,
        run: impl FnOnce(ochre_resp::Request<'_>, &[u8], &Ahead) -> R,
    ) -> Option<R> {
        let decoder = self.decoder.take()?;
        let bytes = &self.bytes[..self.len];
        let result = run(decoder.request(bytes), bytes, &self.ahead);
        if thread.spare.len() < SPARE_MAX {
            thread.spare.push(decoder);
        }
        Some(result)
    }
}
