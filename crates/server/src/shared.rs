//! What all connections share.

use crate::runtime::ServerRuntime;
use ochre_engine::exec::Engine;
use std::sync::Arc;

/// The engine and the runtime around it.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) runtime: Arc<ServerRuntime>,
    pub(crate) seats: crate::workers::Seats,
}
