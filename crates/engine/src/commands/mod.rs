//! The commands, one family a folder. A new family is one line here; a new command is one constant
//! in its file and its name in the family's list.

pub mod bitmap;
pub mod connection;
pub mod generic;
pub mod hash;
pub mod list;
mod mpop;
pub mod pubsub;
pub mod server;
pub mod set;
pub mod string;
pub mod transaction;
pub mod zset;

use crate::spec::Command;

/// All families.
pub const FAMILIES: &[&[Command]] = &[
    bitmap::COMMANDS,
    connection::COMMANDS,
    generic::COMMANDS,
    hash::COMMANDS,
    list::COMMANDS,
    pubsub::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
    zset::COMMANDS,
];
