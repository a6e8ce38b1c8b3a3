//! Messages of one connection to one channel that are published together.
//!
//! A pipeline that publishes to one channel takes the channel's lock, and the locks of all outboxes, once for
//! several messages instead of once for each.
//!
//! Invariants
//! - Requests are joined only while the one behind them in their window is of the same command ([`Follower::Joins`]);
//!   the last one publishes them all. Where that one does not run, they are published before anything else is: before
//!   its error is written, and at the end of the batch at the latest.
//! - A joined request has no reply yet; all of them are answered when they are published.
//! - Joined messages are short, and at most a window's.
//!
//! Connections that withhold replies, listen, or are watched publish at once, and so do units.
//!
//! [`Follower::Joins`]: super::held::Follower::Joins

use super::Engine;
use super::context::{Out, SessionCx};
use super::outbox::COPIED_MAX;
use super::session::Session;
use smallvec::SmallVec;

/// Where the messages of a connection are joined.
#[derive(Default)]
pub(crate) struct Joined {
    channel: Vec<u8>,
    shard: bool,
    payloads: Vec<u8>,
    /// Where each payload ends.
    ends: SmallVec<[usize; 16]>,
}

impl Joined {
    fn is_of(&self, channel: &[u8], shard: bool) -> bool {
        self.shard == shard && self.channel == channel
    }

    fn add(&mut self, channel: &[u8], payload: &[u8], shard: bool) {
        if self.ends.is_empty() {
            self.channel.clear();
            self.channel.extend_from_slice(channel);
            self.shard = shard;
        }
        self.payloads.extend_from_slice(payload);
        self.ends.push(self.payloads.len());
    }

    fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let payload = &self.payloads[from..*end];
            from = *end;
            payload
        })
    }
}

impl Session {
    /// Whether messages wait to be published. One load.
    #[inline]
    fn has_joined(&self) -> bool {
        !self.joined.ends.is_empty()
    }
}

impl SessionCx<'_> {
    /// Publishes a message and answers with the number of those who get it, or joins it to those behind it.
    pub(crate) fn publish(&mut self, channel: &[u8], payload: &[u8], shard: bool) {
        let engine = self.env.engine;
        let fits = channel.len() + payload.len() <= COPIED_MAX && !self.session.unusual;
        if self.session.has_joined() && !(fits && self.session.joined.is_of(channel, shard)) {
            engine.publish_joined(self.session, self.out);
        }
        if fits && (self.joins || self.session.has_joined()) {
            self.session.joined.add(channel, payload, shard);
            if !self.joins {
                engine.publish_joined(self.session, self.out);
            }
            return;
        }
        let wakes = Some(&mut self.session.wakes);
        let sent = engine.publish(channel, payload, shard, self.env.now_ms, wakes);
        self.out.integer(i64::try_from(sent).unwrap_or(i64::MAX));
    }
}

impl Engine {
    /// Publishes the messages that were joined, if any, and answers their requests. To be called at the end of a window.
    #[inline]
    pub fn publish_joined(&self, session: &mut Session, out: &mut Out) {
        if session.has_joined() {
            self.publish_all_joined(session, out);
        }
    }

    #[inline(never)] // off the way of other requests
    fn publish_all_joined(&self, session: &mut Session, out: &mut Out) {
        let Session {
            joined,
            wakes,
            now_ms,
            ..
        } = session;
        let (channel, shard) = (&joined.channel[..], joined.shard);
        let mut answer = |sent: usize| out.integer(i64::try_from(sent).unwrap_or(i64::MAX));
        match self.publish_together(channel, joined.payloads(), shard, *now_ms, wakes) {
            Some(sent) => joined.ends.iter().for_each(|_| answer(sent)),
            None => joined.payloads().for_each(|payload| {
                answer(self.publish(channel, payload, shard, *now_ms, Some(wakes)));
            }),
        }
        joined.payloads.clear();
        joined.ends.clear();
    }
}
