//! What the engine needs from outside, as traits: time, memory figures, the runtime, the journal's readers.
//!
//! The engine calls these while it holds stripe locks only where a contract says so.

use crate::error::CommandError;
use crate::spec::Command;
use ochre_resp::{Request, RequestBuf};
use std::any::Any;

/// Time. Called once per batch of requests, not per command.
pub trait Clock: Send + Sync {
    /// Unix time in milliseconds.
    fn unix_ms(&self) -> i64;
    /// Unix time in microseconds.
    fn unix_us(&self) -> i64 {
        self.unix_ms() * 1000
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_ms(&self) -> i64 {
        self.unix_us() / 1000
    }

    fn unix_us(&self) -> i64 {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

/// What the allocator and the operating system hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryFigures {
    /// Bytes handed out by the allocator.
    pub allocated: u64,
    /// Bytes in pages that hold them.
    pub active: u64,
    /// Bytes mapped by the allocator and resident.
    pub resident: u64,
    /// Bytes kept by the allocator for reuse.
    pub retained: u64,
    /// Bytes of the allocator's own bookkeeping.
    pub metadata: u64,
    /// Resident set size of the process.
    pub rss: u64,
}

/// Reads memory figures; may cost tens of microseconds.
pub trait Memory: Send + Sync {
    /// The figures now.
    fn figures(&self) -> MemoryFigures;
    /// The allocator's name and version for INFO.
    fn allocator(&self) -> &'static str;
    /// Gives unused pages back to the system.
    fn purge(&self);
    /// The allocator's own report, if it has one.
    fn report(&self) -> Option<String>;
    /// Called on each worker thread of the server program before it does anything, unless `disable-thp` is set: prepares
    /// the memory that the thread will take.
    fn thread_started(&self) {}
}

/// How important a log line is, as `loglevel` orders them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Of use to developers.
    Debug,
    /// Much detail.
    Verbose,
    /// What an operator wants to know.
    Notice,
    /// What an operator must know.
    Warning,
}

/// The runtime around the engine.
pub trait Runtime: Send + Sync {
    /// Writes a line to the server's log, if `loglevel` lets it through.
    fn log(&self, level: LogLevel, message: &str);
    /// Runs `work`, which may take long, letting other connections of this worker move on meanwhile.
    fn long(&self, work: &mut dyn FnMut());
    /// Called now and then in the middle of long work, while no lock is held: lets other threads of the machine go first.
    fn breathe(&self) {}
    /// Begins an orderly stop of the server: no new connections, then exit. Returns at once.
    fn shutdown(&self);
    /// Fills `bytes` with what nobody can guess.
    ///
    /// # Errors
    /// When the operating system has none; the bytes are then not to be used.
    fn entropy(&self, bytes: &mut [u8]) -> std::io::Result<()>;
    /// Resource usage of the process: user and system CPU seconds, of the process and of its waited-for children.
    fn cpu_seconds(&self) -> [f64; 4];
}

/// A reader of the effects stream: what changed, in an order that agrees with every key's history.
///
/// `append` is called under the locks of the stripes that the effect touched, so it must be short:
/// it may copy the bytes, and must not wait, lock a stripe, or do I/O.
pub trait Journal: Send + Sync {
    /// One effect on database `db`: a deterministic command.
    fn append(&self, db: usize, effect: Request<'_>);
    /// The effects of a transaction or script, each with its database, none of which is to be replayed without the
    /// others. A reader whose replay could end in their middle frames them by MULTI and EXEC.
    fn append_all(&self, effects: &[(usize, RequestBuf)]) {
        for (db, effect) in effects {
            self.append(*db, effect.as_request());
        }
    }
}

/// Wakes a connection's task: it looks at its client's kill and pause flags.
pub trait Waker: Send + Sync {
    /// Wakes the task; harmless when it is awake or gone.
    fn wake(&self);

    /// Sends the front of a reply that the task waits for, in its place. How many bytes the connection took: none unless the
    /// task waits and everything before is sent. Never waits.
    fn send(&self, reply: &[u8]) -> usize {
        let _ = reply;
        0
    }
}

/// What scripts and their machines take, for INFO and MEMORY STATS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFigures {
    /// Scripts that can be called by their SHA-1.
    pub scripts: u64,
    /// Bytes of their texts.
    pub scripts_bytes: u64,
    /// Libraries of functions.
    pub libraries: u64,
    /// Functions in them.
    pub functions: u64,
    /// Bytes of their texts.
    pub functions_bytes: u64,
    /// Bytes of the virtual machines that run scripts.
    pub eval_machines: u64,
    /// Bytes of those that run functions.
    pub function_machines: u64,
    /// Scripts dropped because there were too many.
    pub evicted: u64,
}

impl ScriptFigures {
    /// Bytes of all machines.
    pub fn machines(&self) -> u64 {
        self.eval_machines + self.function_machines
    }

    /// Bytes of all texts.
    pub fn texts(&self) -> u64 {
        self.scripts_bytes + self.functions_bytes
    }
}

/// Scripts and functions, which another crate brings: commands, and what belongs to them in an engine.
///
/// The commands of [`Scripting::families`] find their own part again by its type.
pub trait Scripting: Any + Send + Sync {
    /// The commands.
    fn families(&self) -> &'static [&'static [Command]];
    /// What there is.
    fn figures(&self) -> ScriptFigures;
    /// Whether a script has been running for some time, busy or not.
    fn run_long(&self) -> bool;
    /// What a request is answered that found a stripe held for long, if a script has been running for longer than
    /// `busy-reply-threshold`.
    fn busy(&self) -> Option<CommandError>;
}

/// An engine without scripts.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoScripts;

impl Scripting for NoScripts {
    fn families(&self) -> &'static [&'static [Command]] {
        &[]
    }
    fn figures(&self) -> ScriptFigures {
        ScriptFigures::default()
    }
    fn run_long(&self) -> bool {
        false
    }
    fn busy(&self) -> Option<CommandError> {
        None
    }
}

/// Where settings are kept between starts: the file named on the command line.
pub trait SettingsFile: Send + Sync {
    /// The file's path, if the server was started with one.
    fn path(&self) -> Option<String>;
    /// The text as it is now.
    ///
    /// # Errors
    /// The operating system's reason.
    fn read(&self) -> std::io::Result<String>;
    /// Replaces the file atomically.
    ///
    /// # Errors
    /// The operating system's reason; the old file is then unchanged.
    fn write(&self, text: &str) -> std::io::Result<()>;
}

/// Where users are kept between starts: the file that `aclfile` names.
pub trait AclFile: Send + Sync {
    /// The file's path as it was given, if there is one.
    fn path(&self) -> Option<String>;
    /// The bytes as they are now.
    ///
    /// # Errors
    /// The operating system's reason.
    fn read(&self) -> std::io::Result<Vec<u8>>;
    /// Replaces the file atomically.
    ///
    /// # Errors
    /// The operating system's reason; the old file is then unchanged.
    fn write(&self, text: &[u8]) -> std::io::Result<()>;
}
