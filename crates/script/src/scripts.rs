//! What an engine keeps of scripts and functions.

use crate::api::Sha;
use crate::cache::Cache;
use crate::commands;
use crate::library::Libraries;
use crate::pool::{Lease, Pool};
use crate::running::Register;
use crate::sandbox::Purpose;
use ochre_engine::error::CommandError;
use ochre_engine::exec::Engine;
use ochre_engine::ports::{ScriptFigures, Scripting};
use ochre_engine::settings::id;
use ochre_engine::spec::Command;
use parking_lot::RwLock;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes of a machine before the settings say otherwise.
const MEMORY_LIMIT: usize = 256 << 20;

/// Machines, caches, libraries and what is running. One engine has one.
pub struct Scripts {
    pub(crate) eval: Pool,
    pub(crate) functions: Pool,
    pub(crate) cache: Cache,
    libraries: RwLock<Arc<Libraries>>,
    /// Grows with every change of the libraries, so that machines know when to look what is gone.
    epoch: AtomicU64,
    pub(crate) running: Register,
}

impl Default for Scripts {
    fn default() -> Scripts {
        Scripts {
            eval: Pool::new(Purpose::Eval, MEMORY_LIMIT),
            functions: Pool::new(Purpose::Functions, MEMORY_LIMIT),
            cache: Cache::default(),
            libraries: RwLock::default(),
            epoch: AtomicU64::new(0),
            running: Register::default(),
        }
    }
}

impl Scripts {
    /// The scripts of an engine that was built with some.
    ///
    /// # Panics
    /// Never by a command of this crate: it is there because its engine was built with [`Scripts`].
    pub(crate) fn of(engine: &Engine) -> &Scripts {
        let any: &dyn Any = &*engine.scripts;
        any.downcast_ref()
            .expect("an engine with these commands has these scripts")
    }

    /// A machine for scripts, with the limit that is set now.
    pub(crate) fn lend_eval(&self, engine: &Engine) -> Result<Lease<'_>, CommandError> {
        self.eval.set_limit(limit(engine));
        self.eval.lend().map_err(CommandError::new)
    }

    /// A machine for functions, without libraries that are gone.
    pub(crate) fn lend_functions(&self, engine: &Engine) -> Result<Lease<'_>, CommandError> {
        self.functions.set_limit(limit(engine));
        let mut lease = self.functions.lend().map_err(CommandError::new)?;
        let epoch = self.epoch.load(Relaxed);
        if lease.epoch != epoch {
            lease.epoch = epoch;
            let libraries = self.libraries();
            lease.keep_libraries(&|id| libraries.iter().any(|library| library.id == id));
            lease.libraries = Arc::new(libraries);
        }
        Ok(lease)
    }

    /// The libraries as they are now.
    pub(crate) fn libraries(&self) -> Arc<Libraries> {
        self.libraries.read().clone()
    }

    /// Changes the libraries, unless `change` fails.
    pub(crate) fn change_libraries<R>(
        &self,
        change: impl FnOnce(&mut Libraries) -> Result<R, CommandError>,
    ) -> Result<R, CommandError> {
        let mut current = self.libraries.write();
        let mut next = Libraries::clone(&current);
        let result = change(&mut next)?;
        *current = Arc::new(next);
        self.epoch.fetch_add(1, Relaxed);
        Ok(result)
    }

    /// Whether a script with this SHA-1 can be called.
    pub(crate) fn knows(&self, sha: &Sha) -> bool {
        self.cache.contains(sha)
    }
}

fn limit(engine: &Engine) -> usize {
    usize::try_from(engine.settings.int(id::SCRIPT_MEMORY_LIMIT)).unwrap_or(MEMORY_LIMIT)
}

impl Scripting for Scripts {
    fn families(&self) -> &'static [&'static [Command]] {
        &[commands::COMMANDS]
    }

    fn figures(&self) -> ScriptFigures {
        let (scripts, scripts_bytes) = self.cache.figures();
        let libraries = self.libraries();
        let count = |n: usize| n as u64;
        ScriptFigures {
            scripts: count(scripts),
            scripts_bytes: count(scripts_bytes),
            libraries: count(libraries.len()),
            functions: count(libraries.functions()),
            functions_bytes: count(libraries.bytes()),
            eval_machines: count(self.eval.used()),
            function_machines: count(self.functions.used()),
            evicted: self.cache.evicted.load(Relaxed),
        }
    }

    fn run_long(&self) -> bool {
        self.running.is_any()
    }

    fn busy(&self) -> Option<CommandError> {
        self.running.busy()
    }
}
