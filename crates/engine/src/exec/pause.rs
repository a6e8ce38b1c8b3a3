//! CLIENT PAUSE: which requests it stops, and how it ends.

use super::Engine;
use super::attention::Reason;
use super::gates;
use super::session::Session;
use crate::spec::{Flags, Run};
use ochre_resp::Request;
use std::sync::atomic::Ordering::Relaxed;

/// What CLIENT PAUSE asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause {
    /// Unix milliseconds at which it ends.
    pub until_ms: i64,
    /// Stop only commands that write.
    pub writes_only: bool,
}

impl Engine {
    /// Starts or prolongs a pause of clients.
    pub fn pause(&self, pause: Pause) {
        let mut current = self.pause.lock();
        let both = current
            .filter(|c| c.until_ms > self.clock.unix_ms())
            .map_or(pause, |c| Pause {
                until_ms: c.until_ms.max(pause.until_ms),
                writes_only: c.writes_only && pause.writes_only,
            });
        *current = Some(both);
        self.attention.set(Reason::PAUSED, true);
    }

    /// Ends a pause.
    pub fn unpause(&self) {
        *self.pause.lock() = None;
        self.attention.set(Reason::PAUSED, false);
        self.clients
            .list()
            .iter()
            .filter(|c| c.paused.load(Relaxed))
            .for_each(|c| c.wake());
    }

    /// The pause in force.
    pub fn pause_in_force(&self) -> Option<Pause> {
        if !self.attention.any(Reason::PAUSED) {
            return None;
        }
        let pause = *self.pause.lock();
        if pause.is_none_or(|p| p.until_ms <= self.clock.unix_ms()) {
            self.unpause();
            return None;
        }
        pause
    }

    /// Whether expired keys are only hidden, because writes are paused.
    pub(crate) fn expiry_is_paused(&self) -> bool {
        self.attention.any(Reason::PAUSED) && self.pause_in_force().is_some()
    }

    #[cold]
    pub(super) fn stops(&self, session: &Session, request: Request<'_>) -> bool {
        let Some(pause) = self.pause_in_force() else {
            return false;
        };
        let Ok(entry) = self.lookup.find(request) else {
            return false;
        };
        let command = entry.command;
        let allowed = gates::authentication(self, session, &entry).is_ok()
            && (!session.restricted || session.rules.check(&entry, request).is_ok());
        if !allowed {
            // What is refused anyway is refused at once.
            return false;
        }
        // As in Redis, nothing gets through a pause of everything: not even CLIENT UNPAUSE.
        let stopped = !pause.writes_only
            || command.is_write()
            || command
                .flags
                .any(Flags::MAY_REPLICATE.with(Flags::WITH_WRITES))
                && command.writes.is_none_or(|writes| writes(self, request))
            || matches!(command.run, Run::Unit(_))
                && session.transaction.as_ref().is_some_and(|t| {
                    t.has(
                        Flags::WRITE
                            .with(Flags::MAY_REPLICATE)
                            .with(Flags::WITH_WRITES),
                    )
                });
        session.client.paused.store(stopped, Relaxed);
        stopped
    }
}
