//! Keyspace, commands and execution of Ochre: synchronous and socket-free.
//!
//! - [`spec`]: what a command is.
//! - [`keyspace`]: striped databases, locks, expiry, eviction.
//! - [`exec`]: the spine, from a decoded request to its reply.
//! - [`acl`]: users, and what they may do.
//! - [`commands`]: the commands, one family a folder.
//! - [`serial`]: values in Redis's RDB form, and the digest of a data set.
//! - [`settings`]: the settings, one row each.
//! - [`ports`]: what the engine needs from outside.
//!
//! Knows nothing of sockets, files and Tokio.

pub mod acl;
pub mod commands;
pub mod error;
pub mod exec;
pub mod keyspace;
pub mod ports;
pub mod serial;
pub mod settings;
pub mod spec;
mod sync;

/// The Redis version whose commands and replies Ochre offers; clients enable features by it.
pub const REDIS_VERSION: &str = "8.2.0";
