//! Connections for servers that are others' (gRPC, HTTP): accepted under the same options, TLS shaken hands.
//!
//! Invariants
//! - A connection that moves no bytes for the options' idle time is closed; one that is listened on moves some, as its
//!   server looks whether the peer is there.
//! - A connection on which nothing begins is closed after [`BEGIN_PATIENCE`]: until it is known what is spoken, no
//!   deadline of the library that serves it runs.
//! - Handshakes go on beside each other, each for a bounded time; connections above the limit are closed.

use super::{EXHAUSTED_REST, Options};
use crate::sockets::Io;
use futures_core::Stream;
use std::io;
#[cfg(feature = "grpc")]
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};

/// Streams that one connection of HTTP/2 may have.
pub(crate) const STREAMS_MAX: u32 = 256;
/// How often it is looked whether a silent peer of HTTP/2 is there, and how long it may take to answer.
pub(crate) const LOOK: Duration = Duration::from_secs(20);
/// Connections that wait to be served.
const READY: usize = 16;

/// How long a peer may take to send its first bytes, or to be answered for fewer.
const BEGIN_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes by which it is known what is spoken: those that every connection of HTTP/2 begins with (RFC 9113, 3.4).
const BEGINNING: usize = 24;

/// A connection, with its place among those that there may be.
pub(crate) struct Accepted {
    io: Box<dyn Io>,
    #[cfg(feature = "grpc")]
    peer: SocketAddr,
    idle: Option<Idle>,
    /// Until it has begun.
    beginning: Option<Beginning>,
    _place: OwnedSemaphorePermit,
}

/// The time after which a connection that moves no bytes is closed.
struct Idle {
    period: Duration,
    over: Pin<Box<Sleep>>,
}

/// What is to come of a connection that has just been accepted, and until when.
struct Beginning {
    missing: usize,
    over: Pin<Box<Sleep>>,
}

impl Beginning {
    fn new() -> Beginning {
        Beginning {
            missing: BEGINNING,
            over: Box::pin(tokio::time::sleep(BEGIN_PATIENCE)),
        }
    }
}

impl Idle {
    fn new(period: Duration) -> Idle {
        let over = Box::pin(tokio::time::sleep(period));
        Idle { period, over }
    }
}

impl Accepted {
    /// Notes that bytes were read.
    fn read(&mut self, bytes: usize) {
        if let Some(beginning) = &mut self.beginning {
            beginning.missing = beginning.missing.saturating_sub(bytes);
            if beginning.missing == 0 {
                self.beginning = None;
            }
        }
        self.moved();
    }

    /// Notes that bytes were written: an answer to what was read, so what is spoken is known. Before anything is read,
    /// it is what HTTP/2 says of itself.
    fn wrote(&mut self) {
        self.beginning.take_if(|b| b.missing < BEGINNING);
        self.moved();
    }

    /// Notes that bytes moved.
    fn moved(&mut self) {
        if let Some(idle) = &mut self.idle {
            idle.over.as_mut().reset(Instant::now() + idle.period);
        }
    }
}

/// The connections of a listener. Accepting ends when this is dropped.
pub(crate) struct Incoming {
    ready: mpsc::Receiver<Accepted>,
    task: tokio::task::JoinHandle<()>,
}

impl Incoming {
    /// Accepts from `listener`; `protocols` are those of ALPN.
    pub(crate) fn new(
        listener: TcpListener,
        options: Arc<Options>,
        protocols: &'static [&'static [u8]],
    ) -> Incoming {
        let (send, ready) = mpsc::channel(READY);
        let task = tokio::spawn(accept(listener, options, protocols, send));
        Incoming { ready, task }
    }
}

#[cfg(feature = "http")]
impl Incoming {
    /// The next connection; `None` when no more are accepted.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Accepted> {
        self.ready.recv().await
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    options: Arc<Options>,
    protocols: &'static [&'static [u8]],
    send: mpsc::Sender<Accepted>,
) {
    let places = options.max_connections.min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(places));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                tokio::time::sleep(EXHAUSTED_REST).await;
                continue;
            }
        };
        let permitted = options
            .guard
            .as_ref()
            .is_none_or(|guard| guard(peer).is_ok());
        let Some(place) = places
            .clone()
            .try_acquire_owned()
            .ok()
            .filter(|_| permitted)
        else {
            continue;
        };
        // A connection works without.
        let _ = stream.set_nodelay(true);
        let (options, send) = (options.clone(), send.clone());
        tokio::spawn(async move {
            if let Some(io) = secure(stream, &options, protocols).await {
                let accepted = Accepted {
                    io,
                    #[cfg(feature = "grpc")]
                    peer,
                    idle: options.idle.map(Idle::new),
                    beginning: Some(Beginning::new()),
                    _place: place,
                };
                // Nobody serves any more.
                let _ = send.send(accepted).await;
            }
        });
    }
}

/// Shakes hands, if there is TLS.
async fn secure(
    stream: TcpStream,
    options: &Options,
    protocols: &'static [&'static [u8]],
) -> Option<Box<dyn Io>> {
    #[cfg(feature = "tls")]
    if let Some(source) = &options.tls {
        let mut config = (*source()?).clone();
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        let shake = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream);
        let shaken = tokio::time::timeout(super::HANDSHAKE_PATIENCE, shake).await;
        return Some(Box::new(shaken.ok()?.ok()?));
    }
    let _ = (options, protocols);
    Some(Box::new(stream))
}

impl Stream for Incoming {
    type Item = io::Result<Accepted>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|next| next.map(Ok))
    }
}

#[cfg(feature = "grpc")]
impl tonic::transport::server::Connected for Accepted {
    type ConnectInfo = SocketAddr;

    fn connect_info(&self) -> SocketAddr {
        self.peer
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.read(buf.filled().len() - before);
            return read;
        }
        let Accepted {
            idle, beginning, ..
        } = &mut *self;
        let beginning = beginning.as_mut().map(|beginning| &mut beginning.over);
        let idle = idle.as_mut().map(|idle| &mut idle.over);
        let mut deadlines = beginning.into_iter().chain(idle);
        match deadlines.any(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, buf);
        if wrote.is_ready() {
            self.wrote();
        }
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        if wrote.is_ready() {
            self.wrote();
        }
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
