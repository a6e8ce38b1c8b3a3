// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `sorted-set`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;
use super::words::{Extreme, ZinterAggregate, ZinterstoreAggregate};

declare! {
    /// Removes and returns members with the lowest or highest scores of the first sorted set that has some; waits until there is one.
    ///
    /// `BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]`
    ///
    /// Since 7.0.0. O(K) + O(M*log(N)) where K is the number of keys, N of the members of the set, and M of those taken.
    alone bzmpop Bzmpop ["BZMPOP"]
    (timeout: f64, key: impl IntoIterator<Item = impl Arg>, where_: Extreme) -> Option<(Bytes, Vec<(Bytes, f64)>)>;
    call => call.with(timeout).with_counted(key).with(where_).gap(0)
}

impl<E, R> Call<E, Bzmpop, R> {
    /// `COUNT count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"COUNT");
            count.add_to(r);
        })
    }
}

declare! {
    /// Removes and returns the member with the highest score of the first sorted set that has one; waits until there is one.
    ///
    /// `BZPOPMAX key [key ...] timeout`
    ///
    /// Since 5.0.0. O(log(N)) with N being the number of elements in the sorted set.
    alone bzpopmax Bzpopmax ["BZPOPMAX"]
    (key: impl IntoIterator<Item = impl Arg>, timeout: f64) -> Option<(Bytes, Bytes, f64)>;
    call => call.with_all(key).with(timeout)
}

declare! {
    /// Removes and returns the member with the lowest score of the first sorted set that has one; waits until there is one.
    ///
    /// `BZPOPMIN key [key ...] timeout`
    ///
    /// Since 5.0.0. O(log(N)) with N being the number of elements in the sorted set.
    alone bzpopmin Bzpopmin ["BZPOPMIN"]
    (key: impl IntoIterator<Item = impl Arg>, timeout: f64) -> Option<(Bytes, Bytes, f64)>;
    call => call.with_all(key).with(timeout)
}

declare! {
    /// Adds members to a sorted set or changes their scores; creates the set if there is none.
    ///
    /// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`
    ///
    /// Since 1.2.0. O(log(N)) for each member, where N is the number of members of the set.
    everywhere zadd Zadd ["ZADD"]
    (key: impl Arg, data: impl IntoIterator<Item = (f64, impl Arg)>) -> i64;
    call => call.with(key).gap(0).with_all(data)
}

impl<E, R> Call<E, Zadd, R> {
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

    /// `CH`
    pub fn ch(self) -> Self {
        self.option(0, |r| r.push(b"CH"))
    }

    /// `INCR`
    pub fn incr(self) -> Self {
        self.option(0, |r| r.push(b"INCR"))
    }
}

