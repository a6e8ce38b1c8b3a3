//! PUBLISH and SPUBLISH.

use super::ALWAYS;
use crate::exec::SessionCx;
use crate::spec::{Access, Arg, Categories, Channels, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

pub(super) const PUBLISH: Command = Command {
    name: "publish",
    summary: "Sends a message to a channel.",
    since: "2.0.0",
    group: Group::PubSub,
    complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
    arity: 3,
    flags: ALWAYS
        .with(Flags::FAST)
        .with(Flags::WITH_WRITES)
        .with(Flags::JOINED),
    categories: Categories::PUBSUB,
    channels: Channels::First,
    args: &[Arg::string("channel"), Arg::string("message")],
    run: Run::Session(publish),
    ..Command::NEW
};

fn publish(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.publish(&args[1], &args[2], false);
    Ok(())
}

pub(super) const SPUBLISH: Command = Command {
    name: "spublish",
    summary: "Sends a message to a shard channel.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    keys: &[key(1).access(Access::NOT_KEY)],
    args: &[Arg::string("shardchannel"), Arg::string("message")],
    run: Run::Session(spublish),
    ..PUBLISH
};

fn spublish(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.publish(&args[1], &args[2], true);
    Ok(())
}
