//! A connection's socket, TCP or Unix: just what the connection task needs of it.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// An accepted socket.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// A socket between two workers.
pub(crate) enum Moving {
    /// Over TCP.
    Tcp(std::net::TcpStream),
    /// Over a Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl Moving {
    /// Registers the socket with the worker that calls.
    pub(crate) fn join(self) -> io::Result<Stream> {
        Ok(match self {
            Moving::Tcp(s) => Stream::Tcp(TcpStream::from_std(s)?),
            Moving::Unix(s) => Stream::Unix(UnixStream::from_std(s)?),
        })
    }
}

impl Stream {
    /// Takes the socket from the worker that accepted it.
    pub(crate) fn leave(self) -> io::Result<Moving> {
        Ok(match self {
            Stream::Tcp(s) => Moving::Tcp(s.into_std()?),
            Stream::Unix(s) => Moving::Unix(s.into_std()?),
        })
    }

    /// Reads what is there. A short read clears the readiness, so that the next poll costs no system call.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Unix(s) => Pin::new(s).poll_read(cx, buf),
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
        }
    }

    /// Writes what the socket takes now.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.try_write(bytes),
            Stream::Unix(s) => s.try_write(bytes),
        }
    }

    /// Writes what the socket takes now of several pieces.
    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.try_write_vectored(pieces),
            Stream::Unix(s) => s.try_write_vectored(pieces),
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
        }
    }

    /// Closes the sending side, so that the peer sees the end after the last reply.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Unix(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
