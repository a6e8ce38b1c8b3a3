//! Listeners: TCP and TLS on every `bind` address and a Unix socket, and the loops that accept from them.
//!
//! Accepting survives the exhaustion of file descriptors: it waits a little and goes on, while the
//! kernel's backlog keeps the peers.

use crate::conn::{Connection, TaskWaker};
use crate::runtime::ServerRuntime;
use crate::shared::Shared;
use crate::stream::{Accepted, Stream};
use ochre_engine::exec::{Counter, Endpoint, Engine};
use ochre_engine::ports::{LogLevel, Runtime as _};
use ochre_engine::settings::{Settings, id};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};

/// How long accepting rests when there are no file descriptors.
const EXHAUSTED_REST: Duration = Duration::from_millis(50);

const PROTECTED: &[u8] = b"-DENIED Ochre is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. To connect from other computers, set a password with the requirepass setting, or bind the server to addresses that only trusted clients can reach and switch protected-mode off.\r\n";
const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// What is spoken on a TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// RESP.
    Plain,
    /// RESP over TLS.
    Tls,
}

impl Front {
    /// Both.
    pub(crate) const ALL: [Front; 2] = [Front::Plain, Front::Tls];

    /// The setting that names the port.
    pub(crate) const fn setting(self) -> &'static str {
        match self {
            Front::Plain => "port",
            Front::Tls => "tls-port",
        }
    }

    /// The port that `settings` name, 0 for none.
    pub(crate) fn port(self, settings: &Settings) -> u16 {
        let port = settings.int(match self {
            Front::Plain => id::PORT,
            Front::Tls => id::TLS_PORT,
        });
        u16::try_from(port).unwrap_or(0)
    }

    /// How Redis's log calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Front::Plain => "tcp",
            Front::Tls => "tls",
        }
    }
}

/// Why the server could not listen.
#[derive(Debug)]
pub(crate) struct ListenError {
    pub(crate) what: String,
    pub(crate) reason: io::Error,
}

/// Sockets that are bound, not yet accepted from.
pub(crate) struct Bound {
    front: Front,
    tcp: Vec<std::net::TcpListener>,
}

/// Binds every address that the settings name on the port of `front`; none when it is 0.
pub(crate) fn bind_tcp(settings: &Settings, front: Front) -> Result<Bound, ListenError> {
    let tcp = bind_port(settings, front.port(settings))?;
    Ok(Bound { front, tcp })
}

/// Binds every address that the settings name on `port`; none when it is 0.
///
/// An address with a leading `-` may be missing from the machine.
pub(crate) fn bind_port(
    settings: &Settings,
    port: u16,
) -> Result<Vec<std::net::TcpListener>, ListenError> {
    let mut tcp = Vec::new();
    if port == 0 {
        return Ok(tcp);
    }
    let words = &settings.words(id::BIND);
    let backlog = i32::try_from(settings.int(id::TCP_BACKLOG)).unwrap_or(511);
    for word in words {
        let (optional, name) = word
            .strip_prefix('-')
            .map_or((false, word.as_str()), |rest| (true, rest));
        for address in resolve(name, port).map_err(|reason| ListenError {
            what: format!("{name}:{port}"),
            reason,
        })? {
            match bind_one(address, backlog) {
                Ok(listener) => tcp.push(listener),
                Err(e) if optional && is_missing_address(&e) => {}
                Err(reason) => {
                    return Err(ListenError {
                        what: format!("{name}:{port}"),
                        reason,
                    });
                }
            }
        }
    }
    if tcp.is_empty() && !words.is_empty() {
        return Err(ListenError {
            what: format!("*:{port}"),
            reason: io::ErrorKind::AddrNotAvailable.into(),
        });
    }
    Ok(tcp)
}

fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    use std::net::ToSocketAddrs;
    match name {
        "*" => Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
        "::*" => Ok(vec![(Ipv6Addr::UNSPECIFIED, port).into()]),
        _ => match name.parse::<IpAddr>() {
            Ok(ip) => Ok(vec![(ip, port).into()]),
            Err(_) => Ok((name, port).to_socket_addrs()?.collect()),
        },
    }
}

fn is_missing_address(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, Unsupported};
    // EAFNOSUPPORT has no kind of its own: a machine without IPv6.
    const EAFNOSUPPORT: i32 = 97;
    matches!(error.kind(), AddrNotAvailable | Unsupported)
        || error.raw_os_error() == Some(EAFNOSUPPORT)
}

