//! Owned requests one behind the other, for a transaction that waits for its end.
//!
//! Invariant: every request's spans are relative to its own first byte, as those of a decoder are.
//! Cost: three allocations that grow by doubling, however many requests there are.

use crate::request::{Request, Span};

/// Owned requests in order, each with a tag of its own.
#[derive(Clone, Debug)]
pub struct RequestQueue<T> {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    requests: Vec<Queued<T>>,
}

#[derive(Clone, Debug)]
struct Queued<T> {
    tag: T,
    /// Where its arguments end in `bytes`, and its spans in `spans`.
    bytes_end: usize,
    spans_end: usize,
}

impl<T> Default for RequestQueue<T> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            spans: Vec::new(),
            requests: Vec::new(),
        }
    }
}

impl<T> RequestQueue<T> {
    /// Appends a copy of a request.
    pub fn push(&mut self, tag: T, request: Request<'_>) {
        /// Room for a small transaction is taken at once.
        const FIRST: usize = 16;
        if self.requests.capacity() == 0 {
            self.requests.reserve(FIRST);
            self.spans.reserve(FIRST * 3);
            self.bytes.reserve(FIRST * 32);
        }
        let (bytes, spans) = request.parts();
        // What frames the arguments is copied with them: one copy, and the spans need no other work than a shift.
        let from = spans.first().map_or(0, |span| span.start());
        let end = spans.last().map_or(from, |span| span.start() + span.len());
        self.bytes
            .extend_from_slice(bytes.get(from..end).unwrap_or_default());
        let shifted = spans
            .iter()
            .map(|span| Span::new(span.start() - from, span.len()));
        self.spans.extend(shifted);
        self.requests.push(Queued {
            tag,
            bytes_end: self.bytes.len(),
            spans_end: self.spans.len(),
        });
    }

    /// Number of requests.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The tags, in order.
    pub fn tags(&self) -> impl Iterator<Item = &T> {
        self.requests.iter().map(|queued| &queued.tag)
    }

    /// The requests with their tags, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&T, Request<'_>)> {
        let (mut bytes, mut spans) = (0, 0);
        self.requests.iter().map(move |queued| {
            let request = Request::new(
                &self.bytes[bytes..queued.bytes_end],
                &self.spans[spans..queued.spans_end],
            );
            (bytes, spans) = (queued.bytes_end, queued.spans_end);
            (&queued.tag, request)
        })
    }

    /// Drops the requests and keeps the memory, for those to come.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.requests.clear();
    }

    /// Heap bytes held, for memory accounting.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.requests.capacity() * size_of::<Queued<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestBuf;

    #[test]
    fn requests_come_back_as_they_went_in() {
        let texts: [&[&[u8]]; 4] = [&[b"SET", b"k", b""], &[b"PING"], &[], &[b"GET", b"\0\r\n"]];
        let mut queue = RequestQueue::default();
        for round in 0..3 {
            assert!(queue.is_empty());
            for (tag, args) in texts.iter().cycle().take(100 * round).enumerate() {
                queue.push(tag, RequestBuf::new(*args).as_request());
            }
            assert_eq!(queue.len(), 100 * round);
            for (i, (tag, request)) in queue.iter().enumerate() {
                assert_eq!(*tag, i);
                assert!(request.iter().eq(texts[i % 4].iter().copied()));
            }
            queue.clear();
        }
        assert!(queue.heap_bytes() > 0);
    }
}
