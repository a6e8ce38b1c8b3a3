//! Keyspace, commands and execution of Ochre: synchronous and socket-free.

pub mod settings;
