//! Many logical streams over one connection, by yamux: each is served as a connection of its own.
//!
//! Limits: [`STREAMS_MAX`] streams of a connection, and yamux's window of each.

use super::Server;
use super::connection::Connection;
use super::handle::Entered;
use crate::sockets::{Io, MUX_STREAMS_MAX as STREAMS_MAX, mux_config};
use crate::storage::Storage;
use std::future::poll_fn;
use std::task::Poll;
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

/// Serves the streams of a connection until it ends.
pub(super) async fn serve<Store: Storage>(server: &Server<Store>, io: impl Io, handle: Entered) {
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
                // yamux refuses what is above its own limit; this one holds whatever that does.
                if let Some(handle) = handle.sibling().filter(|_| streams.len() < STREAMS_MAX) {
                    let service = server.service.clone();
                    streams.spawn(Connection::new(service, stream.compat(), handle).serve());
                }
            }
            Some(Some(Err(_)) | None) | None => break,
        }
    }
    if handle.is_stopped() {
        finish(&mut connection, &mut streams).await;
    }
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
