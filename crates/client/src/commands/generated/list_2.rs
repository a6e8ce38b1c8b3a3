// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `list`.

use crate::arg::Arg;
use crate::commands::declare;

declare! {
    /// Adds elements behind the last of a list, one after the other, and makes the list if there is none.
    ///
    /// `RPUSH key element [element ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of elements added.
    everywhere rpush Rpush ["RPUSH"]
    (key: impl Arg, element: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(element)
}

declare! {
    /// Adds elements behind the last of a list, one after the other, if the list exists.
    ///
    /// `RPUSHX key element [element ...]`
    ///
    /// Since 2.2.0. O(N) where N is the number of elements added.
    everywhere rpushx Rpushx ["RPUSHX"]
    (key: impl Arg, element: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(element)
}
