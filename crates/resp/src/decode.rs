//! The request decoder of the server side: bytes to argument spans, nothing copied.
//!
//! Invariants:
//! - The caller's buffer starts at the same request byte on every call until `Complete`; offsets count from there.
//! - A call resumes at `pos` (first byte not yet taken) and, inside an unfinished line, at `scanned`.
//! - `spans` grows by arguments received, never by the announced count; memory is bounded by the buffer.
//! - Limits apply to positions in the stream, not to what one read happened to bring, so that the outcome does
//!   not depend on how the stream is cut. Redis takes an over-long line when its end arrives in the same read.
//! - After an error every call returns that error until [`Decoder::reset`].
//!
//! compat: a line of a multibulk request ends at CR and the byte after it is skipped unseen, as are the two
//! bytes after a bulk; `*1\rX$4\rYPINGZZ` is a PING for Redis, too. A NUL byte, which stops Redis from ever
//! seeing the end of its line, has no meaning here.
//! Cost: GET with a short key takes no allocation and no search; lines are matched as up to three digits first.

use crate::number::{SHORT_DIGITS, SHORT_MAX, parse_i64, short_line};
use crate::protocol_error::ProtocolError;
use crate::quote;
use crate::request::{Request, Span};

/// Longest inline request and longest count line, in bytes (Redis has no setting for it).
pub const INLINE_MAX: usize = 64 * 1024;
/// Highest argument count of one request; Redis 7.0.15 takes 2^31 - 1 and not one more.
pub const ARGS_MAX: usize = 0x7fff_ffff;
/// Default of `proto-max-bulk-len`, in bytes.
pub const BULK_MAX: usize = 512 * 1024 * 1024;
/// Highest argument count before authentication.
pub const UNAUTHENTICATED_ARGS_MAX: usize = 10;
/// Longest argument before authentication, in bytes.
pub const UNAUTHENTICATED_BULK_MAX: usize = 16 * 1024;

/// Short count lines are taken without a look at the limit, which therefore never goes below them.
const SHORT_LINE: usize = 1 + SHORT_DIGITS;
/// Capacity that a decoder keeps across requests, in arguments; more is given back by `reset`.
const SPANS_KEPT: usize = 1024;
/// Capacity that a decoder keeps for inline arguments, in bytes.
const SCRATCH_KEPT: usize = 1024;

/// What one request may look like. May change between requests, for instance by `AUTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest inline request and longest count line, in bytes; below 4 it acts as 4 on count lines.
    pub inline_max: usize,
    /// Highest argument count.
    pub args_max: usize,
    /// Longest argument, in bytes (`proto-max-bulk-len`).
    pub bulk_max: usize,
    /// The peer has yet to authenticate: [`UNAUTHENTICATED_ARGS_MAX`] and [`UNAUTHENTICATED_BULK_MAX`] hold as well.
    pub unauthenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inline_max: INLINE_MAX,
            args_max: ARGS_MAX,
            bulk_max: BULK_MAX,
            unauthenticated: false,
        }
    }
}

/// How far a call of [`Decoder::decode`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A whole request; it may be empty (blank line, count below one), and is then to be skipped.
    Complete {
        /// Bytes of the buffer that belong to it, line end included.
        consumed: usize,
    },
    /// More bytes are needed.
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the request is known yet.
    Start,
    /// At a `$` line, with `remaining` arguments to come.
    Length,
    /// At the payload of an argument of `bulk` bytes.
    Bulk,
    /// Arguments lie in the caller's buffer.
    Complete,
    /// Arguments lie in `scratch`.
    CompleteInline,
    Failed(ProtocolError),
}

