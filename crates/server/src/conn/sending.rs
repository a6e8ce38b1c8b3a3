//! Sending replies: a batch's, those that are produced piece by piece, and messages.
//!
//! Invariants
//! - What was not sent stays in `output`, in order.
//! - A peer that reads nothing is closed at its class's `client-output-buffer-limit`.

use super::{Connection, Next, OUTPUT_HIGH_WATER, OwnWaker, SCRATCH};
use ochre_engine::exec::{Client, Engine, Out};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

/// Bytes of replies sent before other connections have their turn.
const WRITE_TURN: usize = 256 * 1024;
/// Pieces of one vectored write.
const PIECES_MAX: usize = 64;
/// Empty reply buffers kept by a thread: one for each connection that is answered in the same turn.
const SPARE_MAX: usize = 64;
/// Bytes of a reply buffer kept between batches.
const OUTPUT_KEPT: usize = 256 * 1024;
/// How often a peer over its soft output limit that reads nothing is looked at.
const SOFT_LIMIT_CHECK: Duration = Duration::from_secs(1);

/// Returns an empty reply buffer to its thread.
fn give_back(engine: &Engine, mut out: Out, spare: &mut Vec<Out>) {
    if spare.len() < SPARE_MAX {
        if engine.gives_reply_buffers_back() {
            out.shrink(OUTPUT_KEPT);
        }
        spare.push(out);
    }
}

