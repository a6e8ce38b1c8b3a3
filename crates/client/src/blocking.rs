//! The client without async: every call waits for its answer.
//!
//! It drives its connection on a small runtime of its own, which runs only while a call waits.

use crate::arg::Cmd;
use crate::client::{Client, Message, Subscriber};
use crate::config::IntoConfig;
use crate::error::{Error, Result};
use crate::from_value::FromValue;
use bytes::Bytes;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Connects to a server: `host:port` or a URL.
///
/// # Errors
/// When the address is none or the connection fails.
///
/// # Panics
/// Inside of a Tokio runtime, where blocking would stop other tasks.
pub fn connect(to: impl IntoConfig) -> Result<BlockingClient> {
    BlockingClient::connect(to)
}

/// A client whose calls block the thread.
///
/// ```
/// # let server = ochre_testserver::start(&[]);
/// # let address = ochre_testserver::address(&server);
/// use ochre_client::{BlockingClient, commands};
///
/// let mut client = BlockingClient::connect(address)?;
/// client.set("hello", "world".into())?;
/// assert_eq!(client.get("hello")?, Some("world".into()));
/// // Every command, typed or not:
/// let n: i64 = client.run(commands::incr("visits"))?;
/// assert_eq!(n, 1);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// # Panics
/// All calls panic inside of a Tokio runtime, where blocking would stop other tasks.
#[derive(Debug)]
pub struct BlockingClient {
    client: Client,
    runtime: Runtime,
}

impl BlockingClient {
    /// Connects to a server: `host:port` or a URL.
    ///
    /// # Errors
    /// When the address is none or the connection fails.
    pub fn connect(to: impl IntoConfig) -> Result<BlockingClient> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(Client::connect(to))?;
        Ok(BlockingClient { client, runtime })
    }

    /// Asks whether the server is there. It answers `PONG`, or the message.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn ping(&mut self, message: Option<Bytes>) -> Result<Bytes> {
        self.runtime.block_on(self.client.ping(message))
    }

    /// The value of a key; `None` if there is no such key.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn get(&mut self, key: &str) -> Result<Option<Bytes>> {
        self.runtime.block_on(self.client.get(key))
    }

    /// Sets a key.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn set(&mut self, key: &str, value: Bytes) -> Result<()> {
        self.runtime.block_on(self.client.set(key, value))
    }

    /// Sets a key for some time.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn set_expires(&mut self, key: &str, value: Bytes, expiration: Duration) -> Result<()> {
        self.runtime
            .block_on(self.client.set_expires(key, value, expiration))
    }

    /// Sends a message to a channel. Gives how many received it.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn publish(&mut self, channel: &str, message: Bytes) -> Result<u64> {
        self.runtime.block_on(self.client.publish(channel, message))
    }

    /// Listens to channels from now on.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn subscribe(self, channels: Vec<String>) -> Result<BlockingSubscriber> {
        let subscriber = self.runtime.block_on(self.client.subscribe(channels))?;
        Ok(BlockingSubscriber {
            subscriber,
            runtime: self.runtime,
        })
    }

    /// Any command: one of [`commands`](crate::commands) or [`cmd`](crate::cmd()).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn run<R: FromValue>(&mut self, request: impl Into<Cmd>) -> Result<R, Error> {
        self.runtime.block_on(self.client.connection().run(request))
    }

    /// Sends the commands of a pipeline at once and waits for all replies.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn pipeline<R: FromValue>(&mut self, pipeline: &crate::Pipeline) -> Result<R, Error> {
        self.runtime
            .block_on(self.client.connection().pipeline(pipeline))
    }
}

/// A connection that listens to channels and blocks until messages come.
#[derive(Debug)]
pub struct BlockingSubscriber {
    subscriber: Subscriber,
    runtime: Runtime,
}

impl BlockingSubscriber {
    /// The channels that it listens to.
    #[must_use]
    pub fn get_subscribed(&self) -> &[String] {
        self.subscriber.get_subscribed()
    }

    /// The next message; waits for it as long as it takes.
    ///
    /// # Errors
    /// When the server refuses the subscription after a reconnection.
    pub fn next_message(&mut self) -> Result<Option<Message>> {
        self.runtime.block_on(self.subscriber.next_message())
    }

    /// The messages, one after the other, without end. Each waits as long as it takes, and is an error where
    /// [`next_message`](Self::next_message) would give one.
    pub fn messages(self) -> impl Iterator<Item = Result<Message>> {
        let mut this = self;
        std::iter::from_fn(move || this.next_message().transpose())
    }

    /// Listens to further channels.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn subscribe(&mut self, channels: &[String]) -> Result<()> {
        self.runtime.block_on(self.subscriber.subscribe(channels))
    }

    /// Listens to some channels no more; to none if none are named.
    ///
    /// # Errors
    /// When the server or the connection fails.
    pub fn unsubscribe(&mut self, channels: &[String]) -> Result<()> {
        self.runtime.block_on(self.subscriber.unsubscribe(channels))
    }
}
