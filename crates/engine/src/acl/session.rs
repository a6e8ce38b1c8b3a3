//! Sessions and users: logging in, permission, and what a change of a user means for connections that are open.

use super::check::Denied;
use super::log::{Context, LogEntry, Why};
use super::rules::{Frame, Rules, hash};
use super::{DEFAULT_USER, Name, User, apply_words};
use crate::commands::connection::describe_client;
use crate::error::CommandError;
use crate::exec::{Counter, Engine, Entry, Kind, Session};
use crate::settings::id;
use ochre_resp::Request;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Session {
    /// Acts for `user` from now on.
    pub(crate) fn become_user(&mut self, engine: &Engine, user: Arc<User>, authenticated: bool) {
        *self.client.user.lock() = user.clone();
        self.user = user;
        self.authenticated = authenticated;
        self.refresh_rules(engine);
    }

    /// Begins again as a new connection does.
    pub(crate) fn become_default(&mut self, engine: &Engine) {
        let user = engine.acl.default_user().clone();
        self.become_user(engine, user, !engine.acl.needs_password());
    }

    /// Sees what changed of its user.
    #[cold]
    pub(crate) fn refresh_rules(&mut self, engine: &Engine) {
        // Before the rules are read: a change in between is seen next time.
        self.acl_version = engine.acl.version();
        self.authenticated &= !self.user.is_gone();
        self.rules = self.user.rules();
        self.restricted = !self.rules.is_unrestricted();
    }

    /// Where the session's present request comes from, for ACL LOG.
    pub(crate) fn acl_context(&self) -> Context {
        if self.in_unit || self.transaction.is_some() {
            Context::Multi
        } else {
            Context::Toplevel
        }
    }
}

impl Engine {
    /// Logs a session in, or counts and logs the failed attempt. `command` is the word that asked for it.
    ///
    /// # Errors
    /// `WRONGPASS`, whatever is wrong.
    pub(crate) fn log_in(
        &self,
        session: &mut Session,
        command: &[u8],
        name: &[u8],
        password: &[u8],
    ) -> Result<(), CommandError> {
        // Hashed first, so that it takes as long for a name that nobody has.
        let secret = hash(password);
        let user = self.acl.user(name);
        if let Some(user) = user.filter(|u| u.rules().lets_in(&secret)) {
            session.become_user(self, user, true);
            return Ok(());
        }
        self.stats.add(Counter::AclAccessDeniedAuth, 1);
        let context = session.acl_context();
        self.log_refusal(session, Why::Auth, context, command.to_vec(), name, 0);
        Err(CommandError::WRONG_PASS)
    }

    /// Whether the session's user may make a request; what is refused is counted and logged.
    ///
    /// The gate calls it for sessions that are `restricted`. A transaction calls it again for each of its commands when it
    /// runs ([`Rules::check`], then [`Denied::since_queued`]), a script for each call.
    ///
    /// # Errors
    /// `NOPERM`.
    #[cold]
    pub(crate) fn permit(
        &self,
        session: &Session,
        entry: &Entry,
        request: Request<'_>,
    ) -> Result<(), CommandError> {
        session.rules.check(entry, request).map_err(|denied| {
            self.refused(session, denied, session.acl_context(), entry, request);
            denied.error(&session.user, entry)
        })
    }

    /// Counts and logs what [`Rules::check`] refused to the session's user.
    pub fn refused(
        &self,
        session: &Session,
        denied: Denied,
        context: Context,
        entry: &Entry,
        request: Request<'_>,
    ) {
        let counter = match denied {
            Denied::Command => Counter::AclAccessDeniedCmd,
            Denied::Key(_) => Counter::AclAccessDeniedKey,
            Denied::Channel(_) => Counter::AclAccessDeniedChannel,
        };
        self.stats.add(counter, 1);
        let object = denied.object(entry, request);
        let (why, name) = (Why::Denied(denied), session.user.name());
        self.log_refusal(session, why, context, object, name, request.args_bytes());
    }

    fn log_refusal(
        &self,
        session: &Session,
        why: Why,
        context: Context,
        object: Vec<u8>,
        user: &[u8],
        args_bytes: usize,
    ) {
        let most = usize::try_from(self.settings.int(id::ACLLOG_MAX_LEN)).unwrap_or(0);
        let entry = LogEntry {
            id: 0,
            count: 0,
            reason: why.name(),
            context,
            object,
            user: user.to_vec(),
            client: describe_client(self, session, args_bytes),
            created_ms: session.now_ms,
            updated_ms: session.now_ms,
        };
        self.acl.log.lock().add(entry, most);
    }

