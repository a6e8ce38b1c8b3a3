//! A unit: several requests that run as one, with their stripes held from the first to the last.
//!
//! Transactions and scripts are units. What a unit changes is journalled as a whole, and who waits for
//! its keys is served when it is complete, both before its stripes are released: nobody sees its middle.
//!
//! Invariants
//! - The stripes are taken at once, before the first request runs, and let go together. A stripe may be
//!   added meanwhile ([`UnitCx::reach`]); that never waits for longer than [`PATIENCE`] at a time, so two
//!   units that want each other's stripes end with an error, not with a deadlock.
//! - A request of a unit reaches only keys in the stripes held. One that names another key does not
//!   run; the unit remembers that ([`UnitCx::missed`]), so that it can be run again with every stripe.
//! - Requests over whole databases run only in a unit that holds everything.
//! - No request of a unit waits: blocking commands answer as if their time had passed.
//!
//! [`PATIENCE`]: crate::keyspace::lock::PATIENCE

use super::Engine;
use super::attention::Reason;
use super::context::{Env, Out};
use super::held::{Held, Refused};
use super::interest::Ready;
use super::lookup::Entry;
use super::plan::Plan;
use super::session::Session;
use super::transaction::{Queued, Transaction};
use crate::acl::Context;
use crate::error::CommandError;
use crate::keyspace::lock::StripeId;
use crate::keyspace::{Cut, Keyspace, Locked, STRIPES, stripe_of};
use crate::spec::{Flags, Outcome, Run};
use ochre_resp::{Request, RequestBuf};
use smallvec::SmallVec;

/// The stripes of a unit; those of most scripts and small transactions need no memory of their own.
pub type Ids = SmallVec<[StripeId; 16]>;

/// Where the stripes of requests stand among those of a unit, [`usize::MAX`] where that is not known.
pub(crate) type Places = SmallVec<[usize; 16]>;

/// The stripes of a unit and what its requests leave to be done at its end.
pub(crate) struct Unit<'e> {
    /// The stripes held, in the order of `locked`; without meaning when everything is held.
    ids: Ids,
    /// `None` while a request has them.
    locked: Option<Locked<'e>>,
    everything: bool,
    /// Effects of its requests so far, by database.
    pub(crate) effects: Vec<(usize, RequestBuf)>,
    /// Keys that changed and that somebody waits for.
    pub(crate) ready: Vec<Ready>,
    /// A request named a key whose stripe is not held, or the whole keyspace.
    missed: Option<Missed>,
    /// A request changed something.
    pub(crate) wrote: bool,
    /// Bytes that lived in the stripes when they were taken; `None` where nobody counts them.
    live_before: Option<usize>,
}

/// What a unit lacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// The stripe of a key.
    Stripe(StripeId),
    /// Every stripe.
    Everything,
}

impl<'e> Unit<'e> {
    fn new(ids: Ids, locked: Locked<'e>, everything: bool) -> Unit<'e> {
        Unit {
            ids,
            locked: Some(locked),
            everything,
            effects: Vec::new(),
            ready: Vec::new(),
            missed: None,
            wrote: false,
            live_before: None,
        }
    }

    fn index(&mut self, id: StripeId) -> Option<usize> {
        self.locked.as_mut()?.index_of(&self.ids, id)
    }

    /// Lends the stripes to a request, whose plan is changed to count them as this unit does. `None` when it needs one that
    /// the unit does not hold.
    #[inline]
    pub(crate) fn lend(&mut self, plan: &mut Plan, db: usize) -> Option<Locked<'e>> {
        if let ([key], false) = (&mut plan.keys[..], plan.wide)
            && self.ids.get(plan.place) == Some(&key.id)
        {
            key.guard = plan.place;
            return self.locked.take();
        }
        self.lend_any(plan, db)
    }

