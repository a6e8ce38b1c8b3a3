//! Counts replies in a stream of bytes, and notices errors; everything else is skipped.
//!
//! Invariants
//! - Any division of the stream into pieces gives the same replies.
//! - What is kept between pieces is bounded: an incomplete line of [`LINE_LIMIT`], an error's text of [`TEXT_LIMIT`].
//! - Nested replies need no stack: the values still missing are a number.
//! - It does not look at values: a wrong answer is an answer.

use std::fmt;

/// Longest line that begins a value, which includes simple strings and simple errors.
const LINE_LIMIT: usize = 64 * 1024;
/// What is kept of an error's text.
pub(crate) const TEXT_LIMIT: usize = 512;
/// Longest string that a header may announce, and most values of one aggregate.
const LENGTH_LIMIT: u64 = 1 << 40;

/// What one request was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    Value,
    /// With the beginning of its text.
    Error(&'a [u8]),
}

/// The stream is no RESP; says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where in the stream of one connection we are.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// Values missing of the reply under way; 0 between replies.
    missing: u64,
    /// Bytes of a string still to come, with its line end.
    skip: u64,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The reply under way answers no request.
    is_push: bool,
    /// The reply under way is an array or the like, so that errors in it are values.
    is_aggregate: bool,
    /// The reply under way is an error.
    is_error: bool,
    /// Beginning of the error's text.
    text: Vec<u8>,
}

