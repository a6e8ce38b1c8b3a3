//! Cursors as streams: SCAN, HSCAN, SSCAN, ZSCAN.
//!
//! One batch is asked for at a time, when the one before is used up. As the server promises: what is there from the
//! beginning to the end comes at least once, what comes and goes meanwhile may or may not, and some may come twice.

use crate::arg::{Arg, Cmd, cmd};
use crate::error::Error;
use crate::from_value::FromValue;
use crate::multiplexed::{MultiplexedClient, Reply};
use bytes::Bytes;
use futures_core::Stream;
use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A walk over keys or elements, as a stream of them.
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// # let client = ochre_client::MultiplexedClient::connect(address).await?;
/// use tokio_stream::StreamExt;
///
/// client.mset([("user:1", "Ada"), ("user:2", "Alan"), ("other", "x")]).await?;
/// let mut keys = client.scan_stream().pattern("user:*").count(100);
/// let mut found = Vec::new();
/// while let Some(key) = keys.next().await {
///     found.push(key?);
/// }
/// assert_eq!(found.len(), 2);
/// # Ok(()) });
/// ```
#[must_use = "a walk begins when the stream is polled"]
pub struct Scan<'c, T> {
    client: &'c MultiplexedClient,
    /// The command and its key.
    start: Cmd,
    options: Cmd,
    cursor: Option<u64>,
    batch: VecDeque<T>,
    reply: Option<Reply<'c, (u64, Vec<T>)>>,
}

impl MultiplexedClient {
    fn walk<T>(&self, start: Cmd) -> Scan<'_, T> {
        Scan {
            client: self,
            start,
            options: Cmd::empty(),
            cursor: Some(0),
            batch: VecDeque::new(),
            reply: None,
        }
    }

    /// All keys of the database.
    pub fn scan_stream(&self) -> Scan<'_, Bytes> {
        self.walk(cmd("SCAN"))
    }

    /// All members of a set.
    pub fn sscan_stream(&self, key: impl Arg) -> Scan<'_, Bytes> {
        self.walk(cmd("SSCAN").arg(key))
    }

    /// All fields of a hash and their values.
    pub fn hscan_stream(&self, key: impl Arg) -> Scan<'_, (Bytes, Bytes)> {
        self.walk(cmd("HSCAN").arg(key))
    }

    /// All members of a sorted set and their scores.
    pub fn zscan_stream(&self, key: impl Arg) -> Scan<'_, (Bytes, f64)> {
        self.walk(cmd("ZSCAN").arg(key))
    }
}

impl<T> Scan<'_, T> {
    /// Only what fits a glob pattern.
    pub fn pattern(mut self, pattern: impl Arg) -> Self {
        self.options = self.options.arg("MATCH").arg(pattern);
        self
    }

    /// About how many the server looks at for each batch.
    pub fn count(mut self, count: u64) -> Self {
        self.options = self.options.arg("COUNT").arg(count);
        self
    }

    /// Only keys of a type, for the walk over keys.
    pub fn of_type(mut self, kind: impl Arg) -> Self {
        self.options = self.options.arg("TYPE").arg(kind);
        self
    }
}

/// # Cancel safety
/// Nothing is lost when a `next()` of the stream is dropped.
impl<T: FromValue + Unpin> Stream for Scan<'_, T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.batch.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            if this.reply.is_none() {
                let Some(cursor) = this.cursor else {
                    return Poll::Ready(None);
                };
                let mut request = this.start.clone().arg(cursor);
                request.append(&this.options);
                this.reply = Some(this.client.run_typed(request));
            }
            let Some(reply) = &mut this.reply else {
                continue;
            };
            let answer = ready!(Pin::new(reply).poll(cx));
            this.reply = None;
            match answer {
                Ok((cursor, items)) => {
                    this.cursor = (cursor != 0).then_some(cursor);
                    this.batch = items.into();
                }
                Err(error) => {
                    this.cursor = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl<T> std::fmt::Debug for Scan<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scan({} {:?} {})", self.start, self.cursor, self.options)
    }
}
