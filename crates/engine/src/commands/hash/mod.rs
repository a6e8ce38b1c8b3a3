//! Hash commands.

mod counter;
mod get;
mod previous;
mod random;
mod scan;
mod set;
mod whole;

pub use previous::{HDEL_PREVIOUS, HSET_PREVIOUS};

use crate::exec::Out;
use crate::spec::{Categories, Command, Group};
use ochre_ds::pack::Element;

/// What the family's commands have in common.
const HASH: Command = Command {
    since: "2.0.0",
    group: Group::Hash,
    categories: Categories::HASH,
    ..Command::NEW
};

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    set::HDEL,
    get::HEXISTS,
    get::HGET,
    whole::HGETALL,
    set::HGETDEL,
    counter::HINCRBY,
    counter::HINCRBYFLOAT,
    whole::HKEYS,
    get::HLEN,
    get::HMGET,
    set::HMSET,
    random::HRANDFIELD,
    scan::HSCAN,
    set::HSET,
    set::HSETNX,
    get::HSTRLEN,
    whole::HVALS,
];

/// Sends a field or a value as a bulk string.
#[inline]
fn reply_element(out: &mut Out, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => out.bulk(bytes),
        Element::Int(n) => out.bulk_integer(n),
        // A hash has none: its numbers are texts.
        Element::Double(_) => out.bulk(&element.to_vec()),
    }
}

/// A count as an integer reply holds it.
#[inline]
fn reply_count(out: &mut Out, count: usize) {
    out.integer(i64::try_from(count).unwrap_or(i64::MAX));
}
