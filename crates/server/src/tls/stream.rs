//! A TLS connection over TCP, on rustls' unbuffered interface.
//!
//! Invariants
//! - Records are read into, decrypted in and encrypted into buffers of the thread. Between batches a
//!   connection holds bytes only of a record that arrived in part (`carry`) or that the socket did not
//!   take yet (`unsent`).
//! - Bytes leave in the order in which they were sealed; what was sealed is never sealed again.
//! - Plain bytes count as written when the last byte of their records has left. A caller that was told
//!   [`io::ErrorKind::WouldBlock`] comes back with the same bytes in front, as it does with a socket.
//!
//! Does not check who the peer is: rustls does, as `config` tells it.
//!
//! Cost: one copy of each record on the way in and out beyond rustls' own, in the thread's cache.

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus};
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

/// How long a peer may take for its handshake; it counts as a client meanwhile.
pub(crate) const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// Plain bytes of one record at most (RFC 8446, section 5.1).
pub(crate) const RECORD_PLAIN_MAX: usize = 16 * 1024;
/// Bytes that a record has beside its plain ones at most (RFC 8446, section 5.2).
const RECORD_EXTRA_MAX: usize = 5 + 256;
/// What rustls is told as the size of a record that is sent, with its header. A sealed record stays
/// below 4 KiB: beyond, the C library copies with `rep movsb`, which runs at a tenth of the usual
/// speed on some processors (measured on an AMD EPYC with glibc 2.36), and each record is copied twice.
pub(super) const RECORD_SENT_MAX: usize = 4037;
/// Bytes copied at once, for the same reason.
const COPY_STEP: usize = 2048;
/// Plain bytes sealed at once.
const SEAL_MAX: usize = 64 * 1024;
/// Room for what [`SEAL_MAX`] plain bytes become, and a message of TLS's own. What a sent record has
/// beside its plain bytes is less than 32.
const SEALED_ROOM: usize =
    SEAL_MAX + 32 * (SEAL_MAX / (RECORD_SENT_MAX - 5) + 1) + RECORD_EXTRA_MAX;
/// Bytes read at once, with those carried over. More than a handshake message may have (rustls: 64 KiB).
const INCOMING_ROOM: usize = 80 * 1024;
/// Bytes waiting to be sent beyond which a peer that reads nothing is not answered any more.
const UNSENT_MAX: usize = SEALED_ROOM + 80 * 1024;

/// Buffers that a thread lends to the connection it is working on.
struct Scratch {
    incoming: Box<[u8]>,
    gathered: Vec<u8>,
    sealed: Box<[u8]>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        incoming: vec![0; INCOMING_ROOM].into_boxed_slice(),
        gathered: Vec::with_capacity(SEAL_MAX),
        sealed: vec![0; SEALED_ROOM].into_boxed_slice(),
    });
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// The peer broke the rules, or did not show what it had to.
    Tls(rustls::Error),
    /// The connection broke.
    Io(io::Error),
    /// The peer left.
    Eof,
    /// It took longer than [`HANDSHAKE_PATIENCE`].
    Late,
    /// CLIENT KILL, or the server stops.
    Killed,
}

impl std::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HandshakeError::Tls(error) => error.fmt(f),
            HandshakeError::Io(error) => error.fmt(f),
            HandshakeError::Eof => f.write_str("unexpected eof while reading"),
            HandshakeError::Late => f.write_str("the TLS handshake took too long"),
            HandshakeError::Killed => f.write_str("closed during the TLS handshake"),
        }
    }
}

/// A connection over TLS.
pub(crate) struct TlsStream {
    tcp: TcpStream,
    tls: UnbufferedServerConnection,
    /// Bytes that arrived and were not used up: part of a record, or whole ones if `more`.
    carry: Vec<u8>,
    /// Plain bytes that nobody asked for yet.
    stash: Vec<u8>,
    /// Sealed bytes that the socket did not take yet, from `unsent_at`.
    unsent: Vec<u8>,
    unsent_at: usize,
    /// Plain bytes in `unsent` that do not count as written yet.
    sealed: usize,
    /// `carry` may hold a whole record.
    more: bool,
    /// The peer sends nothing more.
    ended: bool,
    /// The close was announced to the peer.
    parted: bool,
    /// An error ended it: rustls is not asked again, as its place in `carry` is lost.
    broken: bool,
}

