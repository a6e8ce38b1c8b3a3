//! The digest of a data set, as DEBUG DIGEST and DEBUG DIGEST-VALUE answer it: equal data, equal digits.
//!
//! `H` is SHA-1, `^` exclusive or, and mixing `x` into `d` gives `H(d ^ H(x))`. Numbers are four bytes, high first.
//! - A value: zeros, with the type (a number) mixed in, then its parts; then `^ H("!!expire!!")` if the key expires.
//! - The parts: a string's bytes, or a list's elements in order, are mixed in. For a set, `^ H(member)` for each; for a
//!   hash or sorted set, `^ H(p)` for each pair, `p` being zeros with field and value (score as `%.17g`) mixed in.
//! - A key: as its value, but beginning with the key's name mixed in; its contribution is `H` of that.
//! - A data set: zeros; for every database that holds a key, in order, its number mixed in and then
//!   `^` all contributions. So keys may come in any order, databases may not.
//!
//! The time of expiry is not in it, only that there is one. Cost: four blocks of SHA-1 a key and up, plus the value.
//! Source: checked against DEBUG DIGEST of Redis 7.0.15. (8.2.3 writes some scores otherwise, the rest is equal.)

use super::value::sum_value;
use crate::keyspace::{Cursor, Detached, Stripe, Stripes, Value};
use sha1::{Digest, Sha1};

/// Twenty bytes, written as forty hexadecimal digits.
pub type Sum = [u8; 20];

const ZERO: Sum = [0; 20];
const TYPE_STRING: u32 = 0;
const TYPE_LIST: u32 = 1;
const TYPE_SET: u32 = 2;
const TYPE_ZSET: u32 = 3;
const TYPE_HASH: u32 = 4;
/// Values of this many bytes are summed up after the stripe is released.
const LARGE: usize = 16 * 1024;
/// Bytes that `%.17g` takes at most.
const G17_MAX: usize = 24;
const EXPIRES: &[u8] = b"!!expire!!";

fn hash(bytes: &[u8]) -> Sum {
    Sha1::digest(bytes).into()
}

fn xor(sum: &mut Sum, other: &Sum) {
    sum.iter_mut().zip(other).for_each(|(to, from)| *to ^= from);
}

fn mix(sum: &mut Sum, bytes: &[u8]) {
    xor(sum, &hash(bytes));
    *sum = hash(sum);
}

/// The sum of one value on its way: the type first, then its parts, then whether it expires.
#[derive(Clone, Copy, Debug)]
pub struct ValueSum(Sum);

impl ValueSum {
    /// Begins the digest of a value on its own.
    pub fn of_value() -> ValueSum {
        ValueSum(ZERO)
    }

    /// Begins the digest of a value under its key.
    pub fn of_key(key: &[u8]) -> ValueSum {
        let mut sum = ZERO;
        mix(&mut sum, key);
        ValueSum(sum)
    }

    fn begin(&mut self, shape: u32) {
        mix(&mut self.0, &shape.to_be_bytes());
    }

    /// Takes in a string.
    #[must_use]
    pub fn string(mut self, value: &[u8]) -> ValueSum {
        self.begin(TYPE_STRING);
        mix(&mut self.0, value);
        self
    }

    /// Begins a list, whose elements follow by [`ValueSum::item`].
    pub fn begin_list(&mut self) {
        self.begin(TYPE_LIST);
    }

    /// Takes in the next element of a list.
    pub fn item(&mut self, item: &[u8]) {
        mix(&mut self.0, item);
    }

    /// Begins a set, whose members follow by [`ValueSum::member`] in any order.
    pub fn begin_set(&mut self) {
        self.begin(TYPE_SET);
    }

    /// Takes in a member of a set.
    pub fn member(&mut self, member: &[u8]) {
        xor(&mut self.0, &hash(member));
    }

    /// Begins a sorted set, whose members follow by [`ValueSum::scored`] in any order.
    pub fn begin_zset(&mut self) {
        self.begin(TYPE_ZSET);
    }

    /// Takes in a member of a sorted set.
    pub fn scored(&mut self, member: &[u8], score: f64) {
        let mut text = Vec::with_capacity(G17_MAX);
        ochre_ds::float::write_g17(&mut text, score);
        self.pair(member, &text);
    }

