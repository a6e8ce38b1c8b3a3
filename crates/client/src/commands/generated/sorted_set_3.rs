// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `sorted-set`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;
use super::words::{ZunionAggregate, ZunionstoreAggregate};

declare! {
    /// Returns a member's score.
    ///
    /// `ZSCORE key member`
    ///
    /// Since 1.2.0. O(1).
    everywhere zscore Zscore ["ZSCORE"]
    (key: impl Arg, member: impl Arg) -> Option<f64>;
    call => call.with(key).with(member)
}

declare! {
    /// Returns the members of any of several sorted sets.
    ///
    /// `ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]`
    ///
    /// Since 6.2.0. O(N)+O(M*log(M)) where N is the number of members of all inputs and M of the result.
    everywhere zunion Zunion ["ZUNION"]
    (key: impl IntoIterator<Item = impl Arg>) -> Vec<Bytes>;
    call => call.with_counted(key).gap(0)
}

impl<E, R> Call<E, Zunion, R> {
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
    pub fn aggregate(self, aggregate: ZunionAggregate) -> Self {
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
    /// Stores the members of any of several sorted sets as a sorted set.
    ///
    /// `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]`
    ///
    /// Since 2.0.0. O(N)+O(M*log(M)) where N is the number of members of all inputs and M of the result.
    everywhere zunionstore Zunionstore ["ZUNIONSTORE"]
    (destination: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(destination).with_counted(key).gap(0)
}

impl<E, R> Call<E, Zunionstore, R> {
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
    pub fn aggregate(self, aggregate: ZunionstoreAggregate) -> Self {
        self.option(0, |r| {
            r.push(b"AGGREGATE");
            aggregate.add_to(r);
        })
    }
}
