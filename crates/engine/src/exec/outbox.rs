//! Messages on their way to one connection that answer none of its requests.
//!
//! Invariants
//! - Messages leave in the order in which they were put in.
//! - What waits is bounded in bytes by `client-output-buffer-limit`: a connection that does not keep
//!   up is closed, and nobody waits for it.
//! - A message is shared by all its receivers; each connection encodes it in its own protocol, on its own worker.

use super::context::Out;
use crate::settings::BufferLimit;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
}

impl Push {
    /// Writes it in the connection's protocol.
    pub fn write(&self, out: &mut Out) {
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
            }
    }
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

    /// Writes waiting messages until `out` has `room` bytes.
    pub fn drain(&self, out: &mut Out, room: usize) {
        let mut waiting = self.waiting.lock();
        while out.len() < room
            && let Some(message) = waiting.messages.pop_front()
        {
            waiting.bytes -= message.bytes();
            message.write(out);
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
