// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `server`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;

declare! {
    /// Does what RESTORE does, for keys that migrate between nodes.
    ///
    /// `RESTORE-ASKING key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
    ///
    /// Since 3.0.0. O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).
    everywhere restore_asking RestoreAsking ["RESTORE-ASKING"]
    (key: impl Arg, ttl: i64, serialized_value: impl Arg) -> Value;
    call => call.with(key).with(ttl).with(serialized_value).gap(0)
}

impl<E, R> Call<E, RestoreAsking, R> {
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
    /// Stops the server.
    ///
    /// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
    ///
    /// Since 1.0.0. O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1).
    everywhere shutdown Shutdown ["SHUTDOWN"]
    () -> ();
    call => call.gap(0)
}

impl<E, R> Call<E, Shutdown, R> {
    /// `NOSAVE`
    pub fn nosave(self) -> Self {
        self.option(0, |r| r.push(b"NOSAVE"))
    }

    /// `SAVE`
    pub fn save(self) -> Self {
        self.option(0, |r| r.push(b"SAVE"))
    }

    /// `NOW`
    pub fn now(self) -> Self {
        self.option(0, |r| r.push(b"NOW"))
    }

    /// `FORCE`
    pub fn force(self) -> Self {
        self.option(0, |r| r.push(b"FORCE"))
    }

    /// `ABORT`
    pub fn abort(self) -> Self {
        self.option(0, |r| r.push(b"ABORT"))
    }
}

declare! {
    /// Returns the newest entries: number, Unix seconds, microseconds, arguments, address and name of the client.
    ///
    /// `SLOWLOG GET [count]`
    ///
    /// Since 2.2.12. O(N) where N is the number of entries returned.
    everywhere slowlog_get SlowlogGet ["SLOWLOG", "GET"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, SlowlogGet, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }
}

declare! {
    /// Explains the subcommands.
    ///
    /// `SLOWLOG HELP`
    ///
    /// Since 6.2.0. O(1).
    everywhere slowlog_help SlowlogHelp ["SLOWLOG", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Returns the number of entries.
    ///
    /// `SLOWLOG LEN`
    ///
    /// Since 2.2.12. O(1).
    everywhere slowlog_len SlowlogLen ["SLOWLOG", "LEN"]
    () -> i64;
    call => call
}

declare! {
    /// Removes all entries.
    ///
    /// `SLOWLOG RESET`
    ///
    /// Since 2.2.12. O(N) where N is the number of entries in the slowlog.
    everywhere slowlog_reset SlowlogReset ["SLOWLOG", "RESET"]
    () -> ();
    call => call
}

declare! {
    /// Exchanges the contents of two databases.
    ///
    /// `SWAPDB index1 index2`
    ///
    /// Since 4.0.0. O(N) where N is the count of clients watching or blocking on keys from both databases.
    everywhere swapdb Swapdb ["SWAPDB"]
    (index1: i64, index2: i64) -> ();
    call => call.with(index1).with(index2)
}

declare! {
    /// Returns the server's time: Unix seconds, and microseconds of the present one.
    ///
    /// `TIME`
    ///
    /// Since 2.6.0. O(1).
    everywhere time Time ["TIME"]
    () -> (i64, i64);
    call => call
}
