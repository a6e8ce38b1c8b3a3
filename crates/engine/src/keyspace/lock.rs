//! The only place where a stripe is waited for while others are held, and where several are held to be changed.
//!
//! Invariants
//! - Hints for a window (`exec::ahead`) hold several stripes too, only to look at; they try each once, wait for none, and
//!   let all go before anything runs.
//! - A plan of several stripes locks one, *tries* the others, and on failure releases everything and
//!   starts over at the contended one: a plan never waits for a stripe while it holds another.
//! - A cut waits while holding stripes, in ascending order, under the permit that only one cut has at
//!   a time. That cannot deadlock: everybody else who holds a stripe is not waiting, so it lets go.
//! - A plan that failed [`ATTEMPTS`] times takes the same permit and waits as a cut does, so that a
//!   request of very many keys is not put off for ever; it gives the permit back once it has its stripes.
//! - A unit that holds stripes and reaches for more, or for the permit and all others, waits for a bounded time
//!   only, and lets nothing go. Whoever waits for what it holds meanwhile ends first, or it gives up.
//! - Stripes are named by (database, stripe) pairs; the same pair is locked once.
//! - A request waits for [`PATIENCE`] at most: who holds a stripe for longer (a script, a long
//!   transaction) must not stop the other connections of the waiting worker. The request is then
//!   tried again later.

mod cut;
mod stripes;

pub use cut::Cut;
pub use stripes::Stripes;

use super::guard::{Leave, StripeGuard, StripeLock};
use super::{Keyspace, STRIPES, Stripe};
use crate::ports::Runtime;
use smallvec::SmallVec;
use std::time::Duration;

/// How often a plan tries to get its stripes without waiting.
const ATTEMPTS: usize = 32;
/// How often a unit that lacks a stripe waits for it.
const REACHES: usize = 4;
/// How long a request waits for a stripe before it is put off.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// Waits for a stripe that is locked, as long as a request may, while holding none.
#[cold]
fn wait(mutex: &StripeLock) -> Option<StripeGuard<'_>> {
    mutex.try_lock_for(PATIENCE)
}

/// As [`wait`], for who may hold others.
#[cold]
fn wait_too<'a>(mutex: &'a StripeLock, leave: Leave<'_>) -> Option<StripeGuard<'a>> {
    mutex.try_lock_too_for(PATIENCE, leave)
}

/// A database and a stripe in it, as one number that sorts by both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct StripeId(u32);

impl StripeId {
    /// Names a stripe of a database.
    #[inline]
    pub fn new(database: usize, stripe: usize) -> StripeId {
        // Lossless: databases are limited to i32::MAX / 256 by the settings, stripes to 256.
        StripeId((database as u32) << 8 | stripe as u32 & 0xFF)
    }

    /// The database's index.
    pub fn database(self) -> usize {
        (self.0 >> 8) as usize
    }

    /// The stripe's index in it.
    pub fn stripe(self) -> usize {
        (self.0 & 0xFF) as usize
    }

    #[inline]
    fn lock_of(self, keyspace: &Keyspace) -> &StripeLock {
        keyspace.database(self.database()).mutex(self.stripe())
    }
}

/// Locked stripes by their place in the list of ids that they were taken by.
trait Indexed {
    fn at(&self, index: usize) -> &Stripe;
    fn at_mut(&mut self, index: usize) -> &mut Stripe;
}

impl Indexed for Vec<StripeGuard<'_>> {
    fn at(&self, index: usize) -> &Stripe {
        &self[index]
    }

    fn at_mut(&mut self, index: usize) -> &mut Stripe {
        &mut self[index]
    }
}

/// The stripes that one command holds, in ascending order.
pub struct Locked<'a> {
    guards: Guards<'a>,
}

