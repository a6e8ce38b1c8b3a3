//! SCRIPT and its subcommands.

use super::COMMON;
use crate::api::{Sha, digest, hex, parse_sha};
use crate::cache::Script;
use crate::header;
use crate::scripts::Scripts;
use ochre_engine::error::CommandError;
use ochre_engine::exec::{Engine, SessionCx};
use ochre_engine::settings::id;
use ochre_engine::spec::{Arg, Categories, Command, Flags, Outcome, Run, help};
use ochre_resp::Request;
use std::sync::Arc;

const ALL_SHARDS: &str = "request_policy:all_shards";
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

pub(super) const SCRIPT: Command = Command {
    name: "script",
    summary: "Manages Lua scripts.",
    since: "2.6.0",
    complexity: "Depends on subcommand.",
    arity: -2,
    categories: Categories::NONE,
    subcommands: &[DEBUG, EXISTS, FLUSH, HELP, KILL, LOAD],
    run: Run::Container,
    ..COMMON
};

const DEBUG: Command = Command {
    name: "debug",
    summary: "Would start the script debugger, which Ochre does not have.",
    since: "3.2.0",
    arity: 3,
    flags: Flags::NOSCRIPT,
    args: &[Arg::one_of(
        "mode",
        &[
            Arg::word("yes", "YES"),
            Arg::word("sync", "SYNC"),
            Arg::word("no", "NO"),
        ],
    )],
    run: Run::Session(debug),
    ..COMMON
};

fn debug(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    let mode = &request[2];
    if mode.eq_ignore_ascii_case(b"no") {
        cx.out.ok();
        return Ok(());
    }
    if mode.eq_ignore_ascii_case(b"yes") || mode.eq_ignore_ascii_case(b"sync") {
        return Err(CommandError::SCRIPT_DEBUG_ABSENT);
    }
    Err(CommandError::SCRIPT_DEBUG_MODE)
}

const EXISTS: Command = Command {
    name: "exists",
    summary: "Tells which scripts are known by these SHA-1s.",
    since: "2.6.0",
    complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
    arity: -3,
    flags: Flags::NOSCRIPT,
    args: &[Arg::string("sha1").multiple()],
    tips: &[ALL_SHARDS, "response_policy:agg_logical_and"],
    run: Run::Session(exists),
    ..COMMON
};

fn exists(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    let scripts = Scripts::of(cx.env.engine);
    cx.out.array(request.len() - 2);
    for text in request.tail(2) {
        let known = parse_sha(text).is_some_and(|sha| scripts.knows(&sha));
        cx.out.integer(i64::from(known));
    }
    Ok(())
}

const FLUSH: Command = Command {
    name: "flush",
    summary: "Forgets all scripts.",
    since: "2.6.0",
    complexity: "O(N) with N being the number of scripts in cache",
    arity: -2,
    flags: Flags::NOSCRIPT,
    args: super::function::FLUSH_ARGS_62,
    history: &[(
        "6.2.0",
        "Added the `ASYNC` and `SYNC` flushing mode modifiers.",
    )],
    tips: ALL_NODES,
    run: Run::Session(flush),
    ..COMMON
};

fn flush(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    let background = super::function::flush_mode(engine, request, CommandError::SCRIPT_FLUSH_MODE)?;
    let scripts = Scripts::of(engine);
    scripts.cache.clear();
    super::function::clear(&scripts.eval, background);
    cx.out.ok();
    Ok(())
}

const HELP: Command = Command {
    name: "help",
    summary: "Prints this help.",
    since: "5.0.0",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    run: Run::Session(|cx, _| {
        help(&SCRIPT, cx.out);
        Ok(())
    }),
    ..COMMON
};

const KILL: Command = Command {
    name: "kill",
    summary: "Ends the scripts that have been running for long and changed nothing.",
    since: "2.6.0",
    arity: 2,
    flags: Flags::NOSCRIPT.with(Flags::ALLOW_BUSY),
    tips: &[ALL_SHARDS, "response_policy:one_succeeded"],
    run: Run::Session(|cx, _| {
        Scripts::of(cx.env.engine).running.kill(false)?;
        cx.out.ok();
        Ok(())
    }),
    ..COMMON
};

const LOAD: Command = Command {
    name: "load",
    summary: "Makes a script known without running it.",
    since: "2.6.0",
    complexity: "O(N) with N being the length in bytes of the script body.",
    arity: 3,
    flags: Flags::NOSCRIPT.with(Flags::STALE),
    args: &[Arg::string("script")],
    tips: ALL_NODES,
    run: Run::Session(load),
    ..COMMON
};

fn load(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    let sha = digest(&request[2]);
    add(cx.env.engine, cx.env.now_ms, &sha, &request[2], true)?;
    cx.out.bulk(&hex(&sha));
    Ok(())
}

/// Enters a script into the cache, if it is one; `kept`: it stays until SCRIPT FLUSH.
pub(super) fn add(
    engine: &Engine,
    now_ms: i64,
    sha: &Sha,
    text: &[u8],
    kept: bool,
) -> Result<Arc<Script>, CommandError> {
    let scripts = Scripts::of(engine);
    if !scripts.knows(sha) {
        let (_, at) = header::script(text)?;
        scripts
            .lend_eval(engine)?
            .check(sha, &text[at..])
            .map_err(CommandError::new)?;
    }
    let (flags, at) = header::script(text)?;
    Ok(scripts
        .cache
        .add(Script::new(*sha, &text[at..], flags), kept, now_ms))
}

/// Whether `lazyfree-lazy-user-flush` asks for the background.
pub(super) fn lazy(engine: &Engine) -> bool {
    engine.settings.flag(id::LAZYFREE_LAZY_USER_FLUSH)
}
