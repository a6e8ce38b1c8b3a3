//! The only place where two stripe locks are held at once.
//!
//! Invariants
//! - A plan of several stripes locks one, *tries* the others, and on failure releases everything and
//!   starts over at the contended one: a plan never waits for a stripe while it holds another.
//! - A cut waits while holding stripes, in ascending order, under the permit that only one cut has at
//!   a time. That cannot deadlock: everybody else who holds a stripe is not waiting, so it lets go.
//! - A plan that failed [`ATTEMPTS`] times takes the same permit and waits as a cut does, so that a
//!   request of very many keys is not put off for ever; it gives the permit back once it has its stripes.
//! - Stripes are named by (database, stripe) pairs; the same pair is locked once.

use super::{Keyspace, STRIPES, Stripe};
use parking_lot::MutexGuard;
use smallvec::SmallVec;

/// How often a plan tries to get its stripes without waiting.
const ATTEMPTS: usize = 32;

/// A database and a stripe in it, as one number that sorts by both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
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
}

/// The stripes that one command holds, in ascending order.
pub struct Locked<'a> {
    guards: Guards<'a>,
}

/// One guard is the common case and allocates nothing.
enum Guards<'a> {
    One(MutexGuard<'a, Stripe>),
    Many(Vec<MutexGuard<'a, Stripe>>),
}

impl<'a> Locked<'a> {
    /// Takes the stripes of `ids`, which are sorted and unique.
    #[inline]
    pub fn take(keyspace: &'a Keyspace, ids: &[StripeId]) -> Locked<'a> {
        if let [id] = ids {
            return Locked {
                guards: Guards::One(keyspace.database(id.database()).mutex(id.stripe()).lock()),
            };
        }
        Self::take_many(keyspace, ids)
    }

    fn take_many(keyspace: &'a Keyspace, ids: &[StripeId]) -> Locked<'a> {
        let mutex = |id: &StripeId| keyspace.database(id.database()).mutex(id.stripe());
        let mut first = 0;
        'again: for _ in 0..ATTEMPTS {
            let mut held: SmallVec<[Option<MutexGuard<'a, Stripe>>; 8]> =
                ids.iter().map(|_| None).collect();
            if let Some(id) = ids.get(first) {
                held[first] = Some(mutex(id).lock());
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
            return Locked {
                guards: Guards::Many(held.into_iter().flatten().collect()),
            };
        }
        let _permit = keyspace.cut.lock();
        Locked {
            guards: Guards::Many(ids.iter().map(|id| mutex(id).lock()).collect()),
        }
    }

    /// Lends the stripes.
    #[inline]
    pub fn lend(&mut self) -> Lent<'_> {
        Lent {
            stripes: match &mut self.guards {
                Guards::One(guard) => LentStripes::One(guard),
                Guards::Many(guards) => {
                    LentStripes::Many(guards.iter_mut().map(|g| &mut **g).collect())
                }
            },
        }
    }

    /// The stripe that was `index`-th in the list of ids.
    #[inline]
    pub fn stripe(&self, index: usize) -> &Stripe {
        match &self.guards {
            Guards::One(guard) => guard,
            Guards::Many(guards) => &guards[index],
        }
    }

    /// The stripe that was `index`-th in the list of ids, to change it.
    #[inline]
    pub fn stripe_mut(&mut self, index: usize) -> &mut Stripe {
        match &mut self.guards {
            Guards::One(guard) => guard,
            Guards::Many(guards) => &mut guards[index],
        }
    }
}

/// Locked stripes, lent to a handler.
pub struct Lent<'a> {
    stripes: LentStripes<'a>,
}

enum LentStripes<'a> {
    One(&'a mut Stripe),
    Many(SmallVec<[&'a mut Stripe; 8]>),
}

impl Lent<'_> {
    /// The stripe that was `index`-th in the list of ids.
    #[inline]
    pub fn stripe(&self, index: usize) -> &Stripe {
        match &self.stripes {
            LentStripes::One(stripe) => stripe,
            LentStripes::Many(stripes) => stripes[index],
        }
    }

    /// The stripe that was `index`-th in the list of ids, to change it.
    #[inline]
    pub fn stripe_mut(&mut self, index: usize) -> &mut Stripe {
        match &mut self.stripes {
            LentStripes::One(stripe) => stripe,
            LentStripes::Many(stripes) => stripes[index],
        }
    }
}

/// Every stripe of the databases in use, held together.
pub struct Cut<'a> {
    databases: Vec<(usize, Vec<MutexGuard<'a, Stripe>>)>,
    keyspace: &'a Keyspace,
    // Last, so that the stripes are released before the permit.
    _permit: MutexGuard<'a, ()>,
}

impl<'a> Cut<'a> {
    /// Waits for every stripe of every database in use.
    pub fn take(keyspace: &'a Keyspace) -> Cut<'a> {
        let permit = keyspace.cut.lock();
        let lock_all = |i: usize| {
            let database = keyspace.used(i)?;
            Some((i, (0..STRIPES).map(|s| database.mutex(s).lock()).collect()))
        };
        let databases = (0..keyspace.count()).filter_map(lock_all).collect();
        Cut {
            databases,
            keyspace,
            _permit: permit,
        }
    }

    /// The keyspace that is held.
    pub fn keyspace(&self) -> &'a Keyspace {
        self.keyspace
    }

    /// Indexes of the databases held.
    pub fn used(&self) -> impl Iterator<Item = usize> {
        self.databases.iter().map(|(i, _)| *i)
    }

    /// Holds a database that was not in use when the cut began, too.
    ///
    /// What others did to it meanwhile came before anything that the holder does. Waiting for its
    /// stripes while holding the others is safe for the same reason as it is in [`Cut::take`].
    pub fn hold(&mut self, database: usize) {
        if self.databases.iter().all(|(i, _)| *i != database) {
            let new = self.keyspace.database(database);
            let guards = (0..STRIPES).map(|s| new.mutex(s).lock()).collect();
            self.databases.push((database, guards));
        }
    }

    /// The stripes of a database in use.
    pub fn stripes(&mut self, database: usize) -> impl Iterator<Item = &mut Stripe> {
        self.databases
            .iter_mut()
            .filter(move |(i, _)| *i == database)
            .flat_map(|(_, s)| s.iter_mut().map(|g| &mut **g))
    }

    /// Exchanges the contents of two databases, which both must be held (see [`Cut::hold`]).
    pub fn swap(&mut self, a: usize, b: usize) {
        let at = |i| self.databases.iter().position(|(d, _)| *d == i);
        let (Some(a), Some(b)) = (at(a), at(b)) else {
            return;
        };
        if a == b {
            return;
        }
        let (low, high) = self.databases.split_at_mut(a.max(b));
        for (x, y) in low[a.min(b)].1.iter_mut().zip(high[0].1.iter_mut()) {
            std::mem::swap(&mut **x, &mut **y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    /// Plans of all stripes, of two, and cuts, while other threads never leave the stripes alone.
    #[test]
    fn everybody_gets_what_they_wait_for() {
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
                        drop(Locked::take(keyspace, &all[at..at + 1 + step % 2]));
                    }
                });
            }
            let plans = scope.spawn(|| {
                for _ in 0..200 {
                    let locked = Locked::take(&keyspace, &all);
                    assert!(locked.stripe(STRIPES - 1).is_empty());
                }
            });
            let cuts: usize = (0..50).map(|_| Cut::take(&keyspace).used().count()).sum();
            let planned = plans.join();
            stop.store(true, Relaxed);
            assert!(planned.is_ok() && cuts == 50);
        });
    }
}
