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
        self.logged_nanos().min(self.monitored_nanos())
    }

    /// From how many nanoseconds on the slow log has a command: a negative setting asks for none.
    fn logged_nanos(&self) -> u64 {
        let micros = self.settings.int(id::SLOWLOG_LOG_SLOWER_THAN);
        u64::try_from(micros).map_or(u64::MAX, |micros| micros.saturating_mul(1000))
    }

    /// From how many nanoseconds on the latency monitor has a command: 0 asks for none.
    fn monitored_nanos(&self) -> u64 {
        match u64::try_from(self.settings.int(id::LATENCY_MONITOR_THRESHOLD)) {
            Ok(0) | Err(_) => u64::MAX,
            Ok(millis) => millis.saturating_mul(1_000_000),
        }
    }

    /// Notes a command where a setting asks for it.
    #[cold]
    fn note_slow(&self, session: &Session, entry: &Entry, request: Request<'_>, nanos: u64) {
        if nanos >= self.monitored_nanos() {
            self.latency
                .command(entry.command, session.now_ms, nanos / 1_000_000);
        }
        if nanos >= self.logged_nanos() && !entry.command.flags.has(Flags::SKIP_SLOWLOG) {
            let most = usize::try_from(self.settings.int(id::SLOWLOG_MAX_LEN)).unwrap_or(0);
            self.slowlog
                .add(entry.command, request, nanos / 1000, session, most);
        }
    }
}
