//! Stripes lent one by one, to commands over whole databases.
//!
//! Invariant: one stripe is locked at a time, unless a cut holds them all.

use super::{Cut, Indexed};
use crate::keyspace::{Cursor, Keyspace, STRIPES, Stripe};
use crate::ports::Runtime;
use ochre_ds::table::Position;
use std::cell::RefCell;

/// The stripes as commands over whole databases see them: locked one at a time, or held already by the
/// unit that the command is part of.
pub struct Stripes<'a> {
    keyspace: &'a Keyspace,
    /// Lets other connections of a worker go on while one waits.
    runtime: &'a dyn Runtime,
    held: Option<RefCell<&'a mut (dyn Everything + 'a)>>,
}

/// What holds every stripe.
trait Everything {
    /// `None` for a database that nobody used when the stripes were taken: it is empty.
    fn get(&mut self, database: usize, stripe: usize) -> Option<&mut Stripe>;
    fn hold(&mut self, database: usize, stripe: usize) -> &mut Stripe;
}

impl Everything for Cut<'_> {
    fn get(&mut self, database: usize, stripe: usize) -> Option<&mut Stripe> {
        self.stripe_mut(database, stripe)
    }

    fn hold(&mut self, database: usize, stripe: usize) -> &mut Stripe {
        let base = self.base(database);
        self.at_mut(base + stripe)
    }
}

impl<'a> Stripes<'a> {
    /// Stripes that nobody holds yet.
    #[inline]
    pub fn free(keyspace: &'a Keyspace, runtime: &'a dyn Runtime) -> Stripes<'a> {
        Stripes {
            keyspace,
            runtime,
            held: None,
        }
    }

    /// Stripes that a cut holds.
    pub(crate) fn of_cut(cut: &'a mut Cut<'_>, runtime: &'a dyn Runtime) -> Stripes<'a> {
        Stripes {
            keyspace: cut.keyspace(),
            runtime,
            held: Some(RefCell::new(cut)),
        }
    }

    /// Number of databases, used or not.
    pub fn databases(&self) -> usize {
        self.keyspace.count()
    }

    /// Lends a stripe; `None` for a database that was never used. `work` must not ask for another stripe.
    pub fn with<R>(
        &self,
        database: usize,
        stripe: usize,
        work: impl FnOnce(&mut Stripe) -> R,
    ) -> Option<R> {
        match &self.held {
            None => {
                let database = self.keyspace.used(database)?;
                Some(work(&mut database.stripe_at_last(stripe, self.runtime)))
            }
            Some(held) => held.borrow_mut().get(database, stripe).map(work),
        }
    }

    /// As [`Self::with`]; a database that was never used is allocated.
    pub(crate) fn with_new<R>(
        &self,
        database: usize,
        stripe: usize,
        work: impl FnOnce(&mut Stripe) -> R,
    ) -> R {
        match &self.held {
            None => {
                let database = self.keyspace.database(database);
                work(&mut database.stripe_at_last(stripe, self.runtime))
            }
            Some(held) => work(held.borrow_mut().hold(database, stripe)),
        }
    }

    /// Lends the stripe under `cursor` with the position in it, and returns where to go on.
    ///
    /// `step` gives back the next position in the stripe, 0 when it is done with it.
    pub(crate) fn step(
        &self,
        database: usize,
        cursor: Cursor,
        step: impl FnOnce(&mut Stripe, Position) -> Position,
    ) -> Cursor {
        let (index, position) = cursor.parts();
        match self.with(database, index, |stripe| step(stripe, position)) {
            None => Cursor::START,
            Some(0) => Cursor::at(index + 1, 0),
            Some(next) => Cursor::at(index, next),
        }
    }

    /// Number of keys of a database, expired ones that were not removed yet included.
    pub fn len(&self, database: usize) -> usize {
        (0..STRIPES)
            .filter_map(|i| self.with(database, i, |stripe| stripe.len()))
            .sum()
    }
}
