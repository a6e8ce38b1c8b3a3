//! The spine: one request from its decoded bytes to its reply.
//!
//! | stage | module | does |
//! |---|---|---|
//! | 3 lookup | `lookup` | words to declaration, arity |
//! | 4 gates | `gates` | may it run at all |
//! | 5 plan | `plan` | keys to stripes |
//! | 7 run | `run`, `resolve` | lock, lookup of the keys, handler |
//! | 8 effects | `effects` | journal, still locked |
//! | 9 release | `run` | unlock, then free what was removed |
//!
//! Invariant: nothing here awaits, opens a socket or a file; time, memory figures and the runtime come
//! through `ports`.

mod ahead;
mod attention;
mod blocking;
mod collections;
pub mod context;
mod cron;
mod dispatch;
mod effects;
mod gates;
mod held;
mod inside;
mod interest;
mod joined;
mod keys;
mod latency;
mod lookup;
mod measure;
mod memory;
mod monitor;
mod notify;
mod outbox;
mod pause;
mod plan;
mod pubsub;
mod rates;
mod read;
mod reclaim;
mod resolve;
mod run;
mod session;
mod slowlog;
mod sought;
mod stats;
mod tracking;
mod transaction;
mod unit;

pub use ahead::{AHEAD_MAX, Ahead, Hints};
pub use blocking::{Nothing, Unblock, Waited, Waiter};
pub use collections::{Commit, Limits, OUTSIDE_MIN, Outside, Producer, STREAM_MIN};
pub use context::{
    CutCx, Env, LATER_MIN, Later, LaterStream, Out, ReadCx, SHARE_MIN, SessionCx, SweepCx, WriteCx,
    reply_string,
};
pub use effects::{Effects, Journals};
pub use held::{Follower, Held};
pub use inside::Inside;
pub use keys::{Expiry, ReadKeys, WriteKeys};
pub use latency::{Event as LatencyEvent, LatencyMonitor};
pub use lookup::{Entry, Lookup, unknown_subcommand, wrong_arity};
pub use memory::MemoryLimit;
pub use monitor::Monitors;
pub use outbox::{Outbox, Push, Wakes};
pub use pause::Pause;
pub use plan::{Plan, PlannedKey};
pub use pubsub::{Kind, PubSub, Subscriptions};
pub use rates::{Rate, Rates};
pub use reclaim::Reclaimer;
pub use session::{Client, Clients, Endpoint, Labels, ReplyMode, Session};
pub use slowlog::{SlowLog, SlowLogEntry};
pub use stats::{CommandCounts, Counter, LATENCY_BUCKETS, Stats};
pub use tracking::{Mode as TrackingMode, Tracker, Tracking, Tracks};
pub(crate) use transaction::Queued;
pub use transaction::Transaction;
pub use unit::{Ids, Missed, UnitCx};

use crate::acl::Acl;
use crate::error::CommandError;
use crate::keyspace::access::{AccessRule, CLOCK_MASK};
use crate::keyspace::{Keyspace, Stripes};
use crate::ports::{AclFile, Clock, LogLevel, Memory, Runtime, Scripting, SettingsFile, Waker};
use crate::settings::{Apply, Settings, id};
use attention::{Attention, Reason};
use ochre_ds::ticks;
use ochre_resp::Request;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What an engine is built from.
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Allocator figures.
    pub memory: Arc<dyn Memory>,
    /// The runtime around the engine.
    pub runtime: Arc<dyn Runtime>,
    /// The settings file, for CONFIG REWRITE.
    pub settings_file: Arc<dyn SettingsFile>,
    /// The file of users, for ACL LOAD and ACL SAVE.
    pub acl_file: Arc<dyn AclFile>,
    /// Carries changed settings out.
    pub apply: Arc<dyn Apply + Send + Sync>,
    /// Scripts and functions.
    pub scripts: Arc<dyn Scripting>,
    /// Seed of the key hash and of random choices; random in production.
    pub seed: u64,
}

