//! The async client: many requests in flight over one connection, responses by order, subscriptions as streams.
//!
//! Parts: `driver` is the task that owns the connection, `link` makes connections, `subscription` is a topic's stream.
//!
//! ```no_run
//! # async fn example() -> Result<(), ochre_table::client::ClientError> {
//! let client = ochre_table::Client::connect("127.0.0.1:9527").await?;
//! client.set("table1", "hello", "world").await?;
//! assert_eq!(client.get("table1", "hello").await?, Some("world".into()));
//! # Ok(()) }
//! ```

mod driver;
mod error;
mod link;
mod subscription;

pub use error::ClientError;
pub use subscription::Subscription;

use crate::pb::{CommandRequest, CommandResponse, Kvpair, Value};
use crate::wire::{HEAD, put_message};
use driver::Call;
use link::Link;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How a [`Client`] is to be.
#[derive(Clone)]
pub struct Config {
    /// `host:port` of the server.
    pub address: String,
    /// Requests that may wait to be sent; who finds no room waits. 1024 by default.
    pub queue: usize,
    /// How long a call may take, waiting for room and for a new connection included; ten seconds by default.
    pub deadline: Duration,
    /// How long connecting may take; five seconds by default.
    pub connect_timeout: Duration,
    /// Bytes that a frame may have; 8 MiB by default.
    pub frame_bytes: usize,
    /// Whether the server speaks yamux (`table-yamux`): subscriptions then share the connection.
    pub yamux: bool,
    /// TLS, and the name that the server's certificate has to have.
    #[cfg(feature = "tls")]
    pub tls: Option<(
        Arc<rustls::ClientConfig>,
        rustls::pki_types::ServerName<'static>,
    )>,
}

