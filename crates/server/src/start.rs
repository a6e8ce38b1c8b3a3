//! The start-up sequence, and the orderly stop.

use crate::apply::{Applier, configure_tls, raise_fd_limit};
use crate::balance::Balance;
use crate::embed::Host;
use crate::files::{DiskSource, StartFile, UserFile};
use crate::listen::{Bound, Front, ListenError, accept_unix, bind_tcp, bind_unix};
use crate::log::Log;
use crate::runtime::ServerRuntime;
use crate::shared::{Shared, TlsConfig};
use crate::workers::Workers;
use ochre_engine::exec::{About, Engine, Ports};
use ochre_engine::ports::{LogLevel, Memory, SystemClock};
use ochre_engine::settings::{Action, Invocation, Settings, id, parse_command_line, usage};
use parking_lot::Mutex;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long connections may take to leave when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Runs the server as the command line says, until it is told to stop.
///
/// Returns 0 after an orderly stop and 1 when the start fails; the reason is on standard error or in the log.
///
/// # Panics
/// When the operating system gives neither threads nor random numbers.
pub fn main(memory: Arc<dyn Memory>) -> ExitCode {
    let mut args = std::env::args_os().map(OsStringExt::into_vec);
    let program = args.next().unwrap_or_default();
    let args: Vec<Vec<u8>> = args.collect();
    let invocation = match parse_command_line(&args) {
        Ok(invocation) => invocation,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match invocation.action {
        Action::Version => {
            println!("{}", version_line());
            ExitCode::SUCCESS
        }
        Action::Help => {
            print!("{}", usage(&String::from_utf8_lossy(&program)));
            ExitCode::SUCCESS
        }
        Action::Run => run(&invocation, memory),
    }
}

/// In the shape of redis-server's, because supervisors and test harnesses take it apart.
fn version_line() -> String {
    let redis = ochre_engine::REDIS_VERSION;
    let bits = usize::BITS;
    format!(
        "Ochre server v={redis} sha=00000000:0 malloc=jemalloc bits={bits} build={}",
        env!("CARGO_PKG_VERSION")
    )
}

fn run(invocation: &Invocation, memory: Arc<dyn Memory>) -> ExitCode {
    let settings = Arc::new(Settings::new());
    let folder = std::env::current_dir().unwrap_or_default();
    // A folder is always a valid value of `dir`.
    let _ = settings.preset("dir", folder.as_os_str().as_bytes());
    if let Err(error) = settings.load(invocation, &DiskSource) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let log = Arc::new(Log::new());
    log.set_level(settings.choice(id::LOGLEVEL));
    let file = settings.text(id::LOGFILE);
    if !file.is_empty()
        && let Err(error) = log.set_file(&String::from_utf8_lossy(&file))
    {
        eprintln!("Can't open the log file: {error}");
        return ExitCode::FAILURE;
    }
    let start_file = invocation
        .file
        .as_ref()
        .map(|f| folder.join(std::ffi::OsStr::from_bytes(f)));
    let wanted = settings.text(id::DIR);
    if let Err(error) = std::env::set_current_dir(std::ffi::OsStr::from_bytes(&wanted)) {
        log.write(
            LogLevel::Warning,
            &format!(
                "Can't chdir to '{}': {error}",
                String::from_utf8_lossy(&wanted)
            ),
        );
        return ExitCode::FAILURE;
    }
    announce(&log, &settings);
    let huge_pages = !settings.flag(id::DISABLE_THP);
    if !huge_pages && let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        log.write(
            LogLevel::Warning,
            &format!("Can't switch transparent huge pages off: {error}"),
        );
    }
    let workers = usize::try_from(settings.int(id::WORKER_THREADS)).unwrap_or(0);
    let workers = if workers > 0 {
        workers
    } else {
        std::thread::available_parallelism().map_or(1, usize::from)
    };
    let allocator = memory.clone();
    let started = move || {
        if huge_pages {
            allocator.thread_started();
        }
    };
    let threads = match Workers::start(workers, started) {
        Ok(threads) => threads,
        Err(error) => {
            log.write(
                LogLevel::Warning,
                &format!("Can't start worker threads: {error}"),
            );
            return ExitCode::FAILURE;
        }
    };
    let code = threads.first().block_on(serve(
        settings,
        log,
        StartFile(start_file),
        &threads,
        memory,
        None,
    ));
    threads.stop();
    code
}

