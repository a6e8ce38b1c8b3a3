// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `list`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;
use bytes::Bytes;
use super::words::{Beside, BlmovemOrdering, LmovemOrdering, Side};

declare! {
    /// Moves an element from an end of a list to an end of another, or of the same, and returns it; waits until there is one.
    ///
    /// `BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout`
    ///
    /// Since 6.2.0. O(1).
    alone blmove Blmove ["BLMOVE"]
    (source: impl Arg, destination: impl Arg, wherefrom: Side, whereto: Side, timeout: f64) -> Option<Bytes>;
    call => call.with(source).with(destination).with(wherefrom).with(whereto).with(timeout)
}

declare! {
    /// Moves several elements from an end of a list to an end of another, or of the same, and returns them; waits until they are there.
    ///
    /// `BLMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY exactly> <OBO | BULK>]`
    ///
    /// Since 8.10.0. O(N) where N is the number of elements moved.
    alone blmovem Blmovem ["BLMOVEM"]
    (source: impl Arg, destination: impl Arg, wherefrom: Side, whereto: Side, timeout: f64) -> Value;
    call => call.with(source).with(destination).with(wherefrom).with(whereto).with(timeout).gap(0)
}

impl<E, R> Call<E, Blmovem, R> {
    /// `<COUNT count | EXACTLY exactly> <OBO | BULK>`
    pub fn how_many(self, selector: impl IntoIterator<Item = impl Arg>, ordering: BlmovemOrdering) -> Self {
        self.option(0, |r| {
            for one in selector {
                one.add_to(r);
            }
            ordering.add_to(r);
        })
    }
}

declare! {
    /// Removes elements from the first of several lists that has some and returns its name and what was removed; waits until there is one.
    ///
    /// `BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]`
    ///
    /// Since 7.0.0. O(N+M) where N is the number of keys and M the number of elements removed.
    alone blmpop Blmpop ["BLMPOP"]
    (timeout: f64, key: impl IntoIterator<Item = impl Arg>, where_: Side) -> Option<(Bytes, Vec<Bytes>)>;
    call => call.with(timeout).with_counted(key).with(where_).gap(0)
}

impl<E, R> Call<E, Blmpop, R> {
    /// `COUNT count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"COUNT");
            count.add_to(r);
        })
    }
}

declare! {
    /// Removes and returns the first element of the first list that has one; waits until there is one.
    ///
    /// `BLPOP key [key ...] timeout`
    ///
    /// Since 2.0.0. O(N) where N is the number of provided keys.
    alone blpop Blpop ["BLPOP"]
    (key: impl IntoIterator<Item = impl Arg>, timeout: f64) -> Option<(Bytes, Bytes)>;
    call => call.with_all(key).with(timeout)
}

declare! {
    /// Removes and returns the last element of the first list that has one; waits until there is one.
    ///
    /// `BRPOP key [key ...] timeout`
    ///
    /// Since 2.0.0. O(N) where N is the number of provided keys.
    alone brpop Brpop ["BRPOP"]
    (key: impl IntoIterator<Item = impl Arg>, timeout: f64) -> Option<(Bytes, Bytes)>;
    call => call.with_all(key).with(timeout)
}

declare! {
    /// Moves the last element of a list before the first of another, or of the same, and returns it; waits until there is one.
    ///
    /// `BRPOPLPUSH source destination timeout`
    ///
    /// Since 2.2.0. O(1).
    ///
    /// Discouraged since 6.2.0: use `BLMOVE` with the `RIGHT` and `LEFT` arguments.
    alone brpoplpush Brpoplpush ["BRPOPLPUSH"]
    (source: impl Arg, destination: impl Arg, timeout: f64) -> Option<Bytes>;
    call => call.with(source).with(destination).with(timeout)
}

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
