//! What all connections share.

use crate::runtime::ServerRuntime;
use ochre_engine::exec::Engine;
use parking_lot::RwLock;
use rustls::ServerConfig;
use std::sync::Arc;

/// The TLS configuration of new connections; `None` until there is a port for TLS.
///
/// Guards: the handle. Held for a copy of it.
pub(crate) type TlsConfig = RwLock<Option<Arc<ServerConfig>>>;

/// The engine and the runtime around it.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) runtime: Arc<ServerRuntime>,
    pub(crate) seats: crate::workers::Seats,
    pub(crate) tls: Arc<TlsConfig>,
}
