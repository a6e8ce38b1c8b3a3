//! The Tokio rim of Ochre: listeners, connections, signals and wiring.
