//! Requests of fronts inside the process, which are no connections: their sessions, and commands that only they run.
//!
//! Invariants
//! - Such a session is in no list of clients and counts against no limit; MONITOR and SLOWLOG show its name.
//! - Its requests pass the gates, locks and effects that those of connections pass.
//! - Whom it acts for is looked at at every batch: a user that is gone, or a default user that got a password,
//!   shuts it out.

use super::Engine;
use super::ahead::Ahead;
use super::session::{Clients, Endpoint, Session};
use crate::spec::Command;
use ochre_resp::Request;

/// Sessions of one front.
pub struct Inside {
    clients: Clients,
    name: String,
    user: Vec<u8>,
}

impl Inside {
    /// A front that is shown as `name` and acts for `user`. The default user is acted for only while it needs no
    /// password; a user that is named is the operator's decision, and its password is not asked for.
    #[must_use]
    pub fn new(name: &str, user: Option<&[u8]>) -> Inside {
        Inside {
            clients: Clients::inside(),
            name: name.to_owned(),
            user: user.unwrap_or_default().to_vec(),
        }
    }

    /// A session. It needs no [`Engine::disconnect`] when it is dropped between batches.
    #[must_use]
    pub fn session(&self, engine: &Engine) -> Session {
        let endpoint = Endpoint {
            addr: self.name.clone(),
            laddr: self.name.clone(),
            fd: -1,
            unix: false,
        };
        let now_ms = engine.clock.unix_ms();
        let user = engine.acl.default_user().clone();
        let client = self.clients.record(endpoint, now_ms, user);
        Session::new(client, false)
    }

    /// Begins a batch of `session`, which came from here. False when there is nobody to act for: nothing is to be
    /// executed then.
    #[inline]
    #[must_use]
    pub fn begin(&self, engine: &Engine, session: &mut Session) -> bool {
        if session.acl_version != engine.acl.version() && !self.identify(engine, session) {
            return false;
        }
        engine.begin_batch(session);
        true
    }

    #[cold]
    fn identify(&self, engine: &Engine, session: &mut Session) -> bool {
        if self.user.is_empty() {
            session.become_default(engine);
            return true;
        }
        // Without one, the session's version stays behind, so that the next batch looks again.
        let Some(user) = engine.acl.user(&self.user) else {
            session.acl_version = u64::MAX;
            return false;
        };
        session.become_user(engine, user, true);
        true
    }
}

impl Engine {
    /// As [`Engine::look_ahead`], for a command that the front chose itself: a variant of a listed command of the same
    /// name, as which it is permitted and counted. Does not run when no such command is listed.
    #[inline]
    #[must_use]
    pub fn look_ahead_to(&self, command: &'static Command, request: Request<'_>) -> Ahead {
        let mut ahead = self.look_ahead(request);
        if let Some(entry) = &mut ahead.entry
            && entry.command.name == command.name
        {
            entry.command = command;
        }
        ahead
    }
}
