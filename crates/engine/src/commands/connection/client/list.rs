//! CLIENT LIST and CLIENT INFO: one line for each connection, the fields in Redis 8.2's order.
//!
//! Invariants
//! - Names cannot break a line: they were checked when they were set.
//! - Byte and command counts of others are those of the end of their last batch.
//!
//! Fields of what does not exist yet are constant: no transactions, redirections, or I/O threads.

use super::{ANY_STATE, Class, SUBCOMMAND};
use crate::error::CommandError;
use crate::exec::{Client, Engine, Session, SessionCx, TrackingMode};
use crate::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_ds::int::{parse_i64, write_i64};
use ochre_resp::Request;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(super) const INFO: Command = Command {
    name: "info",
    summary: "Describes the connection itself, as CLIENT LIST does.",
    since: "6.2.0",
    arity: 2,
    tips: &["nondeterministic_output"],
    run: Run::Session(info),
    ..SUBCOMMAND
};

fn info(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let mut text = Vec::new();
    Describer::new(cx, args).line(&cx.session.client, &mut text);
    cx.out.verbatim(b"txt", &text);
    Ok(())
}

pub(super) const LIST: Command = Command {
    name: "list",
    summary: "Describes the open connections, one on a line.",
    since: "2.4.0",
    complexity: "O(N) where N is the number of client connections",
    arity: -2,
    flags: ANY_STATE.with(Flags::ADMIN).with(Flags::LONG),
    args: &[
        Arg::one_of(
            "client-type",
            &[
                Arg::word("normal", "NORMAL"),
                Arg::word("master", "MASTER"),
                Arg::word("replica", "REPLICA"),
                Arg::word("pubsub", "PUBSUB"),
            ],
        )
        .token("TYPE")
        .optional()
        .since("5.0.0"),
        Arg::integer("client-id")
            .token("ID")
            .optional()
            .multiple()
            .since("6.2.0"),
    ],
    history: &[
        ("2.8.12", "Field `id`."),
        ("5.0.0", "Filter `TYPE`."),
        ("6.0.0", "Field `user`."),
        (
            "6.2.0",
            "Fields `argv-mem`, `tot-mem`, `laddr` and `redir`, and filter `ID`.",
        ),
        ("7.0.0", "Fields `resp`, `multi-mem`, `rbs` and `rbp`."),
        ("7.0.3", "Field `ssub`."),
        ("7.2.0", "Fields `lib-name` and `lib-ver`."),
        ("7.4.0", "Field `watch`."),
        ("8.0.0", "Field `io-thread`."),
    ],
    tips: &["nondeterministic_output"],
    run: Run::Session(list),
    ..SUBCOMMAND
};

fn list(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let is = |name: &str| {
        args.get(2)
            .is_some_and(|w| w.eq_ignore_ascii_case(name.as_bytes()))
    };
    let clients = &cx.env.engine.clients;
    let describer = Describer::new(cx, args);
    let mut text = Vec::new();
    if args.len() == 2 || (args.len() == 4 && is("TYPE")) {
        let class = args.get(3).map(Class::parse).transpose()?;
        let open = clients.list();
        let wanted = |c: &&std::sync::Arc<Client>| {
            !c.is_killed() && class.is_none_or(|class| class == Class::of(c))
        };
        for client in open.iter().filter(wanted) {
            describer.line(client, &mut text);
        }
    } else if args.len() > 3 && is("ID") {
        for id in args.tail(3).iter() {
            let id = parse_i64(id).ok_or(CommandError::CLIENT_ID)?;
            let client = u64::try_from(id).ok().and_then(|id| clients.get(id));
            if let Some(client) = client.filter(|c| !c.is_killed()) {
                describer.line(&client, &mut text);
            }
        }
    } else {
        return Err(CommandError::SYNTAX);
    }
    cx.out.verbatim(b"txt", &text);
    Ok(())
}

/// The line of a session that makes a request of `args_bytes`, without its end.
pub(crate) fn describe_client(engine: &Engine, session: &Session, args_bytes: usize) -> Vec<u8> {
    let describer = Describer {
        engine,
        session,
        now_ms: session.now_ms,
        args_bytes,
    };
    let mut text = Vec::new();
    describer.line(&session.client, &mut text);
    text.pop();
    text
}

/// Writes the lines, with the time and the connection that asks.
struct Describer<'a> {
    engine: &'a Engine,
    session: &'a Session,
    now_ms: i64,
    /// Bytes of the arguments of the present request.
    args_bytes: usize,
}

