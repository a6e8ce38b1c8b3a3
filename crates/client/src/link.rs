//! One connection: socket, read buffer, decoder, and the greeting.
//!
//! Invariant: bytes of `input` before `at` are decoded; they are dropped before more is read.

use crate::arg::{Cmd, cmd};
use crate::config::{Config, Speak};
use crate::decode::Decoder;
use crate::error::{Error, ErrorKind, Executed};
use crate::stream::Stream;
use crate::value::Value;
use bytes::{Buf, BytesMut};
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};

/// Room for one read.
const READ_BYTES: usize = 16 * 1024;
/// Room for one read of a long payload.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// See the module's documentation.
pub(crate) struct Link {
    pub(crate) stream: Stream,
    input: BytesMut,
    at: usize,
    decoder: Decoder,
    /// Whether RESP3 was agreed on.
    pub(crate) resp3: bool,
}

impl Link {
    /// Connects and greets: protocol, password, name, database.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(crate) async fn connect(config: &Config) -> Result<Link, Error> {
        let connecting = async {
            let mut link = Link::over(Stream::connect(config).await?);
            link.greet(config).await?;
            Ok(link)
        };
        match tokio::time::timeout(config.connect_timeout, connecting).await {
            // Whatever failed, no request of the user's was part of it.
            Ok(result) => result.map_err(|e: Error| match e.kind() {
                ErrorKind::Server(_) => e,
                _ => e.with_executed(Executed::No),
            }),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no connection within the connect timeout",
            )
            .into()),
        }
    }

    pub(crate) fn over(stream: Stream) -> Link {
        Link {
            stream,
            input: BytesMut::new(),
            at: 0,
            decoder: Decoder::default(),
            resp3: false,
        }
    }

    async fn greet(&mut self, config: &Config) -> Result<(), Error> {
        if config.speak != Speak::Resp2 {
            let mut hello = cmd("HELLO 3");
            if let Some(password) = &config.password {
                let user = config.username.as_deref().unwrap_or("default");
                hello = hello.arg("AUTH").arg(user).arg(password);
            }
            match self.call(hello).await {
                Ok(_) => self.resp3 = true,
                Err(error) if config.speak == Speak::Newest && lacks_hello(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if let (false, Some(password)) = (self.resp3, &config.password) {
            let auth = match &config.username {
                Some(user) => cmd("AUTH").arg(user).arg(password),
                None => cmd("AUTH").arg(password),
            };
            self.call(auth).await?;
        }
        let mut later = Vec::new();
        if config.database != 0 {
            later.push(cmd("SELECT").arg(config.database));
        }
        if let Some(name) = &config.client_name {
            later.push(cmd("CLIENT SETNAME").arg(name));
        }
        let needed = later.len();
        if config.introduce {
            later.push(cmd("CLIENT SETINFO LIB-NAME ochre-client"));
            later.push(cmd("CLIENT SETINFO LIB-VER").arg(env!("CARGO_PKG_VERSION")));
        }
        let mut wire = Vec::new();
        later.iter_mut().for_each(|c| c.encode(&mut wire));
        self.write_all(&wire).await?;
        for i in 0..later.len() {
            match self.read_reply().await? {
                // SETINFO is newer than many servers, and only informs.
                Value::Error(text) if i < needed => return Err(Error::server(&text)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends a request and reads its reply.
    async fn call(&mut self, mut request: Cmd) -> Result<Value, Error> {
        self.write_all(request.finish()).await?;
        match self.read_reply().await? {
            Value::Error(text) => Err(Error::server(&text)),
            value => Ok(value),
        }
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The next value that is no push message.
    async fn read_reply(&mut self) -> Result<Value, Error> {
        loop {
            match self.read().await? {
                Value::Push(_) => {}
                value => return Ok(value),
            }
        }
    }

    /// The next value.
    ///
    /// # Cancel safety
    /// What was read of an unfinished value stays with the link.
    pub(crate) async fn read(&mut self) -> Result<Value, Error> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next value; an error when the peer closes.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Value, Error>> {
        loop {
            if let Some(value) = self.decode()? {
                return Poll::Ready(Ok(value));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(self.ended()));
            }
        }
    }

    /// The error of a connection that the peer closed.
    pub(crate) fn ended(&self) -> Error {
        let text = if self.is_idle() {
            "the server closed the connection"
        } else {
            "the server closed the connection in the middle of a reply"
        };
        Error::from(io::Error::new(io::ErrorKind::UnexpectedEof, text))
            .with_executed(Executed::Maybe)
    }

    /// Whether it stands between two values.
    pub(crate) fn is_idle(&self) -> bool {
        self.decoder.is_idle() && self.at == self.input.len()
    }

    /// The next value of what was read.
    pub(crate) fn decode(&mut self) -> Result<Option<Value>, Error> {
        Ok(self.decoder.decode(&mut self.input, &mut self.at)?)
    }

    /// Reads what is there. Gives the number of bytes, 0 at the end.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.at > 0 {
            self.input.advance(self.at);
            self.at = 0;
        }
        // Grows with what has come, never by what was announced alone.
        let wanted = self
            .decoder
            .wanted()
            .min(self.input.len())
            .min(READ_BYTES_MAX);
        if self.input.capacity() - self.input.len() < READ_BYTES / 2 || wanted > READ_BYTES {
            self.input.reserve(wanted.max(READ_BYTES));
        }
        // The future holds no state between polls (it is documented as cancel safe).
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

/// Whether the server is too old for `HELLO 3`.
fn lacks_hello(error: &Error) -> bool {
    error.as_server().is_some_and(|e| {
        e.code() == "NOPROTO" || e.text().to_ascii_lowercase().contains("unknown command")
    })
}