    #[inline(never)] // off the way of requests with one key
    fn lend_any(&mut self, plan: &mut Plan, db: usize) -> Option<Locked<'e>> {
        for i in 0..plan.keys.len() {
            let id = plan.keys[i].id;
            let Some(index) = self.index(id) else {
                self.missed = Some(Missed::Stripe(id));
                return None;
            };
            plan.keys[i].guard = index;
        }
        if plan.wide {
            let base = self.index(StripeId::new(db, 0));
            // The stripes that were taken together stand in their order, so those of one database in a row.
            let last = Some(StripeId::new(db, STRIPES - 1));
            let whole =
                |base: &usize| self.everything || self.ids.get(base + STRIPES - 1).copied() == last;
            let Some(base) = base.filter(whole) else {
                self.missed = Some(Missed::Everything);
                return None;
            };
            plan.base = base;
        }
        self.locked.take()
    }

    /// Takes the stripes back from a request.
    pub(crate) fn take_back(&mut self, locked: Locked<'e>) {
        self.locked = Some(locked);
    }

    /// The cut, for a request over whole databases.
    pub(crate) fn cut_mut(&mut self) -> Result<&mut Cut<'e>, Refused> {
        match self.locked.as_mut().and_then(Locked::cut_mut) {
            Some(cut) => Ok(cut),
            None => {
                self.missed = Some(Missed::Everything);
                Err(Refused::Undeclared)
            }
        }
    }

    /// Gives the cut away, for a request that changes whole databases; [`Self::take_back`] follows.
    pub(crate) fn take_cut(&mut self) -> Result<Cut<'e>, Refused> {
        self.cut_mut()?;
        match self.locked.take().map(Locked::into_cut) {
            Some(Ok(cut)) => Ok(cut),
            _ => Err(Refused::Undeclared),
        }
    }

    /// See [`UnitCx::reach`].
    fn reach(&mut self, keyspace: &'e Keyspace, missed: Missed) -> bool {
        let own = self.live_before.map(|_| self.live_bytes());
        let Some(locked) = &mut self.locked else {
            return false;
        };
        match missed {
            Missed::Stripe(id) if locked.reach(keyspace, id) => self.ids.push(id),
            Missed::Everything if locked.reach_everything(keyspace, &self.ids) => {
                self.ids.clear();
                self.everything = true;
            }
            _ => return false,
        }
        let added = own.map(|own| self.live_bytes().saturating_sub(own));
        self.live_before = self.live_before.zip(added).map(|(old, new)| old + new);
        true
    }

    fn stripes(&self) -> usize {
        if self.everything {
            self.locked
                .as_ref()
                .map_or(0, |l| l.cut().map_or(0, |c| c.used().count() * STRIPES))
        } else {
            self.ids.len()
        }
    }

    fn live_bytes(&self) -> usize {
        let locked = self.locked.as_ref();
        locked.map_or(0, |l| {
            (0..self.stripes()).map(|i| l.stripe(i).live_bytes()).sum()
        })
    }
}

/// What a handler of [`Run::Unit`] gets: the right to hold stripes, and to run requests while it does.
pub struct UnitCx<'a, 'e> {
    /// The connection's state.
    pub session: &'a mut Session,
    /// The reply.
    pub out: &'a mut Out,
    /// Time, database, settings.
    pub env: Env<'e>,
    pub(crate) held: &'a mut Held<'e>,
    /// The unit is part of another one (a script in a transaction), which holds the stripes and goes on after it.
    pub(crate) nested: bool,
}

