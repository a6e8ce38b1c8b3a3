// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `list`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Returns the elements of a list between two indexes, both included.
    ///
    /// `LRANGE key start stop`
    ///
    /// Since 1.0.0. O(log(N)+M) where N is the length of the list and M the number of elements returned.
    everywhere lrange Lrange ["LRANGE"]
    (key: impl Arg, start: i64, stop: i64) -> Vec<Bytes>;
    call => call.with(key).with(start).with(stop)
}

declare! {
    /// Removes the elements of a list that equal one, all or some from either end.
    ///
    /// `LREM key count element`
    ///
    /// Since 1.0.0. O(N) where N is the length of the list.
    everywhere lrem Lrem ["LREM"]
    (key: impl Arg, count: i64, element: impl Arg) -> i64;
    call => call.with(key).with(count).with(element)
}

declare! {
    /// Replaces the element of a list at an index.
    ///
    /// `LSET key index element`
    ///
    /// Since 1.0.0. O(log(N)) where N is the length of the list.
    everywhere lset Lset ["LSET"]
    (key: impl Arg, index: i64, element: impl Arg) -> ();
    call => call.with(key).with(index).with(element)
}

declare! {
    /// Removes all elements of a list but those between two indexes, both included.
    ///
    /// `LTRIM key start stop`
    ///
    /// Since 1.0.0. O(N) where N is the number of elements removed.
    everywhere ltrim Ltrim ["LTRIM"]
    (key: impl Arg, start: i64, stop: i64) -> ();
    call => call.with(key).with(start).with(stop)
}

declare! {
    /// Removes the last element of a list, or several, and returns what was removed.
    ///
    /// `RPOP key [count]`
    ///
    /// Since 1.0.0. O(N) where N is the number of elements removed.
    everywhere rpop Rpop ["RPOP"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Rpop, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }
}

declare! {
    /// Moves the last element of a list before the first of another, or of the same, and returns it.
    ///
    /// `RPOPLPUSH source destination`
    ///
    /// Since 1.2.0. O(1).
    ///
    /// Discouraged since 6.2.0: use `LMOVE` with the `RIGHT` and `LEFT` arguments.
    everywhere rpoplpush Rpoplpush ["RPOPLPUSH"]
    (source: impl Arg, destination: impl Arg) -> Option<Bytes>;
    call => call.with(source).with(destination)
}

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
