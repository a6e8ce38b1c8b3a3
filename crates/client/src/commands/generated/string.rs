// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `string`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;
use bytes::Bytes;

declare! {
    /// Appends to the string value of a key, and creates it if there is none.
    ///
    /// `APPEND key value`
    ///
    /// Since 2.0.0. O(1) amortized: room for growth is reserved ahead.
    everywhere append Append ["APPEND"]
    (key: impl Arg, value: impl Arg) -> i64;
    call => call.with(key).with(value)
}

declare! {
    /// Subtracts one from the integer value of a key; no key counts as 0.
    ///
    /// `DECR key`
    ///
    /// Since 1.0.0. O(1).
    everywhere decr Decr ["DECR"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Subtracts from the integer value of a key; no key counts as 0.
    ///
    /// `DECRBY key decrement`
    ///
    /// Since 1.0.0. O(1).
    everywhere decrby Decrby ["DECRBY"]
    (key: impl Arg, decrement: i64) -> i64;
    call => call.with(key).with(decrement)
}

declare! {
    /// Removes a key, on condition of its present value if wished.
    ///
    /// `DELEX key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]`
    ///
    /// Since 8.4.0. O(1), with `IFDEQ` and `IFDNE` O(N) where N is the length of the value.
    everywhere delex Delex ["DELEX"]
    (key: impl Arg) -> i64;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Delex, R> {
    /// `IFEQ ifeq-value`
    pub fn ifeq(self, ifeq_value: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"IFEQ");
            ifeq_value.add_to(r);
        })
    }

    /// `IFNE ifne-value`
    pub fn ifne(self, ifne_value: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"IFNE");
            ifne_value.add_to(r);
        })
    }

    /// `IFDEQ ifdeq-digest`
    pub fn ifdeq(self, ifdeq_digest: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"IFDEQ");
            ifdeq_digest.add_to(r);
        })
    }

    /// `IFDNE ifdne-digest`
    pub fn ifdne(self, ifdne_digest: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"IFDNE");
            ifdne_digest.add_to(r);
        })
    }
}

declare! {
    /// Returns the XXH3 digest of a string value as hexadecimal digits.
    ///
    /// `DIGEST key`
    ///
    /// Since 8.4.0. O(N) where N is the length of the value.
    everywhere digest Digest ["DIGEST"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key)
}

declare! {
    /// Returns the string value of a key.
    ///
    /// `GET key`
    ///
    /// Since 1.0.0. O(1).
    everywhere get Get ["GET"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key)
}

declare! {
    /// Removes a key and returns the string value that it had.
    ///
    /// `GETDEL key`
    ///
    /// Since 6.2.0. O(1).
    everywhere getdel Getdel ["GETDEL"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key)
}

declare! {
    /// Returns the string value of a key and sets or clears when it expires.
    ///
    /// `GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]`
    ///
    /// Since 6.2.0. O(1).
    everywhere getex Getex ["GETEX"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Getex, R> {
    /// `EX seconds`
    pub fn ex(self, seconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"EX");
            seconds.add_to(r);
        })
    }

    /// `PX milliseconds`
    pub fn px(self, milliseconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"PX");
            milliseconds.add_to(r);
        })
    }

    /// `EXAT unix-time-seconds`
    pub fn exat(self, unix_time_seconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"EXAT");
            unix_time_seconds.add_to(r);
        })
    }

    /// `PXAT unix-time-milliseconds`
    pub fn pxat(self, unix_time_milliseconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"PXAT");
            unix_time_milliseconds.add_to(r);
        })
    }

    /// `PERSIST`
    pub fn persist(self) -> Self {
        self.option(0, |r| r.push(b"PERSIST"))
    }
}

declare! {
    /// Returns part of a string value, by its first and last place.
    ///
    /// `GETRANGE key start end`
    ///
    /// Since 2.4.0. O(N) where N is the length of the part.
    everywhere getrange Getrange ["GETRANGE"]
    (key: impl Arg, start: i64, end: i64) -> Bytes;
    call => call.with(key).with(start).with(end)
}

declare! {
    /// Sets the string value of a key and returns the one before.
    ///
    /// `GETSET key value`
    ///
    /// Since 1.0.0. O(1).
    ///
    /// Discouraged since 6.2.0: use `SET` with `GET`.
    everywhere getset Getset ["GETSET"]
    (key: impl Arg, value: impl Arg) -> Option<Bytes>;
    call => call.with(key).with(value)
}

