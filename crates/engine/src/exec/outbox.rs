//! Messages on their way to one connection that answer none of its requests.
//!
//! Invariants
//! - Messages leave in the order in which they were put in.
//! - What waits is bounded in bytes by `client-output-buffer-limit`: a connection that does not keep
//!   up is closed, and nobody waits for it.
//! - A long message is shared by all its receivers, and each connection encodes it in its own protocol, on its own
//!   worker. A short one is encoded once and copied: workers that count references to one message wait for each other.
//!   Short ones that come together are encoded once and shared: then they count references seldom enough.
//! - A client is woken for the first message that waits; who is added behind one that waits leaves with it. The wake-up
//!   comes at the latest when the batch ends that the message was put in by.

use super::Engine;
use super::context::Out;
use super::session::Client;
use crate::settings::BufferLimit;
use ochre_resp::Protocol;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{self, Relaxed};

/// One message.
#[derive(Debug)]
pub enum Push {
    /// Of a channel subscribed to.
    Message {
        /// The channel.
        channel: Vec<u8>,
        /// What was published.
        payload: Vec<u8>,
        /// Of a shard channel.
        shard: bool,
    },
    /// Of a channel that fits a pattern subscribed to.
    PatternMessage {
        /// The pattern.
        pattern: Vec<u8>,
        /// The message itself.
        message: Arc<Push>,
    },
    /// Cached keys to be forgotten.
    Invalidate(Vec<Vec<u8>>),
    /// Everything cached is to be forgotten.
    InvalidateAll {
        /// The client that tracks speaks RESP3, whatever the one that is told does.
        resp3: bool,
    },
    /// The client that should have been told of changed keys is gone.
    RedirectBroken(u64),
    /// A line as it is.
    Line(Vec<u8>),
}

/// The channel that changed keys are told by to a connection in RESP2.
const INVALIDATE: &[u8] = b"__redis__:invalidate";

impl Push {
    /// Writes it in the connection's protocol, and nothing where that has no words for it: in RESP2 only a
    /// connection that is `subscribed` to something can be told of changed keys.
    pub fn write(&self, subscribed: bool, out: &mut Out) {
        match self {
            Push::Message {
                channel,
                payload,
                shard,
            } => write_message(channel, payload, *shard, out),
            Push::PatternMessage { pattern, message } => {
                let Push::Message {
                    channel, payload, ..
                } = &**message
                else {
                    return;
                };
                out.push(4);
                out.bulk(b"pmessage");
                out.bulk(pattern);
                out.bulk(channel);
                out.bulk(payload);
            }
            Push::Invalidate(keys) => {
                if begin_invalidation(subscribed, out) {
                    out.array(keys.len());
                    keys.iter().for_each(|key| out.bulk(key));
                }
            }
            Push::InvalidateAll { resp3 } => {
                if begin_invalidation(subscribed, out) {
                    out.raw(if *resp3 { b"_\r\n" } else { b"$-1\r\n" });
                }
            }
            Push::RedirectBroken(id) => {
                if out.protocol() == Protocol::Resp3 {
                    out.push(2);
                    out.bulk(b"tracking-redir-broken");
                    out.integer(i64::try_from(*id).unwrap_or(i64::MAX));
                }
            }
            Push::Line(line) => out.raw(line),
        }
    }

    /// Bytes that it takes while it waits.
    fn bytes(&self) -> usize {
        /// Frame and queue overhead.
        const FRAME: usize = 64;
        FRAME
            + match self {
                Push::Message {
                    channel, payload, ..
                } => channel.len() + payload.len(),
                Push::PatternMessage { pattern, message } => pattern.len() + message.bytes(),
                Push::Invalidate(keys) => keys
                    .iter()
                    .map(|key| size_of::<Vec<u8>>() + key.len())
                    .sum(),
                Push::InvalidateAll { .. } | Push::RedirectBroken(_) => 0,
                Push::Line(line) => line.len(),
            }
    }
}

fn write_message(channel: &[u8], payload: &[u8], shard: bool, out: &mut Out) {
    out.push(3);
    out.bulk(if shard { b"smessage" } else { b"message" });
    out.bulk(channel);
    out.bulk(payload);
}

/// Writes the beginning of a message of changed keys, which its list follows. Whether the connection can be told.
fn begin_invalidation(subscribed: bool, out: &mut Out) -> bool {
    match out.protocol() {
        Protocol::Resp3 => {
            out.push(2);
            out.bulk(b"invalidate");
        }
        Protocol::Resp2 if subscribed => {
            out.array(3);
            out.bulk(b"message");
            out.bulk(INVALIDATE);
        }
        Protocol::Resp2 => return false,
    }
    true
}

