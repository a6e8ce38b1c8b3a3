//! Commands about the connection itself: who speaks, in which protocol, to which database.
//!
//! Invariants
//! - What others may see of a connection is mirrored into its public `Client` record by the command that changes it.
//!
//! Does not: subscriptions, transactions and client-side caching, which reset with their own families.

mod auth;
mod client;
mod state;

pub(crate) use client::describe_client;

use crate::spec::{Command, Flags};

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    auth::AUTH,
    auth::HELLO,
    client::CLIENT,
    state::ECHO,
    state::PING,
    state::QUIT,
    state::RESET,
    state::SELECT,
];

/// Flags of the commands that a connection may use in any state of the server.
const ALWAYS: Flags = Flags::NOSCRIPT
    .with(Flags::LOADING)
    .with(Flags::STALE)
    .with(Flags::FAST)
    .with(Flags::NO_AUTH)
    .with(Flags::ALLOW_BUSY);

/// Whether a name has only bytes that do not break the lines of CLIENT LIST.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}