fn announce(log: &Log, settings: &Settings) {
    let say = |text: String| log.write(LogLevel::Notice, &text);
    say(format!(
        "Ochre is starting, version={}, Redis version={}",
        env!("CARGO_PKG_VERSION"),
        ochre_engine::REDIS_VERSION
    ));
    for name in settings.inert_given() {
        log.write(
            LogLevel::Warning,
            &format!("The setting '{name}' is accepted but has no effect in Ochre"),
        );
    }
}

/// Runs the server until it is told to stop; `host` is set when it runs inside another program.
pub(crate) async fn serve(
    settings: Arc<Settings>,
    log: Arc<Log>,
    file: StartFile,
    threads: &Workers,
    memory: Arc<dyn Memory>,
    host: Option<Host>,
) -> ExitCode {
    let workers = threads.count();
    let fit = raise_fd_limit(settings.size(id::MAXCLIENTS));
    if fit < settings.size(id::MAXCLIENTS) {
        log.write(
            LogLevel::Warning,
            &format!("The limit of open files allows {fit} clients only; maxclients is lowered"),
        );
        if let Err(error) = settings.preset("maxclients", fit.max(1).to_string().as_bytes()) {
            log.write(LogLevel::Warning, &error.to_string());
        }
    }
    let tls = Arc::new(TlsConfig::default());
    let Some((bound, unix)) = bind_all(&settings, &log, &tls) else {
        return ExitCode::FAILURE;
    };
    let tables = id::TABLE_PORTS.iter().any(|port| settings.int(*port) != 0);
    if bound.iter().all(Bound::is_empty) && unix.is_none() && host.is_none() && !tables {
        log.write(
            LogLevel::Warning,
            "Configured to not listen anywhere, exiting.",
        );
        return ExitCode::FAILURE;
    }
    let port = Front::ALL
        .map(|front| front.port(&settings))
        .into_iter()
        .find(|port| *port != 0)
        .unwrap_or(0);
    let runtime = Arc::new(ServerRuntime::new(log.clone()));
    let applier = Arc::new(Applier {
        log: log.clone(),
        settings: settings.clone(),
        shared: OnceLock::new(),
        accepting: Mutex::default(),
        tls: tls.clone(),
    });
    let ports = Ports {
        clock: Arc::new(SystemClock),
        memory,
        runtime: runtime.clone(),
        settings_file: Arc::new(file),
        acl_file: Arc::new(UserFile::new(&settings.text(id::ACLFILE))),
        apply: applier.clone(),
        scripts: Arc::new(ochre_script::Scripts::default()),
        seed: random_seed(),
    };
    let about = about(port, workers);
    let serving = about.workers_serving.clone();
    let engine = Arc::new(Engine::new(settings.clone(), ports, about));
    if let Err(reason) = engine.load_users() {
        // Not to the log: a line of the settings file may hold a password.
        eprintln!("{reason}");
        log.write(
            LogLevel::Warning,
            "Critical error while loading ACLs. Exiting.",
        );
        return ExitCode::FAILURE;
    }
    let shared = Arc::new(Shared {
        engine: engine.clone(),
        runtime: runtime.clone(),
        seats: threads.seats(serving),
        tls,
    });
    // The cell was empty: it is set here only.
    let _ = applier.shared.set(Arc::downgrade(&shared));
    let pid_file = write_pid_file(&settings, &log);
    log.write(
        LogLevel::Notice,
        &format!(
            "Running mode=standalone, port={port}, workers={workers}, PID: {}",
            std::process::id()
        ),
    );
    log.write(LogLevel::Notice, "Server initialized");
    let Some(table) = start_tables(&shared, &log) else {
        return ExitCode::FAILURE;
    };
    let unix_path = unix
        .as_ref()
        .map(|_| String::from_utf8_lossy(&settings.text(id::UNIXSOCKET)).into_owned());
    let unix_task = match start_accepting(&applier, &shared, bound, unix) {
        Ok(task) => task,
        Err(error) => {
            log.write(
                LogLevel::Warning,
                &format!("Failed listening on port {port} (tcp), aborting. {error}"),
            );
            return ExitCode::FAILURE;
        }
    };
    let balance = Balance::new(shared.seats.clone(), settings, runtime.long_work.clone());
    let cron = start_cron(engine.clone(), balance);
    log.write(LogLevel::Notice, "Ready to accept connections");
    match host {
        Some(host) => host.run(&shared).await,
        None => wait_for_stop(&runtime, &log).await,
    }
    applier
        .accepting
        .lock()
        .iter()
        .map(|(_, task)| task)
        .chain(&unix_task)
        .for_each(tokio::task::AbortHandle::abort);
    drop(cron);
    table.stop().await;
    stop_connections(&engine).await;
    for path in pid_file.into_iter().chain(unix_path) {
        // Already gone is as good as removed.
        let _ = std::fs::remove_file(path);
    }
    log.write(LogLevel::Notice, "Ochre is now ready to exit, bye bye...");
    ExitCode::SUCCESS
}