fn bind_one(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Binds the Unix socket that the settings name, replacing a stale one.
pub(crate) fn bind_unix(
    settings: &Settings,
) -> Result<Option<std::os::unix::net::UnixListener>, ListenError> {
    let path = String::from_utf8_lossy(&settings.text(id::UNIXSOCKET)).into_owned();
    if path.is_empty() {
        return Ok(None);
    }
    let failed = |reason| ListenError {
        what: path.clone(),
        reason,
    };
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(&path).map_err(failed)?;
    let mode = u32::try_from(settings.int(id::UNIXSOCKETPERM)).unwrap_or(0);
    if mode != 0 {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(Some(listener))
}

impl Bound {
    /// Whether nothing is listened on.
    pub(crate) fn is_empty(&self) -> bool {
        self.tcp.is_empty()
    }

    /// What is spoken there.
    pub(crate) fn front(&self) -> Front {
        self.front
    }

    /// Starts accepting; the tasks end when they are aborted. Must be called inside the runtime.
    pub(crate) fn accept(self, shared: &Arc<Shared>) -> io::Result<Vec<tokio::task::AbortHandle>> {
        let mut tasks = Vec::new();
        for listener in self.tcp {
            let listener = TcpListener::from_std(listener)?;
            tasks.push(
                tokio::spawn(accept_tcp(shared.clone(), listener, self.front)).abort_handle(),
            );
        }
        Ok(tasks)
    }
}

/// Starts accepting from a Unix socket. Must be called inside the runtime.
pub(crate) fn accept_unix(
    shared: &Arc<Shared>,
    listener: std::os::unix::net::UnixListener,
) -> io::Result<tokio::task::AbortHandle> {
    let listener = UnixListener::from_std(listener)?;
    let shared = shared.clone();
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let path =
                        String::from_utf8_lossy(&shared.engine.settings.text(id::UNIXSOCKET))
                            .into_owned();
                    let endpoint = Endpoint {
                        addr: format!("{path}:0"),
                        laddr: format!("{path}:0"),
                        fd: stream.as_raw_fd(),
                        unix: true,
                    };
                    admit(&shared, Accepted::Unix(stream), endpoint, false);
                }
                Err(error) => rest(&shared.runtime, &error).await,
            }
        }
    })
    .abort_handle())
}

async fn accept_tcp(shared: Arc<Shared>, listener: TcpListener, front: Front) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let laddr = stream
                    .local_addr()
                    .map(|a| a.to_string())
                    .unwrap_or_default();
                let endpoint = Endpoint {
                    addr: peer.to_string(),
                    laddr,
                    fd: stream.as_raw_fd(),
                    unix: false,
                };
                let settings = &shared.engine.settings;
                prepare(settings, &stream);
                let refused = is_refused(&shared.engine, peer.ip());
                let accepted = match (front, shared.tls.read().clone()) {
                    (Front::Plain, _) => Accepted::Tcp(stream),
                    (Front::Tls, Some(config)) => Accepted::Tls(stream, config),
                    // There is a configuration before there is a port.
                    (Front::Tls, None) => continue,
                };
                if refused && front == Front::Plain {
                    accepted.dismiss(PROTECTED);
                    shared.engine.stats.add(Counter::RejectedConnections, 1);
                    continue;
                }
                admit(&shared, accepted, endpoint, refused);
            }
            Err(error) => rest(&shared.runtime, &error).await,
        }
    }
}

/// Socket options; a connection works without them, so their failure is not an error.
fn prepare(settings: &Settings, stream: &tokio::net::TcpStream) {
    let _ = stream.set_nodelay(true);
    let seconds = u64::try_from(settings.int(id::TCP_KEEPALIVE)).unwrap_or(0);
    if seconds > 0 {
        let interval = Duration::from_secs((seconds / 3).max(1));
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(seconds))
            .with_interval(interval)
            .with_retries(3);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

fn is_refused(engine: &Engine, peer: IpAddr) -> bool {
    let loopback = peer.to_canonical().is_loopback();
    !loopback && engine.settings.flag(id::PROTECTED_MODE) && !engine.acl.needs_password()
}

/// Makes a client of an accepted socket, if `maxclients` allows. One that is `refused` learns the
/// reason after its handshake.
pub(crate) fn admit(shared: &Arc<Shared>, accepted: Accepted, endpoint: Endpoint, refused: bool) {
    let waker = Arc::new(TaskWaker::default());
    let Some(mut session) = shared.engine.connect(endpoint, Some(waker.clone())) else {
        // compat: over TLS the connection just ends, as a word would need a handshake first.
        return accepted.dismiss(TOO_MANY);
    };
    let seat = shared.seats.take();
    let stream = (seat.as_ref()).and_then(|seat| accepted.move_to(&seat.worker).ok());
    let (Some(seat), Some(stream)) = (seat, stream) else {
        return shared.engine.disconnect(&mut session);
    };
    let secured = matches!(stream, Stream::Tls(_));
    let mut connection = Connection::new(shared.clone(), seat, stream, session, waker);
    if !secured {
        return connection.start();
    }
    let worker = connection.worker().clone();
    worker.spawn(async move {
        match connection.secure().await {
            Err(error) => connection.report(&error),
            Ok(()) if refused => connection.refuse(PROTECTED),
            Ok(()) => connection.start(),
        }
    });
}

async fn rest(runtime: &ServerRuntime, error: &io::Error) {
    runtime.log(
        LogLevel::Warning,
        &format!("Accepting client connection: {error}"),
    );
    tokio::time::sleep(EXHAUSTED_REST).await;
}
