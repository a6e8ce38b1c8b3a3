// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `set`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Adds members to a set, which is created if there is none.
    ///
    /// `SADD key member [member ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of members to add.
    everywhere sadd Sadd ["SADD"]
    (key: impl Arg, member: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(member)
}

declare! {
    /// Returns the number of members of a set.
    ///
    /// `SCARD key`
    ///
    /// Since 1.0.0. O(1).
    everywhere scard Scard ["SCARD"]
    (key: impl Arg) -> i64;
    call => call.with(key)
}

declare! {
    /// Returns the members of a set that others do not have.
    ///
    /// `SDIFF key [key ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of members of all sets.
    everywhere sdiff Sdiff ["SDIFF"]
    (key: impl IntoIterator<Item = impl Arg>) -> Vec<Bytes>;
    call => call.with_all(key)
}

declare! {
    /// Returns the number of members of a set that others do not have.
    ///
    /// `SDIFFCARD numkeys key [key ...] [LIMIT limit]`
    ///
    /// Since 8.10.0. O(N) where N is the number of members of all sets.
    everywhere sdiffcard Sdiffcard ["SDIFFCARD"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_counted(key).gap(0)
}

impl<E, R> Call<E, Sdiffcard, R> {
    /// `LIMIT limit`
    pub fn limit(self, limit: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            limit.add_to(r);
        })
    }
}

declare! {
    /// Stores the members of a set that others do not have.
    ///
    /// `SDIFFSTORE destination key [key ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of members of all sets.
    everywhere sdiffstore Sdiffstore ["SDIFFSTORE"]
    (destination: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(destination).with_all(key)
}

declare! {
    /// Returns the members that several sets have in common.
    ///
    /// `SINTER key [key ...]`
    ///
    /// Since 1.0.0. O(N*M) at worst, where N is the size of the smallest set and M the number of sets.
    everywhere sinter Sinter ["SINTER"]
    (key: impl IntoIterator<Item = impl Arg>) -> Vec<Bytes>;
    call => call.with_all(key)
}

declare! {
    /// Returns the number of members that several sets have in common.
    ///
    /// `SINTERCARD numkeys key [key ...] [LIMIT limit]`
    ///
    /// Since 7.0.0. O(N*M) at worst, where N is the size of the smallest set and M the number of sets.
    everywhere sintercard Sintercard ["SINTERCARD"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_counted(key).gap(0)
}

impl<E, R> Call<E, Sintercard, R> {
    /// `LIMIT limit`
    pub fn limit(self, limit: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            limit.add_to(r);
        })
    }
}

declare! {
    /// Stores the members that several sets have in common.
    ///
    /// `SINTERSTORE destination key [key ...]`
    ///
    /// Since 1.0.0. O(N*M) at worst, where N is the size of the smallest set and M the number of sets.
    everywhere sinterstore Sinterstore ["SINTERSTORE"]
    (destination: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(destination).with_all(key)
}

declare! {
    /// Tells whether a set has a member.
    ///
    /// `SISMEMBER key member`
    ///
    /// Since 1.0.0. O(1).
    everywhere sismember Sismember ["SISMEMBER"]
    (key: impl Arg, member: impl Arg) -> bool;
    call => call.with(key).with(member)
}

declare! {
    /// Returns all members of a set.
    ///
    /// `SMEMBERS key`
    ///
    /// Since 1.0.0. O(N) where N is the number of members.
    everywhere smembers Smembers ["SMEMBERS"]
    (key: impl Arg) -> Vec<Bytes>;
    call => call.with(key)
}

declare! {
    /// Tells of several members whether a set has them.
    ///
    /// `SMISMEMBER key member [member ...]`
    ///
    /// Since 6.2.0. O(N) where N is the number of members asked for.
    everywhere smismember Smismember ["SMISMEMBER"]
    (key: impl Arg, member: impl IntoIterator<Item = impl Arg>) -> Vec<bool>;
    call => call.with(key).with_all(member)
}

declare! {
    /// Moves a member from one set to another.
    ///
    /// `SMOVE source destination member`
    ///
    /// Since 1.0.0. O(1).
    everywhere smove Smove ["SMOVE"]
    (source: impl Arg, destination: impl Arg, member: impl Arg) -> bool;
    call => call.with(source).with(destination).with(member)
}

declare! {
    /// Returns random members of a set and removes them, and the set with its last member.
    ///
    /// `SPOP key [count]`
    ///
    /// Since 1.0.0. O(1) without a count, else O(N) where N is the count.
    everywhere spop Spop ["SPOP"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Spop, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }
}

declare! {
    /// Returns random members of a set.
    ///
    /// `SRANDMEMBER key [count]`
    ///
    /// Since 1.0.0. O(1) without a count, else O(N) where N is the count without its sign.
    everywhere srandmember Srandmember ["SRANDMEMBER"]
    (key: impl Arg) -> Option<Bytes>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Srandmember, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }
}

declare! {
    /// Removes members from a set, and the set with its last member.
    ///
    /// `SREM key member [member ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of members to remove.
    everywhere srem Srem ["SREM"]
    (key: impl Arg, member: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(key).with_all(member)
}

declare! {
    /// Goes through the members of a set in steps.
    ///
    /// `SSCAN key cursor [MATCH pattern] [COUNT count]`
    ///
    /// Since 2.8.0. O(1) a call, O(N) for all calls until the cursor is 0 again, where N is the number of members.
    everywhere sscan Sscan ["SSCAN"]
    (key: impl Arg, cursor: u64) -> (u64, Vec<Bytes>);
    call => call.with(key).with(cursor).gap(0)
}

impl<E, R> Call<E, Sscan, R> {
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