/// What [`TlsStream::drive`] is to seal when the connection can send.
#[derive(Clone, Copy)]
enum Seal<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Farewell,
}

/// What [`TlsStream::drive`] did.
struct Driven {
    /// Bytes of the input that are used up.
    used: usize,
    /// Sealed bytes in the room that was given.
    sealed: usize,
}

impl TlsStream {
    /// A connection whose handshake is still to come.
    ///
    /// # Errors
    /// When `config` cannot serve.
    pub(crate) fn new(
        tcp: TcpStream,
        config: Arc<ServerConfig>,
    ) -> Result<TlsStream, rustls::Error> {
        Ok(TlsStream {
            tcp,
            tls: UnbufferedServerConnection::new(config)?,
            carry: Vec::new(),
            stash: Vec::new(),
            unsent: Vec::new(),
            unsent_at: 0,
            sealed: 0,
            more: false,
            ended: false,
            parted: false,
            broken: false,
        })
    }

    /// Tells the peer, who is closed on, that nothing was cut off, if its buffer takes the word.
    pub(crate) fn say_goodbye(&mut self) {
        if !self.tls.is_handshaking() && self.sealed == 0 && self.part().is_ok() {
            let _ = self.try_send();
        }
    }

    /// The same connection over the socket that `map` makes of its socket.
    pub(crate) fn map_socket(
        self,
        map: impl FnOnce(TcpStream) -> io::Result<TcpStream>,
    ) -> io::Result<TlsStream> {
        let tcp = map(self.tcp)?;
        Ok(TlsStream { tcp, ..self })
    }

    /// Lets rustls work through `incoming`, and seals `task` into `room`. Plain bytes go to `take`,
    /// which says whether it takes another record; TLS's own messages go to `unsent`. After an error
    /// that is an alert for the peer, and the connection is of no further use.
    fn drive(
        &mut self,
        incoming: &mut [u8],
        task: Seal<'_>,
        room: &mut [u8],
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> io::Result<Driven> {
        if self.broken {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut done = Driven { used: 0, sealed: 0 };
        let Err(error) = self.drive_on(incoming, task, room, take, &mut done) else {
            return Ok(done);
        };
        // This only fetches the alerts that rustls made of the error. It has to see the same input
        // again, because it remembers places in it; asked once more than it has to send, it would meet
        // the error a second time.
        let mut rest = &mut incoming[done.used..];
        while self.tls.wants_write() {
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(rest);
            let Ok(ConnectionState::EncodeTlsData(mut message)) = state else {
                break;
            };
            if queue(&mut self.unsent, |room| message.encode(room)).is_err() {
                break;
            }
            rest = &mut rest[discard..];
        }
        self.broken = true;
        self.ended = true;
        Err(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn drive_on(
        &mut self,
        incoming: &mut [u8],
        task: Seal<'_>,
        room: &mut [u8],
        take: &mut dyn FnMut(&[u8]) -> bool,
        done: &mut Driven,
    ) -> Result<(), rustls::Error> {
        let mut on = true;
        while on {
            let UnbufferedStatus { mut discard, state } =
                self.tls.process_tls_records(&mut incoming[done.used..]);
            match state.inspect_err(|_| done.used += discard)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    let mut taking = true;
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        taking = take(record.payload);
                    }
                    self.more = done.used + discard < incoming.len();
                    // With nothing left there is no need to ask again, unless something is to be sealed.
                    on = match task {
                        Seal::Nothing => taking && self.more,
                        _ => true,
                    };
                }
                ConnectionState::EncodeTlsData(mut message) => {
                    queue(&mut self.unsent, |room| message.encode(room))?;
                }
                // It leaves before everything that is sealed later.
                ConnectionState::TransmitTlsData(sent) => sent.done(),
                ConnectionState::WriteTraffic(mut traffic) => {
                    self.more = false;
                    on = false;
                    done.sealed = match task {
                        Seal::Nothing => Ok(0),
                        Seal::Bytes(plain) => traffic.encrypt(plain, room),
                        Seal::Farewell => traffic.queue_close_notify(room),
                    }
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
                }
                ConnectionState::PeerClosed => self.ended = true,
                ConnectionState::Closed | ConnectionState::BlockedHandshake => {
                    self.more = false;
                    on = false;
                }
                // Early data is not offered, and this version of rustls has no further states.
                _ => return Err(rustls::Error::General("unexpected state of TLS".to_owned())),
            }
            done.used += discard;
            if self.unsent.len() - self.unsent_at > UNSENT_MAX {
                return Err(rustls::Error::General("the peer reads nothing".to_owned()));
            }
        }
        Ok(())
    }

    /// Does the handshake as far as it goes now.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HandshakeError>> {
        loop {
            match ready!(self.poll_send(cx)) {
                Ok(()) if !self.tls.is_handshaking() => return Poll::Ready(Ok(())),
                Ok(()) => {}
                Err(error) => return Poll::Ready(Err(HandshakeError::Io(error))),
            }
            let mut stash = std::mem::take(&mut self.stash);
            let read = self.poll_more(cx, &mut |plain| {
                stash.extend_from_slice(plain);
                false
            });
            self.stash = stash;
            match ready!(read) {
                Ok(0) => return Poll::Ready(Err(HandshakeError::Eof)),
                Ok(_) => {}
                Err(error) => {
                    // The peer learns the reason if its buffer takes it.
                    let _ = self.try_send();
                    return Poll::Ready(Err(reason(error)));
                }
            }
        }
    }

