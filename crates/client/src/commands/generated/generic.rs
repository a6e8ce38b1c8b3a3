// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `generic`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Copies a value to another key.
    ///
    /// `COPY source destination [DB destination-db] [REPLACE]`
    ///
    /// Since 6.2.0. O(N) in the size of a collection, O(1) for strings.
    everywhere copy Copy ["COPY"]
    (source: impl Arg, destination: impl Arg) -> bool;
    call => call.with(source).with(destination).gap(0)
}

impl<E, R> Call<E, Copy, R> {
    /// `DB destination-db`
    pub fn db(self, destination_db: i64) -> Self {
        self.option(0, |r| {
            r.push(b"DB");
            destination_db.add_to(r);
        })
    }

    /// `REPLACE`
    pub fn replace(self) -> Self {
        self.option(0, |r| r.push(b"REPLACE"))
    }
}

declare! {
    /// Removes keys.
    ///
    /// `DEL key [key ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of keys. Large values are freed in the background.
    everywhere del Del ["DEL"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_all(key)
}

declare! {
    /// Returns the value of a key in serialised form.
    ///
    /// `DUMP key`
    ///
    /// Since 2.6.0. O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).
    everywhere dump Dump ["DUMP"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key)
}

declare! {
    /// Counts the named keys that exist.
    ///
    /// `EXISTS key [key ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of keys.
    everywhere exists Exists ["EXISTS"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_all(key)
}

declare! {
    /// Lets a key expire after a number of seconds.
    ///
    /// `EXPIRE key seconds [NX | XX | GT | LT]`
    ///
    /// Since 1.0.0. O(1).
    everywhere expire Expire ["EXPIRE"]
    (key: impl Arg, seconds: i64) -> bool;
    call => call.with(key).with(seconds).gap(0)
}

impl<E, R> Call<E, Expire, R> {
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
    /// Lets a key expire at a Unix time in seconds.
    ///
    /// `EXPIREAT key unix-time-seconds [NX | XX | GT | LT]`
    ///
    /// Since 1.2.0. O(1).
    everywhere expireat Expireat ["EXPIREAT"]
    (key: impl Arg, unix_time_seconds: i64) -> bool;
    call => call.with(key).with(unix_time_seconds).gap(0)
}

impl<E, R> Call<E, Expireat, R> {
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
    /// Tells the Unix time in seconds at which a key expires.
    ///
    /// `EXPIRETIME key`
    ///
    /// Since 7.0.0. O(1).
    everywhere expiretime Expiretime ["EXPIRETIME"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns the names that match a pattern.
    ///
    /// `KEYS pattern`
    ///
    /// Since 1.0.0. O(N) where N is the number of keys of the database; O(1) for a pattern without special characters.
    everywhere keys Keys ["KEYS"]
    (pattern: impl Arg) -> Vec<Bytes>;
    call => call.with(pattern)
}

declare! {
    /// Moves a key to another database unless it is there already.
    ///
    /// `MOVE key db`
    ///
    /// Since 1.0.0. O(1).
    everywhere move_ Move ["MOVE"]
    (key: impl Arg, db: i64) -> bool;
    call => call.with(key).with(db)
}

declare! {
    /// Returns the name of the form in which a value is kept.
    ///
    /// `OBJECT ENCODING key`
    ///
    /// Since 2.2.3. O(1).
    everywhere object_encoding ObjectEncoding ["OBJECT", "ENCODING"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key)
}

declare! {
    /// Returns the logarithmic counter of a key's accesses.
    ///
    /// `OBJECT FREQ key`
    ///
    /// Since 4.0.0. O(1).
    everywhere object_freq ObjectFreq ["OBJECT", "FREQ"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns a text about the subcommands.
    ///
    /// `OBJECT HELP`
    ///
    /// Since 6.2.0. O(1).
    everywhere object_help ObjectHelp ["OBJECT", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Returns the seconds since a key was last accessed.
    ///
    /// `OBJECT IDLETIME key`
    ///
    /// Since 2.2.3. O(1).
    everywhere object_idletime ObjectIdletime ["OBJECT", "IDLETIME"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns the number of references to a value.
    ///
    /// `OBJECT REFCOUNT key`
    ///
    /// Since 2.2.3. O(1).
    everywhere object_refcount ObjectRefcount ["OBJECT", "REFCOUNT"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Clears the expiry of a key.
    ///
    /// `PERSIST key`
    ///
    /// Since 2.2.0. O(1).
    everywhere persist Persist ["PERSIST"]
    (key: impl Arg) -> bool;
    call => call.with(key)
}

declare! {
    /// Lets a key expire after a number of milliseconds.
    ///
    /// `PEXPIRE key milliseconds [NX | XX | GT | LT]`
    ///
    /// Since 2.6.0. O(1).
    everywhere pexpire Pexpire ["PEXPIRE"]
    (key: impl Arg, milliseconds: i64) -> bool;
    call => call.with(key).with(milliseconds).gap(0)
}

impl<E, R> Call<E, Pexpire, R> {
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