impl<'e> UnitCx<'_, 'e> {
    /// Takes the stripes of `ids`, in any order. Nothing may be held yet, but by a unit around this one: then
    /// that one's stripes serve.
    ///
    /// # Errors
    /// When one of them stayed locked for longer than a request waits: the handler returns at once, having done
    /// nothing, and the request is tried again later.
    pub fn hold(&mut self, mut ids: Ids) -> Outcome {
        if self.nested {
            return Ok(());
        }
        ids.sort_unstable();
        ids.dedup();
        let Some(locked) = Locked::take(&self.env.engine.keyspace, &ids) else {
            return Err(self.env.engine.put_off(self.session));
        };
        self.begin(Unit::new(ids, locked, false));
        Ok(())
    }

    /// Takes every stripe of every database in use, as [`Self::hold`] does for some.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn hold_everything(&mut self) -> Outcome {
        if self.nested {
            return Ok(());
        }
        let Some(cut) = Cut::take(&self.env.engine.keyspace) else {
            return Err(self.env.engine.put_off(self.session));
        };
        self.begin(Unit::new(Ids::new(), Locked::everything(cut), true));
        Ok(())
    }

    fn begin(&mut self, mut unit: Unit<'e>) {
        if self.env.engine.memory.is_limited() {
            unit.live_before = Some(unit.live_bytes());
        }
        self.session.in_unit = true;
        self.held.unit = Some(Box::new(unit));
    }

    /// What follows, until the handler returns, is the work of a script.
    pub fn begin_script(&mut self) {
        self.session.in_script = true;
    }

    /// Whether every stripe is held.
    pub fn holds_everything(&self) -> bool {
        self.held.unit.as_ref().is_some_and(|u| u.everything)
    }

    /// Whether a request of this unit changed something.
    pub fn wrote(&self) -> bool {
        self.held.unit.as_ref().is_some_and(|u| u.wrote)
    }

    /// What the last request that did not run lacked; asking forgets it.
    pub fn missed(&mut self) -> Option<Missed> {
        self.held.unit.as_mut().and_then(|u| u.missed.take())
    }

    /// Adds what a request lacked, waiting for a bounded time. Whether it is held now.
    pub fn reach(&mut self, missed: Missed) -> bool {
        let keyspace = &self.env.engine.keyspace;
        self.held
            .unit
            .as_mut()
            .is_some_and(|unit| unit.reach(keyspace, missed))
    }

    /// Runs one request with the stripes held. Its whole reply is in `out` afterwards, or it is the error that is returned.
    ///
    /// The request's gates are the caller's: it decides what a transaction or a script may run.
    ///
    /// # Errors
    /// The command's own; [`CommandError::UNDECLARED_KEY`] when it lacked a stripe, which [`Self::missed`] tells.
    pub fn call(&mut self, entry: Entry, request: Request<'_>, out: &mut Out) -> Outcome {
        self.call_hashed(entry, None, request, out)
    }

    /// As [`Self::call`]; `hash` is that of the only key, if it is known.
    fn call_hashed(
        &mut self,
        entry: Entry,
        hash: Option<u64>,
        request: Request<'_>,
        out: &mut Out,
    ) -> Outcome {
        let engine = self.env.engine;
        let mark = out.mark();
        self.session.plan.hash = hash;
        let from = self.session.tick;
        let outcome = engine.run(self.session, entry.command, &request, out, self.held);
        let lacked = self.held.unit.as_ref().is_some_and(|u| u.missed.is_some());
        if lacked {
            self.session.stream = None;
            out.truncate(mark);
            return outcome;
        }
        // A reply that is sent piece by piece elsewhere is a part of a larger one here.
        while let Some(mut producer) = self.session.stream.take() {
            if producer.produce(out) {
                self.session.stream = Some(producer);
            }
        }
        if outcome.is_err() {
            self.session.stream = None;
            out.truncate(mark);
        }
        if engine.attention.any(Reason::MONITORED) {
            engine.show(self.session, entry.command, request);
        }
        let failed = outcome.is_err() || self.session.take_failed();
        engine.measure_one(self.session, &entry, &request, from, failed);
        outcome
    }

    /// Runs a request of a transaction, as [`Self::call`]. A stripe that was not foreseen is added. The only key's stripe is
    /// expected at `place`, of [`Self::prefetch`].
    ///
    /// # Errors
    /// The command's own; [`CommandError::UNIT_CONFLICT`] when a stripe could not be added.
    pub(crate) fn checked_call(
        &mut self,
        queued: &Queued,
        place: usize,
        request: Request<'_>,
        out: &mut Out,
    ) -> Outcome {
        let entry = queued.entry;
        // The user's rules may have changed since the request was queued.
        if self.session.restricted
            && let Err(denied) = self.session.rules.check(&entry, request)
        {
            let engine = self.env.engine;
            engine.refused(self.session, denied, Context::Multi, &entry, request);
            return Err(denied.since_queued());
        }
        self.session.plan.place = place;
        loop {
            let outcome = self.call_hashed(entry, queued.hash, request, out);
            match self.missed() {
                None => return outcome,
                Some(missed) if self.reach(missed) => {}
                Some(_) => return Err(CommandError::UNIT_CONFLICT),
            }
        }
    }

    /// Asks for the memory of the keys of small requests that follow, so that the waits for it overlap. Returns where
    /// their stripes stand among those held, as far as that was found out.
    pub(crate) fn prefetch(&mut self, transaction: &Transaction) -> Places {
        /// More lines than this would push each other out.
        const MOST: usize = 64;
        let mut places = Places::new();
        let db = self.env.db;
        let Some(unit) = &mut self.held.unit else {
            return places;
        };
        let ids = &unit.ids;
        let Some(locked) = &mut unit.locked else {
            return places;
        };
        for queued in transaction.queue.tags().take(MOST) {
            let place = queued.hash.and_then(|hash| {
                let place = locked.index_of(ids, StripeId::new(db, stripe_of(hash)))?;
                locked.stripe(place).bucket_hint(hash).first();
                Some(place)
            });
            places.push(place.unwrap_or(usize::MAX));
        }
        for (queued, place) in transaction.queue.tags().zip(&places) {
            if let Some(hash) = queued.hash
                && *place != usize::MAX
            {
                locked.stripe(*place).entry_hint(hash).all();
            }
        }
        places
    }

    /// Whether the user may make a request.
    pub fn may(&self, entry: &Entry, request: Request<'_>) -> bool {
        !self.session.restricted || self.session.rules.check(entry, request).is_ok()
    }

    /// Checks a request of a script as the gates check those of connections; what is refused is counted and logged.
    ///
    /// # Errors
    /// What the script is told when the user may not make it.
    pub fn permit_in_script(&self, entry: &Entry, request: Request<'_>) -> Outcome {
        if !self.session.restricted {
            return Ok(());
        }
        self.session.rules.check(entry, request).map_err(|denied| {
            let engine = self.env.engine;
            engine.refused(self.session, denied, Context::Lua, entry, request);
            CommandError::acl_in_script(&denied.reason(&self.session.user, entry))
        })
    }

    /// The stripe that `key` lies in, in the session's database.
    pub fn stripe_of(&self, key: &[u8]) -> StripeId {
        let hash = self.env.engine.keyspace.hasher().hash(key);
        StripeId::new(self.session.db, crate::keyspace::stripe_of(hash))
    }

    /// The stripes of the keys of the last request.
    pub fn last_stripes(&self) -> &[StripeId] {
        &self.session.plan.stripes
    }

    /// Whether a unit around this one holds the stripes.
    pub fn nested(&self) -> bool {
        self.nested
    }

    /// How many effects the unit has gathered.
    pub fn effects(&self) -> usize {
        self.held.unit.as_ref().map_or(0, |unit| unit.effects.len())
    }

    /// Drops all but the first `kept` effects: they will be in no journal.
    pub fn forget_effects(&mut self, kept: usize) {
        if let Some(unit) = &mut self.held.unit {
            unit.effects.truncate(kept);
        }
    }

    /// Selects a database for the requests that follow; it exists.
    pub fn select(&mut self, db: usize) {
        self.session.select(db);
    }

    /// Writes an error as one of the replies of the unit, and counts it.
    pub fn fail(&mut self, error: &CommandError, out: &mut Out) {
        self.env.engine.fail(self.session, error, out);
    }

    /// Has what runs count as failed: its answer is an error, or has one in it. That is counted, too, if it is told.
    pub fn failed(&mut self, error: Option<&CommandError>) {
        self.session.failed = true;
        if let Some(error) = error {
            self.env.engine.count_error(self.session, error);
        }
    }

    /// Counts that a request of the unit was refused before it ran.
    pub fn rejected(&mut self, entry: &Entry) {
        let stats = &self.env.engine.stats;
        self.session.tally.rejected(stats, entry.index);
    }

    /// Ends the unit: journals it, serves who waited for its keys, and releases its stripes. A unit around it
    /// does that for both.
    pub fn release(&mut self) {
        if self.nested {
            return;
        }
        let engine = self.env.engine;
        let Some(mut unit) = self.held.unit.take() else {
            return;
        };
        self.session.in_unit = false;
        if engine.journals.is_on() && !unit.effects.is_empty() {
            engine.journals.append_all(&unit.effects);
        }
        if let Some(before) = unit.live_before {
            let cut = unit.locked.as_ref().and_then(Locked::cut);
            let late = cut.map_or(0, Cut::late_bytes);
            engine.memory.changed(before + late, unit.live_bytes());
        }
        let Some(mut locked) = unit.locked.take() else {
            return;
        };
        if !unit.ready.is_empty() {
            let mut ids = std::mem::take(&mut unit.ids);
            engine.serve(self.session, &mut locked, &mut ids, unit.ready);
        }
        drop(locked);
    }

    /// Whether a request of `entry` needs everything to be held.
    pub fn needs_everything(entry: &Entry) -> bool {
        matches!(
            entry.command.run,
            Run::Sweep(_) | Run::Cut(_) | Run::Unit(_)
        ) || entry.command.flags.has(Flags::KEYSPACE)
    }
}

impl Engine {
    /// Marks the session's present request as one to be tried again. The error that the handler returns is not sent.
    #[cold]
    pub(crate) fn put_off(&self, session: &mut Session) -> CommandError {
        if let Some(error) = self.scripts.busy() {
            return error;
        }
        session.put_off = true;
        CommandError::UNDECLARED_KEY
    }
}