declare! {
    /// Adds one to the integer value of a key; no key counts as 0.
    ///
    /// `INCR key`
    ///
    /// Since 1.0.0. O(1).
    everywhere incr Incr ["INCR"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Adds to the integer value of a key; no key counts as 0.
    ///
    /// `INCRBY key increment`
    ///
    /// Since 1.0.0. O(1).
    everywhere incrby Incrby ["INCRBY"]
    (key: impl Arg, increment: i64) -> i64;
    call => call.with(key).with(increment)
}

declare! {
    /// Adds to the floating point value of a key; no key counts as 0.
    ///
    /// `INCRBYFLOAT key increment`
    ///
    /// Since 2.6.0. O(1).
    everywhere incrbyfloat Incrbyfloat ["INCRBYFLOAT"]
    (key: impl Arg, increment: f64) -> f64;
    call => call.with(key).with(increment)
}

declare! {
    /// Adds to the numeric value of a key within bounds and sets when it expires; no key counts as 0.
    ///
    /// `INCREX key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND upperbound] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]`
    ///
    /// Since 8.8.0. O(1).
    everywhere increx Increx ["INCREX"]
    (key: impl Arg) -> Value;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Increx, R> {
    /// `BYFLOAT float`
    pub fn byfloat(self, float: f64) -> Self {
        self.option(0, |r| {
            r.push(b"BYFLOAT");
            float.add_to(r);
        })
    }

    /// `BYINT integer`
    pub fn byint(self, integer: i64) -> Self {
        self.option(0, |r| {
            r.push(b"BYINT");
            integer.add_to(r);
        })
    }

    /// `SATURATE`
    pub fn saturate(self) -> Self {
        self.option(0, |r| r.push(b"SATURATE"))
    }

    /// `LBOUND lowerbound`
    pub fn lbound(self, lowerbound: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"LBOUND");
            lowerbound.add_to(r);
        })
    }

    /// `UBOUND upperbound`
    pub fn ubound(self, upperbound: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"UBOUND");
            upperbound.add_to(r);
        })
    }

    /// `EX seconds`
    pub fn ex(self, seconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"EX");
            seconds.add_to(r);
        })
    }

    /// `PX milliseconds`
    pub fn px(self, milliseconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"PX");
            milliseconds.add_to(r);
        })
    }

    /// `EXAT unix-time-seconds`
    pub fn exat(self, unix_time_seconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"EXAT");
            unix_time_seconds.add_to(r);
        })
    }

    /// `PXAT unix-time-milliseconds`
    pub fn pxat(self, unix_time_milliseconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"PXAT");
            unix_time_milliseconds.add_to(r);
        })
    }

    /// `PERSIST`
    pub fn persist(self) -> Self {
        self.option(0, |r| r.push(b"PERSIST"))
    }

    /// `ENX`
    pub fn enx(self) -> Self {
        self.option(0, |r| r.push(b"ENX"))
    }
}

declare! {
    /// Finds the longest common subsequence of two strings.
    ///
    /// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]`
    ///
    /// Since 7.0.0. O(N*M) where N and M are the lengths of the two strings.
    everywhere lcs Lcs ["LCS"]
    (key1: impl Arg, key2: impl Arg) -> Bytes;
    call => call.with(key1).with(key2).gap(0)
}

impl<E, R> Call<E, Lcs, R> {
    /// `LEN`
    pub fn len(self) -> Self {
        self.option(0, |r| r.push(b"LEN"))
    }

    /// `IDX`
    pub fn idx(self) -> Self {
        self.option(0, |r| r.push(b"IDX"))
    }

    /// `MINMATCHLEN min-match-len`
    pub fn minmatchlen(self, min_match_len: i64) -> Self {
        self.option(0, |r| {
            r.push(b"MINMATCHLEN");
            min_match_len.add_to(r);
        })
    }

    /// `WITHMATCHLEN`
    pub fn withmatchlen(self) -> Self {
        self.option(0, |r| r.push(b"WITHMATCHLEN"))
    }
}

declare! {
    /// Returns the string values of several keys, read at one moment.
    ///
    /// `MGET key [key ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of keys.
    everywhere mget Mget ["MGET"]
    (key: impl IntoIterator<Item = impl Arg>) -> Vec<Option<Bytes>>;
    call => call.with_all(key)
}