    /// Refuses what a request reads beyond the keys that it names, where the user may not read every key.
    ///
    /// # Errors
    /// The command's own, from its declaration.
    #[cold]
    pub(crate) fn permit_beyond(
        &self,
        session: &Session,
        command: &crate::spec::Command,
        request: Request<'_>,
    ) -> Result<(), CommandError> {
        let Some(beyond) = command.beyond else {
            return Ok(());
        };
        let Some(error) = beyond(request) else {
            return Ok(());
        };
        let entry = self.lookup.find(request)?;
        if session.rules.reads_every_key(&entry, request) {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// What rules are read against.
    pub(crate) fn acl_frame(&self) -> Frame<'_> {
        Frame {
            lookup: &self.lookup,
            all_channels: self.settings.choice(id::ACL_PUBSUB_DEFAULT) == "allchannels",
        }
    }

    /// Changes a user as the words of ACL SETUSER say, creating it first if there is none. All or nothing.
    ///
    /// # Errors
    /// Redis's texts for a name and for words that cannot be.
    pub(crate) fn set_user<'a>(
        &self,
        name: &[u8],
        words: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), CommandError> {
        if super::selector::has_spaces(name) {
            return Err(CommandError::ACL_NAME);
        }
        let frame = self.acl_frame();
        let mut users = self.acl.users.lock();
        let mut rules = match users.get(name) {
            Some(user) => Rules::clone(&user.rules()),
            None => Rules::new(frame),
        };
        apply_words(&mut rules, frame, words)?;
        self.put_user(&mut users, name, rules);
        Ok(())
    }

    /// Deletes users and closes their connections. Returns how many there were.
    ///
    /// # Errors
    /// When the default user is among them; nobody is deleted then.
    pub(crate) fn delete_users<'a>(
        &self,
        session: &mut Session,
        names: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<usize, CommandError> {
        if names.clone().any(|name| name == DEFAULT_USER) {
            return Err(CommandError::ACL_DEFAULT_USER);
        }
        let mut users = self.acl.users.lock();
        let gone: Vec<Arc<User>> = names.filter_map(|name| users.remove(name)).collect();
        gone.iter().for_each(|user| self.dismiss(session, user));
        Ok(gone.len())
    }

    /// Puts all of `loaded` in force and dismisses everybody else; the default user becomes a new server's if it is missing.
    pub(super) fn replace_users(
        &self,
        session: Option<&mut Session>,
        mut loaded: BTreeMap<Vec<u8>, Rules>,
    ) {
        let pristine = || Rules::pristine(&self.lookup);
        loaded.entry(DEFAULT_USER.to_vec()).or_insert_with(pristine);
        let mut users = self.acl.users.lock();
        let names: Vec<Vec<u8>> = users.keys().cloned().collect();
        let missing = names.iter().filter(|n| !loaded.contains_key(*n));
        let gone: Vec<Arc<User>> = missing.filter_map(|name| users.remove(name)).collect();
        for (name, rules) in loaded {
            self.put_user(&mut users, &name, rules);
        }
        if let Some(session) = session {
            gone.iter().for_each(|user| self.dismiss(session, user));
        }
    }

    /// Gives a user rules, whoever had the name before.
    pub(super) fn declare_user(&self, name: &[u8], rules: Rules) {
        self.put_user(&mut self.acl.users.lock(), name, rules);
    }

    fn put_user(&self, users: &mut BTreeMap<Vec<u8>, Arc<User>>, name: &[u8], rules: Rules) {
        match users.get(name) {
            Some(user) => self.change_rules(user, rules),
            None => {
                users.insert(name.to_vec(), User::new(name, Arc::new(rules)));
            }
        }
    }

    /// Gives the default user the password that `requirepass` has become, if it has changed.
    pub(crate) fn apply_requirepass(&self) {
        let wanted = self.settings.text(id::REQUIREPASS);
        let users = self.acl.users.lock();
        let before = std::mem::replace(&mut *self.acl.required.lock(), wanted.clone());
        if before == wanted {
            return;
        }
        let user = self.acl.default_user();
        let mut rules = Rules::clone(&user.rules());
        rules.require(&wanted);
        self.change_rules(user, rules);
        drop(users);
    }

    /// Puts rules in force, and closes connections that listen to what they no longer permit.
    fn change_rules(&self, user: &Arc<User>, rules: Rules) {
        let old = self.acl.replace(user, rules);
        let new = user.rules();
        if Arc::ptr_eq(&old, &new) || keeps_channels(&old, &new) {
            return;
        }
        self.pubsub.each(&mut |kind, name, client| {
            let theirs = Arc::ptr_eq(&client.user.lock(), user);
            if theirs && !may_listen(&new, kind, name) {
                client.kill();
            }
        });
    }

    /// Takes every permission from a deleted user, and closes its connections.
    ///
    /// A connection that reads a last batch before it notices is refused everything in it: it must not be taken for one
    /// of the default user.
    fn dismiss(&self, session: &mut Session, user: &Arc<User>) {
        user.gone.store(true, Ordering::Relaxed);
        let frame = Frame {
            lookup: &self.lookup,
            all_channels: false,
        };
        self.acl.replace(user, Rules::new(frame));
        for client in self.clients.list() {
            if !Arc::ptr_eq(&client.user.lock(), user) {
                continue;
            }
            if client.id == session.client.id {
                session.closing = true;
            } else {
                client.kill();
            }
        }
    }
}

/// Whether everything that may be listened to still may.
fn keeps_channels(old: &Rules, new: &Rules) -> bool {
    if new.selectors().any(|s| s.allows_all_channels()) {
        return true;
    }
    let after: BTreeSet<&Name> = new.selectors().flat_map(|s| s.channels()).collect();
    let mut before = old.selectors();
    before.all(|old| !old.allows_all_channels() && old.channels().all(|c| after.contains(c)))
}

/// Whether a subscription may stay.
pub(crate) fn may_listen(rules: &Rules, kind: Kind, name: &[u8]) -> bool {
    let is_pattern = kind == Kind::Pattern;
    rules
        .selectors()
        .any(|s| s.allows_channel(name, is_pattern))
}
