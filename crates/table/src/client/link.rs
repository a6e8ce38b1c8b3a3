//! Connections to the server: TCP, TLS, or streams of one connection by yamux.

use super::{ClientError, Config};
use crate::sockets::{Io, mux_config};
use futures_util::io::{AsyncRead, AsyncWrite};
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

/// Requests for streams that may wait.
const OPENINGS: usize = 16;

type Opening = oneshot::Sender<Result<yamux::Stream, yamux::ConnectionError>>;

/// Makes connections.
pub(super) struct Link {
    pub(super) config: Config,
    /// The connection that streams are opened on.
    mux: Mutex<Option<mpsc::Sender<Opening>>>,
}

impl Link {
    pub(super) fn new(config: Config) -> Link {
        Link {
            config,
            mux: Mutex::new(None),
        }
    }

    /// Opens a stream of frames.
    ///
    /// # Cancel safety
    /// A drop of the future opens nothing.
    pub(super) async fn open(&self) -> Result<Box<dyn Io>, ClientError> {
        let opened = tokio::time::timeout(self.config.connect_timeout, self.open_any()).await;
        opened
            .unwrap_or_else(|late| Err(late.into()))
            .map_err(ClientError::Connect)
    }

    async fn open_any(&self) -> io::Result<Box<dyn Io>> {
        if !self.config.yamux {
            return self.socket().await;
        }
        let mut mux = self.mux.lock().await;
        if let Some(openings) = &*mux
            && let Some(stream) = stream_of(openings).await
        {
            return Ok(Box::new(stream.compat()));
        }
        let connection = yamux::Connection::new(
            self.socket().await?.compat(),
            mux_config(),
            yamux::Mode::Client,
        );
        let (openings, wanted) = mpsc::channel(OPENINGS);
        tokio::spawn(drive(connection, wanted));
        let stream = stream_of(&openings).await;
        *mux = Some(openings);
        let stream = stream.ok_or_else(|| io::Error::other("no stream of yamux was opened"))?;
        Ok(Box::new(stream.compat()))
    }

    async fn socket(&self) -> io::Result<Box<dyn Io>> {
        let stream = TcpStream::connect(&self.config.address).await?;
        stream.set_nodelay(true)?;
        #[cfg(feature = "tls")]
        if let Some((config, name)) = &self.config.tls {
            let connector = tokio_rustls::TlsConnector::from(config.clone());
            return Ok(Box::new(connector.connect(name.clone(), stream).await?));
        }
        Ok(Box::new(stream))
    }
}

async fn stream_of(openings: &mpsc::Sender<Opening>) -> Option<yamux::Stream> {
    let (opened, stream) = oneshot::channel();
    openings.send(opened).await.ok()?;
    stream.await.ok()?.ok()
}

/// Moves the bytes of all streams, and opens those that are asked for, until nobody can ask any more and the peer is
/// gone, or the connection fails.
async fn drive<T: AsyncRead + AsyncWrite + Unpin>(
    mut connection: yamux::Connection<T>,
    mut wanted: mpsc::Receiver<Opening>,
) {
    let mut opening = None;
    loop {
        let over = poll_fn(|cx| {
            loop {
                if opening.is_none()
                    && let Poll::Ready(Some(next)) = wanted.poll_recv(cx)
                {
                    opening = Some(next);
                }
                match opening.take() {
                    None => break,
                    Some(waits) => match connection.poll_new_outbound(cx) {
                        // Who asked may have given up; the stream is dropped then.
                        Poll::Ready(stream) => drop(waits.send(stream)),
                        Poll::Pending => {
                            opening = Some(waits);
                            break;
                        }
                    },
                }
            }
            // A server opens no streams; what it does open is dropped.
            connection
                .poll_next_inbound(cx)
                .map(|next| !matches!(next, Some(Ok(_))))
        });
        if over.await {
            return;
        }
    }
}
