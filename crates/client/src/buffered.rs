//! The buffered client of the tutorial: handles that tasks share, and one task that owns the connection.
//!
//! It is the [`MultiplexedClient`] under the tutorial's names: requests of all handles go into one bounded queue and
//! are pipelined.

use crate::arg::cmd;
use crate::config::IntoConfig;
use crate::error::Result;
use crate::multiplexed::MultiplexedClient;
use bytes::Bytes;

/// A client that clones and is shared between tasks.
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// use ochre_client::{BufferedClient, Client};
///
/// let client = BufferedClient::buffer(Client::connect(address).await?);
/// let mut other = client.clone();
/// let writing = tokio::spawn(async move { other.set("hello", "world".into()).await });
/// writing.await??;
/// assert_eq!(client.clone().get("hello").await?, Some("world".into()));
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct BufferedClient {
    client: MultiplexedClient,
}

impl BufferedClient {
    /// Shares the connection of `client`.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn buffer(client: crate::Client) -> BufferedClient {
        BufferedClient {
            client: client.share(),
        }
    }

    /// Connects to a server: `host:port` or a URL.
    ///
    /// # Errors
    /// When the address is none or the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect(to: impl IntoConfig) -> Result<BufferedClient> {
        let client = MultiplexedClient::connect(to).await?;
        Ok(BufferedClient { client })
    }

    /// The value of a key; `None` if there is no such key.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`MultiplexedClient::run`].
    pub async fn get(&mut self, key: &str) -> Result<Option<Bytes>> {
        Ok(self.client.run(cmd("GET").arg(key)).await?)
    }

    /// Sets a key.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`MultiplexedClient::run`].
    pub async fn set(&mut self, key: &str, value: Bytes) -> Result<()> {
        Ok(self.client.run(cmd("SET").arg(key).arg(value)).await?)
    }

    /// The client under it, with all commands.
    #[must_use]
    pub fn into_inner(self) -> MultiplexedClient {
        self.client
    }
}
