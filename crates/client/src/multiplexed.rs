//! The handle of a shared connection, and the future of one request on it.

use crate::arg::Cmd;
use crate::config::{Config, IntoConfig};
use crate::error::{Error, ErrorKind, Executed};
use crate::from_value::FromValue;
use crate::link::Link;
use crate::manager::{self, Push, Shared};
use crate::pool::Pool;
use crate::queue::{Answer, LARGE_BYTES, Shape, Ticket, Turn, Wire};
use crate::value::Value;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Sleep;

/// A client that any number of tasks share: one socket, one task that owns it, true pipelining.
///
/// Clones are handles of the same connection. Requests of all tasks that are ready leave in one write, the next one
/// before the last is answered; replies find their requests by position. When the connection fails, the client
/// connects again by itself; requests that were under way end with an [`Error`] whose
/// [`executed`](Error::executed) says whether they may have taken effect, those not yet sent wait.
///
/// The number of requests under way is bounded ([`Config::queue_requests`]): a further caller waits, which is the
/// backpressure. No request waits longer than [`Config::timeout`] (or [`Cmd::timeout`]).
///
/// Commands that occupy or change a connection (`BLPOP`, `SUBSCRIBE`, `MULTI`, `SELECT`, …) have no place on a shared
/// one: see [`MultiplexedClient::dedicated`], [`subscribe`](MultiplexedClient::subscribe) and
/// [`transaction`](MultiplexedClient::transaction).
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// use ochre_client::MultiplexedClient;
///
/// let client = MultiplexedClient::connect(address).await?;
/// client.set("greeting", "hello").await?;
/// let (a, b) = tokio::join!(client.get("greeting"), client.incr("visits"));
/// assert_eq!(a?.as_deref(), Some(&b"hello"[..]));
/// assert_eq!(b?, 1);
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct MultiplexedClient {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    pool: Pool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl MultiplexedClient {
    /// Connects, and starts the connection's task on the current Tokio runtime.
    ///
    /// # Errors
    /// When the first connection fails; later ones are tried again by themselves.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn connect(to: impl IntoConfig) -> Result<MultiplexedClient, Error> {
        let config = to.into_config()?;
        let link = Link::connect(&config).await?;
        Ok(MultiplexedClient::over(config, Some(link)))
    }

    /// With `link` as the first connection; it connects by itself without one.
    pub(crate) fn over(config: Config, link: Option<Link>) -> MultiplexedClient {
        let pool = Pool::new(config.clone());
        let shared = Arc::new(Shared::new(config));
        if let Some(link) = &link {
            shared.attach(link);
        }
        tokio::spawn(manager::run(shared.clone(), link));
        MultiplexedClient {
            handle: Arc::new(Handle { shared, pool }),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The configuration it was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.handle.shared.config
    }

    /// Sends a request; the future gives its reply as `R`.
    ///
    /// The request is sent when the future is first polled.
    ///
    /// ```
    /// # ochre_testserver::with(|address| async move {
    /// # let client = ochre_client::MultiplexedClient::connect(address).await?;
    /// use ochre_client::cmd;
    ///
    /// client.run::<()>(cmd("SET").arg("key").arg("value").arg("EX").arg(60)).await?;
    /// let ttl: i64 = client.run(cmd("TTL").arg("key")).await?;
    /// assert!(ttl > 0);
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// See [`Error`]. Commands that do not suit a shared connection are refused.
    ///
    /// # Cancel safety
    /// Dropping the future before its request was taken into the queue sends nothing; afterwards the request takes
    /// its effect and its reply is discarded. Other requests are not disturbed in either case.
    #[inline]
    pub fn run<R: FromValue>(&self, request: impl Into<Cmd>) -> Reply<'_, R> {
        let request = request.into();
        let refused = unsuitable(&request);
        Reply::new(&self.handle.shared, request, refused)
    }

    /// [`run`](Self::run) for requests that are known to suit.
    #[inline]
    pub(crate) fn run_typed<R: FromValue>(&self, request: Cmd) -> Reply<'_, R> {
        Reply::new(&self.handle.shared, request, None)
    }

    /// A connection of the caller's own, from the client's pool: for blocking commands and transactions that watch.
    ///
    /// # Errors
    /// When no connection becomes free, or none can be made, in time.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn dedicated(&self) -> Result<crate::pool::Pooled, Error> {
        self.handle.pool.get().await
    }

    /// Push messages of the shared connection (RESP3), such as invalidations of `CLIENT TRACKING`. A listener that
    /// falls more than 1024 messages behind misses the oldest, and is told how many.
    #[must_use]
    pub fn pushes(&self) -> broadcast::Receiver<Push> {
        self.handle.shared.pushes.subscribe()
    }

    /// Whether there is a connection at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.handle.shared.connected.load(Ordering::Acquire)
    }

    /// Whether the present connection speaks RESP3.
    #[must_use]
    pub fn is_resp3(&self) -> bool {
        self.handle.shared.resp3.load(Ordering::Relaxed)
    }

    /// How many connections it has had; grows with every reconnection.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.handle.shared.generation.load(Ordering::Acquire)
    }

    /// Requests under way: queued or sent, and not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.handle.shared.queue.len()
    }

    /// Closes the connection for all handles. Requests under way end with [`ErrorKind::Closed`]; so do, unseen, those
    /// whose callers have given up. Dropping the last handle closes it as well.
    pub fn close(&self) {
        self.handle.shared.close();
    }
}

