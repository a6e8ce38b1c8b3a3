//! What every request has to look out for, in one word: when nothing is up, all of it costs one branch.
//!
//! The word is written when such a thing begins or ends, and read by everybody; on a line of its own, so that it stays
//! in every core's cache.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A reason to look closer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reason(u32);

impl Reason {
    /// CLIENT PAUSE is in force.
    pub(crate) const PAUSED: Reason = Reason(1);
    /// Somebody monitors.
    pub(crate) const MONITORED: Reason = Reason(1 << 1);
    /// Somebody tracks keys by prefixes; concerns changes, not requests.
    pub(crate) const BROADCAST: Reason = Reason(1 << 2);
    /// What concerns every request.
    pub(crate) const REQUESTS: Reason = Reason(Self::PAUSED.0 | Self::MONITORED.0);
}

/// See the module's documentation.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct Attention(AtomicU32);

impl Attention {
    /// Whether one of these reasons holds.
    ///
    /// Relaxed: who begins something that concerns keys and then reads one takes its stripe's lock, so whoever changes
    /// the key afterwards sees that it began.
    #[inline]
    pub(crate) fn any(&self, reasons: Reason) -> bool {
        self.0.load(Relaxed) & reasons.0 != 0
    }

    /// A reason begins to hold, or ends.
    pub(crate) fn set(&self, reason: Reason, holds: bool) {
        if holds {
            self.0.fetch_or(reason.0, Relaxed);
        } else {
            self.0.fetch_and(!reason.0, Relaxed);
        }
    }
}
