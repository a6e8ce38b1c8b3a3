//! The subcommands of FUNCTION that change the libraries, or carry them elsewhere.

use super::COMMON;
use super::function::{FLUSH_ARGS, clear, flush_mode};
use crate::header;
use crate::host::LoadHost;
use crate::library::{Libraries, Library};
use crate::payload::{self, Unreadable};
use crate::scripts::Scripts;
use ochre_engine::error::CommandError;
use ochre_engine::exec::{Engine, SessionCx};
use ochre_engine::settings::id;
use ochre_engine::spec::{Arg, Command, Flags, Outcome, Run};
use ochre_resp::Request;
use std::sync::Arc;

const ALL: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

/// What those that change have in common.
const CHANGES: Command = Command {
    since: "7.0.0",
    flags: Flags::NOSCRIPT.with(Flags::WRITE).with(Flags::WITH_WRITES),
    tips: ALL,
    ..COMMON
};

/// Journals a change of the libraries, which replicas and files repeat.
fn changed(cx: &SessionCx<'_>, request: Request<'_>) {
    let journals = &cx.env.engine.journals;
    if journals.is_on() {
        journals.append(cx.env.db, request);
    }
}

pub(super) const DELETE: Command = Command {
    name: "delete",
    summary: "Deletes a library.",
    arity: 3,
    args: &[Arg::string("library-name")],
    run: Run::Session(delete),
    ..CHANGES
};

fn delete(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    Scripts::of(cx.env.engine).change_libraries(|libraries| {
        let removed = libraries.remove(&request[2]);
        removed.then_some(()).ok_or(CommandError::NO_LIBRARY)
    })?;
    changed(cx, request);
    cx.out.ok();
    Ok(())
}

pub(super) const FLUSH: Command = Command {
    name: "flush",
    summary: "Deletes all libraries.",
    complexity: "O(N) where N is the number of functions deleted",
    arity: -2,
    args: FLUSH_ARGS,
    run: Run::Session(flush),
    ..CHANGES
};

fn flush(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    if request.len() > 3 {
        return Err(CommandError::subcommand_syntax("FUNCTION", &request[1]));
    }
    let background = flush_mode(engine, request, CommandError::FUNCTION_FLUSH_MODE)?;
    let scripts = Scripts::of(engine);
    scripts.change_libraries(|libraries| {
        *libraries = Libraries::default();
        Ok(())
    })?;
    clear(&scripts.functions, background);
    changed(cx, request);
    cx.out.ok();
    Ok(())
}

pub(super) const DUMP: Command = Command {
    name: "dump",
    summary: "Returns all libraries as one payload.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of functions",
    arity: 2,
    flags: Flags::NOSCRIPT,
    run: Run::Session(dump),
    ..COMMON
};

fn dump(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    let libraries = Scripts::of(engine).libraries();
    let compress = engine.settings.flag(id::RDBCOMPRESSION);
    let texts = libraries.iter().map(|library| &library.text);
    cx.out.bulk(&payload::dump(texts, compress));
    Ok(())
}

pub(super) const LOAD: Command = Command {
    name: "load",
    summary: "Loads a library.",
    complexity: "O(1) (considering compilation time is redundant)",
    arity: -3,
    flags: CHANGES.flags.with(Flags::DENYOOM).with(Flags::LONG),
    args: &[
        Arg::word("replace", "REPLACE").optional(),
        Arg::string("function-code"),
    ],
    run: Run::Session(load),
    ..CHANGES
};

fn load(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    let mut replace = false;
    for word in request.tail(2).iter().take(request.len() - 3) {
        if !word.eq_ignore_ascii_case(b"replace") {
            return Err(CommandError::quoting(
                "ERR Unknown option given: ",
                word,
                "",
            ));
        }
        replace = true;
    }
    let text: Arc<[u8]> = Arc::from(&request[request.len() - 1]);
    let engine = cx.env.engine;
    let scripts = Scripts::of(engine);
    let (name, _) = header::library(&text)?;
    if !replace {
        scripts.libraries().must_be_new(&name)?;
    }
    let library = read(engine, text)?;
    scripts.change_libraries(|libraries| {
        if !replace {
            libraries.must_be_new(&name)?;
        }
        libraries.add(library, replace)
    })?;
    changed(cx, request);
    cx.out.bulk(&name);
    Ok(())
}

/// Runs a library to learn what it registers.
fn read(engine: &Engine, text: Arc<[u8]>) -> Result<Library, CommandError> {
    let mut vm = Scripts::of(engine).lend_functions(engine)?;
    let id = Library::next_id();
    let registration = vm
        .load(id, &text, &mut LoadHost::new(engine))
        .map_err(CommandError::new)?;
    Ok(registration.library(id, text))
}

pub(super) const RESTORE: Command = Command {
    name: "restore",
    summary: "Loads the libraries of a payload.",
    complexity: "O(N) where N is the number of functions on the payload",
    arity: -3,
    flags: LOAD.flags,
    args: &[
        Arg::string("serialized-value"),
        Arg::one_of(
            "policy",
            &[
                Arg::word("flush", "FLUSH"),
                Arg::word("append", "APPEND"),
                Arg::word("replace", "REPLACE"),
            ],
        )
        .optional(),
    ],
    run: Run::Session(restore),
    ..CHANGES
};

/// What becomes of the libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Append,
    Flush,
    Replace,
}

fn restore(cx: &mut SessionCx<'_>, request: Request<'_>) -> Outcome {
    if request.len() > 4 {
        return Err(CommandError::subcommand_syntax("FUNCTION", &request[1]));
    }
    let policy = match request.get(3) {
        None => Policy::Append,
        Some(word) if word.eq_ignore_ascii_case(b"append") => Policy::Append,
        Some(word) if word.eq_ignore_ascii_case(b"flush") => Policy::Flush,
        Some(word) if word.eq_ignore_ascii_case(b"replace") => Policy::Replace,
        Some(_) => return Err(CommandError::RESTORE_POLICY),
    };
    let texts = payload::read(&request[2]).map_err(|why| match why {
        Unreadable::Footer => CommandError::RESTORE_FOOTER,
        Unreadable::Type => CommandError::FUNCTION_PAYLOAD_TYPE,
        Unreadable::Text => CommandError::FUNCTION_PAYLOAD,
    })?;
    let engine = cx.env.engine;
    // All are read before one is added, and added together or not at all.
    let mut read_libraries = Vec::with_capacity(texts.len());
    for text in texts {
        read_libraries.push(read(engine, text)?);
    }
    Scripts::of(engine).change_libraries(|libraries| {
        if policy == Policy::Flush {
            *libraries = Libraries::default();
        }
        for library in read_libraries {
            libraries.add(library, policy == Policy::Replace)?;
        }
        Ok(())
    })?;
    changed(cx, request);
    cx.out.ok();
    Ok(())
}
