//! When requests are to be sent, whatever becomes of those before them: the open loop.
//!
//! Invariants
//! - The threads together send request i at i / rate; a thread sends every `threads`-th.
//! - Times are computed from the request's number, so that they do not drift.

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The requests of one thread, in the order of their times.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// Requests a second, over all threads.
    rate: u64,
    threads: u64,
    /// The next request's number among those of all threads.
    next: u64,
    /// The first number that is not sent any more.
    end: u64,
}

impl Schedule {
    /// The part of thread `thread` of `threads`; numbers below `end` are sent.
    pub(crate) fn new(rate: u64, thread: usize, threads: usize, end: u64) -> Schedule {
        Schedule {
            rate: rate.max(1),
            threads: threads.max(1) as u64,
            next: thread as u64,
            end,
        }
    }

    /// How many requests are due before `nanos`.
    pub(crate) fn before(rate: u64, nanos: u64) -> u64 {
        let count = (u128::from(nanos) * u128::from(rate)).div_ceil(NANOS_PER_SECOND);
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// The next request: its number, and when it is to be sent in nanoseconds from the start. `None` at the end.
    pub(crate) fn peek(&self) -> Option<(u64, u64)> {
        (self.next < self.end).then(|| (self.next, self.time_of(self.next)))
    }

    /// When a request is to be sent, in nanoseconds from the start.
    pub(crate) fn time_of(&self, number: u64) -> u64 {
        let nanos = u128::from(number) * NANOS_PER_SECOND / u128::from(self.rate);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// So many requests, of which `peek` told the first, are done with.
    pub(crate) fn advance(&mut self, count: u64) {
        self.next = self.next.saturating_add(self.threads.saturating_mul(count));
    }

    /// How many of this thread's requests are not sent.
    pub(crate) fn left(&self) -> u64 {
        self.end.saturating_sub(self.next).div_ceil(self.threads)
    }

    /// How many of this thread's requests are due at `now` and not sent.
    pub(crate) fn due(&self, now: u64) -> u64 {
        let end = Schedule::before(self.rate, now.saturating_add(1)).min(self.end);
        end.saturating_sub(self.next).div_ceil(self.threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_the_rate_evenly() {
        let mut all = Vec::new();
        for thread in 0..3 {
            let mut schedule = Schedule::new(1000, thread, 3, 100);
            let mut last = None;
            while let Some((number, at)) = schedule.peek() {
                assert_eq!(at, number * 1_000_000);
                assert!(last < Some(at));
                assert_eq!(schedule.left(), (number..100).step_by(3).count() as u64);
                last = Some(at);
                all.push(number);
                schedule.advance(1);
            }
        }
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn times_do_not_drift() {
        let schedule = Schedule {
            next: 7_000_000_000,
            ..Schedule::new(7, 0, 1, u64::MAX)
        };
        let (_, at) = schedule.peek().expect("no end");
        assert_eq!(at, 1_000_000_000 * 1_000_000_000);
    }

    #[test]
    fn what_is_due_is_what_peek_would_give() {
        for (rate, threads) in [(3, 1), (1000, 2), (999_983, 3), (1, 4)] {
            for thread in 0..threads {
                for now in [
                    0,
                    1,
                    999,
                    333_333_333,
                    333_333_334,
                    1_000_000_000,
                    1_000_000_001,
                ] {
                    let schedule = Schedule::new(rate, thread, threads, 50_000);
                    let mut walk = schedule.clone();
                    let mut count = 0;
                    while walk.peek().is_some_and(|(_, at)| at <= now) {
                        walk.advance(1);
                        count += 1;
                    }
                    assert_eq!(
                        schedule.due(now),
                        count,
                        "{rate} {thread}/{threads} at {now}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_time_holds_so_many_requests() {
        assert_eq!(Schedule::before(1000, 1_000_000_000), 1000);
        assert_eq!(Schedule::before(1000, 1_000_000_001), 1001);
        assert_eq!(Schedule::before(3, 0), 0);
    }

    #[test]
    fn a_time_far_away_does_not_overflow() {
        let schedule = Schedule::new(1, 0, 1, u64::MAX);
        let _ = schedule.due(u64::MAX);
        let _ = Schedule::before(u64::MAX, u64::MAX);
    }
}
