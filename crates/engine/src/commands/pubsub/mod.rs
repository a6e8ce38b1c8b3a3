//! Publish/subscribe: messages to whoever listens now. Nothing is kept.
//!
//! Invariants
//! - The reply to unsubscribing comes after every message of the name, and none follows it.
//! - A message to the publisher itself follows the reply to its PUBLISH.

mod introspect;
mod publish;
mod subscribe;

use crate::spec::{Command, Flags};

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    subscribe::PSUBSCRIBE,
    publish::PUBLISH,
    introspect::PUBSUB,
    subscribe::PUNSUBSCRIBE,
    publish::SPUBLISH,
    subscribe::SSUBSCRIBE,
    subscribe::SUBSCRIBE,
    subscribe::SUNSUBSCRIBE,
    subscribe::UNSUBSCRIBE,
];

/// Flags that all but the container and its HELP have.
const ALWAYS: Flags = Flags::PUBSUB.with(Flags::LOADING).with(Flags::STALE);
