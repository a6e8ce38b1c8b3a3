//! A connection that one caller uses alone, request after request.
//!
//! Invariant: `owed` counts replies that were asked for and not read. A caller who gives up leaves them owed, and
//! the next request reads and discards them first, so that no reply reaches the wrong request.

use crate::arg::Cmd;
use crate::config::{Config, IntoConfig};
use crate::error::{Error, ErrorKind, Executed};
use crate::from_value::FromValue;
use crate::link::Link;
use crate::value::Value;
use std::collections::VecDeque;
use std::future::Future;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// Push messages kept until somebody asks for them; older ones go.
const PUSHES: usize = 1024;

/// A connection for one caller: blocking commands, `WATCH`, `MONITOR`, anything that needs one to itself.
///
/// It does not connect again by itself: what a connection's state is (watched keys, a selected database) ends with it.
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// use ochre_client::{Dedicated, cmd};
///
/// let mut connection = Dedicated::connect(address).await?;
/// let pong: String = connection.run(cmd("PING")).await?;
/// assert_eq!(pong, "PONG");
/// # Ok(()) });
/// ```
pub struct Dedicated {
    link: Link,
    timeout: Duration,
    /// Bytes of requests not written yet.
    output: Vec<u8>,
    written: usize,
    owed: usize,
    broken: bool,
    altered: bool,
    /// Keys are watched.
    watching: bool,
    pushes: VecDeque<Vec<Value>>,
}

impl Dedicated {
    /// Connects.
    ///
    /// # Errors
    /// As connecting and the greeting fail.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect(to: impl IntoConfig) -> Result<Dedicated, Error> {
        let config: Config = to.into_config()?;
        let link = Link::connect(&config).await?;
        Ok(Dedicated {
            link,
            timeout: config.timeout,
            output: Vec::new(),
            written: 0,
            owed: 0,
            broken: false,
            altered: false,
            watching: false,
            pushes: VecDeque::new(),
        })
    }

    /// Sends a request and waits for its reply, no longer than the client's or the request's own timeout.
    /// A blocking command needs a timeout of its own ([`Cmd::timeout`]) if it may wait longer than that.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// # Cancel safety
    /// Dropping the future may leave the request sent; its reply is read and discarded by the next one.
    pub async fn run<R: FromValue>(&mut self, request: impl Into<Cmd>) -> Result<R, Error> {
        let mut request = request.into();
        if request.is_empty() {
            let text = "an empty request".to_owned();
            return Err(Error::new(ErrorKind::Unsuitable(text), Executed::No));
        }
        self.watching |= request
            .words()
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"WATCH"));
        self.altered |= alters(&request);
        let timeout = request.own_timeout().unwrap_or(self.timeout);
        request.encode(&mut self.output);
        let mut replies = self.exchange(1, timeout).await?;
        R::from_value(replies.pop().unwrap_or_default())
    }

    /// Sends what is in `output`, which asks for `count` replies, and reads them.
    pub(crate) async fn exchange(
        &mut self,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<Value>, Error> {
        if self.broken {
            self.output.clear();
            return Err(Error::closed(Executed::No));
        }
        self.owed += count;
        let mut replies = Vec::with_capacity(count.min(1024));
        let work = std::future::poll_fn(|cx| self.poll_settle(cx, count, &mut replies));
        match deadline(timeout, work).await {
            None => Err(Error::timeout(Executed::Maybe)),
            Some(Ok(())) => Ok(replies),
            Some(Err(error)) => {
                self.broken = true;
                Err(error.with_executed(Executed::Maybe))
            }
        }
    }

    pub(crate) fn into_link(self) -> Option<Link> {
        self.is_reusable().then_some(self.link)
    }

    /// The buffer that [`exchange`](Self::exchange) sends.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    pub(crate) fn default_timeout(&self) -> Duration {
        self.timeout
    }

    /// EXEC or UNWATCH was answered.
    pub(crate) fn stopped_watching(&mut self) {
        self.watching = false;
    }

    /// Writes what is in `output` and reads what is owed, both as the socket allows: a server that waits until its
    /// replies are read, before it reads on, is not waited for in turn. Keeps the last `count` replies.
    fn poll_settle(
        &mut self,
        cx: &mut Context<'_>,
        count: usize,
        replies: &mut Vec<Value>,
    ) -> Poll<Result<(), Error>> {
        let writing = self.poll_output(cx)?;
        while self.owed > 0 {
            match ready!(self.link.poll_next(cx))? {
                Value::Push(items) => self.keep_push(items),
                value => {
                    self.owed -= 1;
                    if self.owed < count {
                        replies.push(value);
                    }
                }
            }
        }
        writing.map(Ok)
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.written < self.output.len() {
            let n = ready!(self.link.poll_write(cx, &self.output[self.written..]))?;
            if n == 0 {
                let error = std::io::Error::from(std::io::ErrorKind::WriteZero);
                return Poll::Ready(Err(error.into()));
            }
            self.written += n;
        }
        ready!(self.link.poll_flush(cx))?;
        self.output.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn keep_push(&mut self, items: Vec<Value>) {
        if self.pushes.len() == PUSHES {
            self.pushes.pop_front();
        }
        self.pushes.push_back(items);
    }

    /// The next value that the server sends without being asked: a push message, or a line of `MONITOR`.
    ///
    /// # Errors
    /// When the connection fails.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next_message(&mut self) -> Result<Value, Error> {
        if let Some(items) = self.pushes.pop_front() {
            return Ok(Value::Push(items));
        }
        std::future::poll_fn(|cx| self.poll_settle(cx, 0, &mut Vec::new())).await?;
        match self.pushes.pop_front() {
            Some(items) => Ok(Value::Push(items)),
            None => self.link.read().await,
        }
    }

    /// The next value that the server sends, whatever it is; for connections that ask nothing any more.
    pub(crate) fn poll_unasked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Value, Error>> {
        match self.pushes.pop_front() {
            Some(items) => Poll::Ready(Ok(Value::Push(items))),
            None => self.link.poll_next(cx),
        }
    }

    /// Puts messages before those that come.
    pub(crate) fn keep_unasked(&mut self, messages: impl Iterator<Item = Vec<Value>>) {
        self.pushes.extend(messages);
    }

    /// Sends a request whose replies are read by [`next_message`](Self::next_message), if at all: `SUBSCRIBE`,
    /// `CLIENT REPLY OFF`.
    ///
    /// # Errors
    /// When the connection fails.
    ///
    /// # Cancel safety
    /// What was not sent is sent with the next request.
    pub async fn send(&mut self, request: impl Into<Cmd>) -> Result<(), Error> {
        self.altered = true;
        request.into().encode(&mut self.output);
        std::future::poll_fn(|cx| self.poll_output(cx)).await
    }

    /// Whether the connection speaks RESP3.
    #[must_use]
    pub fn is_resp3(&self) -> bool {
        self.link.resp3
    }

    /// Whether nothing is under way and nothing of its state was changed.
    pub(crate) fn is_reusable(&self) -> bool {
        !self.broken && !self.altered && !self.watching && self.owed == 0 && self.output.is_empty()
    }

    /// Whether the server has neither closed it nor sent anything while it lay in the pool.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.link.decode(), Ok(None)) && self.link.poll_fill(&mut cx).is_pending()
    }
}

