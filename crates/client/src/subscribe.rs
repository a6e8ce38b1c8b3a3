//! Publish/subscribe as a stream, on a connection of its own.
//!
//! Why not on the shared connection: a reader that does not keep up would have to hold up everybody's replies or lose
//! messages. Here it holds up its own socket, and the server's limit decides (`client-output-buffer-limit pubsub`).
//!
//! Invariants
//! - `wanted` is what the caller subscribed to; a new connection subscribes to all of it before it gives messages.
//! - Confirmations answer `SUBSCRIBE` and its kin in order and name what they confirm; messages that come between are
//!   kept, also when the caller gives up meanwhile.

use crate::arg::{Arg, cmd};
use crate::config::{Config, IntoConfig};
use crate::dedicated::Dedicated;
use crate::error::{Error, ErrorKind, Executed};
use crate::manager::Pause;
use crate::multiplexed::MultiplexedClient;
use crate::value::Value;
use bytes::Bytes;
use futures_core::Stream;
use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// Messages kept while a confirmation is waited for; a connection that brings more before it is given up.
const EARLY_MAX: usize = 64 * 1024;

/// What kind of name a subscription is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A channel (`SUBSCRIBE`).
    Channel,
    /// A pattern of channels (`PSUBSCRIBE`).
    Pattern,
    /// A shard channel (`SSUBSCRIBE`).
    Shard,
}

impl Target {
    const ALL: [Target; 3] = [Target::Channel, Target::Pattern, Target::Shard];

    fn subscribe(self) -> &'static str {
        match self {
            Target::Channel => "SUBSCRIBE",
            Target::Pattern => "PSUBSCRIBE",
            Target::Shard => "SSUBSCRIBE",
        }
    }

    fn unsubscribe(self) -> &'static str {
        match self {
            Target::Channel => "UNSUBSCRIBE",
            Target::Pattern => "PUNSUBSCRIBE",
            Target::Shard => "SUNSUBSCRIBE",
        }
    }
}

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// By what the message came.
    pub target: Target,
    /// The pattern that matched, for [`Target::Pattern`].
    pub pattern: Option<Bytes>,
    /// The channel.
    pub channel: Bytes,
    /// The message.
    pub payload: Bytes,
}

type Reconnecting = Pin<Box<dyn Future<Output = Result<Dedicated, Error>> + Send>>;

/// What the subscription is doing.
enum State {
    Connected(Box<Dedicated>),
    Reconnecting(Reconnecting),
}

/// A stream of published messages that survives its connection.
///
/// When the connection fails it is made again, with growing pauses, and everything is subscribed again; messages
/// published meanwhile are missed, as publish/subscribe is. [`Subscription::reconnections`] tells.
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// use ochre_client::MultiplexedClient;
/// use tokio_stream::StreamExt;
///
/// let client = MultiplexedClient::connect(address).await?;
/// let mut news = client.subscribe(["news"]).await?;
/// client.publish("news", "it works").await?;
/// let message = news.next().await.unwrap()?;
/// assert_eq!(&message.payload[..], b"it works");
/// # Ok(()) });
/// ```
pub struct Subscription {
    config: Config,
    state: State,
    wanted: BTreeSet<(Target, Bytes)>,
    /// Messages that came while a confirmation was waited for.
    early: VecDeque<Published>,
    reconnections: u64,
    /// Before the next connection; grows while connections do not last.
    pause: Pause,
    since: Instant,
}

impl MultiplexedClient {
    /// Listens to channels, on a connection of its own.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn subscribe<A: Arg>(
        &self,
        channels: impl IntoIterator<Item = A>,
    ) -> Result<Subscription, Error> {
        let mut subscription = Subscription::connect(self.config()).await?;
        subscription.add(Target::Channel, channels).await?;
        Ok(subscription)
    }

    /// Listens to patterns of channels, on a connection of its own.
    ///
    /// # Errors
    /// When the server or the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn psubscribe<A: Arg>(
        &self,
        patterns: impl IntoIterator<Item = A>,
    ) -> Result<Subscription, Error> {
        let mut subscription = Subscription::connect(self.config()).await?;
        subscription.add(Target::Pattern, patterns).await?;
        Ok(subscription)
    }
}

