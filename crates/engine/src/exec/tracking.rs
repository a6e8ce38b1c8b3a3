//! Client-side caching: who is told of which changed keys.
//!
//! A client that tracks reads is remembered with every key that it reads, in the key's stripe, and told once of the next
//! change. One that tracks prefixes (BCAST) is remembered with these, and told of every change of a key that begins with
//! one of them, of all changes of a batch together.
//!
//! Invariants
//! - A read is remembered, and a change looked up, while the key's stripe is held: no change falls between a read and
//!   its being remembered.
//! - What is told goes through the outbox of the client, which its own task empties behind the replies that are
//!   complete: nobody is told of a change before the reply that has the old value.
//! - It is in the outbox before the change is answered.
//! - Locks: trackers and prefixes are locked while stripes are held, and outboxes while these are; never the other way round.
//!
//! Cost where nobody tracks: a branch of a read on the session's own memory; a change shares the branch of those who watch.

use super::Engine;
use super::attention::Reason;
use super::outbox::Push;
use super::session::{Client, Session};
use crate::keyspace::interest::Readers;
use crate::keyspace::{Cut, Locked, STRIPES, Stripe};
use crate::settings::{Settings, id};
use ochre_resp::Request;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Keys forgotten at a time while there are too many of them.
const FORGOTTEN_MAX: usize = 100;
/// Stripes that are rid of clients that are gone, in one round of the background work.
const SWEPT_MAX: usize = 256;

/// What a client asked to be told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// The keys that it reads.
    #[default]
    Reads,
    /// Those that it reads with the command after CLIENT CACHING YES.
    OptIn,
    /// The keys that it reads, but for the command after CLIENT CACHING NO.
    OptOut,
    /// Keys by their prefixes.
    Broadcast,
}

/// What one CLIENT TRACKING ON asked for.
pub struct Tracker {
    client: Arc<Client>,
    /// Which keys.
    pub mode: Mode,
    /// The client that is told instead, 0 for none.
    pub redirect: u64,
    /// Its own changes are of no interest.
    pub no_loop: bool,
    broken: AtomicBool,
}

impl Tracker {
    /// What `client` asked for.
    pub fn new(client: Arc<Client>, mode: Mode, redirect: u64, no_loop: bool) -> Tracker {
        Tracker {
            client,
            mode,
            redirect,
            no_loop,
            broken: AtomicBool::new(false),
        }
    }

    /// Whether the client that should have been told was gone.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }
}

/// The tracking of one connection.
pub struct Tracks {
    /// What was asked for.
    pub tracker: Arc<Tracker>,
    /// CLIENT CACHING was called for the present command.
    pub caching: bool,
    /// Prefixes that it is told of.
    pub prefixes: BTreeSet<Vec<u8>>,
}

/// Those who are told of a prefix, and what they have not been told yet.
#[derive(Default)]
struct Prefix {
    listeners: BTreeMap<u64, Arc<Tracker>>,
    /// Changed keys, with the client that changed each: 0 for none or several.
    changed: BTreeMap<Vec<u8>, u64>,
}

/// Everybody who tracks.
#[derive(Default)]
pub struct Tracking {
    trackers: RwLock<BTreeMap<u64, Arc<Tracker>>>,
    prefixes: Mutex<BTreeMap<Vec<u8>, Prefix>>,
    /// Keys that somebody remembers, in all stripes.
    keys: AtomicUsize,
    /// Pairs of such a key and a client.
    items: AtomicUsize,
    /// Stripes yet to be rid of clients that track no more.
    unswept: AtomicUsize,
}

impl Tracking {
    /// Number of clients that track.
    pub fn clients(&self) -> usize {
        self.trackers.read().len()
    }

    /// Number of keys that are remembered, and of pairs of key and client.
    pub fn remembered(&self) -> (usize, usize) {
        (self.keys.load(Relaxed), self.items.load(Relaxed))
    }

