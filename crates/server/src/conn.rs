//! One connection: reads, decodes, executes and writes, on one task.
//!
//! Invariants
//! - Requests are executed in the order of their arrival, where their bytes arrived; nothing is handed to another thread.
//! - A batch (what one read brought) is answered by one write.
//! - Between batches a connection holds no buffer unless a request is incomplete or a reply unsent:
//!   both are read into and written from buffers of the thread.
//! - Replies waiting to be sent stop the reading of further requests at [`OUTPUT_HIGH_WATER`].
//!
//! Limits: `client-query-buffer-limit`, `client-output-buffer-limit`, and those of the decoder.

mod placing;
mod sending;
mod waits;

use crate::deferred::{Deferred, Deferring};
use crate::shared::Shared;
use crate::stream::Stream;
use crate::window::{Stop, WINDOW, Window};
use crate::workers::Seat;
use ochre_engine::exec::{Ahead, Counter, Engine, Flow, Held, Out, Session};
use ochre_engine::ports::{LogLevel, Runtime as _, Waker};
use ochre_engine::settings::id;
use ochre_resp::{Decoder, Limits, Protocol, Request};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;

/// Bytes read at once: enough for deep pipelines, small enough to stay in the cache.
const READ_BYTES: usize = 64 * 1024;
/// Unsent reply bytes at which no further request of the batch is executed.
const OUTPUT_HIGH_WATER: usize = 1 << 20;
/// Bytes added to the query buffer when a request is incomplete and it is not known what is missing of it.
const QUERY_STEP: usize = 16 * 1024;
/// Bytes read at once of a large argument.
const QUERY_STEP_MAX: usize = 256 * 1024;
/// Bytes of a query buffer kept by a thread: a little more than most large requests take.
const QUERY_KEPT: usize = 512 * 1024;
/// How long a request that found a stripe busy waits before it is tried again.
const BUSY_RETRY: Duration = Duration::from_millis(1);
/// A timer's longest time; a longer wait is several of them.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How long the last replies of a closing connection may take to leave.
const LINGER: Duration = Duration::from_secs(5);

/// Buffers that a thread lends to the connection it is working on.
struct Scratch {
    input: Box<[u8]>,
    /// A large query buffer not in use: to allocate one for each large request costs the pages that it lies on.
    query: Vec<u8>,
    window: Window,
    /// Reply buffers not in use.
    spare: Vec<Out>,
    deferring: Deferring,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; READ_BYTES].into_boxed_slice(),
        query: Vec::new(),
        window: Window::new(),
        spare: Vec::new(),
        deferring: Deferring::default(),
    });
}

/// Wakes a connection's task from elsewhere, and sends the reply that it waits for in its place.
#[derive(Default)]
pub(crate) struct TaskWaker {
    /// Guards: whom to wake. Order: last.
    task: Mutex<Option<std::task::Waker>>,
    /// Guards: the socket while the task waits for keys, with everything sent. Order: after a waiter's state. Held across
    /// reads and writes, which never wait.
    lent: Mutex<Option<Stream>>,
}

impl Waker for TaskWaker {
    fn wake(&self) {
        if let Some(waker) = &*self.task.lock() {
            waker.wake_by_ref();
        }
    }

    fn send(&self, reply: &[u8]) -> usize {
        let mut lent = self.lent.lock();
        let sent = lent.as_mut().map(|stream| stream.try_write(reply));
        // What an error means, the task will find out.
        sent.and_then(Result::ok).unwrap_or(0)
    }
}

/// Whom the connection has others wake, seen from its own task.
struct OwnWaker {
    /// What `shared` holds: to compare, without a lock and without a look at memory that others may have written.
    set: Option<std::task::Waker>,
    shared: Arc<TaskWaker>,
}

impl OwnWaker {
    /// Has the task woken that polls with `cx`.
    fn register(&mut self, cx: &Context<'_>) {
        if !self.set.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.set = Some(cx.waker().clone());
            *self.shared.task.lock() = Some(cx.waker().clone());
        }
    }
}

/// Why a connection ends.
enum End {
    /// The peer left, or was told to.
    Quiet,
    /// The last replies are to be sent first.
    AfterReplies,
}

/// A connection and its state.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    seat: Seat,
    /// Somebody lies on the seat's desk to be woken by this connection, unless another of the worker did it.
    wakes: bool,
    stream: Stream,
    session: Session,
    waker: OwnWaker,
    /// How far the first, incomplete request of `query` was decoded.
    partial: Option<Box<Decoder>>,
    /// Bytes of requests not executed yet, from the start of the first one.
    query: Vec<u8>,
    /// A request to be executed in the next turn.
    deferred: Option<Box<Deferred>>,
    /// Replies not sent yet.
    output: Option<Out>,
    protocol: Protocol,
    /// The query buffer holds a request that could run now.
    backlog: bool,
    soft_limit_since_ms: Option<i64>,
    net_in: u64,
    net_out: u64,
}

