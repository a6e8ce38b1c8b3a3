//! The reply writer: one growing buffer, and large values by reference between its bytes.
//!
//! Invariants:
//! - Logically one byte string: `buf` with each shared payload inserted at its position; `len` counts all of it.
//! - Positions of shared payloads never decrease, and none lies before `start`, the first byte not yet sent.
//! - A payload is dropped as soon as its last byte is sent, so that a slow reader pins no more than it must.
//! - No text given to `simple` or `error` can forge a line end.
//!
//! Protocol differences are decided here and nowhere else: callers say `map`, `null`, `double`.
//! Cost: without shared payloads it is one `Vec<u8>`, and sending is one slice.

use std::collections::VecDeque;

use crate::encode::{self, FRAMING_MAX, Protocol};

/// Sent bytes at the front are moved out once they are at least this many and the larger half.
const COMPACT_MIN: usize = 16 * 1024;
/// Unsent bytes that are still moved to the front: moving a hundred megabytes would stall the sender's thread.
const COMPACT_MAX: usize = 1 << 20;

/// The payload type of an [`Out`] that copies everything; it has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoShared {}

impl AsRef<[u8]> for NoShared {
    fn as_ref(&self) -> &[u8] {
        match *self {}
    }
}

/// The aggregates whose length may become known only after their elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// `n` elements.
    Array,
    /// `n` pairs; in RESP2 an array of twice as many elements.
    Map,
    /// `n` distinct elements; in RESP2 an array.
    Set,
    /// `n` elements that answer no request; in RESP2 an array.
    Push,
}

/// A point between two replies, to return to with [`Out::truncate`]; stays right while bytes before it are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

#[derive(Debug)]
struct Shared<S> {
    /// Bytes of `buf` before this payload.
    at: usize,
    payload: S,
}

/// Replies being gathered for one connection.
#[derive(Debug)]
pub struct Out<S: AsRef<[u8]> = NoShared> {
    protocol: Protocol,
    buf: Vec<u8>,
    /// Bytes of `buf` already sent.
    start: usize,
    /// Bytes ever removed from the front of `buf`, which turns positions into marks.
    removed: usize,
    shared: VecDeque<Shared<S>>,
    /// Bytes of all shared payloads, less those of the first one already sent.
    shared_len: usize,
    /// Bytes of the first shared payload already sent.
    shared_sent: usize,
}

impl<S: AsRef<[u8]>> Default for Out<S> {
    fn default() -> Self {
        Self::new(Protocol::Resp2)
    }
}

