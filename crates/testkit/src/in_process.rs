//! An engine without sockets: commands go in as words, replies come out as frames.
//!
//! Time stands still unless the test moves it, random choices follow a seed, and background work
//! runs only when the test asks for a round of it.

use ochre_engine::exec::{About, Endpoint, Engine, Flow, Held, Out, Ports, Session, Waited};
use ochre_engine::ports::{
    AclFile, Clock, Memory, MemoryFigures, Runtime, SettingsFile, SystemClock, Waker,
};
use ochre_engine::settings::{Apply, Changed, Refusal, Settings};
use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol, RequestBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a connection that waits for keys sleeps before it looks again without having been woken: for a test
/// that moves the clock from elsewhere.
const LOOK: Duration = Duration::from_millis(20);

/// Where the clock of a test starts, in Unix milliseconds.
pub const START_MS: i64 = 1_700_000_000_000;

/// A clock that the test moves, or the machine's where a test compares with another process.
#[derive(Debug)]
pub struct TestClock {
    ms: AtomicI64,
    real: bool,
}

impl TestClock {
    /// Moves the clock; the machine's is not moved.
    pub fn advance(&self, ms: i64) {
        self.ms.fetch_add(ms, Ordering::Relaxed);
    }
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

/// A runtime that has nothing else to do meanwhile.
#[derive(Debug, Default)]
pub struct TestRuntime {
    /// How often long work was announced.
    pub longs: AtomicU64,
}

impl Runtime for TestRuntime {
    fn log(&self, _: ochre_engine::ports::LogLevel, _: &str) {}
    fn long(&self, work: &mut dyn FnMut()) {
        self.longs.fetch_add(1, Ordering::SeqCst);
        work();
    }
    fn shutdown(&self) {}
    fn entropy(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        bytes.fill(0xA5);
        Ok(())
    }
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

/// A file of users in memory.
#[derive(Debug, Default)]
pub struct TestAclFile {
    /// Whether there is one.
    pub named: AtomicBool,
    /// What is in it; reading and writing fail without.
    pub text: Mutex<Option<Vec<u8>>>,
}

impl TestAclFile {
    /// The path by which errors name it.
    pub const PATH: &str = "/users.acl";

    /// Names the file and fills it.
    pub fn fill(&self, text: &str) {
        self.named.store(true, Ordering::Relaxed);
        *self.text.lock().expect("a lock") = Some(text.into());
    }
}

impl AclFile for TestAclFile {
    fn path(&self) -> Option<String> {
        let named = self.named.load(Ordering::Relaxed);
        named.then(|| Self::PATH.to_owned())
    }
    fn read(&self) -> std::io::Result<Vec<u8>> {
        let text = self.text.lock().expect("a lock").clone();
        text.ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
    fn write(&self, text: &[u8]) -> std::io::Result<()> {
        match &mut *self.text.lock().expect("a lock") {
            Some(old) => *old = text.to_vec(),
            None => return Err(std::io::ErrorKind::PermissionDenied.into()),
        }
        Ok(())
    }
}

struct Nothing;

impl Apply for Nothing {
    fn apply(&self, _: &[Changed]) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Wakes a thread that waits for keys.
#[derive(Default)]
struct ThreadWaker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl ThreadWaker {
    /// Sleeps until woken, for `most` at most. Whether it was woken.
    fn sleep(&self, most: Duration) -> bool {
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut woken, _) = self
            .changed
            .wait_timeout_while(woken, most, |woken| !*woken)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *woken)
    }
}

impl Waker for ThreadWaker {
    fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
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
    /// Its file of users: none, until a test fills it.
    pub acl_file: Arc<TestAclFile>,
    /// Its runtime.
    pub runtime: Arc<TestRuntime>,
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
        let acl_file = Arc::new(TestAclFile::default());
        let runtime = Arc::new(TestRuntime::default());
        let ports = Ports {
            clock: clock.clone(),
            memory: memory.clone(),
            runtime: runtime.clone(),
            settings_file: Arc::new(NoFile),
            acl_file: acl_file.clone(),
            apply: Arc::new(Nothing),
            scripts: Arc::new(ochre_script::Scripts::default()),
            seed: 1,
        };
        let about = About {
            run_id: "0".repeat(40),
            workers: 1,
            workers_serving: Arc::new(1.into()),
            ..About::default()
        };
        InProcess {
            engine: Arc::new(Engine::new(Arc::new(values), ports, about)),
            clock,
            memory,
            acl_file,
            runtime,
        }
    }

    /// Moves the clock.
    pub fn advance(&self, ms: i64) {
        self.clock.advance(ms);
    }

    /// A connection.
    ///
    /// # Panics
    /// When `maxclients` are connected.
    pub fn connect(&self, protocol: Protocol) -> Connection {
        Connection::to(&self.engine, protocol)
    }
}

/// A connection to an engine in process.
pub struct Connection {
    engine: Arc<Engine>,
    /// Its session.
    pub session: Session,
    out: Out,
    waker: Arc<ThreadWaker>,
}

fn decode(bytes: &[u8]) -> Vec<Frame> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let progress = FrameDecoder::new(FrameLimits::default())
            .decode(&bytes[at..])
            .expect("a well-formed reply");
        at += progress.consumed;
        frames.push(progress.frame.expect("a whole reply"));
    }
    frames
}

