//! Server commands: introspection, settings, statistics, flushing, diagnostics.

mod acl;
mod command;
mod config;
mod debug;
mod flush;
mod info;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod shutdown;
mod slowlog;
mod time;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    acl::ACL,
    command::COMMAND,
    config::CONFIG,
    debug::DEBUG,
    flush::DBSIZE,
    flush::FLUSHALL,
    flush::FLUSHDB,
    flush::SWAPDB,
    info::INFO,
    latency::LATENCY,
    lolwut::LOLWUT,
    memory::MEMORY,
    monitor::MONITOR,
    shutdown::SHUTDOWN,
    slowlog::SLOWLOG,
    time::TIME,
];