/// Ready when the client was told to go.
async fn killed(waker: &mut OwnWaker, client: &Client) {
    poll_fn(|cx| {
        waker.register(cx);
        if client.is_killed() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// How far replies were sent.
enum Flushed {
    /// Nothing waits.
    All,
    /// Other connections of this worker come first now and then.
    Turn,
    /// The socket takes no more now.
    Full,
}

impl Connection {
    pub(super) fn take_output(&mut self, spare: &mut Vec<Out>) -> Out {
        let mut out = self
            .output
            .take()
            .or_else(|| spare.pop())
            .unwrap_or_else(|| Out::new(self.protocol));
        out.set_protocol(self.protocol);
        out
    }

    /// Produces and sends the rest of a large reply, a piece when the one before has left.
    ///
    /// Not cancel-safe: a reply cut off in the middle ends the connection.
    pub(super) async fn stream_reply(&mut self) -> io::Result<()> {
        while let Some(mut producer) = self.session.stream.take() {
            let mut out = SCRATCH.with_borrow_mut(|s| self.take_output(&mut s.spare));
            if producer.produce(&mut out) {
                self.session.stream = Some(producer);
            }
            self.output = Some(out);
            // Not `next_turn`: pieces may follow each other for long, and what arrives meanwhile has to be noticed.
            tokio::task::yield_now().await;
            self.flush().await?;
            if self.session.client.is_killed() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }

    /// Publishes what CLIENT LIST shows, once per batch and once per flush.
    pub(super) fn account(&mut self) {
        let (read, sent) = (self.net_in, self.net_out);
        let client = &self.session.client;
        let before = (client.net_in.load(Relaxed), client.net_out.load(Relaxed));
        self.session.count_traffic(read - before.0, sent - before.1);
        let client = &self.session.client;
        let output = self.output.as_ref();
        client.net_in.store(self.net_in, Relaxed);
        client.net_out.store(self.net_out, Relaxed);
        client.query_len.store(self.query.len() as u64, Relaxed);
        client
            .query_cap
            .store(self.query.capacity() as u64, Relaxed);
        client
            .output_len
            .store(output.map_or(0, Out::len) as u64, Relaxed);
        client
            .output_cap
            .store(output.map_or(0, Out::heap_bytes) as u64, Relaxed);
    }

    /// Keeps the batch's replies for the flush that follows, and publishes what CLIENT LIST shows, unless the flush does.
    pub(super) fn send(&mut self, mut out: Out, next: Next, spare: &mut Vec<Out>) -> Next {
        if self.session.client.outbox.is_pending() {
            self.session
                .client
                .take_messages(&mut out, OUTPUT_HIGH_WATER);
        }
        let kept = self.keep(out, spare);
        match next {
            Next::Read if kept => Next::Flush,
            other => {
                self.wake_others();
                self.account();
                other
            }
        }
    }

    /// Keeps replies for the next flush; an empty buffer goes back to its thread. Whether there were any.
    pub(super) fn keep(&mut self, out: Out, spare: &mut Vec<Out>) -> bool {
        if out.is_empty() {
            give_back(&self.shared.engine, out, spare);
            return false;
        }
        self.output = Some(out);
        true
    }

    /// Encodes messages that wait, as many as fit.
    pub(super) fn take_messages(&mut self) {
        let mut out = SCRATCH.with_borrow_mut(|s| self.take_output(&mut s.spare));
        self.session
            .client
            .take_messages(&mut out, OUTPUT_HIGH_WATER);
        self.output = Some(out);
    }

    /// Writes what the socket takes, at most [`WRITE_TURN`] bytes. Whether the socket takes more.
    fn write_some(&mut self, out: &mut Out) -> io::Result<bool> {
        let turn = self.net_out + WRITE_TURN as u64;
        while !out.is_empty() && self.net_out < turn {
            let written = match out.as_slice() {
                Some(bytes) => self.stream.try_write(&bytes[..bytes.len().min(WRITE_TURN)]),
                None => {
                    let pieces: Vec<IoSlice<'_>> =
                        out.segments().take(PIECES_MAX).map(IoSlice::new).collect();
                    self.stream.try_write_vectored(&pieces)
                }
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.net_out += n as u64;
                    out.advance(n);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Whether unsent replies exceed `client-output-buffer-limit` of the connection's class.
    fn over_limit(&mut self, out: &Out) -> bool {
        let class = self.session.client.class();
        let limit = self.shared.engine.settings.buffer_limit(class);
        // Not the batch's time: a peer that reads nothing stays in the flush of one batch.
        let now_ms = self.shared.engine.clock.unix_ms();
        let over = limit.is_exceeded(out.len() as u64, &mut self.soft_limit_since_ms, now_ms);
        if over {
            self.session.client.overflow();
        }
        over
    }

    /// Sends waiting replies, at most a turn's bytes of them, as far as the socket takes them now.
    fn flush_now(&mut self) -> io::Result<Flushed> {
        let Some(mut out) = self.output.take() else {
            return Ok(Flushed::All);
        };
        let wrote = self.write_some(&mut out);
        if out.is_empty() {
            SCRATCH.with_borrow_mut(|s| {
                give_back(&self.shared.engine, out, &mut s.spare);
            });
            self.account();
            self.soft_limit_since_ms = None;
            return wrote.map(|_| Flushed::All);
        }
        let over = self.over_limit(&out);
        self.output = Some(out);
        self.account();
        let takes_more = wrote?;
        if over {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(match takes_more {
            true => Flushed::Turn,
            false => Flushed::Full,
        })
    }

    /// Waits until it is worth trying to send again.
    async fn wait_for_room(&mut self, flushed: Flushed) -> io::Result<()> {
        match flushed {
            Flushed::All => {}
            Flushed::Turn => tokio::task::yield_now().await,
            Flushed::Full => {
                let soft = self.soft_limit_since_ms.is_some();
                tokio::select! {
                    ready = self.stream.writable() => ready?,
                    () = tokio::time::sleep(SOFT_LIMIT_CHECK), if soft => {}
                    () = killed(&mut self.waker, &self.session.client) => return Err(io::ErrorKind::ConnectionAborted.into()),
                }
            }
        }
        Ok(())
    }

    /// Sends all waiting replies. Waiting is boxed, as it is rare: most replies leave at once.
    ///
    /// # Cancel safety
    /// What was not sent stays in `output`.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        loop {
            match self.flush_now()? {
                Flushed::All => return Ok(()),
                rest => Box::pin(self.wait_for_room(rest)).await?,
            }
        }
    }

    /// Sends the last replies and closes in an orderly way.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.flush().await?;
        poll_fn(|cx| self.stream.poll_shutdown(cx)).await
    }
}
