//! An engine without sockets: commands go in as words, replies come out as frames.
//!
//! Time stands still unless the test moves it, random choices follow a seed, and background work
//! runs only when the test asks for a round of it.

use ochre_engine::exec::{About, Endpoint, Engine, Flow, Out, Ports, Session};
use ochre_engine::ports::{Clock, Memory, MemoryFigures, Runtime, SettingsFile, SystemClock};
use ochre_engine::settings::{Apply, Changed, Refusal, Settings};
use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol, RequestBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Where the clock of a test starts, in Unix milliseconds.
pub const START_MS: i64 = 1_700_000_000_000;

/// A clock that the test moves, or the machine's where a test compares with another process.
#[derive(Debug)]
pub struct TestClock {
    ms: AtomicI64,
    real: bool,
}

impl Clock for TestClock {
    fn unix_ms(&self) -> i64 {
        if self.real {
            return SystemClock.unix_ms();
        }
        self.ms.load(Ordering::Relaxed)
    }
}

/// An allocator whose figures the test sets.
#[derive(Debug, Default)]
pub struct TestMemory(pub AtomicU64);

impl Memory for TestMemory {
    fn figures(&self) -> MemoryFigures {
        let bytes = self.0.load(Ordering::Relaxed);
        MemoryFigures {
            allocated: bytes,
            active: bytes,
            resident: bytes,
            rss: bytes,
            ..MemoryFigures::default()
        }
    }
    fn allocator(&self) -> &'static str {
        "test"
    }
    fn purge(&self) {}
    fn report(&self) -> Option<String> {
        None
    }
}

struct Inline;

impl Runtime for Inline {
    fn log(&self, _: ochre_engine::ports::LogLevel, _: &str) {}
    fn long(&self, work: &mut dyn FnMut()) {
        work();
    }
    fn shutdown(&self) {}
    fn cpu_seconds(&self) -> [f64; 4] {
        [0.0; 4]
    }
}

struct NoFile;

impl SettingsFile for NoFile {
    fn path(&self) -> Option<String> {
        None
    }
    fn read(&self) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn write(&self, _: &str) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

struct Nothing;

impl Apply for Nothing {
    fn apply(&self, _: &[Changed]) -> Result<(), Refusal> {
        Ok(())
    }
}

/// An engine in process.
pub struct InProcess {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Its memory figures.
    pub memory: Arc<TestMemory>,
}

impl Default for InProcess {
    fn default() -> Self {
        InProcess::new(&[])
    }
}

impl InProcess {
    /// An empty engine at a fixed time, with settings given as (name, value).
    ///
    /// # Panics
    /// When a setting is invalid.
    pub fn new(settings: &[(&str, &str)]) -> InProcess {
        InProcess::start(settings, false)
    }

    /// An empty engine on the machine's clock, which cannot be moved.
    ///
    /// # Panics
    /// When a setting is invalid.
    pub fn in_real_time(settings: &[(&str, &str)]) -> InProcess {
        InProcess::start(settings, true)
    }

    fn start(settings: &[(&str, &str)], real: bool) -> InProcess {
        let values = Settings::new();
        for (name, value) in settings {
            values
                .preset(name, value.as_bytes())
                .expect("a valid setting");
        }
        let clock = Arc::new(TestClock {
            ms: AtomicI64::new(START_MS),
            real,
        });
        let memory = Arc::new(TestMemory::default());
        let ports = Ports {
            clock: clock.clone(),
            memory: memory.clone(),
            runtime: Arc::new(Inline),
            settings_file: Arc::new(NoFile),
            apply: Arc::new(Nothing),
            scripts: Arc::new(ochre_script::Scripts::default()),
            seed: 1,
        };
        let about = About {
            run_id: "0".repeat(40),
            workers: 1,
            ..About::default()
        };
        InProcess {
            engine: Arc::new(Engine::new(Arc::new(values), ports, about)),
            clock,
            memory,
        }
    }

    /// Moves the clock.
    pub fn advance(&self, ms: i64) {
        self.clock.ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// A connection.
    ///
    /// # Panics
    /// When `maxclients` are connected.
    pub fn connect(&self, protocol: Protocol) -> Connection {
        let endpoint = Endpoint {
            addr: "127.0.0.1:50000".into(),
            laddr: "127.0.0.1:6379".into(),
            fd: 8,
            unix: false,
        };
        let session = self
            .engine
            .connect(endpoint, None)
            .expect("room for a client");
        session
            .client
            .protocol
            .store(protocol.number(), Ordering::Relaxed);
        Connection {
            engine: self.engine.clone(),
            session,
            out: Out::new(protocol),
        }
    }
}

/// A connection to an engine in process.
pub struct Connection {
    engine: Arc<Engine>,
    /// Its session.
    pub session: Session,
    out: Out,
}

impl Connection {
    /// Executes a command and returns the bytes of its reply.
    pub fn raw<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Vec<u8> {
        let request = RequestBuf::new(args);
        self.engine.begin_batch(&mut self.session);
        let _: Flow = self
            .engine
            .execute(&mut self.session, request.as_request(), &mut self.out);
        self.engine.end_batch(&mut self.session);
        let bytes: Vec<u8> = self.out.segments().flatten().copied().collect();
        self.out.clear();
        bytes
    }

    /// Executes a command and returns its reply.
    ///
    /// # Panics
    /// When the reply is not exactly one well-formed frame.
    pub fn run<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Frame {
        let bytes = self.raw(args);
        let progress = FrameDecoder::new(FrameLimits::default())
            .decode(&bytes)
            .expect("a well-formed reply");
        assert_eq!(progress.consumed, bytes.len(), "more than one reply");
        progress.frame.expect("a whole reply")
    }

    /// Executes a command given as a line, with quoting as in redis-cli.
    ///
    /// # Panics
    /// When quotes do not match or the reply is malformed.
    pub fn line(&mut self, line: &str) -> Frame {
        self.run(&ochre_resp::split_args(line.as_bytes()).expect("matching quotes"))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.engine.disconnect(&mut self.session);
    }
}
