//! Commands on keys of any type: existence, expiry, names, moving between names and databases.
//!
//! Nothing here looks into a value; a new type of value needs no change in this folder.

mod exist;
mod expire;
mod random;
mod sweep;
mod transfer;
mod ttl;
mod wait;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    exist::DEL,
    exist::UNLINK,
    exist::EXISTS,
    exist::TOUCH,
    exist::TYPE,
    expire::EXPIRE,
    expire::PEXPIRE,
    expire::EXPIREAT,
    expire::PEXPIREAT,
    expire::PERSIST,
    ttl::TTL,
    ttl::PTTL,
    ttl::EXPIRETIME,
    ttl::PEXPIRETIME,
    sweep::KEYS,
    sweep::SCAN,
    random::RANDOMKEY,
    transfer::RENAME,
    transfer::RENAMENX,
    transfer::COPY,
    transfer::MOVE,
    wait::WAIT,
    wait::WAITAOF,
];
