//! A connection that listens to a topic: messages go out as they come, and only Unsubscribe is taken.
//!
//! Invariants
//! - After the response with the id, responses of status 200 with values are messages; the first one of status 200
//!   without values, or one of status 503, is the end of the subscription, and the connection is as before.
//! - The response to Unsubscribe of the connection's own subscription is that end.
//! - A peer that takes nothing for [`PATIENCE`] is closed.

use super::connection::{Connection, OUTPUT_HIGH_WATER, too_long};
use crate::error::KvError;
use crate::pb::command_request::RequestData;
use crate::pb::{CommandRequest, CommandResponse};
use crate::service::Messages;
use crate::sockets::Io;
use crate::storage::Storage;
use crate::topics::{Ended, Subscription};
use crate::wire::{HEAD, frame_len};
use futures_core::Stream as _;
use prost::Message as _;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a write to a subscriber may take.
const PATIENCE: Duration = Duration::from_secs(30);

const SUBSCRIBED: &str = "The connection listens to a topic: until it ends that by Unsubscribe it can ask for nothing else";

/// Serves a subscription until it ends.
pub(super) async fn serve<Store: Storage, IO: Io>(
    connection: &mut Connection<Store, IO>,
    (request, subscription): (CommandRequest, Subscription),
) -> io::Result<()> {
    connection.handle.busy();
    let mut messages = Messages::new(connection.service.clone(), request.clone(), subscription);
    loop {
        let over = match poll_fn(|cx| poll(connection, &mut messages, cx)).await {
            Ok(over) => over,
            Err(error) => {
                // What a peer that broke the protocol is told goes out; others are gone, and there is nothing.
                tokio::time::timeout(PATIENCE, connection.flush()).await??;
                return Err(error);
            }
        };
        if over {
            let ended = messages.subscription().ended();
            let mut response = ended.unwrap_or(Ended::Stopped).response();
            connection.service.finish(&request, &mut response);
            connection.respond(&response);
        }
        tokio::time::timeout(PATIENCE, connection.flush()).await??;
        if over {
            connection.handle.active();
            return Ok(());
        }
    }
}

/// Ready when there is something to send; true at the end.
fn poll<Store: Storage, IO: Io>(
    connection: &mut Connection<Store, IO>,
    messages: &mut Messages<Store>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<bool>> {
    // Requests first, so that Unsubscribe is heard in a flood of messages; one read a turn, so that they stop none. More
    // is read only when all whole requests are answered: that the peer sends nothing more is noticed behind them.
    if let Err(error) = take_requests(connection, messages) {
        return Poll::Ready(Err(error));
    }
    if connection.output.is_empty()
        && messages.subscription().ended().is_none()
        && let Poll::Ready(read) = connection.poll_query(cx)
    {
        cx.waker().wake_by_ref();
        let taken = read.and_then(|()| take_requests(connection, messages));
        if let Err(error) = taken {
            return Poll::Ready(Err(error));
        }
    }
    while connection.output.len() < OUTPUT_HIGH_WATER {
        match Pin::new(&mut *messages).poll_next(cx) {
            Poll::Ready(Some(message)) => connection.respond(&message),
            Poll::Ready(None) => return Poll::Ready(Ok(true)),
            Poll::Pending => break,
        }
    }
    if !connection.output.is_empty() {
        return Poll::Ready(Ok(false));
    }
    if connection.handle.poll_stopped(cx).is_ready() {
        return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
    }
    Poll::Pending
}

/// Answers the whole requests that have arrived.
fn take_requests<Store: Storage, IO: Io>(
    connection: &mut Connection<Store, IO>,
    messages: &Messages<Store>,
) -> io::Result<()> {
    let most = connection.service.limits().frame_bytes;
    // Behind the end of the subscription requests are the connection's again, whatever they announce.
    while messages.subscription().ended().is_none()
        && let Some(len) = frame_len(&connection.query)
    {
        if len > most {
            connection.respond(&too_long(len, most));
            return Err(io::ErrorKind::InvalidData.into());
        }
        if connection.query.len() < HEAD + len || connection.output.len() >= OUTPUT_HIGH_WATER {
            return Ok(());
        }
        let request = CommandRequest::decode(&connection.query[HEAD..HEAD + len]);
        connection.query.drain(..HEAD + len);
        if let Some(response) = request.map_or_else(
            |_| Some(KvError::Invalid(SUBSCRIBED.to_owned()).into()),
            |request| answer(connection, messages, request),
        ) {
            connection.respond(&response);
        }
    }
    Ok(())
}

/// The response to a request; none to the one that ends the subscription.
fn answer<Store: Storage, IO: Io>(
    connection: &Connection<Store, IO>,
    messages: &Messages<Store>,
    request: CommandRequest,
) -> Option<CommandResponse> {
    let own = messages.subscription();
    let service = &connection.service;
    match &request.request_data {
        Some(RequestData::Unsubscribe(r)) if r.id == own.id() && r.topic == own.topic() => {
            match service.received(&request) {
                // The end of the stream tells that it was done.
                Ok(()) => service
                    .topics()
                    .unsubscribe(&r.topic, r.id)
                    .err()
                    .map(Into::into),
                Err(mut refused) => {
                    service.finish(&request, &mut refused);
                    Some(refused)
                }
            }
        }
        Some(RequestData::Unsubscribe(_)) => Some(service.execute(request)),
        _ => {
            let mut response = KvError::Invalid(SUBSCRIBED.to_owned()).into();
            service.finish(&request, &mut response);
            Some(response)
        }
    }
}