/// Bytes up to which a message is copied to each receiver.
pub(super) const COPIED_MAX: usize = 512;
/// Bytes of copied messages from which the next one begins a new run.
const RUN_MAX: usize = 16 * 1024;
/// Bytes before a copied message that tell its length.
const LENGTH: usize = size_of::<u32>();

/// A message for many.
pub(super) enum Spread {
    /// In RESP3's form, short.
    Copied(Vec<u8>),
    Shared(Arc<Push>),
    /// Several in RESP3's form, short, each behind its length.
    Together(Arc<[u8]>),
}

impl Spread {
    /// Short messages to be received together, as [`Self::new`] makes each of them.
    pub(super) fn together<'m>(
        channel: &[u8],
        shard: bool,
        payloads: impl Iterator<Item = &'m [u8]>,
    ) -> Spread {
        let mut all = Vec::new();
        let mut out = Out::new(Protocol::Resp3);
        for payload in payloads {
            write_message(channel, payload, shard, &mut out);
            // Nothing of it is by reference, so it is one piece.
            let message = out.as_slice().unwrap_or_default();
            // Lossless: short.
            all.extend_from_slice(&(message.len() as u32).to_le_bytes());
            all.extend_from_slice(message);
            out.clear();
        }
        Spread::Together(all.into())
    }

    /// Of a [`Push::Message`] or a [`Push::PatternMessage`]: their forms differ in the first byte only.
    pub(super) fn new(message: Push) -> Spread {
        if message.bytes() > COPIED_MAX {
            return Spread::Shared(Arc::new(message));
        }
        let mut out = Out::new(Protocol::Resp3);
        message.write(true, &mut out);
        match out.as_slice() {
            Some(bytes) => Spread::Copied(bytes.to_vec()),
            None => Spread::Shared(Arc::new(message)),
        }
    }
}

enum Item {
    Shared(Arc<Push>),
    /// Copied messages, each behind its length.
    Run(Vec<u8>),
    /// The same, shared.
    Together(Arc<[u8]>),
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Item>,
    /// Bytes of the first run that have left.
    left: usize,
    bytes: usize,
    /// Unix milliseconds since which the soft limit is exceeded.
    soft_since_ms: Option<i64>,
}

impl Waiting {
    fn add(&mut self, message: &Arc<Push>) {
        self.bytes += message.bytes();
        self.messages.push_back(Item::Shared(message.clone()));
    }

    fn add_copy(&mut self, message: &[u8]) {
        self.bytes += LENGTH + message.len();
        let length = (message.len() as u32).to_le_bytes();
        if let Some(Item::Run(run)) = self.messages.back_mut()
            && run.len() < RUN_MAX
        {
            run.extend_from_slice(&length);
            run.extend_from_slice(message);
        } else {
            self.messages
                .push_back(Item::Run([&length[..], message].concat()));
        }
    }

    fn add_together(&mut self, messages: &Arc<[u8]>) {
        self.bytes += messages.len();
        self.messages.push_back(Item::Together(messages.clone()));
    }

    /// Writes the messages of the first run until `out` has `room` bytes. Whether all of them are written.
    fn write_run(&mut self, out: &mut Out, room: usize) -> bool {
        let run = match self.messages.front() {
            Some(Item::Run(run)) => &run[..],
            Some(Item::Together(run)) => run,
            Some(Item::Shared(_)) | None => return true,
        };
        let mut rest = &run[self.left..];
        while let Some((length, behind)) = rest.split_first_chunk::<LENGTH>() {
            if out.len() >= room {
                return false;
            }
            let length = u32::from_le_bytes(*length) as usize;
            let (message, behind) = behind.split_at(length.min(behind.len()));
            out.push_message(message);
            self.left += LENGTH + length;
            self.bytes -= LENGTH + length;
            rest = behind;
        }
        true
    }
}

/// What became of a message put into an outbox.
#[derive(Debug, PartialEq, Eq)]
enum Put {
    /// It is the first: the connection is to be woken.
    First,
    /// Others wait before it.
    Behind,
    /// The limit is exceeded: the connection is to be closed.
    Over,
}

/// See the module's documentation.
#[derive(Default)]
#[repr(C)] // what is asked after every batch comes first
pub struct Outbox {
    any: AtomicBool,
    waiting: Mutex<Waiting>,
}

