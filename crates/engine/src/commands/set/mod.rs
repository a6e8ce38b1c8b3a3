//! Set commands.

mod algebra;
mod change;
mod members;
mod pop;
mod random;
mod scan;
mod store;

use crate::exec::Out;
use crate::spec::{Categories, Command, Group};
use ochre_ds::pack::Element;

/// What the family's commands have in common.
const SET: Command = Command {
    group: Group::Set,
    categories: Categories::SET,
    ..Command::NEW
};

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    change::SADD,
    members::SCARD,
    algebra::SDIFF,
    algebra::SDIFFCARD,
    store::SDIFFSTORE,
    algebra::SINTER,
    algebra::SINTERCARD,
    store::SINTERSTORE,
    members::SISMEMBER,
    members::SMEMBERS,
    members::SMISMEMBER,
    change::SMOVE,
    pop::SPOP,
    random::SRANDMEMBER,
    change::SREM,
    scan::SSCAN,
    algebra::SUNION,
    algebra::SUNIONCARD,
    store::SUNIONSTORE,
];

/// Bytes written at a time when a reply is sent in pieces.
const PIECE: usize = 64 * 1024;

/// Sends a member as a bulk string.
#[inline]
fn reply_member(out: &mut Out, member: Element<'_>) {
    match member {
        Element::Bytes(bytes) => out.bulk(bytes),
        Element::Int(value) => out.bulk_integer(value),
        // A set has none: its numbers are texts.
        Element::Double(_) => out.bulk(&member.to_vec()),
    }
}

/// A count as an integer reply holds it.
#[inline]
fn reply_count(out: &mut Out, count: usize) {
    out.integer(i64::try_from(count).unwrap_or(i64::MAX));
}
