// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `set`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;

declare! {
    /// Returns the members of several sets together.
    ///
    /// `SUNION key [key ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of members of all sets.
    everywhere sunion Sunion ["SUNION"]
    (key: impl IntoIterator<Item = impl Arg>) -> Vec<Bytes>;
    call => call.with_all(key)
}

declare! {
    /// Returns the number of members of several sets together.
    ///
    /// `SUNIONCARD numkeys key [key ...] [APPROX] [LIMIT limit]`
    ///
    /// Since 8.10.0. O(N) where N is the number of members of all sets.
    everywhere sunioncard Sunioncard ["SUNIONCARD"]
    (key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_counted(key).gap(0)
}

impl<E, R> Call<E, Sunioncard, R> {
    /// `APPROX`
    pub fn approx(self) -> Self {
        self.option(0, |r| r.push(b"APPROX"))
    }

    /// `LIMIT limit`
    pub fn limit(self, limit: i64) -> Self {
        self.option(0, |r| {
            r.push(b"LIMIT");
            limit.add_to(r);
        })
    }
}

declare! {
    /// Stores the members of several sets together.
    ///
    /// `SUNIONSTORE destination key [key ...]`
    ///
    /// Since 1.0.0. O(N) where N is the number of members of all sets.
    everywhere sunionstore Sunionstore ["SUNIONSTORE"]
    (destination: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(destination).with_all(key)
}
