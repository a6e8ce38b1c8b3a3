//! The server inside another program: started by a call, stopped by a drop, reached without a socket if wished.
//!
//! Invariants
//! - A server is one of its own: several run in a process, each with its keyspace, settings and threads.
//! - Of the process only the soft limit of open files is touched: no signal handlers, no working directory, no standard
//!   output.
//! - [`Server::start`](Builder::start) returns when the server accepts; a drop returns when its threads have ended.

use crate::files::StartFile;
use crate::listen::admit;
use crate::log::Log;
use crate::shared::Shared;
use crate::start::serve;
use crate::stream::Accepted;
use crate::workers::Workers;
use ochre_engine::exec::Endpoint;
use ochre_engine::ports::{Memory, MemoryFigures, Runtime as _};
use ochre_engine::settings::{Settings, id};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Weak, mpsc};
use std::thread::JoinHandle;

/// Attempts to find a port that nobody takes between the choice and the start.
const PORT_TRIES: usize = 8;

/// A running server. Stops when it is dropped, which waits for its threads.
///
/// ```
/// use ochre_server::Server;
///
/// # fn main() -> std::io::Result<()> {
/// let server = Server::builder().port(0).start()?;
/// let address = server.address().unwrap();
/// assert_ne!(address.port(), 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Server {
    handle: ServerHandle,
    address: Option<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

/// A way to connect to a [`Server`] from the same process; does not keep it running.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Weak<Shared>,
}

/// How a [`Server`] is to be.
#[derive(Clone)]
pub struct Builder {
    address: Option<SocketAddr>,
    settings: Vec<(String, Vec<u8>)>,
    log_level: String,
    memory: Arc<dyn Memory>,
}

/// What [`serve`] needs to know when it runs inside another program.
pub(crate) struct Host {
    ready: mpsc::SyncSender<Weak<Shared>>,
}

impl Host {
    /// Says that the server is up, and waits until it is told to stop.
    pub(crate) async fn run(self, shared: &Arc<Shared>) {
        // Whoever started it waits for this; if not, the stop comes at once.
        let _ = self.ready.send(Arc::downgrade(shared));
        shared.runtime.stopped().await;
    }
}

impl Server {
    /// A server without a socket, which is what a builder begins with.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            address: None,
            settings: Vec::new(),
            log_level: "nothing".to_owned(),
            memory: Arc::new(ProcessMemory),
        }
    }

    /// Where it listens, if it listens on TCP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The TCP port that it listens on, if any.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.address.map(|a| a.port())
    }

    /// A handle by which any task can connect.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// A connection inside the process: a pair of connected sockets without a name or a port.
    ///
    /// # Errors
    /// When the server stops, has as many clients as it may have, or the system has no descriptors left.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn connect(&self) -> io::Result<tokio::net::UnixStream> {
        self.handle.connect()
    }

    /// Stops the server: connections finish what they are doing.
    ///
    /// # Cancel safety
    /// It stops also when the future is dropped.
    pub async fn stop(mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the server was reported by its thread.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn tell_to_stop(&self) {
        if let Some(shared) = self.handle.shared.upgrade() {
            shared.runtime.shutdown();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the server was reported by its thread.
            let _ = thread.join();
        }
    }
}

impl ServerHandle {
    /// See [`Server::connect`].
    ///
    /// # Errors
    /// When the server has stopped, or the system has no descriptors left.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn connect(&self) -> io::Result<tokio::net::UnixStream> {
        let stopped = || io::Error::new(io::ErrorKind::ConnectionRefused, "the server has stopped");
        let shared = self.shared.upgrade().ok_or_else(stopped)?;
        let (ours, theirs) = tokio::net::UnixStream::pair()?;
        let endpoint = Endpoint {
            addr: "in-process:0".to_owned(),
            laddr: "in-process:0".to_owned(),
            fd: theirs.as_raw_fd(),
            unix: true,
        };
        admit(&shared, Accepted::Unix(theirs), endpoint, false);
        Ok(ours)
    }
}

impl std::fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerHandle")
    }
}

impl Builder {
    /// Listens on a TCP port of the loopback address; 0 takes one that is free.
    #[must_use]
    pub fn port(self, port: u16) -> Builder {
        self.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// Listens on a TCP address; port 0 takes one that is free.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Builder {
        self.address = Some(address);
        self
    }

