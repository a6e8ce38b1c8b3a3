//! Connections for servers that are others' (gRPC, HTTP): accepted under the same options, TLS shaken hands.
//!
//! Invariants
//! - A connection that moves no bytes for the options' idle time is closed; one that is listened on moves some, as its
//!   server looks whether the peer is there.
//! - Handshakes go on beside each other, each for a bounded time; connections above the limit are closed.

use super::{EXHAUSTED_REST, Options};
use crate::sockets::Io;
use futures_core::Stream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};

/// Connections that wait to be served.
const READY: usize = 16;

/// A connection, with its place among those that there may be.
pub(crate) struct Accepted {
    io: Box<dyn Io>,
    peer: SocketAddr,
    idle: Option<Idle>,
    _place: OwnedSemaphorePermit,
}

/// The time after which a connection that moves no bytes is closed.
struct Idle {
    period: Duration,
    over: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(period: Duration) -> Idle {
        let over = Box::pin(tokio::time::sleep(period));
        Idle { period, over }
    }
}

impl Accepted {
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
    #[cfg(feature = "http")]
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Incoming {
    /// Accepts from `listener`; `protocols` are those of ALPN.
    pub(crate) fn new(
        listener: TcpListener,
        options: Arc<Options>,
        protocols: &'static [&'static [u8]],
    ) -> io::Result<Incoming> {
        #[cfg(feature = "http")]
        let address = listener.local_addr()?;
        let (send, ready) = mpsc::channel(READY);
        let task = tokio::spawn(accept(listener, options, protocols, send));
        Ok(Incoming {
            ready,
            #[cfg(feature = "http")]
            address,
            task,
        })
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
                    peer,
                    idle: options.idle.map(Idle::new),
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

#[cfg(feature = "http")]
impl axum::serve::Listener for Incoming {
    type Io = Accepted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Accepted, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => {
                let peer = accepted.peer;
                (accepted, peer)
            }
            // The accepting task ends with this only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
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
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.moved();
            return read;
        }
        match &mut self.idle {
            Some(idle) => {
                ready!(idle.over.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            None => Poll::Pending,
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
            self.moved();
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
            self.moved();
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