    /// Number of prefixes.
    pub fn prefixes(&self) -> usize {
        self.prefixes.lock().len()
    }

    /// Whether more keys are remembered than may be.
    pub(super) fn is_over(&self, settings: &Settings) -> bool {
        let most = settings.size(id::TRACKING_TABLE_MAX_KEYS);
        most > 0 && self.keys.load(Relaxed) as u64 > most
    }

    fn forgot(&self, readers: &Readers) {
        self.keys.fetch_sub(1, Relaxed);
        self.items.fetch_sub(readers.len(), Relaxed);
    }
}

impl Session {
    /// CLIENT CACHING: the next command is the exception that the mode allows for.
    pub(crate) fn set_caching(&mut self) {
        if let Some(tracks) = &mut self.tracks {
            tracks.caching = true;
        }
        self.settle();
    }

    /// Whether what the present command reads is remembered.
    pub(super) fn is_remembered(&self) -> bool {
        self.tracks
            .as_ref()
            .is_some_and(|tracks| match tracks.tracker.mode {
                Mode::Reads => true,
                Mode::OptIn => tracks.caching,
                Mode::OptOut => !tracks.caching,
                Mode::Broadcast => false,
            })
    }
}

impl Engine {
    /// CLIENT TRACKING ON; prefixes add to those there are, and have been checked.
    pub(crate) fn track(&self, session: &mut Session, tracker: Tracker, prefixes: Vec<Vec<u8>>) {
        let tracker = Arc::new(tracker);
        let before = session.tracks.take();
        let caching = before.as_ref().is_some_and(|b| b.caching);
        let mut held = before.map(|b| b.prefixes).unwrap_or_default();
        if tracker.mode == Mode::Broadcast {
            if prefixes.is_empty() {
                held.insert(Vec::new());
            }
            held.extend(prefixes);
            let mut table = self.tracking.prefixes.lock();
            for prefix in &held {
                let entry = table.entry(prefix.clone()).or_default();
                entry.listeners.insert(session.id, tracker.clone());
            }
            self.attention.set(Reason::BROADCAST, true);
        }
        let mut trackers = self.tracking.trackers.write();
        trackers.insert(session.id, tracker.clone());
        drop(trackers);
        *session.client.tracker.lock() = Some(tracker.clone());
        session.tracks = Some(Box::new(Tracks {
            tracker,
            caching,
            prefixes: held,
        }));
        session.settle();
    }

    /// CLIENT TRACKING OFF. The keys are forgotten in the background, and nobody is told of a change meanwhile.
    pub(crate) fn stop_tracking(&self, session: &mut Session) {
        let Some(tracks) = session.tracks.take() else {
            return;
        };
        self.tracking.trackers.write().remove(&session.id);
        *session.client.tracker.lock() = None;
        if !tracks.prefixes.is_empty() {
            let mut table = self.tracking.prefixes.lock();
            for prefix in &tracks.prefixes {
                if let Some(entry) = table.get_mut(prefix) {
                    entry.listeners.remove(&session.id);
                    if entry.listeners.is_empty() {
                        table.remove(prefix);
                    }
                }
            }
            self.attention.set(Reason::BROADCAST, !table.is_empty());
        }
        if tracks.tracker.mode != Mode::Broadcast {
            let everywhere = self.keyspace.count() * STRIPES;
            self.tracking.unswept.store(everywhere, Relaxed);
        }
        session.settle();
    }

    /// Remembers that the session's client read the keys of its plan, which are locked.
    #[cold]
    pub(crate) fn remember(
        &self,
        session: &Session,
        locked: &mut Locked<'_>,
        request: Request<'_>,
    ) {
        let (mut keys, mut items) = (0, 0);
        for key in &session.plan.keys {
            if let Some(name) = request.get(key.arg) {
                let interest = locked.stripe_mut(key.guard).interest_mut();
                let (new_keys, new_items) = interest.remember(name, session.id);
                keys += new_keys;
                items += new_items;
            }
        }
        self.tracking.keys.fetch_add(keys, Relaxed);
        self.tracking.items.fetch_add(items, Relaxed);
    }

