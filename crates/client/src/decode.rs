//! The incremental decoder of replies.
//!
//! Invariants
//! - No input panics, recurses, or makes more be allocated than a small multiple of the bytes received; each element
//!   counts against the limit of a reply with what it takes in memory, however short it is on the wire.
//! - However the stream is cut, it decodes to the same values or the same error; after an error there is no way on.
//! - Finished elements are not looked at again: unfinished aggregates lie on an own stack of bounded depth.
//!
//! Payloads below [`SLICED_BYTES`] are copied, longer ones are slices of the read buffer: a copy costs no more
//! than the two atomic operations of a slice, and a short value that is kept for long does not keep a whole buffer.

use crate::value::Value;
use bytes::{Buf, Bytes, BytesMut};
use ochre_resp::{FrameError, FrameLimits, parse_i64};

/// Payloads of at least this size are slices of the read buffer.
pub(crate) const SLICED_BYTES: usize = 1024;
/// Bytes of the shortest element, `_\r\n`.
const ITEM_BYTES_MIN: usize = 3;
/// Elements for which room is made before any has come.
const ITEMS_RESERVED: usize = 64;

/// An aggregate that misses elements.
#[derive(Debug)]
enum Open {
    List(u8, usize, Vec<Value>),
    /// Pairs, and a key that waits for its value.
    Pairs(u8, usize, Vec<(Value, Value)>, Option<Value>),
    /// Attributes that wait for what they describe.
    Attributed(Vec<(Value, Value)>),
}

/// What one element turned out to be.
enum Element {
    Whole(Value),
    Open(Open),
    /// More bytes are needed: so many, if known.
    More(usize),
}

/// Decodes one value after the other; one per connection.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    limits: FrameLimits,
    stack: Vec<Open>,
    /// Bytes of the unfinished line already searched for its end.
    scanned: usize,
    /// Bytes taken by the current value, on the wire or in memory, whichever is more.
    taken: usize,
    wanted: usize,
    failed: Option<FrameError>,
}

impl Decoder {
    /// Takes the next value out of `buf`; `None` when more bytes are needed.
    ///
    /// `at` is how far `buf` is done with. The caller advances it by that before more is read.
    pub(crate) fn decode(
        &mut self,
        buf: &mut BytesMut,
        at: &mut usize,
    ) -> Result<Option<Value>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.advance(buf, at);
        if let Err(error) = result {
            self.failed = Some(error);
            self.stack = Vec::new();
        }
        result
    }

    /// Bytes known to be missing; 0 if unknown.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    /// Whether it stands between two values.
    pub(crate) fn is_idle(&self) -> bool {
        self.taken == 0 && self.scanned == 0 && self.wanted == 0 && self.failed.is_none()
    }

    fn advance(&mut self, buf: &mut BytesMut, at: &mut usize) -> Result<Option<Value>, FrameError> {
        loop {
            let before = buf.len() - *at;
            let element = self.element(buf, at)?;
            let used = before - (buf.len() - *at);
            if used > 0 {
                self.taken += used.max(size_of::<Value>());
            }
            if self.taken > self.limits.bytes_max {
                return Err(FrameError::FrameTooLong);
            }
            let mut value = match element {
                Element::More(wanted) => {
                    self.wanted = wanted;
                    return Ok(None);
                }
                Element::Open(open) => {
                    if self.stack.len() >= self.limits.depth_max {
                        return Err(FrameError::TooDeep);
                    }
                    self.stack.push(open);
                    continue;
                }
                Element::Whole(value) => value,
            };
            while let Some(open) = self.stack.pop() {
                match open.add(value) {
                    Ok(whole) => value = whole,
                    Err(open) => {
                        self.stack.push(open);
                        value = Value::Null;
                        break;
                    }
                }
            }
            if self.stack.is_empty() {
                (self.taken, self.wanted) = (0, 0);
                return Ok(Some(value));
            }
        }
    }

    fn element(&mut self, buf: &mut BytesMut, at: &mut usize) -> Result<Element, FrameError> {
        let rest = &buf[*at..];
        let Some(&tag) = rest.first() else {
            return Ok(Element::More(0));
        };
        if !matches!(
            tag,
            b'+' | b'-'
                | b':'
                | b'$'
                | b'*'
                | b'_'
                | b'%'
                | b'~'
                | b','
                | b'#'
                | b'('
                | b'='
                | b'!'
                | b'>'
                | b'|'
        ) {
            return Err(match tag {
                b'.' | b';' => FrameError::Streamed,
                _ => FrameError::UnknownType(tag),
            });
        }
        let from = self.scanned.max(1).min(rest.len());
        let Some(end) = memchr::memchr2(b'\r', b'\n', &rest[from..]).map(|i| from + i) else {
            if rest.len() > self.limits.line_max {
                return Err(FrameError::LineTooLong);
            }
            self.scanned = rest.len();
            return Ok(Element::More(0));
        };
        if end > self.limits.line_max {
            return Err(FrameError::LineTooLong);
        }
        match rest.get(end..end + 2) {
            Some(b"\r\n") => {}
            None if rest[end] == b'\r' => {
                self.scanned = end;
                return Ok(Element::More(0));
            }
            _ => return Err(FrameError::LineEnd),
        }
        let line = &rest[1..end];
        let used = end + 2;
        let element = match tag {
            b'$' | b'!' | b'=' => return self.payload(tag, used, buf, at),
            b'*' | b'%' | b'~' | b'>' | b'|' => {
                aggregate(tag, line, self.limits.bytes_max.saturating_sub(self.taken))?
            }
            _ => Element::Whole(scalar(tag, line)?),
        };
        self.scanned = 0;
        *at += used;
        Ok(element)
    }

    /// A string of announced length. Looks at its first line again for each read that brings a part of it.
    fn payload(
        &mut self,
        tag: u8,
        used: usize,
        buf: &mut BytesMut,
        at: &mut usize,
    ) -> Result<Element, FrameError> {
        let line = &buf[*at + 1..*at + used - 2];
        if line == b"-1" && tag == b'$' {
            (self.scanned, *at) = (0, *at + used);
            return Ok(Element::Whole(Value::Null));
        }
        let len = length(line)?;
        if len > self.limits.bulk_max {
            return Err(FrameError::BulkTooLong);
        }
        if self.taken.saturating_add(used).saturating_add(len) > self.limits.bytes_max {
            return Err(FrameError::FrameTooLong);
        }
        let start = *at + used;
        let whole = start + len + 2;
        if buf.len() < whole {
            // The line is short; it is found again at once.
            self.scanned = 0;
            return Ok(Element::More(whole - buf.len()));
        }
        if buf[start + len..whole] != *b"\r\n" {
            return Err(FrameError::LineEnd);
        }
        self.scanned = 0;
        self.wanted = 0;
        let bytes = if len < SLICED_BYTES {
            *at = whole;
            Bytes::copy_from_slice(&buf[start..start + len])
        } else {
            buf.advance(start);
            let bytes = buf.split_to(len).freeze();
            // `advance` counts what is gone by the difference of the rest, which is right for both ways.
            *at = 2;
            bytes
        };
        Ok(Element::Whole(match tag {
            b'$' => Value::Bulk(bytes),
            b'!' => Value::Error(bytes),
            _ => match bytes[..] {
                [a, b, c, b':', ..] => Value::Verbatim {
                    format: [a, b, c],
                    text: bytes.slice(4..),
                },
                _ => return Err(FrameError::Verbatim),
            },
        }))
    }
}

