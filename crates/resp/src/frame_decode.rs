//! The incremental decoder of [`Frame`]s: replies for clients, anything for tests.
//!
//! Invariants:
//! - Bytes are consumed as they come: finished elements and pieces of long payloads move into the decoder,
//!   so that the caller's buffer holds one unfinished line at most and nothing is decoded twice.
//! - Open aggregates lie on an own stack of at most `depth_max`; nothing recurses.
//! - Memory is reserved by bytes received, not by announced lengths: at most [`ITEMS_RESERVED`] elements ahead
//!   per open aggregate. A frame takes about 32 bytes per element besides its payload, an element 3 bytes on the wire.
//! - After an error every call returns it: the stream is lost.
//!
//! Streamed strings and aggregates (`$?`, `*?`) are refused; no server is known to send them.

use std::fmt;

use crate::frame::Frame;
use crate::number::{parse_i64, short_line};

/// Deepest nesting by default; Redis's own replies stay below ten, scripts can nest further.
pub const FRAME_DEPTH_MAX: usize = 128;
/// Longest simple string, error or number by default, in bytes.
pub const FRAME_LINE_MAX: usize = 64 * 1024;
/// Longest whole frame by default, in bytes on the wire.
pub const FRAME_BYTES_MAX: usize = 1 << 31;

/// Elements for which room is made before any has come.
const ITEMS_RESERVED: usize = 64;

/// What one frame may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Deepest nesting of aggregates.
    pub depth_max: usize,
    /// Longest simple string, error or number, in bytes; length lines of up to three digits always pass.
    pub line_max: usize,
    /// Longest bulk string, bulk error or verbatim string, in bytes.
    pub bulk_max: usize,
    /// Longest frame including all that it contains, in bytes.
    pub bytes_max: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            depth_max: FRAME_DEPTH_MAX,
            line_max: FRAME_LINE_MAX,
            bulk_max: crate::BULK_MAX,
            bytes_max: FRAME_BYTES_MAX,
        }
    }
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameError {
    /// No type starts with this byte.
    UnknownType(u8),
    /// A streamed string or aggregate.
    Streamed,
    /// A line or payload does not end in CRLF.
    LineEnd,
    /// A line above [`FrameLimits::line_max`].
    LineTooLong,
    /// A length that is no integer, or negative where null is not possible.
    Length,
    /// A payload above [`FrameLimits::bulk_max`].
    BulkTooLong,
    /// A frame above [`FrameLimits::bytes_max`].
    FrameTooLong,
    /// Nesting above [`FrameLimits::depth_max`].
    TooDeep,
    /// A malformed integer, double, boolean, big number or null; the byte is its type.
    Value(u8),
    /// A verbatim string without its three letters and colon.
    Verbatim,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => write!(f, "unknown type '{}'", byte.escape_ascii()),
            Self::Streamed => f.write_str("streamed values are not supported"),
            Self::LineEnd => f.write_str("missing CRLF"),
            Self::LineTooLong => f.write_str("line too long"),
            Self::Length => f.write_str("invalid length"),
            Self::BulkTooLong => f.write_str("bulk string too long"),
            Self::FrameTooLong => f.write_str("frame too long"),
            Self::TooDeep => f.write_str("nested too deeply"),
            Self::Value(tag) => write!(f, "invalid value of type '{}'", tag.escape_ascii()),
            Self::Verbatim => f.write_str("invalid verbatim string"),
        }
    }
}

impl std::error::Error for FrameError {}

/// What a call of [`FrameDecoder::decode`] brought.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "the consumed bytes must be removed from the buffer"]
pub struct Progress {
    /// Bytes of the buffer that are done with; the next call starts behind them.
    pub consumed: usize,
    /// The frame, if it is whole; otherwise more bytes are needed.
    pub frame: Option<Frame>,
}

