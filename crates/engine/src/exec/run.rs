//! Stages 7 to 9: take the locks, call the handler, journal its effects, release.
//!
//! Invariants
//! - Between lock and release there is no I/O and no waiting.
//! - A key whose time has come is removed, or hidden, before the handler sees it.
//! - An error replaces whatever part of the reply was written; changes made before it stay, and are journalled.
//! - What a command leaves to be freed is dropped after the release.

use super::Engine;
use super::attention::Reason;
use super::blocking::Block;
use super::collections::{Outside, Producer};
use super::context::{After, CutCx, Env, Out, SessionCx, SweepCx, WriteCx};
use super::effects::Effects;
use super::held::{Held, Refused};
use super::interest::Ready;
use super::keys::{Wide, WriteKeys};
use super::plan::Plan;
use super::resolve::{self, Looking};
use super::session::Session;
use super::unit::{Ids, UnitCx};
use crate::error::CommandError;
use crate::keyspace::access::AccessRule;
use crate::keyspace::{Cut, Garbage, Locked, Stripes};
use crate::spec::{Command, Flags, Outcome, Run};
use ochre_resp::{Request, RequestBuf};

/// What a `Write` handler leaves to be done after the release.
enum Left {
    /// Then the request goes on under the locks. With the places of its result that had expired, as arguments: whether
    /// they were found so, or removed unseen, is told with the result.
    Outside(Outside, Vec<usize>),
    /// And nothing else.
    After(After),
}

/// How a `Write` handler is run.
#[derive(Clone, Copy)]
pub(crate) struct How<'r> {
    /// The rule to record accesses by.
    pub(crate) rule: &'r AccessRule,
    /// Whether they are to be recorded.
    pub(crate) touches: bool,
    /// How often the request was tried already.
    pub(crate) attempt: u32,
    /// Effects are kept for the end of the unit.
    pub(crate) in_unit: bool,
    /// The client whose request it is.
    pub(crate) by: u64,
    /// As those see it who track prefixes: nobody, if it is a script's.
    pub(crate) source: u64,
}

/// What a `Write` handler did.
pub(crate) struct Applied {
    pub(crate) outcome: Outcome,
    /// Changes made, to be counted.
    pub(crate) changes: u64,
    /// What most commands leave nothing of.
    pub(crate) rest: Option<Box<Rest>>,
}

/// What a `Write` handler may leave to be done, beside its changes and its reply.
#[derive(Default)]
pub(crate) struct Rest {
    /// Work to be done after the release, then committed under the locks.
    pub(crate) outside: Option<Outside>,
    /// See [`Left::Outside`].
    owed: Vec<usize>,
    /// Work to be done after the release.
    pub(crate) later: Option<After>,
    /// The rest of the reply.
    pub(crate) stream: Option<Box<dyn Producer>>,
    /// It found nothing and wants to wait.
    pub(crate) block: Option<Block>,
    /// Changed keys that somebody waits for.
    pub(crate) ready: Vec<Ready>,
    /// What is to be replayed, if it is not in the journal yet.
    effects: Vec<(usize, RequestBuf)>,
}

