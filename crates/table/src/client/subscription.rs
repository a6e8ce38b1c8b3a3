//! Subscriptions: each has a stream of its own, so that a slow reader holds up nobody's responses.

use super::ClientError;
use super::link::Link;
use crate::pb::{CommandRequest, CommandResponse, Value};
use crate::sockets::Io;
use crate::wire::put_message;
use futures_core::Stream;
use prost::Message as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// Messages that wait for a reader in the client.
const QUEUE: usize = 64;
/// Waits between attempts to subscribe again.
const BACKOFF: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// The messages of a topic, a stream. A drop ends the subscription.
///
/// An error is a gap: messages may have been missed. After it the client subscribes again and the stream goes on; it
/// never ends by itself.
pub struct Subscription {
    messages: mpsc::Receiver<Result<Vec<Value>, ClientError>>,
    task: tokio::task::JoinHandle<()>,
    topic: String,
}

impl Subscription {
    /// Subscribes.
    pub(super) async fn begin(link: Arc<Link>, topic: String) -> Result<Subscription, ClientError> {
        let io = subscribe(&link, &topic).await?;
        let (send, messages) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(link, topic.clone(), io, send));
        Ok(Subscription {
            messages,
            task,
            topic,
        })
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

impl Stream for Subscription {
    type Item = Result<Vec<Value>, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_recv(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens a stream and subscribes on it.
async fn subscribe(link: &Link, topic: &str) -> Result<Box<dyn Io>, ClientError> {
    let mut io = link.open().await?;
    let mut frame = Vec::new();
    put_message(&mut frame, &CommandRequest::new_subscribe(topic));
    let ask = async {
        io.write_all(&frame).await?;
        io.flush().await?;
        receive(&mut io, link.config.frame_bytes).await
    };
    let first = tokio::time::timeout(link.config.deadline, ask)
        .await
        .map_err(|_| ClientError::Deadline)?
        .map_err(|_| ClientError::Lost)?;
    match first.is_ok() {
        true => Ok(io),
        false => Err(ClientError::Refused(Box::new(first))),
    }
}

async fn receive(io: &mut Box<dyn Io>, frame_bytes: usize) -> std::io::Result<CommandResponse> {
    let len = io.read_u32().await? as usize;
    if len > frame_bytes {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    // Grows with what arrives, whatever is announced.
    io.take(len as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < len {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(CommandResponse::decode(&bytes[..])?)
}

/// Passes messages on, and subscribes again whenever that ends.
async fn run(
    link: Arc<Link>,
    topic: String,
    first: Box<dyn Io>,
    send: mpsc::Sender<Result<Vec<Value>, ClientError>>,
) {
    let mut io = first;
    loop {
        let gap = loop {
            match receive(&mut io, link.config.frame_bytes).await {
                Ok(message) if message.is_ok() && !message.values.is_empty() => {
                    if send.send(Ok(message.values)).await.is_err() {
                        return;
                    }
                }
                // Somebody ended it, or the server does.
                Ok(end) => break ClientError::Refused(Box::new(end)),
                Err(_) => break ClientError::Lost,
            }
        };
        if send.send(Err(gap)).await.is_err() {
            return;
        }
        let mut pause = BACKOFF[0];
        io = loop {
            tokio::time::sleep(pause).await;
            match subscribe(&link, &topic).await {
                Ok(io) => break io,
                Err(_) => pause = (pause * 2).min(BACKOFF[1]),
            }
        };
    }
}
