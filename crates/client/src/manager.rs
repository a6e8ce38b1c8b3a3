//! The task that owns the socket of a shared connection.
//!
//! Invariants
//! - It alone reads and writes; callers meet it in the [`Queue`] only.
//! - Replies match requests by position; push messages are taken out before. A reply that no request waits for
//!   ends the connection.
//! - A wake-up for writing goes to the end of the scheduler's queue once, so that the requests of all tasks that
//!   are ready now leave in one write.
//! - When the connection fails, every request whose bytes were taken is answered with an error that says whether
//!   any of them may have been sent; those still in the queue wait for the next connection or their deadline.
//! - When the task ends, for whatever reason, the queue is closed: nobody waits for ever.

use crate::config::Config;
use crate::error::{Error, ErrorKind, Executed};
use crate::link::Link;
use crate::queue::{Batch, Limits, Queue};
use crate::value::Value;
use std::collections::hash_map::RandomState;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tokio::time::Sleep;

/// Reads in a row before writing has its turn.
const READS: usize = 8;
/// Push messages kept for a listener that does not keep up; then it misses the oldest.
const PUSHES: usize = 1024;
/// How often deadlines are looked at while there is no connection, at most and at least.
const TICK: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));

/// Microseconds since the first look at the clock.
pub(crate) fn now_us() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A push message, as listeners get it.
pub type Push = Arc<Vec<Value>>;

/// What the handles of a shared connection and its task have in common.
pub(crate) struct Shared {
    pub(crate) queue: Queue<Value, Error>,
    pub(crate) config: Config,
    pub(crate) pushes: broadcast::Sender<Push>,
    /// Counts connections, so that whoever depends on one notices that it is another.
    pub(crate) generation: AtomicU64,
    pub(crate) connected: AtomicBool,
    pub(crate) resp3: AtomicBool,
    /// Requests sent first on every new connection, by whoever needs them (`CLIENT TRACKING`).
    pub(crate) prelude: std::sync::Mutex<Vec<crate::arg::Cmd>>,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Shared {
        let limits = Limits {
            requests: config.queue_requests,
            bytes: config.queue_bytes,
        };
        Shared {
            queue: Queue::new(limits, now_us),
            config,
            pushes: broadcast::channel(PUSHES).0,
            generation: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            resp3: AtomicBool::new(false),
            prelude: std::sync::Mutex::default(),
        }
    }

    /// Sends `request` on every connection to come before anything else.
    pub(crate) fn add_prelude(&self, request: crate::arg::Cmd) {
        let mut prelude = self.prelude.lock().unwrap_or_else(|e| e.into_inner());
        if !prelude
            .iter()
            .any(|known| known.words().eq(request.words()))
        {
            prelude.push(request);
        }
    }

    /// Says that `link` is the connection from now on.
    pub(crate) fn attach(&self, link: &Link) {
        self.resp3.store(link.resp3, Ordering::Relaxed);
        // In this order: who sees the connection also sees that it is another.
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.connected.store(true, Ordering::Release);
    }

    /// Ends the manager and whoever waits.
    pub(crate) fn close(&self) {
        self.queue.close(
            &Error::closed(Executed::Maybe),
            &Error::closed(Executed::No),
        );
    }

    fn expire(&self) -> (Option<u64>, Option<u64>) {
        let timeout_us = micros(self.config.timeout);
        self.queue.expire(
            now_us().saturating_sub(timeout_us),
            &Error::timeout(Executed::Maybe),
            &Error::timeout(Executed::No),
        )
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Closes the queue when the task ends, also by a panic or the end of its runtime.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.connected.store(false, Ordering::Relaxed);
        self.0.close();
    }
}

