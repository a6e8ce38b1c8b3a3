//! Keyspace events: what happens to keys, as messages to whoever listens (`notify-keyspace-events`).
//!
//! An event is a class, a name and a key, raised by the handler that changes the key, next to the change.
//!
//! Invariants
//! - An event is published while the stripe of its key is locked: all listeners see the events of a key in
//!   the order of its changes.
//! - Nothing here changes a key; what is raised does not depend on the journal, nor it on this.
//!
//! Cost: one relaxed load and one branch where an event may be raised, while none is wanted.

use super::Engine;
use super::context::WriteCx;
use super::keys::WriteKeys;
use super::plan::PlannedKey;
use crate::settings::{EventClasses, id};
use crate::spec::{Access, Outcome};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Which events are wanted. On a cache line of its own: every change of a key reads it.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct Wanted(AtomicU32);

impl Wanted {
    /// Whether any event is published.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.0.load(Relaxed) != 0
    }

    fn classes(&self) -> EventClasses {
        EventClasses::from_bits(self.0.load(Relaxed))
    }

    fn set(&self, classes: EventClasses) {
        // Without a place to publish to, no class is of use.
        let channels = EventClasses::BY_KEY.with(EventClasses::BY_EVENT);
        let wanted = if classes.any(channels) {
            classes.bits()
        } else {
            0
        };
        self.0.store(wanted, Relaxed);
    }
}

impl Engine {
    /// Takes over which events the settings ask for.
    pub(crate) fn set_wanted_events(&self) {
        let bits = u32::try_from(self.settings.int(id::NOTIFY_KEYSPACE_EVENTS)).unwrap_or(0);
        self.wanted_events.set(EventClasses::from_bits(bits));
    }

    /// Publishes an event, if it is wanted. The key's stripe is locked.
    #[inline]
    pub(crate) fn raise(&self, class: EventClasses, event: &str, db: usize, key: &[u8]) {
        if self.wanted_events.any() {
            self.publish_event(class, event, db, key);
        }
    }

    #[cold]
    fn publish_event(&self, class: EventClasses, event: &str, db: usize, key: &[u8]) {
        let wanted = self.wanted_events.classes();
        if !wanted.any(class) || self.pubsub.is_deserted() {
            return;
        }
        let now_ms = self.clock.unix_ms();
        let channel = |kind: &str, name: &[u8]| {
            let mut channel = format!("__{kind}@{db}__:").into_bytes();
            channel.extend_from_slice(name);
            channel
        };
        if wanted.any(EventClasses::BY_KEY) {
            self.publish(
                &channel("keyspace", key),
                event.as_bytes(),
                false,
                now_ms,
                None,
            );
        }
        if wanted.any(EventClasses::BY_EVENT) {
            self.publish(
                &channel("keyevent", event.as_bytes()),
                key,
                false,
                now_ms,
                None,
            );
        }
    }

    /// Raises that a key was looked for and is not there; once for each time that a request names it.
    #[cold]
    pub(super) fn raise_miss(&self, key: &PlannedKey, args: ochre_resp::Request<'_>) {
        let looked_for = key.access.has(Access::RO) && !key.access.has(Access::UNMISSED);
        if looked_for
            && !key.missed.swap(true, Relaxed)
            && let Some(name) = args.get(key.arg)
        {
            self.publish_event(EventClasses::MISSED, MISS, key.id.database(), name);
        }
    }
}

/// The event of a key that was looked for and is not there.
pub(super) const MISS: &str = "keymiss";
const DEL: &str = "del";