declare! {
    /// Returns the number of members of a sorted set.
    ///
    /// `ZCARD key`
    ///
    /// Since 1.2.0. O(1).
    everywhere zcard Zcard ["ZCARD"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns how many members have scores in a range.
    ///
    /// `ZCOUNT key min max`
    ///
    /// Since 2.0.0. O(log(N)) where N is the number of members of the set.
    everywhere zcount Zcount ["ZCOUNT"]
    (key: impl Arg, min: f64, max: f64) -> i64;
    call => call.with(key).with(min).with(max)
}

declare! {
    /// Returns the members of the first of several sorted sets that no other one has.
    ///
    /// `ZDIFF numkeys key [key ...] [WITHSCORES]`
    ///
    /// Since 6.2.0. O(L + (N-K)log(N)) where L is the number of members of all inputs, N of the first, and K of the result.
    everywhere zdiff Zdiff ["ZDIFF"]
    (key: impl IntoIterator<Item = impl Arg>) -> Vec<Bytes>;
    call => call.with_counted(key).gap(0)
}

impl<E, R> Call<E, Zdiff, R> {
    /// `WITHSCORES`
    pub fn withscores(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORES"))
    }
}

declare! {
    /// Stores the members of the first of several sorted sets that no other one has as a sorted set.
    ///
    /// `ZDIFFSTORE destination numkeys key [key ...]`
    ///
    /// Since 6.2.0. O(L + (N-K)log(N)) where L is the number of members of all inputs, N of the first, and K of the result.
    everywhere zdiffstore Zdiffstore ["ZDIFFSTORE"]
    (destination: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(destination).with_counted(key)
}

declare! {
    /// Adds a number to a member's score; a new member begins at zero.
    ///
    /// `ZINCRBY key increment member`
    ///
    /// Since 1.2.0. O(log(N)) where N is the number of members of the set.
    everywhere zincrby Zincrby ["ZINCRBY"]
    (key: impl Arg, increment: i64, member: impl Arg) -> f64;
    call => call.with(key).with(increment).with(member)
}

declare! {
    /// Returns the members that several sorted sets have in common.
    ///
    /// `ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]`
    ///
    /// Since 6.2.0. O(N*K)+O(M*log(M)) where N is the number of members of the smallest input, K of inputs, and M of members of the result.
    everywhere zinter Zinter ["ZINTER"]
    (key: impl IntoIterator<Item = impl Arg>) -> Vec<Bytes>;
    call => call.with_counted(key).gap(0)
}

impl<E, R> Call<E, Zinter, R> {
    /// `WEIGHTS weight [weight ...]`
    pub fn weights(self, weight: impl IntoIterator<Item = i64>) -> Self {
        self.option(0, |r| {
            r.push(b"WEIGHTS");
            for one in weight {
                one.add_to(r);
            }
        })
    }

    /// `AGGREGATE <SUM | MIN | MAX | COUNT>`
    pub fn aggregate(self, aggregate: ZinterAggregate) -> Self {
        self.option(0, |r| {
            r.push(b"AGGREGATE");
            aggregate.add_to(r);
        })
    }

    /// `WITHSCORES`
    pub fn withscores(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORES"))
    }
}

declare! {
    /// Returns how many members several sorted sets have in common.
    ///
    /// `ZINTERCARD numkeys key [key ...] [LIMIT limit]`
    ///
    /// Since 7.0.0. O(N*K) where N is the number of members of the smallest input and K of inputs.
    everywhere zintercard Zintercard ["ZINTERCARD"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_counted(key).gap(0)
}

impl<E, R> Call<E, Zintercard, R> {
    /// `LIMIT limit`
    pub fn limit(self, limit: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            limit.add_to(r);
        })
    }
}

declare! {
    /// Stores the members that several sorted sets have in common as a sorted set.
    ///
    /// `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]`
    ///
    /// Since 2.0.0. O(N*K)+O(M*log(M)) where N is the number of members of the smallest input, K of inputs, and M of members of the result.
    everywhere zinterstore Zinterstore ["ZINTERSTORE"]
    (destination: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(destination).with_counted(key).gap(0)
}

impl<E, R> Call<E, Zinterstore, R> {
    /// `WEIGHTS weight [weight ...]`
    pub fn weights(self, weight: impl IntoIterator<Item = i64>) -> Self {
        self.option(0, |r| {
            r.push(b"WEIGHTS");
            for one in weight {
                one.add_to(r);
            }
        })
    }

    /// `AGGREGATE <SUM | MIN | MAX | COUNT>`
    pub fn aggregate(self, aggregate: ZinterstoreAggregate) -> Self {
        self.option(0, |r| {
            r.push(b"AGGREGATE");
            aggregate.add_to(r);
        })
    }
}

declare! {
    /// Returns how many members lie in a range of the order of bytes.
    ///
    /// `ZLEXCOUNT key min max`
    ///
    /// Since 2.8.9. O(log(N)) where N is the number of members of the set.
    everywhere zlexcount Zlexcount ["ZLEXCOUNT"]
    (key: impl Arg, min: impl Arg, max: impl Arg) -> i64;
    call => call.with(key).with(min).with(max)
}

declare! {
    /// Removes and returns members with the lowest or highest scores of the first sorted set that is there.
    ///
    /// `ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]`
    ///
    /// Since 7.0.0. O(K) + O(M*log(N)) where K is the number of keys, N of the members of the set, and M of those taken.
    everywhere zmpop Zmpop ["ZMPOP"]
    (key: impl IntoIterator<Item = impl Arg>, where_: Extreme) -> Option<(Bytes, Vec<(Bytes, f64)>)>;
    call => call.with_counted(key).with(where_).gap(0)
}

impl<E, R> Call<E, Zmpop, R> {
    /// `COUNT count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"COUNT");
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns the scores of several members.
    ///
    /// `ZMSCORE key member [member ...]`
    ///
    /// Since 6.2.0. O(N) where N is the number of members asked for.
    everywhere zmscore Zmscore ["ZMSCORE"]
    (key: impl Arg, member: impl IntoIterator<Item = impl Arg>) -> Vec<Option<f64>>;
    call => call.with(key).with_all(member)
}

declare! {
    /// Removes and returns the members with the highest scores; the set goes with its last member.
    ///
    /// `ZPOPMAX key [count]`
    ///
    /// Since 5.0.0. O(log(N)*M) where N is the number of members of the set and M of those taken.
    everywhere zpopmax Zpopmax ["ZPOPMAX"]
    (key: impl Arg) -> Vec<(Bytes, f64)>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Zpopmax, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }
}