impl<S: AsRef<[u8]>> Out<S> {
    /// An empty writer; allocates nothing.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            buf: Vec::new(),
            start: 0,
            removed: 0,
            shared: VecDeque::new(),
            shared_len: 0,
            shared_sent: 0,
        }
    }

    /// An empty buffer with room for `bytes` bytes, for a reply of about that size that is not written to a used buffer.
    pub fn with_capacity(protocol: Protocol, bytes: usize) -> Self {
        Self {
            buf: Vec::with_capacity(bytes),
            ..Self::new(protocol)
        }
    }

    /// The dialect of what is written next.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Changes the dialect from here on; what is already written stays as it is.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Appends what another writer gathered, of which nothing was sent; large payloads stay by reference.
    pub fn append(&mut self, mut other: Self) {
        debug_assert!(other.start == 0 && other.shared_sent == 0);
        let base = self.buf.len();
        self.buf.append(&mut other.buf);
        self.shared_len += other.shared_len;
        let moved = other.shared.drain(..).map(|s| Shared {
            at: s.at + base,
            payload: s.payload,
        });
        self.shared.extend(moved);
    }

    /// The simple string `OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.buf.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string; CR and LF become spaces.
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        encode::clean_line(&mut self.buf, b'+', text.as_ref());
    }

    /// An error, code included, `-` not; CR and LF become spaces. Bytes, as error texts quote what clients sent.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        encode::clean_line(&mut self.buf, b'-', text.as_ref());
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        match value {
            0 => self.buf.extend_from_slice(b":0\r\n"),
            1 => self.buf.extend_from_slice(b":1\r\n"),
            _ => encode::number(&mut self.buf, b':', value),
        }
    }

    /// A bulk string, copied.
    #[inline]
    pub fn bulk(&mut self, data: &[u8]) {
        encode::bulk(&mut self.buf, data);
    }

    /// The decimal text of an integer as a bulk string.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        encode::bulk(&mut self.buf, itoa::Buffer::new().format(value).as_bytes());
    }

    /// A bulk string by reference. Pays off from about a page; below, [`Out::bulk`] is cheaper.
    pub fn shared(&mut self, payload: S) {
        let len = payload.as_ref().len();
        self.buf.reserve(FRAMING_MAX);
        encode::header(&mut self.buf, b'$', len);
        if len > 0 {
            self.shared.push_back(Shared {
                at: self.buf.len(),
                payload,
            });
            self.shared_len += len;
        }
        self.buf.extend_from_slice(b"\r\n");
    }

    /// Null.
    #[inline]
    pub fn null(&mut self) {
        encode::null(&mut self.buf, self.protocol);
    }

    /// Null in the place of an array.
    pub fn null_array(&mut self) {
        encode::null_array(&mut self.buf, self.protocol);
    }

    /// Opens an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        encode::header(&mut self.buf, b'*', len);
    }

    /// Opens a map of `len` pairs.
    pub fn map(&mut self, len: usize) {
        self.open(Aggregate::Map, len);
    }

    /// Opens a set of `len` elements.
    pub fn set(&mut self, len: usize) {
        self.open(Aggregate::Set, len);
    }

    /// Opens a push message of `len` elements.
    pub fn push(&mut self, len: usize) {
        self.open(Aggregate::Push, len);
    }

    /// Opens any aggregate.
    pub fn open(&mut self, kind: Aggregate, len: usize) {
        let (tag, len) = self.aggregate(kind, len);
        encode::header(&mut self.buf, tag, len);
    }

    /// Opens an aggregate at `mark` around all that was written since, for a length known only now.
    ///
    /// Costs a move of what follows the mark. A mark that is already sent counts as the first unsent byte.
    pub fn insert(&mut self, mark: Mark, kind: Aggregate, len: usize) {
        let (tag, len) = self.aggregate(kind, len);
        let at = self.position(mark);
        let end = self.buf.len();
        encode::header(&mut self.buf, tag, len);
        let added = self.buf.len() - end;
        self.buf[at..].rotate_right(added);
        for shared in self
            .shared
            .iter_mut()
            .rev()
            .take_while(|shared| shared.at > at)
        {
            shared.at += added;
        }
    }

    /// Opens an attribute of `len` pairs before the actual reply; false in RESP2, which has none: skip the pairs.
    #[must_use = "in RESP2 the pairs must not be written"]
    pub fn attribute(&mut self, len: usize) -> bool {
        if self.protocol == Protocol::Resp3 {
            encode::header(&mut self.buf, b'|', len);
        }
        self.protocol == Protocol::Resp3
    }

    /// A double; in RESP2 its text as a bulk string.
    pub fn double(&mut self, value: f64) {
        encode::double(&mut self.buf, self.protocol, value);
    }

    /// A boolean; in RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        encode::boolean(&mut self.buf, self.protocol, value);
    }

    /// An integer of any size, given by its digits; in RESP2 a bulk string.
    pub fn big_number(&mut self, digits: &str) {
        encode::big_number(&mut self.buf, self.protocol, digits);
    }

    /// A text with its format (`b"txt"`, `b"mkd"`); in RESP2 a bulk string.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        encode::verbatim(&mut self.buf, self.protocol, *format, text);
    }

    /// Bytes that are already a reply.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// A whole push message in RESP3's form; in RESP2 it becomes an array.
    pub fn push_message(&mut self, message: &[u8]) {
        let at = self.buf.len();
        self.raw(message);
        if self.protocol == Protocol::Resp2
            && let Some(tag) = self.buf.get_mut(at)
        {
            *tag = b'*';
        }
    }

    /// Bytes not yet sent, shared payloads included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len() - self.start + self.shared_len
    }

    /// Whether there is nothing to send.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.buf.len()
    }

    /// Heap bytes of the writer itself; shared payloads belong to the keyspace.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.buf.capacity() + self.shared.capacity() * size_of::<Shared<S>>()
    }

    /// The current end.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.removed + self.buf.len())
    }

    /// Drops what was written since `mark`, shared payloads included; what is sent stays sent.
    pub fn truncate(&mut self, mark: Mark) {
        let at = self.position(mark);
        // A payload of an earlier reply ends before the mark, as its CRLF does.
        while let Some(last) = self.shared.back().filter(|shared| shared.at >= at) {
            let len = last.payload.as_ref().len();
            let sent = if self.shared.len() == 1 {
                std::mem::take(&mut self.shared_sent)
            } else {
                0
            };
            self.shared_len -= len - sent;
            self.shared.pop_back();
        }
        self.buf.truncate(at);
    }

    /// All unsent bytes as one slice, if no payload is shared.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> Option<&[u8]> {
        if self.shared.is_empty() {
            self.buf.get(self.start..)
        } else {
            None
        }
    }

    /// The unsent bytes in order, as non-empty slices for a vectored write.
    #[must_use]
    pub fn segments(&self) -> Segments<'_, S> {
        Segments {
            out: self,
            at: self.start,
            next: 0,
            skip: self.shared_sent,
        }
    }

    /// Takes note that the first `n` unsent bytes are sent; more than there are count as all.
    pub fn advance(&mut self, n: usize) {
        let mut left = n;
        while let Some(first) = self.shared.front() {
            let before = (first.at - self.start).min(left);
            self.start += before;
            left -= before;
            let missing = first.payload.as_ref().len() - self.shared_sent;
            let taken = if self.start == first.at {
                missing.min(left)
            } else {
                0
            };
            self.shared_len -= taken;
            left -= taken;
            if taken < missing {
                self.shared_sent += taken;
                return self.compact();
            }
            self.shared_sent = 0;
            self.shared.pop_front();
        }
        self.start = self.start.saturating_add(left).min(self.buf.len());
        self.compact();
    }

    /// Drops everything, keeping the buffer.
    pub fn clear(&mut self) {
        self.removed += self.buf.len();
        self.buf.clear();
        self.start = 0;
        self.shared.clear();
        self.shared_len = 0;
        self.shared_sent = 0;
    }

    /// Gives back capacity above `max_idle_capacity` bytes, as far as the unsent bytes allow.
    pub fn shrink(&mut self, max_idle_capacity: usize) {
        if self.buf.capacity() > max_idle_capacity {
            self.buf.shrink_to(max_idle_capacity);
        }
        if self.shared.is_empty() {
            self.shared = VecDeque::new();
        }
    }

    /// Moves everything out, leaving an empty writer of the same protocol. Marks do not carry over.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.protocol))
    }

    fn aggregate(&self, kind: Aggregate, len: usize) -> (u8, usize) {
        match (self.protocol, kind) {
            (Protocol::Resp2, Aggregate::Map) => (b'*', len.saturating_mul(2)),
            (Protocol::Resp2, _) | (_, Aggregate::Array) => (b'*', len),
            (Protocol::Resp3, Aggregate::Map) => (b'%', len),
            (Protocol::Resp3, Aggregate::Set) => (b'~', len),
            (Protocol::Resp3, Aggregate::Push) => (b'>', len),
        }
    }

    /// Where a mark lies in `buf`, within what is not yet sent.
    fn position(&self, mark: Mark) -> usize {
        mark.0
            .saturating_sub(self.removed)
            .clamp(self.start, self.buf.len())
    }

    /// Forgets sent bytes: all at once when nothing is left, else when that moves less than it frees.
    fn compact(&mut self) {
        if self.start == self.buf.len() {
            self.removed += self.start;
            self.buf.clear();
            self.start = 0;
        } else if self.start >= COMPACT_MIN
            && self.start >= self.buf.len() / 2
            && self.buf.len() - self.start <= COMPACT_MAX
        {
            self.removed += self.start;
            self.buf.drain(..self.start);
            for shared in &mut self.shared {
                shared.at -= self.start;
            }
            self.start = 0;
        }
    }
}

/// The unsent bytes of an [`Out`] in order; see [`Out::segments`].
#[derive(Debug)]
pub struct Segments<'a, S: AsRef<[u8]>> {
    out: &'a Out<S>,
    at: usize,
    next: usize,
    skip: usize,
}

impl<'a, S: AsRef<[u8]>> Iterator for Segments<'a, S> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let shared = self.out.shared.get(self.next);
        let end = shared.map_or(self.out.buf.len(), |shared| shared.at);
        if self.at < end {
            let own = self.out.buf.get(self.at..end);
            self.at = end;
            return own;
        }
        self.next += 1;
        shared?
            .payload
            .as_ref()
            .get(std::mem::take(&mut self.skip)..)
    }
}

#[cfg(test)]
mod tests;