/// Whether a request changes what the connection is for those who come after.
fn alters(request: &Cmd) -> bool {
    const ALTERING: [&str; 12] = [
        "SELECT",
        "AUTH",
        "HELLO",
        "RESET",
        "QUIT",
        "MONITOR",
        "MULTI",
        "SUBSCRIBE",
        "PSUBSCRIBE",
        "SSUBSCRIBE",
        "READONLY",
        "ASKING",
    ];
    const ALTERING_OF_CLIENT: [&str; 7] = [
        "REPLY", "TRACKING", "CACHING", "SETNAME", "SETINFO", "NO-EVICT", "NO-TOUCH",
    ];
    let mut words = request.words();
    let is_one_of = |names: &[&str], word: Option<&[u8]>| {
        word.is_some_and(|w| names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(w)))
    };
    let name = words.next();
    match is_one_of(&["CLIENT"], name) {
        true => is_one_of(&ALTERING_OF_CLIENT, words.next()),
        false => is_one_of(&ALTERING, name),
    }
}

/// `None` when the time is over. A time beyond the clock's range is no limit.
async fn deadline<F: Future>(timeout: Duration, future: F) -> Option<F::Output> {
    match tokio::time::Instant::now().checked_add(timeout) {
        Some(at) => tokio::time::timeout_at(at, future).await.ok(),
        None => Some(future.await),
    }
}

impl std::fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dedicated")
            .field("resp3", &self.link.resp3)
            .field("owed", &self.owed)
            .finish_non_exhaustive()
    }
}