impl Scanner {
    /// Reads the next piece of the stream, and calls `on_reply` for each reply that it completes.
    ///
    /// # Errors
    /// When the stream is not RESP; the connection is then of no more use.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        mut on_reply: impl FnMut(Reply<'_>),
    ) -> Result<(), Malformed> {
        while !input.is_empty() {
            if self.skip > 0 {
                input = self.string(input, &mut on_reply)?;
                continue;
            }
            let end = memchr::memchr(b'\n', input);
            let held = self.line.len();
            if held + end.unwrap_or(input.len()) > LINE_LIMIT {
                return Err(Malformed(format!("a line of more than {LINE_LIMIT} bytes")));
            }
            let Some(end) = end else {
                self.known_type(input[0])?;
                self.line.extend_from_slice(input);
                return Ok(());
            };
            let (line, rest) = input.split_at(end + 1);
            input = rest;
            if held == 0 {
                self.header(line, &mut on_reply)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.header(&whole, &mut on_reply)?;
                whole.clear();
                self.line = whole;
            }
        }
        Ok(())
    }

    /// Refuses what cannot begin a line at once, and does not wait for its end.
    fn known_type(&self, first: u8) -> Result<(), Malformed> {
        if self.line.is_empty() && !b"+-:$*_#,(!=%~>|".contains(&first) {
            return Err(unknown(first));
        }
        Ok(())
    }

    /// Skips what `input` has of the string under way; returns the rest.
    fn string<'a>(
        &mut self,
        input: &'a [u8],
        on_reply: &mut impl FnMut(Reply<'_>),
    ) -> Result<&'a [u8], Malformed> {
        let n = usize::try_from(self.skip).map_or(input.len(), |skip| skip.min(input.len()));
        let (bytes, rest) = input.split_at(n);
        let before = self.skip;
        self.skip -= n as u64;
        // The line end is the last two bytes, which may come in two pieces.
        for (left, &byte) in (self.skip..before).zip(bytes.iter().rev()).take(2) {
            let expected = match left {
                0 => b'\n',
                1 => b'\r',
                _ => break,
            };
            if byte != expected {
                return Err(Malformed("a string without its line end".to_owned()));
            }
        }
        if self.is_error && self.missing == 1 {
            let payload = usize::try_from(before.saturating_sub(2)).unwrap_or(usize::MAX);
            let keep = bytes.len().min(payload);
            self.keep_text(&bytes[..keep]);
        }
        if self.skip == 0 {
            self.value_done(on_reply);
        }
        Ok(rest)
    }

    fn keep_text(&mut self, bytes: &[u8]) {
        let room = TEXT_LIMIT.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Reads a whole line, with its end.
    fn header(
        &mut self,
        line: &[u8],
        on_reply: &mut impl FnMut(Reply<'_>),
    ) -> Result<(), Malformed> {
        let Some((&kind, rest)) = line.split_first() else {
            return Ok(());
        };
        let Some(rest) = rest.strip_suffix(b"\r\n") else {
            self.known_type(kind)?;
            return Err(Malformed("a line that ends without CR".to_owned()));
        };
        if self.missing == 0 {
            self.missing = 1;
            self.is_push = false;
            self.is_aggregate = false;
            self.is_error = false;
        }
        match kind {
            b'+' | b':' | b',' | b'#' | b'_' | b'(' => self.value_done(on_reply),
            b'-' => {
                if self.is_outermost() {
                    self.is_error = true;
                    self.text.clear();
                    self.keep_text(rest);
                }
                self.value_done(on_reply);
            }
            b'$' | b'=' | b'!' => match length(rest)? {
                None if kind == b'$' => self.value_done(on_reply),
                None => return Err(Malformed("a negative length".to_owned())),
                Some(length) => {
                    if kind == b'!' && self.is_outermost() {
                        self.is_error = true;
                        self.text.clear();
                    }
                    self.skip = length + 2;
                }
            },
            b'*' | b'~' => {
                self.aggregate(length(rest)?.unwrap_or(0))?;
                self.value_done(on_reply);
            }
            b'%' => {
                self.aggregate(length(rest)?.unwrap_or(0) * 2)?;
                self.value_done(on_reply);
            }
            // An attribute comes before the value that it says something of, which stays missing.
            b'|' => self.expect(length(rest)?.unwrap_or(0) * 2)?,
            b'>' => {
                if !self.is_outermost() {
                    return Err(Malformed("a push inside of a reply".to_owned()));
                }
                self.is_push = true;
                self.aggregate(length(rest)?.unwrap_or(0))?;
                self.value_done(on_reply);
            }
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    /// Whether the value that begins is the reply itself, and none of the values in it or in an attribute before it.
    fn is_outermost(&self) -> bool {
        self.missing == 1 && !self.is_aggregate
    }

    fn aggregate(&mut self, values: u64) -> Result<(), Malformed> {
        self.is_aggregate |= self.is_outermost();
        self.expect(values)
    }

    fn expect(&mut self, values: u64) -> Result<(), Malformed> {
        self.missing += values;
        if self.missing > LENGTH_LIMIT {
            return Err(Malformed("too many values".to_owned()));
        }
        Ok(())
    }

    fn value_done(&mut self, on_reply: &mut impl FnMut(Reply<'_>)) {
        self.missing -= 1;
        if self.missing == 0 && !self.is_push {
            on_reply(match self.is_error {
                true => Reply::Error(&self.text),
                false => Reply::Value,
            });
        }
    }
}

fn unknown(kind: u8) -> Malformed {
    let kind = kind.escape_ascii();
    Malformed(format!("Protocol error, got \"{kind}\" as reply type byte"))
}

/// A length; `None` for a null's.
fn length(digits: &[u8]) -> Result<Option<u64>, Malformed> {
    if digits == b"-1" {
        return Ok(None);
    }
    let mut value = 0;
    for &digit in digits {
        let is_digit = digit.is_ascii_digit();
        value = value * 10 + u64::from(digit.wrapping_sub(b'0'));
        if !is_digit || value > LENGTH_LIMIT {
            let digits = digits[..digits.len().min(32)].escape_ascii();
            return Err(Malformed(format!("'{digits}' is no length")));
        }
    }
    match digits.is_empty() {
        true => Err(Malformed("no length".to_owned())),
        false => Ok(Some(value)),
    }
}

#[cfg(test)]
mod tests;
