//! FUNCTION and the subcommands that tell something or end something; those that change libraries are in `libraries`.

use super::{COMMON, libraries};
use crate::header;
use crate::library::Library;
use crate::pool::Pool;
use crate::scripts::Scripts;
use ochre_ds::glob;
use ochre_engine::error::CommandError;
use ochre_engine::exec::{Engine, Out, SessionCx};
use ochre_engine::spec::{Arg, Categories, Command, Flags, Outcome, Run, help};
use ochre_resp::Request;

const MODES: &[Arg] = &[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")];
/// The mode of FUNCTION FLUSH.
pub(super) const FLUSH_ARGS: &[Arg] = &[Arg::one_of("flush-type", MODES).optional()];
/// The mode of SCRIPT FLUSH.
pub(super) const FLUSH_ARGS_62: &[Arg] =
    &[Arg::one_of("flush-type", MODES).optional().since("6.2.0")];

pub(super) const FUNCTION: Command = Command {
    name: "function",
    summary: "Manages libraries of functions.",
    since: "7.0.0",
    complexity: "Depends on subcommand.",
    arity: -2,
    categories: Categories::NONE,
    subcommands: &[
        libraries::DELETE,
        libraries::DUMP,
        libraries::FLUSH,
        HELP,
        KILL,
        LIST,
        libraries::LOAD,
        libraries::RESTORE,
        STATS,
    ],
    run: Run::Container,
    ..COMMON
};

const HELP: Command = Command {
    name: "help",
    summary: "Prints this help.",
    since: "7.0.0",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    run: Run::Session(|cx, _| {
        help(&FUNCTION, cx.out);
        Ok(())
    }),
    ..COMMON
};

const KILL: Command = Command {
    name: "kill",
    summary: "Ends the functions that have been running for long and changed nothing.",
    since: "7.0.0",
    arity: 2,
    flags: Flags::NOSCRIPT.with(Flags::ALLOW_BUSY),
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    run: Run::Session(|cx, _| {
        Scripts::of(cx.env.engine).running.kill(true)?;
        cx.out.ok();
        Ok(())
    }),
    ..COMMON
};

const STATS: Command = Command {
    name: "stats",
    summary: "Tells what has been running for long, and how many functions there are.",
    since: "7.0.0",
    arity: 2,
    flags: Flags::NOSCRIPT.with(Flags::ALLOW_BUSY),
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    run: Run::Session(stats),
    ..COMMON
};

fn stats(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let scripts = Scripts::of(cx.env.engine);
    let out = &mut *cx.out;
    out.map(2);
    out.bulk(b"running_script");
    match scripts.running.longest_busy() {
        None => out.null(),
        Some(running) => {
            out.map(3);
            out.bulk(b"name");
            out.bulk(&running.name);
            out.bulk(b"command");
            let command = running.command.as_request();
            out.array(command.len());
            command.iter().for_each(|word| out.bulk(word));
            out.bulk(b"duration_ms");
            let ms = running.started.elapsed().as_millis();
            out.integer(i64::try_from(ms).unwrap_or(i64::MAX));
        }
    }
    let libraries = scripts.libraries();
    out.bulk(b"engines");
    out.map(1);
    out.bulk(b"LUA");
    out.map(2);
    out.bulk(b"libraries_count");
    out.integer(i64::try_from(libraries.len()).unwrap_or(i64::MAX));
    out.bulk(b"functions_count");
    out.integer(i64::try_from(libraries.functions()).unwrap_or(i64::MAX));
    Ok(())
}

const LIST: Command = Command {
    name: "list",
    summary: "Lists the libraries and their functions.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of functions",
    arity: -2,
    flags: Flags::NOSCRIPT,
    args: &[
        Arg::string("library-name-pattern")
            .token("LIBRARYNAME")
            .optional(),
        Arg::word("withcode", "WITHCODE").optional(),
    ],
    tips: &["nondeterministic_output_order"],
    run: Run::Session(list),
    ..COMMON
};

fn list(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    let (mut pattern, mut code) = (None, false);
    let mut words = request.tail(2).iter();
    while let Some(word) = words.next() {
        if !code && word.eq_ignore_ascii_case(b"withcode") {
            code = true;
        } else if pattern.is_none() && word.eq_ignore_ascii_case(b"libraryname") {
            pattern = Some(words.next().ok_or(CommandError::LIBRARY_NAME_MISSING)?);
        } else {
            return Err(CommandError::quoting("ERR Unknown argument ", word, ""));
        }
    }
    let libraries = Scripts::of(cx.env.engine).libraries();
    let wanted = |library: &Library| {
        pattern.is_none_or(|pattern| glob::glob_match(pattern, &library.name, true))
    };
    let chosen: Vec<_> = libraries.iter().filter(|library| wanted(library)).collect();
    cx.out.array(chosen.len());
    for library in chosen {
        write_library(cx.out, library, code);
    }
    Ok(())
}

fn write_library(out: &mut Out, library: &Library, code: bool) {
    out.map(if code { 4 } else { 3 });
    out.bulk(b"library_name");
    out.bulk(&library.name);
    out.bulk(b"engine");
    out.bulk(b"LUA");
    out.bulk(b"functions");
    out.array(library.functions.len());
    for function in &library.functions {
        out.map(3);
        out.bulk(b"name");
        out.bulk(&function.name);
        out.bulk(b"description");
        match &function.description {
            Some(text) => out.bulk(text),
            None => out.null(),
        }
        out.bulk(b"flags");
        let named = header::Flags::NAMED
            .iter()
            .filter(|(flag, _)| function.flags.has(*flag));
        out.set(named.clone().count());
        named.for_each(|(_, name)| out.simple(name));
    }
    if code {
        out.bulk(b"library_code");
        out.bulk(&library.text);
    }
}

/// Whether a flush is to free in the background.
///
/// # Errors
/// `wrong` for an unknown mode.
pub(super) fn flush_mode(
    engine: &Engine,
    request: Request<'_>,
    wrong: CommandError,
) -> Result<bool, CommandError> {
    match (request.len(), request.get(2)) {
        (2, _) => Ok(super::script::lazy(engine)),
        (3, Some(mode)) if mode.eq_ignore_ascii_case(b"async") => Ok(true),
        (3, Some(mode)) if mode.eq_ignore_ascii_case(b"sync") => Ok(false),
        _ => Err(wrong),
    }
}

/// Drops the machines of a pool, on a thread of its own if asked to.
pub(super) fn clear(pool: &Pool, background: bool) {
    let machines = pool.take_all();
    if background && !machines.is_empty() {
        // Without a thread to be had, the machines are dropped here, by the closure that was not run.
        let _ = std::thread::Builder::new()
            .name("ochre-flush".to_owned())
            .spawn(move || drop(machines));
    }
}
