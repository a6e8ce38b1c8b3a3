//! The globals that scripts see, as Redis has them: libraries that do no harm, all of them read-only.
//!
//! For EVAL the table of globals has everything, and the host puts KEYS and ARGV there before each run. For functions
//! it is an empty table, behind which lies what is allowed at the time: while a library is loaded only a small `redis`,
//! while a function runs everything but KEYS and ARGV.

use crate::api::{self, Part};
use crate::{bit, json, msgpack, structs};
use ochre_lua::{Args, Kind, Native, Raise, Ref, Stack, State};

/// What a virtual machine is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// EVAL and its kin.
    Eval,
    /// Libraries of functions.
    Functions,
}

/// What lies behind the empty globals of functions.
pub(crate) struct Scene {
    /// The metatable of the globals.
    behind: Ref,
    load: Ref,
    run: Ref,
}

impl Scene {
    /// Lets functions see what they see while their library is loaded, or while they run.
    pub(crate) fn show(&self, state: &mut State, loading: bool) -> Result<(), Raise> {
        state.push_ref(&self.behind);
        state.push_ref(if loading { &self.load } else { &self.run });
        let mut stack = state.stack();
        let behind = stack.top() - 1;
        stack.force_field(behind, "__index")?;
        stack.pop(1);
        Ok(())
    }
}

/// A state with the globals for `purpose`.
pub(crate) fn build(purpose: Purpose) -> Result<(State, Option<Scene>), Raise> {
    let mut state = State::new();
    let mut stack = state.stack();
    stack.push_globals()?;
    let globals = stack.top();
    libraries(&mut stack, globals)?;
    let part = if purpose == Purpose::Eval {
        Part::Eval
    } else {
        Part::Function
    };
    api::table(&mut stack, part)?;
    name_api(&mut stack, globals)?;
    string_metatable(&mut stack)?;
    if purpose == Purpose::Eval {
        for name in ["KEYS", "ARGV"] {
            stack.new_table(0, 0)?;
            stack.set_field(globals, name)?;
        }
    }
    guard(&mut stack, globals)?;
    freeze_all(&mut stack, globals)?;
    stack.truncate(globals);
    if purpose == Purpose::Eval {
        stack.pop(1);
        return Ok((state, None));
    }
    // What a library sees while it is loaded.
    stack.new_table(0, 2)?;
    let load = stack.top();
    api::table(&mut stack, Part::Load)?;
    let redis = stack.top();
    guard(&mut stack, redis)?;
    name_api(&mut stack, load)?;
    guard(&mut stack, load)?;
    freeze_all(&mut stack, load)?;
    stack.truncate(load);
    // The empty globals.
    stack.new_table(0, 0)?;
    let empty = stack.top();
    stack.new_table(0, 1)?;
    let behind = stack.top();
    stack.copy(behind)?;
    stack.set_metatable(empty)?;
    stack.freeze(behind);
    stack.freeze(empty);
    stack.copy(empty)?;
    stack.set_globals()?;
    // Slots: globals, load, empty, behind.
    let behind = state.keep();
    state.stack().pop(1);
    let load = state.keep();
    let run = state.keep();
    let scene = Scene { behind, load, run };
    scene.show(&mut state, false)?;
    Ok((state, Some(scene)))
}

fn libraries(stack: &mut Stack<'_>, globals: i32) -> Result<(), Raise> {
    for (name, functions) in [
        ("bit", bit::FUNCTIONS),
        ("struct", structs::FUNCTIONS),
        ("cmsgpack", msgpack::FUNCTIONS),
        ("os", OS),
    ] {
        stack.new_table(0, functions.len())?;
        let table = stack.top();
        for (name, function) in functions {
            stack.push_native(*function)?;
            stack.set_field(table, name)?;
        }
        if name == "cmsgpack" {
            for (name, text) in [
                ("_NAME", "cmsgpack"),
                ("_VERSION", "lua-cmsgpack 0.4.0"),
                ("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"),
                ("_DESCRIPTION", "MessagePack C implementation for Lua"),
            ] {
                stack.push_bytes(text.as_bytes())?;
                stack.set_field(table, name)?;
            }
        }
        stack.set_field(globals, name)?;
    }
    json::library(stack)?;
    stack.set_field(globals, "cjson")
}

const OS: &[(&str, Native)] = &[("clock", |_, stack| {
    let used = ochre_engine_cpu_seconds();
    stack.push_number(used)?;
    Ok(1)
})];

/// Seconds since the first call in this process: scripts take differences of it.
fn ochre_engine_cpu_seconds() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START
        .get_or_init(std::time::Instant::now)
        .elapsed()
        .as_secs_f64()
}

/// Takes the table on top as `redis` and `server`.
fn name_api(stack: &mut Stack<'_>, globals: i32) -> Result<(), Raise> {
    let table = stack.top();
    stack.copy(table)?;
    stack.set_field(globals, "server")?;
    stack.set_field(globals, "redis")
}

/// Lets reading what the table does not have be an error.
fn guard(stack: &mut Stack<'_>, table: i32) -> Result<(), Raise> {
    stack.new_table(0, 1)?;
    let metatable = stack.top();
    stack.push_native(nonexistent)?;
    stack.set_field(metatable, "__index")?;
    stack.set_metatable(table)
}

fn nonexistent(args: Args<'_>, _: &mut Stack<'_>) -> Result<u32, Raise> {
    let name = args
        .text(2)
        .unwrap_or(std::borrow::Cow::Borrowed(b"(null)"));
    let mut text = b"Script attempted to access nonexistent global variable '".to_vec();
    text.extend_from_slice(&name);
    text.push(b'\'');
    Err(Raise::At(text))
}

/// The metatable of strings is as read-only as the rest.
fn string_metatable(stack: &mut Stack<'_>) -> Result<(), Raise> {
    stack.push_bytes(b"")?;
    let text = stack.top();
    stack.metatable(text)?;
    stack.freeze(text + 1);
    stack.truncate(text - 1);
    Ok(())
}

/// Makes the table at `table` read-only, and all that it leads to; KEYS and ARGV belong to each run.
fn freeze_all(stack: &mut Stack<'_>, table: i32) -> Result<(), Raise> {
    stack.freeze(table);
    stack.metatable(table)?;
    let metatable = stack.top();
    stack.freeze(metatable);
    stack.pop(1);
    stack.nil()?;
    while stack.next(table)? {
        let value = stack.top();
        let own = matches!(stack.bytes(value - 1), Some(b"KEYS" | b"ARGV" | b"_G"));
        if stack.kind(value) == Kind::Table && !own {
            freeze_all(stack, value)?;
        }
        stack.pop(1);
    }
    Ok(())
}
