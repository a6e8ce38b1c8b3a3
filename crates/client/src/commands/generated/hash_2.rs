// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `hash`.

use crate::arg::Arg;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Returns the values of all fields of a hash.
    ///
    /// `HVALS key`
    ///
    /// Since 2.0.0. O(N) where N is the size of the hash.
    everywhere hvals Hvals ["HVALS"]
    (key: impl Arg) -> Vec<Bytes>;
    call => call.with(key)
}
