//! How many workers serve, and who of them gives connections to whom.
//!
//! A worker with little to do falls asleep and is woken for every few requests, and that costs more than they do. So a
//! load that fewer workers can carry is given to fewer: each of them sleeps less. When it grows, more workers serve within
//! about a tenth of a second, and when the busy connections happen to sit at one worker, some of them move.
//!
//! Invariants
//! - Between `worker-threads-min` workers and all of them serve; those that serve are the first ones.
//! - An idle connection costs nothing when workers begin or cease to serve: it moves with its next batch.
//! - Nothing is decided on the path of a request: a connection compares one word a batch.
//!
//! Long work leaves its worker ([`LongWork`]), and counts as load that no worker has in particular: who shares a worker with
//! a client that asks for much of it waits longer.

use crate::runtime::LongWork;
use crate::workers::{Order, Seats};
use ochre_engine::settings::{Settings, id};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two looks at the workers.
const PERIOD: Duration = Duration::from_millis(100);
/// The same when more of them may soon have to serve.
const QUICK_PERIOD: Duration = Duration::from_millis(25);
/// The share of its time for which a worker is busy then.
const WATCHED: f64 = 0.3;
/// The share of its time for which a worker has to be busy before others come to its help.
const FULL: f64 = 0.75;
/// How busy those that serve have to be on average before more of them do; below it, the load is only shared out anew.
const WELL_USED: f64 = 0.6;
/// How busy the rest may be on average when a worker retires.
const SPARE: f64 = 0.45;
/// For how long there has to be so little to do before one retires.
const CALM: Duration = Duration::from_secs(1);
/// By how much the loads of two workers differ before connections move.
const UNEVEN: f64 = 0.25;

/// Looks at the workers from time to time.
pub(crate) struct Balance {
    seats: Seats,
    settings: Arc<Settings>,
    long_work: Arc<LongWork>,
    policy: Policy,
    looked: Instant,
    /// How long each worker had been busy then, and how much long work was done.
    busy: Vec<Duration>,
    done: Duration,
    /// Time until the next look.
    period: Duration,
}

impl Balance {
    /// Begins with `worker-threads-min` workers.
    pub(crate) fn new(seats: Seats, settings: Arc<Settings>, long_work: Arc<LongWork>) -> Balance {
        let mut balance = Balance {
            policy: Policy::default(),
            looked: Instant::now(),
            busy: seats.busy().collect(),
            done: long_work.done(),
            period: PERIOD,
            long_work,
            seats,
            settings,
        };
        balance.policy.serving = balance.least();
        balance.seats.serve_with(balance.policy.serving);
        balance
    }

    /// The fewest workers that may serve.
    fn least(&self) -> usize {
        let least = usize::try_from(self.settings.int(id::WORKER_THREADS_MIN)).unwrap_or(1);
        least.clamp(1, self.seats.count().max(1))
    }

    /// Time until [`Self::look`] has something to do.
    pub(crate) fn rest(&self) -> Duration {
        match self.seats.count() {
            0 | 1 => Duration::MAX,
            _ => self.period.saturating_sub(self.looked.elapsed()),
        }
    }

    /// Decides anew, if it is time.
    pub(crate) fn look(&mut self) {
        if !self.rest().is_zero() {
            return;
        }
        let passed = self.looked.elapsed();
        self.looked += passed;
        let busy: Vec<Duration> = self.seats.busy().collect();
        let pairs = busy.iter().zip(&self.busy);
        let loads: Vec<f64> = pairs
            .map(|(now, then)| now.saturating_sub(*then).div_duration_f64(passed).min(1.0))
            .collect();
        self.busy = busy;
        let (done, running) = (self.long_work.done(), self.long_work.running());
        let long = done.saturating_sub(self.done).div_duration_f64(passed);
        self.done = done;
        let seen = Seen {
            loads: &loads,
            // What has not ended is in no sum yet.
            long: long.max(count(running)),
            passed,
        };
        let watched = loads.iter().any(|load| *load >= WATCHED);
        let before = self.policy.serving;
        let moves = self.policy.decide(&seen, self.least());
        self.period = match watched && self.policy.serving < loads.len() {
            true => QUICK_PERIOD,
            false => PERIOD,
        };
        let changed = self.policy.serving != before;
        self.seats.serve_with(self.policy.serving);
        for worker in 0..self.seats.count() {
            let found = moves.iter().find(|m| m.from == worker);
            let order = found.map_or(Order::STAY, |m| m.order);
            self.seats.tell(worker, order, changed);
        }
    }
}

