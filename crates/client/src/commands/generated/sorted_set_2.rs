// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `sorted-set`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Removes and returns the members with the lowest scores; the set goes with its last member.
    ///
    /// `ZPOPMIN key [count]`
    ///
    /// Since 5.0.0. O(log(N)*M) where N is the number of members of the set and M of those taken.
    everywhere zpopmin Zpopmin ["ZPOPMIN"]
    (key: impl Arg) -> Vec<(Bytes, f64)>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Zpopmin, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns random members of a sorted set.
    ///
    /// `ZRANDMEMBER key [count [WITHSCORES]]`
    ///
    /// Since 6.2.0. O(N) where N is the number of members returned.
    everywhere zrandmember Zrandmember ["ZRANDMEMBER"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Zrandmember, R> {
    /// `count [WITHSCORES]`
    pub fn options(self, count: i64, withscores: bool) -> Self {
        self.option(0, |r| {
            count.add_to(r);
            if withscores {
                r.push(b"WITHSCORES");
            }
        })
    }
}

declare! {
    /// Returns the members in a range of ranks, scores or bytes.
    ///
    /// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
    ///
    /// Since 1.2.0. O(log(N)+M) where N is the number of members of the set and M of those returned.
    everywhere zrange Zrange ["ZRANGE"]
    (key: impl Arg, start: impl Arg, stop: impl Arg) -> Vec<Bytes>;
    call => call.with(key).with(start).with(stop).gap(0)
}

impl<E, R> Call<E, Zrange, R> {
    /// `BYSCORE`
    pub fn byscore(self) -> Self {
        self.option(0, |r| r.push(b"BYSCORE"))
    }

    /// `BYLEX`
    pub fn bylex(self) -> Self {
        self.option(0, |r| r.push(b"BYLEX"))
    }

    /// `REV`
    pub fn rev(self) -> Self {
        self.option(0, |r| r.push(b"REV"))
    }

    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }

    /// `WITHSCORES`
    pub fn withscores(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORES"))
    }
}

declare! {
    /// Returns the members in a range of the order of bytes.
    ///
    /// `ZRANGEBYLEX key min max [LIMIT offset count]`
    ///
    /// Since 2.8.9. O(log(N)+M) where N is the number of members of the set and M of those returned.
    ///
    /// Discouraged since 6.2.0: use `ZRANGE` with the `BYLEX` argument.
    everywhere zrangebylex Zrangebylex ["ZRANGEBYLEX"]
    (key: impl Arg, min: impl Arg, max: impl Arg) -> Vec<Bytes>;
    call => call.with(key).with(min).with(max).gap(0)
}

impl<E, R> Call<E, Zrangebylex, R> {
    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns the members with scores in a range.
    ///
    /// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
    ///
    /// Since 1.0.5. O(log(N)+M) where N is the number of members of the set and M of those returned.
    ///
    /// Discouraged since 6.2.0: use `ZRANGE` with the `BYSCORE` argument.
    everywhere zrangebyscore Zrangebyscore ["ZRANGEBYSCORE"]
    (key: impl Arg, min: f64, max: f64) -> Vec<Bytes>;
    call => call.with(key).with(min).with(max).gap(0)
}

impl<E, R> Call<E, Zrangebyscore, R> {
    /// `WITHSCORES`
    pub fn withscores(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORES"))
    }

    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }
}

declare! {
    /// Stores the members in a range of ranks, scores or bytes as a sorted set.
    ///
    /// `ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]`
    ///
    /// Since 6.2.0. O(log(N)+M) where N is the number of members of the set and M of those stored.
    everywhere zrangestore Zrangestore ["ZRANGESTORE"]
    (dst: impl Arg, src: impl Arg, min: impl Arg, max: impl Arg) -> i64;
    call => call.with(dst).with(src).with(min).with(max).gap(0)
}

impl<E, R> Call<E, Zrangestore, R> {
    /// `BYSCORE`
    pub fn byscore(self) -> Self {
        self.option(0, |r| r.push(b"BYSCORE"))
    }

    /// `BYLEX`
    pub fn bylex(self) -> Self {
        self.option(0, |r| r.push(b"BYLEX"))
    }

    /// `REV`
    pub fn rev(self) -> Self {
        self.option(0, |r| r.push(b"REV"))
    }

    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns a member's place in the order of scores, from the lowest.
    ///
    /// `ZRANK key member [WITHSCORE]`
    ///
    /// Since 2.0.0. O(log(N)) where N is the number of members of the set.
    everywhere zrank Zrank ["ZRANK"]
    (key: impl Arg, member: impl Arg) -> Option<i64>;
    call => call.with(key).with(member).gap(0)
}

impl<E, R> Call<E, Zrank, R> {
    /// `WITHSCORE`
    pub fn withscore(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORE"))
    }
}

