//! Commands on keys of any type: existence, expiry, names, moving between names and databases,
//! serialisation.
//!
//! Nothing here but serialisation and OBJECT looks into a value.

mod dump;
mod exist;
mod expire;
mod object;
mod random;
mod restore;
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
    wait::WAIT,
    wait::WAITAOF,
];
