// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `generic`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Lets a key expire at a Unix time in milliseconds.
    ///
    /// `PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]`
    ///
    /// Since 2.6.0. O(1).
    everywhere pexpireat Pexpireat ["PEXPIREAT"]
    (key: impl Arg, unix_time_milliseconds: i64) -> bool;
    call => call.with(key).with(unix_time_milliseconds).gap(0)
}

impl<E, R> Call<E, Pexpireat, R> {
    /// `NX`
    pub fn nx(self) -> Self {
        self.option(0, |r| r.push(b"NX"))
    }

    /// `XX`
    pub fn xx(self) -> Self {
        self.option(0, |r| r.push(b"XX"))
    }

    /// `GT`
    pub fn gt(self) -> Self {
        self.option(0, |r| r.push(b"GT"))
    }

    /// `LT`
    pub fn lt(self) -> Self {
        self.option(0, |r| r.push(b"LT"))
    }
}

declare! {
    /// Tells the Unix time in milliseconds at which a key expires.
    ///
    /// `PEXPIRETIME key`
    ///
    /// Since 7.0.0. O(1).
    everywhere pexpiretime Pexpiretime ["PEXPIRETIME"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Tells in how many milliseconds a key expires.
    ///
    /// `PTTL key`
    ///
    /// Since 2.6.0. O(1).
    everywhere pttl Pttl ["PTTL"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns a random name of the database.
    ///
    /// `RANDOMKEY`
    ///
    /// Since 1.0.0. O(1).
    everywhere randomkey Randomkey ["RANDOMKEY"]
    () -> Option<Bytes>;
    call => call
}

declare! {
    /// Renames a key, replacing what has the new name.
    ///
    /// `RENAME key newkey`
    ///
    /// Since 1.0.0. O(1).
    everywhere rename Rename ["RENAME"]
    (key: impl Arg, newkey: impl Arg) -> ();
    call => call.with(key).with(newkey)
}

declare! {
    /// Renames a key unless the new name is taken.
    ///
    /// `RENAMENX key newkey`
    ///
    /// Since 1.0.0. O(1).
    everywhere renamenx Renamenx ["RENAMENX"]
    (key: impl Arg, newkey: impl Arg) -> bool;
    call => call.with(key).with(newkey)
}

declare! {
    /// Creates a key from a value in serialised form.
    ///
    /// `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
    ///
    /// Since 2.6.0. O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).
    everywhere restore Restore ["RESTORE"]
    (key: impl Arg, ttl: i64, serialized_value: impl Arg) -> ();
    call => call.with(key).with(ttl).with(serialized_value).gap(0)
}

impl<E, R> Call<E, Restore, R> {
    /// `REPLACE`
    pub fn replace(self) -> Self {
        self.option(0, |r| r.push(b"REPLACE"))
    }

    /// `ABSTTL`
    pub fn absttl(self) -> Self {
        self.option(0, |r| r.push(b"ABSTTL"))
    }

    /// `IDLETIME seconds`
    pub fn idletime(self, seconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"IDLETIME");
            seconds.add_to(r);
        })
    }

    /// `FREQ frequency`
    pub fn freq(self, frequency: i64) -> Self {
        self.option(0, |r| {
            r.push(b"FREQ");
            frequency.add_to(r);
        })
    }
}

declare! {
    /// Goes through the names of the database in steps.
    ///
    /// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
    ///
    /// Since 2.8.0. O(1) a call, O(N) for all calls until the cursor is 0 again, where N is the number of keys of the database.
    everywhere scan Scan ["SCAN"]
    (cursor: u64) -> (u64, Vec<Bytes>);
    call => call.with(cursor).gap(0)
}

impl<E, R> Call<E, Scan, R> {
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

    /// `TYPE type`
    pub fn type_(self, type_: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"TYPE");
            type_.add_to(r);
        })
    }
}