/// The engine: everything behind the sockets.
pub struct Engine {
    /// The data.
    pub keyspace: Keyspace,
    /// The commands.
    pub lookup: Lookup,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The counters.
    pub stats: Stats,
    /// How fast some of the counters grow.
    pub rates: Rates,
    /// The connections.
    pub clients: Clients,
    /// The users.
    pub acl: Acl,
    /// Who listens to which channel.
    pub pubsub: PubSub,
    /// Who is told of changed keys.
    pub tracking: Tracking,
    /// Who is shown the commands.
    pub monitors: Monitors,
    /// Readers of the effects stream.
    pub journals: Journals,
    /// SLOWLOG.
    pub slowlog: SlowLog,
    /// LATENCY.
    pub latency: LatencyMonitor,
    /// The memory limit.
    pub memory: MemoryLimit,
    /// Background freeing.
    pub reclaimer: Reclaimer,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The runtime around the engine.
    pub runtime: Arc<dyn Runtime>,
    /// The settings file.
    pub settings_file: Arc<dyn SettingsFile>,
    /// The file of users.
    pub(crate) acl_file: Arc<dyn AclFile>,
    /// Carries changed settings out.
    pub apply: Arc<dyn Apply + Send + Sync>,
    /// Scripts and functions.
    pub scripts: Arc<dyn Scripting>,
    /// Facts about the process, for INFO.
    pub about: About,
    pub(crate) attention: Attention,
    pause: Mutex<Option<Pause>>,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: AtomicBool,
    /// DEBUG PAUSE-CRON.
    pub cron_paused: AtomicBool,
    /// DEBUG REPLYBUFFER RESIZING.
    pub reply_buffers_resize: AtomicBool,
    /// DEBUG REPLYBUFFER PEAK-RESET-TIME is not NEVER.
    pub reply_buffers_reset: AtomicBool,
    /// DEBUG SET-DISABLE-DENY-SCRIPTS.
    pub scripts_run_denied: AtomicBool,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD in bytes, 0 when it was not set.
    pub list_alone_from: AtomicUsize,
    /// Unix milliseconds when the engine started.
    pub started_ms: i64,
    /// Bytes that the allocator had handed out when the engine started.
    pub startup_memory: u64,
    cron: Mutex<cron::Cron>,
    /// Generators handed out so far, and the seed of the next one with it.
    randoms: AtomicU64,
    /// Which keyspace events are published.
    pub(crate) wanted_events: notify::Wanted,
    /// Changes since the last save point; there is none yet, so since the start.
    pub changes: AtomicI64,
}

/// Facts about the process that INFO shows.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Forty hexadecimal digits, new at every start.
    pub run_id: String,
    /// Path of the binary.
    pub executable: String,
    /// Operating system, release and machine.
    pub os: String,
    /// TCP port, 0 for none.
    pub port: u16,
    /// Worker threads of the runtime.
    pub workers: usize,
    /// How many of them serve connections now.
    pub workers_serving: Arc<AtomicUsize>,
    /// Bytes of physical memory, 0 if unknown.
    pub system_memory: u64,
}

/// What the connection does after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Goes on with the next request.
    Next,
    /// Sends what is there and closes.
    Close,
    /// CLIENT PAUSE is in force: nothing was done; try the same request again when it ended.
    Paused,
    /// A stripe is held by somebody for long: nothing was done; try the same request again soon.
    PutOff,
}

impl Engine {
    /// An engine with empty databases.
    pub fn new(settings: Arc<Settings>, ports: Ports, about: About) -> Engine {
        let families = [crate::commands::FAMILIES, ports.scripts.families()].concat();
        let lookup = Lookup::new(&families);
        let databases = usize::try_from(settings.int(id::DATABASES))
            .unwrap_or(16)
            .max(1);
        let started_ms = ports.clock.unix_ms();
        let startup_memory = ports.memory.figures().allocated;
        let stats = Stats::new(lookup.entries().len());
        stats.reset(started_ms);
        let engine = Engine {
            keyspace: Keyspace::new(databases, ports.seed),
            acl: Acl::new(&lookup),
            lookup,
            settings,
            stats,
            rates: Rates::default(),
            clients: Clients::default(),
            pubsub: PubSub::default(),
            tracking: Tracking::default(),
            monitors: Monitors::default(),
            journals: Journals::default(),
            slowlog: SlowLog::default(),
            latency: LatencyMonitor::default(),
            memory: MemoryLimit::new(ports.memory),
            reclaimer: Reclaimer::start(),
            clock: ports.clock,
            runtime: ports.runtime,
            settings_file: ports.settings_file,
            acl_file: ports.acl_file,
            apply: ports.apply,
            scripts: ports.scripts,
            about,
            attention: Attention::default(),
            pause: Mutex::new(None),
            active_expire: AtomicBool::new(true),
            cron_paused: AtomicBool::new(false),
            reply_buffers_resize: AtomicBool::new(true),
            reply_buffers_reset: AtomicBool::new(true),
            scripts_run_denied: AtomicBool::new(false),
            list_alone_from: AtomicUsize::new(0),
            started_ms,
            startup_memory,
            cron: Mutex::default(),
            randoms: AtomicU64::new(ports.seed),
            wanted_events: notify::Wanted::default(),
            changes: AtomicI64::new(0),
        };
        engine.settings_changed(&Stripes::free(&engine.keyspace, &*engine.runtime));
        engine
    }

    /// Takes over what the settings say about memory, events and the default user. Called after every change of settings.
    pub(crate) fn settings_changed(&self, stripes: &Stripes<'_>) {
        self.set_wanted_events();
        self.apply_requirepass();
        self.memory.set_limit(self.settings.size(id::MAXMEMORY));
        if self.memory.is_limited() {
            self.poll_memory(stripes);
        }
    }

