//! Transactions: requests queued by MULTI that EXEC runs as one.
//!
//! Invariants
//! - EXEC takes the stripes of everything that is queued at once and lets go after the last request, so
//!   other clients see all of a transaction or nothing. There is no rollback: a command that fails leaves the rest.
//! - What is watched is looked at when the stripes are held, those of the watched keys among them. Were
//!   they not, two transactions that each watch what the other changes could both succeed.

mod exec;
mod multi;
mod watch;

use crate::spec::{Categories, Command, Flags, Group};

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    multi::DISCARD,
    exec::EXEC,
    multi::MULTI,
    watch::UNWATCH,
    watch::WATCH,
];

/// What the family's commands have in common.
const COMMON: Command = Command {
    since: "1.2.0",
    group: Group::Transactions,
    arity: 1,
    flags: Flags::NOSCRIPT
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::FAST)
        .with(Flags::ALLOW_BUSY),
    categories: Categories::TRANSACTION,
    ..Command::NEW
};