impl Config {
    /// A plain connection to `address`, `host:port`.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Config {
        Config {
            address: address.into(),
            queue: 1024,
            deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            frame_bytes: 8 << 20,
            yamux: false,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl From<&str> for Config {
    fn from(address: &str) -> Config {
        Config::new(address)
    }
}

impl From<String> for Config {
    fn from(address: String) -> Config {
        Config::new(address)
    }
}

/// A client of the table front. Clones share one connection, which is made anew when it fails.
#[derive(Clone)]
pub struct Client {
    calls: mpsc::Sender<Call>,
    link: Arc<Link>,
}

impl Client {
    /// Connects. Must be called inside of a Tokio runtime.
    ///
    /// # Errors
    /// When the server cannot be reached.
    ///
    /// # Cancel safety
    /// A drop of the future connects nothing.
    pub async fn connect(config: impl Into<Config>) -> Result<Client, ClientError> {
        let link = Arc::new(Link::new(config.into()));
        let io = link.open().await?;
        let (calls, queue) = mpsc::channel(link.config.queue.max(1));
        tokio::spawn(driver::run(link.clone(), queue, io));
        Ok(Client { calls, link })
    }

    /// Sends a request and waits for its response, whatever its status.
    ///
    /// Subscribe is refused with status 400: see [`Client::subscribe`].
    ///
    /// # Errors
    /// When no response came.
    ///
    /// # Cancel safety
    /// A request that waits in the queue is not sent when the future is dropped; one that was sent is executed.
    pub async fn execute(&self, request: &CommandRequest) -> Result<CommandResponse, ClientError> {
        use crate::pb::command_request::RequestData::Subscribe;
        if matches!(request.request_data, Some(Subscribe(_))) {
            // It would take the connection from the requests behind it.
            let text = "Subscribe answers with a stream: use Client::subscribe";
            return Ok(CommandResponse::failed(400, text));
        }
        let mut frame = Vec::new();
        put_message(&mut frame, request);
        if frame.len() - HEAD > self.link.config.frame_bytes {
            return Err(ClientError::TooLarge);
        }
        let until = Instant::now() + self.link.config.deadline;
        let (reply, response) = oneshot::channel();
        let call = Call {
            frame,
            reply,
            until,
        };
        let answered = async {
            // The driver lives as long as a client does.
            self.calls.send(call).await.map_err(|_| ClientError::Lost)?;
            response.await.unwrap_or(Err(ClientError::Lost))
        };
        tokio::time::timeout_at(until, answered)
            .await
            .unwrap_or(Err(ClientError::Deadline))
    }

    /// As [`Client::execute`], with every other status than 200 as an error.
    ///
    /// # Errors
    /// When no response came, or one of another status.
    pub async fn call(&self, request: &CommandRequest) -> Result<CommandResponse, ClientError> {
        let response = self.execute(request).await?;
        match response.is_ok() {
            true => Ok(response),
            false => Err(ClientError::Refused(Box::new(response))),
        }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// As [`Client::call`], but for a key that is not there.
    pub async fn get(&self, table: &str, key: &str) -> Result<Option<Value>, ClientError> {
        match self.call(&CommandRequest::new_hget(table, key)).await {
            Ok(response) => Ok(response.values.into_iter().next()),
            Err(ClientError::Refused(response)) if response.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets a key and gives its previous value, empty if there was none.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn set(
        &self,
        table: &str,
        key: &str,
        value: impl Into<Value>,
    ) -> Result<Value, ClientError> {
        self.one(CommandRequest::new_hset(table, key, value.into()))
            .await
    }

    /// Deletes a key and gives its previous value, empty if there was none.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn del(&self, table: &str, key: &str) -> Result<Value, ClientError> {
        self.one(CommandRequest::new_hdel(table, key)).await
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn exists(&self, table: &str, key: &str) -> Result<bool, ClientError> {
        let answer = self.one(CommandRequest::new_hexist(table, key)).await?;
        Ok(answer == Value::from(true))
    }

    /// The values of several keys, empty for those that are not there.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_many(&self, table: &str, keys: &[&str]) -> Result<Vec<Value>, ClientError> {
        let request = CommandRequest::new_hmget(table, keys.iter().copied());
        Ok(self.call(&request).await?.values)
    }

    /// Sets several keys at once and gives their previous values.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn set_many(
        &self,
        table: &str,
        pairs: impl IntoIterator<Item = Kvpair>,
    ) -> Result<Vec<Value>, ClientError> {
        let request = CommandRequest::new_hmset(table, pairs);
        Ok(self.call(&request).await?.values)
    }

    /// Deletes several keys at once and gives their previous values.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn del_many(&self, table: &str, keys: &[&str]) -> Result<Vec<Value>, ClientError> {
        let request = CommandRequest::new_hmdel(table, keys.iter().copied());
        Ok(self.call(&request).await?.values)
    }

    /// All pairs of a table, in no particular order.
    ///
    /// # Errors
    /// As [`Client::call`]; status 413 for a table that does not fit in one frame.
    pub async fn get_all(&self, table: &str) -> Result<Vec<Kvpair>, ClientError> {
        Ok(self.call(&CommandRequest::new_hgetall(table)).await?.pairs)
    }

    /// Sends values to a topic and gives how many listen.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn publish(
        &self,
        topic: &str,
        data: impl IntoIterator<Item = Value>,
    ) -> Result<i64, ClientError> {
        let reached = self.one(CommandRequest::new_publish(topic, data)).await?;
        Ok(reached.try_into().unwrap_or(0))
    }

    /// Listens to a topic, on a connection of its own.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    ///
    /// # Cancel safety
    /// A drop of the future subscribes to nothing.
    pub async fn subscribe(&self, topic: impl Into<String>) -> Result<Subscription, ClientError> {
        Subscription::begin(self.link.clone(), topic.into()).await
    }

    async fn one(&self, request: CommandRequest) -> Result<Value, ClientError> {
        let response = self.call(&request).await?;
        Ok(response.values.into_iter().next().unwrap_or_default())
    }
}
