//! Who listens to which channel, and the way of a message to them.
//!
//! Invariants
//! - A connection is in the registry under exactly the names that its session holds; leaving takes it out of all.
//! - A channel's or a pattern's entry is removed with its last listener.
//! - All listeners of a channel see its messages in one order: messages are put into outboxes while
//!   the channel's part of the registry is locked.
//!
//! Cost: a message takes one lock and one allocation, whatever the number of listeners; with patterns
//! it is matched against each of them. No stripe is locked here.

use super::Engine;
use super::outbox::{Push, Spread, Wakes};
use super::session::{Client, Session};
use ochre_ds::glob::glob_match;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Parts of a registry of channels, each with its lock.
const PARTS: usize = 64;

type Listeners = BTreeMap<u64, Arc<Client>>;
type Part = Mutex<HashMap<Vec<u8>, Listeners>>;

/// Kinds of subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A channel by name.
    Channel,
    /// Channels that fit a pattern.
    Pattern,
    /// A shard channel by name.
    Shard,
}

/// Names and their listeners.
struct Names {
    parts: Box<[Part]>,
    hasher: RandomState,
    len: AtomicUsize,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            len: AtomicUsize::new(0),
        }
    }
}

impl Names {
    fn part(&self, name: &[u8]) -> &Part {
        // Lossless: below PARTS.
        &self.parts[(self.hasher.hash_one(name) % PARTS as u64) as usize]
    }

    fn add(&self, name: &[u8], client: &Arc<Client>) {
        let mut part = self.part(name).lock();
        let listeners = part.entry(name.to_vec()).or_insert_with(|| {
            self.len.fetch_add(1, Relaxed);
            Listeners::new()
        });
        listeners.insert(client.id, client.clone());
    }

    fn remove(&self, name: &[u8], client: u64) {
        let mut part = self.part(name).lock();
        if let Some(listeners) = part.get_mut(name) {
            listeners.remove(&client);
            if listeners.is_empty() {
                part.remove(name);
                self.len.fetch_sub(1, Relaxed);
            }
        }
    }

    fn count(&self, name: &[u8]) -> usize {
        self.part(name).lock().get(name).map_or(0, BTreeMap::len)
    }

    fn list(&self, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        for part in &self.parts {
            let part = part.lock();
            let fitting = part
                .keys()
                .filter(|n| pattern.is_none_or(|p| glob_match(p, n, false)));
            names.extend(fitting.cloned());
        }
        names
    }
}

/// The registry.
#[derive(Default)]
pub struct PubSub {
    channels: Names,
    shards: Names,
    patterns: RwLock<BTreeMap<Vec<u8>, Listeners>>,
    pattern_count: AtomicUsize,
}

impl PubSub {
    /// Number of channels with listeners, of patterns, and of shard channels.
    pub fn counts(&self) -> (usize, usize, usize) {
        (
            self.channels.len.load(Relaxed),
            self.pattern_count.load(Relaxed),
            self.shards.len.load(Relaxed),
        )
    }

    fn named(&self, shard: bool) -> &Names {
        if shard { &self.shards } else { &self.channels }
    }

    /// Whether nobody listens to any channel or pattern.
    pub(crate) fn is_deserted(&self) -> bool {
        self.channels.len.load(Relaxed) == 0 && self.pattern_count.load(Relaxed) == 0
    }

    /// Listeners of a channel or shard channel, without those by pattern.
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        match kind {
            Kind::Shard => self.shards.count(name),
            _ => self.channels.count(name),
        }
    }

    /// Channels or shard channels with listeners whose names fit `pattern`.
    pub fn names(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        match kind {
            Kind::Shard => self.shards.list(pattern),
            _ => self.channels.list(pattern),
        }
    }

    /// Calls `visit` with every subscription. A part of the registry is locked meanwhile.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(Kind, &[u8], &Client)) {
        let mut all = |kind, name: &[u8], listeners: &Listeners| {
            listeners.values().for_each(|c| visit(kind, name, c));
        };
        for (kind, names) in [(Kind::Channel, &self.channels), (Kind::Shard, &self.shards)] {
            for part in &names.parts {
                part.lock().iter().for_each(|(n, l)| all(kind, n, l));
            }
        }
        let patterns = self.patterns.read();
        patterns.iter().for_each(|(n, l)| all(Kind::Pattern, n, l));
    }

    fn add(&self, kind: Kind, name: &[u8], client: &Arc<Client>) {
        match kind {
            Kind::Channel => self.channels.add(name, client),
            Kind::Shard => self.shards.add(name, client),
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                patterns
                    .entry(name.to_vec())
                    .or_default()
                    .insert(client.id, client.clone());
                self.pattern_count.store(patterns.len(), Relaxed);
            }
        }
    }

    fn remove(&self, kind: Kind, name: &[u8], client: u64) {
        match kind {
            Kind::Channel => self.channels.remove(name, client),
            Kind::Shard => self.shards.remove(name, client),
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                if let Some(listeners) = patterns.get_mut(name) {
                    listeners.remove(&client);
                    if listeners.is_empty() {
                        patterns.remove(name);
                    }
                }
                self.pattern_count.store(patterns.len(), Relaxed);
            }
        }
    }
}