/// Serves connections until the queue is closed, beginning with `next` if there is one, which is attached already.
pub(crate) async fn run(shared: Arc<Shared>, mut next: Option<Link>) {
    let closing = Closing(shared);
    let shared = &*closing.0;
    let mut pause = Pause::new(&shared.config);
    let mut at_once = true;
    loop {
        let link = match next.take() {
            Some(link) => link,
            None => match reconnect(shared, &mut pause, at_once).await {
                Some(link) => {
                    shared.attach(&link);
                    link
                }
                None => return,
            },
        };
        shared.queue.drop_abandoned();
        shared.queue.set_stalled(false);
        let mut driver = Driver::new(shared, link);
        let since = Instant::now();
        let error = poll_fn(|cx| driver.poll(cx)).await;
        at_once = pause.lasted(since.elapsed());
        shared.connected.store(false, Ordering::Relaxed);
        driver.fail(&error);
    }
}

/// Connects again, as often as it takes. `None` when the client was closed.
async fn reconnect(shared: &Shared, pause: &mut Pause, at_once: bool) -> Option<Link> {
    if !at_once {
        while_waiting(shared, tokio::time::sleep(pause.next())).await?;
    }
    loop {
        if let Ok(link) = while_waiting(shared, connect(shared)).await? {
            return Some(link);
        }
        while_waiting(shared, tokio::time::sleep(pause.next())).await?;
    }
}

/// A connection on which the prelude was accepted.
pub(crate) async fn connect(shared: &Shared) -> Result<Link, Error> {
    let mut link = Link::connect(&shared.config).await?;
    let prelude = shared
        .prelude
        .lock()
        .unwrap_or_else(|e| e.into_inner())
        .clone();
    for mut request in prelude {
        let exchange = async {
            link.write_all(request.finish()).await?;
            link.read().await
        };
        match tokio::time::timeout(shared.config.connect_timeout, exchange).await {
            Ok(Ok(Value::Error(text))) => return Err(Error::server(&text)),
            Ok(reply) => drop(reply?),
            Err(_) => return Err(Error::timeout(Executed::No)),
        }
    }
    Ok(link)
}