impl Outbox {
    /// Whether a message waits. One load.
    #[inline]
    pub fn is_pending(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.waiting.lock().bytes
    }

    /// Adds a message. `unsent` bytes of replies count too.
    fn put(
        &self,
        add: impl FnOnce(&mut Waiting),
        unsent: u64,
        limit: BufferLimit,
        now_ms: i64,
    ) -> Put {
        let mut waiting = self.waiting.lock();
        let first = waiting.messages.is_empty();
        add(&mut waiting);
        if first {
            self.any.store(true, Ordering::Release);
        }
        let bytes = waiting.bytes as u64 + unsent;
        let over = limit.is_exceeded(bytes, &mut waiting.soft_since_ms, now_ms);
        match (over, first) {
            (true, _) => Put::Over,
            (false, true) => Put::First,
            (false, false) => Put::Behind,
        }
    }

    /// Writes waiting messages until `out` has `room` bytes, to a connection that is `subscribed` to something or not.
    pub fn drain(&self, subscribed: bool, out: &mut Out, room: usize) {
        let mut waiting = self.waiting.lock();
        while out.len() < room {
            match waiting.messages.front() {
                None => break,
                Some(Item::Run(_) | Item::Together(_)) => {
                    if !waiting.write_run(out, room) {
                        break;
                    }
                    waiting.left = 0;
                }
                Some(Item::Shared(message)) => {
                    let bytes = message.bytes();
                    message.write(subscribed, out);
                    waiting.bytes -= bytes;
                }
            }
            waiting.messages.pop_front();
        }
        if waiting.messages.is_empty() {
            waiting.messages.shrink_to(16);
            waiting.soft_since_ms = None;
            self.any.store(false, Ordering::Release);
        }
    }

    /// Drops what waits: the connection is gone.
    pub(crate) fn clear(&self) {
        *self.waiting.lock() = Waiting::default();
    }
}

impl Engine {
    /// Puts a message into a client's outbox and wakes its task. Who does not keep up is closed; see
    /// [`Client::class`].
    pub(super) fn deliver(&self, client: &Client, message: &Arc<Push>, now_ms: i64) {
        if self.hand(client, |waiting| waiting.add(message), now_ms) {
            client.wake();
        }
    }

    /// The same of a message for many. Who is to be woken for it is woken at once, or noted to be woken with others.
    pub(super) fn deliver_one_of_many(
        &self,
        client: &Arc<Client>,
        message: &Spread,
        now_ms: i64,
        wakes: Option<&mut Wakes>,
    ) {
        let wake = match message {
            Spread::Copied(bytes) => self.hand(client, |waiting| waiting.add_copy(bytes), now_ms),
            Spread::Shared(message) => self.hand(client, |waiting| waiting.add(message), now_ms),
            Spread::Together(messages) => {
                self.hand(client, |waiting| waiting.add_together(messages), now_ms)
            }
        };
        match wakes {
            Some(wakes) if wake => wakes.add(client),
            _ if wake => client.wake(),
            _ => {}
        }
    }

    /// Puts a message into an outbox. Whether its connection is to be woken for it.
    fn hand(&self, client: &Client, add: impl FnOnce(&mut Waiting), now_ms: i64) -> bool {
        if client.is_killed() {
            return false;
        }
        let limit = self.settings.buffer_limit(client.class());
        let unsent = client.output_len.load(Relaxed);
        match client.outbox.put(add, unsent, limit, now_ms) {
            Put::First => true,
            Put::Behind => false,
            Put::Over => {
                client.overflow();
                false
            }
        }
    }
}

/// Connections to be woken when the batch that has messages or replies for them is over, or before it does something long.
///
/// Woken for the first message of several, a connection would take them one by one, beside the worker that
/// still adds others.
#[derive(Default)]
pub struct Wakes(Vec<Arc<Client>>);

impl Wakes {
    pub(super) fn add(&mut self, client: &Arc<Client>) {
        self.0.push(client.clone());
        self.wake_if_many();
    }

    /// Whether nobody is to be woken.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over whom another was to wake. Many are woken at once.
    pub fn append(&mut self, other: &mut Wakes) {
        self.0.append(&mut other.0);
        self.wake_if_many();
    }

    fn wake_if_many(&mut self) {
        /// Connections that wait for their wake-up at most.
        const MOST: usize = 4096;
        if self.0.len() >= MOST {
            self.wake_all();
        }
    }

    /// Wakes them.
    #[inline]
    pub fn wake(&mut self) {
        if !self.0.is_empty() {
            self.wake_all();
        }
    }

