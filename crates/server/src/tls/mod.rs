//! TLS under the connections: rustls, fed and drained by hand so that no buffer outlives its batch.
//!
//! Invariants
//! - A connection sees a stream of bytes, as from TCP; nothing of TLS shows in the engine.
//! - The configuration is built as a whole or not at all; a connection keeps the one that it was accepted with.
//!
//! Parts: [`config`] makes rustls' configuration of the settings, with `ochre-ciphers` for OpenSSL's
//! cipher lists, [`pem`] for files and [`sessions`] for resumption; [`stream`] is a connection.

mod config;
mod pem;
mod sessions;
mod stream;

pub(crate) use config::{SETTINGS, configure};
pub(crate) use stream::{HANDSHAKE_PATIENCE, HandshakeError, TlsStream};
