//! SLOWLOG: reading the log of slow commands.

use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::spec::{Arg, Command, Flags, Group, Outcome, Run, help};
use ochre_resp::Request;

/// Entries that SLOWLOG GET returns without a count.
const COUNT_DEFAULT: usize = 10;

/// What the subcommands have in common.
const SUB: Command = Command {
    since: "2.2.12",
    group: Group::Server,
    flags: Flags::ADMIN.with(Flags::LOADING).with(Flags::STALE),
    ..Command::NEW
};

pub(super) const SLOWLOG: Command = Command {
    name: "slowlog",
    summary: "Groups the commands on the log of slow commands.",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: Flags::NONE,
    subcommands: &[GET, HELP, LEN, RESET],
    run: Run::Container,
    ..SUB
};

const GET: Command = Command {
    name: "get",
    summary: "Returns the newest entries: number, Unix seconds, microseconds, arguments, address and name of the client.",
    complexity: "O(N) where N is the number of entries returned",
    arity: -2,
    args: &[Arg::integer("count").optional()],
    history: &[("4.0.0", "Entries have the client's address and name.")],
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    run: Run::Session(get),
    ..SUB
};

fn get(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let count = match args.get(2) {
        None => COUNT_DEFAULT,
        Some(_) if args.len() > 3 => {
            return Err(CommandError::subcommand_syntax("SLOWLOG", &args[1]));
        }
        Some(text) => match ochre_ds::int::parse_i64(text) {
            Some(-1) => usize::MAX,
            Some(n) => usize::try_from(n).map_err(|_| CommandError::SLOWLOG_COUNT)?,
            None => return Err(CommandError::SLOWLOG_COUNT),
        },
    };
    let entries = cx.env.engine.slowlog.newest(count);
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    cx.out.array(entries.len());
    for entry in entries {
        cx.out.array(6);
        cx.out.integer(number(entry.id));
        cx.out.integer(entry.time);
        cx.out.integer(number(entry.micros));
        cx.out.array(entry.args.len());
        entry.args.iter().for_each(|a| cx.out.bulk(a));
        cx.out.bulk(entry.addr.as_bytes());
        cx.out.bulk(&entry.name);
    }
    Ok(())
}

const LEN: Command = Command {
    name: "len",
    summary: "Returns the number of entries.",
    arity: 2,
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    run: Run::Session(len),
    ..SUB
};

fn len(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let len = cx.env.engine.slowlog.len();
    cx.out.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}

const RESET: Command = Command {
    name: "reset",
    summary: "Removes all entries.",
    complexity: "O(N) where N is the number of entries in the slowlog",
    arity: 2,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: Run::Session(reset),
    ..SUB
};

fn reset(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    cx.env.engine.slowlog.reset();
    cx.out.ok();
    Ok(())
}

const HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: "6.2.0",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    run: Run::Session(show_help),
    ..SUB
};

fn show_help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    help(&SLOWLOG, cx.out);
    Ok(())
}
