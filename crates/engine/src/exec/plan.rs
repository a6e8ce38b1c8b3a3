//! Stage 5: from a request to the keys it declares and the stripes they lie in.
//!
//! Invariants
//! - `stripes` is sorted and unique; every key's `guard` is the index of its stripe in it.
//! - A wide plan has all stripes of its database, and a key's `guard` in it is the stripe's own index.
//! - Keys stand in the order of the key specifications, so a handler's key `i` is the i-th declared key.

use super::unit::Ids;
use crate::keyspace::lock::StripeId;
use crate::keyspace::{Found, Keyspace, STRIPES, stripe_of};
use crate::spec::{Access, Command, InvalidKeys};
use ochre_ds::table::Likely;
use ochre_resp::Request;
use std::sync::atomic::AtomicBool;

/// One key of a request.
#[derive(Debug)]
pub struct PlannedKey {
    /// Which argument it is.
    pub arg: usize,
    pub(crate) hash: u64,
    pub(crate) id: StripeId,
    /// Index of its stripe among the locked ones.
    pub(crate) guard: usize,
    /// What the last lookup found, and the stripe's version then.
    pub(crate) found: Option<Found>,
    pub(crate) version: u64,
    /// Whether the command changed the key.
    pub(crate) changed: bool,
    /// Whether the command made the key, and nobody was told yet.
    pub(crate) created: bool,
    /// Whether its time had come, and nobody was told yet.
    pub(crate) lapsed: bool,
    /// Whether it was told that the key is not there.
    pub(crate) missed: AtomicBool,
    /// Whether the handler asked for it.
    pub(super) asked: AtomicBool,
    /// What the declaration says is done with it.
    pub(crate) access: Access,
}

impl PlannedKey {
    /// Argument `arg`, in the stripe `id`, which is the first of those locked. It was not looked up yet.
    #[inline]
    pub(crate) fn new(arg: usize, hash: u64, id: StripeId, access: Access) -> PlannedKey {
        PlannedKey {
            arg,
            hash,
            id,
            guard: 0,
            found: None,
            version: u64::MAX,
            changed: false,
            created: false,
            lapsed: false,
            missed: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            access,
        }
    }
}

/// The keys and stripes of one request. Reused by a session, so that planning allocates nothing.
#[derive(Default, Debug)]
pub struct Plan {
    pub(crate) keys: Vec<PlannedKey>,
    pub(crate) stripes: Vec<StripeId>,
    /// Whether every stripe of the session's database is in it.
    pub(crate) wide: bool,
    /// Where the stripes of a wide plan begin among those that are locked.
    pub(crate) base: usize,
    /// The hash of the only key, if it is known already.
    pub(crate) hash: Option<u64>,
    /// Where the stripe of the only key stands among those of the unit; a wrong number costs a search.
    pub(crate) place: usize,
    /// What is known of the only key.
    pub(crate) known: Known,
}

/// What was seen of a key. It holds while the stripe has that version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) hash: u64,
    pub(crate) version: u64,
    pub(crate) likely: Likely,
}

impl Default for Known {
    fn default() -> Known {
        Known::NOTHING
    }
}

impl Known {
    /// Of no key.
    pub(crate) const NOTHING: Known = Known {
        hash: 0,
        version: u64::MAX,
        likely: Likely::UNKNOWN,
    };

    /// Where the key of `hash` is in a version of its stripe, as far as this tells it.
    #[inline]
    pub(crate) fn of(&self, hash: u64, version: u64) -> Likely {
        if self.hash == hash && self.version == version {
            self.likely
        } else {
            Likely::UNKNOWN
        }
    }
}

impl Plan {
    /// Fills the plan for a request.
    ///
    /// # Errors
    /// [`InvalidKeys`] when the arguments contradict the key specifications; no key is planned then,
    /// and the handler reports what is wrong with the arguments.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        command: &Command,
        args: Request<'_>,
        db: usize,
        keyspace: &Keyspace,
    ) -> Result<(), InvalidKeys> {
        let hasher = keyspace.hasher();
        self.keys.clear();
        self.stripes.clear();
        self.wide = false;
        self.base = 0;
        if let Some((at, access)) = command.only_key() {
            if let Some(key) = args.get(at) {
                let hash = self.hash.unwrap_or_else(|| hasher.hash(key));
                self.add(at, hash, db, access);
                self.stripes.push(self.keys[0].id);
            }
            return Ok(());
        }
        let filled = self.fill_general(command, args, db, keyspace);
        if filled.is_err() {
            self.keys.clear();
        }
        if command.wide.is_some_and(|wide| wide(args)) {
            self.wide = true;
            self.stripes
                .extend((0..STRIPES).map(|s| StripeId::new(db, s)));
        }
        self.arrange();
        filled
    }

    fn fill_general(
        &mut self,
        command: &Command,
        args: Request<'_>,
        db: usize,
        keyspace: &Keyspace,
    ) -> Result<(), InvalidKeys> {
        let hasher = keyspace.hasher();
        for spec in command.keys {
            spec.positions(args, &mut |at| {
                if let Some(key) = args.get(at) {
                    self.add(at, hasher.hash(key), db, spec.access);
                }
            })?;
        }
        if let Some((arg, db)) = command.elsewhere.and_then(|elsewhere| elsewhere(args))
            && db < keyspace.count()
            && let Some(key) = args.get(arg)
        {
            self.add(arg, hasher.hash(key), db, Access::RW.with(Access::INSERT));
        }
        Ok(())
    }

    #[inline]
    fn add(&mut self, arg: usize, hash: u64, db: usize, access: Access) {
        let id = StripeId::new(db, stripe_of(hash));
        self.keys.push(PlannedKey::new(arg, hash, id, access));
    }

    fn arrange(&mut self) {
        self.stripes.extend(self.keys.iter().map(|k| k.id));
        self.stripes.sort_unstable();
        self.stripes.dedup();
        for key in &mut self.keys {
            key.guard = self.stripes.binary_search(&key.id).unwrap_or(0);
        }
    }

    /// Names the stripes of a request in `found`, without locking any.
    pub(crate) fn stripes_of(
        &mut self,
        command: &Command,
        args: Request<'_>,
        db: usize,
        keyspace: &Keyspace,
        found: &mut Ids,
    ) {
        self.hash = None;
        // Wrong key arguments name no key, and no stripe.
        let _ = self.fill(command, args, db, keyspace);
        found.extend_from_slice(&self.stripes);
    }

    /// Gives memory of an unusually large request back.
    #[inline]
    pub(crate) fn shrink(&mut self) {
        const KEPT: usize = 64;
        if self.keys.capacity() > KEPT || self.stripes.capacity() > KEPT {
            self.keys.clear();
            self.keys.shrink_to(KEPT);
            self.stripes.clear();
            self.stripes.shrink_to(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_request_leaves_no_memory_behind() {
        let mut plan = Plan::default();
        for i in 0..100_000u64 {
            plan.add(0, i << 40, 0, Access::RO);
        }
        plan.arrange();
        plan.shrink();
        assert!(plan.keys.capacity() <= 64 && plan.stripes.capacity() <= 64);
    }
}
