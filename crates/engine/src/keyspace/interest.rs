//! Who wants to know of changes to the keys of one stripe.
//!
//! Invariants
//! - It is kept by key name, and stays with the place when the stripe's contents go or are exchanged.
//! - A stripe that nobody is interested in has none: a change then costs one branch.
//! - That a key goes whose time had come before it was watched is no change for who watches it.
//! - Who remembers a key is told of its next change once, and has to read it again to be told of another.
//!
//! It knows no client: watchers are flags to raise, those who wait are opaque tokens, those who remember are numbers,
//! which stay until the key changes or somebody sees that nobody has that number any more.

use crate::sync::AtomicBool;
use foldhash::quality::RandomState;
use smallvec::SmallVec;
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;

/// Somebody who waits for a key, as their owner knows them.
pub(crate) type Token = Arc<dyn Any + Send + Sync>;

/// Who remembers a key, in ascending order.
pub(crate) type Readers = SmallVec<[u64; 2]>;

/// What there is of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    Absent,
    /// It is stored, but its time has come.
    Expired,
    Present,
}

/// Who watches a key.
struct Watcher {
    id: u64,
    /// To be raised when the key changes.
    flag: Arc<AtomicBool>,
    /// The key's time had come when it began, and it is there still.
    stale: bool,
}

impl Watcher {
    fn raise(&self) {
        self.flag.store(true, Release);
    }

    fn gone(&mut self) {
        if !std::mem::take(&mut self.stale) {
            self.raise();
        }
    }

    /// The key, which was stored or not, is another one: nothing changed if both are as good as none.
    fn replaced(&mut self, was_stored: bool, now: Presence) {
        match now {
            Presence::Absent => self.gone(),
            Presence::Expired if self.stale || !was_stored => self.stale = true,
            _ => self.raise(),
        }
    }
}

/// By key name, with the keyspace's kind of hash: seeded, so that nobody can choose names that collide.
type ByName<T> = HashMap<Box<[u8]>, T, RandomState>;

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Interest {
    watched: ByName<Vec<Watcher>>,
    /// First come, first served.
    waiting: ByName<VecDeque<(u64, Token)>>,
    remembered: ByName<Readers>,
}

impl Interest {
    /// Raises `flag` at the next change of `key`, whose time has come if it is `stale`. `id` names the watcher in
    /// [`Self::unwatch`].
    pub(crate) fn watch(&mut self, key: &[u8], id: u64, flag: &Arc<AtomicBool>, stale: bool) {
        let watchers = self.watched.entry(key.into()).or_default();
        let flag = flag.clone();
        watchers.push(Watcher { id, flag, stale });
    }

    pub(crate) fn unwatch(&mut self, key: &[u8], id: u64) {
        if let Some(watchers) = self.watched.get_mut(key) {
            watchers.retain(|watcher| watcher.id != id);
            if watchers.is_empty() {
                self.watched.remove(key);
            }
        }
    }

    /// Tells those who watch `key` that it changed.
    pub(crate) fn touch(&self, key: &[u8]) {
        if let Some(watchers) = self.watched.get(key) {
            watchers.iter().for_each(Watcher::raise);
        }
    }

    /// Tells those who watch `key` that it is gone though no request changed it.
    pub(crate) fn gone(&mut self, key: &[u8]) {
        let watchers = self.watched.get_mut(key).into_iter().flatten();
        watchers.for_each(Watcher::gone);
    }

    /// Tells those who watch keys that they are other ones: which were stored, and what there is now.
    pub(crate) fn replaced(
        &mut self,
        was_stored: impl Fn(&[u8]) -> bool,
        now: impl Fn(&[u8]) -> Presence,
    ) {
        for (key, watchers) in &mut self.watched {
            let (was_stored, now) = (was_stored(key), now(key));
            if was_stored || now != Presence::Absent {
                let watchers = watchers.iter_mut();
                watchers.for_each(|watcher| watcher.replaced(was_stored, now));
            }
        }
    }

