//! What a script reaches of the engine: commands, run in the unit that the script is.
//!
//! Invariants
//! - A command that needs a stripe which is not held gets it, or the whole script runs again with everything held;
//!   once the script has changed something it gets an error instead, and what was changed stays.
//! - While a script looks at the time, it lets the other connections of its worker go on.

use crate::api::{Host, Replication, Sha, hex};
use crate::cache::Reach;
use crate::header::Flags;
use crate::running::Running;
use crate::scripts::Scripts;
use ochre_engine::error::CommandError;
use ochre_engine::exec::{Entry, Out, UnitCx};
use ochre_engine::keyspace::StripeId;
use ochre_engine::ports::LogLevel;
use ochre_engine::settings::id;
use ochre_engine::spec;
use ochre_lua::Verdict;
use ochre_resp::{Protocol, Request};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// After this time the worker's other connections are let go on without the script.
const ALONE_AFTER: Duration = Duration::from_millis(2);
/// And again after this, in case the worker came back.
const ALONE_AGAIN: Duration = Duration::from_millis(20);
/// Long enough for another thread to take the worker over.
const HAND_OVER: Duration = Duration::from_micros(100);
/// A library that takes longer to load is refused.
const LOAD_MAX: Duration = Duration::from_millis(500);

const KILLED: &str = "Script killed by user with SCRIPT KILL...";
const LOAD_TIMEOUT: &str = "FUNCTION LOAD timeout";
/// Never seen: the script runs again.
const AGAIN: &str = "the script runs again with every key";

/// What is running.
#[derive(Clone, Copy)]
pub(crate) enum Name<'a> {
    Script(&'a Sha),
    Function(&'a [u8]),
}

impl Name<'_> {
    /// The SHA-1 in digits, or the function's name.
    fn text(self) -> Vec<u8> {
        match self {
            Name::Script(sha) => hex(sha).to_vec(),
            Name::Function(name) => name.to_vec(),
        }
    }
}

/// What a script is called by and may do.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) request: Request<'a>,
    pub(crate) flags: Flags,
    pub(crate) read_only: bool,
    /// Memory was over the limit when it began.
    pub(crate) oom: bool,
}

/// See the module's documentation.
pub(crate) struct UnitHost<'a, 'u, 'e> {
    pub(crate) cx: &'a mut UnitCx<'u, 'e>,
    call: Call<'a>,
    /// Stripes of the declared keys, while it is to be learnt whether they suffice.
    declared: Option<&'a [StripeId]>,
    /// What was found out about that.
    pub(crate) reach: Reach,
    /// It has to run again, with everything held.
    pub(crate) again: bool,
    reply: Out,
    /// A reply with large values, in one piece.
    flat: Vec<u8>,
    /// Effects go nowhere.
    silent: bool,
    /// When it first looked at the time, which it does soon after its beginning, and only if it runs for a while.
    started: Option<Instant>,
    last_hand_over: Option<Instant>,
    running: Option<Arc<Running>>,
}

impl<'a, 'u, 'e> UnitHost<'a, 'u, 'e> {
    pub(crate) fn new(
        cx: &'a mut UnitCx<'u, 'e>,
        call: Call<'a>,
        declared: Option<&'a [StripeId]>,
        reply: Out,
    ) -> Self {
        UnitHost {
            cx,
            call,
            declared,
            reach: Reach::Declared,
            again: false,
            reply,
            flat: Vec::new(),
            silent: false,
            started: None,
            last_hand_over: None,
            running: None,
        }
    }

    /// The reply's buffer, for the next script.
    pub(crate) fn take_reply(&mut self) -> Out {
        self.reply.clear();
        std::mem::take(&mut self.reply)
    }

    /// The command of a request, if a script may run it; otherwise that counts as rejected.
    fn check(&mut self, request: Request<'_>) -> Result<Entry, CommandError> {
        let lookup = &self.cx.env.engine.lookup;
        let (entry, permitted) = match lookup.find(request) {
            Ok(entry) => (entry, self.permit(&entry, request)),
            Err(_) => match lookup.named(request) {
                Ok(entry) => (entry, Err(CommandError::SCRIPT_ARITY)),
                Err(_) => return Err(CommandError::SCRIPT_UNKNOWN_COMMAND),
            },
        };
        if permitted.is_err() {
            self.cx.rejected(&entry);
        }
        permitted.map(|()| entry)
    }

    /// # Errors
    /// What a script may not do.
    fn permit(&self, entry: &Entry, request: Request<'_>) -> spec::Outcome {
        let engine = self.cx.env.engine;
        let flags = entry.command.all_flags();
        if !engine.is_allowed_in_scripts(entry.command) {
            return Err(CommandError::SCRIPT_DENIED);
        }
        self.cx.permit_in_script(entry, request)?;
        let writes = spec::Flags::WRITE
            .with(spec::Flags::MAY_REPLICATE)
            .with(spec::Flags::WITH_WRITES);
        if self.call.read_only && flags.any(writes) {
            return Err(CommandError::SCRIPT_READ_ONLY);
        }
        if self.call.oom
            && flags.has(spec::Flags::DENYOOM)
            && !self.cx.wrote()
            && !self.call.flags.has(Flags::ALLOW_OOM)
        {
            return Err(CommandError::OOM);
        }
        Ok(())
    }