    /// Begins a hash, whose fields follow by [`ValueSum::pair`] in any order.
    pub fn begin_hash(&mut self) {
        self.begin(TYPE_HASH);
    }

    /// Takes in a field of a hash with its value.
    pub fn pair(&mut self, field: &[u8], value: &[u8]) {
        let mut sum = ZERO;
        mix(&mut sum, field);
        mix(&mut sum, value);
        xor(&mut self.0, &hash(&sum));
    }

    /// The digest as DEBUG DIGEST-VALUE answers it, if it was begun by [`ValueSum::of_value`].
    #[must_use]
    pub fn finish(mut self, expires: bool) -> Sum {
        if expires {
            xor(&mut self.0, &hash(EXPIRES));
        }
        self.0
    }

    /// What the key contributes to its database, to be given to [`DatabaseSum::add`], if it was begun by
    /// [`ValueSum::of_key`].
    #[must_use]
    pub fn finish_key(self, expires: bool) -> Sum {
        hash(&self.finish(expires))
    }
}

/// The digest of a value, as DEBUG DIGEST-VALUE answers; for a missing key it is zeros.
pub fn value_digest(value: Value<'_>, expires: bool) -> Sum {
    sum_value(ValueSum::of_value(), value).finish(expires)
}

/// What a key contributes to its database, to be given to [`DatabaseSum::add`].
pub fn key_digest(key: &[u8], value: Value<'_>, expires: bool) -> Sum {
    sum_value(ValueSum::of_key(key), value).finish_key(expires)
}

/// The sum over the keys of one database, taken in any order and in any parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DatabaseSum {
    sum: Sum,
    keys: u64,
}

impl DatabaseSum {
    /// Adds a key's contribution.
    pub fn add(&mut self, key: &Sum) {
        xor(&mut self.sum, key);
        self.keys += 1;
    }
}

/// The digest of a data set from its databases' sums, in ascending order of their numbers.
pub fn combine(databases: impl IntoIterator<Item = (u32, DatabaseSum)>) -> Sum {
    let mut sum = ZERO;
    for (number, database) in databases.into_iter().filter(|(_, d)| d.keys > 0) {
        mix(&mut sum, &number.to_be_bytes());
        xor(&mut sum, &database.sum);
    }
    sum
}

/// The forty digits.
pub fn hex(sum: &Sum) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    sum.iter()
        .flat_map(|b| [digit(b >> 4), digit(*b)])
        .collect()
}

/// The digest of a whole keyspace at `now_ms` (Unix milliseconds; keys expired by then count as gone).
///
/// A sweep: locks one stripe at a time for one step, so the caller must hold none. Exact only while nothing
/// changes. Long: hashes every byte of the data set, large values outside the locks.
pub fn dataset_digest(stripes: &Stripes<'_>, now_ms: i64) -> Sum {
    combine((0..stripes.databases()).filter_map(|index| {
        let sum = database_sum(stripes, index, now_ms);
        Some((u32::try_from(index).ok()?, sum))
    }))
}

/// The sum over one database; see [`dataset_digest`].
pub fn database_sum(stripes: &Stripes<'_>, db: usize, now_ms: i64) -> DatabaseSum {
    let mut sum = DatabaseSum::default();
    let mut large: Vec<(Vec<u8>, Detached)> = Vec::new();
    let mut cursor = Cursor::START;
    loop {
        cursor = stripes.step(db, cursor, |stripe: &mut Stripe, position| {
            stripe.scan(position, |handle, view| {
                let expires_at = view.expires_at();
                if expires_at.is_some_and(|at| at <= now_ms) {
                    return;
                }
                if stripe.memory(handle) >= LARGE {
                    let value = stripe.duplicate(handle);
                    large.extend(value.map(|value| (view.key().to_vec(), value)));
                } else if let Some(value) = stripe.value(handle) {
                    sum.add(&key_digest(view.key(), value, expires_at.is_some()));
                }
            })
        });
        for (key, value) in large.drain(..) {
            sum.add(&key_digest(&key, value.value(), value.expires_at.is_some()));
        }
        if cursor == Cursor::START {
            return sum;
        }
    }
}