type UnixListener = std::os::unix::net::UnixListener;

/// Binds everything that the settings name, and makes the TLS configuration if there is a port for it.
/// `None` when the start fails; the reason is in the log.
fn bind_all(
    settings: &Settings,
    log: &Log,
    tls: &TlsConfig,
) -> Option<(Vec<Bound>, Option<UnixListener>)> {
    let warn = |text: &str| log.write(LogLevel::Warning, text);
    if Front::Tls.port(settings) != 0 {
        let Some(config) = configure_tls(settings, log) else {
            warn("Failed to configure TLS. Check logs for more info.");
            return None;
        };
        *tls.write() = Some(config);
    }
    let complain = |ListenError { what, reason }: ListenError| {
        warn(&format!(
            "Warning: Could not create server listening socket {what}: bind: {reason}"
        ));
    };
    let mut bound = Vec::new();
    for front in Front::ALL {
        match bind_tcp(settings, front) {
            Ok(listeners) => bound.push(listeners),
            Err(error) => {
                complain(error);
                let (port, name) = (front.port(settings), front.name());
                warn(&format!(
                    "Failed listening on port {port} ({name}), aborting."
                ));
                return None;
            }
        }
    }
    let unix = match bind_unix(settings) {
        Ok(unix) => unix,
        Err(error) => {
            complain(error);
            warn("Failed opening Unix socket, aborting.");
            return None;
        }
    };
    Some((bound, unix))
}

/// Starts the table front, if it has a port. `None` when that fails; the reason is in the log.
#[cfg(feature = "table")]
fn start_tables(shared: &Arc<Shared>, log: &Arc<Log>) -> Option<crate::table::Tables> {
    let started = crate::table::Tables::start(shared, log);
    started
        .inspect_err(|reason| log.write(LogLevel::Warning, &format!("Table front: {reason}")))
        .ok()
}

/// A server that was built without the table front.
#[cfg(not(feature = "table"))]
struct Tables;

#[cfg(not(feature = "table"))]
impl Tables {
    #[allow(clippy::unused_async)] // as the other one
    async fn stop(self) {}
}

#[cfg(not(feature = "table"))]
fn start_tables(shared: &Arc<Shared>, log: &Arc<Log>) -> Option<Tables> {
    let settings = &shared.engine.settings;
    let wanted = id::TABLE_PORTS.iter().any(|port| settings.int(*port) != 0);
    if wanted {
        log.write(
            LogLevel::Warning,
            "Table front: this server was built without it",
        );
    }
    (!wanted).then_some(Tables)
}

/// Starts accepting from everything that is bound. Gives the task of the Unix socket.
fn start_accepting(
    applier: &Applier,
    shared: &Arc<Shared>,
    bound: Vec<Bound>,
    unix: Option<UnixListener>,
) -> std::io::Result<Option<tokio::task::AbortHandle>> {
    for bound in bound {
        let front = bound.front();
        let tasks = bound.accept(shared)?;
        let tasks = tasks.into_iter().map(|task| (front, task));
        applier.accepting.lock().extend(tasks);
    }
    unix.map(|listener| accept_unix(shared, listener))
        .transpose()
}

/// Waits for SHUTDOWN, SIGTERM or SIGINT. A second SIGINT ends the process at once.
async fn wait_for_stop(runtime: &ServerRuntime, log: &Log) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        log.write(LogLevel::Warning, "Signals cannot be handled; use SHUTDOWN");
        return runtime.stopped().await;
    };
    tokio::select! {
        _ = terminate.recv() => announce_stop(log, "Received SIGTERM scheduling shutdown..."),
        _ = interrupt.recv() => announce_stop(log, "Received SIGINT scheduling shutdown..."),
        () = runtime.stopped() => {}
    }
    tokio::spawn(async move {
        if interrupt.recv().await.is_some() {
            std::process::exit(1);
        }
    });
}