impl std::fmt::Debug for MultiplexedClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MultiplexedClient")
            .field("config", self.config())
            .field("connected", &self.is_connected())
            .finish()
    }
}

/// Why a command has no place on a shared connection, if it has none.
///
/// These change what the connection is for everybody, or stop everybody's replies. The server's own flags are not
/// asked: the first request would have to wait for them.
pub(crate) fn unsuitable(request: &Cmd) -> Option<Error> {
    let first = request.words().next()?;
    // Longest name below; most commands are shorter or begin otherwise.
    if first.len() > 12 {
        return None;
    }
    let mut name = [0; 12];
    let name = &mut name[..first.len()];
    name.copy_from_slice(first);
    name.make_ascii_uppercase();
    let wanted = match &*name {
        b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"UNSUBSCRIBE" | b"PUNSUBSCRIBE"
        | b"SUNSUBSCRIBE" => "use `subscribe`",
        b"MULTI" | b"EXEC" | b"DISCARD" | b"WATCH" | b"UNWATCH" => "use `transaction`",
        b"BLPOP" | b"BRPOP" | b"BLMOVE" | b"BRPOPLPUSH" | b"BLMPOP" | b"BZPOPMIN" | b"BZPOPMAX"
        | b"BZMPOP" | b"WAIT" | b"WAITAOF" => "it blocks: use `dedicated`",
        b"MONITOR" | b"SELECT" | b"AUTH" | b"HELLO" | b"RESET" | b"QUIT" | b"SYNC" | b"PSYNC" => {
            "it changes the connection: use `dedicated`"
        }
        b"CLIENT" => {
            let word = request.words().nth(1)?.to_ascii_uppercase();
            match &word[..] {
                b"REPLY" => "it changes the connection: use `dedicated`",
                _ => return None,
            }
        }
        b"XREAD" | b"XREADGROUP" if blocks(request) => "it blocks: use `dedicated`",
        _ => return None,
    };
    let text = format!(
        "{} does not suit a shared connection; {wanted}",
        String::from_utf8_lossy(name)
    );
    Some(Error::new(ErrorKind::Unsuitable(text), Executed::No))
}

fn blocks(request: &Cmd) -> bool {
    request
        .words()
        .take_while(|w| !w.eq_ignore_ascii_case(b"STREAMS"))
        .any(|w| w.eq_ignore_ascii_case(b"BLOCK"))
}

/// Where a request is.
enum Stage {
    Refused(Error),
    /// Not in the queue yet; a large one in its final form.
    Unsent(Turn, Vec<u8>),
    Waiting(Ticket),
    Done,
}

