//! The table front: tables of typed values over length-delimited protobuf.
//!
//! - [`CommandRequest`], [`CommandResponse`], [`Value`], [`Kvpair`]: the messages of `proto/ochre_table.proto`.
//! - [`Storage`]: where tables are kept: [`MemTable`], `Keyspace` (the engine's hashes), `DiskTable` (an LSM tree on
//!   disk); [`conformance`] is what all of them have to pass.
//! - [`Service`]: a storage, topics and hooks; executes requests. Needs no runtime and no socket.
//! - [`server`]: the service on TCP, with TLS and yamux; `grpc` and `http` are thin layers over the same service.
//! - [`Client`]: the async client.
//!
//! ```
//! use ochre_table::{CommandRequest, MemTable, Service, ServiceInner};
//!
//! let service: Service = ServiceInner::new(MemTable::new()).into();
//! let set = CommandRequest::new_hset("table1", "hello", "world".into());
//! assert_eq!(service.execute(set).status, 200);
//! let got = service.execute(CommandRequest::new_hget("table1", "hello"));
//! assert_eq!(got.values, ["world".into()]);
//! ```

mod error;
mod hooks;
mod pb;
mod request;
mod service;
mod storage;
mod topics;
mod values;
pub mod wire;

pub mod conformance;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(feature = "client", feature = "server"))]
mod sockets;
#[cfg(any(feature = "client", feature = "server"))]
pub use sockets::Io;

#[cfg(feature = "client")]
pub use client::Client;
pub use error::KvError;
pub use hooks::{Hook, Verdict};
pub use pb::{
    CommandRequest, CommandResponse, Hdel, Hexist, Hget, Hgetall, Hmdel, Hmexist, Hmget, Hmset,
    Hset, Kvpair, Publish, Subscribe, Unsubscribe, Value, command_request, value,
};
pub use service::{Limits, Messages, Service, ServiceInner};
#[cfg(feature = "disk")]
pub use storage::disk::{DiskError, DiskOptions, DiskTable, SledDb, SyncPolicy};
#[cfg(feature = "keyspace")]
pub use storage::keyspace::Keyspace;
pub use storage::memory::MemTable;
pub use storage::{Answer, PAGE_MAX, Page, Pairs, Storage};
pub use topics::{Ended, SUBSCRIBER_BYTES_MAX, SUBSCRIBER_MESSAGES_MAX, Subscription, Topics};
pub use values::ValueRef;

/// The encoded description of the protocol (a `FileDescriptorSet`), for reflection and generators.
pub const DESCRIPTOR: &[u8] = include_bytes!("generated/descriptor.bin");

/// The TCP port of the protocol.
pub const DEFAULT_PORT: u16 = 9527;