    #[inline(never)]
    fn wake_all(&mut self) {
        /// How many places are kept for the next batch.
        const KEPT: usize = 16;
        for client in self.0.drain(..) {
            if !client.answer() {
                client.wake();
            }
        }
        self.0.shrink_to(KEPT);
    }
}

/// Also when a batch ends in a panic.
impl Drop for Wakes {
    fn drop(&mut self) {
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Push {
        Push::Message {
            channel: b"c".to_vec(),
            payload: text.as_bytes().to_vec(),
            shard: false,
        }
    }

    const LIMIT: BufferLimit = BufferLimit {
        hard_bytes: 400,
        soft_bytes: 150,
        soft_seconds: 2,
    };

    fn put(outbox: &Outbox, text: &str, unsent: u64, at_ms: i64) -> Put {
        let message = Arc::new(message(text));
        outbox.put(|waiting| waiting.add(&message), unsent, LIMIT, at_ms)
    }

    fn put_copy(outbox: &Outbox, text: &str) -> Put {
        let Spread::Copied(bytes) = Spread::new(message(text)) else {
            panic!("a short message is copied");
        };
        let limit = BufferLimit {
            hard_bytes: 0,
            soft_bytes: 0,
            soft_seconds: 0,
        };
        outbox.put(|waiting| waiting.add_copy(&bytes), 0, limit, 0)
    }

    fn frame(tag: char, text: &str) -> String {
        let len = text.len();
        format!("{tag}3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${len}\r\n{text}\r\n")
    }

    #[test]
    fn messages_leave_in_order_and_in_the_connections_protocol() {
        let outbox = Outbox::default();
        assert_eq!(put(&outbox, "1", 0, 0), Put::First);
        assert_eq!(put(&outbox, "2", 0, 0), Put::Behind);
        assert!(outbox.is_pending());
        let mut out = Out::new(Protocol::Resp2);
        outbox.drain(true, &mut out, 1);
        assert!(outbox.is_pending(), "there was room for one only");
        outbox.drain(true, &mut out, usize::MAX);
        let both = frame('*', "1") + &frame('*', "2");
        assert_eq!(out.as_slice(), Some(both.as_bytes()));
        assert!(!outbox.is_pending() && outbox.bytes() == 0);
    }

    #[test]
    fn copied_messages_keep_their_place_and_take_the_protocol_of_the_day() {
        let outbox = Outbox::default();
        let long = "x".repeat(RUN_MAX / 50);
        let mut wanted = String::new();
        for n in 0..300 {
            let text = format!("{n}{}", &long[..n]);
            let tag = if n < 200 { '*' } else { '>' };
            wanted += &frame(tag, &text);
            let how = if n % 7 == 0 {
                let message = Arc::new(message(&text));
                let limit = BufferLimit {
                    hard_bytes: 0,
                    soft_bytes: 0,
                    soft_seconds: 0,
                };
                outbox.put(|waiting| waiting.add(&message), 0, limit, 0)
            } else {
                put_copy(&outbox, &text)
            };
            assert_eq!(how, if n == 0 { Put::First } else { Put::Behind });
        }
        let mut bytes = Vec::new();
        let mut messages = 0;
        while outbox.is_pending() {
            let protocol = if messages < 200 {
                Protocol::Resp2
            } else {
                Protocol::Resp3
            };
            let mut out = Out::new(protocol);
            outbox.drain(true, &mut out, 1);
            bytes.extend_from_slice(out.as_slice().expect("one piece"));
            messages += 1;
        }
        assert_eq!(messages, 300, "one at a time");
        assert!(bytes == wanted.as_bytes());
        assert_eq!(outbox.bytes(), 0);
        assert_eq!(put_copy(&outbox, "again"), Put::First);
    }

    #[test]
    fn who_does_not_keep_up_is_refused() {
        let outbox = Outbox::default();
        assert_eq!(put(&outbox, "1", 0, 0), Put::First);
        assert_eq!(put(&outbox, "2", 400, 0), Put::Over, "unsent replies count");
        let outbox = Outbox::default();
        let at = |at_ms| put(&outbox, "x", 100, at_ms) != Put::Over;
        assert!(at(0), "over the soft limit, for no time yet");
        assert!(at(1900));
        assert!(!at(2100), "for longer than it may");
        outbox.drain(true, &mut Out::new(Protocol::Resp3), usize::MAX);
        assert!(at(2200), "the time begins anew");
    }
}
