//! Frames of RESP2, as small servers and the tutorial use them.
//!
//! Six types are all that a RESP2 conversation needs; replies of a [`MultiplexedClient`](crate::MultiplexedClient)
//! are [`Value`]s, which know RESP3 and negative numbers.

use crate::decode::Decoder;
use crate::error::BoxError;
use crate::value::Value;
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::io::Cursor;

/// One value of RESP2.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// `+`: a status, such as `OK`.
    Simple(String),
    /// `-`
    Error(String),
    /// `:`, not below zero.
    Integer(u64),
    /// `$`
    Bulk(Bytes),
    /// `$-1`
    Null,
    /// `*`
    Array(Vec<Frame>),
}

/// Why bytes are no frame.
#[derive(Debug)]
pub enum Error {
    /// Not yet: more bytes are needed.
    Incomplete,
    /// Never.
    Other(BoxError),
}

impl Frame {
    /// Whether a whole frame lies at the cursor; the cursor is behind it afterwards.
    ///
    /// # Errors
    /// [`Error::Incomplete`] when its end is missing, [`Error::Other`] when it can be none.
    pub fn check(src: &mut Cursor<&[u8]>) -> Result<(), Error> {
        Frame::parse(src).map(drop)
    }

    /// Reads the frame at the cursor; the cursor is behind it afterwards, and unmoved after an error.
    ///
    /// # Errors
    /// As for [`Frame::check`].
    pub fn parse(src: &mut Cursor<&[u8]>) -> Result<Frame, Error> {
        let start = usize::try_from(src.position()).unwrap_or(usize::MAX);
        let rest = src.get_ref().get(start..).unwrap_or_default();
        let mut buf = BytesMut::from(rest);
        let mut at = 0;
        match Decoder::default().decode(&mut buf, &mut at) {
            Ok(Some(value)) => {
                let used = rest.len() - (buf.len() - at);
                let frame = Frame::try_from(value).map_err(Error::Other)?;
                src.set_position((start + used) as u64);
                Ok(frame)
            }
            Ok(None) => Err(Error::Incomplete),
            Err(error) => Err(Error::Other(error.into())),
        }
    }

    /// Appends the wire form. Line ends in a status or an error become spaces.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // An explicit stack, because arrays nest as deep as their maker likes.
        let mut stack = vec![std::slice::from_ref(self).iter()];
        while let Some(frames) = stack.last_mut() {
            let Some(frame) = frames.next() else {
                stack.pop();
                continue;
            };
            match frame {
                Frame::Simple(text) => line(out, b'+', text),
                Frame::Error(text) => line(out, b'-', text),
                Frame::Integer(n) => line(out, b':', itoa::Buffer::new().format(*n)),
                Frame::Null => out.extend_from_slice(b"$-1\r\n"),
                Frame::Bulk(bytes) => {
                    line(out, b'$', itoa::Buffer::new().format(bytes.len()));
                    out.extend_from_slice(bytes);
                    out.extend_from_slice(b"\r\n");
                }
                Frame::Array(frames) => {
                    line(out, b'*', itoa::Buffer::new().format(frames.len()));
                    stack.push(frames.iter());
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, tag: u8, text: &str) {
    out.push(tag);
    out.extend(
        text.bytes()
            .map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }),
    );
    out.extend_from_slice(b"\r\n");
}

/// Fails for what RESP2 cannot say and for negative numbers.
impl TryFrom<Value> for Frame {
    type Error = BoxError;

    fn try_from(value: Value) -> Result<Frame, BoxError> {
        let text =
            |bytes: Bytes| String::from_utf8(bytes.into()).map_err(|_| "the text is no UTF-8");
        Ok(match value {
            Value::Simple(bytes) => Frame::Simple(text(bytes)?),
            Value::Error(bytes) => Frame::Error(text(bytes)?),
            Value::Integer(n) => {
                Frame::Integer(u64::try_from(n).map_err(|_| "a frame holds no negative number")?)
            }
            Value::Bulk(bytes) => Frame::Bulk(bytes),
            Value::Null => Frame::Null,
            // As deep as the decoder allows.
            Value::Array(values) => Frame::Array(
                values
                    .into_iter()
                    .map(Frame::try_from)
                    .collect::<Result<_, _>>()?,
            ),
            other => return Err(format!("{} is no RESP2", other.kind()).into()),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Incomplete => f.write_str("the frame is incomplete"),
            Error::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// For `?` on `&str` and `String` errors.
impl From<String> for Error {
    fn from(text: String) -> Error {
        Error::Other(text.into())
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Error {
        Error::Other(text.into())
    }
}
