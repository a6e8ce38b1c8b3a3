//! The bounded queue between the tasks that share a connection and the one task that owns it.
//!
//! ```text
//!   callers --- submit: bytes into `out`, a place in `line`, a slot ---> manager: take, write
//!   callers <-- collect: the answer out of the slot <------------------- manager: answer, in the order of `line`
//! ```
//!
//! Invariants
//! - `line` holds one place per request whose replies are due, in the order in which the requests were put
//!   into `out`; the last `unsent` of them have their bytes in `out`, in the same order, and nothing else is there.
//! - A slot belongs to one caller from submission until its answer is collected, or, when the caller gave up,
//!   until its replies have come: a reply never reaches a slot that was given away twice.
//! - Requests in `line` and bytes in `out` are bounded ([`Limits`]); who finds no room waits in `room`,
//!   first come, first served. Whenever there is room and somebody waits, the first of them was woken.
//! - No waker is called with the lock held.
//!
//! Knows no socket, no protocol and no runtime, so that a model checker can run it as it is
//! (`tests/queue_shuttle.rs` does, with another `sync`).
//! Cost of a request: two short holds of the lock by its caller, a share of two by the manager; no allocation.

use crate::sync::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

/// Bytes of one chunk of `out` beyond which the next request starts another.
const CHUNK_BYTES: usize = 64 * 1024;
/// Requests of at least this size are handed over as they are instead of being copied.
pub(crate) const LARGE_BYTES: usize = 16 * 1024;
/// Wakers collected before the lock is released to call them.
pub(crate) const WAKES: usize = 256;

/// What the queue holds at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests whose replies are due.
    pub(crate) requests: usize,
    /// Bytes of requests not yet taken by the manager; one request may exceed it if it is alone.
    pub(crate) bytes: usize,
}

/// One request's replies.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer<T> {
    /// Of a request with one reply.
    One(T),
    /// Of a request with several, or none.
    Many(Vec<T>),
}

/// The bytes of a request: copied into the shared buffer, or, if large, taken.
pub(crate) enum Wire<'a> {
    /// To be copied.
    Copy(&'a [u8]),
    /// To be taken; an empty vector is left behind.
    Take(&'a mut Vec<u8>),
}

impl Wire<'_> {
    fn len(&self) -> usize {
        match self {
            Wire::Copy(bytes) => bytes.len(),
            Wire::Take(bytes) => bytes.len(),
        }
    }
}

/// What is to be known of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many replies it gets, at least one.
    pub(crate) replies: u32,
    /// Whether its caller watches a deadline of its own, so that [`Queue::expire`] leaves it alone.
    pub(crate) patient: bool,
}

/// A submitted request, to be given back by [`Queue::poll_collect`] or [`Queue::abandon`].
#[derive(Debug)]
pub(crate) struct Ticket(u32);

/// A caller's place among those that wait for room.
pub(crate) type Turn = Option<u64>;

enum Slot<T, E> {
    Free,
    /// The caller waits; `got` are the replies so far of a request with several.
    Waiting {
        waker: Waker,
        got: Vec<T>,
    },
    Done(Result<Answer<T>, E>),
    /// The caller is gone, the replies are not.
    Abandoned,
}

#[derive(Clone, Copy)]
struct Place {
    slot: u32,
    /// Replies that are due.
    left: u32,
    /// All replies of the request.
    replies: u32,
    /// Its caller was told that it took too long.
    expired: bool,
    /// Its caller watches a deadline of its own.
    patient: bool,
    /// Bytes in `out`.
    bytes: usize,
    /// When it was submitted, in microseconds of the queue's clock.
    at_us: u64,
}

