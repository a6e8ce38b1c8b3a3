//! Signs of life, the selected database, and the ends of a connection: ECHO, PING, QUIT, RESET, SELECT.

use super::ALWAYS;
use crate::error::CommandError;
use crate::exec::{ReplyMode, SessionCx, wrong_arity};
use crate::spec::{Arg, Categories, Command, Deprecation, Flags, Group, Outcome, Run};
use ochre_resp::{Protocol, Request};
use std::sync::atomic::Ordering::Relaxed;

pub(super) const ECHO: Command = Command {
    name: "echo",
    summary: "Answers with its argument.",
    group: Group::Connection,
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
    categories: Categories::CONNECTION,
    args: &[Arg::string("message")],
    run: Run::Session(echo),
    ..Command::NEW
};

fn echo(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.out.bulk(&args[1]);
    Ok(())
}

pub(super) const PING: Command = Command {
    name: "ping",
    summary: "Shows that the server is alive; repeats a message if one is given.",
    group: Group::Connection,
    arity: -1,
    flags: Flags::FAST.with(Flags::SUBSCRIBED),
    categories: Categories::CONNECTION,
    args: &[Arg::string("message").optional()],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    run: Run::Session(ping),
    ..Command::NEW
};

fn ping(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() <= 2
        && !cx.session.subscriptions.is_empty()
        && cx.out.protocol() == Protocol::Resp2
    {
        // A listening connection takes only what looks like a message.
        cx.out.array(2);
        cx.out.bulk(b"pong");
        cx.out.bulk(args.get(1).unwrap_or_default());
        return Ok(());
    }
    match args.len() {
        1 => cx.out.simple("PONG"),
        2 => cx.out.bulk(&args[1]),
        _ => return Err(wrong_arity(PING.name)),
    }
    Ok(())
}

pub(super) const QUIT: Command = Command {
    name: "quit",
    summary: "Closes the connection once its replies are sent.",
    group: Group::Connection,
    arity: -1,
    flags: ALWAYS.with(Flags::SUBSCRIBED).with(Flags::UNQUEUED),
    categories: Categories::CONNECTION,
    deprecated: Some(Deprecation {
        since: "7.2.0",
        instead: "closing the connection from the client's side",
    }),
    run: Run::Session(quit),
    ..Command::NEW
};

fn quit(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    cx.session.closing = true;
    cx.out.ok();
    Ok(())
}

pub(super) const RESET: Command = Command {
    name: "reset",
    summary: "Puts the connection back into the state of a new one.",
    since: "6.2.0",
    group: Group::Connection,
    arity: 1,
    flags: ALWAYS.with(Flags::SUBSCRIBED).with(Flags::UNQUEUED),
    categories: Categories::CONNECTION,
    run: Run::Session(reset),
    ..Command::NEW
};

/// What CLIENT SETINFO said stays: it describes the program, not the use of the connection.
fn reset(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let session = &mut *cx.session;
    cx.env.engine.end_transaction(session);
    let subscribed = session.client.is_subscriber();
    session.unsubscribe_all(cx.env.engine);
    cx.env.engine.stop_tracking(session);
    cx.env.engine.stop_monitoring(session);
    session.client.outbox.drain(subscribed, cx.out, usize::MAX);
    session.become_default(cx.env.engine);
    session.select(0);
    session.set_no_touch(false);
    if session.reply_mode == ReplyMode::Off {
        session.set_reply_mode(ReplyMode::On);
    }
    let client = &session.client;
    client.no_evict.store(false, Relaxed);
    client.labels.lock().name = Vec::new();
    client.protocol.store(Protocol::Resp2.number(), Relaxed);
    cx.out.set_protocol(Protocol::Resp2);
    cx.out.simple("RESET");
    Ok(())
}

pub(super) const SELECT: Command = Command {
    name: "select",
    summary: "Selects the database that the connection's commands work on.",
    group: Group::Connection,
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
    categories: Categories::CONNECTION,
    args: &[Arg::integer("index")],
    selects: Some(|args| usize::try_from(ochre_ds::int::parse_i64(args.get(1)?)?).ok()),
    run: Run::Session(select),
    ..Command::NEW
};

fn select(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let index = ochre_ds::int::parse_i64(&args[1]).ok_or(CommandError::NOT_INTEGER)?;
    let index = i32::try_from(index).map_err(|_| CommandError::DB_NOT_INT32)?;
    let index = usize::try_from(index).map_err(|_| CommandError::DB_RANGE)?;
    if index >= cx.env.engine.keyspace.count() {
        return Err(CommandError::DB_RANGE);
    }
    cx.session.select(index);
    cx.out.ok();
    Ok(())
}
