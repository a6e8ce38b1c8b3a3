//! Blocking commands: who waits for which keys, and how they are served.
//!
//! A command that finds nothing registers its client as a waiter in the stripes of its keys, all of
//! which it holds at that moment, so no change falls between looking and waiting. Whoever changes such
//! a key runs the waiter's request again before the stripe is released, in the order in which waiters
//! came, until one finds nothing. When the batch of the change is over and its stripes are released, the reply is sent in
//! place of the waiter's task if its connection allows that, or the task is woken to send it.
//!
//! Invariants
//! - A waiter is answered exactly once: by who serves it, by its timeout, or by CLIENT UNBLOCK,
//!   whoever first finds it waiting under the lock of its state. That lock is taken while stripes are
//!   held, and no stripe is taken under it but by trying.
//! - A request that is run again finds, of the keys that it waits for, only the one that changed; the others are
//!   absent to it, whatever stripes are held. So who waits for several keys gets the one that was written first.
//! - A key that it adds to must be held. If its stripe cannot be had at once, the waiter's own task
//!   takes both, and the waiters of the key behind it wait until then.

use super::Engine;
use super::context::{Env, Out};
use super::held::Refused;
use super::interest::Ready;
use super::plan::Plan;
use super::run::How;
use super::session::{Client, ReplyMode, Session};
use super::unit::Ids;
use crate::error::CommandError;
use crate::keyspace::Locked;
use crate::keyspace::interest::Token;
use crate::keyspace::lock::StripeId;
use crate::spec::{Access, Command, Run};
use crate::sync::{AtomicBool, Mutex};
use ochre_ds::long_double::LongDouble;
use ochre_resp::{Protocol, RequestBuf, parse_i64};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Room for the reply of a waiter that is served, in bytes: a key and an element of usual size.
const SERVED: usize = 128;

/// What a blocking command answers when its time has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nothing {
    /// A null array; in RESP3 a null.
    NullArray,
    /// The same; in a transaction or script a null, as the command that does not wait would answer.
    NullInUnit,
    /// How many replicas: none.
    Replicas,
    /// How many files and replicas: none.
    FilesAndReplicas,
}

impl Nothing {
    pub(crate) fn write(self, in_unit: bool, out: &mut Out) {
        match self {
            Nothing::NullInUnit if in_unit => out.null(),
            Nothing::NullArray | Nothing::NullInUnit => out.null_array(),
            Nothing::Replicas => out.integer(0),
            Nothing::FilesAndReplicas => {
                out.array(2);
                out.integer(0);
                out.integer(0);
            }
        }
    }
}

/// What a handler that found nothing asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Unix milliseconds, `None` for ever.
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) nothing: Nothing,
}

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unblock {
    /// As if the time had passed.
    Timeout,
    /// With an error.
    Error,
}

enum State {
    Waiting,
    /// Another's change could be served if the waiter's task took these stripes itself.
    Again(Ready),
    Answered {
        reply: Out,
        /// Bytes that were sent before what is in `reply`.
        sent: u64,
    },
    Unblocked(Unblock),
    Over,
}

/// One blocked client.
pub struct Waiter {
    id: u64,
    client: Arc<Client>,
    command: &'static Command,
    request: RequestBuf,
    db: usize,
    block: Block,
    /// Where it is registered: stripe and argument.
    places: Vec<(StripeId, usize)>,
    /// A key was left to its task to be served, so those behind it there depend on it.
    relied_on: AtomicBool,
    state: Mutex<State>,
}

impl Session {
    /// Lets the client wait for what no key tells: until the time has passed, in Unix milliseconds, if there is one, or
    /// somebody ends it.
    pub(crate) fn wait_without_keys(
        &mut self,
        (command, request): (&'static Command, ochre_resp::Request<'_>),
        deadline_ms: Option<i64>,
        nothing: Nothing,
    ) {
        let block = Block {
            deadline_ms,
            nothing,
        };
        let waiter = Waiter::new(self, command, request, block, Vec::new());
        self.is_to_wait(waiter);
    }

    fn is_to_wait(&mut self, waiter: Arc<Waiter>) {
        *self.client.waiter.lock() = Some(waiter.clone());
        self.blocked = Some(waiter);
    }

    fn waits_no_more(&mut self) -> Option<Arc<Waiter>> {
        *self.client.waiter.lock() = None;
        self.blocked.take()
    }
}

impl Waiter {
    fn new(
        session: &Session,
        command: &'static Command,
        request: ochre_resp::Request<'_>,
        block: Block,
        places: Vec<(StripeId, usize)>,
    ) -> Arc<Waiter> {
        Arc::new(Waiter {
            id: session.client.id,
            client: session.client.clone(),
            command,
            request: request.to_buf(),
            db: session.db,
            block,
            places,
            relied_on: AtomicBool::new(false),
            state: Mutex::new(State::Waiting),
        })
    }

