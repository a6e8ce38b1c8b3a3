//! A window of requests decoded ahead of their execution, so that their waits for memory overlap.
//!
//! Invariants
//! - Slots `0..count` of the last fill hold complete requests, in order; the slot behind them may hold an incomplete one.
//! - A decoder's memory stays with the window, not with the connection, unless a request is incomplete.

use ochre_engine::exec::{AHEAD_MAX, Ahead, Engine, Held, Session};
use ochre_resp::{Decoded, Decoder, Limits, ProtocolError};

/// Requests decoded before the first of them is executed.
pub(crate) const WINDOW: usize = AHEAD_MAX;

/// One decoded request.
pub(crate) struct Slot {
    pub(crate) decoder: Decoder,
    /// Where it lies in the batch.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) ahead: Ahead,
}

/// Why a fill ended before the window was full.
pub(crate) enum Stop {
    Incomplete,
    Error(ProtocolError),
}

/// What a fill found.
pub(crate) struct Filled {
    pub(crate) count: usize,
    pub(crate) stop: Option<Stop>,
}

/// See the module's documentation.
pub(crate) struct Window {
    slots: Vec<Slot>,
    /// The first decoder is in the middle of a request.
    resumed: bool,
}

impl Window {
    pub(crate) fn new() -> Window {
        let slot = || Slot {
            decoder: Decoder::new(),
            start: 0,
            end: 0,
            ahead: Ahead::default(),
        };
        Window {
            slots: (0..WINDOW).map(|_| slot()).collect(),
            resumed: false,
        }
    }

    /// Goes on with a request that was incomplete.
    pub(crate) fn resume(&mut self, partial: Decoder) {
        self.slots[0].decoder = partial;
        self.resumed = true;
    }

    /// Decodes up to `most` requests of `bytes`, which begin at `base` in the batch.
    pub(crate) fn fill(
        &mut self,
        bytes: &[u8],
        base: usize,
        limits: &Limits,
        most: usize,
    ) -> Filled {
        let mut at = 0;
        for (count, slot) in self.slots.iter_mut().take(most).enumerate() {
            if !std::mem::take(&mut self.resumed) {
                slot.decoder.reset();
            }
            match slot.decoder.decode(&bytes[at..], limits) {
                Ok(Decoded::Complete { consumed }) => {
                    slot.start = base + at;
                    at += consumed;
                    slot.end = base + at;
                }
                Ok(Decoded::Incomplete) => {
                    return Filled {
                        count,
                        stop: Some(Stop::Incomplete),
                    };
                }
                Err(error) => {
                    return Filled {
                        count,
                        stop: Some(Stop::Error(error)),
                    };
                }
            }
        }
        Filled {
            count: most,
            stop: None,
        }
    }

    /// Looks the decoded requests up, and has the memory loaded that they will need.
    pub(crate) fn look_ahead(
        &mut self,
        engine: &Engine,
        session: &Session,
        bytes: &[u8],
        count: usize,
        held: &mut Held<'_>,
    ) -> &[Slot] {
        let mut in_transaction = session.transaction.is_some();
        let mut hints = engine.hints(session.db);
        let slots = &mut self.slots[..count];
        for slot in &mut *slots {
            slot.ahead = engine.look_ahead(slot.decoder.request(&bytes[slot.start..slot.end]));
            let queued;
            (queued, in_transaction) = slot.ahead.queues(in_transaction);
            // What is queued needs its memory later.
            if count > 1 && !queued {
                hints.add(&slot.ahead);
            }
        }
        hints.find(held);
        slots
    }

    /// Takes the decoder of the incomplete request behind `count` complete ones, if it has begun.
    pub(crate) fn suspend(&mut self, count: usize, begun: bool) -> Option<Box<Decoder>> {
        begun.then(|| Box::new(std::mem::take(&mut self.slots[count].decoder)))
    }

    /// Forgets everything decoded.
    pub(crate) fn reset(&mut self) {
        self.resumed = false;
    }
}
