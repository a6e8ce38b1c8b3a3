// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `string`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Sets the string values of several keys at one moment.
    ///
    /// `MSET key value [key value ...]`
    ///
    /// Since 1.0.1. O(N) where N is the number of keys.
    everywhere mset Mset ["MSET"]
    (data: impl IntoIterator<Item = (impl Arg, impl Arg)>) -> ();
    call => call.with_all(data)
}

declare! {
    /// Sets the string values of several keys with one expiry, on condition of their presence if wished.
    ///
    /// `MSETEX numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]`
    ///
    /// Since 8.4.0. O(N) where N is the number of keys.
    everywhere msetex Msetex ["MSETEX"]
    (data: impl IntoIterator<Item = (impl Arg, impl Arg)>) -> bool;
    call => call.with_counted(data).gap(0)
}

impl<E, R> Call<E, Msetex, R> {
    /// `NX`
    pub fn nx(self) -> Self {
        self.option(0, |r| r.push(b"NX"))
    }

    /// `XX`
    pub fn xx(self) -> Self {
        self.option(0, |r| r.push(b"XX"))
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

    /// `KEEPTTL`
    pub fn keepttl(self) -> Self {
        self.option(0, |r| r.push(b"KEEPTTL"))
    }
}

declare! {
    /// Sets the string values of several keys if none of them exists.
    ///
    /// `MSETNX key value [key value ...]`
    ///
    /// Since 1.0.1. O(N) where N is the number of keys.
    everywhere msetnx Msetnx ["MSETNX"]
    (data: impl IntoIterator<Item = (impl Arg, impl Arg)>) -> bool;
    call => call.with_all(data)
}

declare! {
    /// Sets the string value of a key and when it expires, in milliseconds from now.
    ///
    /// `PSETEX key milliseconds value`
    ///
    /// Since 2.6.0. O(1).
    ///
    /// Discouraged since 2.6.12: use `SET` with `PX`.
    everywhere psetex Psetex ["PSETEX"]
    (key: impl Arg, milliseconds: i64, value: impl Arg) -> ();
    call => call.with(key).with(milliseconds).with(value)
}

declare! {
    /// Sets the string value of a key, whatever type it had, and creates it if there is none.
    ///
    /// `SET key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]`
    ///
    /// Since 1.0.0. O(1).
    everywhere set Set ["SET"]
    (key: impl Arg, value: impl Arg) -> bool;
    call => call.with(key).with(value).gap(0)
}

impl<E, R> Call<E, Set, R> {
    /// `NX`
    pub fn nx(self) -> Self {
        self.option(0, |r| r.push(b"NX"))
    }

    /// `XX`
    pub fn xx(self) -> Self {
        self.option(0, |r| r.push(b"XX"))
    }

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

    /// `GET`
    pub fn get(self) -> Self {
        self.option(0, |r| r.push(b"GET"))
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

    /// `KEEPTTL`
    pub fn keepttl(self) -> Self {
        self.option(0, |r| r.push(b"KEEPTTL"))
    }
}

declare! {
    /// Sets the string value of a key and when it expires, in seconds from now.
    ///
    /// `SETEX key seconds value`
    ///
    /// Since 2.0.0. O(1).
    ///
    /// Discouraged since 2.6.12: use `SET` with `EX`.
    everywhere setex Setex ["SETEX"]
    (key: impl Arg, seconds: i64, value: impl Arg) -> ();
    call => call.with(key).with(seconds).with(value)
}

declare! {
    /// Sets the string value of a key if there is no such key.
    ///
    /// `SETNX key value`
    ///
    /// Since 1.0.0. O(1).
    ///
    /// Discouraged since 2.6.12: use `SET` with `NX`.
    everywhere setnx Setnx ["SETNX"]
    (key: impl Arg, value: impl Arg) -> bool;
    call => call.with(key).with(value)
}

declare! {
    /// Overwrites part of the string value of a key from an offset on, and creates it if there is none.
    ///
    /// `SETRANGE key offset value`
    ///
    /// Since 2.2.0. O(1) plus the copying of the new part, O(M) where M is its length.
    everywhere setrange Setrange ["SETRANGE"]
    (key: impl Arg, offset: i64, value: impl Arg) -> i64;
    call => call.with(key).with(offset).with(value)
}

declare! {
    /// Returns the length of a string value in bytes.
    ///
    /// `STRLEN key`
    ///
    /// Since 2.2.0. O(1).
    everywhere strlen Strlen ["STRLEN"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns part of a string value, by its first and last place.
    ///
    /// `SUBSTR key start end`
    ///
    /// Since 1.0.0. O(N) where N is the length of the part.
    ///
    /// Discouraged since 2.0.0: use `GETRANGE`.
    everywhere substr Substr ["SUBSTR"]
    (key: impl Arg, start: i64, end: i64) -> Bytes;
    call => call.with(key).with(start).with(end)
}