    /// Puts somebody at the end of those who wait for `key`; once each, if nobody else came since.
    pub(crate) fn wait(&mut self, key: &[u8], id: u64, token: &Token) {
        let waiting = self.waiting.entry(key.into()).or_default();
        if waiting.back().is_none_or(|(last, _)| *last != id) {
            waiting.push_back((id, token.clone()));
        }
    }

    /// Takes somebody out of those who wait for `key`: at once who came first, as those do who are served.
    pub(crate) fn leave(&mut self, key: &[u8], id: u64) {
        if let Some(waiting) = self.waiting.get_mut(key) {
            if let Some(at) = waiting.iter().position(|(other, _)| *other == id) {
                waiting.remove(at);
            }
            if waiting.is_empty() {
                self.waiting.remove(key);
            }
        }
    }

    /// Whether somebody waits for `key`.
    pub(crate) fn is_awaited(&self, key: &[u8]) -> bool {
        self.waiting.contains_key(key)
    }

    /// Who is `at`-th of those who wait for `key`.
    pub(crate) fn waiting_at(&self, key: &[u8], at: usize) -> Option<(u64, Token)> {
        self.waiting.get(key)?.get(at).cloned()
    }

    /// The keys that somebody waits for.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = &[u8]> {
        self.waiting.keys().map(|key| &**key)
    }

    /// Notes that somebody remembers what `key` holds. How many keys and how many pairs of key and reader that adds.
    pub(crate) fn remember(&mut self, key: &[u8], reader: u64) -> (usize, usize) {
        let Some(readers) = self.remembered.get_mut(key) else {
            self.remembered
                .insert(key.into(), SmallVec::from_slice(&[reader]));
            return (1, 1);
        };
        match readers.binary_search(&reader) {
            Ok(_) => (0, 0),
            Err(at) => {
                readers.insert(at, reader);
                (0, 1)
            }
        }
    }

    /// Takes those out who remember `key`.
    pub(crate) fn readers_of(&mut self, key: &[u8]) -> Option<Readers> {
        // An empty map would hash the name all the same.
        if self.remembered.is_empty() {
            return None;
        }
        self.remembered.remove(key)
    }

    /// The keys for which `chosen` holds that somebody remembers.
    pub(crate) fn remembered_where(&self, chosen: impl Fn(&[u8]) -> bool) -> Vec<Box<[u8]>> {
        let keys = self.remembered.keys().filter(|key| chosen(key));
        keys.cloned().collect()
    }

    /// Any key that somebody remembers.
    pub(crate) fn any_remembered(&self) -> Option<Box<[u8]>> {
        self.remembered.keys().next().cloned()
    }

    /// Forgets who remembers which key: so many keys, and pairs of key and reader.
    pub(crate) fn forget_readers(&mut self) -> (usize, usize) {
        let forgotten = std::mem::take(&mut self.remembered);
        let items = forgotten.values().map(SmallVec::len).sum();
        (forgotten.len(), items)
    }

    /// Forgets readers for whom `stays` does not hold: so many keys, and pairs of key and reader.
    pub(crate) fn forget_gone(&mut self, stays: impl Fn(u64) -> bool) -> (usize, usize) {
        let (keys, mut items) = (self.remembered.len(), 0);
        self.remembered.retain(|_, readers| {
            let before = readers.len();
            readers.retain(|reader| stays(*reader));
            items += before - readers.len();
            !readers.is_empty()
        });
        (keys - self.remembered.len(), items)
    }

    /// Numbers of keys that are watched, and that somebody waits for.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.watched.len(), self.waiting.len())
    }

    fn is_empty(&self) -> bool {
        self.watched.is_empty() && self.waiting.is_empty() && self.remembered.is_empty()
    }
}

impl super::Stripe {
    /// The interest in this stripe, to add to.
    pub(crate) fn interest_mut(&mut self) -> &mut Interest {
        self.interest.get_or_insert_default()
    }

    /// Takes something out of the interest in this stripe.
    pub(crate) fn lose_interest(&mut self, lose: impl FnOnce(&mut Interest)) {
        if let Some(interest) = &mut self.interest {
            lose(interest);
            if interest.is_empty() {
                self.interest = None;
            }
        }
    }
}
