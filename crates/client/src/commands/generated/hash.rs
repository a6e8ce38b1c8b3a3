// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `hash`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;
use bytes::Bytes;

declare! {
    /// Deletes fields of a hash, and the hash with the last one.
    ///
    /// `HDEL key field [field ...]`
    ///
    /// Since 2.0.0. O(N) where N is the number of fields to be removed.
    everywhere hdel Hdel ["HDEL"]
    (key: impl Arg, field: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(field)
}

declare! {
    /// Tells whether a hash has a field.
    ///
    /// `HEXISTS key field`
    ///
    /// Since 2.0.0. O(1).
    everywhere hexists Hexists ["HEXISTS"]
    (key: impl Arg, field: impl Arg) -> bool;
    call => call.with(key).with(field)
}

declare! {
    /// Returns the value of one field of a hash.
    ///
    /// `HGET key field`
    ///
    /// Since 2.0.0. O(1).
    everywhere hget Hget ["HGET"]
    (key: impl Arg, field: impl Arg) -> Option<Bytes>;
    call => call.with(key).with(field)
}

declare! {
    /// Returns all fields of a hash with their values.
    ///
    /// `HGETALL key`
    ///
    /// Since 2.0.0. O(N) where N is the size of the hash.
    everywhere hgetall Hgetall ["HGETALL"]
    (key: impl Arg) -> std::collections::HashMap<Bytes, Bytes>;
    call => call.with(key)
}

declare! {
    /// Returns the values of fields of a hash and deletes the fields.
    ///
    /// `HGETDEL key FIELDS numfields field [field ...]`
    ///
    /// Since 8.0.0. O(N) where N is the number of specified fields.
    everywhere hgetdel Hgetdel ["HGETDEL"]
    (key: impl Arg, fields: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with(key).with_all(fields)
}

declare! {
    /// Adds to the integer in a field of a hash; no field counts as 0.
    ///
    /// `HINCRBY key field increment`
    ///
    /// Since 2.0.0. O(1).
    everywhere hincrby Hincrby ["HINCRBY"]
    (key: impl Arg, field: impl Arg, increment: i64) -> i64;
    call => call.with(key).with(field).with(increment)
}

declare! {
    /// Adds to the floating point number in a field of a hash; no field counts as 0.
    ///
    /// `HINCRBYFLOAT key field increment`
    ///
    /// Since 2.6.0. O(1).
    everywhere hincrbyfloat Hincrbyfloat ["HINCRBYFLOAT"]
    (key: impl Arg, field: impl Arg, increment: f64) -> f64;
    call => call.with(key).with(field).with(increment)
}

declare! {
    /// Returns all fields of a hash.
    ///
    /// `HKEYS key`
    ///
    /// Since 2.0.0. O(N) where N is the size of the hash.
    everywhere hkeys Hkeys ["HKEYS"]
    (key: impl Arg) -> Vec<Bytes>;
    call => call.with(key)
}

declare! {
    /// Returns the number of fields of a hash.
    ///
    /// `HLEN key`
    ///
    /// Since 2.0.0. O(1).
    everywhere hlen Hlen ["HLEN"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns the values of several fields of a hash.
    ///
    /// `HMGET key field [field ...]`
    ///
    /// Since 2.0.0. O(N) where N is the number of fields being requested.
    everywhere hmget Hmget ["HMGET"]
    (key: impl Arg, field: impl IntoIterator<Item = impl Arg>) -> Vec<Option<Bytes>>;
    call => call.with(key).with_all(field)
}

declare! {
    /// Sets several fields of a hash.
    ///
    /// `HMSET key field value [field value ...]`
    ///
    /// Since 2.0.0. O(N) where N is the number of fields being set.
    ///
    /// Discouraged since 4.0.0: use `HSET` with several fields and values.
    everywhere hmset Hmset ["HMSET"]
    (key: impl Arg, data: impl IntoIterator<Item = (impl Arg, impl Arg)>) -> ();
    call => call.with(key).with_all(data)
}

declare! {
    /// Returns random fields of a hash, with their values if wanted.
    ///
    /// `HRANDFIELD key [count [WITHVALUES]]`
    ///
    /// Since 6.2.0. O(N) where N is the number of fields returned.
    everywhere hrandfield Hrandfield ["HRANDFIELD"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Hrandfield, R> {
    /// `count [WITHVALUES]`
    pub fn options(self, count: i64, withvalues: bool) -> Self {
        self.option(0, |r| {
            count.add_to(r);
            if withvalues {
                r.push(b"WITHVALUES");
            }
        })
    }
}

declare! {
    /// Goes through the fields of a hash in steps.
    ///
    /// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`
    ///
    /// Since 2.8.0. O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.
    everywhere hscan Hscan ["HSCAN"]
    (key: impl Arg, cursor: u64) -> (u64, Vec<(Bytes, Bytes)>);
    call => call.with(key).with(cursor).gap(0)
}

impl<E, R> Call<E, Hscan, R> {
    /// `MATCH pattern`
    pub fn match_(self, pattern: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"MATCH");
            pattern.add_to(r);
        })
    }

    /// `COUNT count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"COUNT");
            count.add_to(r);
        })
    }

    /// `NOVALUES`
    pub fn novalues(self) -> Self {
        self.option(0, |r| r.push(b"NOVALUES"))
    }
}

declare! {
    /// Sets fields of a hash.
    ///
    /// `HSET key field value [field value ...]`
    ///
    /// Since 2.0.0. O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.
    everywhere hset Hset ["HSET"]
    (key: impl Arg, data: impl IntoIterator<Item = (impl Arg, impl Arg)>) -> i64;
    call => call.with(key).with_all(data)
}

declare! {
    /// Sets a field of a hash that has no such field.
    ///
    /// `HSETNX key field value`
    ///
    /// Since 2.0.0. O(1).
    everywhere hsetnx Hsetnx ["HSETNX"]
    (key: impl Arg, field: impl Arg, value: impl Arg) -> bool;
    call => call.with(key).with(field).with(value)
}

declare! {
    /// Returns the length of a field's value in bytes.
    ///
    /// `HSTRLEN key field`
    ///
    /// Since 3.2.0. O(1).
    everywhere hstrlen Hstrlen ["HSTRLEN"]
    (key: impl Arg, field: impl Arg) -> i64;
    call => call.with(key).with(field)
}
