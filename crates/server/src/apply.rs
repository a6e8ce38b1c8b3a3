//! Carries changed settings out: log level, working directory, listeners, TLS, the file descriptor limit.
//!
//! Called while the old values are still in force; a refusal leaves everything as it was.

use crate::listen::{Bound, Front, ListenError, bind_tcp};
use crate::log::Log;
use crate::shared::{Shared, TlsConfig};
use crate::tls;
use ochre_engine::ports::LogLevel;
use ochre_engine::settings::{Apply, Changed, Refusal, Settings, id};
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, OnceLock, Weak};

/// File descriptors that the server needs besides its clients'.
pub(crate) const RESERVED_FDS: u64 = 32;

/// See the module's documentation.
pub(crate) struct Applier {
    pub(crate) log: Arc<Log>,
    pub(crate) settings: Arc<Settings>,
    /// Set when the server is up.
    pub(crate) shared: OnceLock<Weak<Shared>>,
    /// The tasks that accept, with what they accept.
    pub(crate) accepting: Mutex<Vec<(Front, tokio::task::AbortHandle)>>,
    pub(crate) tls: Arc<TlsConfig>,
}

const CANNOT_LISTEN: &str = "Unable to listen on this port. Check server logs.";
const CANNOT_TLS: &str = "Unable to update TLS configuration. Check server logs.";

impl Applier {
    fn refuse(setting: &'static str, reason: impl Into<String>) -> Refusal {
        Refusal {
            setting: Some(setting),
            reason: reason.into(),
        }
    }

    /// Binds the addresses that `settings` name.
    fn listen(
        &self,
        settings: &Settings,
        front: Front,
        blame: &'static str,
    ) -> Result<Bound, Refusal> {
        bind_tcp(settings, front).map_err(|ListenError { what, reason }| {
            let line = format!(
                "Warning: Could not create server TCP listening socket {what}: bind: {reason}"
            );
            self.log.write(LogLevel::Warning, &line);
            Self::refuse(blame, CANNOT_LISTEN)
        })
    }

    /// Binds what the new settings name, if ports or addresses change.
    fn rebind(&self, changed: &[Changed], next: &Settings) -> Result<Vec<Bound>, Refusal> {
        let is_changed = |name: &str| changed.iter().any(|c| c.setting.name == name);
        let mut bound = Vec::new();
        let mut released = Vec::new();
        for front in Front::ALL {
            let moves = is_changed(front.setting());
            if !moves && !is_changed("bind") {
                continue;
            }
            if !moves {
                // The same port on other addresses: the old listeners must let go first.
                self.release(front);
                released.push(front);
            }
            match self.listen(next, front, if moves { front.setting() } else { "bind" }) {
                Ok(listeners) => bound.push(listeners),
                Err(refusal) => {
                    drop(bound);
                    for front in released {
                        self.accept(self.listen(&self.settings, front, "bind")?)?;
                    }
                    return Err(refusal);
                }
            }
        }
        Ok(bound)
    }

    /// Stops listening, and waits until the addresses are free.
    fn release(&self, front: Front) {
        let mut accepting = self.accepting.lock();
        let (old, others) = accepting.drain(..).partition(|(f, _)| *f == front);
        *accepting = others;
        drop(accepting);
        let old: Vec<(Front, tokio::task::AbortHandle)> = old;
        old.iter().for_each(|(_, task)| task.abort());
        while old.iter().any(|(_, task)| !task.is_finished()) {
            std::thread::yield_now();
        }
    }

    /// Accepts from `bound` in place of what was listened on before, whose addresses are free then.
    fn accept(&self, bound: Bound) -> Result<(), Refusal> {
        let Some(shared) = self.shared.get().and_then(Weak::upgrade) else {
            return Ok(());
        };
        let front = bound.front();
        let tasks = bound
            .accept(&shared)
            .map_err(|e| Self::refuse("bind", e.to_string()))?;
        self.release(front);
        let accepted = tasks.into_iter().map(|task| (front, task));
        self.accepting.lock().extend(accepted);
        Ok(())
    }

    /// The TLS configuration of the new settings, if it changes and there is a port for it.
    fn reconfigure(
        &self,
        changed: &[Changed],
        next: &Settings,
    ) -> Result<Option<Arc<ServerConfig>>, Refusal> {
        if Front::Tls.port(next) == 0 && !next.flag(id::TABLE_TLS) {
            return Ok(None);
        }
        let named = |c: &&Changed| tls::SETTINGS.contains(&c.setting.name);
        let blame = match changed.iter().find(named) {
            Some(first) => first.setting.name,
            // Without a port the settings could change unnoticed.
            None if Front::Tls.port(&self.settings) == 0 => Front::Tls.setting(),
            None => return Ok(None),
        };
        let configured = configure_tls(next, &self.log);
        configured
            .map(Some)
            .ok_or_else(|| Self::refuse(blame, CANNOT_TLS))
    }
}

/// The TLS configuration that `settings` ask for. What stands against it is in the log.
pub(crate) fn configure_tls(settings: &Settings, log: &Log) -> Option<Arc<ServerConfig>> {
    match tls::configure(settings) {
        Ok(configured) => {
            for remark in configured.remarks {
                log.write(LogLevel::Warning, &remark);
            }
            Some(configured.config)
        }
        Err(reason) => {
            log.write(LogLevel::Warning, &reason);
            None
        }
    }
}

/// Raises the limit of file descriptors for `clients` clients. Returns how many clients fit.
pub(crate) fn raise_fd_limit(clients: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = clients + RESERVED_FDS;
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return clients;
    }
    let most = limit.maximum.unwrap_or(u64::MAX);
    // A privileged process may raise the maximum as well.
    for maximum in [most.max(wanted), most] {
        let current = wanted.min(maximum);
        if setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                maximum: Some(maximum),
            },
        )
        .is_ok()
        {
            return current.saturating_sub(RESERVED_FDS).min(clients);
        }
    }
    current.saturating_sub(RESERVED_FDS)
}

impl Apply for Applier {
    fn apply(&self, changed: &[Changed]) -> Result<(), Refusal> {
        let find = |name: &str| changed.iter().find(|c| c.setting.name == name);
        if let Some(clients) = find("maxclients").and_then(|c| c.new.number()) {
            let wanted = u64::try_from(clients).unwrap_or(0);
            if raise_fd_limit(wanted) < wanted {
                return Err(Self::refuse(
                    "maxclients",
                    "The operating system is not able to handle the specified number of clients",
                ));
            }
        }
        let next = self.settings.preview(changed);
        let config = self.reconfigure(changed, &next)?;
        let mut restore = None;
        if let Some(folder) = find("dir").and_then(|c| c.new.text()) {
            let folder = std::path::Path::new(OsStr::from_bytes(folder));
            let before = std::env::current_dir();
            std::env::set_current_dir(folder).map_err(|e| Self::refuse("dir", os_text(&e)))?;
            if let Ok(before) = before {
                restore = Some(before);
            }
        }
        let bound = self.rebind(changed, &next).inspect_err(|_| {
            if let Some(before) = &restore {
                // It was the working directory a moment ago.
                let _ = std::env::set_current_dir(before);
            }
        })?;
        if let Some(config) = config {
            *self.tls.write() = Some(config);
        }
        for bound in bound {
            self.accept(bound)?;
        }
        if let Some(level) =
            find("loglevel").map(|c| ochre_engine::settings::show(c.setting, &c.new))
        {
            self.log.set_level(&String::from_utf8_lossy(&level));
        }
        Ok(())
    }
}

/// The operating system's own words, without Rust's suffix.
fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}