impl Engine {
    /// Runs a command that passed its gates.
    #[inline]
    pub(crate) fn run<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: &Request<'_>,
        out: &mut Out,
        held: &mut Held<'e>,
    ) -> Outcome {
        if session.restricted {
            self.permit_beyond(session, command, *request)?;
        }
        let env = Env {
            engine: self,
            now_ms: session.now_ms,
            db: session.db,
        };
        match command.run {
            Run::Read(handler) => {
                match self.read_one(session, command, request, out, env, handler, held) {
                    Some(outcome) => outcome,
                    None => self.run_read(session, command, *request, out, env, handler, held),
                }
            }
            Run::Write(handler) => {
                self.run_write(session, command, *request, out, env, handler, held)
            }
            _ => self.run_other(session, command, *request, out, env, held),
        }
    }

    /// Runs a command that declares no keys of its own to lock.
    #[inline(never)] // keeps the frame of reads and writes small
    fn run_other<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'e>,
        held: &mut Held<'e>,
    ) -> Outcome {
        match command.run {
            // Run before it came here.
            Run::Read(_) | Run::Write(_) => Err(CommandError::UNDECLARED_KEY),
            Run::Session(handler) => {
                let joins = held.joins();
                let stripes = if command.flags.has(Flags::KEYSPACE) {
                    match self.stripes(held) {
                        Ok(stripes) => stripes,
                        Err(refused) => return Err(self.refuse(session, refused)),
                    }
                } else {
                    Stripes::free(&self.keyspace, &*self.runtime)
                };
                let mut cx = SessionCx {
                    session,
                    out,
                    env,
                    stripes,
                    joins,
                };
                let outcome = handler(&mut cx, request);
                session.slow_nanos = self.slow_nanos();
                outcome
            }
            Run::Sweep(handler) => {
                let stripes = match self.stripes(held) {
                    Ok(stripes) => stripes,
                    Err(refused) => return Err(self.refuse(session, refused)),
                };
                let mut cx = SweepCx {
                    stripes,
                    session,
                    out,
                    env,
                };
                handler(&mut cx, request)
            }
            Run::Cut(handler) => self.run_cut(session, request, out, env, handler, held),
            Run::Unit(handler) => {
                let nested = held.unit.is_some();
                if !nested {
                    *held = Held::default();
                    session.wakes.wake();
                }
                // Scripts: their requests follow, and are shown by themselves. Once, however often it is tried.
                let shown = std::mem::take(&mut session.shown);
                if self.attention.any(Reason::MONITORED)
                    && command.flags.has(Flags::SKIP_MONITOR)
                    && !shown
                {
                    self.show_now(session, command, request);
                }
                let mut cx = UnitCx {
                    session,
                    out,
                    env,
                    held,
                    nested,
                };
                let outcome = handler(&mut cx, request);
                cx.release();
                session.shown = session.put_off;
                session.in_script = false;
                outcome
            }
            Run::Container => Err(super::lookup::wrong_arity(command.name)),
        }
    }

    /// The stripes as a command over whole databases sees them.
    fn stripes<'h>(&'h self, held: &'h mut Held<'_>) -> Result<Stripes<'h>, Refused> {
        match &mut held.unit {
            // Who visits all stripes would wait in the middle, with no way to say so.
            None if self.scripts.run_long() && !self.keyspace.is_free_soon() => Err(Refused::Busy),
            None => Ok(Stripes::free(&self.keyspace, &*self.runtime)),
            Some(unit) => unit
                .cut_mut()
                .map(|cut| Stripes::of_cut(cut, &*self.runtime)),
        }
    }

    /// What a request returns that did not get its stripes; in a unit, the unit knows more.
    #[cold]
    pub(super) fn refuse(&self, session: &mut Session, refused: Refused) -> CommandError {
        match refused {
            Refused::Busy => self.put_off(session),
            Refused::Undeclared => CommandError::UNDECLARED_KEY,
        }
    }

    /// Does what a handler left to be done without locks.
    #[cold]
    pub(super) fn run_later(&self, session: &mut Session, out: &mut Out, work: After) -> Outcome {
        let (mut result, mut work) = (Ok(()), Some(work));
        self.runtime.long(&mut || match work.take() {
            Some(After::Reply(work)) => result = work(out),
            Some(After::Stream(work)) => {
                result = work().map(|producer| session.stream = Some(producer));
            }
            None => {}
        });
        result
    }

    /// What looking up undeclared keys takes, if the plan covers them.
    #[inline]
    pub(super) fn wide(&self, plan: &Plan, env: Env<'_>) -> Option<Wide> {
        plan.wide.then(|| Wide {
            hasher: self.keyspace.hasher(),
            now_ms: env.now_ms,
            db: env.db,
            base: plan.base,
        })
    }

    #[inline]
    #[allow(clippy::too_many_arguments)] // the parts of a command
    fn run_write<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        handler: fn(&mut WriteCx<'_>, Request<'_>) -> Outcome,
        held: &mut Held<'e>,
    ) -> Outcome {
        let (outcome, left) = self.write_once(session, command, request, out, env, held, 0, |cx| {
            handler(cx, request)
        });
        match left {
            Some(Left::Outside(work, owed)) if outcome.is_ok() => {
                let left = (work, owed);
                self.run_outside(session, command, request, out, env, handler, left)
            }
            Some(Left::After(work)) if outcome.is_ok() => self.run_later(session, out, work),
            _ => outcome,
        }
    }

    /// Computes outside the locks and commits under them, until a commit meets unchanged inputs.
    #[cold]
    #[allow(clippy::too_many_arguments)] // the parts of a command, as `run_write` has them
    fn run_outside(
        &self,
        session: &mut Session,
        command: &'static Command,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        handler: fn(&mut WriteCx<'_>, Request<'_>) -> Outcome,
        (work, mut owed): (Outside, Vec<usize>),
    ) -> Outcome {
        let mut work = Some(work);
        for attempt in 1.. {
            let mut commit = None;
            self.runtime
                .long(&mut || commit = work.take().map(|work| work()));
            let Some(commit) = commit else { break };
            let (outcome, again) = self.write_once(
                session,
                command,
                request,
                out,
                env,
                &mut Held::default(),
                attempt,
                |cx| {
                    cx.keys.misses_told();
                    cx.keys.owe(std::mem::take(&mut owed));
                    let outcome = match commit(cx) {
                        Ok(false) => handler(cx, request),
                        done => done.map(drop),
                    };
                    owed = resolve::owed(cx.keys.plan);
                    outcome
                },
            );
            match again {
                Some(Left::Outside(again, more)) if outcome.is_ok() => {
                    work = Some(again);
                    owed.extend(more);
                    continue;
                }
                Some(Left::After(after)) if outcome.is_ok() => {
                    return self.run_later(session, out, after);
                }
                _ => {}
            }
            for name in owed.iter().filter_map(|at| request.get(*at)) {
                self.found_expired(env.db, name);
            }
            return outcome;
        }
        Ok(())
    }

    /// Takes the locks, lets `handle` change the keys, journals its effects and releases.
    #[inline]
    #[allow(clippy::too_many_arguments)] // the parts of a command, as `run_write` has them
    fn write_once<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        held: &mut Held<'e>,
        attempt: u32,
        handle: impl FnOnce(&mut WriteCx<'_>) -> Outcome,
    ) -> (Outcome, Option<Left>) {
        // Wrong key arguments plan no key; the handler says what is wrong with them.
        let _ = session
            .plan
            .fill(command, request, session.db, &self.keyspace);
        let touches = self.rule_for(session, command).is_some();
        held.recall(&mut session.plan, session.db);
        let Some(mut locked) = held.take(&self.keyspace, &mut session.plan, session.db) else {
            return (Err(self.refuse(session, held.refusal())), None);
        };
        // A unit counts its memory at its end.
        let limited = self.memory.is_limited() && !session.in_unit;
        let before = if limited {
            live_bytes(&locked, session.plan.stripes.len())
        } else {
            0
        };
        let mut garbage = Vec::new();
        let applied = self.apply(
            &mut locked,
            &mut session.plan,
            request,
            out,
            env,
            How {
                rule: &session.rule,
                touches,
                attempt: if session.in_unit { u32::MAX } else { attempt },
                in_unit: session.in_unit,
                by: session.id,
                // compat: whose script it is does not count there, while it does for who remembers the key.
                source: if session.in_script { 0 } else { session.id },
            },
            &mut garbage,
            handle,
        );
        if limited {
            self.memory
                .changed(before, live_bytes(&locked, session.plan.stripes.len()));
        }
        session.tally.changes += applied.changes;
        if command.keys.len() > 1 && attempt == 0 {
            session.tally.sought(&session.plan.keys, &applied.outcome);
        }
        if let Some(unit) = &mut held.unit {
            unit.wrote |= applied.changes > 0;
        }
        let left = match applied.rest {
            None => None,
            Some(mut rest) => {
                // Who failed neither waits nor goes on; what changed before it did has its effects.
                rest.block = rest.block.filter(|_| applied.outcome.is_ok());
                self.settle(session, command, request, out, held, &mut locked, *rest)
            }
        };
        held.give(&mut session.plan, locked, left.is_none());
        self.discard(&mut garbage);
        (applied.outcome, left)
    }

    /// Sees to what a handler left, while its stripes are locked. Returns what is to be done after the release.
    #[cold]
    #[allow(clippy::too_many_arguments)] // the parts of a command
    fn settle<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: Request<'_>,
        out: &mut Out,
        held: &mut Held<'e>,
        locked: &mut Locked<'e>,
        mut rest: Rest,
    ) -> Option<Left> {
        if let Some(block) = rest.block {
            if session.in_unit {
                block.nothing.write(true, out);
            } else {
                self.wait(session, command, request, locked, block);
            }
        }
        if rest.stream.is_some() {
            session.stream = rest.stream;
        }
        if let Some(unit) = &mut held.unit {
            unit.effects.append(&mut rest.effects);
            // Once each, so that there are never more than keys that somebody waits for.
            for ready in rest.ready {
                if !unit.ready.contains(&ready) {
                    unit.ready.push(ready);
                }
            }
        } else if !rest.ready.is_empty() {
            let mut ids = Ids::from_slice(&session.plan.stripes);
            self.serve(session, locked, &mut ids, rest.ready);
        }
        let owed = rest.owed;
        let outside = rest.outside.map(|work| Left::Outside(work, owed));
        outside.or(rest.later.map(Left::After))
    }

    /// Runs a handler on locked stripes, which the plan's keys are counted in: removes expired keys before, journals
    /// and tells who is interested after. `handle` is the handler; `garbage` is to be dropped after the release.
    #[inline(always)] // so that what it returns is never put together where nothing of it is used
    #[allow(clippy::too_many_arguments)] // the parts of a command
    pub(crate) fn apply(
        &self,
        locked: &mut Locked<'_>,
        plan: &mut Plan,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        how: How<'_>,
        garbage: &mut Vec<Garbage>,
        handle: impl FnOnce(&mut WriteCx<'_>) -> Outcome,
    ) -> Applied {
        let looking = Looking {
            by: how.by,
            in_unit: how.in_unit,
            may_hide: false,
        };
        let mut lapsed = None;
        self.resolve(
            locked,
            &mut plan.keys,
            request,
            env.now_ms,
            how.touches.then_some(how.rule),
            looking,
            &plan.known,
            &mut lapsed,
        );
        let wide = self.wide(plan, env);
        let keys = WriteKeys {
            engine: self,
            wide,
            locked: locked.lend(),
            plan: &mut plan.keys,
            args: request,
            rule: how.rule,
            changes: 0,
            garbage,
        };
        let mut cx = WriteCx {
            keys,
            out,
            env,
            effects: Effects::new(self.journals.is_on()),
            attempt: how.attempt,
            rest: None,
        };
        let outcome = handle(&mut cx);
        let (changes, mut rest) = (cx.keys.changes, cx.rest);
        if let Some(mut lapsed) = lapsed {
            cx.keys.garbage.append(&mut lapsed.garbage);
            match &mut rest {
                Some(rest) if rest.outside.is_some() => rest.owed = resolve::owed(cx.keys.plan),
                _ => self.tell_lapsed(cx.keys.plan, request),
            }
            if !lapsed.effects.is_empty() {
                rest.get_or_insert_default().effects = lapsed.effects;
            }
        }
        if cx.effects.on && changes > 0 {
            if how.in_unit {
                let kept = &mut rest.get_or_insert_default().effects;
                cx.effects.keep(env.db, request, kept);
            } else {
                cx.effects.append(&self.journals, env.db, request);
            }
        }
        for key in plan.keys.iter().filter(|key| key.changed) {
            let stripe = locked.stripe_mut(key.guard);
            // One branch for both.
            if stripe.interest.is_some() | self.attention.any(Reason::BROADCAST)
                && let Some(name) = request.get(key.arg)
            {
                self.key_changed(stripe, key, name, how, &mut rest);
            }
        }
        Applied {
            outcome,
            changes,
            rest,
        }
    }

    fn run_cut<'e>(
        &'e self,
        session: &mut Session,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        handler: fn(&mut CutCx<'_, 'e>, Request<'_>) -> Outcome,
        held: &mut Held<'e>,
    ) -> Outcome {
        let taken = match &mut held.unit {
            None => Cut::take(&self.keyspace).ok_or(Refused::Busy),
            Some(unit) => unit.take_cut(),
        };
        let cut = match taken {
            Ok(cut) => cut,
            Err(refused) => return Err(self.refuse(session, refused)),
        };
        let mut cx = CutCx {
            cut,
            session,
            out,
            env,
            changes: 0,
            garbage: Vec::new(),
            background: true,
        };
        let outcome = handler(&mut cx, request);
        let CutCx {
            mut cut,
            session,
            changes,
            mut garbage,
            background,
            ..
        } = cx;
        let ready = if changes > 0 {
            self.ready_in(&mut cut)
        } else {
            Vec::new()
        };
        let mut locked = Locked::everything(cut);
        if let Some(unit) = &mut held.unit {
            if changes > 0 && self.journals.is_on() {
                unit.effects.push((env.db, request.to_buf()));
            }
            unit.wrote |= changes > 0;
            unit.ready.extend(ready);
            unit.take_back(locked);
        } else {
            if changes > 0 && self.journals.is_on() {
                self.journals.append(env.db, request);
            }
            if !ready.is_empty() {
                self.serve(session, &mut locked, &mut Ids::new(), ready);
            }
            drop(locked);
        }
        session.tally.changes += changes;
        if background {
            self.reclaimer.stripes(garbage);
        } else {
            self.runtime.long(&mut || garbage.clear());
        }
        if self.memory.is_limited() && !session.in_unit {
            self.poll_memory(&Stripes::free(&self.keyspace, &*self.runtime));
        }
        outcome
    }

    /// The access rule to touch keys with, `None` when accesses are not to be recorded.
    #[inline]
    pub(super) fn rule_for<'s>(
        &self,
        session: &'s Session,
        command: &Command,
    ) -> Option<&'s AccessRule> {
        let touches = command.flags.has(Flags::ALWAYS_TOUCH)
            || !session.no_touch && !command.flags.has(Flags::NO_TOUCH);
        let rule = &session.rule;
        (touches && !(rule.modified_only && matches!(command.run, Run::Read(_)))).then_some(rule)
    }

    /// Drops what commands removed, large values in the background.
    #[inline]
    pub(crate) fn discard(&self, garbage: &mut Vec<Garbage>) {
        if !garbage.is_empty() {
            self.discard_some(garbage);
        }
    }

    #[inline(never)] // off the way of commands that remove nothing
    fn discard_some(&self, garbage: &mut Vec<Garbage>) {
        garbage
            .drain(..)
            .for_each(|garbage| self.reclaimer.discard(garbage));
    }
}

fn live_bytes(locked: &Locked<'_>, stripes: usize) -> usize {
    (0..stripes).map(|i| locked.stripe(i).live_bytes()).sum()
}
