//! ACL: users, what they may do, and what was refused.
//!
//! The rules and the decisions are `acl`'s; here is what the commands read and answer.
//! Replies are those of Redis 8.2.3, texts of rules included: 7.0.15 leaves `sanitize-payload` out of them.

mod files;
mod info;
mod log;
mod users;

use crate::exec::SessionCx;
use crate::spec::{Categories, Command, Flags, Group, Outcome, Run, help};
use ochre_resp::Request;

/// Asked of every node, and all have to succeed.
const EVERYWHERE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// Flags of subcommands that tell nothing about others.
const OPEN: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);

/// What the subcommands have in common.
const SUB: Command = Command {
    since: "6.0.0",
    group: Group::Server,
    complexity: "O(N). Where N is the number of configured users.",
    flags: OPEN.with(Flags::ADMIN),
    categories: Categories::NONE,
    ..Command::NEW
};

pub(super) const ACL: Command = Command {
    name: "acl",
    summary: "Groups the commands of access control.",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: Flags::NONE,
    subcommands: &[
        info::CAT,
        users::DELUSER,
        info::DRYRUN,
        info::GENPASS,
        users::GETUSER,
        HELP,
        users::LIST,
        files::LOAD,
        log::LOG,
        files::SAVE,
        users::SETUSER,
        users::USERS,
        info::WHOAMI,
    ],
    run: Run::Container,
    ..SUB
};

const HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    run: Run::Session(show_help),
    ..SUB
};

fn show_help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    help(&ACL, cx.out);
    Ok(())
}
