//! PUBSUB: what is listened to.

use super::ALWAYS;
use crate::exec::{Kind, SessionCx};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;

pub(super) const PUBSUB: Command = Command {
    name: "pubsub",
    summary: "Container of the commands about what is listened to.",
    since: "2.8.0",
    group: Group::PubSub,
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[CHANNELS, HELP, NUMPAT, NUMSUB, SHARDCHANNELS, SHARDNUMSUB],
    run: Run::Container,
    ..Command::NEW
};

/// What the subcommands have in common.
const COMMON: Command = Command {
    since: "2.8.0",
    group: Group::PubSub,
    arity: -2,
    flags: ALWAYS,
    categories: Categories::PUBSUB,
    ..Command::NEW
};

const CHANNELS: Command = Command {
    name: "channels",
    summary: "Lists the channels that somebody listens to.",
    complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
    args: &[Arg::pattern("pattern").optional()],
    run: Run::Session(|cx, args| names(cx, args, Kind::Channel)),
    ..COMMON
};

const SHARDCHANNELS: Command = Command {
    name: "shardchannels",
    summary: "Lists the shard channels that somebody listens to.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
    args: &[Arg::pattern("pattern").optional()],
    run: Run::Session(|cx, args| names(cx, args, Kind::Shard)),
    ..COMMON
};

fn names(cx: &mut SessionCx<'_>, args: Request<'_>, kind: Kind) -> Outcome {
    if args.len() > 3 {
        return Err(crate::error::CommandError::subcommand_syntax(
            "PUBSUB", &args[1],
        ));
    }
    let names = cx.env.engine.pubsub.names(kind, args.get(2));
    cx.out.array(names.len());
    names.iter().for_each(|name| cx.out.bulk(name));
    Ok(())
}

const NUMSUB: Command = Command {
    name: "numsub",
    summary: "Returns how many connections listen to channels by name.",
    complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
    args: &[Arg::string("channel").optional().multiple()],
    run: Run::Session(|cx, args| listeners(cx, args, Kind::Channel)),
    ..COMMON
};

const SHARDNUMSUB: Command = Command {
    name: "shardnumsub",
    summary: "Returns how many connections listen to shard channels.",
    since: "7.0.0",
    complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
    args: &[Arg::string("shardchannel").optional().multiple()],
    run: Run::Session(|cx, args| listeners(cx, args, Kind::Shard)),
    ..COMMON
};

fn listeners(cx: &mut SessionCx<'_>, args: Request<'_>, kind: Kind) -> Outcome {
    let channels = args.tail(2);
    cx.out.array(channels.len() * 2);
    for channel in channels.iter() {
        cx.out.bulk(channel);
        let count = cx.env.engine.pubsub.listeners(kind, channel);
        cx.out.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }
    Ok(())
}

const NUMPAT: Command = Command {
    name: "numpat",
    summary: "Returns the number of patterns that are listened to.",
    arity: 2,
    run: Run::Session(numpat),
    ..COMMON
};

fn numpat(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let (_, patterns, _) = cx.env.engine.pubsub.counts();
    cx.out.integer(i64::try_from(patterns).unwrap_or(i64::MAX));
    Ok(())
}

const HELP: Command = Command {
    name: "help",
    summary: "Lists the subcommands.",
    since: "6.2.0",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    categories: Categories::NONE,
    run: Run::Session(help),
    ..COMMON
};

fn help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    crate::spec::help(&PUBSUB, cx.out);
    Ok(())
}
