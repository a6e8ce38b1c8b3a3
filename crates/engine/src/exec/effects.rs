//! Stage 8: what a command changed, appended to the journal while its stripes are still locked.
//!
//! Invariants
//! - The order of appends agrees with every key's history, because they happen under its stripe's lock.
//! - An effect is deterministic: relative expiries become absolute, random choices become what was chosen.
//! - When no journal listens, nothing is built: one branch.

use crate::ports::Journal;
use ochre_resp::{Request, RequestBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The journal's readers. Appending costs one relaxed load when there is none.
#[derive(Default)]
pub struct Journals {
    any: AtomicBool,
    readers: parking_lot::RwLock<Vec<Arc<dyn Journal>>>,
}

impl Journals {
    /// Adds a reader. It sees every effect from some point on; a caller that needs the exact point attaches under a cut.
    pub fn attach(&self, reader: Arc<dyn Journal>) {
        self.readers.write().push(reader);
        self.any.store(true, Ordering::Release);
    }

    /// Whether anybody listens.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Appends one effect; the stripes that it touched are locked.
    pub fn append(&self, db: usize, effect: Request<'_>) {
        for reader in self.readers.read().iter() {
            reader.append(db, effect);
        }
    }

    /// The effects of a unit, which belong together.
    pub(crate) fn append_all(&self, effects: &[(usize, RequestBuf)]) {
        for reader in self.readers.read().iter() {
            reader.append_all(effects);
        }
    }
}

/// What one command wants replayed.
pub struct Effects {
    pub(crate) on: bool,
    pub(crate) instead: Option<Vec<RequestBuf>>,
}

impl Effects {
    pub(crate) fn new(on: bool) -> Effects {
        Effects { on, instead: None }
    }

    /// Whether anybody listens, for effects that cost something to put together.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Replays `effect` instead of the request; may be called several times. Costs nothing when nobody listens.
    pub fn replace<'p>(&mut self, effect: impl IntoIterator<Item = &'p [u8]>) {
        if self.on {
            self.instead
                .get_or_insert_default()
                .push(RequestBuf::new(effect));
        }
    }

    /// Appends them: the request as it is, unless it replaced it.
    pub(crate) fn append(&self, journals: &Journals, db: usize, request: Request<'_>) {
        match &self.instead {
            None => journals.append(db, request),
            Some(effects) => effects
                .iter()
                .for_each(|e| journals.append(db, e.as_request())),
        }
    }

    /// Keeps what is to be replayed for the end of the unit.
    pub(crate) fn keep(self, db: usize, request: Request<'_>, kept: &mut Vec<(usize, RequestBuf)>) {
        match self.instead {
            None => kept.push((db, request.to_buf())),
            Some(effects) => kept.extend(effects.into_iter().map(|e| (db, e))),
        }
    }
}
