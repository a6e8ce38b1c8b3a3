//! Where tables are kept.

#[cfg(feature = "disk")]
pub(crate) mod disk;
#[cfg(feature = "keyspace")]
pub(crate) mod keyspace;
pub(crate) mod memory;
#[cfg(any(feature = "disk", feature = "keyspace"))]
mod tags;

use crate::error::KvError;
use crate::pb::{Kvpair, Value};
use crate::values::ValueRef;
use crate::wire::Borrowed;
use prost::Message as _;

/// Pairs that one page may have.
pub const PAGE_MAX: usize = 10_000;
/// Bytes at which a page ends, whatever number of pairs was asked for.
const PAGE_BYTES: usize = 1 << 20;

/// What a request on one key gives: its value, of Hset the previous one; none if it was not there.
pub type Answer<'a> = Result<Option<ValueRef<'a>>, KvError>;

/// Keeps tables of typed values.
///
/// What every implementation holds to, and [`crate::conformance::check`] tests:
/// - A value comes back with the type and the content that it was set with, the empty value included; a string never
///   comes back as anything else, whatever it looks like.
/// - Tables, keys and strings may be empty and may contain any character.
/// - A table exists while it has keys; there is nothing to create or drop.
/// - Each call but [`Storage::scan`] and what is built on it is atomic: nobody sees a part of an
///   [`Storage::mset`], and of two calls that write the same key one gets the other's value as the previous one.
/// - A key named twice in one call is treated in the order of the call.
/// - A call that fails has changed nothing, and [`KvError::Busy`] says that it may succeed a moment later.
/// - Calls may be made from any thread, and inside of an async runtime: they may wait for a disk, never for a peer.
///
/// `&self` is a handle: implementations synchronise inside.
pub trait Storage: Send + Sync + 'static {
    /// The value of a key, if it is there.
    ///
    /// # Errors
    /// When the storage cannot tell.
    fn get(&self, table: &str, key: &str) -> Result<Option<Value>, KvError>;

    /// Sets a key and gives its previous value.
    ///
    /// # Errors
    /// When it is not set.
    fn set(&self, table: &str, key: &str, value: Value) -> Result<Option<Value>, KvError>;

    /// Deletes a key and gives its previous value.
    ///
    /// # Errors
    /// When it is not deleted.
    fn del(&self, table: &str, key: &str) -> Result<Option<Value>, KvError>;

    /// Whether a key is there.
    ///
    /// # Errors
    /// When the storage cannot tell.
    fn contains(&self, table: &str, key: &str) -> Result<bool, KvError>;

    /// The values of several keys, in their order.
    ///
    /// # Errors
    /// When the storage cannot tell.
    fn mget(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError>;

    /// Sets several keys at once and gives their previous values. A pair without a value sets the empty one.
    ///
    /// # Errors
    /// When none of them is set.
    fn mset(&self, table: &str, pairs: &[Kvpair]) -> Result<Vec<Option<Value>>, KvError>;

    /// Deletes several keys at once and gives their previous values.
    ///
    /// # Errors
    /// When none of them is deleted.
    fn mdel(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError>;

    /// Some pairs of a table: from its beginning if `cursor` is `None`, else from where the page ended that gave the
    /// cursor. A scan from the beginning to the end finds every key that was there throughout; one that came or went
    /// meanwhile it may find, and a key of the keyspace more than once.
    ///
    /// `limit` is how many pairs are wanted, up to [`PAGE_MAX`]; a page may have fewer, or none, and not be the last,
    /// and of the keyspace some more.
    ///
    /// # Errors
    /// When the storage cannot tell, or gave no such cursor.
    fn scan(&self, table: &str, cursor: Option<&str>, limit: usize) -> Result<Page, KvError>;

    /// Lends the value of a key to `sink`. Whether it was there. `sink` is called at most once; it may be called under
    /// a lock, so it has to be short and call no storage.
    ///
    /// # Errors
    /// As [`Storage::get`].
    fn get_with(
        &self,
        table: &str,
        key: &str,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        let value = self.get(table, key)?;
        if let Some(value) = &value {
            sink(value.into());
        }
        Ok(value.is_some())
    }

    /// As [`Storage::set`] with a borrowed value; lends the previous one to `sink`, as [`Storage::get_with`] does.
    ///
    /// # Errors
    /// As [`Storage::set`].
    fn set_with(
        &self,
        table: &str,
        key: &str,
        value: ValueRef<'_>,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        let previous = self.set(table, key, value.to_value())?;
        if let Some(value) = &previous {
            sink(value.into());
        }
        Ok(previous.is_some())
    }

    /// Executes requests on one key each, in their order, and lends the answer of each, once, to `answer`, which says
    /// whether to go on: what comes after a no is not executed. `answer` may be called under a lock, so it has to be short and
    /// call no storage.
    ///
    /// The requests need not be atomic together. Worth its own code where what they need can be fetched beforehand.
    fn execute(&self, requests: &[Borrowed<'_>], answer: &mut dyn FnMut(Answer<'_>) -> bool) {
        for request in requests {
            let mut go_on = None;
            let mut sink = |value: ValueRef<'_>| go_on = Some(answer(Ok(Some(value))));
            let done = match *request {
                Borrowed::Get(table, key) => self.get_with(table, key, &mut sink),
                Borrowed::Set(table, key, value) => self.set_with(table, key, value, &mut sink),
            };
            let go_on = match (go_on, done) {
                (Some(go_on), _) => go_on,
                (None, Ok(_)) => answer(Ok(None)),
                (None, Err(error)) => answer(Err(error)),
            };
            if !go_on {
                return;
            }
        }
    }

    /// All pairs of a table, if they have at most `bytes_max` bytes together.
    ///
    /// # Errors
    /// [`KvError::TooLarge`], or as [`Storage::scan`].
    fn get_all(&self, table: &str, bytes_max: usize) -> Result<Vec<Kvpair>, KvError> {
        collect(table, bytes_max, |cursor| {
            self.scan(table, cursor, PAGE_MAX)
        })
    }

    /// Whether what was written has to be [settled](Storage::settle) before it is acknowledged.
    fn settles(&self) -> bool {
        false
    }

    /// Returns when everything written before the call is as safe as the storage promises. May wait for a disk; a
    /// batch of requests is settled once, before its responses are sent.
    ///
    /// # Errors
    /// When it is not safe; the storage then takes no more writes.
    fn settle(&self) -> Result<(), KvError> {
        Ok(())
    }

    /// The pairs of a table one after the other, of which a page is in memory at a time.
    fn get_iter(&self, table: &str) -> Pairs<'_>
    where
        Self: Sized,
    {
        Pairs {
            store: self,
            table: table.to_owned(),
            page: Vec::new().into_iter(),
            next: Some(None),
        }
    }
}

/// Some pairs of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The pairs.
    pub pairs: Vec<Kvpair>,
    /// Where the next page begins; `None` at the end of the table.
    pub next: Option<String>,
}

