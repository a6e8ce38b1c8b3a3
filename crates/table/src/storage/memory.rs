//! Tables in memory: stripes with a lock each, in which a table's keys are in order.
//!
//! Invariants
//! - A key lies in the stripe that the hash of its table and itself names; who locks several stripes does so in
//!   ascending order.
//! - A stripe has no table without keys.
//! - Values are dropped, and memory is taken for new ones, outside of the locks where one key is set.

use super::{PAGE_BYTES, PAGE_MAX, Page, Storage, pair_bytes};
use crate::error::KvError;
use crate::pb::{Kvpair, Value};
use crate::values::ValueRef;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::ops::Bound;

const FULL: &str = "The memory limit is reached; tables take no more keys";

/// Stripes of a store.
const STRIPES: usize = 64;

type Keys = BTreeMap<Box<str>, Value>;
type Tables = HashMap<Box<str>, Keys, foldhash::fast::RandomState>;

/// A lock with a cache line of its own.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Stripe(RwLock<Tables>);

/// Tables in memory. They are gone when it is dropped.
#[derive(Debug)]
pub struct MemTable {
    hasher: foldhash::fast::RandomState,
    stripes: Box<[Stripe]>,
    room: Room,
}

/// Tells whether there is memory for more.
struct Room(Option<Box<dyn Fn() -> bool + Send + Sync>>);

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room")
    }
}

impl Default for MemTable {
    fn default() -> MemTable {
        MemTable::new()
    }
}

impl MemTable {
    /// A store without tables, and without a limit.
    #[must_use]
    pub fn new() -> MemTable {
        MemTable {
            hasher: foldhash::fast::RandomState::default(),
            stripes: (0..STRIPES).map(|_| Stripe::default()).collect(),
            room: Room(None),
        }
    }

    /// A store without tables that refuses to set keys ([`KvError::OutOfMemory`]) while `has_room` says no. That is
    /// asked at every write, so it has to be quick.
    #[must_use]
    pub fn limited(has_room: impl Fn() -> bool + Send + Sync + 'static) -> MemTable {
        MemTable {
            room: Room(Some(Box::new(has_room))),
            ..MemTable::new()
        }
    }

    fn check_room(&self) -> Result<(), KvError> {
        match &self.room.0 {
            Some(has_room) if !has_room() => Err(KvError::OutOfMemory(FULL.to_owned())),
            _ => Ok(()),
        }
    }

    fn stripe_of(&self, table: &str, key: &str) -> usize {
        let hash = self.hasher.hash_one((table, key));
        // The table of a stripe takes the hash's other end.
        usize::try_from(hash >> 58).unwrap_or(0)
    }

    fn read(&self, table: &str, key: &str) -> RwLockReadGuard<'_, Tables> {
        self.stripes[self.stripe_of(table, key)].0.read()
    }

    fn write(&self, table: &str, key: &str) -> RwLockWriteGuard<'_, Tables> {
        self.stripes[self.stripe_of(table, key)].0.write()
    }

    /// Locks the stripes of several keys, and tells the place of each key's among them.
    fn several<'s, 'k, G>(
        &'s self,
        table: &str,
        keys: impl Iterator<Item = &'k str>,
        lock: impl Fn(&'s RwLock<Tables>) -> G,
    ) -> (Vec<G>, Vec<usize>) {
        let of_key: Vec<usize> = keys.map(|key| self.stripe_of(table, key)).collect();
        let mut wanted = [false; STRIPES];
        of_key.iter().for_each(|&stripe| wanted[stripe] = true);
        let (mut guards, mut place) = (Vec::new(), [0; STRIPES]);
        for stripe in (0..STRIPES).filter(|&stripe| wanted[stripe]) {
            place[stripe] = guards.len();
            guards.push(lock(&self.stripes[stripe].0));
        }
        (guards, of_key.into_iter().map(|s| place[s]).collect())
    }
}