impl Subscription {
    /// Connects without subscribing to anything yet.
    ///
    /// # Errors
    /// As connecting fails.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn connect(to: impl IntoConfig) -> Result<Subscription, Error> {
        let config = to.into_config()?;
        let connection = Dedicated::connect(&config).await?;
        Ok(Subscription::over(config, connection))
    }

    pub(crate) fn over(config: Config, connection: Dedicated) -> Subscription {
        Subscription {
            pause: Pause::new(&config),
            since: Instant::now(),
            config,
            state: State::Connected(Box::new(connection)),
            wanted: BTreeSet::new(),
            early: VecDeque::new(),
            reconnections: 0,
        }
    }

    /// Listens to further names.
    ///
    /// # Errors
    /// When the server refuses, or the connection fails (it is made again by the next message asked for).
    ///
    /// # Cancel safety
    /// Dropping the future may leave the server subscribed to some of them.
    pub async fn add<A: Arg>(
        &mut self,
        target: Target,
        names: impl IntoIterator<Item = A>,
    ) -> Result<(), Error> {
        let names = words(names);
        self.change(target.subscribe(), &names).await?;
        self.wanted.extend(names.into_iter().map(|n| (target, n)));
        Ok(())
    }

    /// Listens to some names no more.
    ///
    /// # Errors
    /// When the connection fails.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the server subscribed to some of them.
    pub async fn remove<A: Arg>(
        &mut self,
        target: Target,
        names: impl IntoIterator<Item = A>,
    ) -> Result<(), Error> {
        let names = words(names);
        for name in &names {
            self.wanted.remove(&(target, name.clone()));
        }
        self.change(target.unsubscribe(), &names).await
    }

    /// Sends the command and waits for a confirmation per name.
    async fn change(&mut self, command: &str, names: &[Bytes]) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        let timeout = self.config.timeout;
        let change = async {
            std::future::poll_fn(|cx| self.poll_connection(cx).map_ok(drop)).await?;
            let State::Connected(connection) = &mut self.state else {
                unreachable!("it was waited for");
            };
            confirm(connection, command, names, &mut self.early).await
        };
        let result = match tokio::time::timeout(timeout, change).await {
            Ok(result) => result,
            Err(_) => Err(Error::timeout(Executed::Maybe)),
        };
        if let Err(error) = &result
            && error.as_server().is_none()
        {
            self.reconnect();
        }
        result
    }

    /// The next message; waits for it as long as it takes, through reconnections.
    ///
    /// # Errors
    /// When the server refuses to subscribe again.
    ///
    /// # Cancel safety
    /// No message is lost when the future is dropped.
    pub async fn next_message(&mut self) -> Result<Published, Error> {
        std::future::poll_fn(|cx| self.poll_message(cx)).await
    }

    /// How often the connection was made again.
    #[must_use]
    pub fn reconnections(&self) -> u64 {
        self.reconnections
    }

    /// The names listened to.
    pub fn names(&self) -> impl Iterator<Item = (Target, &Bytes)> {
        self.wanted.iter().map(|(target, name)| (*target, name))
    }

    fn reconnect(&mut self) {
        let (config, wanted) = (self.config.clone(), self.wanted.clone());
        self.reconnections += 1;
        self.pause.lasted(self.since.elapsed());
        let connecting = reconnect(config, wanted, self.pause.clone());
        self.pause.next();
        self.state = State::Reconnecting(Box::pin(connecting));
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Result<&mut Dedicated, Error>> {
        if let State::Reconnecting(reconnecting) = &mut self.state {
            match ready!(reconnecting.as_mut().poll(cx)) {
                Ok(connection) => {
                    self.since = Instant::now();
                    self.state = State::Connected(Box::new(connection));
                }
                Err(error) => {
                    self.since = Instant::now();
                    self.reconnect();
                    return Poll::Ready(Err(error));
                }
            }
        }
        match &mut self.state {
            State::Connected(connection) => Poll::Ready(Ok(connection)),
            State::Reconnecting(_) => unreachable!("it was replaced above"),
        }
    }

    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Published, Error>> {
        if let Some(message) = self.early.pop_front() {
            return Poll::Ready(Ok(message));
        }
        loop {
            let connection = ready!(self.poll_connection(cx))?;
            match ready!(connection.poll_unasked(cx)) {
                Ok(value) => {
                    if let Some(message) = message(value) {
                        return Poll::Ready(Ok(message));
                    }
                }
                Err(_) => self.reconnect(),
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<Published, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx).map(Some)
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("wanted", &self.wanted)
            .field("reconnections", &self.reconnections)
            .finish_non_exhaustive()
    }
}

fn words<A: Arg>(names: impl IntoIterator<Item = A>) -> Vec<Bytes> {
    let request = cmd("").args(names);
    request.words().map(Bytes::copy_from_slice).collect()
}

/// Connects until it works. Gives up only when the server refuses the subscriptions themselves.
async fn reconnect(
    config: Config,
    wanted: BTreeSet<(Target, Bytes)>,
    mut pause: Pause,
) -> Result<Dedicated, Error> {
    loop {
        tokio::time::sleep(pause.next()).await;
        let Ok(mut connection) = Dedicated::connect(&config).await else {
            continue;
        };
        let mut early = VecDeque::new();
        let again = async {
            for target in Target::ALL {
                let names: Vec<Bytes> = wanted
                    .iter()
                    .filter(|(t, _)| *t == target)
                    .map(|(_, name)| name.clone())
                    .collect();
                if !names.is_empty() {
                    confirm(&mut connection, target.subscribe(), &names, &mut early).await?;
                }
            }
            Ok::<(), Error>(())
        };
        match tokio::time::timeout(config.timeout, again).await {
            Ok(Ok(())) => {
                connection.keep_unasked(early.into_iter().map(|m| m.into_value()));
                return Ok(connection);
            }
            Ok(Err(error)) if error.as_server().is_some() => return Err(error),
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

/// Subscribes or unsubscribes, and waits until the server has confirmed every name.
async fn confirm(
    connection: &mut Dedicated,
    command: &str,
    names: &[Bytes],
    early: &mut VecDeque<Published>,
) -> Result<(), Error> {
    connection.send(cmd(command).args(names)).await?;
    let kind = command.to_ascii_lowercase();
    let mut left = names;
    while let Some((name, rest)) = left.split_first() {
        match std::future::poll_fn(|cx| connection.poll_unasked(cx)).await? {
            Value::Error(text) => return Err(Error::server(&text)),
            Value::Array(items) | Value::Push(items)
                if items.first().and_then(Value::as_bytes) == Some(kind.as_bytes()) =>
            {
                // Another name is from a change that its caller gave up.
                if items.get(1).and_then(Value::as_bytes) == Some(name) {
                    left = rest;
                }
            }
            _ if early.len() >= EARLY_MAX => {
                let text = "no confirmation among many messages".to_owned();
                return Err(Error::new(ErrorKind::Protocol(text), Executed::Maybe));
            }
            other => early.extend(message(other)),
        }
    }
    Ok(())
}

/// A message in either protocol; `None` for everything else.
fn message(value: Value) -> Option<Published> {
    let (Value::Array(items) | Value::Push(items)) = value else {
        return None;
    };
    let bytes = |value: Value| match value {
        Value::Bulk(bytes) | Value::Simple(bytes) => Some(bytes),
        _ => None,
    };
    let mut items = items.into_iter();
    let kind = bytes(items.next()?)?;
    let (target, pattern) = match &kind[..] {
        b"message" => (Target::Channel, None),
        b"smessage" => (Target::Shard, None),
        b"pmessage" => (Target::Pattern, Some(bytes(items.next()?)?)),
        _ => return None,
    };
    Some(Published {
        target,
        pattern,
        channel: bytes(items.next()?)?,
        payload: bytes(items.next()?)?,
    })
}

impl Published {
    fn into_value(self) -> Vec<Value> {
        let kind: &'static [u8] = match self.target {
            Target::Channel => b"message",
            Target::Pattern => b"pmessage",
            Target::Shard => b"smessage",
        };
        let mut items = vec![Value::Bulk(Bytes::from_static(kind))];
        items.extend(self.pattern.map(Value::Bulk));
        items.extend([Value::Bulk(self.channel), Value::Bulk(self.payload)]);
        items
    }
}