    /// Runs a command; `Ok(false)` when the script has to run again.
    fn execute(&mut self, request: Request<'_>) -> Result<bool, CommandError> {
        let entry = self.check(request)?;
        let effects = self.cx.effects();
        loop {
            let outcome = self.cx.call(entry, request, &mut self.reply);
            match self.cx.missed() {
                None => {
                    self.learn(&entry);
                    if self.silent {
                        self.cx.forget_effects(effects);
                    }
                    return outcome.map(|()| true);
                }
                Some(missed) => {
                    self.reach = Reach::Wider;
                    if self.cx.reach(missed) {
                        continue;
                    }
                    // A unit around this one holds what it holds: running again would change nothing.
                    if self.cx.wrote() || self.cx.nested() {
                        return Err(CommandError::UNIT_CONFLICT);
                    }
                    self.again = true;
                    return Ok(false);
                }
            }
        }
    }

    /// Notes whether the last command touched more than the declared keys.
    fn learn(&mut self, entry: &Entry) {
        if let Some(declared) = self.declared
            && self.reach == Reach::Declared
            && (UnitCx::needs_everything(entry)
                || self
                    .cx
                    .last_stripes()
                    .iter()
                    .any(|id| !declared.contains(id)))
        {
            self.reach = Reach::Wider;
        }
    }
}

impl Host for UnitHost<'_, '_, '_> {
    fn call(&mut self, request: Request<'_>, protocol: Protocol) -> Result<&[u8], &'static str> {
        self.reply.clear();
        self.reply.set_protocol(protocol);
        match self.execute(request) {
            Ok(true) => {}
            Ok(false) => return Err(AGAIN),
            Err(error) => {
                self.reply.clear();
                self.cx.fail(&error, &mut self.reply);
            }
        }
        if let Some(running) = &self.running {
            running.wrote.store(self.cx.wrote(), Relaxed);
        }
        if self.reply.as_slice().is_none() {
            self.flat.clear();
            self.reply
                .segments()
                .for_each(|piece| self.flat.extend_from_slice(piece));
            return Ok(&self.flat);
        }
        Ok(self.reply.as_slice().unwrap_or_default())
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        self.cx
            .env
            .engine
            .runtime
            .log(level, &String::from_utf8_lossy(message));
    }

    fn may(&mut self, request: Request<'_>) -> Option<bool> {
        let entry = self.cx.env.engine.lookup.named(request).ok()?;
        Some(self.cx.may(&entry, request))
    }

    fn failed(&mut self, error: &[u8], counted: bool) {
        let error = (!counted).then(|| CommandError::new(error));
        self.cx.failed(error.as_ref());
    }

    fn replicate(&mut self, to: Replication) {
        self.silent = !to.file && !to.replicas;
    }

    fn tick(&mut self) -> Verdict {
        let engine = self.cx.env.engine;
        let scripts = Scripts::of(engine);
        let now = Instant::now();
        let started = *self.started.get_or_insert(now);
        let running = match &self.running {
            Some(running) => running,
            None => self.running.insert(scripts.running.enter(Running {
                name: self.call.name.text(),
                command: self.call.request.to_buf(),
                function: matches!(self.call.name, Name::Function(_)),
                started,
                wrote: self.cx.wrote().into(),
                killed: false.into(),
                busy: false.into(),
            })),
        };
        if running.killed.load(Relaxed) {
            engine.runtime.log(
                LogLevel::Notice,
                "Lua script killed by user with SCRIPT KILL.",
            );
            return Verdict::Stop(KILLED);
        }
        let elapsed = now - started;
        let due = match self.last_hand_over {
            None => elapsed >= ALONE_AFTER,
            Some(last) => now - last >= ALONE_AGAIN,
        };
        if due {
            self.last_hand_over = Some(now);
            engine.runtime.long(&mut || std::thread::sleep(HAND_OVER));
        }
        let threshold = engine.settings.int(id::BUSY_REPLY_THRESHOLD);
        let busy =
            u64::try_from(threshold).is_ok_and(|ms| ms > 0 && elapsed >= Duration::from_millis(ms));
        if busy && !running.busy.load(Relaxed) {
            scripts.running.becomes_busy(running);
            let name = String::from_utf8_lossy(&running.name).into_owned();
            let text = format!(
                "Slow script detected: still in execution after {threshold} milliseconds. You can try killing the script using the {} KILL command. Script name is: {name}.",
                if running.function {
                    "FUNCTION"
                } else {
                    "SCRIPT"
                }
            );
            engine.runtime.log(LogLevel::Warning, &text);
        }
        Verdict::Go
    }
}

impl Drop for UnitHost<'_, '_, '_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            Scripts::of(self.cx.env.engine).running.leave(&running);
        }
    }
}

/// What a library reaches while it is loaded: the log, and a limited time.
pub(crate) struct LoadHost<'e> {
    engine: &'e ochre_engine::exec::Engine,
    started: Instant,
}

impl<'e> LoadHost<'e> {
    pub(crate) fn new(engine: &'e ochre_engine::exec::Engine) -> Self {
        LoadHost {
            engine,
            started: Instant::now(),
        }
    }
}

impl Host for LoadHost<'_> {
    fn call(&mut self, _: Request<'_>, _: Protocol) -> Result<&[u8], &'static str> {
        // Libraries are not given the functions that lead here.
        Ok(b"-ERR This Redis command is not allowed from script\r\n")
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        self.engine
            .runtime
            .log(level, &String::from_utf8_lossy(message));
    }

    fn may(&mut self, _: Request<'_>) -> Option<bool> {
        None
    }

    fn failed(&mut self, _: &[u8], _: bool) {}

    fn replicate(&mut self, _: Replication) {}

    fn tick(&mut self) -> Verdict {
        if self.started.elapsed() > LOAD_MAX {
            Verdict::Stop(LOAD_TIMEOUT)
        } else {
            Verdict::Go
        }
    }
}