    /// Tells those who track it that a key changed. Its stripe is held.
    ///
    /// `by` made the change, as those see it who remember the key, and `source` as those do who track prefixes.
    pub(super) fn tell_trackers(&self, stripe: &mut Stripe, key: &[u8], by: u64, source: u64) {
        if self.attention.any(Reason::BROADCAST) {
            self.gather(key, source);
        }
        self.tell_readers(stripe, key, by);
    }

    /// Tells those who remembered a key that they have to forget it.
    fn invalidate(&self, key: &[u8], readers: &Readers, by: u64) {
        self.tracking.forgot(readers);
        let mut message = None;
        let trackers = self.tracking.trackers.read();
        for tracker in readers.iter().filter_map(|reader| trackers.get(reader)) {
            let own = tracker.no_loop && tracker.client.id == by;
            if tracker.mode != Mode::Broadcast && !own {
                let make = || Arc::new(Push::Invalidate(vec![key.to_vec()]));
                self.tell(tracker, message.get_or_insert_with(make));
            }
        }
    }

    /// Notes a changed key for those who track one of its prefixes; [`Self::send_broadcasts`] tells them.
    #[cold]
    fn gather(&self, key: &[u8], by: u64) {
        for (prefix, entry) in &mut *self.tracking.prefixes.lock() {
            if key.starts_with(prefix) {
                let source = entry.changed.entry(key.to_vec()).or_insert(by);
                if *source != by {
                    *source = 0;
                }
            }
        }
    }

    /// Tells those who track prefixes what was gathered.
    pub(crate) fn send_broadcasts(&self) {
        if !self.attention.any(Reason::BROADCAST) {
            return;
        }
        // Held to the end: whoever gathered finds its keys sent when it has the lock.
        for entry in self.tracking.prefixes.lock().values_mut() {
            if entry.changed.is_empty() {
                continue;
            }
            let changed = std::mem::take(&mut entry.changed);
            let mut all = None;
            for (id, tracker) in &entry.listeners {
                let own = |source: &u64| tracker.no_loop && source == id;
                if !changed.values().any(own) {
                    let make = || Arc::new(Push::Invalidate(changed.keys().cloned().collect()));
                    self.tell(tracker, all.get_or_insert_with(make));
                    continue;
                }
                let others = changed.iter().filter(|(_, source)| !own(source));
                let others: Vec<_> = others.map(|(key, _)| key.clone()).collect();
                if !others.is_empty() {
                    self.tell(tracker, &Arc::new(Push::Invalidate(others)));
                }
            }
        }
    }

    /// Sends a message to a tracking client, or to the one that it named.
    fn tell(&self, tracker: &Tracker, message: &Arc<Push>) {
        let (direct, now_ms) = (&tracker.client, self.clock.unix_ms());
        if tracker.redirect == 0 {
            if direct.protocol.load(Relaxed) > 2 {
                self.deliver(direct, message, now_ms);
            }
            return;
        }
        match self.clients.get(tracker.redirect) {
            Some(other) => {
                if other.protocol.load(Relaxed) > 2 || other.is_subscriber() {
                    self.deliver(&other, message, now_ms);
                }
            }
            None => {
                tracker.broken.store(true, Relaxed);
                if direct.protocol.load(Relaxed) > 2 {
                    self.deliver(
                        direct,
                        &Arc::new(Push::RedirectBroken(tracker.redirect)),
                        now_ms,
                    );
                }
            }
        }
    }

