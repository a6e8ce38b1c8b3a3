//! The time that commands take: their counts, and notes of slow ones.

use super::Engine;
use super::lookup::Entry;
use super::session::Session;
use crate::settings::id;
use crate::spec::Flags;
use ochre_ds::ticks;
use ochre_resp::Request;

impl Engine {
    /// As [`Self::measure`], for requests of a unit.
    #[inline(never)]
    pub(super) fn measure_one(
        &self,
        session: &mut Session,
        entry: &Entry,
        request: &Request<'_>,
        from: u64,
        failed: bool,
    ) {
        self.measure(session, entry, request, from, failed);
    }

    /// Counts a command's time, and notes it where it was slow.
    #[inline(always)] // on the way of every request
    pub(super) fn measure(
        &self,
        session: &mut Session,
        entry: &Entry,
        request: &Request<'_>,
        from: u64,
        failed: bool,
    ) {
        let now = ticks::now();
        let nanos = ticks::nanos(from, now);
        session.tick = now;
        session.commands += 1;
        session
            .tally
            .executed(&self.stats, entry.index, nanos, failed);
        if nanos >= session.slow_nanos {
            self.note_slow(session, entry, *request, nanos);
        }
    }

    /// From how many nanoseconds on a command may be noted as slow: the least that a setting asks for.
    pub(super) fn slow_nanos(&self) -> u64 {
        let logged = self.settings.int(id::SLOWLOG_LOG_SLOWER_THAN);
        let monitored = self.settings.int(id::LATENCY_MONITOR_THRESHOLD);
        let logged = u64::try_from(logged).map_or(u64::MAX, |micros| micros.saturating_mul(1000));
        match u64::try_from(monitored) {
            Ok(0) | Err(_) => logged,
            Ok(millis) => logged.min(millis.saturating_mul(1_000_000)),
        }
    }

    /// Notes a command where a setting asks for it.
    #[cold]
    fn note_slow(&self, session: &Session, entry: &Entry, request: Request<'_>, nanos: u64) {
        let threshold = self.settings.int(id::LATENCY_MONITOR_THRESHOLD);
        if threshold > 0 && nanos >= threshold.unsigned_abs().saturating_mul(1_000_000) {
            self.latency
                .command(entry.command, session.now_ms, nanos / 1_000_000);
        }
        let threshold = self.settings.int(id::SLOWLOG_LOG_SLOWER_THAN);
        let logs = threshold >= 0 && nanos >= threshold.unsigned_abs().saturating_mul(1000);
        if logs && !entry.command.flags.has(Flags::SKIP_SLOWLOG) {
            let most = usize::try_from(self.settings.int(id::SLOWLOG_MAX_LEN)).unwrap_or(0);
            self.slowlog
                .add(entry.command, request, nanos / 1000, session, most);
        }
    }
}
