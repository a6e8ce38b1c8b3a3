//! A map that remembers in which order its keys came, as rules are shown.
//!
//! Invariant: `places` has the key of every entry of `entries`, and nothing else.
//!
//! Cost: a word of ACL SETUSER costs the logarithm of what was said before, however many there are. The few entries that
//! most users have lie in one node.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Ordered<K, V> {
    entries: BTreeMap<u64, (K, V)>,
    places: BTreeMap<K, u64>,
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Ordered {
            entries: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }
}

/// The same entries in the same order, wherever they stand.
impl<K: PartialEq, V: PartialEq> PartialEq for Ordered<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.entries.values().eq(other.entries.values())
    }
}

impl<K: Eq, V: Eq> Eq for Ordered<K, V> {}

impl<K: Ord + Clone, V> Ordered<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.places.clear();
    }

    pub(super) fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.places.contains_key(key)
    }

    /// The value of `key`.
    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.places.get(key)?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Puts a key behind all others, where it stood before, too.
    pub(super) fn push(&mut self, key: K, value: V) {
        self.remove(&key);
        let place = self
            .entries
            .last_key_value()
            .map_or(0, |(last, _)| last + 1);
        self.places.insert(key.clone(), place);
        self.entries.insert(place, (key, value));
    }

    /// Takes a key away. Whether it was there.
    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let place = self.places.remove(key);
        place.is_some_and(|place| self.entries.remove(&place).is_some())
    }

    /// The keys and their values, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.entries.values().map(|(key, value)| (key, value))
    }

    /// The keys, oldest first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }
}

impl<V> Ordered<super::Name, V> {
    /// Takes away every key that begins with `prefix`.
    pub(super) fn remove_below(&mut self, prefix: &[u8]) {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        while let Some((first, _)) = self.places.range::<[u8], _>(from).next() {
            if !first.starts_with(prefix) {
                break;
            }
            let first = first.clone();
            self.remove(&*first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Ordered<super::super::Name, u8> {
        let mut ordered = Ordered::default();
        for name in names {
            ordered.push(name.as_bytes().into(), 0);
        }
        ordered
    }

    fn text(ordered: &Ordered<super::super::Name, u8>) -> String {
        let words: Vec<_> = ordered.keys().map(|k| String::from_utf8_lossy(k)).collect();
        words.join(" ")
    }

    #[test]
    fn keys_stay_in_the_order_in_which_they_came_last() {
        let mut ordered = of(&["c", "a", "b", "c"]);
        assert_eq!(text(&ordered), "a b c");
        assert!(ordered.contains(b"a".as_slice()) && !ordered.contains(b"d".as_slice()));
        assert!(ordered.remove(b"b".as_slice()) && !ordered.remove(b"b".as_slice()));
        *ordered.get_mut(b"a".as_slice()).expect("a key") = 7;
        ordered.push(b"b".as_slice().into(), 1);
        assert_eq!(text(&ordered), "a c b");
        assert_eq!(
            ordered.iter().map(|(_, v)| *v).collect::<Vec<_>>(),
            [7, 0, 1]
        );
        ordered.clear();
        assert!(ordered.is_empty() && !ordered.contains(b"a".as_slice()));
    }

    #[test]
    fn a_prefix_takes_those_below_it_only() {
        let mut ordered = of(&["a|x", "a", "ab", "a|", "b|x", "a}"]);
        ordered.remove_below(b"a|");
        assert_eq!(text(&ordered), "a ab b|x a}");
    }

    #[test]
    fn places_do_not_count_when_two_are_compared() {
        assert_eq!(of(&["a", "b", "a"]), of(&["b", "a"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    }
}
