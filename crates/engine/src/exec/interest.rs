//! What follows from the change of a key: watchers are told, and who waits for it is to be served.
//!
//! Invariant: everything here happens while the key's stripe is locked.

use super::Engine;
use super::plan::PlannedKey;
use super::run::{How, Rest};
use super::session::Session;
use super::unit::Ids;
use crate::keyspace::lock::StripeId;
use crate::keyspace::{Cut, Keyspace, Stripe, stripe_of};
use crate::spec::Outcome;
use crate::sync::AtomicBool;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// Watched keys from which they are indexed: fewer are found faster by looking at each.
const INDEXED_FROM: usize = 16;

/// A key that changed and that somebody waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ready {
    pub(crate) id: StripeId,
    pub(crate) hash: u64,
    pub(crate) name: Box<[u8]>,
}

/// A key that a connection watches.
pub(crate) struct Watched {
    db: usize,
    key: Arc<[u8]>,
    /// When it expires, which is a change too.
    expires_at: Option<i64>,
}

/// What a connection watches, and whether any of it changed.
#[derive(Default)]
pub(crate) struct Watches {
    keys: Vec<Watched>,
    /// The same ones by database, if they are many.
    index: HashMap<usize, HashSet<Arc<[u8]>>>,
    changed: Arc<AtomicBool>,
}

impl Watches {
    fn has(&self, db: usize, name: &[u8]) -> bool {
        if self.keys.len() < INDEXED_FROM {
            return self.keys.iter().any(|w| w.db == db && *w.key == *name);
        }
        self.index.get(&db).is_some_and(|keys| keys.contains(name))
    }

    fn add(&mut self, watched: Watched) {
        self.keys.push(watched);
        let unindexed = match self.keys.len() {
            ..INDEXED_FROM => return,
            INDEXED_FROM => 0,
            more => more - 1,
        };
        for watched in &self.keys[unindexed..] {
            let keys = self.index.entry(watched.db).or_default();
            keys.insert(watched.key.clone());
        }
    }

    /// Whether a watched key changed, or its time has come.
    pub(crate) fn are_broken(&self, now_ms: i64) -> bool {
        let expired = |w: &Watched| w.expires_at.is_some_and(|at| at <= now_ms);
        !self.keys.is_empty() && (self.changed.load(Acquire) || self.keys.iter().any(expired))
    }
}

impl Session {
    /// Whether EXEC has to fail because of what it watches.
    pub(crate) fn watches_broken(&self) -> bool {
        let watches = self.watches.as_ref();
        watches.is_some_and(|watches| watches.are_broken(self.now_ms))
    }

    /// Adds the stripes of what it watches to `ids`.
    pub(crate) fn watched_stripes(&self, keyspace: &Keyspace, ids: &mut Ids) {
        let watched = self.watches.iter().flat_map(|watches| &watches.keys);
        ids.extend(watched.map(|w| StripeId::new(w.db, stripe_of(keyspace.hasher().hash(&w.key)))));
    }
}

impl Engine {
    /// Tells those who are interested in a key that a request changed it.
    #[cold]
    pub(crate) fn key_changed(
        &self,
        stripe: &mut Stripe,
        key: &PlannedKey,
        name: &[u8],
        how: How<'_>,
        rest: &mut Option<Box<Rest>>,
    ) {
        self.tell_trackers(stripe, name, how.by, how.source);
        let Some(interest) = &stripe.interest else {
            return;
        };
        interest.touch(name);
        if interest.is_awaited(name) && key.found.is_some() {
            rest.get_or_insert_default().ready.push(Ready {
                id: key.id,
                hash: key.hash,
                name: name.into(),
            });
        }
    }

    /// Tells those who are interested in a key that it is gone, which the request of client `by` found, 0 for none.
    #[cold]
    pub(crate) fn key_removed(&self, stripe: &mut Stripe, key: &[u8], by: u64) {
        // compat: nobody is taken for the cause towards those who track prefixes.
        self.tell_trackers(stripe, key, by, 0);
        if let Some(interest) = &mut stripe.interest {
            interest.gone(key);
        }
    }

    /// Watches a key from now on. One whose time has come already counts as not there, until something finds it expired.
    ///
    /// # Errors
    /// When its stripe stayed locked for longer than a request waits; the request is tried again later.
    pub(crate) fn watch(&self, session: &mut Session, name: &[u8]) -> Outcome {
        let (id, db) = (session.client.id, session.db);
        if session.watches.as_ref().is_some_and(|w| w.has(db, name)) {
            return Ok(());
        }
        let hash = self.keyspace.hasher().hash(name);
        let database = self.keyspace.database(db);
        let Some(mut stripe) = database.stripe_soon(stripe_of(hash)) else {
            return Err(self.put_off(session));
        };
        let watches = session.watches.get_or_insert_default();
        let found = stripe.find(hash, name);
        let expires_at = found.and_then(|found| stripe.view(found.handle)?.expires_at());
        let stale = expires_at.is_some_and(|at| at <= session.now_ms);
        stripe
            .interest_mut()
            .watch(name, id, &watches.changed, stale);
        watches.add(Watched {
            db,
            key: name.into(),
            expires_at: expires_at.filter(|_| !stale),
        });
        session.client.watching.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Stops watching anything. No stripe may be held.
    pub(crate) fn unwatch(&self, session: &mut Session) {
        let Some(watches) = session.watches.take() else {
            return;
        };
        session.client.watching.store(0, Relaxed);
        for watched in watches.keys {
            let hash = self.keyspace.hasher().hash(&watched.key);
            let database = self.keyspace.database(watched.db);
            let mut stripe = database.stripe_at_last(stripe_of(hash), &*self.runtime);
            stripe.lose_interest(|interest| interest.unwatch(&watched.key, session.client.id));
        }
    }

    /// Finds the keys that are there and that somebody waits for: after whole databases were exchanged.
    pub(crate) fn ready_in(&self, cut: &mut Cut<'_>) -> Vec<Ready> {
        let mut ready = Vec::new();
        let used: Vec<usize> = cut.used().collect();
        for db in used {
            for (i, stripe) in cut.stripes(db).enumerate() {
                let Some(interest) = &stripe.interest else {
                    continue;
                };
                for name in interest.awaited() {
                    let hash = self.keyspace.hasher().hash(name);
                    if stripe.find(hash, name).is_some() {
                        ready.push(Ready {
                            id: StripeId::new(db, i),
                            hash,
                            name: name.into(),
                        });
                    }
                }
            }
        }
        ready
    }
}