/// An aggregate that misses elements.
#[derive(Debug)]
enum Open {
    List {
        tag: u8,
        missing: usize,
        frames: Vec<Frame>,
    },
    Pairs {
        tag: u8,
        missing: usize,
        key: Option<Frame>,
        pairs: Vec<(Frame, Frame)>,
    },
    /// Attributes that wait for their value.
    Attributed { pairs: Vec<(Frame, Frame)> },
}

/// A payload that misses bytes.
#[derive(Debug)]
struct Payload {
    tag: u8,
    len: usize,
    have: Vec<u8>,
}

/// What one element turned out to be.
enum Element {
    Whole(Frame),
    Open(Open),
    Payload(Payload),
}

/// Decodes one frame after the other; keep one per connection.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    limits: FrameLimits,
    stack: Vec<Open>,
    payload: Option<Payload>,
    /// Bytes of the unfinished line already searched for its end.
    scanned: usize,
    /// Bytes taken of the current frame.
    taken: usize,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// A decoder at the start of a frame.
    #[must_use]
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes what `buf` brings, up to the end of one frame. `buf` starts behind what earlier calls consumed.
    ///
    /// # Errors
    /// When the bytes are no frame within the limits; there is no way to go on.
    pub fn decode(&mut self, buf: &[u8]) -> Result<Progress, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.advance(buf);
        if let Err(error) = result {
            self.failed = Some(error);
            self.stack = Vec::new();
            self.payload = None;
        }
        result
    }

    /// Bytes known to be missing for the payload being read, its line end included; 0 if unknown.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.payload
            .as_ref()
            .map_or(0, |payload| payload.len - payload.have.len() + 2)
    }

    /// Whether it stands between two frames, where a stream may end.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.taken == 0 && self.scanned == 0 && self.failed.is_none()
    }

    fn advance(&mut self, buf: &[u8]) -> Result<Progress, FrameError> {
        let mut consumed = 0;
        loop {
            let rest = &buf[consumed..];
            let (used, element) = match self.payload.take() {
                Some(payload) => self.fill(payload, rest)?,
                None => match self.line(rest)? {
                    Some((used, element)) => (used, Some(element)),
                    None => {
                        return Ok(Progress {
                            consumed,
                            frame: None,
                        });
                    }
                },
            };
            consumed += used;
            self.taken += used;
            let frame = match element {
                None => {
                    return Ok(Progress {
                        consumed,
                        frame: None,
                    });
                }
                Some(Element::Payload(payload)) => {
                    self.payload = Some(payload);
                    continue;
                }
                Some(Element::Open(open)) => {
                    if self.stack.len() >= self.limits.depth_max {
                        return Err(FrameError::TooDeep);
                    }
                    self.stack.push(open);
                    continue;
                }
                Some(Element::Whole(frame)) => frame,
            };
            if let Some(frame) = self.close(frame) {
                self.taken = 0;
                return Ok(Progress {
                    consumed,
                    frame: Some(frame),
                });
            }
        }
    }

    /// Hands a finished frame to the aggregate it belongs to; returns the outermost one once that is finished.
    fn close(&mut self, mut frame: Frame) -> Option<Frame> {
        while let Some(open) = self.stack.pop() {
            match open.add(frame) {
                Ok(whole) => frame = whole,
                Err(open) => {
                    self.stack.push(open);
                    return None;
                }
            }
        }
        Some(frame)
    }

    /// Reads the line at the start of `rest`, and makes of it what its type byte says.
    fn line(&mut self, rest: &[u8]) -> Result<Option<(usize, Element)>, FrameError> {
        let Some(&tag) = rest.first() else {
            return Ok(None);
        };
        // A wrong first byte is told at once, not after a line that may never end.
        if !b"+-:$*_%~,#(=!>|".contains(&tag) {
            return Err(if b".;".contains(&tag) {
                FrameError::Streamed
            } else {
                FrameError::UnknownType(tag)
            });
        }
        if let Some((n, used)) = short_line(&rest[1..])
            && let Some(element) = self.sized(tag, n, 1 + used)?
        {
            self.scanned = 0;
            return Ok(Some((1 + used, element)));
        }
        let from = self.scanned.min(rest.len());
        let found = memchr::memchr2(b'\r', b'\n', &rest[from..]).map(|at| from + at);
        let end = found.unwrap_or(rest.len());
        if end > self.limits.line_max {
            return Err(FrameError::LineTooLong);
        }
        self.scanned = end;
        match (found, rest.get(end..end + 2)) {
            (None, _) => Ok(None),
            (Some(_), None) if rest[end] == b'\r' => Ok(None),
            (Some(_), Some(b"\r\n")) => {
                self.scanned = 0;
                let used = end + 2;
                self.room(used)?;
                Ok(Some((used, self.element(tag, &rest[1..end], used)?)))
            }
            _ => Err(FrameError::LineEnd),
        }
    }

    fn element(&mut self, tag: u8, text: &[u8], used: usize) -> Result<Element, FrameError> {
        let invalid = FrameError::Value(tag);
        Ok(Element::Whole(match tag {
            b'+' => Frame::Simple(text.to_vec()),
            b'-' => Frame::Error(text.to_vec()),
            b':' => {
                Frame::Integer(parse_i64(text.strip_prefix(b"+").unwrap_or(text)).ok_or(invalid)?)
            }
            b',' => Frame::Double(parse_double(text).ok_or(invalid)?),
            b'#' => Frame::Boolean(match text {
                b"t" => true,
                b"f" => false,
                _ => return Err(invalid),
            }),
            b'(' => Frame::BigNumber(parse_big_number(text).ok_or(invalid)?),
            b'_' if text.is_empty() => Frame::Null,
            b'_' => return Err(invalid),
            b'$' if text == b"-1" => Frame::Null,
            b'*' if text == b"-1" => Frame::NullArray,
            _ if text == b"?" => return Err(FrameError::Streamed),
            _ => {
                let len = parse_i64(text)
                    .and_then(|len| usize::try_from(len).ok())
                    .ok_or(FrameError::Length)?;
                return self.sized(tag, len, used)?.ok_or(FrameError::Length);
            }
        }))
    }

    /// The types whose line is a length; `None` for the others.
    fn sized(&self, tag: u8, len: usize, used: usize) -> Result<Option<Element>, FrameError> {
        match tag {
            b'$' | b'!' | b'=' => {
                if len > self.limits.bulk_max {
                    return Err(FrameError::BulkTooLong);
                }
                self.room(used.saturating_add(len))?;
                Ok(Some(Element::Payload(Payload {
                    tag,
                    len,
                    have: Vec::new(),
                })))
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                // An element takes at least three bytes, so that an impossible count is told before it is awaited.
                self.room(used.saturating_add(len.saturating_mul(3)))?;
                Ok(Some(Open::element(tag, len)))
            }
            _ => Ok(None),
        }
    }

    /// Moves what `rest` has of the payload; the frame once it is whole, else the payload stays open.
    fn fill(
        &mut self,
        mut payload: Payload,
        rest: &[u8],
    ) -> Result<(usize, Option<Element>), FrameError> {
        let taken = (payload.len - payload.have.len()).min(rest.len());
        payload.append(&rest[..taken]);
        let end = &rest[taken..];
        match end {
            [b'\r', b'\n', ..] if payload.have.len() == payload.len => {
                self.room(taken + 2)?;
                Ok((taken + 2, Some(Element::Whole(payload.frame()?))))
            }
            [] | [b'\r'] => {
                self.payload = Some(payload);
                Ok((taken, None))
            }
            _ => Err(FrameError::LineEnd),
        }
    }

    /// Fails if `more` bytes would make the frame too long.
    fn room(&self, more: usize) -> Result<(), FrameError> {
        if self.taken.saturating_add(more) > self.limits.bytes_max {
            Err(FrameError::FrameTooLong)
        } else {
            Ok(())
        }
    }
}

