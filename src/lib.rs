//! Ochre: a Redis-compatible, multi-threaded, in-memory data store, as a crate.
//!
//! - [`client`] is an async client for Ochre, Redis and Valkey, from `client::connect` to
//!   [`client::MultiplexedClient`]. The feature `client` alone pulls in no server code.
//! - [`Connection`], [`Frame`] and [`Command`] are what a small server of one's own needs.
//! - [`Server`] runs the whole server inside a program, on a port or without a socket.
//! - [`table`] is the table front: typed values over length-delimited protobuf, with its own server and client.
//!
//! ```
//! # use ochre::{Result, Server, client, in_process};
//! # #[tokio::main] async fn main() -> Result<()> {
//! // A server without a socket, and a client of it.
//! let server = Server::builder().start()?;
//! let client = client::MultiplexedClient::connect(in_process(&server)).await?;
//! client.set("hello", "world").await?;
//! assert_eq!(client.get("hello").await?.as_deref(), Some(&b"world"[..]));
//! server.stop().await;
//! # Ok(()) }
//! ```

#![deny(missing_docs)]

#[cfg(feature = "server")]
pub mod allocator;
#[cfg(feature = "server")]
mod growth;

#[cfg(feature = "client")]
pub use ochre_client as client;
#[cfg(feature = "client")]
pub use ochre_client::{BoxError as Error, Command, Connection, Frame, Result, frame};
#[cfg(feature = "server")]
pub use ochre_server::{Builder, Server, ServerHandle};
#[cfg(feature = "table")]
pub use ochre_table as table;

/// The clients of the tutorial under the names that it gives them.
#[cfg(feature = "client")]
pub mod clients {
    pub use ochre_client::{BlockingClient, BufferedClient, Client};
}

/// The blocking client of the tutorial.
#[cfg(feature = "client")]
pub mod blocking_client {
    pub use ochre_client::BlockingClient;
    pub use ochre_client::blocking::connect;
}

/// A server in this process, as clients name servers.
///
/// Connections made by it need no socket; they are refused when the server has stopped.
#[cfg(all(feature = "client", feature = "server"))]
#[must_use]
pub fn in_process(server: &Server) -> client::Config {
    let handle = server.handle();
    client::Config::connector(client::Connector::new(move || {
        let handle = handle.clone();
        async move { handle.connect() }
    }))
}

/// The examples of the guides, compiled with the tests.
#[cfg(all(doctest, feature = "client", feature = "server"))]
mod guides {
    #[doc = include_str!("../docs/client.md")]
    struct Client;
    #[doc = include_str!("../docs/embedding.md")]
    struct Embedding;
}

/// The examples of the guide to the table front.
#[cfg(all(doctest, feature = "server", feature = "table"))]
#[doc = include_str!("../docs/table.md")]
struct TableGuide;