    /// Reads from the socket once, or takes what is carried over, and works through it.
    /// Gives how many bytes there were; 0 when there will be no more.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let carried = self.carry.len();
            let buffer = &mut scratch.incoming;
            buffer[..carried].copy_from_slice(&self.carry);
            let mut filled = carried;
            if !std::mem::take(&mut self.more) {
                let mut buf = ReadBuf::new(&mut buffer[carried..]);
                if buf.remaining() == 0 {
                    // A message longer than any that TLS has.
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buf))?;
                if buf.filled().is_empty() {
                    self.ended = true;
                    return Poll::Ready(Ok(0));
                }
                filled += buf.filled().len();
            }
            let driven = self.drive(&mut buffer[..filled], Seal::Nothing, &mut [], take)?;
            let rest = &buffer[driven.used..filled];
            if rest.is_empty() {
                self.carry = Vec::new();
            } else {
                self.carry.clear();
                self.carry.extend_from_slice(rest);
            }
            Poll::Ready(Ok(filled))
        })
    }

    /// Reads plain bytes into a place for `room` of them, which has to be at least
    /// [`RECORD_PLAIN_MAX`]. Gives how many came; 0 when there will be no more.
    pub(crate) fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        let mut came = 0;
        if !self.stash.is_empty() {
            came = self.stash.len().min(room);
            self.stash[..came].chunks(COPY_STEP).for_each(take);
            self.stash.drain(..came);
            if self.stash.is_empty() {
                self.stash = Vec::new();
            }
            return Poll::Ready(Ok(came));
        }
        while came == 0 && !self.ended {
            let more = self.poll_more(cx, &mut |plain| {
                plain.chunks(COPY_STEP).for_each(&mut take);
                came += plain.len();
                came + RECORD_PLAIN_MAX <= room
            });
            match ready!(more) {
                Ok(_) => {}
                Err(error) => {
                    // The peer learns the reason if its buffer takes it.
                    let _ = self.try_send();
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(came))
    }

    /// Sends what is sealed. [`io::ErrorKind::WouldBlock`] when the socket takes no more.
    fn try_send(&mut self) -> io::Result<()> {
        while self.unsent_at < self.unsent.len() {
            match self.tcp.try_write(&self.unsent[self.unsent_at..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.unsent_at += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.unsent = Vec::new();
        self.unsent_at = 0;
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.try_send() {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_write_ready(cx))?;
                }
                other => return Poll::Ready(other),
            }
        }
    }

    /// Seals `task` into `room`; gives how many bytes it became. Requests that are decrypted on the
    /// way, because they were carried over, are stashed.
    fn seal(&mut self, task: Seal<'_>, room: &mut [u8]) -> io::Result<usize> {
        let mut carry = std::mem::take(&mut self.carry);
        let mut stash = std::mem::take(&mut self.stash);
        let driven = self.drive(&mut carry, task, room, &mut |plain| {
            stash.extend_from_slice(plain);
            true
        });
        self.stash = stash;
        let driven = driven?;
        carry.drain(..driven.used);
        self.carry = carry;
        Ok(driven.sealed)
    }

    /// Keeps what the socket did not take.
    fn keep(&mut self, bytes: &[u8]) {
        if self.unsent_at == self.unsent.len() {
            self.unsent.clear();
            self.unsent_at = 0;
        }
        self.unsent.extend_from_slice(bytes);
    }

    /// Seals and sends `bytes`, at most [`SEAL_MAX`]. Gives how many left.
    ///
    /// After [`io::ErrorKind::WouldBlock`] the next call has to bring the same bytes in front: some
    /// of them may be sealed already.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_send()?;
        if self.sealed > 0 {
            return Ok(std::mem::take(&mut self.sealed));
        }
        let plain = bytes.len().min(SEAL_MAX);
        SCRATCH.with_borrow_mut(|scratch| {
            let room = &mut scratch.sealed;
            let sealed = self.seal(Seal::Bytes(&bytes[..plain]), room)?;
            let mut at = 0;
            // A message of TLS's own goes first.
            if self.unsent.is_empty() {
                at = match self.tcp.try_write(&room[..sealed]) {
                    Ok(n) if n == sealed => return Ok(plain),
                    Ok(n) => n,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
                    Err(e) => return Err(e),
                };
            }
            self.sealed = plain;
            self.keep(&room[at..sealed]);
            self.try_send()?;
            Ok(std::mem::take(&mut self.sealed))
        })
    }

    /// As [`Self::try_write`], of several pieces.
    pub(crate) fn try_write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match pieces {
            // Full records straight from where the bytes are.
            [first, ..] if first.len() >= RECORD_PLAIN_MAX => self.try_write(first),
            [only] => self.try_write(only),
            _ => {
                let mut gathered = SCRATCH.with_borrow_mut(|s| std::mem::take(&mut s.gathered));
                for piece in pieces {
                    let room = SEAL_MAX - gathered.len();
                    for part in piece[..piece.len().min(room)].chunks(COPY_STEP) {
                        gathered.extend_from_slice(part);
                    }
                }
                let written = self.try_write(&gathered);
                gathered.clear();
                SCRATCH.with_borrow_mut(|s| s.gathered = gathered);
                written
            }
        }
    }

    /// Waits until the socket may take more.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.tcp.writable().await
    }

    /// Seals the announcement of the close.
    fn part(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.parted, true) {
            let mut room = [0; RECORD_EXTRA_MAX];
            let sealed = self.seal(Seal::Farewell, &mut room)?;
            self.keep(&room[..sealed]);
        }
        Ok(())
    }

    /// Announces the close and closes the sending side.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.part()?;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Appends a message of TLS's own.
fn queue(
    unsent: &mut Vec<u8>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), rustls::Error> {
    let at = unsent.len();
    let mut encoded = encode(&mut []);
    if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) = encoded {
        unsent.resize(at + required_size, 0);
        encoded = encode(&mut unsent[at..]);
    }
    match encoded {
        Ok(len) => unsent.truncate(at + len),
        Err(error) => return Err(rustls::Error::General(error.to_string())),
    }
    Ok(())
}

/// What made the reading fail.
fn reason(error: io::Error) -> HandshakeError {
    match error.downcast::<rustls::Error>() {
        Ok(error) => HandshakeError::Tls(error),
        Err(error) => HandshakeError::Io(error),
    }
}
