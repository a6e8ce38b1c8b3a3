//! The connection: requests out, whole replies in.
//!
//! It connects without a greeting and does not connect again by itself: what an operator sees is what happened.

use crate::reply::Reply;
use ochre_client::{Config, ErrorKind, Transport};
use ochre_resp::{FrameDecoder, FrameLimits, write_request};
use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};

/// Room for one read.
const READ_BYTES: usize = 64 * 1024;

/// Why a connection is of no use any more.
#[derive(Debug)]
pub(crate) enum LinkError {
    /// The server closed it.
    Ended,
    Io(io::Error),
    /// The server sent what is no reply.
    Protocol(String),
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        LinkError::Io(error)
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Ended => f.write_str("Server closed the connection"),
            LinkError::Io(error) => f.write_str(&reason(error)),
            LinkError::Protocol(what) => write!(f, "Protocol error, {what}"),
        }
    }
}

/// An error of the operating system in the words of the C library.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let lookup = "failed to lookup address information: ";
    text.strip_prefix(lookup).unwrap_or(text).to_owned()
}

/// What moved.
enum Step {
    Wrote(usize),
    Read(usize),
}

/// An open connection.
pub(crate) struct Link {
    transport: Box<dyn Transport>,
    /// Bytes that came. Those before `start` are done with, those from there to `decoded` are known to the decoder.
    input: Vec<u8>,
    start: usize,
    decoded: usize,
    decoder: FrameDecoder,
}

impl Link {
    /// Connects. The error is in the words of the operating system.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(crate) async fn open(config: &Config) -> Result<Link, String> {
        let transport = config.open().await.map_err(|e| match e.kind() {
            ErrorKind::Io(error) => reason(error),
            _ => e.to_string(),
        })?;
        Ok(Link {
            transport,
            input: Vec::new(),
            start: 0,
            decoded: 0,
            decoder: FrameDecoder::new(FrameLimits::default()),
        })
    }

    /// Sends a request.
    pub(crate) async fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<(), LinkError> {
        let words: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
        let mut wire = Vec::new();
        write_request(&mut wire, words);
        self.send_raw(&wire).await
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.transport.write_all(bytes).await?;
        Ok(self.transport.flush().await?)
    }

    /// Sends bytes as they are, and reads what comes meanwhile: a server that waits until its replies are read is not
    /// waited for in turn.
    pub(crate) async fn exchange_raw(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        self.make_room();
        while !bytes.is_empty() {
            let Link {
                transport, input, ..
            } = self;
            let step = std::future::poll_fn(|cx| {
                if let Poll::Ready(written) = Pin::new(&mut *transport).poll_write(cx, bytes) {
                    return Poll::Ready(written.map(Step::Wrote));
                }
                let mut reading = std::pin::pin!(transport.read_buf(input));
                reading.as_mut().poll(cx).map_ok(Step::Read)
            });
            match step.await? {
                Step::Wrote(0) | Step::Read(0) => return Err(LinkError::Ended),
                Step::Wrote(n) => bytes = &bytes[n..],
                Step::Read(_) => self.input.reserve(READ_BYTES),
            }
        }
        Ok(self.transport.flush().await?)
    }

    fn make_room(&mut self) {
        self.input.drain(..self.start);
        self.decoded -= std::mem::take(&mut self.start);
        self.input.reserve(READ_BYTES);
    }

    /// Takes bytes that are no replies; those that came already first.
    pub(crate) async fn read_raw(&mut self) -> Result<Vec<u8>, LinkError> {
        if self.input.len() == self.decoded {
            self.fill().await?;
        }
        let bytes = self.input.split_off(self.decoded);
        Ok(bytes)
    }

    /// Gives back what [`read_raw`](Self::read_raw) took too much, before anything else is read.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next value that came already.
    pub(crate) fn take(&mut self) -> Result<Option<Reply>, LinkError> {
        let protocol = |e: ochre_resp::FrameError| LinkError::Protocol(e.to_string());
        let progress = self
            .decoder
            .decode(&self.input[self.decoded..])
            .map_err(protocol)?;
        self.decoded += progress.consumed;
        if progress.frame.is_none() {
            return Ok(None);
        }
        let reply = Reply::parse(&self.input[self.start..self.decoded]);
        self.start = self.decoded;
        match reply {
            Some(reply) => Ok(Some(reply)),
            None => Err(LinkError::Protocol("got an unknown reply type".to_owned())),
        }
    }

    /// Reads what is there, at least a byte.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn fill(&mut self) -> Result<(), LinkError> {
        self.make_room();
        match self.transport.read_buf(&mut self.input).await? {
            0 => Err(LinkError::Ended),
            _ => Ok(()),
        }
    }

    /// The next value.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn read(&mut self) -> Result<Reply, LinkError> {
        loop {
            if let Some(reply) = self.take()? {
                return Ok(reply);
            }
            self.fill().await?;
        }
    }

    /// Sends a request and reads its reply; push messages that come before are dropped.
    pub(crate) async fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, LinkError> {
        self.send(words).await?;
        loop {
            match self.read().await? {
                Reply::Push(_) => {}
                reply => return Ok(reply),
            }
        }
    }
}
