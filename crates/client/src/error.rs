//! What can go wrong, and whether the request may have been executed all the same.

use ochre_resp::FrameError;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Any error, as the functions of the tutorial's surface return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A result whose error is boxed, unless another is named.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Whether a request that failed may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Executed {
    /// Not one byte of it was given to the operating system: it can be sent again without doubt.
    No,
    /// It was sent, at least in part, and no reply came.
    Maybe,
    /// The server replied to it.
    Answered,
}

/// What went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server replied with an error.
    Server(ServerError),
    /// Connecting, reading or writing failed, or the server closed the connection.
    Io(Arc<io::Error>),
    /// The server sent what is no reply, or a reply too many.
    Protocol(String),
    /// No answer within the request's deadline.
    Timeout,
    /// The client was closed, or the runtime that its task ran on ended.
    Closed,
    /// The reply is not of the type that was asked for.
    Conversion(String),
    /// An address or an option that makes no sense.
    Config(String),
    /// A command that would disturb a connection shared by many, such as `SUBSCRIBE` or `BLPOP`.
    Unsuitable(String),
    /// The transaction did not run because a watched key changed, as often as it was tried.
    Conflict,
    /// All connections of the pool were in use for as long as a caller may wait.
    PoolExhausted,
}

/// An error reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerError {
    text: String,
}

impl ServerError {
    /// Takes an error reply apart.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        ServerError {
            text: String::from_utf8_lossy(text).into_owned(),
        }
    }

    /// The first word: `ERR`, `WRONGTYPE`, `MOVED`, …
    #[must_use]
    pub fn code(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The error of a request or a connection. Cheap to clone.
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ErrorKind,
    executed: Executed,
}

impl Error {
    /// An error of `kind`.
    #[must_use]
    pub fn new(kind: ErrorKind, executed: Executed) -> Self {
        Error {
            inner: Arc::new(Inner { kind, executed }),
        }
    }

    pub(crate) fn server(text: &[u8]) -> Self {
        Error::new(
            ErrorKind::Server(ServerError::new(text)),
            Executed::Answered,
        )
    }

    pub(crate) fn config(text: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config(text.into()), Executed::No)
    }

    pub(crate) fn conversion(text: impl Into<String>) -> Self {
        Error::new(ErrorKind::Conversion(text.into()), Executed::Answered)
    }

    pub(crate) fn timeout(executed: Executed) -> Self {
        Error::new(ErrorKind::Timeout, executed)
    }

    pub(crate) fn closed(executed: Executed) -> Self {
        Error::new(ErrorKind::Closed, executed)
    }

    /// The same error of a request that was executed as said.
    #[must_use]
    pub fn with_executed(&self, executed: Executed) -> Self {
        Error::new(self.inner.kind.clone(), executed)
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// Whether the request may have taken effect.
    #[must_use]
    pub fn executed(&self) -> Executed {
        self.inner.executed
    }

    /// Whether sending the request again cannot do its work twice.
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        self.inner.executed == Executed::No
    }

    /// The server's error, if the server replied with one.
    #[must_use]
    pub fn as_server(&self) -> Option<&ServerError> {
        match &self.inner.kind {
            ErrorKind::Server(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the request's deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.inner.kind, ErrorKind::Timeout)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.kind {
            // The server's own words, and nothing around them.
            ErrorKind::Server(error) => return f.write_str(error.text()),
            ErrorKind::Io(error) => write!(f, "connection failed: {error}"),
            ErrorKind::Protocol(text) => write!(f, "protocol error: {text}"),
            ErrorKind::Timeout => f.write_str("no answer within the deadline"),
            ErrorKind::Closed => f.write_str("the client is closed"),
            ErrorKind::Conversion(text) => return f.write_str(text),
            ErrorKind::Config(text) => return f.write_str(text),
            ErrorKind::Unsuitable(text) => return f.write_str(text),
            ErrorKind::Conflict => f.write_str("watched keys changed during the transaction"),
            ErrorKind::PoolExhausted => f.write_str("all connections of the pool are in use"),
        }?;
        match self.inner.executed {
            Executed::No => f.write_str(" (the request was not executed)"),
            Executed::Maybe => f.write_str(" (the request may have been executed)"),
            Executed::Answered => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ErrorKind::Server(error) = &self.inner.kind {
            // What a program prints that returns it from `main`.
            return write!(f, "{:?}", error.text());
        }
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("executed", &self.inner.executed)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.inner.kind {
            ErrorKind::Io(error) => Some(&**error),
            _ => None,
        }
    }
}

/// As of a connection that could not be made: nothing was executed.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::new(ErrorKind::Io(Arc::new(error)), Executed::No)
    }
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        Error::new(ErrorKind::Protocol(error.to_string()), Executed::Maybe)
    }
}