/// Connections of one worker are to be at home at another.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Move {
    from: usize,
    order: Order,
}

/// What a look found.
struct Seen<'a> {
    /// The share of its time for which each worker was busy.
    loads: &'a [f64],
    /// How much long work was done meanwhile, in cores.
    long: f64,
    /// Time since the last look.
    passed: Duration,
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// The decisions, without clocks and threads.
#[derive(Default)]
struct Policy {
    /// How many workers serve.
    serving: usize,
    /// For how long there has been little to do.
    calm: Duration,
    /// The last look had connections move: what they do now has not been seen for a whole period.
    unsettled: bool,
}

impl Policy {
    /// Sets how many workers serve from now on, at least `least`, and gives who is to move.
    fn decide(&mut self, seen: &Seen<'_>, least: usize) -> Vec<Move> {
        let loads = seen.loads;
        let busy = &loads[..self.serving];
        let full = busy.iter().chain([&seen.long]).any(|load| *load >= FULL)
            && busy.iter().sum::<f64>() + seen.long >= WELL_USED * count(self.serving);
        let rest = self.serving.saturating_sub(1).max(1);
        self.calm = match loads.iter().sum::<f64>() + seen.long <= SPARE * count(rest) {
            true => self.calm.saturating_add(seen.passed),
            false => Duration::ZERO,
        };
        let unsettled = std::mem::take(&mut self.unsettled);
        let serving = if full || self.serving < least {
            (self.serving * 2).clamp(least, loads.len())
        } else if self.calm >= CALM && rest >= least {
            rest
        } else {
            self.serving
        };
        let mut moves = Vec::new();
        if self.serving != serving {
            self.serving = serving;
            self.calm = Duration::ZERO;
            self.unsettled = true;
        } else if !unsettled {
            moves = even_out(busy);
            self.unsettled = !moves.is_empty();
        }
        moves
    }
}

