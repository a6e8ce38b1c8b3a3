//! A stripe that stays locked from one request of a batch to the next, when both need nothing else.
//!
//! Pipelines on one key then take its lock once a window instead of once a request, and the key's
//! memory changes cores that much less often.
//!
//! Invariants
//! - A stripe is kept only for a request that was found to need exactly this stripe and little time
//!   ([`Engine::follower`]); so nothing waits for another lock while one is kept.
//! - It is kept for at most one window of requests, and never across an await.

use super::Engine;
use super::ahead::{Ahead, Entries};
use super::plan::{Known, Plan};
use super::unit::Unit;
use crate::keyspace::lock::StripeId;
use crate::keyspace::{Keyspace, Locked, Value, stripe_of};
use crate::spec::{Flags, Run};
use ochre_ds::hash::HashRef;
use ochre_ds::set::SetRef;
use ochre_ds::table::Likely;
use ochre_ds::zset::ZsetRef;
use ochre_resp::Request;

/// See the module's documentation. Dropping it releases the stripe.
#[derive(Default)]
pub struct Held<'e> {
    stripe: Option<Locked<'e>>,
    /// Which one it is, if there is one.
    id: StripeId,
    follower: Follower,
    /// What the requests of the window need.
    pub(super) entries: Entries,
    /// The unit that the requests are part of.
    pub(crate) unit: Option<Box<Unit<'e>>>,
}

/// What is known of the request after the present one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Follower {
    /// Nothing, or there is none in this window.
    #[default]
    Other,
    /// It needs the same stripe, and both need it for a short time.
    SameStripe,
    /// It is of the same command, whose requests are done together: see [`Flags::JOINED`].
    Joins,
}

/// Why a request did not get its stripes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// Somebody has held one of them for longer than a request waits: to be tried again later.
    Busy,
    /// The unit that the request is part of does not hold one of them.
    Undeclared,
}

impl<'e> Held<'e> {
    /// Says what follows the request that is to be executed now: [`Engine::follower`].
    #[inline]
    pub fn expect(&mut self, follower: Follower) {
        self.follower = follower;
    }

    /// Whether the present request may be done together with the one after it.
    pub(crate) fn joins(&self) -> bool {
        self.follower == Follower::Joins && self.unit.is_none()
    }

    /// Whether a stripe is held.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.stripe.is_some()
    }

    /// Whether nothing is held, nothing is to be, and the request is part of no unit.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.stripe.is_none() && self.follower != Follower::SameStripe && self.unit.is_none()
    }

    /// Sees to it that a plan tells what is known of its only key: from the request before, whose stripe is held, or from
    /// looking ahead.
    #[inline]
    pub(super) fn recall(&mut self, plan: &mut Plan, db: usize) {
        if self.stripe.is_none() || plan.hash != Some(plan.known.hash) {
            let known = plan.hash.and_then(|hash| self.entries.known(db, hash));
            plan.known = known.copied().unwrap_or_default();
        }
    }

    /// The stripes of a plan: the one held, if that is all, or freshly locked after it is released. `None`: see
    /// [`Self::refusal`].
    #[inline(always)] // on the way of every request with a key
    pub(crate) fn take(
        &mut self,
        keyspace: &'e Keyspace,
        plan: &mut Plan,
        db: usize,
    ) -> Option<Locked<'e>> {
        if let Some(locked) = self.stripe.take() {
            if plan.stripes[..] == [self.id] {
                self.entries.step();
                return Some(locked);
            }
            drop(locked);
        }
        if let Some(unit) = &mut self.unit {
            return unit.lend(plan, db);
        }
        let locked = Locked::take(keyspace, &plan.stripes);
        self.entries.step();
        locked
    }

    /// Why [`Self::take`] gave no stripes.
    pub(super) fn refusal(&self) -> Refused {
        if self.unit.is_some() {
            Refused::Undeclared
        } else {
            Refused::Busy
        }
    }

    /// Keeps the stripe for the next request, or releases all.
    #[inline]
    pub(crate) fn give(&mut self, plan: &mut Plan, locked: Locked<'e>, done: bool) {
        if let Some(unit) = &mut self.unit {
            return unit.take_back(locked);
        }
        if let ([id], [key]) = (&plan.stripes[..], &plan.keys[..])
            && self.follower == Follower::SameStripe
            && done
            // Serving a waiter may have added the stripe that it moves an element to.
            && locked.is_one()
        {
            plan.known = Known {
                hash: key.hash,
                version: key.version,
                likely: match key.found {
                    Some(found) => Likely::Record(found.place, found.handle),
                    // It may be there and hidden, as long as a pause of writes lasts.
                    None => Likely::UNKNOWN,
                },
            };
            self.id = *id;
            self.stripe = Some(locked);
        }
    }
}

