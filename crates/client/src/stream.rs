//! Sockets of every kind under one type.

use crate::config::{Address, Config};
use crate::error::Error;
use socket2::{SockRef, TcpKeepalive};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// When the kernel begins to ask a silent peer whether it is there, how often, and how many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(10), 3);

/// Anything that can carry the protocol.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// Makes connections in a way of its own; see [`Config::connector`].
#[derive(Clone)]
pub struct Connector(Arc<dyn Fn() -> Connecting + Send + Sync>);

impl Connector {
    /// A connector that calls `connect` for every connection.
    pub fn new<F, Fut, T>(connect: F) -> Connector
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<T>> + Send + 'static,
        T: Transport + 'static,
    {
        Connector(Arc::new(move || {
            let connecting = connect();
            Box::pin(async move {
                let transport: Box<dyn Transport> = Box::new(connecting.await?);
                Ok(transport)
            })
        }))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

/// A connected socket.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    Other(Box<dyn Transport>),
}

impl Stream {
    pub(crate) async fn connect(config: &Config) -> Result<Stream, Error> {
        match &config.address {
            Address::Tcp(host, port) => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await?;
                tcp.set_nodelay(true)?;
                let (time, interval, retries) = KEEPALIVE;
                let keepalive = TcpKeepalive::new()
                    .with_time(time)
                    .with_interval(interval)
                    .with_retries(retries);
                SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
                #[cfg(feature = "tls")]
                if let Some(tls) = &config.tls {
                    return Ok(Stream::Tls(Box::new(tls.connect(host, tcp).await?)));
                }
                Ok(Stream::Tcp(tcp))
            }
            #[cfg(unix)]
            Address::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(Error::config("no Unix sockets on this system")),
            Address::Other(connector) => Ok(Stream::Other((connector.0)().await?)),
        }
    }
}

macro_rules! each {
    ($self:expr, $stream:ident => $do:expr) => {
        match $self.get_mut() {
            Stream::Tcp(s) => {
                let $stream = Pin::new(s);
                $do
            }
            #[cfg(unix)]
            Stream::Unix(s) => {
                let $stream = Pin::new(s);
                $do
            }
            #[cfg(feature = "tls")]
            Stream::Tls(s) => {
                let $stream = Pin::new(s);
                $do
            }
            Stream::Other(s) => {
                let $stream = Pin::new(s);
                $do
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => s.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => s.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(s) => s.is_write_vectored(),
            #[cfg(unix)]
            Stream::Unix(s) => s.is_write_vectored(),
            #[cfg(feature = "tls")]
            Stream::Tls(s) => s.is_write_vectored(),
            Stream::Other(s) => s.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_shutdown(cx))
    }
}
