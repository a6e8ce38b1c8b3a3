//! Many logical streams over one connection, by yamux: each is served as a connection of its own.
//!
//! Limits: [`STREAMS_MAX`] streams of a connection; each takes one of the server's places for connections, and one that
//! finds none is told so and closed. What they may have unread is bounded by yamux's windows and by `unread`.

use super::Server;
use super::connection::{Connection, LINGER};
use super::handle::Entered;
use super::unread::{Counted, Unread, Watched};
use crate::pb::CommandResponse;
use crate::sockets::{Io, MUX_STREAMS_MAX as STREAMS_MAX, mux_config};
use crate::storage::Storage;
use crate::wire::put_message;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::AsyncWriteExt as _;
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

/// Serves the streams of a connection until it ends.
pub(super) async fn serve<Store: Storage>(server: &Server<Store>, io: impl Io, handle: Entered) {
    let unread = Arc::new(Unread::default());
    let io = Watched::new(io, unread.clone());
    let mut connection = yamux::Connection::new(io.compat(), mux_config(), yamux::Mode::Server);
    let mut streams = tokio::task::JoinSet::new();
    loop {
        let next = poll_fn(|cx| {
            // The connection itself is idle when it has no streams; they are looked at one by one.
            while let Poll::Ready(Some(_)) = streams.poll_join_next(cx) {
                if streams.is_empty() {
                    handle.active();
                }
            }
            match connection.poll_next_inbound(cx) {
                Poll::Ready(next) => Poll::Ready(Some(next)),
                Poll::Pending => handle.poll_stopped(cx).map(|()| None),
            }
        });
        match next.await {
            Some(Some(Ok(stream))) => {
                handle.busy();
                let stream = unread.stream(stream.id().val(), stream.compat());
                // yamux refuses what is above its own limit; this one holds whatever that does.
                if streams.len() >= STREAMS_MAX {
                    continue;
                }
                match handle.sibling(server.options.max_connections) {
                    Some(handle) => {
                        let service = server.service.clone();
                        streams.spawn(Connection::new(service, stream, handle).serve());
                    }
                    None if handle.is_stopped() => {}
                    None => drop(streams.spawn(refuse(stream, server.full().into()))),
                }
            }
            Some(Some(Err(_)) | None) | None => break,
        }
    }
    if handle.is_stopped() {
        finish(&mut connection, &mut streams).await;
    }
}

/// Tells a stream why it is not served.
async fn refuse<T: Io>(mut stream: Counted<T>, why: CommandResponse) {
    let mut word = Vec::new();
    put_message(&mut word, &why);
    let tell = async {
        stream.write_all(&word).await?;
        stream.shutdown().await
    };
    // A peer that does not take it is closed on all the same.
    let _ = tokio::time::timeout(LINGER, tell).await;
}

/// Lets the streams, which were told to go as well, send their last responses.
async fn finish<T: futures_util::io::AsyncRead + futures_util::io::AsyncWrite + Unpin>(
    connection: &mut yamux::Connection<T>,
    streams: &mut tokio::task::JoinSet<()>,
) {
    let patience = tokio::time::sleep(std::time::Duration::from_secs(2));
    tokio::pin!(patience);
    loop {
        tokio::select! {
            () = &mut patience => break,
            joined = streams.join_next() => if joined.is_none() { break },
            // Moves bytes; new streams are dropped, which resets them.
            _ = poll_fn(|cx| connection.poll_next_inbound(cx)) => {}
        }
    }
    // The peer may not answer; the socket is closed in any case.
    let close = poll_fn(|cx| connection.poll_close(cx));
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), close).await;
}
