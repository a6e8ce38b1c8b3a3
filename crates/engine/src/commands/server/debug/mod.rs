//! DEBUG: tools of operators and test suites, behind the setting `enable-debug-command`.
//!
//! Invariants
//! - One row of [`TOOLS`] per subcommand: its words, its help, its handler. Redis declares DEBUG
//!   without subcommands, so they are told apart here.
//! - No tool breaks the invariants of the keyspace: what crashes, leaks or corrupts on purpose is left out.
//!
//! Tools that touch keys take one stripe at a time like a sweep, and may not run while stripes are held.

mod keys;
mod lists;
mod protocol;

use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::keyspace::Cut;
use crate::ports::LogLevel;
use crate::settings::{Origin, id};
use crate::spec::{Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

pub(super) const DEBUG: Command = Command {
    name: "debug",
    summary: "Groups tools for tests and operators.",
    group: Group::Server,
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: Flags::ADMIN
        .with(Flags::NOSCRIPT)
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::SYSTEM)
        .with(Flags::LONG)
        .with(Flags::KEYSPACE),
    run: Run::Session(debug),
    ..Command::NEW
};

type Handler = fn(&mut SessionCx<'_>, Request<'_>) -> Outcome;

/// One subcommand.
struct Tool {
    name: &'static str,
    /// Fewest and most arguments after the subcommand.
    args: (usize, usize),
    /// The arguments as HELP shows them.
    usage: &'static str,
    help: &'static str,
    run: Handler,
}

const fn tool(
    name: &'static str,
    args: (usize, usize),
    usage: &'static str,
    help: &'static str,
    run: Handler,
) -> Tool {
    Tool {
        name,
        args,
        usage,
        help,
        run,
    }
}

const ANY: usize = usize::MAX;

const TOOLS: &[Tool] = &[
    tool(
        "DIGEST",
        (0, 0),
        "",
        "Returns a digest of all keys and values.",
        keys::digest,
    ),
    tool(
        "DIGEST-VALUE",
        (0, ANY),
        "<key> [<key> ...]",
        "Returns a digest of each key's value.",
        keys::digest_value,
    ),
    tool(
        "ERROR",
        (1, 1),
        "<text>",
        "Answers with <text> as the error.",
        error,
    ),
    tool(
        "HTSTATS-KEY",
        (1, 2),
        "<key> [full]",
        "Describes the hash table of a value.",
        keys::table_of,
    ),
    tool(
        "LISTPACK",
        (1, 1),
        "<key>",
        "Writes to the log how a small packed value is kept.",
        lists::listpack,
    ),
    tool("LOG", (1, 1), "<text>", "Writes <text> to the log.", log),
    tool(
        "OBJECT",
        (1, 1),
        "<key>",
        "Tells how a value is kept.",
        keys::object,
    ),
    tool(
        "PAUSE-CRON",
        (1, 1),
        "<0|1>",
        "With 1, stops all background work until it is set to 0 again.",
        pause_cron,
    ),
    tool(
        "REPLYBUFFER",
        (2, 2),
        "PEAK-RESET-TIME <NEVER|RESET|milliseconds> | RESIZING <0|1>",
        "Whether large reply buffers are given back: NEVER and 0 keep them, all else gives them back with the batch.",
        reply_buffer,
    ),
    tool(
        "SET-DISABLE-DENY-SCRIPTS",
        (1, 1),
        "<0|1>",
        "Lets scripts run the commands that are denied to them.",
        set_disable_deny_scripts,
    ),
    tool(
        "POPULATE",
        (1, 3),
        "<count> [<prefix>] [<size>]",
        "Creates <count> keys, named after <prefix> (default: key) and a number, with values of <size> bytes. Keys that exist stay. The journal is not told.",
        keys::populate,
    ),
    tool(
        "PROTOCOL",
        (1, 1),
        "<type>",
        "Answers with a sample of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true or false.",
        protocol::sample,
    ),
    tool(
        "QUICKLIST",
        (1, 2),
        "<key> [<0|1>]",
        "Writes to the log how a list's chunks are filled, with 1 each of them.",
        lists::quicklist,
    ),
    tool(
        "QUICKLIST-PACKED-THRESHOLD",
        (1, 1),
        "<size>",
        "Sets the size from which an element of a list gets a chunk of its own. 0 restores the default: what exceeds a chunk's limit.",
        lists::packed_threshold,
    ),
    tool(
        "SET-ACTIVE-EXPIRE",
        (1, 1),
        "<0|1>",
        "With 0, expired keys go only when they are asked for.",
        set_active_expire,
    ),
    tool(
        "SLEEP",
        (1, 1),
        "<seconds>",
        "Stops all commands for so long; takes decimals.",
        sleep,
    ),
    tool(
        "STRINGMATCH-LEN",
        (2, 2),
        "<length> <pattern>",
        "Matches <pattern> against so many letters a, and answers 1 or 0.",
        stringmatch_len,
    ),
    tool("HELP", (0, 0), "", "Explains the subcommands.", help),
];

