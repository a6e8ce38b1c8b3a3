//! The client library against servers: Ochre in process, real Redis and Valkey servers where there are such, and one
//! that fails in every way.

mod caching;
#[cfg(feature = "tls")]
mod encrypted;
mod faults;
mod hostile;
mod own_connection;
mod servers;
mod shared_connection;
mod simple;
