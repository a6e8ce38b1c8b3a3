//! What the streams of a connection of yamux have unread, with what it costs to keep it.
//!
//! yamux bounds the bytes of it by its windows, but it keeps every data frame by itself: a peer that sends a byte a
//! frame, to streams whose responses it does not take, would make it hold many times that. So the frames are counted
//! as they come in, and a connection that holds more than [`HELD_MAX`] is ended.

use crate::sockets::{Io, MUX_WINDOW_MAX};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that a connection may hold, those of its frames' keeping with them; what the windows allow, in frames of a few
/// hundred bytes, is below it.
const HELD_MAX: usize = MUX_WINDOW_MAX / 4 * 5;
/// What the keeping of a frame costs: its place in a queue that doubles, an allocation, its length here.
const FRAME_COST: usize = 96;
/// Bytes of a frame's header: version, type, flags, stream, length.
const HEADER: usize = 12;
/// The type of frames with data.
const DATA: u8 = 0;
/// The flag of a stream's first frame.
const SYN: u8 = 1;

/// The frames that a connection's streams have not read.
#[derive(Default)]
pub(super) struct Unread(Mutex<Frames>);

#[derive(Default)]
struct Frames {
    /// Bytes of all streams, and the cost of their frames.
    held: usize,
    /// Lengths by stream, of the streams that there are.
    streams: HashMap<u32, VecDeque<usize>>,
    /// The first frame of a stream that is not open yet, which follows it at once.
    opening: Option<(u32, usize)>,
}

impl Frames {
    fn arrived(&mut self, stream: u32, len: usize) {
        if let Some(lens) = self.streams.get_mut(&stream)
            && len > 0
        {
            lens.push_back(len);
            self.held += len + FRAME_COST;
        }
    }
}

impl Unread {
    /// Whether the connection has to be ended.
    fn is_too_much(&self) -> bool {
        self.0.lock().held > HELD_MAX
    }

    fn header(&self, header: [u8; HEADER]) -> usize {
        let [_, kind, _, flags, a, b, c, d, rest @ ..] = header;
        if kind != DATA {
            return 0;
        }
        let stream = u32::from_be_bytes([a, b, c, d]);
        let len = usize::try_from(u32::from_be_bytes(rest)).unwrap_or(usize::MAX);
        let mut frames = self.0.lock();
        match flags & SYN {
            0 => frames.arrived(stream, len),
            _ => frames.opening = Some((stream, len)),
        }
        len
    }

    /// Counts for a stream that was opened just now, until what this gives is dropped.
    pub(super) fn stream<T>(self: &Arc<Self>, id: u32, io: T) -> Counted<T> {
        let mut frames = self.0.lock();
        frames.streams.entry(id).or_default();
        if let Some((stream, len)) = frames.opening.take()
            && stream == id
        {
            frames.arrived(id, len);
        }
        drop(frames);
        let unread = self.clone();
        Counted { io, id, unread }
    }

    fn read(&self, stream: u32, mut count: usize) {
        let mut frames = self.0.lock();
        let Frames { held, streams, .. } = &mut *frames;
        let Some(lens) = streams.get_mut(&stream) else {
            return;
        };
        while count > 0
            && let Some(len) = lens.front_mut()
        {
            let part = count.min(*len);
            (count, *len, *held) = (count - part, *len - part, *held - part);
            if *len == 0 {
                lens.pop_front();
                *held -= FRAME_COST;
            }
        }
        // A burst that was read leaves no room behind.
        if lens.is_empty() && lens.capacity() > 1024 {
            *lens = VecDeque::new();
        }
    }

    fn closed(&self, stream: u32) {
        let mut frames = self.0.lock();
        let lens = frames.streams.remove(&stream).unwrap_or_default();
        frames.held -= lens.iter().map(|len| len + FRAME_COST).sum::<usize>();
    }
}

/// A connection whose frames are counted.
pub(super) struct Watched<T> {
    io: T,
    unread: Arc<Unread>,
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    filled: usize,
    /// Bytes of the frame's body that are to come.
    body: usize,
}

impl<T> Watched<T> {
    pub(super) fn new(io: T, unread: Arc<Unread>) -> Watched<T> {
        Watched {
            io,
            unread,
            header: [0; HEADER],
            filled: 0,
            body: 0,
        }
    }

    fn arrived(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let passed = self.body.min(bytes.len());
            self.body -= passed;
            bytes = &bytes[passed..];
            let part = bytes.len().min(HEADER - self.filled);
            self.header[self.filled..self.filled + part].copy_from_slice(&bytes[..part]);
            self.filled += part;
            bytes = &bytes[part..];
            if self.filled == HEADER {
                self.filled = 0;
                self.body = self.unread.header(self.header);
            }
        }
    }
}

impl<T: Io> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_too_much() {
            let error = io::Error::other("the streams have too much unread");
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.arrived(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

/// A stream that tells what it has read.
pub(super) struct Counted<T> {
    io: T,
    id: u32,
    unread: Arc<Unread>,
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.unread.closed(self.id);
    }
}

impl<T: Io> AsyncRead for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.unread.read(self.id, buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

macro_rules! writes_to_io {
    ($wrapper:ident) => {
        impl<T: Io> AsyncWrite for $wrapper<T> {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.io).poll_write(cx, buf)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.io).poll_flush(cx)
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.io).poll_shutdown(cx)
            }
        }
    };
}

writes_to_io!(Watched);
writes_to_io!(Counted);

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u32, flags: u8, len: u32) -> Vec<u8> {
        let mut bytes = vec![0, DATA, 0, flags];
        bytes.extend(stream.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(vec![7; len as usize]);
        bytes
    }

    #[test]
    fn what_is_read_or_closed_is_held_no_more() {
        let unread = Arc::new(Unread::default());
        let mut watched = Watched::new((), unread.clone());
        let held = || unread.0.lock().held;
        watched.arrived(&frame(1, SYN, 10));
        let one = unread.stream(1, ());
        assert_eq!(held(), 10 + FRAME_COST);
        // In pieces, with frames without data and of streams that there are not.
        let rest = [frame(1, 0, 5), frame(1, 0, 0), frame(3, 0, 9)].concat();
        for byte in rest {
            watched.arrived(&[byte]);
        }
        assert_eq!(held(), 15 + 2 * FRAME_COST);
        unread.read(1, 12);
        assert_eq!(held(), 3 + FRAME_COST);
        watched.arrived(&frame(5, SYN, 4));
        let other = unread.stream(5, ());
        drop(one);
        assert_eq!(held(), 4 + FRAME_COST);
        drop(other);
        assert_eq!((held(), unread.0.lock().streams.len()), (0, 0));
    }
}
