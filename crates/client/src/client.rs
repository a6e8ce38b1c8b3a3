//! The client of the tutorial: one connection, one request at a time.

use crate::arg::cmd;
use crate::config::IntoConfig;
use crate::dedicated::Dedicated;
use crate::error::Result;
use crate::multiplexed::MultiplexedClient;
use crate::subscribe::{Subscription, Target};
use bytes::Bytes;
use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// One connection with a handful of commands, without a greeting, so that a server which knows only these will do; see [`MultiplexedClient`](crate::MultiplexedClient) for all of them.
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// use ochre_client as client;
///
/// let mut client = client::connect(address).await?;
/// client.set("hello", "world".into()).await?;
/// assert_eq!(client.get("hello").await?, Some("world".into()));
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct Client {
    connection: Dedicated,
    config: crate::Config,
}

/// Connects to a server: `host:port` or a URL.
///
/// # Errors
/// When the address is none or the connection fails.
///
/// # Cancel safety
/// Dropping the future closes the connection.
pub async fn connect(to: impl IntoConfig) -> Result<Client> {
    Client::connect(to).await
}

impl Client {
    /// Connects to a server: `host:port` or a URL.
    ///
    /// # Errors
    /// When the address is none or the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect(to: impl IntoConfig) -> Result<Client> {
        let config = to.into_config()?.plain();
        let connection = Dedicated::connect(&config).await?;
        Ok(Client { connection, config })
    }

    /// Asks whether the server is there. It answers `PONG`, or the message.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`Dedicated::run`].
    pub async fn ping(&mut self, message: Option<Bytes>) -> Result<Bytes> {
        Ok(self.connection.run(cmd("ping").arg(message)).await?)
    }

    /// The value of a key; `None` if there is no such key.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`Dedicated::run`].
    pub async fn get(&mut self, key: &str) -> Result<Option<Bytes>> {
        Ok(self.connection.run(cmd("get").arg(key)).await?)
    }

    /// Sets a key.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`Dedicated::run`].
    pub async fn set(&mut self, key: &str, value: Bytes) -> Result<()> {
        Ok(self.connection.run(cmd("set").arg(key).arg(value)).await?)
    }

    /// Sets a key for some time; parts of a millisecond count as a whole one.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`Dedicated::run`].
    pub async fn set_expires(
        &mut self,
        key: &str,
        value: Bytes,
        expiration: Duration,
    ) -> Result<()> {
        let ms = expiration.as_nanos().div_ceil(1_000_000);
        let request = cmd("set").arg(key).arg(value).arg("PX").arg(ms);
        Ok(self.connection.run(request).await?)
    }

    /// Sends a message to a channel. Gives how many received it.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`Dedicated::run`].
    pub async fn publish(&mut self, channel: &str, message: Bytes) -> Result<u64> {
        let request = cmd("publish").arg(channel).arg(message);
        Ok(self.connection.run(request).await?)
    }

    /// Listens to channels from now on, which is all that the connection does then.
    /// What others publish before this has returned may be missed.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn subscribe(self, channels: Vec<String>) -> Result<Subscriber> {
        let mut subscription = Subscription::over(self.config, self.connection);
        subscription.add(Target::Channel, &channels).await?;
        Ok(Subscriber {
            subscription,
            channels,
        })
    }

    /// The connection as a client that tasks share. What was under way on it is given up.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn share(self) -> MultiplexedClient {
        MultiplexedClient::over(self.config, self.connection.into_link())
    }

    pub(crate) fn connection(&mut self) -> &mut Dedicated {
        &mut self.connection
    }

    /// Any command; see [`cmd`](crate::cmd()).
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// As for [`Dedicated::run`].
    pub async fn run<R: crate::FromValue>(&mut self, request: impl Into<crate::Cmd>) -> Result<R> {
        Ok(self.connection.run(request).await?)
    }
}

/// A message of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The channel.
    pub channel: String,
    /// The message.
    pub content: Bytes,
}

/// A connection that listens to channels. It connects and subscribes again by itself when the connection fails;
/// messages sent meanwhile are missed.
#[derive(Debug)]
pub struct Subscriber {
    subscription: Subscription,
    channels: Vec<String>,
}

impl Subscriber {
    /// The channels that it listens to.
    #[must_use]
    pub fn get_subscribed(&self) -> &[String] {
        &self.channels
    }

    /// The next message; waits for it as long as it takes. Never `None`: the connection is made again when it ends.
    ///
    /// # Errors
    /// When the server refuses the subscription after a reconnection.
    ///
    /// # Cancel safety
    /// No message is lost when the future is dropped.
    pub async fn next_message(&mut self) -> Result<Option<Message>> {
        std::future::poll_fn(|cx| self.poll_message(cx))
            .await
            .map(Some)
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message>> {
        let published = ready!(self.subscription.poll_message(cx))?;
        Poll::Ready(Ok(Message {
            channel: String::from_utf8_lossy(&published.channel).into_owned(),
            content: published.payload,
        }))
    }

    /// Listens to further channels.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the server subscribed to them.
    pub async fn subscribe(&mut self, channels: &[String]) -> Result<()> {
        self.subscription.add(Target::Channel, channels).await?;
        for channel in channels {
            if !self.channels.contains(channel) {
                self.channels.push(channel.clone());
            }
        }
        Ok(())
    }

    /// Listens to some channels no more; to none if none are named.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the server subscribed to them.
    pub async fn unsubscribe(&mut self, channels: &[String]) -> Result<()> {
        let gone = if channels.is_empty() {
            std::mem::take(&mut self.channels)
        } else {
            channels.to_vec()
        };
        self.channels.retain(|c| !gone.contains(c));
        Ok(self.subscription.remove(Target::Channel, &gone).await?)
    }

    /// The messages as a stream.
    #[must_use]
    pub fn into_stream(self) -> Messages {
        Messages { subscriber: self }
    }
}

/// The messages of a [`Subscriber`].
#[derive(Debug)]
pub struct Messages {
    subscriber: Subscriber,
}

impl Stream for Messages {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().subscriber.poll_message(cx).map(Some)
    }
}
