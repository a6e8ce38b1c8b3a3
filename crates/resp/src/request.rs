//! A request as borrowed or owned argument slices.
//!
//! Invariant: every span lies inside the bytes it was made for; looked up in others it gives `None`, not a panic.
//! Cost: `Request` is four words and copies freely; getting an argument is two bounds checks.

use std::fmt;
use std::ops::Index;

use crate::encode;

/// Where an argument lies, relative to the first byte of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: usize,
    len: usize,
}

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    /// Offset of the first byte.
    #[must_use]
    pub fn start(self) -> usize {
        self.start
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether the argument is the empty string.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn of(self, buf: &[u8]) -> Option<&[u8]> {
        buf.get(self.start..)?.get(..self.len)
    }
}

/// A decoded request: its arguments, the command name first, as slices of a buffer.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    buf: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Request<'a> {
    #[inline]
    pub(crate) fn new(buf: &'a [u8], spans: &'a [Span]) -> Self {
        Self { buf, spans }
    }

    /// The bytes that the request lies in, and where its arguments lie in them, in ascending order.
    #[inline]
    pub(crate) fn parts(&self) -> (&'a [u8], &'a [Span]) {
        (self.buf, self.spans)
    }

    /// Number of arguments, the command name included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is nothing to execute: an empty line, or a count of zero or less.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `index`, 0 being the command name; `None` past the end.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index)?.of(self.buf)
    }

    /// Argument `index` as a little-endian number, and its length, if it has one to eight bytes. `None` also when fewer
    /// than eight bytes of the buffer are left from where it begins: use [`Request::get`] then.
    #[inline]
    #[must_use]
    pub fn short_word(&self, index: usize) -> Option<(u64, usize)> {
        let span = self.spans.get(index)?;
        let bytes = self.buf.get(span.start..)?.first_chunk()?;
        let behind = 8usize.checked_sub(span.len).filter(|n| *n < 8)?;
        Some((
            u64::from_le_bytes(*bytes) & u64::MAX >> (8 * behind),
            span.len,
        ))
    }

    /// The arguments in order.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> Args<'a> {
        Args {
            buf: self.buf,
            spans: self.spans.iter(),
        }
    }

    /// The request without its first `from` arguments; empty if it has no more than those.
    #[inline]
    #[must_use]
    pub fn tail(&self, from: usize) -> Request<'a> {
        Request {
            buf: self.buf,
            spans: self.spans.get(from..).unwrap_or(&[]),
        }
    }

    /// Sum of the argument lengths in bytes, without framing.
    #[must_use]
    pub fn args_bytes(&self) -> usize {
        self.spans.iter().map(|span| span.len).sum()
    }

    /// Copies the arguments into one owned buffer.
    #[must_use]
    pub fn to_buf(&self) -> RequestBuf {
        let mut owned = RequestBuf::with_capacity(self.len(), self.args_bytes());
        owned.extend(self.iter());
        owned
    }

    /// Appends the request in its wire form, an array of bulk strings.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode::write_request(out, self.iter());
    }
}

impl Index<usize> for Request<'_> {
    type Output = [u8];

    /// # Panics
    /// When `index` is not below [`Request::len`]; for callers that have checked the arity.
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        let span = self.spans[index];
        &self.buf[span.start..][..span.len]
    }
}

impl<'a> IntoIterator for Request<'a> {
    type Item = &'a [u8];
    type IntoIter = Args<'a>;

    fn into_iter(self) -> Args<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Request<'a> {
    type Item = &'a [u8];
    type IntoIter = Args<'a>;

    fn into_iter(self) -> Args<'a> {
        self.iter()
    }
}

impl PartialEq for Request<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Request<'_> {}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                self.iter()
                    .map(<[u8]>::escape_ascii)
                    .map(|text| text.to_string()),
            )
            .finish()
    }
}

/// The arguments of a [`Request`] in order.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    buf: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.spans.next()?.of(self.buf)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl DoubleEndedIterator for Args<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.spans.next_back()?.of(self.buf)
    }
}

impl ExactSizeIterator for Args<'_> {}

impl std::iter::FusedIterator for Args<'_> {}

/// An owned request, for queued transactions, replay and tests: two allocations however many arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestBuf {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl RequestBuf {
    /// Copies the arguments, the command name first.
    pub fn new<I>(args: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut owned = Self::default();
        owned.extend(args);
        owned
    }

    /// An empty request with room for `args` arguments of `bytes` bytes together.
    #[must_use]
    pub fn with_capacity(args: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            spans: Vec::with_capacity(args),
        }
    }

    /// Appends an argument.
    pub fn push(&mut self, arg: &[u8]) {
        self.spans.push(Span::new(self.bytes.len(), arg.len()));
        self.bytes.extend_from_slice(arg);
    }

    /// Drops the arguments and keeps the memory, for the next request.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// The request as handlers take it.
    #[inline]
    #[must_use]
    pub fn as_request(&self) -> Request<'_> {
        Request::new(&self.bytes, &self.spans)
    }

    /// Heap bytes held, for memory accounting.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>()
    }
}

impl<A: AsRef<[u8]>> Extend<A> for RequestBuf {
    fn extend<I: IntoIterator<Item = A>>(&mut self, args: I) {
        for arg in args {
            self.push(arg.as_ref());
        }
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for RequestBuf {
    fn from_iter<I: IntoIterator<Item = A>>(args: I) -> Self {
        Self::new(args)
    }
}
