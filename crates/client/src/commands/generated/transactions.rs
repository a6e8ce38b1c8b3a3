// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `transactions`.

use crate::arg::Arg;
use crate::commands::declare;
use crate::value::Value;

declare! {
    /// Ends a transaction without running what was queued.
    ///
    /// `DISCARD`
    ///
    /// Since 2.0.0. O(N), when N is the number of queued commands.
    alone discard Discard ["DISCARD"]
    () -> ();
    call => call
}

declare! {
    /// Runs what was queued since MULTI, as one.
    ///
    /// `EXEC`
    ///
    /// Since 1.2.0. Depends on commands in the transaction.
    alone exec Exec ["EXEC"]
    () -> Value;
    call => call
}

declare! {
    /// Begins a transaction: the requests that follow are queued until EXEC.
    ///
    /// `MULTI`
    ///
    /// Since 1.2.0. O(1).
    alone multi Multi ["MULTI"]
    () -> ();
    call => call
}

declare! {
    /// Forgets the keys that are watched.
    ///
    /// `UNWATCH`
    ///
    /// Since 2.2.0. O(1).
    alone unwatch Unwatch ["UNWATCH"]
    () -> ();
    call => call
}

declare! {
    /// Makes the next EXEC fail if one of these keys changes before it.
    ///
    /// `WATCH key [key ...]`
    ///
    /// Since 2.2.0. O(1) for every key.
    alone watch Watch ["WATCH"]
    (key: impl IntoIterator<Item = impl Arg>) -> ();
    call => call.with_all(key)
}