impl WriteKeys<'_> {
    /// Keeps a request that runs again from raising once more which keys it does not find.
    pub(super) fn misses_told(&mut self) {
        self.plan
            .iter()
            .for_each(|key| key.missed.store(true, Relaxed));
    }

    /// Takes over from an earlier try of the request whose keys had expired there; who is back was found expired.
    pub(super) fn owe(&mut self, owed: Vec<usize>) {
        for key in self.plan.iter_mut().filter(|key| owed.contains(&key.arg)) {
            key.lapsed = key.found.is_none();
            if let Some(name) = self.args.get(key.arg).filter(|_| !key.lapsed) {
                self.engine.found_expired(key.id.database(), name);
            }
        }
    }

    /// Raises an event of key `i`, and before it, if the request made the key, that it is new.
    #[cold]
    fn raise(&mut self, class: EventClasses, event: &str, i: usize) {
        let Some(key) = self.plan.get_mut(i) else {
            return;
        };
        let created = std::mem::take(&mut key.created);
        let (db, Some(name)) = (key.id.database(), self.args.get(key.arg)) else {
            return;
        };
        if created {
            self.engine.raise(EventClasses::NEW, "new", db, name);
        }
        self.engine.raise(class, event, db, name);
    }

    #[cold]
    fn raise_replaced(&mut self, i: usize, before: Option<&'static str>) {
        if before.is_some() {
            self.raise(EventClasses::OVERWRITTEN, "overwritten", i);
            if self.type_name(i) != before {
                self.raise(EventClasses::TYPE_CHANGED, "type_changed", i);
            }
        }
    }

    #[cold]
    fn store_aloud(
        &mut self,
        i: usize,
        (class, event): (EventClasses, &'static str),
        store: impl FnOnce(&mut WriteKeys<'_>) -> Outcome,
    ) -> Outcome {
        let before = self.type_name(i);
        store(self)?;
        let stored = self.exists(i);
        let unseen = self.take_unseen(i, stored);
        match (before, stored) {
            (_, true) => {
                self.raise_replaced(i, before);
                self.raise(class, event, i);
            }
            (Some(_), false) => self.raise(EventClasses::GENERIC, DEL, i),
            (None, false) if unseen => self.raise(EventClasses::GENERIC, DEL, i),
            (None, false) => {}
        }
        Ok(())
    }

    /// Whether key `i` had expired and nobody looked for it: the request neither stored anything there nor names the
    /// key again. Tells that it expired otherwise.
    fn take_unseen(&mut self, i: usize, stored: bool) -> bool {
        let Some(key) = self.plan.get_mut(i).filter(|key| key.lapsed) else {
            return false;
        };
        key.lapsed = false;
        let (db, at) = (key.id.database(), key.arg);
        let name = self.args.get(at);
        let again = |other: &PlannedKey| other.arg != at && self.args.get(other.arg) == name;
        let seen = stored || self.plan.iter().any(again);
        if let Some(name) = name.filter(|_| seen) {
            self.engine.found_expired(db, name);
        }
        !seen
    }
}

impl WriteCx<'_> {
    #[inline]
    fn is_heard(&self) -> bool {
        self.env.engine.wanted_events.any()
    }

    /// Raises an event of key `i`, to be called right after the change.
    #[inline]
    pub fn notify(&mut self, class: EventClasses, event: &'static str, i: usize) {
        if self.is_heard() {
            self.keys.raise(class, event, i);
        }
    }

    /// Raises an event of key `i`, of which something was taken away, and that the key went if nothing is left.
    #[inline]
    pub fn notify_taken(&mut self, class: EventClasses, event: &'static str, i: usize) {
        if self.is_heard() {
            self.keys.raise(class, event, i);
            if !self.keys.exists(i) {
                self.keys.raise(EventClasses::GENERIC, DEL, i);
            }
        }
    }

    /// Raises that key `i` was removed.
    #[inline]
    pub fn notify_removed(&mut self, i: usize) {
        self.notify(EventClasses::GENERIC, DEL, i);
    }

    /// Counts that key `i` was looked for, and raises it if it is not there: for keys that the declaration does not say are
    /// only read.
    pub fn sought(&mut self, i: usize) {
        let there = self.keys.exists(i);
        self.env.engine.count_sought(there);
        if !there {
            self.notify(EventClasses::MISSED, MISS, i);
        }
    }

    /// Raises that key `i` is new, whatever was there before.
    #[inline]
    pub fn notify_new(&mut self, i: usize) {
        if self.is_heard() {
            if let Some(key) = self.keys.plan.get_mut(i) {
                key.created = false;
            }
            self.keys.raise(EventClasses::NEW, "new", i);
        }
    }

    /// Raises that key `i` got another value, if there was one of the type `before`.
    #[inline]
    pub fn notify_replaced(&mut self, i: usize, before: Option<&'static str>) {
        if self.is_heard() {
            self.keys.raise_replaced(i, before);
        }
    }

    /// Gives key `i` another value by `store` and raises what follows from it: that the key is new or what was there is
    /// replaced, and `event`; or that it was removed, if it is not there afterwards.
    ///
    /// # Errors
    /// Those of `store`.
    #[inline]
    pub fn storing(
        &mut self,
        i: usize,
        event: (EventClasses, &'static str),
        store: impl FnOnce(&mut WriteKeys<'_>) -> Outcome,
    ) -> Outcome {
        if self.is_heard() || self.keys.plan.get(i).is_some_and(|key| key.lapsed) {
            return self.keys.store_aloud(i, event, store);
        }
        store(&mut self.keys)
    }
}
