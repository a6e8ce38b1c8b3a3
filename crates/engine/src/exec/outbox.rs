//! Messages on their way to one connection that answer none of its requests.
//!
//! Invariants
//! - Messages leave in the order in which they were put in.
//! - What waits is bounded in bytes by `client-output-buffer-limit`: a connection that does not keep
//!   up is closed, and nobody waits for it.
//! - A message is shared by all its receivers; each connection encodes it in its own protocol, on its own worker.

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
            } => {
                out.push(3);
                out.bulk(if *shard { b"smessage" } else { b"message" });
                out.bulk(channel);
                out.bulk(payload);
            }
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

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Arc<Push>>,
    bytes: usize,
    /// Unix milliseconds since which the soft limit is exceeded.
    soft_since_ms: Option<i64>,
}

/// See the module's documentation.
#[derive(Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    any: AtomicBool,
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

    /// Adds a message. False when the limit is exceeded, counting `unsent` bytes of replies too: the connection is to be closed.
    pub(crate) fn put(
        &self,
        message: Arc<Push>,
        unsent: u64,
        limit: BufferLimit,
        now_ms: i64,
    ) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.bytes += message.bytes();
        waiting.messages.push_back(message);
        self.any.store(true, Ordering::Release);
        let bytes = waiting.bytes as u64 + unsent;
        let soft = limit.soft_bytes > 0 && bytes >= limit.soft_bytes;
        waiting.soft_since_ms = match waiting.soft_since_ms {
            since @ Some(_) if soft => since,
            _ if soft => Some(now_ms),
            _ => None,
        };
        let patience_ms =
            i64::try_from(limit.soft_seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let hard = limit.hard_bytes > 0 && bytes >= limit.hard_bytes;
        !(hard
            || waiting
                .soft_since_ms
                .is_some_and(|since| now_ms - since > patience_ms))
    }

    /// Writes waiting messages until `out` has `room` bytes, to a connection that is `subscribed` to something or not.
    pub fn drain(&self, subscribed: bool, out: &mut Out, room: usize) {
        let mut waiting = self.waiting.lock();
        while out.len() < room
            && let Some(message) = waiting.messages.pop_front()
        {
            waiting.bytes -= message.bytes();
            message.write(subscribed, out);
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
        if client.is_killed() {
            return;
        }
        let limit = self.settings.buffer_limit(client.class());
        let unsent = client.output_len.load(Relaxed);
        if client.outbox.put(message.clone(), unsent, limit, now_ms) {
            client.wake();
        } else {
            client.overflow();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Arc<Push> {
        Arc::new(Push::Message {
            channel: b"c".to_vec(),
            payload: text.as_bytes().to_vec(),
            shard: false,
        })
    }

    const LIMIT: BufferLimit = BufferLimit {
        hard_bytes: 400,
        soft_bytes: 150,
        soft_seconds: 2,
    };

    #[test]
    fn messages_leave_in_order_and_in_the_connections_protocol() {
        let outbox = Outbox::default();
        assert!(outbox.put(message("1"), 0, LIMIT, 0) && outbox.put(message("2"), 0, LIMIT, 0));
        assert!(outbox.is_pending());
        let mut out = Out::new(Protocol::Resp2);
        outbox.drain(true, &mut out, 1);
        assert!(outbox.is_pending(), "there was room for one only");
        outbox.drain(true, &mut out, usize::MAX);
        let frame = |n| format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n{n}\r\n");
        assert_eq!(out.as_slice(), Some((frame(1) + &frame(2)).as_bytes()));
        assert!(!outbox.is_pending() && outbox.bytes() == 0);
    }

    #[test]
    fn who_does_not_keep_up_is_refused() {
        let outbox = Outbox::default();
        assert!(outbox.put(message("1"), 0, LIMIT, 0));
        assert!(
            !outbox.put(message("2"), 400, LIMIT, 0),
            "unsent replies count"
        );
        let outbox = Outbox::default();
        let put = |at_ms| outbox.put(message("x"), 100, LIMIT, at_ms);
        assert!(put(0), "over the soft limit, for no time yet");
        assert!(put(1900));
        assert!(!put(2100), "for longer than it may");
        outbox.drain(true, &mut Out::new(Protocol::Resp3), usize::MAX);
        assert!(put(2200), "the time begins anew");
    }
}
