//! The closed loop: a connection sends its next requests when the replies to those before are here.

use super::{Slot, Worker};
use crate::budget::Share;
use crate::connection::{Connection, Phase, Sent};
use crate::failure::Failure;
use rustix::event::epoll::EventFlags;
use std::ops::Range;

/// What a connection is to send next comes from here.
struct Source {
    share: Share,
    /// The warm-up is over.
    counts: bool,
    end: u64,
}

impl Worker<'_> {
    pub(super) fn closed_loop(&mut self) -> Result<(), Failure> {
        let mut source = Source {
            share: Share::default(),
            counts: false,
            end: self.end(),
        };
        // Connections that have requests under way, or will.
        let mut busy = 0;
        for token in 0..self.slots.len() {
            let now = self.clock();
            let range = self.next_batch(&mut source, now);
            if !range.is_empty() {
                busy += 1;
                self.send_batch(token, range, now)?;
                self.adjust(token)?;
            }
        }
        while busy > 0 {
            self.wait(None)?;
            for at in 0..self.poller.len() {
                if let Some((token, flags)) = self.poller.event(at)
                    && self.serve(token, flags, &mut source)?
                {
                    busy -= 1;
                }
            }
            self.tick(self.clock())?;
        }
        Ok(())
    }

    /// The numbers of the next requests; none at the end.
    #[inline]
    fn next_batch(&self, source: &mut Source, now: u64) -> Range<u64> {
        if now >= source.end {
            return 0..0;
        }
        let wanted = self.load.pipeline as u64;
        if !source.counts {
            if now < self.from {
                return source.share.take(&self.shared.warming, wanted);
            }
            source.counts = true;
            source.share = Share::default();
        }
        source.share.take(&self.shared.budget, wanted)
    }

    /// Does what a connection is ready for; says whether it has finished for good.
    #[inline]
    fn serve(
        &mut self,
        token: usize,
        flags: EventFlags,
        source: &mut Source,
    ) -> Result<bool, Failure> {
        let connection = &mut self.slots[token].connection;
        if connection.phase != Phase::Ready {
            return self.greet(token, flags).map(|()| false);
        }
        if flags.contains(EventFlags::OUT) {
            connection.flush()?;
        }
        let mut finished = false;
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            if connection.in_flight == 0 {
                connection.idle(&mut self.buffer)?;
            } else {
                let now = self.receive(token)?;
                if self.slots[token].connection.in_flight == 0 {
                    finished = self.go_on(token, now, source)?;
                }
            }
        }
        self.adjust(token)?;
        Ok(finished)
    }

    /// All replies are here: sends the next requests. Says whether there are none.
    #[inline]
    fn go_on(&mut self, token: usize, now: u64, source: &mut Source) -> Result<bool, Failure> {
        let range = self.next_batch(source, now);
        if range.is_empty() {
            return Ok(true);
        }
        if self.load.keep_alive {
            self.send_batch(token, range, now)?;
        } else {
            self.reopen(token, range, now)?;
        }
        Ok(false)
    }

    #[inline]
    fn send_batch(&mut self, token: usize, range: Range<u64>, due: u64) -> Result<(), Failure> {
        let Slot { connection, .. } = &mut self.slots[token];
        let count = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut run: Option<Sent> = None;
        let bytes = self
            .composer
            .compose(range.start, count, |kind, n| match &mut run {
                Some(run) if run.kind == kind => run.left += n,
                other => {
                    if let Some(done) = other.take() {
                        connection.note(done);
                    }
                    *other = Some(Sent {
                        due,
                        at: due,
                        kind,
                        left: n,
                    });
                }
            });
        if let Some(done) = run {
            connection.note(done);
        }
        connection.send(bytes)
    }

    /// A new connection in the place of an old one; its requests are due from now on, since connecting is part of what
    /// they cost.
    fn reopen(&mut self, token: usize, range: Range<u64>, now: u64) -> Result<(), Failure> {
        let connection = Connection::open(self.shared.target, now)?;
        let slot = &mut self.slots[token];
        slot.connection = connection;
        slot.assigned = range;
        let connection = &slot.connection;
        let added = self
            .poller
            .add(connection.socket(), token, connection.interest);
        added.map_err(|e| Failure::io(&e))
    }

    /// A step of a new connection towards its requests, which it sends as soon as it can.
    fn greet(&mut self, token: usize, flags: EventFlags) -> Result<(), Failure> {
        let now = self.clock();
        let slot = &mut self.slots[token];
        slot.connection
            .prepare(self.shared.target, flags, &mut self.buffer, now)?;
        if slot.connection.phase == Phase::Ready {
            let range = std::mem::replace(&mut slot.assigned, 0..0);
            let opened = slot.connection.opened;
            self.send_batch(token, range, opened)?;
        }
        self.adjust(token)
    }
}