/// The pairs of a table, read page by page. Ends after the first error.
pub struct Pairs<'a> {
    store: &'a dyn Storage,
    table: String,
    page: std::vec::IntoIter<Kvpair>,
    /// The next page's cursor; `None` when there is none.
    next: Option<Option<String>>,
}

/// Pairs of a page that an iterator reads at once.
const ITER_PAGE: usize = 256;

impl Iterator for Pairs<'_> {
    type Item = Result<Kvpair, KvError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pair) = self.page.next() {
                return Some(Ok(pair));
            }
            let cursor = self.next.take()?;
            match self.store.scan(&self.table, cursor.as_deref(), ITER_PAGE) {
                Ok(page) => {
                    self.next = page.next.map(Some);
                    self.page = page.pairs.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Gathers the pages of a table, up to a number of bytes.
pub(crate) fn collect(
    table: &str,
    bytes_max: usize,
    mut scan: impl FnMut(Option<&str>) -> Result<Page, KvError>,
) -> Result<Vec<Kvpair>, KvError> {
    let (mut pairs, mut bytes, mut cursor) = (Vec::new(), 0, None::<String>);
    loop {
        let page = scan(cursor.as_deref())?;
        bytes += page.pairs.iter().map(pair_bytes).sum::<usize>();
        if bytes > bytes_max {
            return Err(too_large(table, bytes_max));
        }
        pairs.extend(page.pairs);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(pairs),
        }
    }
}

/// What a pair takes in a response: its bytes, its tag and its length.
pub(crate) fn pair_bytes(pair: &Kvpair) -> usize {
    let bytes = pair.encoded_len();
    1 + prost::length_delimiter_len(bytes) + bytes
}

/// A table that one response cannot hold.
pub(crate) fn too_large(table: &str, bytes_max: usize) -> KvError {
    KvError::TooLarge(format!(
        "Table {table} has more than the {bytes_max} bytes of one response; read it by pages"
    ))
}

/// A storage that is shared, and chosen at run time.
impl Storage for std::sync::Arc<dyn Storage> {
    fn get(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        (**self).get(table, key)
    }
    fn set(&self, table: &str, key: &str, value: Value) -> Result<Option<Value>, KvError> {
        (**self).set(table, key, value)
    }
    fn del(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        (**self).del(table, key)
    }
    fn contains(&self, table: &str, key: &str) -> Result<bool, KvError> {
        (**self).contains(table, key)
    }
    fn mget(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        (**self).mget(table, keys)
    }
    fn mset(&self, table: &str, pairs: &[Kvpair]) -> Result<Vec<Option<Value>>, KvError> {
        (**self).mset(table, pairs)
    }
    fn mdel(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        (**self).mdel(table, keys)
    }
    fn scan(&self, table: &str, cursor: Option<&str>, limit: usize) -> Result<Page, KvError> {
        (**self).scan(table, cursor, limit)
    }
    fn get_with(
        &self,
        table: &str,
        key: &str,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        (**self).get_with(table, key, sink)
    }
    fn set_with(
        &self,
        table: &str,
        key: &str,
        value: ValueRef<'_>,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        (**self).set_with(table, key, value, sink)
    }
    fn execute(&self, requests: &[Borrowed<'_>], answer: &mut dyn FnMut(Answer<'_>) -> bool) {
        (**self).execute(requests, answer);
    }
    fn get_all(&self, table: &str, bytes_max: usize) -> Result<Vec<Kvpair>, KvError> {
        (**self).get_all(table, bytes_max)
    }
    fn settles(&self) -> bool {
        (**self).settles()
    }
    fn settle(&self) -> Result<(), KvError> {
        (**self).settle()
    }
}
