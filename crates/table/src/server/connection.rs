//! One stream of frames: reads, executes and writes, on one task.
//!
//! Invariants
//! - Requests are executed in the order of their arrival, where their bytes arrived, and answered in that order.
//! - What one read brought is answered by one write; writes to be settled are settled once before it.
//! - Between batches a connection holds no buffer unless a request is incomplete or a response unsent: both are read
//!   into and written from buffers of the thread.
//! - Responses that wait to be sent stop the execution of further requests at [`OUTPUT_HIGH_WATER`].
//! - Bytes of a frame are kept as they arrive, whatever its length announces, and that is bounded by the frame limit.

use super::frame::Framed;
use super::handle::Entered;
use super::subscribed;
use crate::error::KvError;
use crate::pb::{CommandRequest, CommandResponse};
use crate::service::Service;
use crate::sockets::Io;
use crate::storage::Storage;
use crate::topics::Subscription;
use crate::wire::{HEAD, frame_len, put_message};
use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Unsent bytes at which no further request of the batch is executed.
pub(super) const OUTPUT_HIGH_WATER: usize = 1 << 20;
/// Bytes of a response buffer that is kept between batches.
const OUTPUT_KEPT: usize = 256 * 1024;
/// Empty response buffers that a thread keeps.
const SPARE_MAX: usize = 64;
/// How long a request that found its data busy waits before it is tried again, and how long it is tried.
const BUSY_RETRY: Duration = Duration::from_millis(1);
const BUSY_PATIENCE: Duration = Duration::from_secs(5);
/// How long the last responses of a closing connection may take to leave.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// Buffers that a thread lends to the connection it is working on.
struct Scratch {
    input: Box<[u8]>,
    spare: Vec<Vec<u8>>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; READ_BYTES].into_boxed_slice(),
        spare: Vec::new(),
    });
}

/// One stream of frames.
pub(super) struct Connection<Store, IO> {
    pub(super) service: Service<Store>,
    pub(super) io: IO,
    pub(super) handle: Entered,
    /// Bytes of requests that are not executed yet, from the start of the first one.
    pub(super) query: Vec<u8>,
    /// Responses not sent yet.
    pub(super) output: Vec<u8>,
    /// How many they are.
    pub(super) unsent: usize,
    /// The query buffer may hold a whole request.
    backlog: bool,
}

/// What is to be done next.
pub(super) enum Next {
    Read,
    /// Responses wait; whether what they acknowledge has to be settled first.
    Flush(bool),
    /// The next request found its data busy.
    Again(bool),
    /// So did one that hooks have seen.
    Held(Box<CommandRequest>, bool),
    Subscribed(Box<(CommandRequest, Subscription)>, bool),
    /// The peer left, or broke the protocol: the last responses are to be sent.
    End(bool),
}

