//! The open loop: requests are sent when the schedule says so, whatever becomes of those before.
//!
//! Invariants
//! - A latency begins when its request was due, whether or not it could be sent then: a server that stalls for a second
//!   is charged with every request of that second.
//! - Requests that no connection has room for need no queue: their times follow from their numbers.
//! - What has no reply [`DRAIN`] after the last request was due counts with the age that it has then.

use super::{Slot, Worker};
use crate::connection::Sent;
use crate::failure::Failure;
use crate::load::nanos;
use crate::schedule::Schedule;
use rustix::event::epoll::EventFlags;
use std::collections::VecDeque;
use std::time::Duration;

/// How long replies are waited for after the last request was due, unless `--timeout` is shorter.
const DRAIN: Duration = Duration::from_secs(5);

/// Records made of requests that were never sent; when there are more, each stands for some neighbours.
const ABANDONED_LIMIT: u64 = 100_000;

/// The state of an open loop.
struct Opened {
    schedule: Schedule,
    /// Connections that can take a request, the one that waits for longest first.
    free: VecDeque<usize>,
    in_flight: usize,
    /// Requests to be sent in one write.
    batch: Vec<u8>,
}

impl Worker<'_> {
    pub(super) fn open_loop(&mut self, rate: u64) -> Result<(), Failure> {
        let warming = Schedule::before(rate, self.from);
        let by_count = self.load.requests.map(|n| warming.saturating_add(n));
        let by_time = self
            .load
            .duration
            .map(|_| Schedule::before(rate, self.end()));
        let end = by_count.into_iter().chain(by_time).min();
        let end = end.unwrap_or(u64::MAX);
        let give_up = self.give_up_at(rate, end);
        let mut open = Opened {
            schedule: Schedule::new(rate, self.thread, self.load.threads, end),
            free: (0..self.slots.len()).collect(),
            in_flight: 0,
            batch: Vec::new(),
        };
        loop {
            let now = self.clock();
            self.pump(&mut open, now)?;
            let next = open.schedule.peek();
            if next.is_none() && open.in_flight == 0 {
                return Ok(());
            }
            if now >= give_up {
                self.abandon(&mut open, now);
                return Ok(());
            }
            let wake_at = match next {
                Some((_, due)) => Some(due).filter(|_| !open.free.is_empty()),
                None => Some(give_up),
            };
            let wake_in = wake_at.map(|at| at.saturating_sub(self.clock()));
            self.wait(wake_in)?;
            for at in 0..self.poller.len() {
                if let Some((token, flags)) = self.poller.event(at) {
                    self.serve_open(token, flags, &mut open)?;
                }
            }
            self.tick(self.clock())?;
        }
    }

    /// When replies are waited for no longer.
    fn give_up_at(&self, rate: u64, end: u64) -> u64 {
        let last = match end {
            u64::MAX => u64::MAX,
            end => Schedule::new(rate, 0, 1, u64::MAX).time_of(end),
        };
        last.saturating_add(nanos(DRAIN.min(self.load.timeout)))
    }

    /// Sends what is due, as far as connections have room.
    fn pump(&mut self, open: &mut Opened, now: u64) -> Result<(), Failure> {
        let mut due = open.schedule.due(now);
        while due > 0 {
            let Some(token) = open.free.pop_front() else {
                return Ok(());
            };
            // What is late is spread over all connections that can take some.
            let fair = due.div_ceil(open.free.len() as u64 + 1);
            let room = self.load.pipeline - self.slots[token].connection.in_flight;
            let count = fair.min(room as u64);
            self.send_due(token, count, open, now)?;
            due -= count;
            let slot = &mut self.slots[token];
            slot.is_free = slot.connection.in_flight < self.load.pipeline;
            if slot.is_free {
                open.free.push_back(token);
            }
            self.adjust(token)?;
        }
        Ok(())
    }

    fn send_due(
        &mut self,
        token: usize,
        count: u64,
        open: &mut Opened,
        now: u64,
    ) -> Result<(), Failure> {
        let Slot { connection, .. } = &mut self.slots[token];
        open.batch.clear();
        for _ in 0..count {
            let Some((number, due)) = open.schedule.peek() else {
                break;
            };
            open.schedule.advance(1);
            let mut kind = 0;
            let bytes = self.composer.compose(number, 1, |k, _| kind = k);
            connection.note(Sent {
                due,
                at: now,
                kind,
                left: 1,
            });
            open.in_flight += 1;
            if count == 1 {
                return connection.send(bytes);
            }
            open.batch.extend_from_slice(bytes);
        }
        connection.send(&open.batch)
    }

    fn serve_open(
        &mut self,
        token: usize,
        flags: EventFlags,
        open: &mut Opened,
    ) -> Result<(), Failure> {
        let connection = &mut self.slots[token].connection;
        if flags.contains(EventFlags::OUT) {
            connection.flush()?;
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            if connection.in_flight == 0 {
                connection.idle(&mut self.buffer)?;
            } else {
                let before = connection.in_flight;
                self.receive(token)?;
                let slot = &mut self.slots[token];
                open.in_flight -= before - slot.connection.in_flight;
                if !slot.is_free && slot.connection.in_flight < self.load.pipeline {
                    slot.is_free = true;
                    open.free.push_back(token);
                }
            }
        }
        self.adjust(token)
    }

    /// Counts what has had no reply with the age that it has.
    fn abandon(&mut self, open: &mut Opened, now: u64) {
        for slot in &self.slots {
            for sent in slot.connection.unanswered() {
                if sent.due >= self.from {
                    self.counts.record(sent, now, u64::from(sent.left));
                    self.counts.unanswered += u64::from(sent.left);
                }
            }
        }
        let each = open.schedule.left().div_ceil(ABANDONED_LIMIT).max(1);
        while let Some((number, due)) = open.schedule.peek() {
            let count = each.min(open.schedule.left());
            open.schedule.advance(count);
            if due < self.from {
                continue;
            }
            let mut kind = 0;
            self.composer.compose(number, 1, |k, _| kind = k);
            let sent = Sent {
                due,
                at: now,
                kind,
                left: 1,
            };
            self.counts.record(&sent, now, count);
            self.counts.unanswered += count;
        }
    }
}
