//! Stages 7 to 9: take the locks, call the handler, journal its effects, release.
//!
//! Invariants
//! - Between lock and release there is no I/O and no waiting.
//! - A key whose time has come is removed, or hidden, before the handler sees it.
//! - An error replaces whatever part of the reply was written; changes made before it stay, and are journalled.
//! - What a command leaves to be freed is dropped after the release.

use super::Engine;
use super::ahead::Ahead;
use super::collections::Outside;
use super::context::{
    After, CutCx, Env, Out, ReadCx, ReadKeys, SessionCx, SweepCx, Wide, WriteCx, WriteKeys,
};
use super::effects::Effects;
use super::held::Held;
use super::plan::PlannedKey;
use super::session::Session;
use super::stats::Counter;
use crate::error::CommandError;
use crate::keyspace::access::AccessRule;
use crate::keyspace::{Cut, Found, Garbage, Locked};
use crate::spec::{Command, Flags, Outcome, Run};
use ochre_ds::prefetch;
use ochre_resp::Request;

/// What a `Write` handler leaves to be done after the release.
enum Left {
    /// Then the request goes on under the locks.
    Outside(Outside),
    /// And nothing else.
    After(After),
}

impl Engine {
    /// Runs a command that passed its gates.
    #[inline]
    pub(crate) fn run<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: Request<'_>,
        out: &mut Out,
        held: &mut Held<'e>,
    ) -> Outcome {
        let env = Env {
            engine: self,
            now_ms: session.now_ms,
            db: session.db,
        };
        match command.run {
            Run::Read(handler) => self.run_read(session, command, request, out, env, handler, held),
            Run::Write(handler) => {
                self.run_write(session, command, request, out, env, handler, held)
            }
            Run::Session(handler) => handler(&mut SessionCx { session, out, env }, request),
            Run::Sweep(handler) => {
                let database = self.keyspace.database(session.db);
                handler(
                    &mut SweepCx {
                        database,
                        session,
                        out,
                        env,
                    },
                    request,
                )
            }
            Run::Cut(handler) => self.run_cut(session, request, out, env, handler),
            Run::Container => Err(super::lookup::wrong_arity(command.name)),
        }
    }

    #[inline]
    #[allow(clippy::too_many_arguments)] // the parts of a command
    fn run_read<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        handler: fn(&mut ReadCx<'_>, Request<'_>) -> Outcome,
        held: &mut Held<'e>,
    ) -> Outcome {
        // Wrong key arguments plan no key; the handler says what is wrong with them.
        let _ = session
            .plan
            .fill(command, request, session.db, &self.keyspace);
        let rule = self.rule_for(session, command);
        let last = session.plan.last.take().filter(|_| held.is_some());
        let mut locked = held.take(&self.keyspace, &session.plan.stripes);
        let mut garbage = Vec::new();
        let found = self.resolve(
            &mut locked,
            &mut session.plan.keys,
            request,
            env.now_ms,
            rule.as_ref(),
            true,
            last,
            &mut garbage,
        );
        if !command.flags.has(Flags::NO_STATS) {
            session.tally.hits += found;
            session.tally.misses += session.plan.keys.len() as u64 - found;
        }
        let keys = ReadKeys {
            wide: self.wide(session, env),
            locked: &locked,
            plan: &session.plan.keys,
            args: request,
        };
        let mut cx = ReadCx {
            keys,
            out,
            env,
            later: None,
            stream: None,
        };
        let outcome = handler(&mut cx, request);
        let (later, stream) = (cx.later.take(), cx.stream.take());
        held.give(&mut session.plan, locked, later.is_none());
        if stream.is_some() {
            session.stream = stream;
        }
        self.discard(garbage);
        match later {
            Some(work) if outcome.is_ok() => self.run_later(session, out, work),
            _ => outcome,
        }
    }

    /// Does what a handler left to be done without locks.
    #[cold]
    fn run_later(&self, session: &mut Session, out: &mut Out, work: After) -> Outcome {
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
    fn wide(&self, session: &Session, env: Env<'_>) -> Option<Wide> {
        session.plan.wide.then(|| Wide {
            hasher: self.keyspace.hasher(),
            now_ms: env.now_ms,
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
            Some(Left::Outside(work)) if outcome.is_ok() => {
                self.run_outside(session, command, request, out, env, handler, work)
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
        work: Outside,
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
                    if commit(cx)? {
                        Ok(())
                    } else {
                        handler(cx, request)
                    }
                },
            );
            match again {
                Some(Left::Outside(again)) if outcome.is_ok() => work = Some(again),
                Some(Left::After(after)) if outcome.is_ok() => {
                    return self.run_later(session, out, after);
                }
                _ => return outcome,
            }
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
        let touch = self.rule_for(session, command);
        let rule = touch.unwrap_or_else(|| self.access_rule(env.now_ms));
        let last = session.plan.last.take().filter(|_| held.is_some());
        let mut locked = held.take(&self.keyspace, &session.plan.stripes);
        let limited = self.memory.is_limited();
        let before = if limited {
            live_bytes(&locked, session.plan.stripes.len())
        } else {
            0
        };
        let mut garbage = Vec::new();
        self.resolve(
            &mut locked,
            &mut session.plan.keys,
            request,
            env.now_ms,
            touch.as_ref(),
            false,
            last,
            &mut garbage,
        );
        let wide = self.wide(session, env);
        let (outcome, after, changes, mut more) = {
            let keys = WriteKeys {
                wide,
                locked: locked.lend(),
                plan: &mut session.plan.keys,
                args: request,
                rule,
                changes: 0,
                garbage: Vec::new(),
            };
            let mut cx = WriteCx {
                keys,
                out,
                env,
                effects: Effects::new(self.journals.is_on(), request),
                attempt,
                outside: None,
                later: None,
                stream: None,
            };
            let outcome = handle(&mut cx);
            if cx.effects.on && cx.keys.changes > 0 {
                cx.effects.append(&self.journals, env.db);
            }
            let after = (cx.outside, cx.later, cx.stream);
            (outcome, after, cx.keys.changes, cx.keys.garbage)
        };
        let (outside, later, stream) = after;
        if limited {
            self.memory
                .changed(before, live_bytes(&locked, session.plan.stripes.len()));
        }
        // Spelt out: combinators copy the usual `None` through memory, and wait for it.
        let left = match (outside, later) {
            (None, None) => None,
            (Some(work), _) => Some(Left::Outside(work)),
            (None, Some(work)) => Some(Left::After(work)),
        };
        held.give(&mut session.plan, locked, left.is_none());
        if stream.is_some() {
            session.stream = stream;
        }
        session.tally.changes += changes;
        garbage.append(&mut more);
        self.discard(garbage);
        (outcome, left)
    }

    fn run_cut(
        &self,
        session: &mut Session,
        request: Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        handler: fn(&mut CutCx<'_>, Request<'_>) -> Outcome,
    ) -> Outcome {
        let cut = Cut::take(&self.keyspace);
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
        if cx.changes > 0 && self.journals.is_on() {
            self.journals.append(env.db, request);
        }
        let CutCx {
            cut,
            session,
            changes,
            garbage,
            background,
            ..
        } = cx;
        drop(cut);
        session.tally.changes += changes;
        if background {
            self.reclaimer.stripes(garbage);
        } else {
            let mut garbage = garbage;
            self.runtime.long(&mut || garbage.clear());
        }
        if self.memory.is_limited() {
            self.poll_memory();
        }
        outcome
    }

    /// The access rule to touch keys with, `None` when accesses are not to be recorded.
    #[inline]
    fn rule_for(&self, session: &Session, command: &Command) -> Option<AccessRule> {
        let touches = command.flags.has(Flags::ALWAYS_TOUCH)
            || !session.no_touch && !command.flags.has(Flags::NO_TOUCH);
        let rule = session.rule;
        (touches && !(rule.modified_only && matches!(command.run, Run::Read(_)))).then_some(rule)
    }

    /// Looks every planned key up, removing those whose time has come. Returns how many exist.
    ///
    /// With `may_hide`, a pause of writes keeps such keys, unseen. A command that writes never finds one
    /// hidden, even if the pause began after it was let in: it would store the key a second time.
    #[inline]
    #[allow(clippy::too_many_arguments)] // the parts of a command, of which a caller lends some
    fn resolve(
        &self,
        locked: &mut Locked<'_>,
        keys: &mut [PlannedKey],
        request: Request<'_>,
        now_ms: i64,
        touch: Option<&AccessRule>,
        may_hide: bool,
        last: Option<(u64, u64, Found)>,
        garbage: &mut Vec<Garbage>,
    ) -> u64 {
        let mut existing = 0;
        if keys.len() > 1 {
            // The waits for the keys' buckets, and then for their entries, overlap.
            for key in keys.iter() {
                prefetch::read(locked.stripe(key.guard).bucket_address(key.hash));
            }
            for key in keys.iter() {
                let (first, second) = locked.stripe(key.guard).entry_addresses(key.hash);
                prefetch::read(first);
                prefetch::read(second);
            }
        }
        for key in keys {
            let Some(name) = request.get(key.arg) else {
                continue;
            };
            let stripe = locked.stripe_mut(key.guard);
            let again =
                last.filter(|(hash, version, _)| (*hash, *version) == (key.hash, stripe.version));
            let mut found = again
                .map(|(_, _, found)| found)
                .filter(|f| stripe.view(f.handle).is_some_and(|v| v.key() == name))
                .or_else(|| stripe.find(key.hash, name));
            if let Some(entry) = found {
                let expired = stripe
                    .view(entry.handle)
                    .and_then(|v| v.expires_at())
                    .is_some_and(|at| at <= now_ms);
                if expired && !(may_hide && self.expiry_is_paused()) {
                    garbage.push(stripe.remove(key.hash, entry));
                    self.expired(key.id.database(), name);
                    found = None;
                } else if expired {
                    found = None;
                } else {
                    existing += 1;
                    if let Some(rule) = touch {
                        stripe.touch(entry.handle, rule);
                    }
                }
            }
            key.found = found;
            key.version = stripe.version;
        }
        existing
    }

    /// Counts and journals a key that was removed because its time had come. The stripe is locked.
    pub(crate) fn expired(&self, db: usize, key: &[u8]) {
        self.stats.add(Counter::ExpiredKeys, 1);
        self.journal_removal(db, key);
    }

    /// Journals the removal of a key. The stripe is locked.
    pub(crate) fn journal_removal(&self, db: usize, key: &[u8]) {
        if self.journals.is_on() {
            let effect = ochre_resp::RequestBuf::new([b"DEL".as_slice(), key]);
            self.journals.append(db, effect.as_request());
        }
    }

    /// Drops what commands removed, large values in the background.
    pub(crate) fn discard(&self, garbage: Vec<Garbage>) {
        garbage
            .into_iter()
            .for_each(|garbage| self.reclaimer.discard(garbage));
    }

    /// Checks arity, gates and runs one request, writing its reply or its error.
    pub(crate) fn dispatch<'e>(
        &'e self,
        session: &mut Session,
        request: Request<'_>,
        ahead: Ahead,
        out: &mut Out,
        held: &mut Held<'e>,
    ) -> Result<(), CommandError> {
        let entry = match ahead.entry {
            Some(entry) => entry,
            None => self.lookup.find(request)?,
        };
        session.plan.hash = ahead.hash;
        session.last_command = entry.index;
        let command = entry.command;
        session.holds = held.is_some();
        super::gates::check(self, session, &entry)
            .inspect_err(|_| session.tally.rejected(&self.stats, entry.index))?;
        let from = session.tick;
        let outcome = if command.flags.has(Flags::LONG) {
            let mut outcome = Ok(());
            self.runtime
                .long(&mut || outcome = self.run(session, command, request, out, held));
            outcome
        } else {
            self.run(session, command, request, out, held)
        };
        self.measure(session, entry, request, from, outcome.is_err());
        outcome
    }
}

fn live_bytes(locked: &Locked<'_>, stripes: usize) -> usize {
    (0..stripes).map(|i| locked.stripe(i).live_bytes()).sum()
}