    /// A generator for one command's random choices, another one each time.
    pub(crate) fn random(&self) -> ochre_ds::random::Random {
        ochre_ds::random::Random::new(self.randoms.fetch_add(1, Relaxed))
    }

    /// Whether reply buffers that grew large are given back at the end of a batch.
    #[inline]
    pub fn gives_reply_buffers_back(&self) -> bool {
        self.reply_buffers_resize.load(Relaxed) && self.reply_buffers_reset.load(Relaxed)
    }

    /// Whether a script may run `command`.
    pub fn is_allowed_in_scripts(&self, command: &crate::spec::Command) -> bool {
        !command.flags.has(crate::spec::Flags::NOSCRIPT) || self.scripts_run_denied.load(Relaxed)
    }

    /// The largest string in bytes.
    pub fn bulk_max(&self) -> usize {
        usize::try_from(self.settings.int(id::PROTO_MAX_BULK_LEN)).unwrap_or(512 << 20)
    }

    /// Begins a connection. `None` when `maxclients` are connected.
    pub fn connect(&self, endpoint: Endpoint, waker: Option<Arc<dyn Waker>>) -> Option<Session> {
        let most = usize::try_from(self.settings.int(id::MAXCLIENTS)).unwrap_or(usize::MAX);
        let now_ms = self.clock.unix_ms();
        let Some(client) = self.clients.enter(
            endpoint,
            now_ms,
            self.acl.default_user().clone(),
            waker,
            most,
        ) else {
            self.stats.add(Counter::RejectedConnections, 1);
            return None;
        };
        self.stats.add(Counter::Connections, 1);
        Some(Session::new(client, !self.acl.needs_password()))
    }

    /// Ends a connection.
    pub fn disconnect(&self, session: &mut Session) {
        self.stop_waiting(session);
        self.unwatch(session);
        self.stop_tracking(session);
        self.stop_monitoring(session);
        if session.client.has_overflowed() {
            self.stats
                .add(Counter::ClientOutputBufferLimitDisconnections, 1);
            let text = format!(
                "Client id={} scheduled to be closed ASAP for overcoming of output buffer limits.",
                session.id
            );
            self.runtime.log(LogLevel::Warning, &text);
        }
        session.tally.flush(&self.stats);
        session.unsubscribe_all(self);
        session.client.outbox.clear();
        self.clients.leave(session.client.id);
    }

    /// Begins a batch: one time for all its commands.
    #[inline]
    pub fn begin_batch(&self, session: &mut Session) {
        session.now_ms = self.clock.unix_ms();
        if session.acl_version != self.acl.version() {
            session.refresh_rules(self);
        }
        session.rule = self.access_rule(session.now_ms);
        session.slow_nanos = self.slow_nanos();
        session.tick = ticks::now();
        session.commands = 0;
    }

    /// Ends a batch: adds its counts up.
    #[inline]
    pub fn end_batch(&self, session: &mut Session) {
        let client = &session.client;
        client.active_ms.store(session.now_ms, Relaxed);
        client
            .commands
            .store(client.commands.load(Relaxed) + session.commands, Relaxed);
        client.last_command.store(
            u32::try_from(session.last_command).unwrap_or(u32::MAX),
            Relaxed,
        );
        session.tally.flush(&self.stats);
        session.plan.shrink();
        session.spare_transaction = None;
        session.wakes.wake();
        self.send_broadcasts();
    }

    /// Executes one request and writes its whole reply; an empty one is skipped.
    pub fn execute(&self, session: &mut Session, request: Request<'_>, out: &mut Out) -> Flow {
        if request.is_empty() {
            return Flow::Next;
        }
        let ahead = self.look_ahead(request);
        let flow = loop {
            let flow = self.execute_ahead(session, request, &ahead, out, &mut Held::default());
            if flow != Flow::PutOff {
                break flow;
            }
        };
        while let Some(mut producer) = session.stream.take() {
            if producer.produce(out) {
                session.stream = Some(producer);
            }
        }
        flow
    }

