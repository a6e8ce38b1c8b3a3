//! A connection before it is served: the handshake, its worker, and the change to another worker.
//!
//! Invariants
//! - A connection changes workers with everything sent and no request in the middle; what it has read of the next one goes
//!   with it.
//! - Between two workers nothing wakes its task. What happens meanwhile is found by the first look of the new task.

use super::Connection;
use crate::stream::Stream;
use crate::tls::{HANDSHAKE_PATIENCE, HandshakeError};
use crate::workers::Seat;
use ochre_engine::exec::{Counter, Endpoint};
use ochre_engine::ports::{LogLevel, Runtime as _};
use std::future::poll_fn;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use tokio::runtime::Handle;

impl Connection {
    /// The worker that the connection belongs to.
    pub(crate) fn worker(&self) -> &Handle {
        &self.seat.worker
    }

    /// Has its worker serve the connection, and the next one when it moves.
    pub(crate) fn start(mut self) {
        let worker = self.seat.worker.clone();
        let number = &self.session.client.worker;
        number.store(self.seat.number(), Relaxed);
        // What is captured is served in its place: a task has room for one connection, not for one at every level.
        worker.spawn(async move {
            if let Some(seat) = self.serve().await {
                self.move_to(seat);
            }
        });
    }

    /// Goes on at another worker.
    fn move_to(mut self, seat: Seat) {
        let stream = std::mem::replace(&mut self.stream, Stream::Lent);
        match stream.move_to(&seat.worker) {
            Ok(stream) => {
                self.stream = stream;
                self.seat = seat;
                self.start();
            }
            Err(error) => {
                let line = format!("A connection was lost when it changed workers: {error}");
                self.shared.runtime.log(LogLevel::Warning, &line);
            }
        }
    }

    /// Does the handshake of TLS, if there is one to do.
    ///
    /// # Errors
    /// When it fails, takes longer than [`HANDSHAKE_PATIENCE`], or the client is to be closed.
    ///
    /// # Cancel safety
    /// None: the connection is of no use afterwards.
    pub(crate) async fn secure(&mut self) -> Result<(), HandshakeError> {
        let shake = poll_fn(|cx| {
            self.waker.register(cx);
            if self.session.client.is_killed() {
                return Poll::Ready(Err(HandshakeError::Killed));
            }
            self.stream.poll_handshake(cx)
        });
        tokio::time::timeout(HANDSHAKE_PATIENCE, shake)
            .await
            .unwrap_or(Err(HandshakeError::Late))
    }

    /// Counts a failed handshake and logs why.
    pub(crate) fn report(&self, error: &HandshakeError) {
        let Endpoint { addr, laddr, .. } = &self.session.client.endpoint;
        let line =
            format!("Error accepting a client connection: {error} (addr={addr} laddr={laddr})");
        self.shared.runtime.log(LogLevel::Warning, &line);
        self.shared
            .engine
            .stats
            .add(Counter::TlsHandshakeFailures, 1);
    }

    /// Refuses the connection, which is to end now, with a last word if the socket takes it.
    pub(crate) fn refuse(&mut self, word: &[u8]) {
        // The peer is closed on in any case.
        let _ = self.stream.try_write(word);
        self.shared
            .engine
            .stats
            .add(Counter::RejectedConnections, 1);
    }
}