declare! {
    /// Removes members from a sorted set; the set goes with its last member.
    ///
    /// `ZREM key member [member ...]`
    ///
    /// Since 1.2.0. O(M*log(N)) where N is the number of members of the set and M of those to remove.
    everywhere zrem Zrem ["ZREM"]
    (key: impl Arg, member: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(member)
}

declare! {
    /// Removes the members in a range of the order of bytes.
    ///
    /// `ZREMRANGEBYLEX key min max`
    ///
    /// Since 2.8.9. O(log(N)+M) where N is the number of members of the set and M of those removed.
    everywhere zremrangebylex Zremrangebylex ["ZREMRANGEBYLEX"]
    (key: impl Arg, min: impl Arg, max: impl Arg) -> i64;
    call => call.with(key).with(min).with(max)
}

declare! {
    /// Removes the members from one rank to another.
    ///
    /// `ZREMRANGEBYRANK key start stop`
    ///
    /// Since 2.0.0. O(log(N)+M) where N is the number of members of the set and M of those removed.
    everywhere zremrangebyrank Zremrangebyrank ["ZREMRANGEBYRANK"]
    (key: impl Arg, start: i64, stop: i64) -> i64;
    call => call.with(key).with(start).with(stop)
}

declare! {
    /// Removes the members with scores in a range.
    ///
    /// `ZREMRANGEBYSCORE key min max`
    ///
    /// Since 1.2.0. O(log(N)+M) where N is the number of members of the set and M of those removed.
    everywhere zremrangebyscore Zremrangebyscore ["ZREMRANGEBYSCORE"]
    (key: impl Arg, min: f64, max: f64) -> i64;
    call => call.with(key).with(min).with(max)
}

declare! {
    /// Returns the members from one rank to another, counted from the highest score.
    ///
    /// `ZREVRANGE key start stop [WITHSCORES]`
    ///
    /// Since 1.2.0. O(log(N)+M) where N is the number of members of the set and M of those returned.
    ///
    /// Discouraged since 6.2.0: use `ZRANGE` with the `REV` argument.
    everywhere zrevrange Zrevrange ["ZREVRANGE"]
    (key: impl Arg, start: i64, stop: i64) -> Vec<Bytes>;
    call => call.with(key).with(start).with(stop).gap(0)
}

impl<E, R> Call<E, Zrevrange, R> {
    /// `WITHSCORES`
    pub fn withscores(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORES"))
    }
}

declare! {
    /// Returns the members in a range of the order of bytes, the last first.
    ///
    /// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
    ///
    /// Since 2.8.9. O(log(N)+M) where N is the number of members of the set and M of those returned.
    ///
    /// Discouraged since 6.2.0: use `ZRANGE` with the `REV` and `BYLEX` arguments.
    everywhere zrevrangebylex Zrevrangebylex ["ZREVRANGEBYLEX"]
    (key: impl Arg, max: impl Arg, min: impl Arg) -> Vec<Bytes>;
    call => call.with(key).with(max).with(min).gap(0)
}

impl<E, R> Call<E, Zrevrangebylex, R> {
    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns the members with scores in a range, the highest first.
    ///
    /// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
    ///
    /// Since 2.2.0. O(log(N)+M) where N is the number of members of the set and M of those returned.
    ///
    /// Discouraged since 6.2.0: use `ZRANGE` with the `REV` and `BYSCORE` arguments.
    everywhere zrevrangebyscore Zrevrangebyscore ["ZREVRANGEBYSCORE"]
    (key: impl Arg, max: f64, min: f64) -> Vec<Bytes>;
    call => call.with(key).with(max).with(min).gap(0)
}

impl<E, R> Call<E, Zrevrangebyscore, R> {
    /// `WITHSCORES`
    pub fn withscores(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORES"))
    }

    /// `LIMIT offset count`
    pub fn limit(self, offset: i64, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            offset.add_to(r);
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns a member's place in the order of scores, from the highest.
    ///
    /// `ZREVRANK key member [WITHSCORE]`
    ///
    /// Since 2.0.0. O(log(N)) where N is the number of members of the set.
    everywhere zrevrank Zrevrank ["ZREVRANK"]
    (key: impl Arg, member: impl Arg) -> Option<i64>;
    call => call.with(key).with(member).gap(0)
}

impl<E, R> Call<E, Zrevrank, R> {
    /// `WITHSCORE`
    pub fn withscore(self) -> Self {
        self.option(0, |r| r.push(b"WITHSCORE"))
    }
}

declare! {
    /// Iterates over the members and scores of a sorted set.
    ///
    /// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
    ///
    /// Since 2.8.0. O(1) for a call, O(N) for an iteration, where N is the number of members.
    everywhere zscan Zscan ["ZSCAN"]
    (key: impl Arg, cursor: u64) -> (u64, Vec<(Bytes, f64)>);
    call => call.with(key).with(cursor).gap(0)
}

impl<E, R> Call<E, Zscan, R> {
    /// `MATCH pattern`
    pub fn match_(self, pattern: impl Arg) -> Self {
        self.option(0, |r| {
            r.push(b"MATCH");
            pattern.add_to(r);
        })
    }

    /// `COUNT count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"COUNT");
            count.add_to(r);
        })
    }
}
