// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `server`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;

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
