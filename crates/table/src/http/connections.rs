//! Connections of the HTTP port.
//!
//! Invariants
//! - Who sends nothing, or a request's head byte by byte, loses the connection in bounded time, also between two requests.
//! - A stop lets each connection finish the requests that it has begun.

use crate::server::incoming::{Incoming, LOOK, STREAMS_MAX};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;

/// How long the head of a request may take, from the accepting or the response before.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(LOOK)
        .keep_alive_timeout(LOOK);
    builder
}

/// Serves what comes in, until `stopping` is ready and all connections have ended.
///
/// # Cancel safety
/// A drop of the future ends the accepting; connections end with their runtime.
pub(super) async fn serve(
    mut incoming: Incoming,
    router: Router,
    stopping: impl Future<Output = ()>,
) {
    let (builder, service) = (builder(), TowerToHyperService::new(router));
    let ending = GracefulShutdown::new();
    let mut stopping = pin!(stopping);
    loop {
        let accepted = tokio::select! {
            accepted = incoming.next() => accepted,
            () = &mut stopping => None,
        };
        let Some(accepted) = accepted else { break };
        let connection = builder.serve_connection(TokioIo::new(accepted), service.clone());
        let connection = ending.watch(connection.into_owned());
        tokio::spawn(async move {
            // A peer that left or broke the protocol: nobody is there to be told.
            let _ = connection.await;
        });
    }
    drop(incoming);
    ending.shutdown().await;
}