/// The busiest worker gives to the least busy one, the second to the second, as far as it is worth it.
fn even_out(loads: &[f64]) -> Vec<Move> {
    let mut order: Vec<usize> = (0..loads.len()).collect();
    order.sort_by(|a, b| loads[*a].total_cmp(&loads[*b]));
    let pairs = order.iter().zip(order.iter().rev()).take(order.len() / 2);
    let worth = pairs.filter_map(|(&light, &heavy)| {
        let more = loads[heavy] - loads[light];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 1/2
        let share = (more / 2.0 / loads[heavy] * f64::from(Order::ALL)).round() as u16;
        let to = u16::try_from(light).ok()?;
        let order = Order { to, share };
        (more >= UNEVEN && loads[heavy] >= WELL_USED).then_some(Move { from: heavy, order })
    });
    worth.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks that a second of calm takes.
    const LOOKS: usize = 10;

    fn serving(serving: usize) -> Policy {
        Policy {
            serving,
            ..Policy::default()
        }
    }

    fn decide(policy: &mut Policy, loads: &[f64], least: usize) -> Vec<Move> {
        beside(policy, loads, 0.0, least)
    }

    fn beside(policy: &mut Policy, loads: &[f64], long: f64, least: usize) -> Vec<Move> {
        let seen = Seen {
            loads,
            long,
            passed: PERIOD,
        };
        policy.decide(&seen, least)
    }

    /// What each of `all` workers has to do when the first `serving` share `total` evenly.
    fn shared(total: f64, serving: usize, all: usize) -> Vec<f64> {
        let each = (total / f64::from(u32::try_from(serving).unwrap())).min(1.0);
        (0..all)
            .map(|n| if n < serving { each } else { 0.0 })
            .collect()
    }

    #[test]
    fn a_full_load_gets_all_workers_within_a_second() {
        let mut policy = serving(1);
        for _ in 0..6 {
            let loads = shared(64.0, policy.serving, 64);
            decide(&mut policy, &loads, 1);
        }
        assert_eq!(policy.serving, 64);
    }

    #[test]
    fn a_small_load_ends_at_one_worker_one_by_one() {
        let mut policy = serving(4);
        let mut seen = vec![4];
        for _ in 0..LOOKS * 4 {
            let loads = shared(0.2, policy.serving, 4);
            assert!(decide(&mut policy, &loads, 1).is_empty());
            if seen.last() != Some(&policy.serving) {
                seen.push(policy.serving);
            }
        }
        assert_eq!(seen, [4, 3, 2, 1]);
    }

    #[test]
    fn a_steady_load_settles() {
        for tenths in 0..80 {
            let total = f64::from(tenths) / 10.0;
            for start in 1..=8 {
                let mut policy = serving(start);
                for _ in 0..LOOKS * 9 {
                    let loads = shared(total, policy.serving, 8);
                    decide(&mut policy, &loads, 1);
                }
                let settled = policy.serving;
                for _ in 0..LOOKS * 3 {
                    let loads = shared(total, policy.serving, 8);
                    decide(&mut policy, &loads, 1);
                    assert_eq!(policy.serving, settled, "load {total} from {start}");
                }
                let each = shared(total, settled, 8)[0];
                assert!(each < FULL || settled == 8, "load {total} from {start}");
            }
        }
    }

    #[test]
    fn so_many_workers_as_are_wanted_serve() {
        let mut policy = serving(1);
        decide(&mut policy, &[0.0; 8], 3);
        assert_eq!(policy.serving, 3);
        (0..LOOKS * 9).for_each(|_| drop(decide(&mut policy, &[0.0; 8], 2)));
        assert_eq!(policy.serving, 2);
    }

    #[test]
    fn the_busy_give_to_those_who_are_not() {
        let mut policy = serving(4);
        let moves = decide(&mut policy, &[0.9, 0.1, 0.2, 0.6], 4);
        let told: Vec<_> = moves.iter().map(|m| (m.from, m.order.to)).collect();
        assert_eq!(told, [(0, 1), (3, 2)]);
        // Half of the difference moves.
        let wanted = f64::from(Order::ALL) * 0.4 / 0.9;
        assert!((f64::from(moves[0].order.share) - wanted).abs() < 1.0);
        // What became of it is not in this look's figures yet.
        assert!(decide(&mut policy, &[0.9, 0.1, 0.2, 0.6], 4).is_empty());
        assert!(!decide(&mut policy, &[0.9, 0.1, 0.2, 0.6], 4).is_empty());
    }

    #[test]
    fn long_work_is_a_load_too() {
        let mut policy = serving(1);
        beside(&mut policy, &[0.1, 0.0], 1.0, 1);
        assert_eq!(policy.serving, 2);
        (0..LOOKS * 4).for_each(|_| drop(beside(&mut policy, &[0.1, 0.1], 0.5, 1)));
        assert_eq!(policy.serving, 2);
        (0..LOOKS * 2).for_each(|_| drop(beside(&mut policy, &[0.1, 0.1], 0.1, 1)));
        assert_eq!(policy.serving, 1);
    }

    #[test]
    fn loads_that_differ_little_stay_where_they_are() {
        assert!(decide(&mut serving(2), &[0.9, 0.7], 2).is_empty());
        assert!(decide(&mut serving(2), &[0.3, 0.0], 2).is_empty());
        assert!(decide(&mut serving(2), &[0.0, 0.0], 2).is_empty());
    }
}