/// What one connection listens to.
#[derive(Default)]
pub struct Subscriptions {
    channels: BTreeSet<Vec<u8>>,
    patterns: BTreeSet<Vec<u8>>,
    shards: BTreeSet<Vec<u8>>,
}

impl Subscriptions {
    fn of(&mut self, kind: Kind) -> &mut BTreeSet<Vec<u8>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    /// The number that replies to (un)subscribing of this kind tell: shard channels count for themselves.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.shards.len(),
            _ => self.channels.len() + self.patterns.len(),
        }
    }

    /// All names of a kind.
    pub fn names(&mut self, kind: Kind) -> Vec<Vec<u8>> {
        self.of(kind).iter().cloned().collect()
    }
}

impl Session {
    /// Listens to a name from now on.
    pub(crate) fn subscribe(&mut self, engine: &Engine, kind: Kind, name: &[u8]) {
        if self.subscriptions.of(kind).insert(name.to_vec()) {
            engine.pubsub.add(kind, name, &self.client);
            self.show_subscriptions();
            if self.acl_version != engine.acl.version() {
                // Whoever took the permission away since it was checked may have looked before the registry had this.
                self.refresh_rules(engine);
                if !crate::acl::may_listen(&self.rules, kind, name) {
                    self.client.kill();
                }
            }
        }
    }

    /// Stops listening to a name; no message of it comes into the outbox afterwards.
    pub(crate) fn unsubscribe(&mut self, engine: &Engine, kind: Kind, name: &[u8]) {
        if self.subscriptions.of(kind).remove(name) {
            engine.pubsub.remove(kind, name, self.client.id);
            self.show_subscriptions();
        }
    }

    /// Stops listening to anything.
    pub(crate) fn unsubscribe_all(&mut self, engine: &Engine) {
        if self.subscriptions.is_empty() {
            return;
        }
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in std::mem::take(self.subscriptions.of(kind)) {
                engine.pubsub.remove(kind, &name, self.client.id);
            }
        }
        self.show_subscriptions();
    }

    fn show_subscriptions(&mut self) {
        let s = &self.subscriptions;
        let shown = &self.client.subscriptions;
        for (count, shown) in [&s.channels, &s.patterns, &s.shards].iter().zip(shown) {
            shown.store(count.len(), Relaxed);
        }
        self.settle();
    }
}

impl Engine {
    /// Sends a message to everybody who listens to `channel`. Returns how many messages that makes.
    ///
    /// With `wakes`, who is to be woken for it is noted there.
    pub(crate) fn publish(
        &self,
        channel: &[u8],
        payload: &[u8],
        shard: bool,
        now_ms: i64,
        mut wakes: Option<&mut Wakes>,
    ) -> usize {
        let message = || Push::Message {
            channel: channel.to_vec(),
            payload: payload.to_vec(),
            shard,
        };
        let mut sent = 0;
        let part = self.pubsub.named(shard).part(channel).lock();
        if let Some(listeners) = part.get(channel) {
            sent += self.send(
                listeners,
                || Spread::new(message()),
                now_ms,
                wakes.as_deref_mut(),
            );
        }
        if !shard && self.pubsub.pattern_count.load(Relaxed) > 0 {
            let fitting = self.pubsub.patterns.read();
            let fitting = fitting
                .iter()
                .filter(|(p, _)| glob_match(p, channel, false));
            let mut plain = None;
            for (pattern, listeners) in fitting {
                let push = Push::PatternMessage {
                    pattern: pattern.clone(),
                    message: plain.get_or_insert_with(|| Arc::new(message())).clone(),
                };
                sent += self.send(
                    listeners,
                    || Spread::new(push),
                    now_ms,
                    wakes.as_deref_mut(),
                );
            }
        }
        sent
    }

    /// Sends short messages to everybody who listens to `channel`, together. Returns how many messages each of them makes,
    /// or `None` when they have to be sent one by one: who listens by a pattern gets them in the order of the channel's.
    pub(super) fn publish_together<'m>(
        &self,
        channel: &[u8],
        payloads: impl Iterator<Item = &'m [u8]>,
        shard: bool,
        now_ms: i64,
        wakes: &mut Wakes,
    ) -> Option<usize> {
        let part = self.pubsub.named(shard).part(channel).lock();
        if !shard && self.pubsub.pattern_count.load(Relaxed) > 0 {
            return None;
        }
        let messages = || Spread::together(channel, shard, payloads);
        let send = |listeners| self.send(listeners, messages, now_ms, Some(wakes));
        Some(part.get(channel).map_or(0, send))
    }

    fn send(
        &self,
        listeners: &Listeners,
        message: impl FnOnce() -> Spread,
        now_ms: i64,
        mut wakes: Option<&mut Wakes>,
    ) -> usize {
        if listeners.is_empty() {
            return 0;
        }
        let message = message();
        for client in listeners.values() {
            self.deliver_one_of_many(client, &message, now_ms, wakes.as_deref_mut());
        }
        listeners.len()
    }
}