impl Open {
    /// An aggregate of `len` elements or pairs; whole at once if it has none.
    fn element(tag: u8, len: usize) -> Element {
        let reserved = len.min(ITEMS_RESERVED);
        match (tag, len) {
            (b'%', 0) => Element::Whole(Frame::Map(Vec::new())),
            (b'|', 0) => Element::Open(Self::Attributed { pairs: Vec::new() }),
            (b'%' | b'|', _) => Element::Open(Self::Pairs {
                tag,
                missing: len,
                key: None,
                pairs: Vec::with_capacity(reserved),
            }),
            (_, 0) => Element::Whole(Self::list(tag, Vec::new())),
            _ => Element::Open(Self::List {
                tag,
                missing: len,
                frames: Vec::with_capacity(reserved),
            }),
        }
    }

    fn list(tag: u8, frames: Vec<Frame>) -> Frame {
        match tag {
            b'~' => Frame::Set(frames),
            b'>' => Frame::Push(frames),
            _ => Frame::Array(frames),
        }
    }

    /// Takes one more element: the whole frame if it was the last, else itself.
    fn add(mut self, frame: Frame) -> Result<Frame, Self> {
        match &mut self {
            Self::List {
                tag,
                missing,
                frames,
            } => {
                frames.push(frame);
                *missing -= 1;
                if *missing == 0 {
                    return Ok(Self::list(*tag, std::mem::take(frames)));
                }
            }
            Self::Pairs {
                tag,
                missing,
                key,
                pairs,
            } => match key.take() {
                None => *key = Some(frame),
                Some(key) => {
                    pairs.push((key, frame));
                    *missing -= 1;
                    match (*missing, *tag) {
                        (0, b'%') => return Ok(Frame::Map(std::mem::take(pairs))),
                        (0, _) => {
                            return Err(Self::Attributed {
                                pairs: std::mem::take(pairs),
                            });
                        }
                        _ => {}
                    }
                }
            },
            Self::Attributed { pairs } => {
                return Ok(Frame::Attribute(std::mem::take(pairs), Box::new(frame)));
            }
        }
        Err(self)
    }
}