impl<'a> Describer<'a> {
    fn new(cx: &'a SessionCx<'_>, args: Request<'_>) -> Describer<'a> {
        Describer {
            engine: cx.env.engine,
            session: cx.session,
            now_ms: cx.env.now_ms,
            args_bytes: args.args_bytes(),
        }
    }

    fn line(&self, client: &Client, text: &mut Vec<u8>) {
        let asks = client.id == self.session.client.id;
        let labels = client.labels.lock().clone();
        let load = |value: &AtomicU64| value.load(Relaxed);
        let (waiting, query) = (load(&client.query_len), load(&client.query_cap));
        let (unsent, output) = (load(&client.output_len), load(&client.output_cap));
        let args = if asks { self.args_bytes as u64 } else { 0 };
        let words = labels.name.len() + labels.lib_name.len() + labels.lib_ver.len();
        let fixed = size_of::<Client>() + size_of::<Session>() + words;
        let mut f = Fields(text);
        f.count("id", client.id);
        f.text(" addr", client.endpoint.addr.as_bytes());
        f.text(" laddr", client.endpoint.laddr.as_bytes());
        f.number(" fd", i64::from(client.endpoint.fd));
        f.text(" name", &labels.name);
        f.number(" age", self.seconds_since(client.created_ms));
        let idle_ms = if asks {
            self.now_ms
        } else {
            client.active_ms.load(Relaxed)
        };
        f.number(" idle", self.seconds_since(idle_ms));
        f.text(" flags", &flags(client));
        f.count(" db", u64::from(client.db.load(Relaxed)));
        let [channels, patterns, shards] = &client.subscriptions;
        f.count(" sub", channels.load(Relaxed) as u64);
        f.count(" psub", patterns.load(Relaxed) as u64);
        f.count(" ssub", shards.load(Relaxed) as u64);
        let queued = client.queued.load(Relaxed);
        f.number(
            " multi",
            if queued == u32::MAX {
                -1
            } else {
                queued.into()
            },
        );
        f.count(" watch", client.watching.load(Relaxed).into());
        f.count(" qbuf", waiting);
        f.count(" qbuf-free", query.saturating_sub(waiting));
        f.count(" argv-mem", args);
        let queue = client.queued_bytes.load(Relaxed);
        f.count(" multi-mem", queue);
        f.count(" rbs", output);
        f.count(" rbp", unsent);
        f.count(" obl", unsent);
        let messages = client.outbox.bytes() as u64;
        f.text(" oll", b"0");
        f.count(" omem", messages);
        let bytes = fixed as u64 + query + output + messages + args + queue;
        f.count(" tot-mem", bytes);
        f.text(" events", if unsent > 0 { b"rw" } else { b"r" });
        f.text(" cmd", self.command(client, asks).as_bytes());
        f.text(" user", client.user.lock().name());
        let redirect = client.tracker.lock().as_ref().map(|t| t.redirect);
        match redirect {
            None => f.number(" redir", -1),
            Some(id) => f.count(" redir", id),
        }
        f.count(" resp", u64::from(client.protocol.load(Relaxed)));
        f.text(" lib-name", &labels.lib_name);
        f.text(" lib-ver", &labels.lib_ver);
        // compat: every worker reads and writes sockets, so this is the worker's number.
        f.count(" io-thread", u64::from(client.worker.load(Relaxed)));
        f.count(" tot-net-in", load(&client.net_in));
        f.count(" tot-net-out", load(&client.net_out));
        let present = if asks { self.session.commands } else { 0 };
        f.count(" tot-cmds", load(&client.commands) + present);
        text.push(b'\n');
    }

    fn seconds_since(&self, ms: i64) -> i64 {
        (self.now_ms / 1000 - ms / 1000).max(0)
    }

    fn command(&self, client: &Client, asks: bool) -> String {
        let index = if asks {
            Some(self.session.last_command)
        } else {
            usize::try_from(client.last_command.load(Relaxed)).ok()
        };
        let entry = index.and_then(|i| self.engine.lookup.entries().get(i));
        entry.map_or_else(|| "NULL".to_owned(), |e| e.full_name())
    }
}

/// The letters of the field `flags`.
fn flags(client: &Client) -> Vec<u8> {
    let tracker = client.tracker.lock().clone();
    let letters = [
        (b'O', client.monitors.load(Relaxed)),
        (b'P', client.is_subscriber()),
        (b'x', client.queued.load(Relaxed) != u32::MAX),
        (
            b'b',
            client.paused.load(Relaxed) || client.waiter.lock().is_some(),
        ),
        (b't', tracker.is_some()),
        (b'R', tracker.as_ref().is_some_and(|t| t.is_broken())),
        (
            b'B',
            tracker.is_some_and(|t| t.mode == TrackingMode::Broadcast),
        ),
        (b'U', client.endpoint.unix),
        (b'e', client.no_evict.load(Relaxed)),
        (b'T', client.no_touch.load(Relaxed)),
    ];
    let set: Vec<u8> = letters
        .iter()
        .filter(|(_, on)| *on)
        .map(|(letter, _)| *letter)
        .collect();
    if set.is_empty() { vec![b'N'] } else { set }
}

/// Appends `name=value`.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn text(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        self.0.extend_from_slice(value);
    }

    fn number(&mut self, name: &str, value: i64) {
        self.text(name, b"");
        write_i64(self.0, value);
    }

    fn count(&mut self, name: &str, value: u64) {
        self.number(name, i64::try_from(value).unwrap_or(i64::MAX));
    }
}