    /// Executes a request that was looked up before; it is not empty.
    ///
    /// The rest of a large reply may be left in `session.stream`: the caller lets it be produced before
    /// the next request. `held` may keep a stripe for the next request.
    #[inline]
    pub fn execute_ahead<'e>(
        &'e self,
        session: &mut Session,
        request: Request<'_>,
        ahead: &Ahead,
        out: &mut Out,
        held: &mut Held<'e>,
    ) -> Flow {
        if self.attention.any(Reason::REQUESTS) && self.look_out(session, request) {
            return Flow::Paused;
        }
        let mark = out.mark();
        if let Err(error) = self.dispatch(session, &request, ahead, out, held) {
            // What was refused before it ran may have left the stripe.
            *held = Held::default();
            session.stream = None;
            out.truncate(mark);
            if std::mem::take(&mut session.put_off) {
                return Flow::PutOff;
            }
            self.publish_joined(session, out);
            self.fail(session, &error, out);
        }
        if session.unusual {
            self.attend(session, request, ahead, mark, out, held);
        }
        if session.closing {
            Flow::Close
        } else {
            Flow::Next
        }
    }

    /// Sees to what concerns every request before it runs. Whether it may not run yet.
    #[cold]
    fn look_out(&self, session: &mut Session, request: Request<'_>) -> bool {
        if self.attention.any(Reason::PAUSED) && self.stops(session, request) {
            return true;
        }
        if self.attention.any(Reason::MONITORED) {
            session.shown_from = Some(session.commands);
            session.settle();
        }
        false
    }

    /// Does after a command what the modes of its connection ask for, and shows it to those who monitor.
    #[cold]
    fn attend(
        &self,
        session: &mut Session,
        request: Request<'_>,
        ahead: &Ahead,
        mark: ochre_resp::Mark,
        out: &mut Out,
        held: &mut Held<'_>,
    ) {
        // The reply of who waits is yet to come; see `poll_wait`.
        if session.reply_mode != ReplyMode::On && session.blocked.is_none() {
            withhold(session, mark, out);
        }
        if let Some(before) = session.shown_from.take() {
            session.settle();
            // What was refused or queued did not run.
            if session.commands != before
                && let Some(entry) = ahead.entry
            {
                self.show(session, entry.command, request);
            }
        }
        let in_transaction = session.transaction.is_some();
        if let Some(tracks) = &mut session.tracks {
            if tracks.caching && !in_transaction && !self.lookup.keeps_caching(request) {
                tracks.caching = false;
                session.settle();
            }
            if self.tracking.is_over(&self.settings) {
                *held = Held::default();
                self.trim_tracking();
            }
        }
        self.take_own_messages(session, out);
    }

    /// Sends what a command told its own connection, behind its reply.
    fn take_own_messages(&self, session: &Session, out: &mut Out) {
        /// Beyond it, messages wait as those of other connections do.
        const ROOM: usize = 1 << 20;
        let client = &session.client;
        if (session.tracks.is_some() || session.monitors)
            && session.stream.is_none()
            && client.outbox.is_pending()
        {
            client.take_messages(out, ROOM);
        }
    }

    #[cold]
    fn fail(&self, session: &mut Session, error: &CommandError, out: &mut Out) {
        self.count_error(session, error);
        // compat: Redis drops line ends at the end of an error; those within become spaces.
        out.error(without_line_end(error.text()));
    }

    fn count_error(&self, session: &mut Session, error: &CommandError) {
        session.tally.errors += 1;
        self.stats.error(error.code());
    }

    /// How accesses are recorded at this time.
    pub(crate) fn access_rule(&self, now_ms: i64) -> AccessRule {
        let policy = self.eviction_policy();
        let seconds = u32::try_from((now_ms / 1000) & i64::from(CLOCK_MASK)).unwrap_or(0);
        let minutes = u32::try_from((now_ms / 60_000) & 0xFFFF).unwrap_or(0);
        AccessRule {
            lfu: policy.is_lfu(),
            modified_only: policy.is_lrm(),
            factor: u32::try_from(self.settings.int(id::LFU_LOG_FACTOR)).unwrap_or(10),
            decay: u32::try_from(self.settings.int(id::LFU_DECAY_TIME)).unwrap_or(1),
            seconds,
            minutes,
        }
    }

    /// The eviction policy in force.
    pub(crate) fn eviction_policy(&self) -> crate::keyspace::evict::Policy {
        crate::keyspace::evict::Policy::from_index(self.settings.choice_index(id::MAXMEMORY_POLICY))
    }
}

/// CLIENT REPLY: drops the reply where the mode says so, and goes on to the mode of the next command.
///
/// The mode is the one that the command left: CLIENT REPLY ON and RESET are answered though replies
/// were off before them.
#[cold]
pub(crate) fn withhold(session: &mut Session, mark: ochre_resp::Mark, out: &mut Out) {
    match session.reply_mode {
        ReplyMode::On => {}
        ReplyMode::Off => {
            session.stream = None;
            out.truncate(mark);
        }
        ReplyMode::SkipNext => session.set_reply_mode(ReplyMode::Skip),
        ReplyMode::Skip => {
            session.stream = None;
            out.truncate(mark);
            session.set_reply_mode(ReplyMode::On);
        }
    }
}

fn without_line_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| !matches!(b, b'\r' | b'\n'));
    &text[..end.map_or(0, |at| at + 1)]
}
