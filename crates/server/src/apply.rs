//! Carries changed settings out: log level, working directory, listeners, the file descriptor limit.
//!
//! Called while the old values are still in force; a refusal leaves everything as it was.

use crate::listen::{Bound, bind_tcp};
use crate::log::Log;
use crate::shared::Shared;
use ochre_engine::settings::{Apply, Changed, Refusal, Settings, id};
use parking_lot::Mutex;
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
    pub(crate) accepting: Mutex<Vec<tokio::task::AbortHandle>>,
}

impl Applier {
    fn refuse(setting: &'static str, reason: impl Into<String>) -> Refusal {
        Refusal {
            setting: Some(setting),
            reason: reason.into(),
        }
    }

    fn listen(&self, port: u16, words: &[String], setting: &'static str) -> Result<Bound, Refusal> {
        bind_tcp(&self.settings, words, port)
            .map_err(|_| Self::refuse(setting, "Unable to listen on this port. Check server logs."))
    }

    /// Replaces the listeners, if port or addresses change.
    fn rebind(&self, changed: &[Changed]) -> Result<Option<Bound>, Refusal> {
        let find = |name: &str| changed.iter().find(|c| c.setting.name == name);
        let (port, bind) = (find("port"), find("bind"));
        if port.is_none() && bind.is_none() {
            return Ok(None);
        }
        let number = port
            .and_then(|c| c.new.number())
            .unwrap_or_else(|| self.settings.int(id::PORT));
        let words = match bind.and_then(|c| c.new.text()) {
            Some(text) => String::from_utf8_lossy(text)
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            None => self.settings.words(id::BIND),
        };
        if port.is_none() {
            // The same port on other addresses: the old listeners must let go first.
            let old: Vec<_> = self.accepting.lock().drain(..).collect();
            old.iter().for_each(tokio::task::AbortHandle::abort);
            while old.iter().any(|task| !task.is_finished()) {
                std::thread::yield_now();
            }
        }
        let number = u16::try_from(number).unwrap_or(0);
        match self.listen(number, &words, if port.is_some() { "port" } else { "bind" }) {
            Ok(bound) => Ok(Some(bound)),
            Err(refusal) => {
                if port.is_none() {
                    let old = self.settings.words(id::BIND);
                    self.accept(self.listen(number, &old, "bind")?)?;
                }
                Err(refusal)
            }
        }
    }

    fn accept(&self, bound: Bound) -> Result<(), Refusal> {
        let Some(shared) = self.shared.get().and_then(Weak::upgrade) else {
            return Ok(());
        };
        let tasks = bound
            .accept(&shared)
            .map_err(|e| Self::refuse("bind", e.to_string()))?;
        let old = std::mem::replace(&mut *self.accepting.lock(), tasks);
        old.iter().for_each(tokio::task::AbortHandle::abort);
        Ok(())
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
        let bound = self.rebind(changed)?;
        if let Some(folder) = find("dir").and_then(|c| c.new.text()) {
            let folder = std::path::Path::new(OsStr::from_bytes(folder));
            std::env::set_current_dir(folder).map_err(|e| Self::refuse("dir", os_text(&e)))?;
        }
        if let Some(bound) = bound {
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
