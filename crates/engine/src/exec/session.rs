//! What the engine knows of one connection: its session, which its own task changes, and its client
//! record, which others may look at.
//!
//! Invariants
//! - Only the connection's task has the session; everything that CLIENT LIST shows of others is in [`Client`].
//! - Counters in [`Client`] are written by the task once per batch, never per command.

use super::blocking::Waiter;
use super::collections::Producer;
use super::context::Out;
use super::interest::Watches;
use super::joined::Joined;
use super::outbox::Outbox;
use super::outbox::Wakes;
use super::plan::Plan;
use super::pubsub::Subscriptions;
use super::stats::Tally;
use super::tracking::Tracker;
use super::tracking::Tracks;
use super::transaction::Transaction;
use crate::acl::{Rules, User};
use crate::keyspace::access::AccessRule;
use crate::ports::Waker;
use crate::settings::ClientClass;
use crate::sync::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};

/// The words a connection may be described by (CLIENT SETNAME, CLIENT SETINFO, AUTH).
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO lib-name.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO lib-ver.
    pub lib_ver: Vec<u8>,
}

/// How a connection came in.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// The peer's address, `ip:port`, or the path of the Unix socket with `:0`.
    pub addr: String,
    /// The address it connected to.
    pub laddr: String,
    /// The connection's file descriptor, or -1.
    pub fd: i32,
    /// Came over a Unix socket.
    pub unix: bool,
}

/// The public record of a connection.
///
/// What every batch reads or writes of it comes first and fills two cache lines: of many connections each is used rarely
/// enough that all its lines have to be loaded anew.
#[repr(C)]
pub struct Client {
    killed: AtomicBool,
    overflowed: AtomicBool,
    /// CLIENT REPLY OFF.
    pub(super) silent: AtomicBool,
    /// MONITOR.
    pub monitors: AtomicBool,
    /// Waits for CLIENT PAUSE to end.
    pub paused: AtomicBool,
    /// CLIENT NO-EVICT.
    pub no_evict: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// 2 or 3.
    pub protocol: AtomicU8,
    /// Selected database.
    pub db: AtomicU32,
    /// Dense index of the last command, `u32::MAX` for none.
    pub last_command: AtomicU32,
    /// Unix milliseconds of the last batch.
    pub active_ms: AtomicI64,
    /// Commands executed.
    pub commands: AtomicU64,
    /// Bytes received.
    pub net_in: AtomicU64,
    /// Bytes sent.
    pub net_out: AtomicU64,
    /// Bytes waiting in the query buffer.
    pub query_len: AtomicU64,
    /// Capacity of the query buffer.
    pub query_cap: AtomicU64,
    /// Bytes waiting to be sent.
    pub output_len: AtomicU64,
    /// Capacity of the output buffer.
    pub output_cap: AtomicU64,
    /// Messages that answer none of its requests.
    pub outbox: Outbox,
    /// Unique for the life of the server, ascending.
    pub id: u64,
    /// Addresses.
    pub endpoint: Endpoint,
    /// Unix milliseconds at which it connected.
    pub created_ms: i64,
    /// Names.
    pub labels: Mutex<Labels>,
    /// The user it acts for.
    pub user: Mutex<Arc<User>>,
    /// Requests queued since MULTI, `u32::MAX` for no transaction.
    pub queued: AtomicU32,
    /// Keys that it watches.
    pub watching: AtomicU32,
    /// Bytes queued since MULTI.
    pub queued_bytes: AtomicU64,
    /// What it waits for in a blocking command.
    pub waiter: Mutex<Option<Arc<Waiter>>>,
    /// Channels, patterns and shard channels that it listens to.
    pub subscriptions: [AtomicUsize; 3],
    /// What it asked to be told of changed keys.
    pub tracker: Mutex<Option<Arc<Tracker>>>,
    /// The number of the worker that serves it.
    pub worker: AtomicU32,
    waker: Mutex<Option<Arc<dyn Waker>>>,
}

impl Client {
    /// Asks the connection to close after what it is doing.
    pub fn kill(&self) {
        self.killed.store(true, Relaxed);
        self.wake();
    }

    /// Asks the connection to close because it does not keep up with what it is sent; its end will say so.
    pub fn overflow(&self) {
        self.overflowed.store(true, Relaxed);
        self.kill();
    }

    /// Whether it did not keep up with what it was sent.
    pub(super) fn has_overflowed(&self) -> bool {
        self.overflowed.load(Relaxed)
    }

    /// Whether it listens to anything.
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.iter().any(|n| n.load(Relaxed) > 0)
    }

    /// The class whose `client-output-buffer-limit` holds for it. Who monitors or tracks keys is a normal client, as in
    /// Redis.
    pub fn class(&self) -> ClientClass {
        if self.is_subscriber() {
            ClientClass::PubSub
        } else {
            ClientClass::Normal
        }
    }

    /// Writes waiting messages until `out` has `room` bytes. For its own task only: messages follow the replies there.
    pub fn take_messages(&self, out: &mut Out, room: usize) {
        self.outbox.drain(self.is_subscriber(), out, room);
    }

    pub(crate) fn show_queue(&self, requests: u32, bytes: u64) {
        self.queued.store(requests, Relaxed);
        self.queued_bytes.store(bytes, Relaxed);
    }

    /// Whether it was asked to close.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Sends a reply in place of the task: [`Waker::send`].
    pub(super) fn send(&self, reply: &[u8]) -> usize {
        self.waker.lock().as_ref().map_or(0, |w| w.send(reply))
    }

    /// Wakes the connection's task.
    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake();
        }
    }
}