fn announce_stop(log: &Log, signal: &str) {
    log.write(LogLevel::Warning, signal);
    log.write(LogLevel::Notice, "User requested shutdown...");
}

/// Lets every connection finish what it is doing.
async fn stop_connections(engine: &Engine) {
    let start = Instant::now();
    while !engine.clients.is_empty() && start.elapsed() < STOP_PATIENCE {
        engine.clients.list().iter().for_each(|c| c.kill());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Stops the background thread when dropped.
struct CronThread(
    Arc<(Mutex<bool>, parking_lot::Condvar)>,
    Option<std::thread::JoinHandle<()>>,
);

impl Drop for CronThread {
    fn drop(&mut self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
        if let Some(thread) = self.1.take() {
            // A panic of the thread was reported by itself.
            let _ = thread.join();
        }
    }
}

/// Runs the engine's background work on a thread of its own, so that no worker waits for it.
fn start_cron(engine: Arc<Engine>, mut balance: Balance) -> CronThread {
    let stop = Arc::new((Mutex::new(false), parking_lot::Condvar::new()));
    let stopping = stop.clone();
    let run = move || {
        let mut ran = Instant::now();
        let mut stopped = stopping.0.lock();
        while !*stopped {
            let hz = u64::try_from(engine.settings.int(id::HZ))
                .unwrap_or(10)
                .clamp(1, 500);
            let period = Duration::from_millis(1000 / hz);
            let rest = period.saturating_sub(ran.elapsed());
            // A time-out is the usual outcome; a wake-up means the stop, which the loop checks.
            let _ = stopping.1.wait_for(&mut stopped, rest.min(balance.rest()));
            if *stopped {
                break;
            }
            parking_lot::MutexGuard::unlocked(&mut stopped, || {
                balance.look();
                if ran.elapsed() >= period {
                    engine.cron(period);
                    close_idle(&engine);
                    ran = Instant::now();
                }
            });
        }
    };
    let thread = std::thread::Builder::new()
        .name("ochre-cron".to_owned())
        .spawn(run)
        .ok();
    CronThread(stop, thread)
}

/// Closes connections that were idle for longer than `timeout`; those that wait for something are not idle.
fn close_idle(engine: &Engine) {
    use std::sync::atomic::Ordering::Relaxed;
    let timeout_ms = engine.settings.int(id::TIMEOUT).saturating_mul(1000);
    if timeout_ms <= 0 {
        return;
    }
    let now_ms = engine.clock.unix_ms();
    for client in engine.clients.list() {
        let waits =
            client.paused.load(Relaxed) || client.is_subscriber() || client.waiter.lock().is_some();
        if !waits && now_ms - client.active_ms.load(Relaxed) > timeout_ms {
            engine.runtime.log(LogLevel::Verbose, "Closing idle client");
            client.kill();
        }
    }
}

fn write_pid_file(settings: &Settings, log: &Log) -> Option<String> {
    let path = String::from_utf8_lossy(&settings.text(id::PIDFILE)).into_owned();
    if path.is_empty() {
        return None;
    }
    match std::fs::write(&path, format!("{}\n", std::process::id())) {
        Ok(()) => Some(path),
        Err(error) => {
            log.write(
                LogLevel::Warning,
                &format!("Can't write the pid file {path}: {error}"),
            );
            None
        }
    }
}

fn about(port: u16, workers: usize) -> About {
    let uname = rustix::system::uname();
    let text = |c: &std::ffi::CStr| c.to_string_lossy().into_owned();
    let info = rustix::system::sysinfo();
    About {
        run_id: (0..5)
            .map(|_| format!("{:08x}", random_seed() & 0xFFFF_FFFF))
            .collect(),
        executable: std::env::current_exe()
            .map(|p| p.display().to_string())
            .unwrap_or_default(),
        os: format!(
            "{} {} {}",
            text(uname.sysname()),
            text(uname.release()),
            text(uname.machine())
        ),
        port,
        workers,
        workers_serving: Arc::new(AtomicUsize::new(workers)),
        system_memory: info
            .totalram
            .saturating_mul(u64::from(info.mem_unit.max(1))),
    }
}

/// A number that nobody can guess.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library keys its hasher from the operating system's random numbers.
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}
