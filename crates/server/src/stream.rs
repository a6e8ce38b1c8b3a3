//! A connection's socket, TCP, Unix or TLS: just what the connection task needs of it.

use crate::tls::{HandshakeError, TlsStream};
use rustls::ServerConfig;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;

/// A connection's socket.
pub(crate) enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TLS; boxed, so that it costs the others nothing.
    Tls(Box<TlsStream>),
    /// It is lent: see [`crate::conn::TaskWaker`]. Reading, writing and closing fail.
    Lent,
}

fn lent() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// A socket as it was accepted.
pub(crate) enum Accepted {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TCP, to speak TLS as the configuration says.
    Tls(TcpStream, Arc<ServerConfig>),
}

impl Accepted {
    /// Takes the socket from the worker that accepted it and registers it with `worker`.
    pub(crate) fn move_to(self, worker: &Handle) -> io::Result<Stream> {
        let stream = match self {
            Accepted::Tcp(s) => Stream::Tcp(s),
            Accepted::Unix(s) => Stream::Unix(s),
            Accepted::Tls(s, config) => {
                let tls = TlsStream::new(s, config).map_err(io::Error::other)?;
                Stream::Tls(Box::new(tls))
            }
        };
        stream.move_to(worker)
    }

    /// Sends `last` if the peer's buffer takes it and no handshake has to come before; then it is closed.
    pub(crate) fn dismiss(self, last: &[u8]) {
        // The peer is closed on in any case.
        let _ = match self {
            Accepted::Tcp(s) => s.try_write(last),
            Accepted::Unix(s) => s.try_write(last),
            Accepted::Tls(..) => Ok(0),
        };
    }
}

impl Stream {
    /// Registers the socket with `worker` instead of the worker that it was registered with. If that fails, it is closed.
    pub(crate) fn move_to(self, worker: &Handle) -> io::Result<Stream> {
        let _registers = worker.enter();
        let again = |tcp: TcpStream| TcpStream::from_std(tcp.into_std()?);
        Ok(match self {
            Stream::Tcp(s) => Stream::Tcp(again(s)?),
            Stream::Unix(s) => Stream::Unix(UnixStream::from_std(s.into_std()?)?),
            Stream::Tls(s) => Stream::Tls(Box::new(s.map_socket(again)?)),
            Stream::Lent => return Err(lent()),
        })
    }

    /// Does the TLS handshake, if there is one to do, as far as it goes now.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HandshakeError>> {
        match self {
            Stream::Tls(s) => s.poll_handshake(cx),
            Stream::Tcp(_) | Stream::Unix(_) | Stream::Lent => Poll::Ready(Ok(())),
        }
    }

    /// Reads what is there, into room for at least a TLS record. A short read clears the readiness,
    /// so that the next poll costs no system call.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Unix(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => {
                ready!(s.poll_open(cx, buf.remaining(), |plain| buf.put_slice(plain)))?;
                Poll::Ready(Ok(()))
            }
            Stream::Lent => Poll::Ready(Err(lent())),
        }
    }

    /// Reads into the spare room of `bytes`, without writing to it before. Gives how many bytes came.
    pub(crate) fn poll_read_more(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        // The future holds no state between polls (it is documented as cancel safe).
        match self {
            Stream::Tcp(s) => pin!(s.read_buf(bytes)).poll(cx),
            Stream::Unix(s) => pin!(s.read_buf(bytes)).poll(cx),
            Stream::Tls(s) => s.poll_open(cx, usize::MAX, |plain| bytes.extend_from_slice(plain)),
            Stream::Lent => Poll::Ready(Err(lent())),
        }
    }

    /// Writes what the socket takes now. After [`io::ErrorKind::WouldBlock`] the next call has to
    /// bring the same bytes in front.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.try_write(bytes),
            Stream::Unix(s) => s.try_write(bytes),
            Stream::Tls(s) => s.try_write(bytes),
            Stream::Lent => Err(lent()),
        }
    }

    /// Writes what the socket takes now of several pieces.
    pub(crate) fn try_write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.try_write_vectored(pieces),
            Stream::Unix(s) => s.try_write_vectored(pieces),
            Stream::Tls(s) => s.try_write_vectored(pieces),
            Stream::Lent => Err(lent()),
        }
    }

    /// Waits until the socket may take more.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(s) => s.writable().await,
            Stream::Unix(s) => s.writable().await,
            Stream::Tls(s) => s.writable().await,
            Stream::Lent => Err(lent()),
        }
    }

    /// Tells a peer over TLS, who is closed on, that nothing was cut off.
    pub(crate) fn say_goodbye(&mut self) {
        if let Stream::Tls(s) = self {
            s.say_goodbye();
        }
    }

    /// Closes the sending side, so that the peer sees the end after the last reply.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Unix(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => s.poll_shutdown(cx),
            Stream::Lent => Poll::Ready(Err(lent())),
        }
    }
}
