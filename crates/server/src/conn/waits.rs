//! What a connection waits for besides bytes: the end of a pause, a busy stripe, keys, and whoever tells it to go.
//!
//! Invariants
//! - A wait registers the task's waker before it looks, so that no wake-up falls between.
//! - While it waits, a connection reads on: a peer that left is noticed however much it had sent before. Beyond
//!   `client-query-buffer-limit` the connection ends, as it does in Redis.
//! - The socket is lent only while the task sleeps with nothing left to send or to execute; it is back before the task does
//!   anything with it but read.

use super::{BUSY_RETRY, Connection, End, LONGEST_WAIT, Next, OUTPUT_HIGH_WATER, SCRATCH};
use crate::stream::Stream;
use ochre_engine::exec::{Engine, Waited};
use std::future::poll_fn;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;

impl Connection {
    /// Waits until CLIENT PAUSE ends, then tries the held request again.
    pub(super) async fn wait_for_pause(&mut self) -> Next {
        self.backlog = true;
        if self.flush().await.is_err() {
            return Next::End(End::Quiet);
        }
        while let Some(pause) = self.shared.engine.pause_in_force() {
            let now = self.shared.engine.clock.unix_ms();
            let rest = u64::try_from(pause.until_ms.saturating_sub(now))
                .unwrap_or(0)
                .max(1);
            // Ended early by CLIENT UNPAUSE, CLIENT KILL, or the peer, whose request is then not executed any more.
            let rest = Duration::from_millis(rest);
            let left = tokio::time::timeout(rest, self.pause_over_or_closed()).await;
            if left == Ok(true) || self.session.client.is_killed() {
                return Next::End(End::Quiet);
            }
        }
        self.session.client.paused.store(false, Relaxed);
        Next::Read
    }

    /// Lets who holds the stripe go on, then tries the held request again.
    pub(super) async fn wait_for_stripe(&mut self) -> Next {
        self.backlog = true;
        if self.flush().await.is_err() {
            return Next::End(End::Quiet);
        }
        tokio::time::sleep(BUSY_RETRY).await;
        Next::Read
    }

    /// Waits until a blocking command is served, its time has passed or the peer left, and sends its reply.
    ///
    /// Messages that come meanwhile are sent; further requests are kept.
    pub(super) async fn wait_for_keys(&mut self, engine: &Engine) -> io::Result<()> {
        // Before the first look, so that no wake-up falls between; it may never have waited for anything before.
        poll_fn(|cx| {
            self.waker.register(cx);
            Poll::Ready(())
        })
        .await;
        loop {
            self.flush().await?;
            let mut out = SCRATCH.with_borrow_mut(|s| self.take_output(&mut s.spare));
            let waited = engine.poll_wait(&mut self.session, &mut out);
            self.session
                .client
                .take_messages(&mut out, OUTPUT_HIGH_WATER);
            let messages = SCRATCH.with_borrow_mut(|s| self.keep(out, &mut s.spare));
            let until_ms = match waited {
                Waited::Over(sent) => {
                    self.net_out += sent;
                    engine.end_batch(&mut self.session);
                    self.account();
                    return self.flush().await;
                }
                _ if self.session.client.is_killed() => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                _ if messages => continue,
                Waited::Soon => {
                    tokio::time::sleep(BUSY_RETRY).await;
                    continue;
                }
                Waited::Until(until_ms) => until_ms,
            };
            self.lend_stream();
            let closed = match until_ms {
                None => self.woken_or_closed().await,
                Some(until_ms) => {
                    let rest = until_ms.saturating_sub(engine.clock.unix_ms());
                    let rest = Duration::from_millis(u64::try_from(rest).unwrap_or(0));
                    let waiting = self.woken_or_closed();
                    // The end of the time is found by the next look.
                    tokio::time::timeout(rest.min(LONGEST_WAIT), waiting)
                        .await
                        .unwrap_or(false)
                }
            };
            self.take_stream_back();
            if closed {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }

    /// Lets others answer, who have nothing else to wake the task for: everything is sent, and no request waits here for
    /// the end of this one. Those that are still in the socket wake the task themselves.
    fn lend_stream(&mut self) {
        // A record of TLS that the socket did not take would have to be sent before anything else.
        let may_lend = self.session.is_answered() && !matches!(self.stream, Stream::Tls(_));
        if may_lend && self.query.is_empty() {
            let stream = std::mem::replace(&mut self.stream, Stream::Lent);
            *self.waker.shared.lent.lock() = Some(stream);
        }
    }

    /// Takes the socket back, if it is lent.
    pub(super) fn take_stream_back(&mut self) {
        if matches!(self.stream, Stream::Lent)
            && let Some(stream) = self.waker.shared.lent.lock().take()
        {
            self.stream = stream;
        }
    }

    /// Ready when no pause is in force, the client was told to go (false), or the peer closed (true).
    ///
    /// Registers before it looks, so that no wake-up falls between; this connection may never have
    /// waited for anything before.
    async fn pause_over_or_closed(&mut self) -> bool {
        poll_fn(|cx| {
            self.waker.register(cx);
            let over = self.shared.engine.pause_in_force().is_none();
            if over || self.session.client.is_killed() {
                return Poll::Ready(false);
            }
            loop {
                match self.poll_closed(cx) {
                    Poll::Ready(false) => {}
                    closed_or_pending => return closed_or_pending,
                }
            }
        })
        .await
    }

    /// Ready at a wake-up (false), whatever it comes from, or when the peer has closed or sent too much (true); requests
    /// that have arrived are kept.
    ///
    /// What comes later is not read here: after a reply that another has sent it is usually the next request.
    async fn woken_or_closed(&mut self) -> bool {
        let mut first = true;
        poll_fn(|cx| {
            self.waker.register(cx);
            if !std::mem::take(&mut first) || self.session.client.is_killed() {
                return Poll::Ready(false);
            }
            self.poll_closed(cx)
        })
        .await
    }

    /// Reads what the peer sends. Ready when bytes came (false), or when it closed or sent too much (true).
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let mut buf = ReadBuf::new(&mut scratch.input);
            let read = match &mut *self.waker.shared.lent.lock() {
                Some(lent) => lent.poll_read(cx, &mut buf),
                None => self.stream.poll_read(cx, &mut buf),
            };
            self.query.extend_from_slice(buf.filled());
            read.map_ok(|()| buf.filled().len())
        });
        read.map(|read| match read {
            Ok(filled) if filled > 0 => {
                self.net_in += filled as u64;
                self.backlog = true;
                self.account();
                self.over_query_limit()
            }
            _ => true,
        })
    }
}
