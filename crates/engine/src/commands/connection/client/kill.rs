//! CLIENT KILL, by address or by filters.
//!
//! Invariants
//! - The asking connection is closed only after its reply is sent.
//! - Another one is told to close and is neither listed nor counted again, whenever its task notices.

use super::{ANY_STATE, Class, SUBCOMMAND};
use crate::acl::User;
use crate::error::CommandError;
use crate::exec::{Client, Engine, SessionCx};
use crate::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;
use std::sync::Arc;

pub(super) const KILL: Command = Command {
    name: "kill",
    summary: "Closes the connections that match an address or all given filters.",
    since: "2.4.0",
    complexity: "O(N) where N is the number of client connections",
    arity: -3,
    flags: ANY_STATE.with(Flags::ADMIN).with(Flags::LONG),
    args: &[Arg::one_of(
        "filter",
        &[
            Arg::string("old-format"),
            Arg::one_of("new-format", FILTERS).multiple(),
        ],
    )],
    history: &[
        ("2.8.12", "Filters may be given instead of an address."),
        ("2.8.12", "Filter `ID`."),
        ("3.2.0", "`TYPE` knows `master`."),
        ("5.0.0", "`TYPE` knows `replica`; `slave` still works."),
        ("6.2.0", "Filter `LADDR`."),
        ("7.4.0", "Filter `MAXAGE`."),
    ],
    run: Run::Session(kill),
    ..SUBCOMMAND
};

const FILTERS: &[Arg] = &[
    Arg::integer("client-id")
        .token("ID")
        .optional()
        .since("2.8.12"),
    Arg::one_of(
        "client-type",
        &[
            Arg::word("normal", "NORMAL"),
            Arg::word("master", "MASTER").since("3.2.0"),
            Arg::word("slave", "SLAVE"),
            Arg::word("replica", "REPLICA").since("5.0.0"),
            Arg::word("pubsub", "PUBSUB"),
        ],
    )
    .token("TYPE")
    .optional()
    .since("2.8.12"),
    Arg::string("username").token("USER").optional(),
    Arg::string("addr").token("ADDR").optional(),
    Arg::string("laddr")
        .token("LADDR")
        .optional()
        .since("6.2.0"),
    Arg::one_of("skipme", &[Arg::word("yes", "YES"), Arg::word("no", "NO")])
        .token("SKIPME")
        .optional(),
    Arg::integer("maxage")
        .token("MAXAGE")
        .optional()
        .since("7.4.0"),
];

/// Which connections to close: those that match everything given.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    class: Option<Class>,
    user: Option<Arc<User>>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    /// Seconds since it connected, at least.
    age: Option<i64>,
    with_self: bool,
}

impl<'a> Filter<'a> {
    /// Reads pairs of a word and its value; a later one replaces an earlier one.
    fn parse(engine: &Engine, args: Request<'a>) -> Result<Filter<'a>, CommandError> {
        let mut filter = Filter::default();
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let value = args.get(at + 1).ok_or(CommandError::SYNTAX)?;
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("ID") {
                let id = parse_i64(value).and_then(|id| u64::try_from(id).ok());
                let id = id.filter(|id| *id > 0);
                filter.id = Some(id.ok_or(CommandError::CLIENT_ID_NOT_POSITIVE)?);
            } else if is("MAXAGE") {
                let age = parse_i64(value).ok_or(CommandError::MAXAGE_NOT_INTEGER)?;
                if age <= 0 {
                    return Err(CommandError::MAXAGE_NOT_POSITIVE);
                }
                filter.age = Some(age);
            } else if is("TYPE") {
                filter.class = Some(Class::parse(value)?);
            } else if is("ADDR") {
                filter.addr = Some(value);
            } else if is("LADDR") {
                filter.laddr = Some(value);
            } else if is("USER") {
                let user = engine.acl.user(value);
                filter.user = Some(user.ok_or_else(|| CommandError::no_such_user(value))?);
            } else if is("SKIPME") && value.eq_ignore_ascii_case(b"YES") {
                filter.with_self = false;
            } else if is("SKIPME") && value.eq_ignore_ascii_case(b"NO") {
                filter.with_self = true;
            } else {
                return Err(CommandError::SYNTAX);
            }
            at += 2;
        }
        Ok(filter)
    }

    fn matches(&self, client: &Client, now_ms: i64) -> bool {
        let age = now_ms / 1000 - client.created_ms / 1000;
        let endpoint = &client.endpoint;
        self.id.is_none_or(|id| client.id == id)
            && self.class.is_none_or(|class| class == Class::of(client))
            && self.addr.is_none_or(|a| endpoint.addr.as_bytes() == a)
            && self.laddr.is_none_or(|a| endpoint.laddr.as_bytes() == a)
            && self.age.is_none_or(|least| age >= least)
            && self
                .user
                .as_ref()
                .is_none_or(|user| Arc::ptr_eq(user, &client.user.lock()))
    }
}

fn kill(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() == 3 {
        let filter = Filter {
            addr: Some(&args[2]),
            with_self: true,
            ..Filter::default()
        };
        if close(cx, &filter, 1) == 0 {
            return Err(CommandError::NO_SUCH_CLIENT);
        }
        cx.out.ok();
    } else {
        let filter = Filter::parse(cx.env.engine, args)?;
        let closed = close(cx, &filter, usize::MAX);
        cx.out.integer(i64::try_from(closed).unwrap_or(i64::MAX));
    }
    Ok(())
}

/// Closes at most `most` matching connections. Returns how many.
fn close(cx: &mut SessionCx<'_>, filter: &Filter<'_>, most: usize) -> usize {
    let me = cx.session.client.id;
    let mut closed = 0;
    for client in cx.env.engine.clients.list() {
        let passed_over = client.is_killed() || (client.id == me && !filter.with_self);
        if closed == most || passed_over || !filter.matches(&client, cx.env.now_ms) {
            continue;
        }
        closed += 1;
        if client.id == me {
            cx.session.closing = true;
        } else {
            client.kill();
        }
    }
    closed
}