    /// Whether its one place is left by who serves it, so that nothing of it stays behind when it is answered.
    fn leaves_nothing(&self) -> bool {
        self.places.len() == 1 && !self.relied_on.load(Relaxed)
    }

    /// Whether the wait ends by itself.
    pub(crate) fn has_deadline(&self) -> bool {
        self.block.deadline_ms.is_some()
    }

    /// Ends the wait. Whether there was one to end.
    pub(crate) fn unblock(&self, how: Unblock) -> bool {
        let mut state = self.state.lock();
        let waits = matches!(*state, State::Waiting | State::Again(_));
        if waits {
            *state = State::Unblocked(how);
            drop(state);
            self.client.wake();
        }
        waits
    }
}

impl Client {
    /// Sends the reply of a wait that another's change has ended, in place of the client's task, which finds out when its
    /// next request wakes it. Whether that was all that the task had to be woken for.
    ///
    /// The task may be another worker's, and asleep.
    pub(super) fn answer(&self) -> bool {
        if self.outbox.is_pending() || self.is_killed() {
            return false;
        }
        let Some(waiter) = self.waiter.lock().clone() else {
            return false;
        };
        if !waiter.leaves_nothing() {
            return false;
        }
        let mut state = waiter.state.lock();
        let State::Answered { reply, sent } = &mut *state else {
            return false;
        };
        let Some(bytes) = reply.as_slice() else {
            return false;
        };
        // Before the reply is there to be read: who has it is not blocked any more.
        *self.waiter.lock() = None;
        let taken = self.send(bytes);
        if taken == 0 {
            return bytes.is_empty();
        }
        let mut rest = Out::new(reply.protocol());
        rest.raw(&bytes[taken..]);
        *sent += taken as u64;
        *reply = rest;
        reply.is_empty()
    }
}

/// Where a blocked connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    /// It goes on waiting, until this time in Unix milliseconds at most.
    Until(Option<i64>),
    /// A stripe that it needs is busy: to be asked again soon.
    Soon,
    /// The reply is there, but for so many bytes at its front, which others have sent.
    Over(u64),
}

/// How an attempt to serve a waiter ended.
enum Served {
    /// It has its reply, or does not wait any more.
    Done,
    /// There is nothing in the key for it.
    Nothing,
    /// Its own task must do it.
    Elsewhere,
}

/// Locked stripes and which ones they are, while waiters are served.
struct Holding<'h, 'e> {
    locked: &'h mut Locked<'e>,
    ids: &'h mut Ids,
}

impl Holding<'_, '_> {
    fn index(&mut self, id: StripeId) -> Option<usize> {
        self.locked.index_of(self.ids, id)
    }
}

impl Env<'_> {
    /// When a timeout in seconds ends, in Unix milliseconds; `None` for 0, which never does.
    ///
    /// # Errors
    /// When it is no number, negative, or beyond what the clock can show.
    pub fn deadline(&self, seconds: &[u8]) -> Result<Option<i64>, CommandError> {
        // compat: seconds are a C `long double`, in which -0.001 is a bit more than minus a millisecond.
        let ms = match parse_i64(seconds) {
            Some(whole) => whole.checked_mul(1000).ok_or(whole.cmp(&0)),
            None => LongDouble::parse(seconds)
                .ok_or(CommandError::TIMEOUT_NOT_FLOAT)?
                .times_up(1000),
        };
        let ms = match ms {
            Ok(0) => return Ok(None),
            Ok(..0) | Err(Ordering::Less) => return Err(CommandError::TIMEOUT_NEGATIVE),
            Ok(ms) => ms,
            Err(_) => return Err(CommandError::TIMEOUT_RANGE),
        };
        let deadline_ms = self.now_ms.checked_add(ms as i64);
        deadline_ms.map(Some).ok_or(CommandError::TIMEOUT_RANGE)
    }
}

impl Engine {
    /// Registers the session's client as waiting for the keys of its plan, which are locked.
    #[cold]
    pub(crate) fn wait(
        &self,
        session: &mut Session,
        command: &'static Command,
        request: ochre_resp::Request<'_>,
        locked: &mut Locked<'_>,
        block: Block,
    ) {
        let awaited = session
            .plan
            .keys
            .iter()
            .filter(|k| !k.access.has(Access::INSERT));
        let places = awaited.clone().map(|k| (k.id, k.arg)).collect();
        let waiter = Waiter::new(session, command, request, block, places);
        let token: Token = waiter.clone();
        for key in awaited {
            let name = request.get(key.arg).unwrap_or_default();
            let interest = locked.stripe_mut(key.guard).interest_mut();
            interest.wait(name, waiter.id, &token);
        }
        session.is_to_wait(waiter);
    }

