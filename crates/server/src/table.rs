//! The table front beside RESP: its storage, ports and TLS as the settings say.
//!
//! Connections of `table-port` are placed on the same workers as those of RESP, so that a table in the keyspace is read
//! where the request arrived. Those to tables on disk, which wait for it, and gRPC and HTTP, whose libraries start tasks
//! of their own, have threads of their own.
//!
//! Whom it lets in: under `protected-mode` peers of this machine only, unless they have to show a certificate, as the
//! protocols have no password. What requests may do in the keyspace, the ACL says (`table-user`).

mod web;

use crate::apply::configure_tls;
use crate::listen::bind_port;
use crate::log::Log;
use crate::shared::Shared;
use crate::workers::Seats;
use ochre_engine::ports::LogLevel;
use ochre_engine::settings::{Settings, id};
use ochre_table::server::{Guard, Options, Server, Spawn, Task, TlsSource};
use ochre_table::{
    DiskOptions, DiskTable, Keyspace, KvError, Limits, MemTable, Service, ServiceInner, Storage,
    SyncPolicy,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// How long connections of the table front may take to leave when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

type Store = Arc<dyn Storage>;

/// The running front.
#[derive(Default)]
pub(crate) struct Tables {
    server: Option<Server<Store>>,
    /// What serves gRPC and HTTP.
    web: Vec<JoinHandle<()>>,
    /// Serves what is not for the workers, so that nobody else waits for a disk.
    beside: Option<Beside>,
}

/// Threads that serve connections to tables on disk, at least.
const DISK_THREADS_MIN: usize = 4;

/// Owns those threads. A drop ends them without waiting, which a runtime's own drop would do.
struct Beside {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Beside {
    fn start(settings: &Settings, on_disk: bool) -> Result<Beside, String> {
        let workers = usize::try_from(settings.int(id::WORKER_THREADS)).unwrap_or(0);
        let least = if on_disk { DISK_THREADS_MIN } else { 1 };
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers.max(least))
            .thread_name("ochre-table")
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Beside {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Places connections on a runtime of their own.
struct OnRuntime(Handle);

impl Spawn for OnRuntime {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}

/// Places connections on the workers.
struct OnWorkers(Seats);

impl Spawn for OnWorkers {
    fn spawn(&self, task: Task) {
        if let Some(seat) = self.0.take() {
            let worker = seat.worker.clone();
            worker.spawn(async move {
                task.await;
                drop(seat);
            });
        }
    }
}

impl Tables {
    /// Starts what the settings ask for. Must be called inside the runtime of a worker.
    ///
    /// # Errors
    /// With the reason, when a port, the storage or TLS is not to be had.
    pub(crate) fn start(shared: &Arc<Shared>, log: &Arc<Log>) -> Result<Tables, String> {
        let settings = &*shared.engine.settings;
        let ports = id::TABLE_PORTS.map(|port| u16::try_from(settings.int(port)).unwrap_or(0));
        if ports == [0; 3] {
            return Ok(Tables::default());
        }
        let [port, grpc, http] = ports;
        let service: Service<Store> = ServiceInner::new(storage(shared)?)
            .limits(limits(settings))
            .into();
        let on_disk = settings.choice(id::TABLE_STORAGE) == "disk";
        let beside = match on_disk || grpc != 0 || http != 0 {
            true => Some(Beside::start(settings, on_disk)?),
            false => None,
        };
        let spawn: Arc<dyn Spawn> = match &beside {
            Some(beside) if on_disk => Arc::new(OnRuntime(beside.handle.clone())),
            _ => Arc::new(OnWorkers(shared.seats.clone())),
        };
        let server = Server::new(service, options(shared, log, spawn)?);
        for listener in bind(settings, port)? {
            let accepting = server.clone();
            tokio::spawn(async move { accepting.accept(listener).await });
        }
        let mut web = Vec::new();
        if let Some(beside) = &beside {
            // Sockets belong to the runtime in which they are made.
            let _inside = beside.handle.enter();
            web.extend(web::start_grpc(shared, log, &server, grpc)?);
            web.extend(web::start_http(shared, log, &server, http)?);
        }
        log.write(
            LogLevel::Notice,
            &format!(
                "Table front: port={port}, grpc={grpc}, http={http}, storage={}",
                settings.choice(id::TABLE_STORAGE)
            ),
        );
        Ok(Tables {
            server: Some(server),
            web,
            beside,
        })
    }

    /// Lets every connection finish what it is doing, for a bounded time; tables on disk are synced.
    pub(crate) async fn stop(self) {
        let Some(server) = self.server else {
            return;
        };
        server.stop();
        let all = async {
            server.stopped().await;
            for task in self.web {
                // A panic of the task was reported by itself.
                let _ = task.await;
            }
        };
        // What is left then is closed by the end of the workers, and of the threads beside.
        let _ = tokio::time::timeout(STOP_PATIENCE, all).await;
        drop(self.beside);
    }
}

/// Binds a port for the runtime that this is called in.
fn bind(settings: &Settings, port: u16) -> Result<Vec<TcpListener>, String> {
    let bound = bind_port(settings, port)
        .map_err(|e| format!("cannot listen on {}: {}", e.what, e.reason))?;
    let listener = |bound| TcpListener::from_std(bound).map_err(|e| e.to_string());
    bound.into_iter().map(listener).collect()
}

fn storage(shared: &Shared) -> Result<Store, String> {
    let settings = &*shared.engine.settings;
    Ok(match settings.choice(id::TABLE_STORAGE) {
        "memory" => {
            let engine = shared.engine.clone();
            Arc::new(MemTable::limited(move || !engine.memory.is_over()))
        }
        "disk" => {
            let sync = match settings.choice(id::TABLE_SYNC) {
                "always" => SyncPolicy::Always,
                "no" => SyncPolicy::Never,
                _ => SyncPolicy::Every(Duration::from_secs(1)),
            };
            let options = DiskOptions {
                sync,
                ..DiskOptions::default()
            };
            let folder = settings.text(id::TABLE_DIR);
            let folder = String::from_utf8_lossy(&folder).into_owned();
            Arc::new(DiskTable::open(folder, options).map_err(|e| e.to_string())?)
        }
        _ => {
            let user = String::from_utf8_lossy(&settings.text(id::TABLE_USER)).into_owned();
            let user = (!user.is_empty()).then_some(user.as_str());
            Arc::new(Keyspace::new(shared.engine.clone(), user))
        }
    })
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        frame_bytes: usize::try_from(settings.size(id::TABLE_MAX_FRAME)).unwrap_or(usize::MAX),
        keys: usize::try_from(settings.size(id::TABLE_MAX_KEYS)).unwrap_or(usize::MAX),
    }
}

fn options(shared: &Arc<Shared>, log: &Log, spawn: Arc<dyn Spawn>) -> Result<Options, String> {
    let settings = &*shared.engine.settings;
    let seconds = settings.size(id::TABLE_TIMEOUT);
    let most = usize::try_from(settings.size(id::TABLE_MAX_CONNECTIONS)).unwrap_or(usize::MAX);
    let tls = match settings.flag(id::TABLE_TLS) {
        true => Some(tls(shared, log)?),
        false => None,
    };
    Ok(Options {
        max_connections: most,
        idle: (seconds > 0).then(|| Duration::from_secs(seconds)),
        yamux: settings.flag(id::TABLE_YAMUX),
        tls,
        guard: Some(guard(shared)),
        spawn,
    })
}

/// The configuration of the TLS port where there is one, which follows the settings; else one made now.
fn tls(shared: &Arc<Shared>, log: &Log) -> Result<TlsSource, String> {
    let current = shared.tls.clone();
    if current.read().is_none() {
        let made = configure_tls(&shared.engine.settings, log).ok_or("TLS is not configured")?;
        *current.write() = Some(made);
    }
    Ok(Arc::new(move || current.read().clone()))
}

fn guard(shared: &Arc<Shared>) -> Guard {
    let engine = shared.engine.clone();
    Arc::new(move |peer: SocketAddr| {
        let settings = &engine.settings;
        let certified =
            settings.flag(id::TABLE_TLS) && settings.choice(id::TLS_AUTH_CLIENTS) == "yes";
        if certified || !settings.flag(id::PROTECTED_MODE) || peer.ip().to_canonical().is_loopback()
        {
            return Ok(());
        }
        let text = "The server is in protected mode and takes only connections of its own machine";
        Err(KvError::Forbidden(text.to_owned()))
    })
}