/// The exchange of one request, or of several that belong together, on a shared connection.
pub(crate) struct Exchange<'c> {
    shared: &'c Shared,
    stage: Stage,
    shape: Shape,
    timeout: Duration,
    /// Set when the caller has to watch the time itself.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<'c> Exchange<'c> {
    fn new(
        shared: &'c Shared,
        own: Option<Duration>,
        replies: u32,
        refused: Option<Error>,
    ) -> Self {
        Exchange {
            shared,
            stage: match refused {
                Some(error) => Stage::Refused(error),
                None => Stage::Unsent(None, Vec::new()),
            },
            shape: Shape {
                replies,
                patient: own.is_some(),
            },
            timeout: own.unwrap_or(shared.config.timeout),
            sleep: None,
        }
    }

    /// An exchange whose bytes are ready.
    pub(crate) fn of_wire(
        shared: &'c Shared,
        wire: Vec<u8>,
        replies: u32,
        own: Option<Duration>,
    ) -> Self {
        let mut exchange = Exchange::new(shared, own, replies, None);
        exchange.stage = Stage::Unsent(None, wire);
        exchange
    }

    fn arm(&mut self) {
        if self.sleep.is_none()
            && let Some(at) = tokio::time::Instant::now().checked_add(self.timeout)
        {
            self.sleep = Some(Box::pin(tokio::time::sleep_until(at)));
        }
    }

    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.sleep
            .as_mut()
            .is_some_and(|s| s.as_mut().poll(cx).is_ready())
    }

    /// `request` gives the bytes if they are not in the stage already.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        request: Option<&mut Cmd>,
    ) -> Poll<Result<Answer<Value>, Error>> {
        match &mut self.stage {
            Stage::Unsent(turn, large) => {
                let wire = match request {
                    Some(request) if large.is_empty() => {
                        if request.wire_len() < LARGE_BYTES {
                            Wire::Copy(request.finish())
                        } else {
                            *large = request.take_wire();
                            Wire::Take(large)
                        }
                    }
                    _ if large.len() < LARGE_BYTES => Wire::Copy(large),
                    _ => Wire::Take(large),
                };
                match self.shared.queue.poll_submit(cx, wire, self.shape, turn) {
                    Poll::Ready(Ok(ticket)) => {
                        self.stage = Stage::Waiting(ticket);
                        if !self.shape.patient && self.sleep.is_none() {
                            return Poll::Pending;
                        }
                    }
                    Poll::Ready(Err(error)) => {
                        self.stage = Stage::Done;
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => {}
                }
                self.arm();
                self.check_time(cx)
            }
            Stage::Waiting(ticket) => {
                let answer = self.shared.queue.poll_collect(cx, ticket);
                if answer.is_ready() {
                    self.stage = Stage::Done;
                    return answer;
                }
                self.check_time(cx)
            }
            Stage::Refused(error) => {
                let error = error.clone();
                self.stage = Stage::Done;
                Poll::Ready(Err(error))
            }
            Stage::Done => panic!("a finished request was polled again"),
        }
    }

    fn check_time(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer<Value>, Error>> {
        if !self.is_late(cx) {
            return Poll::Pending;
        }
        let executed = match self.stage {
            Stage::Waiting(_) => Executed::Maybe,
            _ => Executed::No,
        };
        self.give_up();
        Poll::Ready(Err(Error::timeout(executed)))
    }

    fn give_up(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent(turn, _) => self.shared.queue.leave(turn),
            Stage::Waiting(ticket) => self.shared.queue.abandon(&ticket),
            Stage::Refused(_) | Stage::Done => {}
        }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// The reply to a request on a [`MultiplexedClient`], once it comes.
#[must_use = "a request is sent when its future is polled"]
pub struct Reply<'c, R> {
    exchange: Exchange<'c>,
    request: Cmd,
    reply: PhantomData<fn() -> R>,
}

impl<'c, R: FromValue> Reply<'c, R> {
    #[inline]
    fn new(shared: &'c Shared, request: Cmd, refused: Option<Error>) -> Self {
        let empty = || {
            Error::new(
                ErrorKind::Unsuitable("an empty request".to_owned()),
                Executed::No,
            )
        };
        let refused = refused.or_else(|| request.is_empty().then(empty));
        Reply {
            exchange: Exchange::new(shared, request.own_timeout(), 1, refused),
            request,
            reply: PhantomData,
        }
    }
}

/// # Panics
/// When it is polled after it was ready.
impl<R: FromValue> Future for Reply<'_, R> {
    type Output = Result<R, Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.exchange.poll(cx, Some(&mut this.request)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Answer::One(value))) => Poll::Ready(R::from_value(value)),
            Poll::Ready(Ok(Answer::Many(values))) => {
                Poll::Ready(R::from_value(Value::Array(values)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}