/// One guard is the common case and allocates nothing. Everything else lies apart: two words move in registers, three went
/// through memory, written in parts and read whole, which the processor waits for.
enum Guards<'a> {
    One(StripeGuard<'a>),
    Several(Box<Several<'a>>),
}

enum Several<'a> {
    Many(Vec<StripeGuard<'a>>),
    All(Cut<'a>),
}

impl<'a> Guards<'a> {
    fn many(guards: Vec<StripeGuard<'a>>) -> Guards<'a> {
        Guards::Several(Box::new(Several::Many(guards)))
    }

    fn all(cut: Cut<'a>) -> Guards<'a> {
        Guards::Several(Box::new(Several::All(cut)))
    }
}

impl<'a> Several<'a> {
    /// As dropping them, off the way of one.
    #[cold]
    fn release(self) {}

    fn indexed(&self) -> &(dyn Indexed + 'a) {
        match self {
            Several::Many(guards) => guards,
            Several::All(cut) => cut,
        }
    }

    fn indexed_mut(&mut self) -> &mut (dyn Indexed + 'a) {
        match self {
            Several::Many(guards) => guards,
            Several::All(cut) => cut,
        }
    }
}

impl<'a> Locked<'a> {
    /// One stripe, if nobody has it. Never waits.
    #[inline(always)] // on the way of nearly every request
    pub(crate) fn try_one(keyspace: &'a Keyspace, id: StripeId) -> Option<Locked<'a>> {
        id.lock_of(keyspace).try_lock().map(Locked::one)
    }

    /// Takes the stripes of `ids`, which are sorted and unique. `None` when one of them stayed locked for
    /// longer than a request waits; then none is held.
    #[inline(always)] // one attempt to lock, for nearly every request
    pub fn take(keyspace: &'a Keyspace, ids: &[StripeId]) -> Option<Locked<'a>> {
        if let [id] = ids {
            return match Self::try_one(keyspace, *id) {
                None => wait(id.lock_of(keyspace)).map(Locked::one),
                locked => locked,
            };
        }
        Self::take_many(keyspace, ids)
    }

    fn take_many(keyspace: &'a Keyspace, ids: &[StripeId]) -> Option<Locked<'a>> {
        let mutex = |id: &StripeId| id.lock_of(keyspace);
        let mut guards = Vec::with_capacity(ids.len());
        guards.extend(ids.iter().map_while(|id| mutex(id).try_lock()));
        if guards.len() == ids.len() {
            return Some(Locked::many(guards));
        }
        let mut first = guards.len();
        drop(guards);
        'again: for _ in 0..ATTEMPTS {
            let mut held: SmallVec<[Option<StripeGuard<'a>>; 8]> =
                ids.iter().map(|_| None).collect();
            if let Some(id) = ids.get(first) {
                held[first] = Some(wait(mutex(id))?);
            }
            for (i, id) in ids.iter().enumerate() {
                if i == first {
                    continue;
                }
                match mutex(id).try_lock() {
                    Some(guard) => held[i] = Some(guard),
                    None => {
                        first = i;
                        continue 'again;
                    }
                }
            }
            return Some(Locked::many(held.into_iter().flatten().collect()));
        }
        let permit = keyspace.cut.try_lock_for(PATIENCE)?;
        let leave = Leave::of_permit(&permit);
        let all: Option<Vec<_>> = ids.iter().map(|id| wait_too(mutex(id), leave)).collect();
        Some(Locked::many(all?))
    }

    #[inline]
    fn one(guard: StripeGuard<'a>) -> Locked<'a> {
        Locked {
            guards: Guards::One(guard),
        }
    }

    fn many(guards: Vec<StripeGuard<'a>>) -> Locked<'a> {
        Locked {
            guards: Guards::many(guards),
        }
    }

    /// Releases the stripes. As dropping them, without a call where there is one.
    #[inline(always)] // on the way of nearly every read
    pub(crate) fn release(self) {
        match self.guards {
            Guards::One(guard) => drop(guard),
            Guards::Several(several) => (*several).release(),
        }
    }

    /// Whether exactly one stripe is held.
    #[inline]
    pub(crate) fn is_one(&self) -> bool {
        matches!(self.guards, Guards::One(_))
    }

    /// One stripe, however long that takes; nothing else may be held.
    pub(crate) fn wait_for(
        keyspace: &'a Keyspace,
        id: StripeId,
        runtime: &dyn Runtime,
    ) -> Locked<'a> {
        let database = keyspace.database(id.database());
        Locked::one(database.stripe_at_last(id.stripe(), runtime))
    }

    /// Every stripe, as a cut holds them.
    pub(crate) fn everything(cut: Cut<'a>) -> Locked<'a> {
        Locked {
            guards: Guards::all(cut),
        }
    }

    /// The cut, if every stripe is held.
    pub(crate) fn cut_mut(&mut self) -> Option<&mut Cut<'a>> {
        match &mut self.guards {
            Guards::Several(several) => match &mut **several {
                Several::All(cut) => Some(cut),
                Several::Many(_) => None,
            },
            Guards::One(_) => None,
        }
    }

    /// Which of the stripes held is `id`; `ids` are those held, in the order in which they were taken, unless all are.
    pub(crate) fn index_of(&mut self, ids: &[StripeId], id: StripeId) -> Option<usize> {
        match self.cut_mut() {
            Some(cut) => Some(cut.base(id.database()) + id.stripe()),
            // In order but for the few at the end that were added later.
            None => ids
                .binary_search(&id)
                .ok()
                .or_else(|| ids.iter().position(|held| *held == id)),
        }
    }

    /// As [`Self::cut_mut`], to look at.
    pub(crate) fn cut(&self) -> Option<&Cut<'a>> {
        match &self.guards {
            Guards::Several(several) => match &**several {
                Several::All(cut) => Some(cut),
                Several::Many(_) => None,
            },
            Guards::One(_) => None,
        }
    }

    /// The cut, if every stripe is held; else the stripes as they were.
    pub(crate) fn into_cut(self) -> Result<Cut<'a>, Locked<'a>> {
        let guards = match self.guards {
            Guards::One(guard) => Guards::One(guard),
            Guards::Several(several) => match *several {
                Several::All(cut) => return Ok(cut),
                Several::Many(guards) => Guards::many(guards),
            },
        };
        Err(Locked { guards })
    }

    /// Adds a stripe if nobody has it; its index is the number of those held before. Never waits.
    pub(crate) fn try_add(&mut self, keyspace: &'a Keyspace, id: StripeId) -> bool {
        let mutex = id.lock_of(keyspace);
        let Some(guard) = mutex.try_lock() else {
            return false;
        };
        self.add(guard);
        true
    }

    /// As [`Self::try_add`], but waits for a bounded time. Of two that lack each other's stripes, one gives up: only
    /// one at a time may insist.
    pub(crate) fn reach(&mut self, keyspace: &'a Keyspace, id: StripeId) -> bool {
        let permit = keyspace.reaching.try_lock();
        let tries = if permit.is_some() { REACHES } else { 1 };
        self.try_add(keyspace, id) || (0..tries).any(|_| self.wait_add(keyspace, id))
    }

    fn wait_add(&mut self, keyspace: &'a Keyspace, id: StripeId) -> bool {
        let mutex = id.lock_of(keyspace);
        let Some(guard) = wait_too(mutex, Leave::to_reach()) else {
            return false;
        };
        self.add(guard);
        true
    }

    /// As [`Self::reach`], for every stripe of every database in use: a cut is held afterwards. `ids` are those held, in
    /// the order in which they were taken. They stay held whatever comes of it.
    pub(crate) fn reach_everything(&mut self, keyspace: &'a Keyspace, ids: &[StripeId]) -> bool {
        if self.cut().is_some() {
            return true;
        }
        let insists = keyspace.reaching.try_lock();
        let mut tries = if insists.is_some() { REACHES } else { 1 };
        let Some(permit) = (0..tries).find_map(|_| keyspace.cut.try_lock_for(PATIENCE)) else {
            return false;
        };
        let mut added = Vec::new();
        let used = (0..keyspace.count()).filter(|db| keyspace.used(*db).is_some());
        for id in used.flat_map(|db| (0..STRIPES).map(move |s| StripeId::new(db, s))) {
            if ids.contains(&id) {
                continue;
            }
            let mutex = id.lock_of(keyspace);
            let leave = Leave::of_permit(&permit);
            let guard = loop {
                match mutex.try_lock().or_else(|| wait_too(mutex, leave)) {
                    Some(guard) => break guard,
                    None if tries > 1 => tries -= 1,
                    None => return false,
                }
            };
            added.push((id, guard));
        }
        let own = match std::mem::replace(&mut self.guards, Guards::many(Vec::new())) {
            Guards::One(guard) => vec![guard],
            Guards::Several(several) => match *several {
                Several::Many(guards) => guards,
                // Not met: see above.
                Several::All(_) => Vec::new(),
            },
        };
        added.extend(ids.iter().copied().zip(own));
        let cut = Cut::of(keyspace, permit, added);
        self.guards = Guards::all(cut);
        true
    }

    fn add(&mut self, guard: StripeGuard<'a>) {
        if let Guards::Several(several) = &mut self.guards {
            if let Several::Many(guards) = &mut **several {
                guards.push(guard);
            }
            // Else every stripe is there already.
            return;
        }
        if let Guards::One(first) = std::mem::replace(&mut self.guards, Guards::many(Vec::new())) {
            self.guards = Guards::many(vec![first, guard]);
        }
    }

    /// Lends the stripes.
    #[inline]
    pub fn lend(&mut self) -> Lent<'_> {
        Lent {
            stripes: match &mut self.guards {
                Guards::One(guard) => LentStripes::One(guard),
                Guards::Several(several) => LentStripes::Many(several.indexed_mut()),
            },
        }
    }

    /// The stripe that was `index`-th in the list of ids.
    #[inline]
    pub fn stripe(&self, index: usize) -> &Stripe {
        match &self.guards {
            Guards::One(guard) => guard,
            Guards::Several(several) => several.indexed().at(index),
        }
    }

    /// The stripe that was `index`-th in the list of ids, to change it.
    #[inline]
    pub fn stripe_mut(&mut self, index: usize) -> &mut Stripe {
        match &mut self.guards {
            Guards::One(guard) => guard,
            Guards::Several(several) => several.indexed_mut().at_mut(index),
        }
    }
}

/// Locked stripes, lent to a handler.
pub struct Lent<'a> {
    stripes: LentStripes<'a>,
}

enum LentStripes<'a> {
    One(&'a mut Stripe),
    Many(&'a mut (dyn Indexed + 'a)),
}

impl Lent<'_> {
    /// The stripe that was `index`-th in the list of ids.
    #[inline]
    pub fn stripe(&self, index: usize) -> &Stripe {
        match &self.stripes {
            LentStripes::One(stripe) => stripe,
            LentStripes::Many(stripes) => stripes.at(index),
        }
    }

    /// The stripe that was `index`-th in the list of ids, to change it.
    #[inline]
    pub fn stripe_mut(&mut self, index: usize) -> &mut Stripe {
        match &mut self.stripes {
            LentStripes::One(stripe) => stripe,
            LentStripes::Many(stripes) => stripes.at_mut(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Instant;

    /// What is held stays so, and counts as a cut counts it, when all other stripes are added or one of them is not to be had.
    #[test]
    fn some_stripes_become_a_cut() {
        let keyspace = Keyspace::new(3, 1);
        // Held out of order, in two databases.
        let ids = [(2, 9), (0, 7), (0, 3)].map(|(db, s)| StripeId::new(db, s));
        let mut locked = Locked::take(&keyspace, &ids[..1]).expect("nobody has it");
        assert!(ids[1..].iter().all(|id| locked.try_add(&keyspace, *id)));
        let other = keyspace.database(2).mutex(200).try_lock();
        assert!(!locked.reach_everything(&keyspace, &ids));
        assert!(locked.cut().is_none());
        assert!(keyspace.cut.try_lock().is_some(), "the permit was kept");
        assert!(keyspace.database(0).mutex(0).try_lock().is_some());
        drop(other);
        assert!(locked.reach_everything(&keyspace, &ids));
        let cut = locked.cut().expect("everything");
        assert_eq!(cut.used().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(locked.index_of(&[], ids[0]), Some(STRIPES + 9));
        for database in [0, 2] {
            let mut stripes = (0..STRIPES).map(|s| keyspace.database(database).mutex(s));
            assert!(stripes.all(|mutex| mutex.try_lock().is_none()));
        }
        assert!(locked.reach_everything(&keyspace, &[]), "it is there");
        drop(locked);
        assert!(Cut::take(&keyspace).is_some());
    }

    /// Plans of all stripes, of two, and cuts, while other threads never leave the stripes alone. One that had to
    /// wait too long, for the machine was busy, tries again, as connections do.
    #[test]
    fn everybody_gets_what_they_wait_for() {
        fn insist<T>(mut take: impl FnMut() -> Option<T>) -> T {
            let deadline = Instant::now() + Duration::from_secs(60);
            loop {
                if let Some(taken) = take() {
                    return taken;
                }
                assert!(Instant::now() < deadline, "never got it");
            }
        }
        let keyspace = Keyspace::new(1, 1);
        // In use from the start, so that every cut holds it.
        keyspace.database(0);
        let all: Vec<StripeId> = (0..STRIPES).map(|s| StripeId::new(0, s)).collect();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let (keyspace, all, stop) = (&keyspace, &all, &stop);
                scope.spawn(move || {
                    for step in 0.. {
                        if stop.load(Relaxed) {
                            break;
                        }
                        let at = (step * 7 + thread) % (STRIPES - 1);
                        let ids = &all[at..at + 1 + step % 2];
                        drop(insist(|| Locked::take(keyspace, ids)));
                    }
                });
            }
            let plans = scope.spawn(|| {
                for _ in 0..200 {
                    let locked = insist(|| Locked::take(&keyspace, &all));
                    assert!(locked.stripe(STRIPES - 1).is_empty());
                }
            });
            let cuts: usize = (0..50)
                .map(|_| insist(|| Cut::take(&keyspace)).used().count())
                .sum();
            let planned = plans.join();
            stop.store(true, Relaxed);
            assert!(planned.is_ok() && cuts == 50);
        });
    }
}

#[cfg(all(test, feature = "shuttle"))]
mod schedules {
    use super::*;
    use shuttle::thread;
    use std::sync::Arc;

    fn scenario() {
        let keyspace = Arc::new(Keyspace::new(1, 1));
        keyspace.database(0);
        let ids = [0, 1, 2].map(|s| StripeId::new(0, s));
        let reaches = |first: usize, second: usize| {
            let keyspace = keyspace.clone();
            thread::spawn(move || {
                let mut locked = Locked::take(&keyspace, &[ids[first]])?;
                Some(locked.reach(&keyspace, ids[second]))
            })
        };
        let reaches_everything = |first: usize| {
            let keyspace = keyspace.clone();
            thread::spawn(move || {
                let mut locked = Locked::take(&keyspace, &[ids[first]])?;
                let reached = locked.reach_everything(&keyspace, &[ids[first]]);
                // What it had it has, and everything else if that was said.
                assert!(keyspace.database(0).mutex(first).try_lock().is_none());
                assert_eq!(locked.cut().is_some(), reached);
                Some(reached)
            })
        };
        let reach = [
            reaches(0, 1),
            reaches(1, 2),
            reaches_everything(2),
            reaches_everything(0),
        ];
        let plan = {
            let keyspace = keyspace.clone();
            thread::spawn(move || Locked::take(&keyspace, &ids).is_some())
        };
        let cut = Cut::take(&keyspace).is_some();
        let reached = reach.map(|t| t.join().expect("no panic"));
        plan.join().expect("no panic");
        let _: (bool, [Option<bool>; 4]) = (cut, reached);
        // Whoever gave up let everything go.
        assert!(Locked::take(&keyspace, &ids).is_some());
    }

    /// Units that reach for each other's stripes or for all, a plan and a cut: everybody ends.
    #[test]
    fn units_that_reach_for_each_others_stripes_end() {
        shuttle::check_random(scenario, 1000);
        shuttle::check_pct(scenario, 1000, 3);
    }
}
