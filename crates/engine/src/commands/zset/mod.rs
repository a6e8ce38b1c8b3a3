//! Sorted set commands.
//!
//! Invariants
//! - Arguments are read before keys are looked at, except where Redis reports the wrong type first.
//! - Ranges of scores, members and ranks become ranks (`select`), so that reading, counting and
//!   removing them share everything else.
//! - What takes time in proportion to large inputs happens on clones after the locks are released.
//!
//! Source: replies of Redis 7.0.15 and 8.2.3; AGGREGATE COUNT from the public documentation of 8.8.

mod add;
mod blocking;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod reply;
mod scan;
mod select;
mod sources;
mod store;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    blocking::BZMPOP,
    blocking::BZPOPMAX,
    blocking::BZPOPMIN,
    add::ZADD,
    read::ZCARD,
    read::ZCOUNT,
    combine::ZDIFF,
    store::ZDIFFSTORE,
    add::ZINCRBY,
    combine::ZINTER,
    combine::ZINTERCARD,
    store::ZINTERSTORE,
    read::ZLEXCOUNT,
    pop::ZMPOP,
    read::ZMSCORE,
    pop::ZPOPMAX,
    pop::ZPOPMIN,
    random::ZRANDMEMBER,
    range::ZRANGE,
    range::ZRANGEBYLEX,
    range::ZRANGEBYSCORE,
    range::ZRANGESTORE,
    read::ZRANK,
    remove::ZREM,
    remove::ZREMRANGEBYLEX,
    remove::ZREMRANGEBYRANK,
    remove::ZREMRANGEBYSCORE,
    range::ZREVRANGE,
    range::ZREVRANGEBYLEX,
    range::ZREVRANGEBYSCORE,
    read::ZREVRANK,
    scan::ZSCAN,
    read::ZSCORE,
    combine::ZUNION,
    store::ZUNIONSTORE,
];
