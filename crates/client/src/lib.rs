//! An async client of Ochre, Redis and Valkey.
//!
//! | you want | take |
//! |---|---|
//! | to share one connection between any number of tasks | [`MultiplexedClient`] |
//! | blocking commands, `WATCH`, `MONITOR` | [`MultiplexedClient::dedicated`], [`Pool`], [`Dedicated`] |
//! | many commands in one exchange | [`Pipeline`] |
//! | published messages | [`Subscription`] |
//! | no async | [`BlockingClient`] |
//! | what the tutorial shows | [`connect`], [`Client`], [`Connection`], [`Frame`], [`Command`] |
//!
//! Invariants
//! - Every wait has a limit: connecting, a request, a place in the queue or the pool.
//! - A reply never reaches another request than its own, whoever gives up and whatever fails.
//! - Every error says whether the request may have been executed ([`Error::executed`]).
//!
//! Depends on the protocol crate and Tokio only; knows nothing of the server's inside.

#![deny(missing_docs)]

mod arg;
pub mod blocking;
mod buffered;
mod cache;
mod call;
mod client;
mod command;
pub mod commands;
mod config;
mod connection;
mod decode;
mod dedicated;
mod error;
pub mod frame;
mod from_value;
mod link;
mod manager;
mod multiplexed;
mod pipeline;
mod pool;
mod queue;
mod scan;
mod script;
mod stream;
mod subscribe;
mod sync;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod value;

pub use arg::{Arg, Cmd, cmd};
pub use blocking::{BlockingClient, BlockingSubscriber};
pub use buffered::BufferedClient;
pub use cache::{CACHE_CAPACITY, CachedClient};
pub use call::Call;
pub use client::{Client, Message, Messages, Subscriber, connect};
pub use command::{Command, Get, Ping, Publish, Set, Subscribe, Unknown, Unsubscribe};
pub use config::{
    BACKOFF_FIRST, BACKOFF_MAX, CONNECT_TIMEOUT, Config, DEFAULT_PORT, IntoConfig, QUEUE_BYTES,
    QUEUE_REQUESTS, REQUEST_TIMEOUT, Speak,
};
pub use connection::Connection;
pub use dedicated::Dedicated;
pub use error::{BoxError, Error, ErrorKind, Executed, Result, ServerError};
pub use frame::Frame;
pub use from_value::FromValue;
pub use manager::Push;
pub use multiplexed::{MultiplexedClient, Reply};
pub use pipeline::{PIPELINE_MAX, Pipeline};
pub use pool::{POOL_SIZE, Pool, Pooled};
pub use scan::Scan;
pub use script::Script;
pub use stream::{Connector, Transport};
pub use subscribe::{Published, Subscription, Target};
#[cfg(feature = "tls")]
pub use tls::TlsConfig;
pub use transaction::TRANSACTION_TRIES;
pub use value::Value;
