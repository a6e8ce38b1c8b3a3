//! The cut: every stripe at once.
//!
//! Invariants
//! - It waits while it holds stripes, in ascending order and under the permit; why that ends is said in `lock`.
//! - A database is held whole: all of its stripes, in their order.

use super::{Indexed, PATIENCE, StripeId, wait_too};
use crate::keyspace::guard::{Leave, StripeGuard, assert_nothing_held};
use crate::keyspace::{Database, Keyspace, STRIPES, Stripe};
use crate::sync::MutexGuard;

/// Every stripe of the databases in use, held together.
pub struct Cut<'a> {
    databases: Vec<(usize, Vec<StripeGuard<'a>>)>,
    keyspace: &'a Keyspace,
    /// Bytes that lived in databases when they came to be held later than the others.
    late_bytes: usize,
    // Last, so that the stripes are released before the permit.
    permit: MutexGuard<'a, ()>,
}

/// The stripes of a cut are counted through its databases, in the order in which it holds them.
impl Indexed for Cut<'_> {
    fn at(&self, index: usize) -> &Stripe {
        &self.databases[index / STRIPES].1[index % STRIPES]
    }

    fn at_mut(&mut self, index: usize) -> &mut Stripe {
        &mut self.databases[index / STRIPES].1[index % STRIPES]
    }
}

impl<'a> Cut<'a> {
    /// Waits for every stripe of every database in use. `None` when one of them, or another cut, stayed
    /// locked for longer than a request waits; then none is held, so that a long unit delays the cut alone.
    pub fn take(keyspace: &'a Keyspace) -> Option<Cut<'a>> {
        assert_nothing_held();
        let permit = keyspace.cut.try_lock_for(PATIENCE)?;
        let mut databases = Vec::new();
        for i in 0..keyspace.count() {
            if let Some(database) = keyspace.used(i) {
                databases.push((i, lock_all(database, Leave::of_permit(&permit))?));
            }
        }
        Some(Cut {
            databases,
            keyspace,
            late_bytes: 0,
            permit,
        })
    }

    /// A cut of stripes that are held already: all of every database that has any among them.
    pub(super) fn of(
        keyspace: &'a Keyspace,
        permit: MutexGuard<'a, ()>,
        mut stripes: Vec<(StripeId, StripeGuard<'a>)>,
    ) -> Cut<'a> {
        stripes.sort_unstable_by_key(|(id, _)| *id);
        let mut databases: Vec<(usize, Vec<StripeGuard<'a>>)> = Vec::new();
        for (id, guard) in stripes {
            match databases.last_mut() {
                Some((database, guards)) if *database == id.database() => guards.push(guard),
                _ => databases.push((id.database(), vec![guard])),
            }
        }
        Cut {
            databases,
            keyspace,
            late_bytes: 0,
            permit,
        }
    }

    /// Bytes that lived in the databases that [`Self::hold`] added, when it did.
    pub(crate) fn late_bytes(&self) -> usize {
        self.late_bytes
    }

    /// Where the stripes of a database begin in the count of all stripes held; it is held from now on.
    pub(crate) fn base(&mut self, database: usize) -> usize {
        self.hold(database);
        let at = self.databases.iter().position(|(i, _)| *i == database);
        at.unwrap_or(0) * STRIPES
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
            let leave = Leave::of_permit(&self.permit);
            let stripes = (0..STRIPES).map(|s| new.mutex(s));
            let guards: Vec<_> = stripes.map(|mutex| mutex.lock_too(leave)).collect();
            self.late_bytes += guards.iter().map(|g| g.live_bytes()).sum::<usize>();
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

    /// A stripe of a database that is held.
    pub(crate) fn stripe(&self, database: usize, stripe: usize) -> Option<&Stripe> {
        let (_, stripes) = self.databases.iter().find(|(i, _)| *i == database)?;
        stripes.get(stripe).map(|guard| &**guard)
    }

    /// As [`Self::stripe`], to change it.
    pub(crate) fn stripe_mut(&mut self, database: usize, stripe: usize) -> Option<&mut Stripe> {
        let (_, stripes) = self.databases.iter_mut().find(|(i, _)| *i == database)?;
        stripes.get_mut(stripe).map(|guard| &mut **guard)
    }

    /// Exchanges the contents of two databases, which both must be held (see [`Cut::hold`]). Who watches a key of theirs
    /// is told, unless it is as good as none before and after, for its time has come at `now_ms`.
    pub fn swap(&mut self, a: usize, b: usize, now_ms: i64) {
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
            let (x, y) = (&mut **x, &mut **y);
            let version = x.version.max(y.version) + 1;
            [x.version, y.version] = [version; 2];
            std::mem::swap(&mut x.interest, &mut y.interest);
            let mut interests = [x.interest.take(), y.interest.take()];
            for (interest, [before, now]) in interests.iter_mut().zip([[&*y, &*x], [&*x, &*y]]) {
                if let Some(interest) = interest {
                    interest.replaced(|key| before.has(key), |key| now.presence(key, now_ms));
                }
            }
            [x.interest, y.interest] = interests;
        }
    }
}

fn lock_all<'a>(database: &'a Database, leave: Leave<'_>) -> Option<Vec<StripeGuard<'a>>> {
    let lock = |s| {
        let mutex = database.mutex(s);
        mutex.try_lock().or_else(|| wait_too(mutex, leave))
    };
    (0..STRIPES).map(lock).collect()
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    /// What others put into a database before the cut came to it is no change by the cut's holder: `late_bytes` says
    /// how much that is.
    #[test]
    fn what_lived_in_a_database_before_it_was_held_is_told() {
        let keyspace = Keyspace::new(3, 1);
        let mut cut = Cut::take(&keyspace).expect("nobody holds a stripe");
        assert_eq!(cut.used().collect::<Vec<_>>(), [0]);
        let put = |database: usize, key: &'static [u8]| {
            let hash = keyspace.hasher().hash(key);
            let mut stripe = keyspace.database(database).stripe(3);
            let stored = stripe.set(hash, key, None, &[b'v'; 300], None, 0);
            assert!(stored.is_ok());
            stripe.live_bytes()
        };
        // Another thread: the one that holds the cut may not wait for a stripe.
        let lived = std::thread::scope(|scope| scope.spawn(|| put(2, b"key")).join());
        let lived = lived.expect("no panic");
        assert!(lived > 300 && cut.late_bytes() == 0);
        cut.hold(2);
        assert_eq!(cut.late_bytes(), lived);
        assert_eq!(cut.used().collect::<Vec<_>>(), [0, 2]);
        // Once, and one that nobody used adds nothing.
        cut.hold(2);
        cut.hold(1);
        assert_eq!(cut.late_bytes(), lived);
        assert_eq!(
            cut.stripes(2)
                .map(|stripe| stripe.live_bytes())
                .sum::<usize>(),
            lived
        );
    }
}
