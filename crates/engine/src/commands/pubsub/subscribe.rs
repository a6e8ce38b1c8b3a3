//! Listening and ceasing to: the six commands differ in the kind of name alone.

use super::ALWAYS;
use crate::exec::{Kind, SessionCx};
use crate::spec::{Access, Arg, Categories, Channels, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

/// What all six have in common; a connection that listens may always change what it listens to.
const COMMON: Command = Command {
    since: "2.0.0",
    group: Group::PubSub,
    arity: -2,
    flags: ALWAYS.with(Flags::NOSCRIPT).with(Flags::SUBSCRIBED),
    categories: Categories::PUBSUB,
    ..Command::NEW
};

pub(super) const SUBSCRIBE: Command = Command {
    name: "subscribe",
    summary: "Listens to channels.",
    complexity: "O(N) where N is the number of channels to subscribe to.",
    channels: Channels::All,
    args: &[Arg::string("channel").multiple()],
    run: Run::Session(|cx, args| subscribe(cx, args, Kind::Channel, b"subscribe")),
    ..COMMON
};

pub(super) const PSUBSCRIBE: Command = Command {
    name: "psubscribe",
    summary: "Listens to all channels that fit patterns.",
    complexity: "O(N) where N is the number of patterns to subscribe to.",
    channels: Channels::Patterns,
    args: &[Arg::pattern("pattern").multiple()],
    run: Run::Session(|cx, args| subscribe(cx, args, Kind::Pattern, b"psubscribe")),
    ..COMMON
};

pub(super) const SSUBSCRIBE: Command = Command {
    name: "ssubscribe",
    summary: "Listens to shard channels.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of shard channels to subscribe to.",
    keys: &[key(1).to(-1, 1).access(Access::NOT_KEY)],
    channels: Channels::All,
    args: &[Arg::string("shardchannel").multiple()],
    run: Run::Session(|cx, args| subscribe(cx, args, Kind::Shard, b"ssubscribe")),
    ..COMMON
};

pub(super) const UNSUBSCRIBE: Command = Command {
    name: "unsubscribe",
    summary: "Stops listening to channels, to all when none is named.",
    complexity: "O(N) where N is the number of channels to unsubscribe.",
    arity: -1,
    args: &[Arg::string("channel").optional().multiple()],
    run: Run::Session(|cx, args| unsubscribe(cx, args, Kind::Channel, b"unsubscribe")),
    ..COMMON
};

pub(super) const PUNSUBSCRIBE: Command = Command {
    name: "punsubscribe",
    summary: "Stops listening to patterns, to all when none is given.",
    complexity: "O(N) where N is the number of patterns to unsubscribe.",
    arity: -1,
    args: &[Arg::pattern("pattern").optional().multiple()],
    run: Run::Session(|cx, args| unsubscribe(cx, args, Kind::Pattern, b"punsubscribe")),
    ..COMMON
};

pub(super) const SUNSUBSCRIBE: Command = Command {
    name: "sunsubscribe",
    summary: "Stops listening to shard channels, to all when none is named.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of shard channels to unsubscribe.",
    arity: -1,
    keys: &[key(1).to(-1, 1).access(Access::NOT_KEY)],
    args: &[Arg::string("shardchannel").optional().multiple()],
    run: Run::Session(|cx, args| unsubscribe(cx, args, Kind::Shard, b"sunsubscribe")),
    ..COMMON
};

fn subscribe(cx: &mut SessionCx<'_>, args: Request<'_>, kind: Kind, word: &[u8]) -> Outcome {
    for name in args.tail(1).iter() {
        cx.session.subscribe(cx.env.engine, kind, name);
        confirm(cx, kind, word, Some(name));
    }
    Ok(())
}

fn unsubscribe(cx: &mut SessionCx<'_>, args: Request<'_>, kind: Kind, word: &[u8]) -> Outcome {
    let names: Vec<Vec<u8>> = if args.len() > 1 {
        args.tail(1).iter().map(<[u8]>::to_vec).collect()
    } else {
        cx.session.subscriptions.names(kind)
    };
    for name in &names {
        cx.session.unsubscribe(cx.env.engine, kind, name);
        // What was published before comes before the confirmation.
        cx.session.client.outbox.drain(true, cx.out, usize::MAX);
        confirm(cx, kind, word, Some(name));
    }
    if names.is_empty() {
        confirm(cx, kind, word, None);
    }
    Ok(())
}

fn confirm(cx: &mut SessionCx<'_>, kind: Kind, word: &[u8], name: Option<&[u8]>) {
    cx.out.push(3);
    cx.out.bulk(word);
    match name {
        Some(name) => cx.out.bulk(name),
        None => cx.out.null(),
    }
    let count = cx.session.subscriptions.count(kind);
    cx.out.integer(i64::try_from(count).unwrap_or(i64::MAX));
}