    /// Whole databases were emptied: everybody forgets everything.
    pub(crate) fn forget_everything(&self, cut: &mut Cut<'_>) {
        let trackers = self.tracking.trackers.read();
        for tracker in trackers.values() {
            // compat: as the tracking client spells it, also to another one.
            let resp3 = tracker.client.protocol.load(Relaxed) > 2;
            self.tell(tracker, &Arc::new(Push::InvalidateAll { resp3 }));
        }
        drop(trackers);
        let used: Vec<usize> = cut.used().collect();
        for db in used {
            for stripe in cut.stripes(db) {
                stripe.lose_interest(|interest| {
                    let (keys, items) = interest.forget_readers();
                    self.tracking.keys.fetch_sub(keys, Relaxed);
                    self.tracking.items.fetch_sub(items, Relaxed);
                });
            }
        }
    }

    /// The contents of two databases were exchanged: whoever remembers a key that is in one of them is told.
    pub(crate) fn forget_exchanged(&self, cut: &mut Cut<'_>, a: usize, b: usize, by: u64) {
        for i in 0..STRIPES {
            for (db, other) in [(a, b), (b, a)] {
                let Some(interest) = cut.stripe(db, i).and_then(|s| s.interest.as_ref()) else {
                    continue;
                };
                let has = |db, key: &[u8]| cut.stripe(db, i).is_some_and(|s| s.has(key));
                let keys = interest.remembered_where(|key| has(db, key) || has(other, key));
                if let Some(stripe) = cut.stripe_mut(db, i) {
                    keys.iter()
                        .for_each(|key| self.tell_readers(stripe, key, by));
                }
            }
        }
    }

    fn tell_readers(&self, stripe: &mut Stripe, key: &[u8], by: u64) {
        let interest = stripe.interest.as_mut();
        if let Some(readers) = interest.and_then(|interest| interest.readers_of(key)) {
            stripe.lose_interest(|_| {});
            self.invalidate(key, &readers, by);
        }
    }

    /// Forgets what clients that are gone remembered, some stripes at a time. No stripe may be held.
    pub(crate) fn sweep_tracking(&self) {
        let mut left = self.tracking.unswept.load(Relaxed);
        if left == 0 {
            return;
        }
        for _ in 0..SWEPT_MAX.min(left) {
            // Who goes meanwhile has everything begin anew.
            let next = self
                .tracking
                .unswept
                .compare_exchange(left, left - 1, Relaxed, Relaxed);
            left = match next {
                Ok(_) => left - 1,
                Err(now) => now,
            };
            let Some(database) = self.keyspace.used(left / STRIPES) else {
                continue;
            };
            let mut stripe = database.stripe(left % STRIPES);
            if stripe.interest.is_none() {
                continue;
            }
            let trackers = self.tracking.trackers.read();
            stripe.lose_interest(|interest| {
                let (keys, items) = interest.forget_gone(|id| trackers.contains_key(&id));
                self.tracking.keys.fetch_sub(keys, Relaxed);
                self.tracking.items.fetch_sub(items, Relaxed);
            });
        }
    }

    /// Makes clients forget keys while more are remembered than `tracking-table-max-keys`. No stripe may be held.
    ///
    /// At most [`FORGOTTEN_MAX`] at once: what is left is for the next call.
    pub(crate) fn trim_tracking(&self) {
        if !self.tracking.is_over(&self.settings) {
            return;
        }
        let databases = self.keyspace.count();
        let start = self.random().index(databases * STRIPES);
        let mut forgotten = 0;
        for at in 0..databases * STRIPES {
            let at = (start + at) % (databases * STRIPES);
            let Some(database) = self.keyspace.used(at % databases) else {
                continue;
            };
            let mut stripe = database.stripe(at / databases);
            while let Some(key) = stripe.interest.as_ref().and_then(|i| i.any_remembered()) {
                self.tell_readers(&mut stripe, &key, 0);
                forgotten += 1;
                if forgotten == FORGOTTEN_MAX || !self.tracking.is_over(&self.settings) {
                    return;
                }
            }
        }
    }
}
