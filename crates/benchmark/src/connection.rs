//! One connection: from its opening over the greeting to requests and replies.
//!
//! Invariants
//! - Replies belong to requests in the order in which these were sent; a reply too many is an error.
//! - What the socket has no room for is kept here, bounded by one batch, since no more is sent before it has left.

use crate::failure::Failure;
use crate::link::Link;
use crate::scan::{Reply, Scanner};
use crate::stats::Counts;
use crate::target::Target;
use rustix::event::epoll::EventFlags;
use std::collections::VecDeque;
use std::io;

/// What is wrong with a reply when no request is under way.
const STRAY: &str = "a reply too many";

/// Successive requests of one kind that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When they were to be sent, in nanoseconds from the start.
    pub(crate) due: u64,
    /// When they were sent.
    pub(crate) at: u64,
    pub(crate) kind: u8,
    /// Replies that are missing.
    pub(crate) left: u32,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The socket is being connected.
    Connecting,
    /// So many replies to the greeting are missing, or TLS is not agreed upon.
    Greeting(u32),
    /// Requests can be sent.
    Ready,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    link: Link,
    pub(crate) phase: Phase,
    /// What the kernel is asked to tell of.
    pub(crate) interest: EventFlags,
    scanner: Scanner,
    /// Bytes that the socket had no room for, and how many of them have left since. Those stay until all have, since
    /// moving what follows them at every write would take time with the square of its length.
    unsent: Vec<u8>,
    unsent_from: usize,
    sent: VecDeque<Sent>,
    pub(crate) in_flight: usize,
    /// When something last came, or was first waited for.
    pub(crate) since: u64,
    /// When it was opened.
    pub(crate) opened: u64,
}

/// How replies are counted.
pub(crate) struct Tally<'a> {
    pub(crate) counts: &'a mut Counts,
    /// Requests that were due before this do not count.
    pub(crate) from: u64,
    /// An error reply is counted and not the end.
    pub(crate) keep_going: bool,
}

impl Connection {
    /// Begins a connection at `now`.
    ///
    /// # Errors
    /// When the operating system or TLS refuses at once.
    pub(crate) fn open(target: &Target, now: u64) -> Result<Connection, Failure> {
        let failed = |e: io::Error| Failure::connect(&target.place, &e);
        let socket = target.open().map_err(failed)?;
        let tls = target
            .encrypt()
            .map_err(|e| Failure::Other(format!("TLS: {e}")))?;
        Ok(Connection {
            link: Link::new(socket, tls),
            phase: Phase::Connecting,
            interest: EventFlags::OUT,
            scanner: Scanner::default(),
            unsent: Vec::new(),
            unsent_from: 0,
            sent: VecDeque::new(),
            in_flight: 0,
            since: now,
            opened: now,
        })
    }

    pub(crate) fn socket(&self) -> &socket2::Socket {
        &self.link.socket
    }

    /// What it waits for.
    pub(crate) fn wanted(&self) -> EventFlags {
        match self.phase {
            Phase::Connecting => EventFlags::OUT,
            _ if !self.unsent.is_empty() || self.link.wants_write() => {
                EventFlags::IN | EventFlags::OUT
            }
            _ => EventFlags::IN,
        }
    }

    /// The socket is connected, or has failed to be.
    fn connected(&mut self, target: &Target) -> Result<(), Failure> {
        let outcome = match self.link.socket.take_error() {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        outcome.map_err(|e| Failure::connect(&target.place, &e))?;
        self.phase = Phase::Greeting(target.greeting_replies);
        self.unsent.extend_from_slice(&target.greeting);
        self.flush()?;
        self.greeted();
        Ok(())
    }

    /// Notices that nothing of the greeting is missing.
    fn greeted(&mut self) {
        if self.phase == Phase::Greeting(0) && !self.link.is_handshaking() {
            self.phase = Phase::Ready;
        }
    }

    /// Does what the socket is ready for before it is ready for requests.
    ///
    /// # Errors
    /// When it cannot become ready: the login is refused, for example.
    pub(crate) fn prepare(
        &mut self,
        target: &Target,
        flags: EventFlags,
        buffer: &mut [u8],
        now: u64,
    ) -> Result<(), Failure> {
        if self.phase == Phase::Connecting {
            return self.connected(target);
        }
        self.flush()?;
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.greeted();
            return Ok(());
        }
        let read = self.link.read(buffer);
        if would_block(&read) {
            self.greeted();
            return Ok(());
        }
        let n = read.map_err(|e| Failure::io(&e))?;
        if n == 0 {
            return Err(Failure::Closed);
        }
        self.since = now;
        let mut error = None;
        let phase = &mut self.phase;
        let scanned = self
            .scanner
            .feed(&buffer[..n], |reply| match (reply, *phase) {
                (Reply::Error(text), _) => {
                    error.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
                }
                (Reply::Value, Phase::Greeting(left)) if left > 0 => {
                    *phase = Phase::Greeting(left - 1)
                }
                (Reply::Value, _) => {
                    error.get_or_insert_with(|| STRAY.to_owned());
                }
            });
        scanned.map_err(|e| Failure::Malformed(e.to_string()))?;
        if let Some(text) = error {
            return Err(Failure::Reply(text));
        }
        self.greeted();
        Ok(())
    }

