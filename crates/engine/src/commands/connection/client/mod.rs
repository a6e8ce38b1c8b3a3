//! CLIENT: what is known of connections, how they behave, and how to stop or end them.

mod kill;
mod label;
mod list;
mod mode;
mod pause;
mod tracking;
mod unblock;

pub(crate) use list::describe_client;

use crate::error::CommandError;
use crate::exec::{Client, SessionCx};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;

/// Flags of all subcommands but HELP.
const ANY_STATE: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);

pub(super) const CLIENT: Command = Command {
    name: "client",
    summary: "Container of the commands about client connections.",
    since: "2.4.0",
    group: Group::Connection,
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        tracking::CACHING,
        label::GETNAME,
        tracking::GETREDIR,
        HELP,
        label::ID,
        list::INFO,
        kill::KILL,
        list::LIST,
        mode::NO_EVICT,
        mode::NO_TOUCH,
        pause::PAUSE,
        mode::REPLY,
        label::SETINFO,
        label::SETNAME,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        unblock::UNBLOCK,
        pause::UNPAUSE,
    ],
    run: Run::Container,
    ..Command::NEW
};

/// What the subcommands have in common.
const SUBCOMMAND: Command = Command {
    group: Group::Connection,
    flags: ANY_STATE,
    categories: Categories::CONNECTION,
    keeps_caching: true,
    ..Command::NEW
};

const HELP: Command = Command {
    name: "help",
    summary: "Lists the subcommands.",
    since: "5.0.0",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    run: Run::Session(help),
    ..SUBCOMMAND
};

fn help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    crate::spec::help(&CLIENT, cx.out);
    Ok(())
}

/// The argument `ON|OFF`.
const ON_OFF: &[Arg] = &[Arg::one_of(
    "enabled",
    &[Arg::word("on", "ON"), Arg::word("off", "OFF")],
)];

fn on_off(word: &[u8]) -> Result<bool, CommandError> {
    if word.eq_ignore_ascii_case(b"ON") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"OFF") {
        Ok(false)
    } else {
        Err(CommandError::SYNTAX)
    }
}

/// The classes of connections that CLIENT LIST and CLIENT KILL tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Normal,
    Master,
    Replica,
    PubSub,
}

impl Class {
    /// A connection's class; there are no replicas and primaries yet.
    fn of(client: &Client) -> Class {
        if client.is_subscriber() {
            Class::PubSub
        } else {
            Class::Normal
        }
    }

    fn parse(word: &[u8]) -> Result<Class, CommandError> {
        const WORDS: [(&[u8], Class); 5] = [
            (b"normal", Class::Normal),
            (b"master", Class::Master),
            (b"replica", Class::Replica),
            (b"slave", Class::Replica),
            (b"pubsub", Class::PubSub),
        ];
        WORDS
            .iter()
            .find(|(w, _)| w.eq_ignore_ascii_case(word))
            .map(|(_, class)| *class)
            .ok_or_else(|| CommandError::client_type(word))
    }
}