impl Connection {
    fn to(engine: &Arc<Engine>, protocol: Protocol) -> Connection {
        let endpoint = Endpoint {
            addr: "127.0.0.1:50000".into(),
            laddr: "127.0.0.1:6379".into(),
            fd: 8,
            unix: false,
        };
        let waker = Arc::new(ThreadWaker::default());
        let session = engine
            .connect(endpoint, Some(waker.clone()))
            .expect("room for a client");
        session
            .client
            .protocol
            .store(protocol.number(), Ordering::Relaxed);
        Connection {
            engine: engine.clone(),
            session,
            out: Out::new(protocol),
            waker,
        }
    }

    /// Another connection to the same engine.
    ///
    /// # Panics
    /// When `maxclients` are connected.
    #[must_use]
    pub fn beside(&self, protocol: Protocol) -> Connection {
        Connection::to(&self.engine, protocol)
    }

    /// The messages that wait for it, encoded one after the other.
    pub fn messages(&mut self) -> Vec<u8> {
        self.session.client.take_messages(&mut self.out, usize::MAX);
        let bytes: Vec<u8> = self.out.segments().flatten().copied().collect();
        self.out.clear();
        bytes
    }

    /// Executes a command and returns the bytes of its reply.
    pub fn raw<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Vec<u8> {
        let request = RequestBuf::new(args);
        self.engine.begin_batch(&mut self.session);
        let _: Flow = self
            .engine
            .execute(&mut self.session, request.as_request(), &mut self.out);
        self.engine.end_batch(&mut self.session);
        self.take_bytes()
    }

    fn take_bytes(&mut self) -> Vec<u8> {
        let bytes: Vec<u8> = self.out.segments().flatten().copied().collect();
        self.out.clear();
        bytes
    }

    /// Executes a command that may wait for keys. `None` while it does.
    ///
    /// # Panics
    /// When the reply is malformed.
    pub fn begin<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Option<Frame> {
        decode(&self.raw(args)).pop()
    }

    /// The bytes of the reply to a command that waits, if it is there now.
    pub fn look_raw(&mut self) -> Vec<u8> {
        self.engine.poll_wait(&mut self.session, &mut self.out);
        self.take_bytes()
    }

    /// Whether the connection waits for keys.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.session.blocked.is_some()
    }

    /// The reply of a command that waits, if it is there now.
    ///
    /// # Panics
    /// When the reply is malformed.
    pub fn look(&mut self) -> Option<Frame> {
        decode(&self.look_raw()).pop()
    }

    /// Waits until the command that waits is answered; an empty reply, where replies are off, is none.
    ///
    /// # Panics
    /// When the reply is malformed.
    pub fn finish(&mut self) -> Option<Frame> {
        loop {
            match self.engine.poll_wait(&mut self.session, &mut self.out) {
                Waited::Over(_) => {
                    self.engine.end_batch(&mut self.session);
                    return decode(&self.take_bytes()).pop();
                }
                Waited::Soon => std::thread::yield_now(),
                Waited::Until(until) => {
                    let rest = until.map(|at| at.saturating_sub(self.engine.clock.unix_ms()));
                    let rest = rest.and_then(|ms| u64::try_from(ms).ok());
                    self.waker
                        .sleep(rest.map_or(LOOK, Duration::from_millis).min(LOOK));
                }
            }
        }
    }

    /// Executes requests as a server's connection does that read them at once: a stripe stays locked from one to the
    /// next where it may. A command that waits is waited for. Returns their replies.
    ///
    /// # Panics
    /// When a reply is malformed.
    pub fn window(&mut self, requests: &[Vec<Vec<u8>>]) -> Vec<Frame> {
        let engine = self.engine.clone();
        let requests: Vec<RequestBuf> = requests.iter().map(RequestBuf::new).collect();
        let ahead: Vec<_> = requests
            .iter()
            .map(|request| engine.look_ahead(request.as_request()))
            .collect();
        let mut frames = Vec::new();
        let (mut at, mut held) = (0, Held::default());
        engine.begin_batch(&mut self.session);
        let mut hints = engine.hints(self.session.db);
        ahead.iter().for_each(|ahead| hints.add(ahead));
        hints.find(&mut held);
        while at < requests.len() {
            held.expect(engine.follower(&ahead[at], ahead.get(at + 1)));
            let request = requests[at].as_request();
            let flow = engine.execute_ahead(
                &mut self.session,
                request,
                &ahead[at],
                &mut self.out,
                &mut held,
            );
            if flow == Flow::PutOff {
                held = Held::default();
                engine.begin_batch(&mut self.session);
                continue;
            }
            at += 1;
            while let Some(mut producer) = self.session.stream.take() {
                if producer.produce(&mut self.out) {
                    self.session.stream = Some(producer);
                }
            }
            if self.is_blocked() {
                frames.extend(decode(&self.take_bytes()));
                frames.extend(self.finish());
                engine.begin_batch(&mut self.session);
            }
        }
        drop(held);
        engine.publish_joined(&mut self.session, &mut self.out);
        engine.end_batch(&mut self.session);
        frames.extend(decode(&self.take_bytes()));
        frames
    }

    /// Executes a command and returns its reply.
    ///
    /// # Panics
    /// When the reply is not exactly one well-formed frame.
    pub fn run<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Frame {
        let bytes = self.raw(args);
        if self.is_blocked() {
            return self.finish().expect("a reply");
        }
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