fn put(tables: &mut Tables, table: &str, key: &str, value: Value) -> Option<Value> {
    match tables.get_mut(table) {
        Some(keys) => match keys.get_mut(key) {
            Some(old) => Some(std::mem::replace(old, value)),
            None => keys.insert(key.into(), value),
        },
        None => {
            let keys = Keys::from([(key.into(), value)]);
            tables.insert(table.into(), keys);
            None
        }
    }
}

fn take(tables: &mut Tables, table: &str, key: &str) -> Option<Value> {
    let keys = tables.get_mut(table)?;
    let value = keys.remove(key);
    if keys.is_empty() {
        tables.remove(table);
    }
    value
}

impl Storage for MemTable {
    fn get(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        let tables = self.read(table, key);
        Ok(tables.get(table).and_then(|keys| keys.get(key)).cloned())
    }

    fn set(&self, table: &str, key: &str, value: Value) -> Result<Option<Value>, KvError> {
        self.check_room()?;
        Ok(put(&mut self.write(table, key), table, key, value))
    }

    fn del(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        Ok(take(&mut self.write(table, key), table, key))
    }

    fn contains(&self, table: &str, key: &str) -> Result<bool, KvError> {
        let tables = self.read(table, key);
        Ok(tables.get(table).is_some_and(|keys| keys.contains_key(key)))
    }

    fn mget(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        let (guards, places) = self.several(table, keys.iter().map(String::as_str), RwLock::read);
        let value = |(key, place): (&String, usize)| {
            let keys = guards[place].get(table);
            keys.and_then(|keys| keys.get(key.as_str())).cloned()
        };
        Ok(keys.iter().zip(places).map(value).collect())
    }

    fn mset(&self, table: &str, pairs: &[Kvpair]) -> Result<Vec<Option<Value>>, KvError> {
        self.check_room()?;
        let keys = pairs.iter().map(|pair| pair.key.as_str());
        let (mut guards, places) = self.several(table, keys, RwLock::write);
        let set = |(pair, place): (&Kvpair, usize)| {
            let value = pair.value.clone().unwrap_or_default();
            put(&mut guards[place], table, &pair.key, value)
        };
        Ok(pairs.iter().zip(places).map(set).collect())
    }

    fn mdel(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        let words = keys.iter().map(String::as_str);
        let (mut guards, places) = self.several(table, words, RwLock::write);
        let del = |(key, place): (&String, usize)| take(&mut guards[place], table, key);
        Ok(keys.iter().zip(places).map(del).collect())
    }

    /// Keys in order; the cursor is the last key of the page.
    fn scan(&self, table: &str, cursor: Option<&str>, limit: usize) -> Result<Page, KvError> {
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let guards: Vec<_> = self.stripes.iter().map(|stripe| stripe.0.read()).collect();
        let mut heads: Vec<_> = guards
            .iter()
            .filter_map(|tables| tables.get(table))
            .map(|keys| keys.range::<str, _>((from, Bound::Unbounded)).peekable())
            .collect();
        let (mut page, mut bytes) = (Page::default(), 0);
        loop {
            let ahead = heads.iter_mut().enumerate();
            let least = ahead
                .filter_map(|(at, keys)| keys.peek().map(|(key, _)| (*key, at)))
                .min();
            let Some((_, at)) = least else {
                return Ok(page);
            };
            if page.pairs.len() >= limit.clamp(1, PAGE_MAX) || bytes >= PAGE_BYTES {
                page.next = page.pairs.last().map(|pair| pair.key.clone());
                return Ok(page);
            }
            if let Some((key, value)) = heads[at].next() {
                let pair = Kvpair::new(&**key, value.clone());
                bytes += pair_bytes(&pair);
                page.pairs.push(pair);
            }
        }
    }

    fn get_with(
        &self,
        table: &str,
        key: &str,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        let tables = self.read(table, key);
        let value = tables.get(table).and_then(|keys| keys.get(key));
        if let Some(value) = value {
            sink(value.into());
        }
        Ok(value.is_some())
    }
}