impl Engine {
    /// Whether `next`, if there is one, may go on under the lock of `present`, both being of one database, or be done
    /// with it.
    #[inline]
    pub fn follower(&self, present: &Ahead, next: Option<&Ahead>) -> Follower {
        let Some(next) = next else {
            return Follower::Other;
        };
        let (Some(a), Some(b)) = (present.hash(), next.hash()) else {
            return present.joined_by(next);
        };
        let same = stripe_of(a) == stripe_of(b)
            && present.is_quick()
            && next.is_quick()
            && !self.memory.is_limited();
        if same {
            Follower::SameStripe
        } else {
            Follower::Other
        }
    }
}

impl Ahead {
    fn joined_by(&self, next: &Ahead) -> Follower {
        match (&self.entry, &next.entry) {
            (Some(a), Some(b)) if a.index == b.index && a.command.flags.has(Flags::JOINED) => {
                Follower::Joins
            }
            _ => Follower::Other,
        }
    }

    /// Whether the request touches its key only, and for a short time.
    fn is_quick(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| {
            entry.command.flags.has(Flags::FAST)
                && !entry.command.flags.has(Flags::LONG)
                && matches!(entry.command.run, Run::Read(_) | Run::Write(_))
        })
    }
}

impl Engine {
    /// Asks for the memory of the elements that the next requests name, as far as they are on the key of the one before
    /// them, whose stripe is held. `fetched` is the hash of the key for which this was done last.
    ///
    /// A hint: the waits for the elements' lines overlap when the requests run.
    #[inline]
    pub fn prefetch_elements<'b>(
        &self,
        held: &Held<'_>,
        fetched: &mut Option<u64>,
        before: &Ahead,
        next: impl Iterator<Item = (Request<'b>, Ahead)> + Clone,
    ) {
        if !held.is_some() {
            return;
        }
        let hash = before.hash();
        if *fetched != hash {
            *fetched = hash;
            self.prefetch_elements_of(held, next.take_while(|(_, ahead)| ahead.hash() == hash));
        }
    }

    /// As [`Self::prefetch_elements`]; all `requests` are on the key of the first.
    fn prefetch_elements_of<'b>(
        &self,
        held: &Held<'_>,
        requests: impl Iterator<Item = (Request<'b>, Ahead)> + Clone,
    ) {
        let Some(locked) = &held.stripe else {
            return;
        };
        let elements =
            requests
                .clone()
                .filter_map(|(request, ahead)| match ahead.entry?.command.element {
                    0 => None,
                    at => request.get(at),
                });
        let first = requests.clone().next();
        let Some((hash, key)) =
            first.and_then(|(request, ahead)| Some((ahead.hash()?, request.get(1)?)))
        else {
            return;
        };
        let stripe = locked.stripe(0);
        match stripe
            .find(hash, key)
            .and_then(|found| stripe.value(found.handle))
        {
            Some(Value::Hash(HashRef::Table(dict)) | Value::Set(SetRef::Table(dict))) => {
                dict.prefetch_all(elements);
            }
            Some(Value::Zset(ZsetRef::Tree(tree))) => tree.prefetch(elements),
            _ => {}
        }
    }
}
