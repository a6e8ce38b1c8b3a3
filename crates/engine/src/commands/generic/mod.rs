//! Commands on keys of any type: existence, expiry, names, moving between names and databases,
//! sorting, serialisation.
//!
//! Nothing here but serialisation, OBJECT and SORT looks into a value.

mod dump;
mod exist;
mod expire;
mod object;
mod random;
mod restore;
mod sort;
mod sweep;
mod transfer;
mod ttl;
mod wait;

pub(super) use sweep::cursor_number;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    dump::DUMP,
    restore::RESTORE,
    restore::RESTORE_ASKING,
    object::OBJECT,
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
    sort::SORT,
    sort::SORT_RO,
    wait::WAIT,
    wait::WAITAOF,
];