/// All connections.
#[derive(Default)]
pub struct Clients {
    next: AtomicU64,
    all: Mutex<BTreeMap<u64, Arc<Client>>>,
}

impl Clients {
    /// Enters a connection; `None` when there are `most` already.
    pub fn enter(
        &self,
        endpoint: Endpoint,
        now_ms: i64,
        user: Arc<User>,
        waker: Option<Arc<dyn Waker>>,
        most: usize,
    ) -> Option<Arc<Client>> {
        let mut all = self.all.lock();
        if all.len() >= most {
            return None;
        }
        let client = self.make(endpoint, now_ms, user, waker);
        all.insert(client.id, client.clone());
        Some(client)
    }

    /// A list whose ids are none of a connection's.
    pub(super) fn inside() -> Clients {
        let clients = Clients::default();
        clients.next.store(1 << 62, Relaxed);
        clients
    }

    /// A record that is in no list.
    pub(super) fn record(&self, endpoint: Endpoint, now_ms: i64, user: Arc<User>) -> Arc<Client> {
        self.make(endpoint, now_ms, user, None)
    }

    fn make(
        &self,
        endpoint: Endpoint,
        now_ms: i64,
        user: Arc<User>,
        waker: Option<Arc<dyn Waker>>,
    ) -> Arc<Client> {
        Arc::new(Client {
            id: self.next.fetch_add(1, Relaxed) + 1,
            endpoint,
            created_ms: now_ms,
            labels: Mutex::default(),
            user: Mutex::new(user),
            db: AtomicU32::new(0),
            protocol: AtomicU8::new(2),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            active_ms: AtomicI64::new(now_ms),
            last_command: AtomicU32::new(u32::MAX),
            net_in: AtomicU64::new(0),
            net_out: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            query_len: AtomicU64::new(0),
            query_cap: AtomicU64::new(0),
            output_len: AtomicU64::new(0),
            output_cap: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            queued: AtomicU32::new(u32::MAX),
            watching: AtomicU32::new(0),
            queued_bytes: AtomicU64::new(0),
            waiter: Mutex::default(),
            subscriptions: Default::default(),
            tracker: Mutex::default(),
            monitors: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            outbox: Outbox::default(),
            killed: AtomicBool::new(false),
            overflowed: AtomicBool::new(false),
            worker: AtomicU32::new(0),
            waker: Mutex::new(waker),
        })
    }

    /// Forgets a connection.
    pub fn leave(&self, id: u64) {
        self.all.lock().remove(&id);
    }

    /// Number of connections.
    pub fn len(&self) -> usize {
        self.all.lock().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A connection by its id.
    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.all.lock().get(&id).cloned()
    }

    /// All connections in order of their ids.
    pub fn list(&self) -> Vec<Arc<Client>> {
        self.all.lock().values().cloned().collect()
    }
}

/// Which replies are sent (CLIENT REPLY).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReplyMode {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// None to the next command: what CLIENT REPLY SKIP leaves behind.
    SkipNext,
    /// None to the present command.
    Skip,
}