impl Payload {
    /// Grows by doubling up to the announced length, which it reserves at once only if that much has come.
    fn append(&mut self, bytes: &[u8]) {
        let needed = self.have.len() + bytes.len();
        if needed > self.have.capacity() {
            let capacity = self
                .have
                .capacity()
                .saturating_mul(2)
                .clamp(needed, self.len.max(needed));
            self.have.reserve_exact(capacity - self.have.len());
        }
        self.have.extend_from_slice(bytes);
    }

    fn frame(self) -> Result<Frame, FrameError> {
        match (self.tag, self.have.as_slice()) {
            (b'!', _) => Ok(Frame::Error(self.have)),
            (b'=', &[a, b, c, b':', ref text @ ..]) => Ok(Frame::Verbatim {
                format: [a, b, c],
                text: text.to_vec(),
            }),
            (b'=', _) => Err(FrameError::Verbatim),
            _ => Ok(Frame::Bulk(self.have)),
        }
    }
}

/// The double of a RESP3 reply: `inf`, `-inf`, `nan`, or digits with point and exponent. `None` for anything else.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    match text {
        b"inf" | b"+inf" => Some(f64::INFINITY),
        b"-inf" => Some(f64::NEG_INFINITY),
        // compat: Redis 7.0 sends what the C library prints, `-nan` among others.
        b"nan" | b"-nan" => Some(f64::NAN),
        _ if text.iter().all(|byte| b"0123456789+-.eE".contains(byte)) => {
            std::str::from_utf8(text).ok()?.parse().ok()
        }
        _ => None,
    }
}

fn parse_big_number(text: &[u8]) -> Option<String> {
    let digits = text
        .strip_prefix(b"-")
        .or_else(|| text.strip_prefix(b"+"))
        .unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests;