/// Waits for `future`, and meanwhile ends requests whose deadline passes. `None` when the client was closed.
async fn while_waiting<F: Future>(shared: &Shared, future: F) -> Option<F::Output> {
    let tick = (shared.config.timeout / 16).clamp(TICK.0, TICK.1);
    let mut interval = tokio::time::interval(tick);
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        // Registers for the closing, too.
        shared.queue.poll_outgoing(cx);
        if shared.queue.is_closed() {
            return Poll::Ready(None);
        }
        while interval.poll_tick(cx).is_ready() {
            shared.expire();
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The pauses between attempts to connect.
#[derive(Clone)]
pub(crate) struct Pause {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pause {
    pub(crate) fn new(config: &Config) -> Pause {
        Pause {
            first: config.backoff_first,
            longest: config.backoff_max,
            next: config.backoff_first,
        }
    }

    /// Takes note of how long a connection lasted; whether that was long enough for the next to be made at once.
    /// A server that accepts and closes is not to be run against without end.
    pub(crate) fn lasted(&mut self, lived: Duration) -> bool {
        let long = lived >= self.longest;
        if long {
            self.next = self.first;
        }
        long
    }

    /// Between a half and the whole of a pause that doubles, so that many clients do not come back at once.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        // The standard library keys its hasher from the operating system's random numbers.
        let chance = RandomState::new().build_hasher().finish() % 1024;
        pause / 2 + pause / 2 * u32::try_from(chance).unwrap_or(0) / 1024
    }
}

/// One connection while it lives.
struct Driver<'a> {
    shared: &'a Shared,
    link: Link,
    batch: Batch,
    /// Bytes of the first chunk that were written.
    written: usize,
    /// Some byte of the batch was written.
    begun: bool,
    flushing: bool,
    stalled: bool,
    /// The present requests have let others go first.
    yielded: bool,
    replies: Vec<Value>,
    wakers: Vec<Waker>,
    deadline: Pin<Box<Sleep>>,
    armed: bool,
    last_read_us: u64,
}

impl<'a> Driver<'a> {
    fn new(shared: &'a Shared, link: Link) -> Driver<'a> {
        Driver {
            shared,
            link,
            batch: Batch::default(),
            written: 0,
            begun: false,
            flushing: false,
            stalled: false,
            yielded: false,
            replies: Vec::new(),
            wakers: Vec::new(),
            deadline: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: false,
            last_read_us: now_us(),
        }
    }

    /// Ends the requests under way.
    fn fail(&self, error: &Error) {
        let unwritten = if self.begun { 0 } else { self.batch.requests };
        self.shared.queue.fail_taken(
            unwritten,
            &error.with_executed(Executed::Maybe),
            &error.with_executed(Executed::No),
        );
    }

    /// Ready when the connection failed or the client was closed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        match self.step(cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(error),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.read(cx)?;
        self.write(cx)?;
        self.watch_deadlines(cx)
    }

    /// Reads what is there and hands the replies out.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        for _ in 0..READS {
            match self.link.poll_fill(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Ready(Ok(0)) => return Err(self.link.ended()),
                Poll::Ready(Ok(_)) => {}
            }
            self.last_read_us = now_us();
            while let Some(value) = self.link.decode()? {
                match value {
                    Value::Push(items) => {
                        // Nobody listens: nobody misses it.
                        let _ = self.shared.pushes.send(Arc::new(items));
                    }
                    value => self.replies.push(value),
                }
            }
            if !self.replies.is_empty()
                && !self
                    .shared
                    .queue
                    .answer(&mut self.replies, &mut self.wakers)
            {
                let text = "a reply came that no request waits for".to_owned();
                return Err(Error::new(ErrorKind::Protocol(text), Executed::Maybe));
            }
        }
        // There may be more; writing comes first.
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Writes what the socket takes.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        loop {
            if self.batch.chunks.is_empty() {
                if self.flushing {
                    match self.link.poll_flush(cx) {
                        Poll::Pending => return Ok(()),
                        Poll::Ready(result) => result?,
                    }
                    self.flushing = false;
                }
                if !self.shared.queue.poll_outgoing(cx) {
                    self.yielded = false;
                    return match self.shared.queue.is_closed() {
                        true => Err(Error::closed(Executed::Maybe)),
                        false => Ok(()),
                    };
                }
                if !std::mem::replace(&mut self.yielded, true) {
                    cx.waker().wake_by_ref();
                    return Ok(());
                }
                self.yielded = false;
                self.begun = false;
                self.shared.queue.take(&mut self.batch);
                self.arm();
            }
            if self.write_batch(cx)?.is_pending() {
                if !std::mem::replace(&mut self.stalled, true) {
                    self.shared.queue.set_stalled(true);
                }
                return Ok(());
            }
            if std::mem::replace(&mut self.stalled, false) {
                self.shared.queue.set_stalled(false);
            }
            self.flushing = true;
        }
    }

    fn write_batch(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Error> {
        while let Some(chunk) = self.batch.chunks.front() {
            match self.link.poll_write(cx, &chunk[self.written..]) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(0)) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Poll::Ready(Ok(n)) => {
                    self.begun = true;
                    self.written += n;
                }
                Poll::Ready(Err(error)) => return Err(error.into()),
            }
            if self.written == chunk.len() {
                self.written = 0;
                if let Some(chunk) = self.batch.chunks.pop_front() {
                    self.shared.queue.recycle(chunk);
                }
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Sees to it that deadlines are looked at.
    fn arm(&mut self) {
        if !self.armed
            && let Some(at) = tokio::time::Instant::now().checked_add(self.shared.config.timeout)
        {
            self.deadline.as_mut().reset(at);
            self.armed = true;
        }
    }

    fn watch_deadlines(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while self.armed && self.deadline.as_mut().poll(cx).is_ready() {
            let (next, late) = self.shared.expire();
            if late.is_some_and(|sent| self.last_read_us <= sent) {
                let text = "the server was silent for as long as a request may take";
                let error = io::Error::new(io::ErrorKind::TimedOut, text);
                return Err(Error::from(error));
            }
            self.armed = false;
            if let Some(oldest) = next {
                let due = oldest.saturating_add(micros(self.shared.config.timeout));
                let rest = Duration::from_micros(due.saturating_sub(now_us()).max(1000));
                self.deadline
                    .as_mut()
                    .reset(tokio::time::Instant::now() + rest);
                self.armed = true;
            }
        }
        Ok(())
    }
}
