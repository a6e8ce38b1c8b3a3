//! An owned reply value, as clients and tests hold it.
//!
//! Invariants:
//! - Whatever [`FrameDecoder`](crate::FrameDecoder) returns encodes, in RESP3, to bytes that decode to it again,
//!   but for the spelling of null (RESP3 has one) and of doubles.
//! - Encoding keeps its own stack; only dropping a frame recurses, and a decoded one is no deeper than the limit.
//!
//! Server replies are not built from frames but written straight into [`Out`](crate::Out).

use crate::encode::{self, Protocol};

/// One value of RESP2 or RESP3.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// `+`: a short text without line ends.
    Simple(Vec<u8>),
    /// `-` or `!`: an error, starting with its code.
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `_`, or `$-1` in RESP2.
    Null,
    /// `*-1`: RESP2's null in the place of an array.
    NullArray,
    /// `*`
    Array(Vec<Frame>),
    /// `%`: pairs in the order they came.
    Map(Vec<(Frame, Frame)>),
    /// `~`: elements in the order they came.
    Set(Vec<Frame>),
    /// `,`
    Double(f64),
    /// `#`
    Boolean(bool),
    /// `(`: decimal digits, perhaps after a sign.
    BigNumber(String),
    /// `=`: a text and its format, such as `txt` or `mkd`.
    Verbatim {
        /// Three letters.
        format: [u8; 3],
        /// The text, without the format.
        text: Vec<u8>,
    },
    /// `>`: a message that answers no request.
    Push(Vec<Frame>),
    /// `|`: attributes, and the value that they describe.
    Attribute(Vec<(Frame, Frame)>, Box<Frame>),
}

/// What is left to encode of one aggregate.
enum Rest<'a> {
    One(&'a Frame),
    List(std::slice::Iter<'a, Frame>),
    Pairs(std::slice::Iter<'a, (Frame, Frame)>),
}

impl Frame {
    /// A bulk string.
    pub fn bulk(data: impl Into<Vec<u8>>) -> Self {
        Self::Bulk(data.into())
    }

    /// The bytes of any kind of string, error texts and big numbers included.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text)
            | Self::Error(text)
            | Self::Bulk(text)
            | Self::Verbatim { text, .. } => Some(text),
            Self::BigNumber(digits) => Some(digits.as_bytes()),
            Self::Attribute(_, value) => value.as_bytes(),
            _ => None,
        }
    }

    /// Whether it is either null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::NullArray)
    }

    /// The error text, if it is an error.
    #[must_use]
    pub fn as_error(&self) -> Option<&[u8]> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }

    /// Appends the wire form. In RESP2 richer types become arrays, bulk strings and integers; attributes are left out.
    pub fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) {
        let mut stack = vec![Rest::One(self)];
        while let Some(top) = stack.last_mut() {
            let frame = match top {
                Rest::One(frame) => {
                    let frame = *frame;
                    stack.pop();
                    frame
                }
                Rest::List(frames) => match frames.next() {
                    Some(frame) => frame,
                    None => {
                        stack.pop();
                        continue;
                    }
                },
                Rest::Pairs(pairs) => match pairs.next() {
                    Some((key, value)) => {
                        stack.push(Rest::One(value));
                        key
                    }
                    None => {
                        stack.pop();
                        continue;
                    }
                },
            };
            frame.encode_head(protocol, out, &mut stack);
        }
    }

    /// Writes a scalar, or an aggregate's header, leaving its elements on the stack.
    fn encode_head<'a>(&'a self, protocol: Protocol, out: &mut Vec<u8>, stack: &mut Vec<Rest<'a>>) {
        let resp3 = protocol == Protocol::Resp3;
        match self {
            Self::Simple(text) => encode::clean_line(out, b'+', text),
            Self::Error(text) if resp3 && memchr::memchr2(b'\r', b'\n', text).is_some() => {
                encode::tagged_bulk(out, b'!', text);
            }
            Self::Error(text) => encode::clean_line(out, b'-', text),
            Self::Integer(value) => encode::number(out, b':', *value),
            Self::Bulk(data) => encode::bulk(out, data),
            Self::Null => encode::null(out, protocol),
            Self::NullArray => encode::null_array(out, protocol),
            Self::Double(value) => encode::double(out, protocol, *value),
            Self::Boolean(value) => encode::boolean(out, protocol, *value),
            Self::BigNumber(digits) => encode::big_number(out, protocol, digits),
            Self::Verbatim { format, text } => encode::verbatim(out, protocol, *format, text),
            Self::Array(frames) => list(out, b'*', frames, stack),
            Self::Set(frames) => list(out, if resp3 { b'~' } else { b'*' }, frames, stack),
            Self::Push(frames) => list(out, if resp3 { b'>' } else { b'*' }, frames, stack),
            Self::Map(pairs) => {
                let (tag, len) = if resp3 {
                    (b'%', pairs.len())
                } else {
                    (b'*', pairs.len() * 2)
                };
                encode::header(out, tag, len);
                stack.push(Rest::Pairs(pairs.iter()));
            }
            Self::Attribute(pairs, value) => {
                stack.push(Rest::One(value));
                if resp3 {
                    encode::header(out, b'|', pairs.len());
                    stack.push(Rest::Pairs(pairs.iter()));
                }
            }
        }
    }
}

fn list<'a>(out: &mut Vec<u8>, tag: u8, frames: &'a [Frame], stack: &mut Vec<Rest<'a>>) {
    encode::header(out, tag, frames.len());
    stack.push(Rest::List(frames.iter()));
}

#[cfg(test)]
mod tests;