/// What is to be done next.
enum Next {
    Read,
    /// Other connections read first, then the deferred request runs and its reply is sent.
    Defer,
    Flush,
    /// The rest of a large reply is to be produced and sent.
    Stream,
    /// Messages wait in the outbox.
    Messages,
    /// CLIENT PAUSE is in force.
    Pause,
    /// The request is to be tried again soon.
    PutOff,
    /// The client waits for keys.
    Block,
    End(End),
}

impl Next {
    /// Whether the request did not run and is to be tried again.
    fn keeps_request(&self) -> bool {
        matches!(self, Next::Pause | Next::PutOff)
    }
}

/// Lets the connections that are ready now have their turn. Sockets are not asked meanwhile whether they have become ready.
///
/// Replies that are sent after it leave in a burst, which wakes a peer with many connections once
/// instead of once for each: waking is the dearest part of a small reply.
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

/// What follows a flush.
fn sent(flushed: io::Result<()>) -> Next {
    match flushed {
        Ok(()) => Next::Read,
        Err(_) => Next::End(End::Quiet),
    }
}

/// Also when the task panics: the connection must not stay in the list and count against `maxclients`.
impl Drop for Connection {
    fn drop(&mut self) {
        self.take_stream_back();
        self.stream.say_goodbye();
        self.wake_others();
        self.shared.engine.disconnect(&mut self.session);
    }
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        seat: Seat,
        stream: Stream,
        session: Session,
        waker: Arc<TaskWaker>,
    ) -> Connection {
        Connection {
            shared,
            seat,
            wakes: false,
            stream,
            session,
            waker: OwnWaker {
                set: None,
                shared: waker,
            },
            partial: None,
            query: Vec::new(),
            deferred: None,
            output: None,
            protocol: Protocol::Resp2,
            backlog: false,
            soft_limit_since_ms: None,
            net_in: 0,
            net_out: 0,
        }
    }

    /// Serves the connection until it ends, or is to move to the place that is given. What is rare is boxed where it is
    /// waited for, so that the task stays small: of many connections every cache line of a task that a batch touches has to
    /// be loaded anew.
    ///
    /// # Cancel safety
    /// None: the connection is of no use afterwards.
    async fn serve(&mut self) -> Option<Seat> {
        // A handle of its own, so that no batch counts the shared one up and down.
        let shared = self.shared.clone();
        let engine = &*shared.engine;
        let mut next = Next::Read;
        loop {
            next = match next {
                Next::Read if self.backlog && self.session.client.is_killed() => {
                    Next::End(End::Quiet)
                }
                Next::Read if self.backlog => self.execute_backlog(engine),
                Next::Read if self.seat.has_news() => match shared.seats.follow(&mut self.seat) {
                    Some(seat) => return Some(seat),
                    None => Next::Read,
                },
                Next::Read => poll_fn(|cx| self.poll_batch(engine, cx)).await,
                Next::Defer => {
                    next_turn().await;
                    match self.execute_deferred(engine) {
                        // Whoever is to be woken is woken after a turn of its own.
                        Next::Flush if !self.wakes => sent(self.flush().await),
                        other => other,
                    }
                }
                Next::Flush => {
                    next_turn().await;
                    self.wake_others();
                    sent(self.flush().await)
                }
                Next::Stream => sent(Box::pin(self.stream_reply()).await),
                Next::Messages => {
                    self.take_messages();
                    Next::Flush
                }
                Next::Pause => Box::pin(self.wait_for_pause()).await,
                Next::PutOff => Box::pin(self.wait_for_stripe()).await,
                Next::Block => sent(Box::pin(self.wait_for_keys(engine)).await),
                Next::End(end) => {
                    if matches!(end, End::AfterReplies) {
                        // The peer may not read any more; its problem then.
                        let _ = Box::pin(tokio::time::timeout(LINGER, self.finish())).await;
                    }
                    return None;
                }
            };
        }
    }

    /// Waits for bytes, and executes what they bring.
    fn poll_batch(&mut self, engine: &Engine, cx: &mut Context<'_>) -> Poll<Next> {
        if self.session.client.is_killed() {
            return Poll::Ready(Next::End(End::Quiet));
        }
        let outcome = if self.query.is_empty() {
            self.poll_scratch(engine, cx)
        } else {
            self.poll_query(engine, cx)
        };
        if outcome.is_pending() {
            self.waker.register(cx);
            if self.session.client.is_killed() {
                return Poll::Ready(Next::End(End::Quiet));
            }
            if self.session.client.outbox.is_pending() {
                return Poll::Ready(Next::Messages);
            }
        }
        outcome
    }

    /// Reads into the thread's buffer: the usual case.
    fn poll_scratch(&mut self, engine: &Engine, cx: &mut Context<'_>) -> Poll<Next> {
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch {
                input,
                query,
                window,
                spare,
                deferring,
            } = scratch;
            let mut buf = ReadBuf::new(input);
            match self.stream.poll_read(cx, &mut buf) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(Next::End(End::Quiet)),
                Poll::Ready(Ok(())) => {}
            }
            let bytes = buf.filled();
            if bytes.is_empty() {
                return Poll::Ready(Next::End(End::Quiet));
            }
            self.net_in += bytes.len() as u64;
            let limits = self.limits(engine);
            if self.partial.is_none()
                && let Some(one) =
                    Deferred::take(engine, self.session.db, bytes, &limits, deferring)
            {
                self.deferred = Some(one);
                return Poll::Ready(Next::Defer);
            }
            let mut out = self.take_output(spare);
            let (consumed, next) = self.run(engine, bytes, window, &mut out);
            if consumed < bytes.len() {
                self.keep_rest(&bytes[consumed..], query);
            }
            Poll::Ready(self.send(out, next, spare))
        })
    }

    /// Bytes to make room for at once, of those that are missing of the first request.
    fn step(&self) -> usize {
        match self.partial.as_ref().map_or(0, |d| d.wanted()) {
            0 => QUERY_STEP,
            // The buffer grows with what has arrived, whatever size was announced.
            wanted => wanted.min(QUERY_STEP_MAX),
        }
    }

    /// Keeps what a batch left of its bytes. Of a large request the rest is read behind them, without moving them again.
    fn keep_rest(&mut self, rest: &[u8], spare: &mut Vec<u8>) {
        let step = self.step();
        if step > QUERY_STEP {
            self.query = std::mem::take(spare);
            self.query.reserve_exact(rest.len() + step);
        }
        self.query.extend_from_slice(rest);
    }

    /// Reads more of an incomplete request behind what is there of it.
    fn poll_query(&mut self, engine: &Engine, cx: &mut Context<'_>) -> Poll<Next> {
        self.query.reserve(self.step());
        match self.stream.poll_read_more(cx, &mut self.query) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_) | Ok(0)) => return Poll::Ready(Next::End(End::Quiet)),
            Poll::Ready(Ok(filled)) => self.net_in += filled as u64,
        }
        if self.over_query_limit() {
            return Poll::Ready(Next::End(End::Quiet));
        }
        Poll::Ready(self.execute_backlog(engine))
    }

    /// Whether unexecuted requests exceed `client-query-buffer-limit`, which is logged and counted: the connection is to end.
    fn over_query_limit(&self) -> bool {
        let engine = &self.shared.engine;
        let limit = engine.settings.size(id::CLIENT_QUERY_BUFFER_LIMIT);
        let over = self.query.len() as u64 > limit;
        if over {
            self.shared.runtime.log(
                LogLevel::Warning,
                "Closing client that reached max query buffer length",
            );
            engine
                .stats
                .add(Counter::ClientQueryBufferLimitDisconnections, 1);
        }
        over
    }

    /// Executes what the query buffer holds.
    fn execute_backlog(&mut self, engine: &Engine) -> Next {
        self.backlog = false;
        SCRATCH.with_borrow_mut(|scratch| {
            let query = std::mem::take(&mut self.query);
            let mut out = self.take_output(&mut scratch.spare);
            let (consumed, next) = self.run(engine, &query, &mut scratch.window, &mut out);
            self.query = query;
            self.query.drain(..consumed);
            if self.query.is_empty() {
                let query = std::mem::take(&mut self.query);
                if (scratch.query.capacity() + 1..=QUERY_KEPT).contains(&query.capacity()) {
                    scratch.query = query;
                }
            }
            self.send(out, next, &mut scratch.spare)
        })
    }

    /// Executes the complete requests of `bytes`. Returns how many bytes they took.
    fn run(
        &mut self,
        engine: &Engine,
        bytes: &[u8],
        window: &mut Window,
        out: &mut Out,
    ) -> (usize, Next) {
        let mut at = 0;
        engine.begin_batch(&mut self.session);
        if let Some(partial) = self.partial.take() {
            window.resume(*partial);
        }
        let next = loop {
            let limits = self.limits(engine);
            // AUTH changes the limits, so a peer that has yet to authenticate is taken at its word one by one.
            let most = if limits.unauthenticated { 1 } else { WINDOW };
            let filled = window.fill(&bytes[at..], at, &limits, most);
            if let Some(next) = self.run_window(engine, bytes, window, filled.count, &mut at, out) {
                break next;
            }
            match filled.stop {
                None if at == bytes.len() => break Next::Read,
                None => {}
                Some(Stop::Incomplete) => {
                    self.partial = window.suspend(filled.count, at < bytes.len());
                    break Next::Read;
                }
                Some(Stop::Error(error)) => {
                    let mut text = b"ERR ".to_vec();
                    error.write_text(&mut text);
                    out.error(text);
                    at = bytes.len();
                    break Next::End(End::AfterReplies);
                }
            }
        };
        window.reset();
        engine.publish_joined(&mut self.session, out);
        self.protocol = out.protocol();
        self.end_batch(engine);
        (at, next)
    }

    /// Ends a batch. Whom it has to wake is woken when the worker's other connections have had their turn, before the
    /// batch's replies are sent.
    #[inline]
    fn end_batch(&mut self, engine: &Engine) {
        if !self.session.wakes.is_empty() {
            self.seat.desk.keep(&mut self.session.wakes);
            self.wakes = true;
        }
        engine.end_batch(&mut self.session);
    }

    /// Wakes whom the worker's connections have to wake, if this one has left somebody to be woken.
    #[inline]
    fn wake_others(&mut self) {
        if std::mem::take(&mut self.wakes) {
            self.seat.desk.wake();
        }
    }

    fn limits(&self, engine: &Engine) -> Limits {
        Limits {
            bulk_max: engine.bulk_max(),
            unauthenticated: !self.session.authenticated,
            ..Limits::default()
        }
    }

    /// Executes the request that was read in an earlier turn.
    fn execute_deferred(&mut self, engine: &Engine) -> Next {
        let Some(deferred) = self.deferred.take() else {
            return Next::Read;
        };
        SCRATCH.with_borrow_mut(|scratch| {
            let mut out = self.take_output(&mut scratch.spare);
            engine.begin_batch(&mut self.session);
            let (request, ahead) = (deferred.request(), deferred.ahead());
            let next = self.run_request(engine, request, ahead, &mut out, &mut Held::default());
            if next.as_ref().is_some_and(Next::keeps_request) {
                self.query.extend_from_slice(deferred.bytes());
            }
            scratch.deferring.give_back(deferred);
            self.protocol = out.protocol();
            self.end_batch(engine);
            let next = next.unwrap_or(Next::Read);
            self.send(out, next, &mut scratch.spare)
        })
    }

    /// Executes one request. `Some` when the batch stops at it; [`Next::Pause`] means that it did not run.
    #[inline]
    fn run_request<'e>(
        &mut self,
        engine: &'e Engine,
        request: Request<'_>,
        ahead: &Ahead,
        out: &mut Out,
        held: &mut Held<'e>,
    ) -> Option<Next> {
        let flow = if request.is_empty() {
            Flow::Next
        } else {
            engine.execute_ahead(&mut self.session, request, ahead, out, held)
        };
        match flow {
            Flow::Paused => return Some(Next::Pause),
            Flow::PutOff => return Some(Next::PutOff),
            Flow::Close => return Some(Next::End(End::AfterReplies)),
            Flow::Next => {}
        }
        if self.session.stream.is_some() {
            return Some(Next::Stream);
        }
        if self.session.blocked.is_some() {
            return Some(Next::Block);
        }
        self.session.client.is_killed().then_some(Next::Read)
    }

    /// Executes the decoded requests of a window, advancing `at`. `Some` when the batch stops here.
    fn run_window(
        &mut self,
        engine: &Engine,
        bytes: &[u8],
        window: &mut Window,
        count: usize,
        at: &mut usize,
        out: &mut Out,
    ) -> Option<Next> {
        let mut held = Held::default();
        let mut fetched = None;
        let slots = window.look_ahead(engine, &self.session, bytes, count, &mut held);
        for (i, slot) in slots.iter().enumerate() {
            if out.len() >= OUTPUT_HIGH_WATER {
                self.backlog = true;
                return Some(Next::Read);
            }
            let request = slot.decoder.request(&bytes[slot.start..slot.end]);
            let follower = slots.get(i + 1).map(|next| &next.ahead);
            held.expect(engine.follower(&slot.ahead, follower));
            let next = self.run_request(engine, request, &slot.ahead, out, &mut held);
            if !next.as_ref().is_some_and(Next::keeps_request) {
                *at = slot.end;
            }
            let behind = slots[i + 1..].iter();
            let behind = behind.map(|s| (s.decoder.request(&bytes[s.start..s.end]), s.ahead));
            engine.prefetch_elements(&held, &mut fetched, &slot.ahead, behind);
            if next.is_some() {
                self.backlog = *at < bytes.len()
                    && matches!(next, Some(Next::Read | Next::Stream | Next::Block));
                return next;
            }
        }
        None
    }
}