/// The state of one connection.
pub struct Session {
    /// The public record.
    pub client: Arc<Client>,
    /// Its client's id.
    pub(crate) id: u64,
    /// Selected database.
    pub db: usize,
    /// May execute commands that need authentication.
    pub authenticated: bool,
    /// The user it acts for.
    pub user: Arc<User>,
    /// The user's rules when they were last looked at.
    pub rules: Arc<Rules>,
    /// Whether the rules forbid anything.
    pub(crate) restricted: bool,
    /// The version of all rules when the user's were looked at.
    pub(crate) acl_version: u64,
    /// CLIENT REPLY.
    pub(crate) reply_mode: ReplyMode,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// Close after the reply was sent.
    pub closing: bool,
    /// Unix milliseconds of the present batch: one time for all its commands.
    pub now_ms: i64,
    /// The rest of the last reply: to be produced and sent before the next request runs.
    pub stream: Option<Box<dyn Producer>>,
    /// A stripe is held from the request before, or by the unit that the request is part of.
    pub(crate) holds: bool,
    /// The present request is part of a unit.
    pub(crate) in_unit: bool,
    /// The present request found a stripe busy and did nothing.
    pub(crate) put_off: bool,
    /// The present request has answered an error, or has one in its answer, though it ends well.
    pub(crate) failed: bool,
    /// Somebody monitors: the commands executed before the present request, which is to be shown if it is executed.
    pub(crate) shown_from: Option<u64>,
    /// The present request is a script's.
    pub(crate) in_script: bool,
    /// The request that was put off has been shown to those who monitor.
    pub(crate) shown: bool,
    /// What was queued since MULTI.
    pub transaction: Option<Box<Transaction>>,
    /// Memory for the next transaction of the present batch.
    pub(super) spare_transaction: Option<Box<Transaction>>,
    /// Keys of WATCH.
    pub(crate) watches: Option<Box<Watches>>,
    /// The client waits for keys: its connection asks [`Engine::poll_wait`] until that is over, and reads nothing meanwhile.
    ///
    /// [`Engine::poll_wait`]: super::Engine::poll_wait
    pub blocked: Option<Arc<Waiter>>,
    /// What it listens to.
    pub subscriptions: Subscriptions,
    /// CLIENT TRACKING.
    pub tracks: Option<Box<Tracks>>,
    /// MONITOR.
    pub(crate) monitors: bool,
    /// What the present command reads is to be remembered.
    pub(crate) remembers: bool,
    /// Replies are withheld, or it listens, tracks keys or monitors, or somebody does: to be looked at around every command.
    pub(crate) unusual: bool,
    /// Who is to be woken when the present batch is over.
    ///
    /// Who runs the session may take them over between [`Engine::execute_ahead`] and [`Engine::end_batch`].
    ///
    /// [`Engine::execute_ahead`]: super::Engine::execute_ahead
    /// [`Engine::end_batch`]: super::Engine::end_batch
    pub wakes: Wakes,
    /// Messages of the present window that wait to be published.
    pub(super) joined: Joined,
    pub(crate) plan: Plan,
    pub(crate) tally: Tally,
    pub(crate) rule: AccessRule,
    /// When the present command began, in ticks.
    pub(crate) tick: u64,
    /// From how many nanoseconds on a command may be noted as slow. Looked up for a batch, and after a command that may
    /// have changed a setting.
    pub(crate) slow_nanos: u64,
    /// Dense index of the last command.
    pub(crate) last_command: usize,
    /// Commands executed in the present batch.
    pub(crate) commands: u64,
}

impl Session {
    /// Whether the request that ended has failed, though it ended well; the next one has not.
    #[inline(always)] // on the way of every request
    pub(crate) fn take_failed(&mut self) -> bool {
        self.failed && std::mem::take(&mut self.failed)
    }

    /// Counts bytes received and sent since the last call; they show in INFO after the next batch.
    pub fn count_traffic(&mut self, received: u64, sent: u64) {
        let tally = &mut self.tally;
        tally.net_in += received;
        tally.reads += u64::from(received > 0);
        tally.net_out += sent;
        tally.writes += u64::from(sent > 0);
    }

    pub(crate) fn new(client: Arc<Client>, authenticated: bool) -> Session {
        let user = client.user.lock().clone();
        let rules = user.rules();
        Session {
            now_ms: client.created_ms,
            id: client.id,
            client,
            db: 0,
            authenticated,
            restricted: !rules.is_unrestricted(),
            // The first batch looks again.
            acl_version: u64::MAX,
            user,
            rules,
            reply_mode: ReplyMode::On,
            no_touch: false,
            closing: false,
            stream: None,
            holds: false,
            in_unit: false,
            put_off: false,
            failed: false,
            in_script: false,
            shown_from: None,
            shown: false,
            transaction: None,
            spare_transaction: None,
            watches: None,
            blocked: None,
            subscriptions: Subscriptions::default(),
            tracks: None,
            monitors: false,
            remembers: false,
            unusual: false,
            wakes: Wakes::default(),
            joined: Joined::default(),
            plan: Plan::default(),
            tally: Tally::default(),
            rule: AccessRule::default(),
            tick: 0,
            slow_nanos: u64::MAX,
            last_command: usize::MAX,
            commands: 0,
        }
    }
    /// Selects a database; the caller checked that it exists.
    pub(crate) fn select(&mut self, db: usize) {
        self.db = db;
        let shown = u32::try_from(db).unwrap_or(u32::MAX);
        self.client.db.store(shown, Relaxed);
    }

    /// Whether replies are sent, all of them: CLIENT REPLY.
    pub fn is_answered(&self) -> bool {
        self.reply_mode == ReplyMode::On
    }

    /// CLIENT REPLY.
    pub(crate) fn set_reply_mode(&mut self, mode: ReplyMode) {
        self.reply_mode = mode;
        self.client.silent.store(mode == ReplyMode::Off, Relaxed);
        self.settle();
    }

    /// MONITOR, and its end.
    pub(super) fn set_monitors(&mut self, on: bool) {
        self.monitors = on;
        self.client.monitors.store(on, Relaxed);
        self.settle();
    }

    /// Takes up what changed of the connection's modes: to be called after each change.
    pub(super) fn settle(&mut self) {
        self.remembers = self.is_remembered();
        self.unusual = self.reply_mode != ReplyMode::On
            || self.monitors
            || self.shown_from.is_some()
            || self.tracks.is_some()
            || !self.subscriptions.is_empty();
    }

    /// CLIENT NO-TOUCH.
    pub(crate) fn set_no_touch(&mut self, on: bool) {
        self.no_touch = on;
        self.client.no_touch.store(on, Relaxed);
    }
}