fn length(text: &[u8]) -> Result<usize, FrameError> {
    if text == b"?" {
        return Err(FrameError::Streamed);
    }
    parse_i64(text)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or(FrameError::Length)
}

/// `room` is how many bytes the value may still take, so that nobody waits for elements that cannot fit.
fn aggregate(tag: u8, line: &[u8], room: usize) -> Result<Element, FrameError> {
    if tag == b'*' && line == b"-1" {
        return Ok(Element::Whole(Value::Null));
    }
    let len = length(line)?;
    if len > room / ITEM_BYTES_MIN {
        return Err(FrameError::FrameTooLong);
    }
    let reserved = len.min(ITEMS_RESERVED);
    Ok(match (tag, len) {
        (b'%', 0) => Element::Whole(Value::Map(Vec::new())),
        (b'|', 0) => Element::Open(Open::Attributed(Vec::new())),
        (b'%' | b'|', _) => {
            Element::Open(Open::Pairs(tag, len, Vec::with_capacity(reserved), None))
        }
        (_, 0) => Element::Whole(list(tag, Vec::new())),
        _ => Element::Open(Open::List(tag, len, Vec::with_capacity(reserved))),
    })
}

fn list(tag: u8, values: Vec<Value>) -> Value {
    match tag {
        b'~' => Value::Set(values),
        b'>' => Value::Push(values),
        _ => Value::Array(values),
    }
}

fn scalar(tag: u8, text: &[u8]) -> Result<Value, FrameError> {
    let invalid = FrameError::Value(tag);
    Ok(match tag {
        b'+' if text == b"OK" => Value::ok(),
        b'+' => Value::Simple(Bytes::copy_from_slice(text)),
        b'-' => Value::Error(Bytes::copy_from_slice(text)),
        b':' => Value::Integer(parse_i64(text.strip_prefix(b"+").unwrap_or(text)).ok_or(invalid)?),
        b',' => Value::Double(ochre_resp::parse_double(text).ok_or(invalid)?),
        b'#' => Value::Boolean(match text {
            b"t" => true,
            b"f" => false,
            _ => return Err(invalid),
        }),
        b'(' => {
            let digits = text
                .strip_prefix(b"-")
                .or_else(|| text.strip_prefix(b"+"))
                .unwrap_or(text);
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(invalid);
            }
            Value::BigNumber(Bytes::copy_from_slice(text))
        }
        _ if text.is_empty() => Value::Null,
        _ => return Err(invalid),
    })
}

impl Open {
    /// Takes one more element: the whole value if it was the last, else itself.
    fn add(mut self, value: Value) -> Result<Value, Self> {
        match &mut self {
            Open::List(tag, missing, values) => {
                values.push(value);
                *missing -= 1;
                if *missing == 0 {
                    return Ok(list(*tag, std::mem::take(values)));
                }
            }
            Open::Pairs(tag, missing, pairs, key) => match key.take() {
                None => *key = Some(value),
                Some(key) => {
                    pairs.push((key, value));
                    *missing -= 1;
                    if *missing == 0 {
                        let pairs = std::mem::take(pairs);
                        return match tag {
                            b'%' => Ok(Value::Map(pairs)),
                            _ => Err(Open::Attributed(pairs)),
                        };
                    }
                }
            },
            Open::Attributed(pairs) => {
                return Ok(Value::Attribute(Box::new((std::mem::take(pairs), value))));
            }
        }
        Err(self)
    }
}

#[cfg(test)]
mod tests;