/// Lets the connections that are ready now have their turn, so that responses leave in a burst, which wakes a peer
/// with many connections once.
async fn next_turn() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<Store: Storage, IO: Io> Connection<Store, IO> {
    pub(super) fn new(service: Service<Store>, io: IO, handle: Entered) -> Connection<Store, IO> {
        Connection {
            service,
            io,
            handle,
            query: Vec::new(),
            output: Vec::new(),
            unsent: 0,
            backlog: false,
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn serve(mut self) {
        // What is left to be sent goes out; a peer that does not take it is its own problem.
        if self.run().await.is_ok() {
            let _ = tokio::time::timeout(LINGER, self.io.shutdown()).await;
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        loop {
            let next = match self.backlog {
                true => self.execute_query(),
                false => poll_fn(|cx| self.poll_batch(cx)).await,
            };
            match next {
                Next::Read => {}
                Next::Flush(settles) => {
                    next_turn().await;
                    self.acknowledge(settles).await?;
                }
                Next::Again(settles) => {
                    self.acknowledge(settles).await?;
                    let settles = self.try_again().await;
                    self.acknowledge(settles).await?;
                }
                Next::Held(request, settles) => {
                    self.acknowledge(settles).await?;
                    let settles = self.try_held(request).await;
                    self.acknowledge(settles).await?;
                }
                Next::Subscribed(subscribed, settles) => {
                    self.acknowledge(settles).await?;
                    // Boxed: connections that listen to nothing have no room for it.
                    Box::pin(subscribed::serve(self, *subscribed)).await?;
                    self.backlog = !self.query.is_empty();
                }
                Next::End(settles) => {
                    let last = self.acknowledge(settles);
                    return tokio::time::timeout(LINGER, last)
                        .await
                        .unwrap_or_else(|late| Err(late.into()));
                }
            }
            if self.handle.is_stopped() {
                return Ok(());
            }
        }
    }

    /// Waits for bytes, and executes what they bring.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let outcome = if self.query.is_empty() {
            self.poll_scratch(cx)
        } else {
            ready!(self.poll_query(cx)).map_or(Poll::Ready(Next::End(false)), |()| {
                Poll::Ready(self.execute_query())
            })
        };
        if outcome.is_pending() && self.handle.poll_stopped(cx).is_ready() {
            return Poll::Ready(Next::End(false));
        }
        outcome
    }

    /// Reads into the thread's buffer: the usual case.
    fn poll_scratch(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        SCRATCH.with_borrow_mut(|Scratch { input, spare }| {
            let mut buf = ReadBuf::new(input);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(Next::End(false)),
                Poll::Ready(Ok(())) => {}
            }
            let bytes = buf.filled();
            if bytes.is_empty() {
                return Poll::Ready(Next::End(false));
            }
            if self.output.capacity() == 0 {
                self.output = spare.pop().unwrap_or_default();
            }
            let (consumed, next) = self.execute(bytes);
            self.query.extend_from_slice(&bytes[consumed..]);
            Poll::Ready(next)
        })
    }

    /// Reads more of an incomplete request behind what is there of it.
    pub(super) fn poll_query(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wanted = frame_len(&self.query).map_or(0, |len| len.saturating_sub(self.query.len()));
        // The buffer grows with what has arrived, whatever size was announced.
        self.query.reserve(wanted.clamp(4096, 4 * READ_BYTES));
        // The future holds no state between polls (it is documented as cancel safe).
        let read = pin!(self.io.read_buf(&mut self.query)).poll(cx);
        match ready!(read) {
            Ok(0) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Executes what the query buffer holds.
    fn execute_query(&mut self) -> Next {
        self.backlog = false;
        let query = std::mem::take(&mut self.query);
        let (consumed, next) = self.execute(&query);
        if consumed < query.len() {
            self.query = query;
            self.query.drain(..consumed);
        }
        next
    }

    /// Executes the whole frames of `bytes`. Gives how many bytes they took.
    fn execute(&mut self, bytes: &[u8]) -> (usize, Next) {
        self.handle.active();
        let most = self.service.limits().frame_bytes;
        let (mut at, mut settles) = (0, false);
        let next = loop {
            if self.output.len() >= OUTPUT_HIGH_WATER {
                self.backlog = at < bytes.len();
                break Next::Flush(settles);
            }
            let window = self.service.window(&bytes[at..]);
            if !window.is_empty() {
                let service = &self.service;
                let done = service.execute_window(&window, &mut self.output, OUTPUT_HIGH_WATER);
                settles |= done.writes;
                self.unsent += done.count;
                (0..done.count).for_each(|_| at += whole_len(&bytes[at..]));
                if done.busy {
                    self.backlog = true;
                    break Next::Again(settles);
                }
                continue;
            }
            let Some(len) = frame_len(&bytes[at..]) else {
                break self.batch_end(settles);
            };
            if len > most {
                self.respond(&too_long(len, most));
                break Next::End(settles);
            }
            let from = at + HEAD;
            let Some(frame) = bytes.get(from..from + len) else {
                break self.batch_end(settles);
            };
            match self.service.execute_decoded(frame, &mut self.output) {
                Framed::Done(writes) => settles |= writes,
                Framed::Again => {
                    self.backlog = true;
                    break Next::Again(settles);
                }
                Framed::Held(request) => {
                    at = from + len;
                    self.backlog = at < bytes.len();
                    break Next::Held(request, settles);
                }
                Framed::Subscribed(subscribed) => {
                    at = from + len;
                    self.unsent += 1;
                    break Next::Subscribed(subscribed, settles);
                }
            }
            self.unsent += 1;
            at = from + len;
        };
        (at, next)
    }

    fn batch_end(&self, settles: bool) -> Next {
        match self.output.is_empty() {
            true => Next::Read,
            false => Next::Flush(settles),
        }
    }

    /// Appends a response.
    pub(super) fn respond(&mut self, response: &CommandResponse) {
        put_message(&mut self.output, response);
        self.unsent += 1;
    }

    /// Lets who holds the data of the first request go on, and executes it; after a while it is answered so. Whether
    /// its effect has to be settled.
    async fn try_again(&mut self) -> bool {
        let until = Instant::now() + BUSY_PATIENCE;
        while !self.handle.is_stopped() {
            tokio::time::sleep(BUSY_RETRY).await;
            let Some(len) = frame_len(&self.query) else {
                break;
            };
            let frame = &self.query[HEAD..HEAD + len];
            let settles = match self.service.execute_frame(frame, &mut self.output) {
                Framed::Again if Instant::now() < until => continue,
                Framed::Again => {
                    put_message(&mut self.output, &CommandResponse::from(KvError::Busy));
                    false
                }
                Framed::Done(settles) => settles,
                // Only requests without hooks come here.
                Framed::Held(_) | Framed::Subscribed(_) => false,
            };
            self.unsent += 1;
            self.query.drain(..HEAD + len);
            self.backlog = !self.query.is_empty();
            return settles;
        }
        false
    }

    /// As [`Self::try_again`], for a request that hooks have let through.
    async fn try_held(&mut self, mut request: Box<CommandRequest>) -> bool {
        let until = Instant::now() + BUSY_PATIENCE;
        loop {
            tokio::time::sleep(BUSY_RETRY).await;
            let patient = Instant::now() < until;
            let service = &self.service;
            match service.execute_again(*request, patient, &mut self.output) {
                Framed::Held(held) => request = held,
                done => {
                    self.unsent += 1;
                    return matches!(done, Framed::Done(true));
                }
            }
        }
    }

    /// Settles what the waiting responses acknowledge, if it has to be, and sends them.
    async fn acknowledge(&mut self, settles: bool) -> io::Result<()> {
        if settles {
            let service = self.service.clone();
            let settled = tokio::task::spawn_blocking(move || service.store().settle()).await;
            if !matches!(settled, Ok(Ok(()))) {
                // Nothing of the batch may be acknowledged.
                self.output.clear();
                return Err(io::Error::other("the storage failed"));
            }
        }
        self.flush().await
    }

    /// Sends all waiting responses.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let send = async {
            self.io.write_all(&self.output).await?;
            self.io.flush().await
        };
        tokio::select! {
            biased;
            sent = send => sent?,
            () = stuck(&self.handle) => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
        self.service.sent(std::mem::take(&mut self.unsent));
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        SCRATCH.with_borrow_mut(|scratch| {
            if scratch.spare.len() < SPARE_MAX && output.capacity() <= OUTPUT_KEPT {
                scratch.spare.push(output);
            }
        });
        Ok(())
    }
}

/// Ready some time after the connection was told to go: responses may still leave.
async fn stuck(handle: &Entered) {
    handle.stopped().await;
    tokio::time::sleep(LINGER).await;
}

/// Bytes of the frame that `bytes` begin with.
fn whole_len(bytes: &[u8]) -> usize {
    frame_len(bytes).map_or(bytes.len(), |len| HEAD + len)
}

pub(super) fn too_long(len: usize, most: usize) -> CommandResponse {
    let text = format!("A frame may have {most} bytes, not {len}");
    KvError::TooLarge(text).into()
}
