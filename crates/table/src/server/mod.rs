//! The service on TCP: accepting, limits, the orderly stop.
//!
//! Invariants
//! - A connection above the limit is told so (status 503) and closed; accepting goes on when there are no file
//!   descriptors.
//! - A stop lets every connection finish the batch that it is executing and send its responses.
//!
//! Parts: `connection` is one stream of frames, `frame` what becomes of one, `subscribed` a stream that listens to a
//! topic, `mux` many streams over one connection (yamux), `unread` what those may hold.

mod connection;
mod frame;
mod handle;
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) mod incoming;
mod mux;
mod subscribed;
mod unread;

use crate::error::KvError;
use crate::pb::CommandResponse;
use crate::service::Service;
use crate::sockets::Io;
use crate::storage::Storage;
use crate::wire::put_message;
use connection::Connection;
use handle::Registry;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How long accepting rests when there are no file descriptors.
const EXHAUSTED_REST: Duration = Duration::from_millis(50);
/// How often idle connections are looked for.
const IDLE_CHECK: Duration = Duration::from_millis(250);
/// How long a TLS handshake may take.
#[cfg(feature = "tls")]
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// A task that a [`Spawn`] runs.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the tasks of connections.
pub trait Spawn: Send + Sync + 'static {
    /// Runs a task to its end, inside of a Tokio runtime. A socket belongs to the runtime that first polls its task.
    fn spawn(&self, task: Task);
}

/// Runs tasks on the runtime that accepts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Here;

impl Spawn for Here {
    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}

/// Gives the TLS configuration of new connections, so that it can change; `None` refuses them.
#[cfg(feature = "tls")]
pub type TlsSource = Arc<dyn Fn() -> Option<Arc<rustls::ServerConfig>> + Send + Sync>;

/// Decides by its address whether a peer is let in; the error is what it is told.
pub type Guard = Arc<dyn Fn(SocketAddr) -> Result<(), KvError> + Send + Sync>;

/// How a [`Server`] is to be.
#[derive(Clone)]
pub struct Options {
    /// Connections at a time, streams of yamux among them; 10000 by default.
    pub max_connections: usize,
    /// Time after which a connection that asks for nothing is closed; none by default. Subscriptions are not idle.
    pub idle: Option<Duration>,
    /// Whether connections carry many logical streams (yamux).
    pub yamux: bool,
    /// TLS; none by default.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsSource>,
    /// Lets peers in; all by default.
    pub guard: Option<Guard>,
    /// Runs the connections; on the accepting runtime by default.
    pub spawn: Arc<dyn Spawn>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_connections: 10_000,
            idle: None,
            yamux: false,
            #[cfg(feature = "tls")]
            tls: None,
            guard: None,
            spawn: Arc::new(Here),
        }
    }
}

/// A service on TCP. Clones are one.
pub struct Server<Store> {
    service: Service<Store>,
    options: Arc<Options>,
    registry: Arc<Registry>,
}

impl<Store> Clone for Server<Store> {
    fn clone(&self) -> Server<Store> {
        Server {
            service: self.service.clone(),
            options: self.options.clone(),
            registry: self.registry.clone(),
        }
    }
}

impl<Store: Storage> Server<Store> {
    /// A server that does not listen yet.
    #[must_use]
    pub fn new(service: Service<Store>, options: Options) -> Server<Store> {
        Server {
            service,
            options: Arc::new(options),
            registry: Arc::default(),
        }
    }

    /// Accepts from `listener` until the server stops.
    ///
    /// # Cancel safety
    /// A drop of the future ends the accepting and nothing else.
    pub async fn accept(&self, listener: TcpListener) {
        let _listens = self.registry.listens();
        // Moved below its count, so that it is closed before that.
        let listener = listener;
        let mut idle = tokio::time::interval(IDLE_CHECK);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer),
                    Err(_) => tokio::time::sleep(EXHAUSTED_REST).await,
                },
                _ = idle.tick(), if self.options.idle.is_some() => {
                    self.registry.close_idle(self.options.idle);
                }
                () = self.registry.stopping() => return,
            }
        }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &Service<Store> {
        &self.service
    }

    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn options(&self) -> Arc<Options> {
        self.options.clone()
    }

    /// Ready when a stop was asked for.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn stopping(&self) {
        self.registry.stopping().await;
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.len()
    }

    /// Ends accepting and subscriptions, and lets every connection finish what it is executing.
    pub fn stop(&self) {
        // First: a connection that finds itself stopped while its subscription goes on could not tell of its end.
        self.service.topics().stop();
        self.registry.stop();
    }

    /// Ready when a stop was asked for and no connection is left. The listeners that [`accept`](Self::accept) was
    /// accepting from are closed then, so that their addresses can be bound anew.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn stopped(&self) {
        self.registry.stopped().await;
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        // A connection works without.
        let _ = stream.set_nodelay(true);
        let permitted = match &self.options.guard {
            Some(guard) => guard(peer),
            None => Ok(()),
        };
        let most = self.options.max_connections;
        let entered = permitted.and_then(|()| {
            let entered = self.registry.enter(most);
            entered.ok_or_else(|| self.full())
        });
        let handle = match entered {
            Ok(handle) => handle,
            Err(error) => return self.dismiss(&stream, error),
        };
        let Ok(stream) = stream.into_std() else {
            return;
        };
        let server = self.clone();
        self.options.spawn.spawn(Box::pin(async move {
            // Without a place in this runtime's driver there is nothing to serve.
            if let Ok(stream) = TcpStream::from_std(stream) {
                server.serve_tcp(stream, handle).await;
            }
        }));
    }

    /// What a connection above the limit is told.
    fn full(&self) -> KvError {
        let most = self.options.max_connections;
        KvError::Unavailable(format!("The server has the {most} connections it may have"))
    }

    /// Tells a peer why, if that needs no handshake and its buffer takes it.
    fn dismiss(&self, stream: &TcpStream, error: KvError) {
        #[cfg(feature = "tls")]
        if self.options.tls.is_some() {
            return;
        }
        if !self.options.yamux {
            let mut word = Vec::new();
            put_message(&mut word, &CommandResponse::from(error));
            // The peer is closed on in any case.
            let _ = stream.try_write(&word);
        }
    }

    async fn serve_tcp(&self, stream: TcpStream, handle: handle::Entered) {
        #[cfg(feature = "tls")]
        if let Some(source) = &self.options.tls {
            let Some(config) = source() else {
                return;
            };
            let shake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
            // Why a handshake failed is the peer's to know: TLS tells it.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_PATIENCE, shake).await {
                Box::pin(self.serve_io(stream, handle)).await;
            }
            return;
        }
        self.serve_io(stream, handle).await;
    }

    async fn serve_io(&self, io: impl Io, handle: handle::Entered) {
        if self.options.yamux {
            mux::serve(self, io, handle).await;
        } else {
            Connection::new(self.service.clone(), io, handle)
                .serve()
                .await;
        }
    }

    /// Serves one connection that was made otherwise, without the limits of accepting.
    ///
    /// # Cancel safety
    /// A drop of the future closes the connection.
    pub async fn serve(&self, io: impl Io) {
        if let Some(handle) = self.registry.enter(usize::MAX) {
            self.serve_io(io, handle).await;
        }
    }
}

/// Binds a TCP address with a long queue of connections that wait to be accepted.
///
/// # Errors
/// The operating system's.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    /// Connections that may wait.
    const BACKLOG: i32 = 1024;
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