    /// Serves those who wait for the keys of `ready`, whose stripes are in `locked`, and for what serving them changes.
    #[cold]
    pub(crate) fn serve<'e>(
        &'e self,
        session: &mut Session,
        locked: &mut Locked<'e>,
        ids: &mut Ids,
        ready: Vec<Ready>,
    ) {
        let mut holding = Holding { locked, ids };
        let mut queue = VecDeque::from(ready);
        while let Some(key) = queue.pop_front() {
            self.serve_key(session, &mut holding, &key, &mut queue);
        }
    }

    fn serve_key<'e>(
        &'e self,
        session: &mut Session,
        holding: &mut Holding<'_, 'e>,
        key: &Ready,
        queue: &mut VecDeque<Ready>,
    ) {
        let Some(index) = holding.index(key.id) else {
            return;
        };
        let mut at = 0;
        loop {
            let stripe = holding.locked.stripe(index);
            let next = stripe
                .interest
                .as_ref()
                .and_then(|i| i.waiting_at(&key.name, at));
            let Some((id, token)) = next else {
                return;
            };
            let kind = stripe.find(key.hash, &key.name);
            let kind = kind.and_then(|found| stripe.view(found.handle)?.kind());
            let Some(kind) = kind else {
                return;
            };
            let served = match token.downcast::<Waiter>() {
                Ok(waiter) if waiter.command.awaits != Some(kind.type_name()) => Served::Nothing,
                Ok(waiter) => self.serve_one(session, holding, &waiter, key, queue),
                Err(_) => Served::Done,
            };
            match served {
                Served::Done => {
                    let stripe = holding.locked.stripe_mut(index);
                    stripe.lose_interest(|interest| interest.leave(&key.name, id));
                }
                Served::Nothing => at += 1,
                Served::Elsewhere => return,
            }
        }
    }

    /// Runs a waiter's request again. The key `ready` is there, and of the type that it waits for.
    fn serve_one<'e>(
        &'e self,
        session: &mut Session,
        holding: &mut Holding<'_, 'e>,
        waiter: &Waiter,
        ready: &Ready,
        queue: &mut VecDeque<Ready>,
    ) -> Served {
        let mut state = waiter.state.lock();
        // Who was told to go would take an element with it.
        if !matches!(*state, State::Waiting | State::Again(_)) || waiter.client.is_killed() {
            return Served::Done;
        }
        let (request, Run::Write(handler)) = (waiter.request.as_request(), waiter.command.run)
        else {
            return Served::Done;
        };
        let mut plan = Plan::default();
        let filled = plan.fill(waiter.command, request, waiter.db, &self.keyspace);
        let Some(base) = holding.index(ready.id).filter(|_| filled.is_ok()) else {
            return Served::Done;
        };
        for key in &mut plan.keys {
            let name = waiter.request.as_request().get(key.arg);
            if !key.access.has(Access::INSERT) && name != Some(&*ready.name) {
                // Another tag than the name has: nothing is found by it.
                key.hash = !key.hash;
                key.guard = base;
                continue;
            }
            key.guard = match holding.index(key.id) {
                Some(index) => index,
                None if holding.locked.try_add(&self.keyspace, key.id) => {
                    holding.ids.push(key.id);
                    holding.ids.len() - 1
                }
                None => {
                    waiter.relied_on.store(true, Relaxed);
                    *state = State::Again(ready.clone());
                    session.wakes.add(&waiter.client);
                    return Served::Elsewhere;
                }
            };
        }
        let protocol = waiter.client.protocol.load(Relaxed);
        let protocol = match protocol {
            3 => Protocol::Resp3,
            _ => Protocol::Resp2,
        };
        let mut out = Out::with_capacity(protocol, SERVED);
        let env = Env {
            engine: self,
            now_ms: session.now_ms,
            db: waiter.db,
        };
        let how = How {
            rule: &session.rule,
            touches: true,
            attempt: 0,
            in_unit: false,
            by: waiter.id,
            source: waiter.id,
        };
        let mut garbage = Vec::new();
        let applied = self.apply(
            holding.locked,
            &mut plan,
            request,
            &mut out,
            env,
            how,
            &mut garbage,
            |cx| handler(cx, request),
        );
        self.discard(&mut garbage);
        session.tally.changes += applied.changes;
        let mut rest = applied.rest.unwrap_or_default();
        queue.extend(std::mem::take(&mut rest.ready));
        if applied.outcome.is_ok() && rest.block.is_some() {
            return Served::Nothing;
        }
        let mut stream = rest.stream;
        while let Some(producer) = &mut stream {
            if !producer.produce(&mut out) {
                stream = None;
            }
        }
        if let Err(error) = applied.outcome {
            out = Out::new(out.protocol());
            self.stats.error(error.code());
            out.error(error.text());
        }
        *state = State::Answered {
            reply: out,
            sent: 0,
        };
        drop(state);
        // Its task may be told much later: see `answer`.
        waiter.client.active_ms.store(session.now_ms, Relaxed);
        session.wakes.add(&waiter.client);
        Served::Done
    }

    /// Asks whether a blocked connection may go on. When it is over, its reply is in `out`.
    ///
    /// The connection's task asks when it was woken and when the time has come.
    pub fn poll_wait(&self, session: &mut Session, out: &mut Out) -> Waited {
        let Some(waiter) = session.blocked.clone() else {
            return Waited::Over(0);
        };
        let again = {
            let state = waiter.state.lock();
            match &*state {
                State::Again(ready) => Some(ready.clone()),
                // Asked before anything happened, as everybody does once: not worth a look at the clock.
                State::Waiting if !waiter.has_deadline() => return Waited::Until(None),
                _ => None,
            }
        };
        session.now_ms = self.clock.unix_ms();
        if let Some(ready) = again
            && self.serve_again(session, &waiter, &ready) == Err(Refused::Busy)
        {
            return Waited::Soon;
        }
        let mark = out.mark();
        let mut by_others = None;
        let mut state = waiter.state.lock();
        let passed = waiter
            .block
            .deadline_ms
            .is_some_and(|at| at <= session.now_ms);
        match std::mem::replace(&mut *state, State::Over) {
            State::Waiting | State::Again(_) if passed => waiter.block.nothing.write(false, out),
            waits @ (State::Waiting | State::Again(_)) => {
                *state = waits;
                return Waited::Until(waiter.block.deadline_ms);
            }
            State::Answered { reply, sent } => {
                out.append(reply);
                by_others = Some(sent);
            }
            State::Unblocked(Unblock::Timeout) => waiter.block.nothing.write(false, out),
            State::Unblocked(Unblock::Error) => {
                self.stats.error(CommandError::UNBLOCKED.code());
                out.error(CommandError::UNBLOCKED.text());
            }
            State::Over => {}
        }
        drop(state);
        if session.reply_mode != ReplyMode::On {
            super::withhold(session, mark, out);
        }
        if by_others.is_some() && waiter.leaves_nothing() {
            session.waits_no_more();
        } else {
            self.stop_waiting(session);
        }
        Waited::Over(by_others.unwrap_or(0))
    }

    /// Serves the key that a waiter could not be served from elsewhere, with the stripes of all keys that it adds to.
    fn serve_again(
        &self,
        session: &mut Session,
        waiter: &Arc<Waiter>,
        ready: &Ready,
    ) -> Result<(), Refused> {
        let mut plan = Plan::default();
        let request = waiter.request.as_request();
        let _ = plan.fill(waiter.command, request, waiter.db, &self.keyspace);
        let added_to = plan.keys.iter().filter(|k| k.access.has(Access::INSERT));
        let mut ids: Ids = added_to.map(|k| k.id).collect();
        ids.push(ready.id);
        ids.sort_unstable();
        ids.dedup();
        let mut locked = Locked::take(&self.keyspace, &ids).ok_or(Refused::Busy)?;
        {
            let mut state = waiter.state.lock();
            if matches!(*state, State::Again(_)) {
                *state = State::Waiting;
            }
        }
        self.serve(session, &mut locked, &mut ids, vec![ready.clone()]);
        drop(locked);
        // This client may wait on, and its batch is over already.
        session.wakes.wake();
        Ok(())
    }

    /// Ends a wait: the client is registered nowhere afterwards. Also for connections that end.
    ///
    /// If a key was left to it, those behind it are served: it may have been unblocked or told to go before it came
    /// to that, and nobody else would.
    pub(crate) fn stop_waiting(&self, session: &mut Session) {
        let Some(waiter) = session.waits_no_more() else {
            return;
        };
        *waiter.state.lock() = State::Over;
        for (id, arg) in &waiter.places {
            let name = waiter.request.as_request().get(*arg).unwrap_or_default();
            let mut locked = Locked::wait_for(&self.keyspace, *id, &*self.runtime);
            let stripe = locked.stripe_mut(0);
            stripe.lose_interest(|interest| interest.leave(name, waiter.id));
            if waiter.relied_on.load(Relaxed) {
                session.now_ms = self.clock.unix_ms();
                let ready = Ready {
                    id: *id,
                    hash: self.keyspace.hasher().hash(name),
                    name: name.into(),
                };
                self.serve(
                    session,
                    &mut locked,
                    &mut Ids::from_slice(&[*id]),
                    vec![ready],
                );
                drop(locked);
                session.wakes.wake();
            }
        }
    }
}