declare! {
    /// Sorts the elements of a list, a set or a sorted set; may store the result as a list.
    ///
    /// `SORT key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]`
    ///
    /// Since 1.0.0. O(N+M*log(M)) for N elements of which M are returned; O(N) when BY has no asterisk.
    everywhere sort Sort ["SORT"]
    (key: impl Arg) -> Vec<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Sort, R> {
    /// `BY by-pattern`
    pub fn by(self, by_pattern: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"BY");
            by_pattern.add_to(r);
        })
    }

    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }

    /// `GET get-pattern [GET get-pattern ...]`
    pub fn get(self, get_pattern: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in get_pattern {
                r.push(b"GET");
                one.add_to(r);
            }
        })
    }

    /// `ASC`
    pub fn asc(self) -> Self {
        self.option(0, |r| r.push(b"ASC"))
    }

    /// `DESC`
    pub fn desc(self) -> Self {
        self.option(0, |r| r.push(b"DESC"))
    }

    /// `ALPHA`
    pub fn alpha(self) -> Self {
        self.option(0, |r| r.push(b"ALPHA"))
    }

    /// `STORE destination`
    pub fn store(self, destination: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"STORE");
            destination.add_to(r);
        })
    }
}

declare! {
    /// Returns the elements of a list, a set or a sorted set in order.
    ///
    /// `SORT_RO key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA]`
    ///
    /// Since 7.0.0. O(N+M*log(M)) for N elements of which M are returned; O(N) when BY has no asterisk.
    everywhere sort_ro SortRo ["SORT_RO"]
    (key: impl Arg) -> Vec<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, SortRo, R> {
    /// `BY by-pattern`
    pub fn by(self, by_pattern: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"BY");
            by_pattern.add_to(r);
        })
    }

    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }

    /// `GET get-pattern [GET get-pattern ...]`
    pub fn get(self, get_pattern: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in get_pattern {
                r.push(b"GET");
                one.add_to(r);
            }
        })
    }

    /// `ASC`
    pub fn asc(self) -> Self {
        self.option(0, |r| r.push(b"ASC"))
    }

    /// `DESC`
    pub fn desc(self) -> Self {
        self.option(0, |r| r.push(b"DESC"))
    }

    /// `ALPHA`
    pub fn alpha(self) -> Self {
        self.option(0, |r| r.push(b"ALPHA"))
    }
}

declare! {
    /// Records an access to keys and counts those that exist.
    ///
    /// `TOUCH key [key ...]`
    ///
    /// Since 3.2.1. O(N) where N is the number of keys.
    everywhere touch Touch ["TOUCH"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_all(key)
}

declare! {
    /// Tells in how many seconds a key expires.
    ///
    /// `TTL key`
    ///
    /// Since 1.0.0. O(1).
    everywhere ttl Ttl ["TTL"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Names the type of the value at a key.
    ///
    /// `TYPE key`
    ///
    /// Since 1.0.0. O(1).
    everywhere type_ Type ["TYPE"]
    (key: impl Arg) -> String;
    call => call.with(key)
}

declare! {
    /// Removes keys and frees their values in the background.
    ///
    /// `UNLINK key [key ...]`
    ///
    /// Since 4.0.0. O(N) where N is the number of keys. Large values are freed in the background.
    everywhere unlink Unlink ["UNLINK"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_all(key)
}

declare! {
    /// Waits until a number of replicas has this connection's writes.
    ///
    /// `WAIT numreplicas timeout`
    ///
    /// Since 3.0.0. O(1).
    alone wait Wait ["WAIT"]
    (numreplicas: i64, timeout: i64) -> i64;
    call => call.with(numreplicas).with(timeout)
}

declare! {
    /// Waits until this connection's writes are in the append-only files here and on replicas.
    ///
    /// `WAITAOF numlocal numreplicas timeout`
    ///
    /// Since 7.2.0. O(1).
    alone waitaof Waitaof ["WAITAOF"]
    (numlocal: i64, numreplicas: i64, timeout: i64) -> Vec<i64>;
    call => call.with(numlocal).with(numreplicas).with(timeout)
}
