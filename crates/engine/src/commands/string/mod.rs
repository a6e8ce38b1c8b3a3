//! String commands.

mod counter;
mod digest;
mod edit;
mod expiring;
mod get;
mod increx;
mod lcs;
mod many;
mod options;
mod set;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    edit::APPEND,
    counter::DECR,
    counter::DECRBY,
    digest::DELEX,
    digest::DIGEST,
    get::GET,
    expiring::GETDEL,
    expiring::GETEX,
    get::GETRANGE,
    set::GETSET,
    counter::INCR,
    counter::INCRBY,
    counter::INCRBYFLOAT,
    increx::INCREX,
    lcs::LCS,
    many::MGET,
    many::MSET,
    many::MSETEX,
    many::MSETNX,
    set::PSETEX,
    set::SET,
    set::SETEX,
    set::SETNX,
    edit::SETRANGE,
    get::STRLEN,
    get::SUBSTR,
];
