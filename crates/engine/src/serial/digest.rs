//! The digest of a data set, as DEBUG DIGEST and DEBUG DIGEST-VALUE answer it: equal data, equal digits.
//!
//! `H` is SHA-1, `^` exclusive or, and mixing `x` into `d` gives `H(d ^ H(x))`. Numbers are four bytes, high first.
//! - A value: zeros, with the type (0 for strings) and then the bytes mixed in; `^ H("!!expire!!")` if the key expires.
//! - A key: as its value, but beginning with the key's name mixed in; its contribution is `H` of that.
//! - A data set: zeros; for every database that holds a key, in order, its number mixed in and then
//!   `^` all contributions. So keys may come in any order, databases may not.
//!
//! The time of expiry is not in it, only that there is one. Cost: four blocks of SHA-1 a key and up, plus the value.
//! Source: checked against DEBUG DIGEST of Redis 7.0.15 and 8.2.3.

use crate::keyspace::{Cursor, Database, Keyspace, Str, Stripe};
use ochre_ds::blob::Blob;
use sha1::{Digest, Sha1};

/// Twenty bytes, written as forty hexadecimal digits.
pub type Sum = [u8; 20];

const ZERO: Sum = [0; 20];
const TYPE_STRING: u32 = 0;
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

fn mix_string(mut sum: Sum, value: &[u8], expires: bool) -> Sum {
    mix(&mut sum, &TYPE_STRING.to_be_bytes());
    mix(&mut sum, value);
    if expires {
        xor(&mut sum, &hash(EXPIRES));
    }
    sum
}

/// The digest of one string value, as DEBUG DIGEST-VALUE answers; for a missing key it is zeros.
pub fn value_digest(value: &[u8], expires: bool) -> Sum {
    mix_string(ZERO, value, expires)
}

/// What a key with a string value contributes to its database, to be given to [`DatabaseSum::add`].
pub fn key_digest(key: &[u8], value: &[u8], expires: bool) -> Sum {
    let mut sum = ZERO;
    mix(&mut sum, key);
    hash(&mix_string(sum, value, expires))
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
pub fn dataset_digest(keyspace: &Keyspace, now_ms: i64) -> Sum {
    combine((0..keyspace.count()).filter_map(|index| {
        let database = keyspace.used(index)?;
        Some((u32::try_from(index).ok()?, database_sum(database, now_ms)))
    }))
}

/// The sum over one database; see [`dataset_digest`].
pub fn database_sum(database: &Database, now_ms: i64) -> DatabaseSum {
    let mut sum = DatabaseSum::default();
    let mut large: Vec<(Vec<u8>, Blob, bool)> = Vec::new();
    let mut cursor = Cursor::START;
    loop {
        cursor = database.step(cursor, |stripe: &mut Stripe, position| {
            stripe.scan(position, |handle, view| {
                let expires_at = view.expires_at();
                if expires_at.is_some_and(|at| at <= now_ms) {
                    return;
                }
                match stripe.string(handle) {
                    Some(Str::Blob(blob)) => {
                        large.push((view.key().to_vec(), blob.clone(), expires_at.is_some()));
                    }
                    Some(small) => sum.add(&key_digest(
                        view.key(),
                        small.bytes(&mut itoa::Buffer::new()),
                        expires_at.is_some(),
                    )),
                    None => {}
                }
            })
        });
        for (key, blob, expires) in large.drain(..) {
            sum.add(&key_digest(&key, blob.as_slice(), expires));
        }
        if cursor == Cursor::START {
            return sum;
        }
    }
}
