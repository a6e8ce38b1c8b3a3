//! Who wants to know of changes to the keys of one stripe.
//!
//! Invariants
//! - It is kept by key name, and stays with the place when the stripe's contents go or are exchanged.
//! - A stripe that nobody is interested in has none: a change then costs one branch.
//!
//! It knows no client: watchers are flags to raise, those who wait are opaque tokens.

use crate::sync::AtomicBool;
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;

/// Somebody who waits for a key, as their owner knows them.
pub(crate) type Token = Arc<dyn Any + Send + Sync>;

/// Who watches, by a number, and the flag to raise.
type Watcher = (u64, Arc<AtomicBool>);

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Interest {
    watched: HashMap<Box<[u8]>, Vec<Watcher>>,
    /// First come, first served.
    waiting: HashMap<Box<[u8]>, VecDeque<(u64, Token)>>,
}

impl Interest {
    /// Raises `flag` at the next change of `key`. `id` names the watcher in [`Self::unwatch`].
    pub(crate) fn watch(&mut self, key: &[u8], id: u64, flag: &Arc<AtomicBool>) {
        let watchers = self.watched.entry(key.into()).or_default();
        watchers.push((id, flag.clone()));
    }

    pub(crate) fn unwatch(&mut self, key: &[u8], id: u64) {
        if let Some(watchers) = self.watched.get_mut(key) {
            watchers.retain(|(watcher, _)| *watcher != id);
            if watchers.is_empty() {
                self.watched.remove(key);
            }
        }
    }

    /// Tells those who watch `key` that it changed.
    pub(crate) fn touch(&self, key: &[u8]) {
        if let Some(watchers) = self.watched.get(key) {
            watchers
                .iter()
                .for_each(|(_, flag)| flag.store(true, Release));
        }
    }

    /// Tells those who watch a key for which `changed` holds.
    pub(crate) fn touch_where(&self, changed: impl Fn(&[u8]) -> bool) {
        let touched = self.watched.keys().filter(|key| changed(key));
        touched.for_each(|key| self.touch(key));
    }

    /// Puts somebody at the end of those who wait for `key`; once each.
    pub(crate) fn wait(&mut self, key: &[u8], id: u64, token: &Token) {
        let waiting = self.waiting.entry(key.into()).or_default();
        if waiting.iter().all(|(other, _)| *other != id) {
            waiting.push_back((id, token.clone()));
        }
    }

    pub(crate) fn leave(&mut self, key: &[u8], id: u64) {
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.retain(|(other, _)| *other != id);
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

    /// Numbers of keys that are watched, and that somebody waits for.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.watched.len(), self.waiting.len())
    }

    fn is_empty(&self) -> bool {
        self.watched.is_empty() && self.waiting.is_empty()
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