    /// Notes requests that `send` is about to send.
    #[inline]
    pub(crate) fn note(&mut self, sent: Sent) {
        if self.in_flight == 0 {
            self.since = sent.at;
        }
        self.in_flight += sent.left as usize;
        self.sent.push_back(sent);
    }

    /// Sends bytes; what there is no room for is kept.
    ///
    /// # Errors
    /// When the connection is gone.
    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return self.flush();
        }
        let mut left = bytes;
        while !left.is_empty() {
            let written = self.link.write(left);
            if would_block(&written) {
                self.unsent.extend_from_slice(left);
                break;
            }
            left = &left[written.map_err(|e| Failure::io(&e))?..];
        }
        Ok(())
    }

    /// Sends what was kept, as far as there is room.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.link.flush().map_err(|e| Failure::io(&e))?;
        while self.unsent_from < self.unsent.len() {
            let written = self.link.write(&self.unsent[self.unsent_from..]);
            if would_block(&written) {
                return Ok(());
            }
            self.unsent_from += written.map_err(|e| Failure::io(&e))?;
        }
        self.unsent.clear();
        self.unsent_from = 0;
        Ok(())
    }

    /// Reads what has come and counts the replies; `clock` tells the time after a read.
    ///
    /// # Errors
    /// When the connection is gone, sends nonsense, or an error reply that ends the run.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        tally: &mut Tally<'_>,
        clock: impl Fn() -> u64,
    ) -> Result<u64, Failure> {
        let mut now = self.since;
        loop {
            let read = self.link.read(buffer);
            if would_block(&read) {
                return Ok(now);
            }
            let n = read.map_err(|e| Failure::io(&e))?;
            if n == 0 {
                return Err(Failure::Closed);
            }
            now = clock();
            self.since = now;
            self.count(&buffer[..n], tally, now)?;
            if n < buffer.len() && !self.link.is_encrypted() {
                return Ok(now);
            }
        }
    }

    #[inline]
    fn count(&mut self, bytes: &[u8], tally: &mut Tally<'_>, now: u64) -> Result<(), Failure> {
        let mut good = 0;
        let mut stray = false;
        let mut error = None;
        let Connection {
            scanner,
            sent,
            in_flight,
            ..
        } = self;
        let counts = &mut *tally.counts;
        let (from, keep_going) = (tally.from, tally.keep_going);
        let scanned = scanner.feed(bytes, |reply| {
            let Some(front) = sent.front_mut() else {
                stray = true;
                return;
            };
            match reply {
                Reply::Value => good += 1,
                Reply::Error(text) if !keep_going && error.is_none() => {
                    error = Some(String::from_utf8_lossy(text).into_owned());
                }
                Reply::Error(text) if front.due >= from => counts.error(text),
                Reply::Error(_) => {}
            }
            front.left -= 1;
            *in_flight -= 1;
            if front.left == 0 {
                if front.due >= from && good > 0 {
                    counts.record(front, now, good);
                }
                good = 0;
                sent.pop_front();
            }
        });
        if let Some(front) = sent.front()
            && good > 0
            && front.due >= from
        {
            counts.record(front, now, good);
        }
        scanned.map_err(|e| Failure::Malformed(e.to_string()))?;
        if let Some(text) = error {
            return Err(Failure::Reply(text));
        }
        match stray {
            true => Err(Failure::Malformed(STRAY.to_owned())),
            false => Ok(()),
        }
    }

    /// Reads what comes while nothing is asked: push messages, which are skipped, or the end.
    ///
    /// # Errors
    /// When the connection is gone, or sends a reply.
    pub(crate) fn idle(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        let read = self.link.read(buffer);
        if would_block(&read) {
            return Ok(());
        }
        let n = read.map_err(|e| Failure::io(&e))?;
        if n == 0 {
            return Err(Failure::Closed);
        }
        // A push may come in pieces, the rest of it before the next reply.
        let mut stray = None;
        let scanned = self.scanner.feed(&buffer[..n], |reply| {
            stray.get_or_insert_with(|| match reply {
                Reply::Error(text) => Failure::Reply(String::from_utf8_lossy(text).into_owned()),
                Reply::Value => Failure::Malformed(STRAY.to_owned()),
            });
        });
        scanned.map_err(|e| Failure::Malformed(e.to_string()))?;
        stray.map_or(Ok(()), Err)
    }

    /// Requests that are still unanswered.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter()
    }
}

fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted))
}
