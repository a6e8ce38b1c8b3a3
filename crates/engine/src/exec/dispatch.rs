//! The stages of a request one after the other: lookup, gates, queue or run, statistics.
//!
//! It decides nothing by itself: what a command needs stands in its declaration.

use super::Engine;
use super::ahead::Ahead;
use super::context::Out;
use super::held::Held;
use super::lookup::Entry;
use super::session::Session;
use crate::error::CommandError;
use crate::spec::{Command, Flags, Outcome};
use ochre_resp::Request;

impl Engine {
    /// Checks arity, gates and runs one request, writing its reply or its error.
    #[inline]
    pub(crate) fn dispatch<'e>(
        &'e self,
        session: &mut Session,
        request: &Request<'_>,
        ahead: &Ahead,
        out: &mut Out,
        held: &mut Held<'e>,
    ) -> Result<(), CommandError> {
        let found;
        let entry = match &ahead.entry {
            Some(entry) => entry,
            None => {
                found = self.find_at_last(session, *request)?;
                &found
            }
        };
        session.plan.hash = ahead.hash();
        session.last_command = entry.index;
        let command = entry.command;
        session.holds = held.is_some();
        if let Err(error) = super::gates::check(self, session, entry, request) {
            session.tally.rejected(&self.stats, entry.index);
            return Err(self.turned_away(session, Some(*entry), error));
        }
        if session.transaction.is_some() && !command.flags.has(Flags::UNQUEUED) {
            return self.queue(session, *entry, ahead.hash(), *request, out);
        }
        let from = session.tick;
        let outcome = if command.flags.has(Flags::LONG) {
            self.run_long(session, command, request, out, held)
        } else {
            self.run(session, command, request, out, held)
        };
        // What is to be tried again did not run.
        if !session.put_off {
            let failed = outcome.is_err() || session.take_failed();
            self.measure(session, entry, request, from, failed);
        }
        outcome
    }

    /// Looks a request up that was not found ahead, to say what is wrong with it.
    #[cold]
    fn find_at_last(
        &self,
        session: &mut Session,
        request: Request<'_>,
    ) -> Result<Entry, CommandError> {
        self.lookup.find(request).map_err(|error| {
            // Whoever is named has the wrong number of arguments.
            let named = self.lookup.named(request).ok();
            if let Some(entry) = &named {
                session.tally.rejected(&self.stats, entry.index);
            }
            self.turned_away(session, named, error)
        })
    }

    /// As [`Self::run`], for a command that may take long.
    #[inline(never)] // off the way of short ones
    fn run_long<'e>(
        &'e self,
        session: &mut Session,
        command: &'static Command,
        request: &Request<'_>,
        out: &mut Out,
        held: &mut Held<'e>,
    ) -> Outcome {
        session.wakes.wake();
        let mut outcome = Ok(());
        self.runtime
            .long(&mut || outcome = self.run(session, command, request, out, held));
        outcome
    }
}
