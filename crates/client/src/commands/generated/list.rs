// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `list`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;
use bytes::Bytes;
use super::words::{Beside, LmovemOrdering, Side};

declare! {
    /// Returns the element of a list at an index.
    ///
    /// `LINDEX key index`
    ///
    /// Since 1.0.0. O(log(N)) where N is the length of the list.
    everywhere lindex Lindex ["LINDEX"]
    (key: impl Arg, index: i64) -> Option<Bytes>;
    call => call.with(key).with(index)
}

declare! {
    /// Inserts an element before or after another one of a list.
    ///
    /// `LINSERT key <BEFORE | AFTER> pivot element`
    ///
    /// Since 2.2.0. O(N) where N is the number of elements before the one sought.
    everywhere linsert Linsert ["LINSERT"]
    (key: impl Arg, where_: Beside, pivot: impl Arg, element: impl Arg) -> i64;
    call => call.with(key).with(where_).with(pivot).with(element)
}

declare! {
    /// Returns the number of elements of a list.
    ///
    /// `LLEN key`
    ///
    /// Since 1.0.0. O(1).
    everywhere llen Llen ["LLEN"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Moves an element from an end of a list to an end of another, or of the same, and returns it.
    ///
    /// `LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>`
    ///
    /// Since 6.2.0. O(1).
    everywhere lmove Lmove ["LMOVE"]
    (source: impl Arg, destination: impl Arg, wherefrom: Side, whereto: Side) -> Option<Bytes>;
    call => call.with(source).with(destination).with(wherefrom).with(whereto)
}

declare! {
    /// Moves several elements from an end of a list to an end of another, or of the same, and returns them.
    ///
    /// `LMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY exactly> <OBO | BULK>]`
    ///
    /// Since 8.10.0. O(N) where N is the number of elements moved.
    everywhere lmovem Lmovem ["LMOVEM"]
    (source: impl Arg, destination: impl Arg, wherefrom: Side, whereto: Side) -> Value;
    call => call.with(source).with(destination).with(wherefrom).with(whereto).gap(0)
}

impl<E, R> Call<E, Lmovem, R> {
    /// `<COUNT count | EXACTLY exactly> <OBO | BULK>`
    pub fn how_many(self, selector: impl IntoIterator<Item = impl Arg>, ordering: LmovemOrdering) -> Self {
        self.option(0, |r| {
            for one in selector {
                one.add_to(r);
            }
            ordering.add_to(r);
        })
    }
}

declare! {
    /// Removes elements from the first of several lists that exists and returns its name and what was removed.
    ///
    /// `LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`
    ///
    /// Since 7.0.0. O(N+M) where N is the number of keys and M the number of elements removed.
    everywhere lmpop Lmpop ["LMPOP"]
    (key: impl IntoIterator<Item = impl Arg>, where_: Side) -> Option<(Bytes, Vec<Bytes>)>;
    call => call.with_counted(key).with(where_).gap(0)
}

impl<E, R> Call<E, Lmpop, R> {
    /// `COUNT count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"COUNT");
            count.add_to(r);
        })
    }
}

declare! {
    /// Removes the first element of a list, or several, and returns what was removed.
    ///
    /// `LPOP key [count]`
    ///
    /// Since 1.0.0. O(N) where N is the number of elements removed.
    everywhere lpop Lpop ["LPOP"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Lpop, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns where in a list an element is, the first or several of the places.
    ///
    /// `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`
    ///
    /// Since 6.0.6. O(N) where N is the number of elements compared.
    everywhere lpos Lpos ["LPOS"]
    (key: impl Arg, element: impl Arg) -> Option<i64>;
    call => call.with(key).with(element).gap(0)
}

impl<E, R> Call<E, Lpos, R> {
    /// `RANK rank`
    pub fn rank(self, rank: i64) -> Self {
        self.option(0, |r| {
            r.push(b"RANK");
            rank.add_to(r);
        })
    }

    /// `COUNT num-matches`
    pub fn count(self, num_matches: i64) -> Self {
        self.option(0, |r| {
            r.push(b"COUNT");
            num_matches.add_to(r);
        })
    }

    /// `MAXLEN len`
    pub fn maxlen(self, len: i64) -> Self {
        self.option(0, |r| {
            r.push(b"MAXLEN");
            len.add_to(r);
        })
    }
}

declare! {
    /// Adds elements before the first of a list, one after the other, and makes the list if there is none.
    ///
    /// `LPUSH key element [element ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of elements added.
    everywhere lpush Lpush ["LPUSH"]
    (key: impl Arg, element: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(element)
}

declare! {
    /// Adds elements before the first of a list, one after the other, if the list exists.
    ///
    /// `LPUSHX key element [element ...]`
    ///
    /// Since 2.2.0. O(N) where N is the number of elements added.
    everywhere lpushx Lpushx ["LPUSHX"]
    (key: impl Arg, element: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(element)
}

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
