//! The scripts that can be called by their SHA-1.
//!
//! Scripts that came with EVAL are kept as long as they are used: of more than [`EVAL_MAX`], the one that was used
//! longest ago goes. What SCRIPT LOAD brought stays until SCRIPT FLUSH.

use crate::api::Sha;
use crate::header::Flags;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Scripts that came with EVAL and are kept (as in Redis from 7.4 on).
pub(crate) const EVAL_MAX: usize = 500;

/// What is known of the keys a script touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// It has not run yet: it runs with everything held.
    Unknown,
    /// It touched the keys it declared and nothing else.
    Declared,
    /// It touched more.
    Wider,
}

/// What runs of a script or function have shown so far.
#[derive(Debug, Default)]
pub(crate) struct Learnt(AtomicU8);

impl Learnt {
    pub(crate) fn get(&self) -> Reach {
        match self.0.load(Relaxed) {
            0 => Reach::Unknown,
            1 => Reach::Declared,
            _ => Reach::Wider,
        }
    }

    /// Notes what a run touched; what was wider once stays so. Only a run that held everything shows that the declared
    /// keys suffice.
    pub(crate) fn learn(&self, reach: Reach, held_everything: bool) {
        let value = match reach {
            Reach::Declared if held_everything => 1,
            Reach::Wider => 2,
            _ => return,
        };
        if self.0.load(Relaxed) < value {
            self.0.store(value, Relaxed);
        }
    }
}

/// A script.
pub(crate) struct Script {
    pub(crate) sha: Sha,
    /// Its text without the first line, but for that line's end.
    pub(crate) program: Arc<[u8]>,
    pub(crate) flags: Flags,
    pub(crate) reach: Learnt,
    /// Came with SCRIPT LOAD.
    kept: AtomicBool,
    /// When it was used last, in seconds.
    used: AtomicU32,
}

impl Script {
    pub(crate) fn new(sha: Sha, program: &[u8], flags: Flags) -> Script {
        Script {
            sha,
            program: Arc::from(program),
            flags,
            reach: Learnt::default(),
            kept: AtomicBool::new(false),
            used: AtomicU32::new(0),
        }
    }

    /// Notes a use. Writes at most once a second, as the workers that run a script share this.
    pub(crate) fn touch(&self, now_ms: i64) {
        let seconds = u32::try_from(now_ms / 1000).unwrap_or(u32::MAX);
        if self.used.load(Relaxed) != seconds {
            self.used.store(seconds, Relaxed);
        }
    }
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Cache {
    scripts: RwLock<HashMap<Sha, Arc<Script>>>,
    /// Scripts dropped because there were too many.
    pub(crate) evicted: AtomicU64,
}

impl Cache {
    /// A script by its SHA-1.
    pub(crate) fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.scripts.read().get(sha).cloned()
    }

    /// Adds a script, or finds the one that is there; `kept`: it came with SCRIPT LOAD.
    pub(crate) fn add(&self, script: Script, kept: bool, now_ms: i64) -> Arc<Script> {
        let mut scripts = self.scripts.write();
        let added = scripts
            .entry(script.sha)
            .or_insert_with(|| Arc::new(script))
            .clone();
        added.touch(now_ms);
        if kept {
            added.kept.store(true, Relaxed);
        } else if scripts.len() > EVAL_MAX {
            self.evict(&mut scripts, &added.sha);
        }
        added
    }

    /// Drops the script that came with EVAL and was used longest ago, if there are too many; not `newest`.
    fn evict(&self, scripts: &mut HashMap<Sha, Arc<Script>>, newest: &Sha) {
        let volatile = |script: &&Arc<Script>| !script.kept.load(Relaxed);
        if scripts.values().filter(volatile).count() <= EVAL_MAX {
            return;
        }
        let oldest = scripts
            .values()
            .filter(volatile)
            .filter(|script| script.sha != *newest)
            .min_by_key(|script| script.used.load(Relaxed))
            .map(|script| script.sha);
        if let Some(sha) = oldest {
            scripts.remove(&sha);
            self.evicted.fetch_add(1, Relaxed);
        }
    }

    /// Whether there is such a script.
    pub(crate) fn contains(&self, sha: &Sha) -> bool {
        self.scripts.read().contains_key(sha)
    }

    /// Drops all.
    pub(crate) fn clear(&self) {
        self.scripts.write().clear();
    }

    /// How many there are, and the bytes of their texts.
    pub(crate) fn figures(&self) -> (usize, usize) {
        const ENTRY: usize = size_of::<Script>() + 64;
        let scripts = self.scripts.read();
        let bytes = scripts
            .values()
            .map(|script| script.program.len() + ENTRY)
            .sum();
        (scripts.len(), bytes)
    }
}
