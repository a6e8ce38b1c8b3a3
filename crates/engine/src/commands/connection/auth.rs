//! Who speaks, and in which protocol: AUTH and HELLO.
//!
//! Invariants
//! - HELLO changes nothing unless it succeeds as a whole, except that its AUTH stays.
//!
//! Does not compare passwords: `acl` does.

use super::{ALWAYS, is_plain};
use crate::REDIS_VERSION;
use crate::acl::DEFAULT_USER;
use crate::error::CommandError;
use crate::exec::{Out, SessionCx};
use crate::spec::{Arg, Categories, Command, Group, Outcome, Run};
use ochre_resp::{Protocol, Request};
use std::sync::atomic::Ordering::Relaxed;

pub(super) const AUTH: Command = Command {
    name: "auth",
    summary: "Authenticates the connection with a password, or a user name and a password.",
    group: Group::Connection,
    complexity: "O(N) where N is the number of passwords defined for the user",
    arity: -2,
    flags: ALWAYS,
    categories: Categories::CONNECTION,
    args: &[
        Arg::string("username").optional().since("6.0.0"),
        Arg::string("password"),
    ],
    history: &[("6.0.0", "A user name may be given.")],
    secret: Some(|args| (1..args.len()).collect()),
    run: Run::Session(auth),
    ..Command::NEW
};

fn auth(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let (user, password) = match args.len() {
        2 if cx.env.engine.acl.default_user().rules().has_no_password() => {
            return Err(CommandError::NO_PASSWORD_SET);
        }
        2 => (DEFAULT_USER, &args[1]),
        3 => (&args[1], &args[2]),
        _ => return Err(CommandError::SYNTAX),
    };
    cx.env.engine.log_in(cx.session, &args[0], user, password)?;
    cx.out.ok();
    Ok(())
}

pub(super) const HELLO: Command = Command {
    name: "hello",
    summary: "Chooses the protocol and may authenticate and name the connection; answers with facts about the server.",
    since: "6.0.0",
    group: Group::Connection,
    arity: -1,
    flags: ALWAYS,
    categories: Categories::CONNECTION,
    args: &[Arg::block(
        "arguments",
        &[
            Arg::integer("protover"),
            Arg::block("auth", &[Arg::string("username"), Arg::string("password")])
                .token("AUTH")
                .optional(),
            Arg::string("clientname").token("SETNAME").optional(),
        ],
    )
    .optional()],
    history: &[(
        "6.2.0",
        "Without arguments it only reports on the connection.",
    )],
    secret: Some(hello_secret),
    run: Run::Session(hello),
    ..Command::NEW
};

/// The user name and the password, as often as they are given.
fn hello_secret(args: Request<'_>) -> Vec<usize> {
    let (mut secret, mut at) = (Vec::new(), 2);
    while let Some(word) = args.get(at) {
        if word.eq_ignore_ascii_case(b"AUTH") {
            secret.extend([at + 1, at + 2]);
            at += 3;
        } else if word.eq_ignore_ascii_case(b"SETNAME") {
            at += 2;
        } else {
            break;
        }
    }
    secret
}

/// What HELLO asks for.
#[derive(Default)]
struct Greeting<'a> {
    protocol: Option<Protocol>,
    auth: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Greeting<'a> {
    fn parse(args: Request<'a>) -> Result<Greeting<'a>, CommandError> {
        let mut greeting = Greeting::default();
        let Some(version) = args.get(1) else {
            return Ok(greeting);
        };
        let version = ochre_ds::int::parse_i64(version).ok_or(CommandError::PROTO_NOT_INTEGER)?;
        greeting.protocol = Some(match version {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(CommandError::NO_PROTO),
        });
        let mut at = 2;
        while let Some(option) = args.get(at) {
            if option.eq_ignore_ascii_case(b"AUTH")
                && let (Some(user), Some(password)) = (args.get(at + 1), args.get(at + 2))
            {
                greeting.auth = Some((user, password));
                at += 3;
            } else if option.eq_ignore_ascii_case(b"SETNAME")
                && let Some(name) = args.get(at + 1)
            {
                if !is_plain(name) {
                    return Err(CommandError::CLIENT_NAME);
                }
                greeting.name = Some(name);
                at += 2;
            } else {
                return Err(CommandError::hello_option(option));
            }
        }
        Ok(greeting)
    }
}

fn hello(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let greeting = Greeting::parse(args)?;
    if let Some((user, password)) = greeting.auth {
        cx.env.engine.log_in(cx.session, &args[0], user, password)?;
    }
    if !cx.session.authenticated && cx.env.engine.acl.needs_password() {
        return Err(CommandError::HELLO_UNAUTHENTICATED);
    }
    let client = &cx.session.client;
    if let Some(name) = greeting.name {
        client.labels.lock().name = name.to_vec();
    }
    if let Some(protocol) = greeting.protocol {
        // What came before is told in the words of before.
        client.take_messages(cx.out, usize::MAX);
        cx.out.set_protocol(protocol);
        client.protocol.store(protocol.number(), Relaxed);
    }
    introduce(cx.out, client.id);
    Ok(())
}

fn introduce(out: &mut Out, id: u64) {
    out.map(7);
    let text = |out: &mut Out, name: &[u8], value: &[u8]| {
        out.bulk(name);
        out.bulk(value);
    };
    text(out, b"server", b"redis");
    text(out, b"version", REDIS_VERSION.as_bytes());
    out.bulk(b"proto");
    out.integer(i64::from(out.protocol().number()));
    out.bulk(b"id");
    out.integer(i64::try_from(id).unwrap_or(i64::MAX));
    text(out, b"mode", b"standalone");
    text(out, b"role", b"master");
    out.bulk(b"modules");
    out.array(0);
}
