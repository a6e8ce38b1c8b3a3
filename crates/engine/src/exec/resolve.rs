//! Within stage 7, before the handler: the keys of a plan are looked up, and those whose time has come are removed.
//!
//! Invariants
//! - The stripes of the keys are locked.
//! - A key whose time has come is gone, or hidden while writes are paused, before a handler sees it; whoever watches,
//!   tracks or journals it has been told, or will be at the end of the unit.
//! - It counts as expired, and is published as such, unless it is a result's place and the result is empty: then it was
//!   removed without anybody looking for it, as in Redis.

use super::Engine;
use super::attention::Reason;
use super::plan::{Known, PlannedKey};
use super::stats::Counter;
use crate::keyspace::access::AccessRule;
use crate::keyspace::{Found, Garbage, Locked, Stripe};
use crate::settings::EventClasses;
use crate::spec::Access;
use ochre_resp::{Request, RequestBuf};

/// What became of the keys of a request whose time had come, if there were any.
#[derive(Default)]
pub(super) struct Lapsed {
    pub(super) garbage: Vec<Garbage>,
    /// What the journal learns of it at the end of the unit, behind what the unit did to the key before.
    pub(super) effects: Vec<(usize, RequestBuf)>,
}

/// For whom keys are looked up.
#[derive(Clone, Copy)]
pub(super) struct Looking {
    /// The client whose request it is.
    pub(super) by: u64,
    /// Effects are kept for the end of the unit.
    pub(super) in_unit: bool,
    /// A pause of writes keeps keys whose time has come, unseen.
    pub(super) may_hide: bool,
}

/// The arguments that are keys whose time had come, of which nobody was told yet: the caller has to.
pub(super) fn owed(keys: &mut [PlannedKey]) -> Vec<usize> {
    let lapsed = keys.iter_mut().filter(|key| key.lapsed);
    lapsed
        .map(|key| {
            key.lapsed = false;
            key.arg
        })
        .collect()
}

impl Engine {
    /// Looks every planned key up, removing those whose time has come. Returns how many exist.
    ///
    /// A command that writes never finds one hidden ([`Looking::may_hide`]), even if the pause began after it was let in:
    /// it would store the key a second time.
    #[inline(always)] // on the way of every request with a key
    #[allow(clippy::too_many_arguments)] // the parts of a command, of which a caller lends some
    pub(super) fn resolve(
        &self,
        locked: &mut Locked<'_>,
        keys: &mut [PlannedKey],
        request: Request<'_>,
        now_ms: i64,
        touch: Option<&AccessRule>,
        looking: Looking,
        known: &Known,
        lapsed: &mut Option<Box<Lapsed>>,
    ) -> u64 {
        let mut existing = 0;
        if keys.len() > 1 {
            // The waits for the keys' buckets, and then for their entries, overlap.
            for key in keys.iter() {
                locked.stripe(key.guard).bucket_hint(key.hash).first();
            }
            for key in keys.iter() {
                locked.stripe(key.guard).entry_hint(key.hash).all();
            }
        }
        for key in keys {
            let Some(name) = request.get(key.arg) else {
                continue;
            };
            let stripe = locked.stripe_mut(key.guard);
            let likely = known.of(key.hash, stripe.version);
            let seen = stripe.look_up(key.hash, name, likely);
            let mut found = seen.map(|(found, _)| found);
            if let Some((entry, view)) = seen {
                let expired = view.expires_at().is_some_and(|at| at <= now_ms);
                if expired && !(looking.may_hide && self.expiry_is_paused()) {
                    self.lapse(
                        stripe,
                        key,
                        entry,
                        name,
                        looking,
                        lapsed.get_or_insert_default(),
                    );
                    found = None;
                } else if expired {
                    found = None;
                } else {
                    existing += 1;
                    if let Some(rule) = touch {
                        stripe.touch(entry.handle, rule);
                    }
                }
            }
            key.found = found;
            key.version = stripe.version;
        }
        existing
    }

    /// Removes a key whose time has come.
    #[cold]
    fn lapse(
        &self,
        stripe: &mut Stripe,
        key: &mut PlannedKey,
        entry: Found,
        name: &[u8],
        looking: Looking,
        lapsed: &mut Lapsed,
    ) {
        lapsed.garbage.push(stripe.remove(key.hash, entry));
        let kept = looking.in_unit.then_some(&mut lapsed.effects);
        let db = key.id.database();
        key.lapsed = key.access.has(Access::UNSEEN);
        if key.lapsed {
            self.removed(stripe, db, name, looking.by, kept);
        } else {
            self.expired(stripe, db, name, looking.by, kept);
        }
    }

    /// Counts, publishes and journals that a key was removed because its time had come, which the request of client
    /// `by` found, 0 for none. The stripe is locked.
    pub(crate) fn expired(
        &self,
        stripe: &mut Stripe,
        db: usize,
        key: &[u8],
        by: u64,
        kept: Option<&mut Vec<(usize, RequestBuf)>>,
    ) {
        self.found_expired(db, key);
        self.removed(stripe, db, key, by, kept);
    }

    /// Counts and publishes that a key was removed because its time had come.
    pub(super) fn found_expired(&self, db: usize, key: &[u8]) {
        self.stats.add(Counter::ExpiredKeys, 1);
        self.raise(EventClasses::EXPIRED, "expired", db, key);
    }

    /// Tells of keys whose time had come what no handler told.
    #[cold]
    pub(super) fn tell_lapsed(&self, keys: &mut [PlannedKey], request: Request<'_>) {
        for key in keys {
            if std::mem::take(&mut key.lapsed)
                && let Some(name) = request.get(key.arg)
            {
                self.found_expired(key.id.database(), name);
            }
        }
    }

    /// Journals that a key was removed though no request asked for it, or keeps that for the end of the unit, and
    /// tells who is interested. The stripe is locked.
    pub(crate) fn removed(
        &self,
        stripe: &mut Stripe,
        db: usize,
        key: &[u8],
        by: u64,
        kept: Option<&mut Vec<(usize, RequestBuf)>>,
    ) {
        if stripe.interest.is_some() | self.attention.any(Reason::BROADCAST) {
            self.key_removed(stripe, key, by);
        }
        if self.journals.is_on() {
            let effect = RequestBuf::new([b"DEL".as_slice(), key]);
            match kept {
                Some(kept) => kept.push((db, effect)),
                None => self.journals.append(db, effect.as_request()),
            }
        }
    }
}