fn debug(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let allowed = match cx.env.engine.settings.choice(id::ENABLE_DEBUG_COMMAND) {
        "yes" => true,
        "local" => super::config::origin(&cx.session.client.endpoint) == Origin::Local,
        _ => false,
    };
    if !allowed {
        return Err(CommandError::DEBUG_DISABLED);
    }
    let rest = args.len() - 2;
    let fits = |t: &&Tool| {
        t.name.as_bytes().eq_ignore_ascii_case(&args[1]) && (t.args.0..=t.args.1).contains(&rest)
    };
    match TOOLS.iter().find(fits) {
        Some(tool) => (tool.run)(cx, args.tail(2)),
        None => Err(CommandError::subcommand_syntax("DEBUG", &args[1])),
    }
}

fn help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    cx.out.array(1 + 2 * TOOLS.len());
    cx.out
        .simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for tool in TOOLS {
        cx.out
            .simple(format!("{} {}", tool.name, tool.usage).trim_end());
        cx.out.simple(format!("    {}", tool.help));
    }
    Ok(())
}

/// compat: a switch that is no number is off.
fn switch(text: &[u8]) -> bool {
    ochre_ds::int::parse_i64(text).is_some_and(|n| n != 0)
}

fn error(_: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    Err(CommandError::new(args[0].to_vec()))
}

fn log(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let text = format!("DEBUG LOG: {}", args[0].escape_ascii());
    cx.env.engine.runtime.log(LogLevel::Warning, &text);
    cx.out.ok();
    Ok(())
}

fn reply_buffer(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    let (what, value) = (&args[0], &args[1]);
    if what.eq_ignore_ascii_case(b"RESIZING") {
        engine.reply_buffers_resize.store(switch(value), Relaxed);
    } else if what.eq_ignore_ascii_case(b"PEAK-RESET-TIME") {
        let never = value.eq_ignore_ascii_case(b"NEVER");
        if !never && !value.eq_ignore_ascii_case(b"RESET") {
            ochre_ds::int::parse_i64(value).ok_or(CommandError::NOT_INTEGER)?;
        }
        engine.reply_buffers_reset.store(!never, Relaxed);
    } else {
        return Err(CommandError::subcommand_syntax("DEBUG", b"replybuffer"));
    }
    cx.out.ok();
    Ok(())
}

fn set_disable_deny_scripts(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    engine.scripts_run_denied.store(switch(&args[0]), Relaxed);
    cx.out.ok();
    Ok(())
}

fn pause_cron(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.env.engine.cron_paused.store(switch(&args[0]), Relaxed);
    cx.out.ok();
    Ok(())
}

fn set_active_expire(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.env.engine.active_expire.store(switch(&args[0]), Relaxed);
    cx.out.ok();
    Ok(())
}

/// Holds every stripe and sleeps, as a command that takes very long would.
fn sleep(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    /// How long it takes at most until a closed connection ends the sleep.
    const NAP: Duration = Duration::from_millis(50);
    let seconds = ochre_ds::float::parse_double(&args[0]).unwrap_or(0.0);
    // compat: what is no duration is none.
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let start = Instant::now();
    let keyspace = &cx.env.engine.keyspace;
    let mut cut = None;
    // Within a unit everything is held already.
    while cut.is_none() && !cx.session.in_unit {
        cut = Cut::take(keyspace);
    }
    while let Some(left) = duration.checked_sub(start.elapsed())
        && !left.is_zero()
        && !cx.session.client.is_killed()
    {
        std::thread::sleep(left.min(NAP));
    }
    drop(cut);
    cx.out.ok();
    Ok(())
}

/// For tests of patterns that would take very long in a careless matcher.
fn stringmatch_len(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let length = ochre_ds::int::parse_i64(&args[0])
        .and_then(|n| usize::try_from(n).ok())
        .ok_or(CommandError::NOT_POSITIVE)?;
    if length > cx.env.bulk_max() {
        return Err(CommandError::TOO_LONG);
    }
    let text = vec![b'a'; length];
    let matches = ochre_ds::glob::glob_match(&args[1], &text, false);
    cx.out.integer(i64::from(matches));
    Ok(())
}