/// Decodes one request after the other; keep one per connection.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    pos: usize,
    scanned: usize,
    remaining: usize,
    bulk: usize,
    wanted: usize,
    spans: Vec<Span>,
    scratch: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a request.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Start,
            pos: 0,
            scanned: 0,
            remaining: 0,
            bulk: 0,
            wanted: 0,
            spans: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Goes on with the request that starts at the first byte of `buf`.
    ///
    /// `buf` holds at least what it held at the last call. Complete stays complete until [`Decoder::reset`].
    ///
    /// # Errors
    /// When the bytes are no request within `limits`; the stream has no usable continuation then.
    #[inline]
    pub fn decode(&mut self, buf: &[u8], limits: &Limits) -> Result<Decoded, ProtocolError> {
        if self.state == State::Start && self.short_request(buf, limits) {
            return Ok(Decoded::Complete { consumed: self.pos });
        }
        self.decode_any(buf, limits)
    }

    /// As [`Self::decode`], for whatever comes.
    #[inline(never)] // off the way of short requests
    fn decode_any(&mut self, buf: &[u8], limits: &Limits) -> Result<Decoded, ProtocolError> {
        let outcome = match self.state {
            State::Start => match buf.first() {
                None => Ok(false),
                Some(b'*') => self.count(buf, limits),
                Some(_) => self.inline(buf, limits),
            },
            State::Length | State::Bulk => self.args(buf, limits),
            State::Complete | State::CompleteInline => Ok(true),
            State::Failed(error) => Err(error),
        };
        match outcome {
            Ok(true) => Ok(Decoded::Complete { consumed: self.pos }),
            Ok(false) => Ok(Decoded::Incomplete),
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    /// The decoded request; `buf` as it was given to `decode`. Empty unless `decode` has returned `Complete`.
    #[inline]
    #[must_use]
    pub fn request<'a>(&'a self, buf: &'a [u8]) -> Request<'a> {
        match self.state {
            State::Complete => Request::new(buf, &self.spans),
            State::CompleteInline => Request::new(&self.scratch, &self.spans),
            _ => Request::new(&[], &[]),
        }
    }

    /// Bytes known to be missing for the argument being read, its line end included; 0 if unknown.
    ///
    /// The peer announces this number, so reserve no more of it than a cap that the connection sets.
    #[must_use]
    pub fn wanted(&self) -> usize {
        if self.state == State::Bulk {
            self.wanted
        } else {
            0
        }
    }

    /// Gets ready for the next request, and gives back memory that an unusually large one took.
    #[inline]
    pub fn reset(&mut self) {
        self.state = State::Start;
        self.pos = 0;
        self.scanned = 0;
        self.spans.clear();
        self.scratch.clear();
        if self.spans.capacity() > SPANS_KEPT {
            self.spans.shrink_to(SPANS_KEPT);
        }
        if self.scratch.capacity() > SCRATCH_KEPT {
            self.scratch.shrink_to(SCRATCH_KEPT);
        }
    }

    /// Takes a whole request of up to nine short arguments: nearly all in practice. Whether it was one; if not, nothing was
    /// taken.
    #[inline]
    fn short_request(&mut self, buf: &[u8], limits: &Limits) -> bool {
        let Some([b'*', count @ b'1'..=b'9', b'\r', b'\n']) = buf.first_chunk() else {
            return false;
        };
        let count = usize::from(count - b'0');
        if count > limits.args_max {
            return false;
        }
        let (pos, missing) = self.short_args(buf, 4, count, limits);
        if missing > 0 {
            self.spans.clear();
            return false;
        }
        self.pos = pos;
        self.state = State::Complete;
        true
    }

    /// `*<count>CRLF`, then the arguments.
    fn count(&mut self, buf: &[u8], limits: &Limits) -> Result<bool, ProtocolError> {
        let count = match short_line(&buf[1..]) {
            Some((count, used)) => {
                self.pos = 1 + used;
                count
            }
            None => match self.count_line(buf, limits)? {
                Some(count) => count,
                None => return Ok(false),
            },
        };
        if count > limits.args_max {
            return Err(ProtocolError::InvalidArgCount);
        }
        if limits.unauthenticated && count > UNAUTHENTICATED_ARGS_MAX {
            return Err(ProtocolError::UnauthenticatedArgCount);
        }
        self.remaining = count;
        self.state = State::Length;
        self.args(buf, limits)
    }

    #[cold]
    fn count_line(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self
            .line(buf, limits)
            .map_err(|LineTooLong| ProtocolError::ArgCountLineTooBig)?
        else {
            return Ok(None);
        };
        let count = parse_i64(&line[1..]).ok_or(ProtocolError::InvalidArgCount)?;
        // compat: a count below zero is an empty request, not an error.
        usize::try_from(count.max(0))
            .map(Some)
            .map_err(|_| ProtocolError::InvalidArgCount)
    }

    /// Takes arguments until none is missing (true) or the buffer ends (false).
    fn args(&mut self, buf: &[u8], limits: &Limits) -> Result<bool, ProtocolError> {
        if self.state == State::Bulk && !self.payload(buf) {
            return Ok(false);
        }
        (self.pos, self.remaining) = self.short_args(buf, self.pos, self.remaining, limits);
        while self.remaining > 0 {
            let Some(len) = self.length_line(buf, limits)? else {
                return Ok(false);
            };
            if len > limits.bulk_max {
                return Err(ProtocolError::InvalidBulkLength);
            }
            if limits.unauthenticated && len > UNAUTHENTICATED_BULK_MAX {
                return Err(ProtocolError::UnauthenticatedBulkLength);
            }
            self.bulk = len;
            if !self.payload(buf) {
                self.state = State::Bulk;
                return Ok(false);
            }
            (self.pos, self.remaining) = self.short_args(buf, self.pos, self.remaining, limits);
        }
        self.state = State::Complete;
        Ok(true)
    }

    /// Takes up to `count` arguments from `pos` on, as long as they are short and complete: nearly all in practice. Returns
    /// where the next one begins, and how many are missing.
    #[inline]
    fn short_args(
        &mut self,
        buf: &[u8],
        mut pos: usize,
        mut count: usize,
        limits: &Limits,
    ) -> (usize, usize) {
        // Short lengths are below what a peer may send before it has authenticated.
        const { assert!(SHORT_MAX <= UNAUTHENTICATED_BULK_MAX) };
        while count > 0
            && let Some([b'$', digits @ ..]) = buf.get(pos..)
            && let Some((len, used)) = short_line(digits)
        {
            let start = pos + 1 + used;
            let end = start + len + 2;
            if len > limits.bulk_max || end > buf.len() {
                break;
            }
            self.spans.push(Span::new(start, len));
            pos = end;
            count -= 1;
        }
        (pos, count)
    }

    #[cold]
    fn length_line(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self
            .line(buf, limits)
            .map_err(|LineTooLong| ProtocolError::BulkLengthLineTooBig)?
        else {
            return Ok(None);
        };
        match line {
            [b'$', digits @ ..] => {
                let len = parse_i64(digits).ok_or(ProtocolError::InvalidBulkLength)?;
                usize::try_from(len)
                    .map(Some)
                    .map_err(|_| ProtocolError::InvalidBulkLength)
            }
            // compat: an empty line shows its CR, which the reply prints as a space.
            _ => Err(ProtocolError::ExpectedBulk(
                line.first().copied().unwrap_or(b'\r'),
            )),
        }
    }

    /// Takes the payload of `bulk` bytes at `pos` if it is all there.
    #[inline]
    fn payload(&mut self, buf: &[u8]) -> bool {
        let have = buf.len().saturating_sub(self.pos);
        let need = self.bulk.saturating_add(2);
        if have < need {
            self.wanted = need - have;
            return false;
        }
        self.spans.push(Span::new(self.pos, self.bulk));
        self.pos += need;
        self.remaining -= 1;
        self.state = State::Length;
        true
    }

    /// The line at `pos` without its end, once CR and the byte after it are there; moves `pos` behind them.
    fn line<'b>(
        &mut self,
        buf: &'b [u8],
        limits: &Limits,
    ) -> Result<Option<&'b [u8]>, LineTooLong> {
        let rest = buf.get(self.pos..).unwrap_or(&[]);
        let from = self.scanned.saturating_sub(self.pos).min(rest.len());
        let found = memchr::memchr(b'\r', &rest[from..]).map(|at| from + at);
        let seen = found.unwrap_or(rest.len());
        if seen > limits.inline_max.max(SHORT_LINE) {
            return Err(LineTooLong);
        }
        // The CR itself is looked at again, to find it when the byte after it has come.
        self.scanned = self.pos + seen;
        match found {
            Some(end) if end + 1 < rest.len() => {
                self.pos += end + 2;
                Ok(Some(&rest[..end]))
            }
            _ => Ok(None),
        }
    }

    /// A line of blank-separated words, ended by LF or CRLF.
    #[cold]
    fn inline(&mut self, buf: &[u8], limits: &Limits) -> Result<bool, ProtocolError> {
        let from = self.scanned.min(buf.len());
        let found = memchr::memchr(b'\n', &buf[from..]).map(|at| from + at);
        let seen = &buf[..found.unwrap_or(buf.len())];
        // A CR at the end does not count, as it may turn out to belong to the line end.
        let line = seen.strip_suffix(b"\r").unwrap_or(seen);
        if line.len() > limits.inline_max {
            return Err(ProtocolError::InlineTooBig);
        }
        let Some(end) = found else {
            self.scanned = buf.len();
            return Ok(false);
        };
        quote::split_into(line, &mut self.scratch, &mut self.spans)?;
        self.pos = end + 1;
        self.state = State::CompleteInline;
        Ok(true)
    }
}

/// No line end within the limit; which error that is depends on the line.
struct LineTooLong;

#[cfg(test)]
mod tests;