struct State<T, E> {
    out: VecDeque<Vec<u8>>,
    out_bytes: usize,
    slots: Vec<Slot<T, E>>,
    free: Vec<u32>,
    line: VecDeque<Place>,
    unsent: usize,
    /// How many at the front of `line` have expired.
    expired: usize,
    room: VecDeque<(u64, Waker)>,
    next_turn: u64,
    manager: Option<Waker>,
    /// The manager was called and has not taken since.
    called: bool,
    /// Submissions read the clock themselves, because the manager does not move.
    stalled: bool,
    now_us: u64,
    /// A chunk for reuse.
    spare: Option<Vec<u8>>,
    closed: Option<E>,
}

/// See the module's documentation.
pub(crate) struct Queue<T, E> {
    state: Mutex<State<T, E>>,
    limits: Limits,
    clock: fn() -> u64,
}

/// Requests that the manager took.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Their bytes.
    pub(crate) chunks: VecDeque<Vec<u8>>,
    /// How many.
    pub(crate) requests: usize,
}

impl<T, E: Clone> Queue<T, E> {
    /// An empty queue. `clock` gives microseconds since some moment.
    pub(crate) fn new(limits: Limits, clock: fn() -> u64) -> Self {
        Queue {
            state: Mutex::new(State {
                out: VecDeque::new(),
                out_bytes: 0,
                slots: Vec::new(),
                free: Vec::new(),
                line: VecDeque::new(),
                unsent: 0,
                expired: 0,
                room: VecDeque::new(),
                next_turn: 0,
                manager: None,
                called: false,
                stalled: true,
                now_us: 0,
                spare: None,
                closed: None,
            }),
            limits,
            clock,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        // No code that can panic runs under the lock, apart from exhaustion of memory, which aborts.
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Puts a request into the queue, once there is room.
    ///
    /// `turn` is the caller's place while it waits, `None` at first; who gives up calls [`Queue::leave`] with it.
    pub(crate) fn poll_submit(
        &self,
        cx: &Context<'_>,
        wire: Wire<'_>,
        shape: Shape,
        turn: &mut Turn,
    ) -> Poll<Result<Ticket, E>> {
        let mut state = self.lock();
        if let Some(error) = &state.closed {
            return Poll::Ready(Err(error.clone()));
        }
        let first = match *turn {
            None => state.room.is_empty(),
            Some(turn) => state.room.front().is_some_and(|(id, _)| *id == turn),
        };
        if !first || !state.has_room(&self.limits, wire.len()) {
            state.wait_for_room(cx, turn);
            return Poll::Pending;
        }
        if turn.take().is_some() {
            state.room.pop_front();
        }
        if state.stalled || state.out.is_empty() {
            state.now_us = (self.clock)();
        }
        let ticket = state.push(cx, wire, shape);
        let next = state.next_in_room(&self.limits);
        let manager = state.call();
        drop(state);
        if let Some(waker) = manager {
            waker.wake();
        }
        if let Some(waker) = next {
            waker.wake();
        }
        Poll::Ready(Ok(ticket))
    }

    /// Gives up waiting for room.
    pub(crate) fn leave(&self, turn: Turn) {
        let Some(turn) = turn else { return };
        let mut state = self.lock();
        state.room.retain(|(id, _)| *id != turn);
        // The wake-up that this caller may have had goes to the next.
        let next = state.next_in_room(&self.limits);
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// The answer to a submitted request, once it is there. The ticket is void after `Ready`.
    pub(crate) fn poll_collect(
        &self,
        cx: &Context<'_>,
        ticket: &Ticket,
    ) -> Poll<Result<Answer<T>, E>> {
        let mut state = self.lock();
        let slot = &mut state.slots[ticket.0 as usize];
        if let Slot::Waiting { waker, .. } = slot {
            if !waker.will_wake(cx.waker()) {
                waker.clone_from(cx.waker());
            }
            return Poll::Pending;
        }
        let Slot::Done(answer) = std::mem::replace(slot, Slot::Free) else {
            unreachable!("a ticket's slot waits or is done");
        };
        state.free.push(ticket.0);
        Poll::Ready(answer)
    }

    /// Gives up waiting for an answer; it is discarded when it comes.
    pub(crate) fn abandon(&self, ticket: &Ticket) {
        let mut state = self.lock();
        let slot = &mut state.slots[ticket.0 as usize];
        let old = match slot {
            Slot::Waiting { .. } => std::mem::replace(slot, Slot::Abandoned),
            _ => {
                let old = std::mem::replace(slot, Slot::Free);
                state.free.push(ticket.0);
                old
            }
        };
        drop(state);
        // May free a large answer, which is not done under the lock.
        drop(old);
    }

    /// Whether requests wait to be taken; else the manager is called when there are.
    pub(crate) fn poll_outgoing(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        if !state
            .manager
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            state.manager = Some(cx.waker().clone());
        }
        if state.out.is_empty() {
            state.called = false;
            return false;
        }
        true
    }

    /// Takes all requests not taken yet.
    pub(crate) fn take(&self, batch: &mut Batch) {
        let mut state = self.lock();
        // Swapped, so that neither side's deque is allocated anew.
        debug_assert!(batch.chunks.is_empty(), "the batch before was not written");
        std::mem::swap(&mut state.out, &mut batch.chunks);
        state.out_bytes = 0;
        batch.requests = std::mem::take(&mut state.unsent);
        state.called = false;
        let next = state.next_in_room(&self.limits);
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// Gives a written chunk back for reuse.
    pub(crate) fn recycle(&self, mut chunk: Vec<u8>) {
        if chunk.capacity() > 2 * CHUNK_BYTES {
            return;
        }
        chunk.clear();
        let mut state = self.lock();
        let old = state.spare.replace(chunk);
        drop(state);
        drop(old);
    }

    /// Hands replies out, to the requests at the front of the line. Whether all were expected.
    ///
    /// `wakers` is scratch room of the caller.
    pub(crate) fn answer(&self, replies: &mut Vec<T>, wakers: &mut Vec<Waker>) -> bool {
        let mut expected = true;
        let mut replies = replies.drain(..);
        let mut more = true;
        while more {
            // Answers of callers that have gone are freed after the lock.
            let mut unwanted = Vec::new();
            let mut state = self.lock();
            more = loop {
                if wakers.len() >= WAKES {
                    break true;
                }
                let Some(reply) = replies.next() else {
                    break false;
                };
                if state.line.len() <= state.unsent {
                    expected = false;
                    break false;
                }
                if let Some(reply) = state.deliver(reply, wakers) {
                    unwanted.push(reply);
                }
            };
            wakers.extend(state.next_in_room(&self.limits));
            drop(state);
            wakers.drain(..).for_each(Waker::wake);
        }
        expected
    }

    /// Ends the requests whose bytes were taken, all but the last `unwritten` of them with `sent`, those with
    /// `unsent`. They are no longer in the line afterwards; requests not yet taken stay.
    pub(crate) fn fail_taken(&self, unwritten: usize, sent: &E, unsent: &E) {
        let mut state = self.lock();
        let taken = state.line.len() - state.unsent;
        let written = taken.saturating_sub(unwritten);
        let mut wakers = Vec::new();
        for i in 0..taken {
            let Some(place) = state.line.pop_front() else {
                break;
            };
            let error = if i < written { sent } else { unsent };
            wakers.extend(state.finish(place.slot, Err(error.clone())));
        }
        state.expired = state.expired.saturating_sub(taken);
        state.stalled = true;
        wakers.extend(state.next_in_room(&self.limits));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Removes requests from `out` that nobody waits for any more, before they are sent late.
    pub(crate) fn drop_abandoned(&self) {
        let mut state = self.lock();
        let first = state.line.len() - state.unsent;
        let keep: Vec<bool> = state
            .line
            .range(first..)
            .map(|p| !p.expired && !matches!(state.slots[p.slot as usize], Slot::Abandoned))
            .collect();
        if keep.iter().all(|k| *k) {
            return;
        }
        let old = std::mem::take(&mut state.out);
        let mut bytes = old.into_iter().flatten();
        let places: Vec<Place> = state.line.drain(first..).collect();
        (state.unsent, state.out_bytes) = (0, 0);
        for (place, keep) in places.into_iter().zip(keep) {
            let wire: Vec<u8> = bytes.by_ref().take(place.bytes).collect();
            if keep {
                state.append(Wire::Copy(&wire));
                state.line.push_back(place);
                state.unsent += 1;
            } else {
                state.discard(place.slot);
            }
        }
        state.expired = state.expired.min(first);
        let next = state.next_in_room(&self.limits);
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// Ends with `sent` or `unsent` the requests submitted before `limit_us`. Gives the time of the oldest that
    /// has not expired, and that of the newest that was sent and expired now, unless it may be held up by a
    /// patient one.
    pub(crate) fn expire(&self, limit_us: u64, sent: &E, unsent: &E) -> (Option<u64>, Option<u64>) {
        let mut state = self.lock();
        let taken = state.line.len() - state.unsent;
        let mut wakers = Vec::new();
        let (mut late, mut purge) = (None, false);
        let mut patient = state.line.iter().take(state.expired).any(|p| p.patient);
        while let Some(place) = state.line.get(state.expired).copied() {
            if place.at_us >= limit_us {
                break;
            }
            let was_sent = state.expired < taken;
            let error = if was_sent { sent } else { unsent };
            let index = state.expired;
            if place.patient {
                patient |= was_sent;
                state.expired += 1;
                continue;
            }
            let slot = &mut state.slots[place.slot as usize];
            if matches!(slot, Slot::Waiting { .. }) {
                // The caller's slot is done, and the replies need another, which nobody collects.
                wakers.extend(state.finish(place.slot, Err(error.clone())));
                let ghost = state.new_slot(Slot::Abandoned);
                state.line[index].slot = ghost;
            }
            state.line[index].expired = true;
            state.expired += 1;
            if was_sent {
                late = Some(place.at_us);
            } else {
                purge = true;
            }
        }
        let next = state.line.get(state.expired).map(|p| p.at_us);
        drop(state);
        if purge {
            // Their callers were told that they are not executed.
            self.drop_abandoned();
        }
        wakers.into_iter().for_each(Waker::wake);
        (next, late.filter(|_| !patient))
    }

    /// Says whether the manager moves on by itself (`false`) or waits for the peer.
    pub(crate) fn set_stalled(&self, stalled: bool) {
        self.lock().stalled = stalled;
    }

    /// Ends everything: whoever waits for room or an answer, and every later submission.
    pub(crate) fn close(&self, sent: &E, unsent: &E) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.closed = Some(unsent.clone());
        }
        let taken = state.line.len() - state.unsent;
        let mut wakers = Vec::new();
        let mut i = 0;
        while let Some(place) = state.line.pop_front() {
            let error = if i < taken { sent } else { unsent };
            wakers.extend(state.finish(place.slot, Err(error.clone())));
            i += 1;
        }
        (state.unsent, state.expired, state.out_bytes) = (0, 0, 0);
        let out = std::mem::take(&mut state.out);
        wakers.extend(state.room.drain(..).map(|(_, waker)| waker));
        wakers.extend(state.manager.take());
        drop(state);
        drop(out);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether [`Queue::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// Requests whose replies are due, abandoned ones included.
    pub(crate) fn len(&self) -> usize {
        self.lock().line.len()
    }
}

impl<T, E> State<T, E> {
    fn has_room(&self, limits: &Limits, bytes: usize) -> bool {
        self.line.len() < limits.requests
            && (self.out_bytes == 0 || self.out_bytes + bytes <= limits.bytes)
    }

    fn wait_for_room(&mut self, cx: &Context<'_>, turn: &mut Turn) {
        match *turn {
            None => {
                *turn = Some(self.next_turn);
                self.room.push_back((self.next_turn, cx.waker().clone()));
                self.next_turn += 1;
            }
            Some(turn) => {
                if let Some((_, waker)) = self.room.iter_mut().find(|(id, _)| *id == turn)
                    && !waker.will_wake(cx.waker())
                {
                    waker.clone_from(cx.waker());
                }
            }
        }
    }

    /// Who is to be woken because there is room. A request of unknown size counts as small.
    fn next_in_room(&self, limits: &Limits) -> Option<Waker> {
        let (_, waker) = self.room.front()?;
        // A request larger than the room that is left finds out by itself and stays the first.
        self.has_room(limits, 0).then(|| waker.clone())
    }

    /// The manager's waker, if it must be called.
    fn call(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.called, true) {
            return None;
        }
        self.manager.clone()
    }

    fn append(&mut self, wire: Wire<'_>) {
        self.out_bytes += wire.len();
        match wire {
            Wire::Take(bytes) => self.out.push_back(std::mem::take(bytes)),
            Wire::Copy(bytes) => match self.out.back_mut() {
                Some(chunk) if chunk.len() < CHUNK_BYTES => chunk.extend_from_slice(bytes),
                _ => {
                    let mut chunk = self.spare.take().unwrap_or_default();
                    chunk.extend_from_slice(bytes);
                    self.out.push_back(chunk);
                }
            },
        }
    }

    fn new_slot(&mut self, slot: Slot<T, E>) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = slot;
            return index;
        }
        self.slots.push(slot);
        // At most one slot per request in line and one per uncollected answer: memory ends before 2^32 of them.
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    fn push(&mut self, cx: &Context<'_>, wire: Wire<'_>, shape: Shape) -> Ticket {
        let slot = self.new_slot(Slot::Waiting {
            waker: cx.waker().clone(),
            got: Vec::new(),
        });
        self.line.push_back(Place {
            slot,
            left: shape.replies,
            replies: shape.replies,
            expired: false,
            patient: shape.patient,
            bytes: wire.len(),
            at_us: self.now_us,
        });
        self.append(wire);
        self.unsent += 1;
        Ticket(slot)
    }

    /// Gives a reply to the front of the line. Returns it if nobody wants it.
    fn deliver(&mut self, reply: T, wakers: &mut Vec<Waker>) -> Option<T> {
        let place = self.line.front_mut()?;
        place.left = place.left.saturating_sub(1);
        let place = *place;
        let slot = &mut self.slots[place.slot as usize];
        let mut unwanted = None;
        if place.replies == 1 {
            match slot {
                Slot::Waiting { .. } => {
                    wakers.extend(self.finish(place.slot, Ok(Answer::One(reply))));
                }
                _ => {
                    unwanted = Some(reply);
                    self.discard(place.slot);
                }
            }
        } else {
            match slot {
                Slot::Waiting { got, .. } => {
                    got.push(reply);
                    if place.left == 0 {
                        let all = std::mem::take(got);
                        wakers.extend(self.finish(place.slot, Ok(Answer::Many(all))));
                    }
                }
                _ => {
                    unwanted = Some(reply);
                    if place.left == 0 {
                        self.discard(place.slot);
                    }
                }
            }
        }
        if place.left == 0 {
            self.line.pop_front();
            self.expired = self.expired.saturating_sub(1);
        }
        unwanted
    }

    /// Puts the answer where the caller finds it; frees the slot if there is no caller.
    fn finish(&mut self, slot: u32, answer: Result<Answer<T>, E>) -> Option<Waker> {
        let place = &mut self.slots[slot as usize];
        match std::mem::replace(place, Slot::Done(answer)) {
            Slot::Waiting { waker, .. } => Some(waker),
            _ => {
                self.discard(slot);
                None
            }
        }
    }

    fn discard(&mut self, slot: u32) {
        self.slots[slot as usize] = Slot::Free;
        self.free.push(slot);
    }
}