    /// Listens on a Unix socket.
    #[must_use]
    pub fn unix_socket(self, path: impl AsRef<Path>) -> Builder {
        use std::os::unix::ffi::OsStrExt as _;
        self.setting("unixsocket", path.as_ref().as_os_str().as_bytes())
    }

    /// Any setting of `docs/settings.md`, as CONFIG SET takes it.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Builder {
        self.settings.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// How many threads serve connections; one per core if not said.
    #[must_use]
    pub fn workers(self, workers: usize) -> Builder {
        self.setting("worker-threads", workers.to_string())
    }

    /// What goes to standard output: `debug`, `verbose`, `notice`, `warning`, or `nothing`, which is the default.
    #[must_use]
    pub fn log_level(mut self, level: impl Into<String>) -> Builder {
        self.log_level = level.into();
        self
    }

    /// Where figures of memory come from (INFO, `maxmemory`). By default the process's resident memory, which counts
    /// the rest of the program as well; a program with jemalloc has better.
    #[must_use]
    pub fn memory(mut self, memory: Arc<dyn Memory>) -> Builder {
        self.memory = memory;
        self
    }

    /// Starts the server on threads of its own. Takes some milliseconds.
    ///
    /// # Errors
    /// When a setting is wrong, an address is taken, or the system gives no threads.
    pub fn start(&self) -> io::Result<Server> {
        let Some(address) = self.address else {
            return self.start_at(None);
        };
        if address.port() != 0 {
            // Tells the reason, which the server itself would only log.
            drop(TcpListener::bind(address)?);
            return self.start_at(Some(address));
        }
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..PORT_TRIES {
            let free = TcpListener::bind(address)?.local_addr()?;
            match self.start_at(Some(free)) {
                Ok(server) => return Ok(server),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_at(&self, address: Option<SocketAddr>) -> io::Result<Server> {
        let settings = Arc::new(self.settings(address)?);
        let log = Arc::new(Log::new());
        log.set_level(&self.log_level);
        let workers = usize::try_from(settings.int(id::WORKER_THREADS)).unwrap_or(0);
        let workers = match workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let threads = Workers::start(workers, || {})?;
        let (ready, started) = mpsc::sync_channel(1);
        let (host, memory) = (Host { ready }, self.memory.clone());
        let run = move || {
            let serving = serve(settings, log, StartFile(None), &threads, memory, Some(host));
            let _ = threads.first().block_on(serving);
            threads.stop();
        };
        let thread = std::thread::Builder::new()
            .name("ochre-server".to_owned())
            .spawn(run)?;
        match started.recv() {
            Ok(shared) => Ok(Server {
                handle: ServerHandle { shared },
                address,
                thread: Some(thread),
            }),
            Err(_) => {
                // It has ended, or is about to.
                let _ = thread.join();
                let text = "the server did not start; with log_level(\"warning\") it says why";
                Err(io::Error::other(text))
            }
        }
    }

    fn settings(&self, address: Option<SocketAddr>) -> io::Result<Settings> {
        let invalid = |name: &str, reason: String| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: {reason}"))
        };
        let settings = Settings::new();
        let port = address.map_or(0, |a| a.port()).to_string();
        let bind = address
            .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |a| a.ip())
            .to_string();
        let mut all = vec![("port", port.as_bytes()), ("bind", bind.as_bytes())];
        all.extend(
            self.settings
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_slice())),
        );
        for (name, value) in all {
            settings
                .preset(name, value)
                .map_err(|e| invalid(name, e.to_string()))?;
        }
        Ok(settings)
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Resident bytes of the process; 0 where the system does not tell.
#[must_use]
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text
        .split_whitespace()
        .nth(1)
        .and_then(|f| f.parse().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Figures of the whole process, where nothing better is known.
struct ProcessMemory;

impl Memory for ProcessMemory {
    fn figures(&self) -> MemoryFigures {
        let rss = resident_bytes();
        MemoryFigures {
            allocated: rss,
            active: rss,
            resident: rss,
            rss,
            ..MemoryFigures::default()
        }
    }

    fn allocator(&self) -> &'static str {
        "libc"
    }

    fn purge(&self) {}

    fn report(&self) -> Option<String> {
        None
    }
}
