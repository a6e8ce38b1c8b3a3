//! What a client can get wrong on the wire, with Redis's texts.
//!
//! A protocol error is answered with `-ERR <text>` and the connection is closed: the stream has lost its framing.

use std::fmt;

use crate::quote::UnbalancedQuotes;

/// A request that cannot be framed. `Display` gives the reply text without `-ERR ` and without line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolError {
    /// An inline request is longer than [`Limits::inline_max`](crate::Limits::inline_max).
    InlineTooBig,
    /// An inline request opens a quote that it does not close, or goes on right after a closing quote.
    UnbalancedQuotes,
    /// The number after `*` is no integer, or above [`Limits::args_max`](crate::Limits::args_max).
    InvalidArgCount,
    /// The line that starts with `*` is longer than the inline limit.
    ArgCountLineTooBig,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedArgCount,
    /// The line of a bulk length is longer than the inline limit.
    BulkLengthLineTooBig,
    /// An argument starts with this byte instead of `$`.
    ExpectedBulk(u8),
    /// The number after `$` is no integer, negative, or above [`Limits::bulk_max`](crate::Limits::bulk_max).
    InvalidBulkLength,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedBulkLength,
}

impl ProtocolError {
    /// Appends the exact bytes of the reply text, which need not be UTF-8: a wrong byte is quoted as it came.
    ///
    /// CR and LF become spaces, as in every error reply.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::ExpectedBulk(got) => {
                out.extend_from_slice(b"Protocol error: expected '$', got '");
                out.push(printed(*got));
                out.push(b'\'');
            }
            other => {
                out.extend_from_slice(b"Protocol error: ");
                out.extend_from_slice(other.fixed_text().as_bytes());
            }
        }
    }

    fn fixed_text(self) -> &'static str {
        match self {
            Self::InlineTooBig => "too big inline request",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::InvalidArgCount => "invalid multibulk length",
            Self::ArgCountLineTooBig => "too big mbulk count string",
            Self::UnauthenticatedArgCount => "unauthenticated multibulk length",
            Self::BulkLengthLineTooBig => "too big bulk count string",
            Self::ExpectedBulk(_) => "expected '$'",
            Self::InvalidBulkLength => "invalid bulk length",
            Self::UnauthenticatedBulkLength => "unauthenticated bulk length",
        }
    }
}

fn printed(got: u8) -> u8 {
    if matches!(got, b'\r' | b'\n') {
        b' '
    } else {
        got
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(self.fixed_text())?;
        match *self {
            Self::ExpectedBulk(got) => write!(f, ", got '{}'", char::from(printed(got))),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl From<UnbalancedQuotes> for ProtocolError {
    fn from(_: UnbalancedQuotes) -> Self {
        Self::UnbalancedQuotes
    }
}
