//! Stages 7 to 9 for commands that only read.
//!
//! Nearly all of them are of one key in a stripe that is free. They take a way of their own, which plans nothing and keeps
//! nothing; what it does not do is left to the general way.
//!
//! Invariants
//! - As in `run`: no I/O and no waiting between lock and release, and a key whose time has come is not seen.
//! - The short way gives up before it has done anything that could be seen.

use super::Engine;
use super::collections::Producer;
use super::context::{After, Env, Out, ReadCx};
use super::held::Held;
use super::keys::ReadKeys;
use super::plan::PlannedKey;
use super::resolve::Looking;
use super::session::Session;
use crate::keyspace::lock::StripeId;
use crate::keyspace::{Locked, stripe_of};
use crate::spec::{Begin, Command, Flags, Outcome};
use ochre_ds::table::Likely;
use ochre_resp::Request;

impl Engine {
    /// Runs what most reads are: of one key, whose hash is known, in a stripe that is free, with nothing to be remembered
    /// or held, which is there or not. `None` for all else, which is left to [`Self::run_read`]; nothing was done then.
    #[inline(always)] // on the way of nearly every read
    #[allow(clippy::too_many_arguments)] // the parts of a command
    pub(super) fn read_one(
        &self,
        session: &mut Session,
        command: &Command,
        request: &Request<'_>,
        out: &mut Out,
        env: Env<'_>,
        handler: fn(&mut ReadCx<'_>, Request<'_>) -> Outcome,
        held: &mut Held<'_>,
    ) -> Option<Outcome> {
        let hash = session.plan.hash?;
        if !held.is_bare() || session.remembers {
            return None;
        }
        let [spec] = command.keys else { return None };
        let Begin::Index(arg) = spec.begin else {
            return None;
        };
        let name = request.get(arg)?;
        let id = StripeId::new(env.db, stripe_of(hash));
        let mut locked = Locked::try_one(&self.keyspace, id)?;
        held.entries.step();
        let stripe = locked.stripe_mut(0);
        let mut key = PlannedKey::new(arg, hash, id, spec.access);
        key.version = stripe.version;
        let known = held.entries.known(env.db, hash);
        let likely = known.map_or(Likely::UNKNOWN, |known| known.of(hash, key.version));
        if let Some((found, view)) = stripe.look_up(hash, name, likely) {
            if view.expires_at().is_some_and(|at| at <= env.now_ms) {
                return None;
            }
            key.found = Some(found);
            if let Some(rule) = self.rule_for(session, command) {
                stripe.touch(found.handle, rule);
            }
        }
        let keys = ReadKeys {
            engine: self,
            wide: None,
            locked: &locked,
            plan: std::slice::from_ref(&key),
            args: *request,
        };
        let (outcome, left) = read(keys, request, out, env, handler);
        if !command.flags.has(Flags::NO_STATS) && key.was_sought(&outcome) {
            let found = u64::from(key.found.is_some());
            session.tally.hits += found;
            session.tally.misses += 1 - found;
        }
        locked.release();
        Some(match left {
            None => outcome,
            Some(left) => self.go_on(session, out, outcome, left),
        })
    }

    #[inline(never)] // keeps the frame of the usual read small
    #[allow(clippy::too_many_arguments)] // the parts of a command
    pub(super) fn run_read<'e>(
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
        let rule = self.rule_for(session, command).copied();
        held.recall(&mut session.plan, session.db);
        let Some(mut locked) = held.take(&self.keyspace, &mut session.plan, session.db) else {
            return Err(self.refuse(session, held.refusal()));
        };
        let looking = Looking {
            by: session.id,
            in_unit: held.unit.is_some(),
            may_hide: true,
        };
        let mut lapsed = None;
        let found = self.resolve(
            &mut locked,
            &mut session.plan.keys,
            request,
            env.now_ms,
            rule.as_ref(),
            looking,
            &session.plan.known,
            &mut lapsed,
        );
        if let (Some(lapsed), Some(unit)) = (&mut lapsed, &mut held.unit) {
            unit.effects.append(&mut lapsed.effects);
        }
        let keys = ReadKeys {
            engine: self,
            wide: self.wide(&session.plan, env),
            locked: &locked,
            plan: &session.plan.keys,
            args: request,
        };
        let (outcome, left) = read(keys, &request, out, env, handler);
        if !command.flags.has(Flags::NO_STATS) {
            session.tally.read(&session.plan.keys, found, &outcome);
        }
        if session.remembers {
            self.remember(session, &mut locked, request);
        }
        let done = left.as_ref().is_none_or(|left| left.later.is_none());
        held.give(&mut session.plan, locked, done);
        if let Some(mut lapsed) = lapsed {
            self.discard(&mut lapsed.garbage);
        }
        match left {
            None => outcome,
            Some(left) => self.go_on(session, out, outcome, left),
        }
    }

    /// Goes on after the release with what a handler left.
    #[cold]
    fn go_on(&self, session: &mut Session, out: &mut Out, outcome: Outcome, left: Left) -> Outcome {
        if left.stream.is_some() {
            session.stream = left.stream;
        }
        match left.later {
            Some(work) if outcome.is_ok() => self.run_later(session, out, work),
            _ => outcome,
        }
    }
}

/// What a handler left to be done without locks.
struct Left {
    later: Option<After>,
    stream: Option<Box<dyn Producer>>,
}

/// Calls the handler.
#[inline(always)] // on the way of every read
fn read(
    keys: ReadKeys<'_>,
    request: &Request<'_>,
    out: &mut Out,
    env: Env<'_>,
    handler: fn(&mut ReadCx<'_>, Request<'_>) -> Outcome,
) -> (Outcome, Option<Left>) {
    let mut cx = ReadCx {
        keys,
        out,
        env,
        later: None,
        stream: None,
    };
    let outcome = handler(&mut cx, *request);
    if cx.later.is_none() && cx.stream.is_none() {
        // Nothing to move or to drop, which the compiler does not see: nearly all leave nothing.
        std::mem::forget(cx);
        return (outcome, None);
    }
    let left = Left {
        later: cx.later,
        stream: cx.stream,
    };
    (outcome, Some(left))
}
