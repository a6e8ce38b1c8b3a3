//! The Tokio rim of Ochre: listeners, connections, signals and wiring.
//!
//! It moves bytes and decides nothing about commands: everything behind a decoded request is the
//! engine's. [`main`] is the whole of the server program but for its allocator; [`Server`] is the server inside
//! another program.

mod apply;
mod balance;
mod conn;
mod deferred;
mod embed;
mod files;
mod listen;
mod log;
mod runtime;
mod shared;
mod start;
mod stream;
#[cfg(feature = "table")]
mod table;
mod tls;
mod window;
mod workers;

pub use embed::{Builder, Server, ServerHandle, resident_bytes};
pub use start::main;
