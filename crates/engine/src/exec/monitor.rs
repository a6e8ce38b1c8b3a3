//! MONITOR: every command that was executed, as a line, to those who asked for it.
//!
//! Invariants
//! - A line follows its command, but for those of scripts, which come before what they do. Lines of commands that ran at the same time on different workers come in either order.
//! - A script that has to be run again, because it touched other keys than it declared, is shown once, what it read before
//!   twice.
//! - What is secret is never shown: neither commands for operators, nor the arguments that a declaration calls secret.
//!
//! Cost where nobody monitors: none beyond the branch that every request takes.

use super::Engine;
use super::attention::Reason;
use super::outbox::Push;
use super::session::{Client, Session};
use crate::spec::{Command, Flags};
use ochre_resp::{Request, quote_arg};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Those who monitor.
#[derive(Default)]
pub struct Monitors(RwLock<BTreeMap<u64, Arc<Client>>>);

impl Engine {
    /// The session's client monitors from now on. False if it does already.
    pub(crate) fn monitor(&self, session: &mut Session) -> bool {
        let mut monitors = self.monitors.0.write();
        if monitors
            .insert(session.id, session.client.clone())
            .is_some()
        {
            return false;
        }
        self.attention.set(Reason::MONITORED, true);
        drop(monitors);
        session.set_monitors(true);
        true
    }

    /// The session's client monitors no more.
    pub(crate) fn stop_monitoring(&self, session: &mut Session) {
        if session.monitors {
            let mut monitors = self.monitors.0.write();
            monitors.remove(&session.id);
            self.attention.set(Reason::MONITORED, !monitors.is_empty());
            drop(monitors);
            session.set_monitors(false);
        }
    }

    /// Shows a command to those who monitor, if it is one to be shown.
    #[cold]
    pub(crate) fn show(&self, session: &Session, command: &Command, request: Request<'_>) {
        if command.flags.any(Flags::SKIP_MONITOR.with(Flags::ADMIN)) {
            return;
        }
        self.show_now(session, command, request);
    }

    /// Shows a command to those who monitor.
    #[cold]
    pub(super) fn show_now(&self, session: &Session, command: &Command, request: Request<'_>) {
        let us = self.clock.unix_us();
        let line = line(us, session, command, request);
        let message = Arc::new(Push::Line(line));
        // A line is a reply, as it were: who wants none gets none.
        let monitors = self.monitors.0.read();
        for client in monitors.values().filter(|c| !c.silent.load(Relaxed)) {
            self.deliver(client, &message, us / 1000);
        }
    }
}

/// The line of a command that ended at `us`, in Unix microseconds.
fn line(us: i64, session: &Session, command: &Command, request: Request<'_>) -> Vec<u8> {
    let endpoint = &session.client.endpoint;
    let (before, address) = if session.in_script {
        ("", "lua")
    } else if endpoint.unix {
        let addr = endpoint.addr.as_str();
        ("unix:", addr.strip_suffix(":0").unwrap_or(addr))
    } else {
        ("", endpoint.addr.as_str())
    };
    let (seconds, rest) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
    let mut line = Vec::with_capacity(64 + request.args_bytes());
    // Writing into a vector cannot fail.
    let _ = write!(
        line,
        "+{seconds}.{rest:06} [{} {before}{address}]",
        session.db
    );
    for arg in command.shown(request) {
        line.push(b' ');
        quote_arg(&mut line, arg);
    }
    line.extend_from_slice(b"\r\n");
    line
}
