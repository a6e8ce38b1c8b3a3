//! A virtual machine: created with the libraries that do no harm, and run with a limit on memory and a look at the time.
//!
//! Invariants
//! - Outside of `pcall` the limit raises nothing: there would be nobody to catch it.
//! - The interface is lent for one call; no pointer to it outlives that.
#![allow(unsafe_code)]

use crate::blocks::Blocks;
use crate::native::{Interface, hook, note_fault};
use crate::raw;
use crate::stack::Stack;
use std::any::Any;
use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::os::raw::c_int;
use std::ptr::{self, NonNull};

/// Instructions between two looks at the time.
pub const HOOK_STEPS: i32 = 100_000;
/// A collection begins when the state holds this per cent of what the last one left. Nearly all that scripts make is
/// garbage at their end, and each collection walks through the libraries too; the memory limit brings it forward.
const GC_PAUSE: c_int = 400;
/// The largest memory limit, in bytes: below it no table reaches the size at which Lua gives up.
pub const MEMORY_LIMIT_MAX: usize = 1 << 30;

/// What a state's functions find again by the state.
pub(crate) struct Core {
    pub(crate) interface: Option<*mut dyn Interface>,
    /// The error with which the running call ends.
    pub(crate) stopping: Option<&'static str>,
    pub(crate) panic: Option<Box<dyn Any + Send>>,
    pub(crate) fault: Option<Fault>,
    pub(crate) limit: usize,
    blocks: Blocks,
}

/// Where an error was raised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The chunk's name as it was given, `=` or `@` included.
    pub source: String,
    /// The line, or -1.
    pub line: i32,
}

/// How a call failed; the error value is on top of the stack unless memory was exhausted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// An error was raised.
    Error(Option<Fault>),
    /// The memory limit was reached.
    Memory,
    /// The interface had it stopped; this was its word.
    Stopped(&'static str, Option<Fault>),
}

/// Lua's message about a text that is no program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompileError(pub Vec<u8>);

/// A value kept in the state; [`State::forget`] lets it go.
#[derive(Debug, PartialEq, Eq)]
pub struct Ref(pub(crate) c_int);

/// A virtual machine.
pub struct State {
    raw: NonNull<raw::lua_State>,
    core: NonNull<Core>,
    /// Where the registry has the error handler of [`Self::call`].
    handler: c_int,
}

// SAFETY: a state belongs to one thread at a time; it keeps nothing that is bound to a thread.
unsafe impl Send for State {}

/// # Panics
/// Never: every state is made by `State::new`, which gives it its core.
pub(crate) fn core_of<'a>(state: *mut raw::lua_State) -> &'a mut Core {
    let mut core: *mut c_void = ptr::null_mut();
    // SAFETY: the allocator's argument is the core, which lives as long as the state. References to it are short: none
    // is held across a call of Lua or of the interface.
    unsafe {
        raw::lua_getallocf(state, &mut core);
        &mut *core.cast::<Core>()
    }
}

/// Where the error being raised comes from: the innermost function that is not C.
pub(crate) fn where_is(state: *mut raw::lua_State) -> Option<Fault> {
    let mut debug = MaybeUninit::<raw::lua_Debug>::zeroed();
    // Level 0 is the handler, 1 what raised the error; a function of C was called by level 2.
    for level in 1..=2 {
        // SAFETY: lua_getstack fills the record for lua_getinfo, which fills the rest; both strings end with NUL.
        unsafe {
            if raw::lua_getstack(state, level, debug.as_mut_ptr()) == 0
                || raw::lua_getinfo(state, c"Sl".as_ptr(), debug.as_mut_ptr()) == 0
            {
                return None;
            }
            let record = debug.assume_init_ref();
            if level == 1 && *record.what.cast::<u8>() == b'C' {
                continue;
            }
            return Some(Fault {
                source: CStr::from_ptr(record.source).to_string_lossy().into_owned(),
                line: record.currentline,
            });
        }
    }
    None
}

unsafe extern "C" fn allocate(
    core: *mut c_void,
    old: *mut c_void,
    old_size: usize,
    new_size: usize,
) -> *mut c_void {
    // SAFETY: the argument is the core, of which nobody holds a reference while Lua works. Lua tells the size with which
    // a block was allocated, and has no block of no bytes.
    unsafe {
        let blocks = &mut (*core.cast::<Core>()).blocks;
        let block = match (old.is_null() || old_size == 0, new_size == 0) {
            (true, true) => ptr::null_mut(),
            (true, false) => blocks.take(new_size),
            (false, true) => {
                blocks.give(old.cast(), old_size);
                ptr::null_mut()
            }
            (false, false) => blocks.resize(old.cast(), old_size, new_size),
        };
        block.cast()
    }
}

struct Source<'a>(Option<&'a [u8]>);

unsafe extern "C-unwind" fn read(
    _: *mut raw::lua_State,
    source: *mut c_void,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: `compile` passes a source and a place for the length.
    unsafe {
        let text = (*source.cast::<Source<'_>>()).0.take().unwrap_or_default();
        *len = text.len();
        text.as_ptr().cast()
    }
}

impl State {
    /// A state with the base, coroutine, string, table and math libraries.
    ///
    /// # Panics
    /// When there is no memory for an empty state.
    #[must_use]
    pub fn new() -> State {
        let core = Box::new(Core {
            interface: None,
            stopping: None,
            panic: None,
            fault: None,
            limit: 0,
            blocks: Blocks::new(),
        });
        let core = NonNull::from(Box::leak(core));
        // SAFETY: the core lives until the state is closed. The libraries find their name on the stack as Lua's own
        // loader passes it; errors cannot happen but for lack of memory, which ends the process.
        unsafe {
            let raw = raw::lua_newstate(allocate, core.as_ptr().cast());
            let raw = NonNull::new(raw).expect("memory for an empty Lua state");
            for open in [
                raw::luaopen_base,
                raw::luaopen_table,
                raw::luaopen_string,
                raw::luaopen_math,
            ] {
                raw::lua_pushcclosure(raw.as_ptr(), open, 0);
                raw::lua_pushlstring_(raw.as_ptr(), c"".as_ptr(), 0);
                raw::lua_pcall(raw.as_ptr(), 1, 0, 0);
            }
            raw::lua_pushcclosure(raw.as_ptr(), note_fault, 0);
            let handler = raw::luaL_ref(raw.as_ptr(), raw::LUA_REGISTRYINDEX);
            let state = State { raw, core, handler };
            raw::lua_sethook(raw.as_ptr(), Some(hook), raw::LUA_MASKCOUNT, HOOK_STEPS);
            raw::lua_gc(raw.as_ptr(), raw::LUA_GCSETPAUSE, GC_PAUSE);
            state
        }
    }

    fn raw(&self) -> *mut raw::lua_State {
        self.raw.as_ptr()
    }

    /// The stack, to prepare calls and to read results.
    pub fn stack(&mut self) -> Stack<'_> {
        // SAFETY: outside of a call the limit raises nothing, and the borrow keeps others away.
        unsafe { Stack::new(self.raw(), 0, 0) }
    }

    /// Bytes that the state may hold from here on; 0 for no limit.
    ///
    /// Values above [`MEMORY_LIMIT_MAX`] count as that.
    pub fn set_limit(&mut self, bytes: usize) {
        let bytes = bytes.min(MEMORY_LIMIT_MAX);
        // SAFETY: sets a number.
        unsafe {
            self.core.as_mut().limit = bytes;
            raw::ochre_limit(self.raw(), bytes);
        }
    }

    /// Bytes that the state holds, garbage included.
    #[must_use]
    pub fn used(&self) -> usize {
        // SAFETY: asks a number.
        unsafe { raw::ochre_used(self.raw()) }
    }

    /// Bytes that are kept for small values to come; no part of [`Self::used`] and of the limit.
    #[must_use]
    pub fn kept(&self) -> usize {
        core_of(self.raw()).blocks.kept()
    }

    /// Frees all that nothing refers to, and lets the collector work again if a script stopped it. Nothing is kept
    /// either.
    pub fn collect(&mut self) {
        // SAFETY: no finalizers exist, so that no code of a script runs.
        unsafe {
            raw::lua_gc(self.raw(), raw::LUA_GCRESTART, 0);
            raw::lua_gc(self.raw(), raw::LUA_GCCOLLECT, 0);
        }
        core_of(self.raw()).blocks.clear();
    }

    /// Pushes the function that `text` is; `name` is its chunk's name (`@name` shows as `name`).
    ///
    /// # Errors
    /// Lua's message; nothing is pushed.
    pub fn compile(&mut self, name: &CStr, text: &[u8]) -> Result<(), CompileError> {
        let mut source = Source(Some(text));
        // SAFETY: a slot is ensured; the reader hands the text out once. The parser runs protected.
        let status = unsafe {
            raw::lua_checkstack(self.raw(), 4);
            raw::ochre_nothrow(self.raw(), -1);
            let status = raw::lua_load(
                self.raw(),
                read,
                ptr::from_mut(&mut source).cast(),
                name.as_ptr(),
            );
            raw::ochre_nothrow(self.raw(), 1);
            status
        };
        if status == 0 {
            return Ok(());
        }
        let mut stack = self.stack();
        let top = stack.top();
        let message = stack.bytes(top).unwrap_or(b"not enough memory").to_vec();
        stack.pop(1);
        Err(CompileError(message))
    }

    /// Calls the function below the last `args` values with them, lending it `interface`. Its results, `results` many
    /// (-1 for all), take their place.
    ///
    /// # Errors
    /// How it failed; the error value, if any, takes the place of function and arguments.
    ///
    /// # Panics
    /// When a function of the host panicked: with its panic.
    pub fn call(
        &mut self,
        interface: &mut dyn Interface,
        args: i32,
        results: i32,
    ) -> Result<(), Failure> {
        let state = self.raw();
        // SAFETY: only the lifetime changes; the pointer is removed before this returns.
        let lent: *mut (dyn Interface + 'static) = unsafe {
            std::mem::transmute::<*mut (dyn Interface + '_), *mut (dyn Interface + 'static)>(
                interface,
            )
        };
        let core = core_of(state);
        core.interface = Some(lent);
        core.fault = None;
        // SAFETY: function and arguments lie on top, as the caller says; were they not, Lua would call a nil, which is
        // an error. The handler goes below them. Every error is caught here.
        let status = unsafe {
            raw::lua_checkstack(state, 4);
            let args = args.clamp(0, (raw::lua_gettop(state) - 1).max(0));
            let at = raw::lua_gettop(state) - args;
            raw::lua_rawgeti_(state, raw::LUA_REGISTRYINDEX, self.handler);
            raw::lua_insert(state, at);
            raw::ochre_nothrow(state, -1);
            let status = raw::lua_pcall(state, args, results, at);
            raw::ochre_nothrow(state, 1);
            // Slots at and above `at`: the handler, then results or the error.
            remove(state, at);
            status
        };
        let core = core_of(state);
        core.interface = None;
        if let Some(panic) = core.panic.take() {
            std::panic::resume_unwind(panic);
        }
        let stopping = core.stopping.take();
        let fault = core.fault.take();
        if stopping.is_some() {
            // SAFETY: sets the hook as it was.
            unsafe { raw::lua_sethook(state, Some(hook), raw::LUA_MASKCOUNT, HOOK_STEPS) };
        }
        match (status, stopping) {
            (0, _) => Ok(()),
            (_, Some(text)) => Err(Failure::Stopped(text, fault)),
            (raw::LUA_ERRMEM, None) => Err(Failure::Memory),
            _ => Err(Failure::Error(fault)),
        }
    }

    /// Takes the value on top and keeps it.
    pub fn keep(&mut self) -> Ref {
        // SAFETY: luaL_ref takes what is on top, or stores nothing for a nil.
        Ref(unsafe {
            raw::lua_checkstack(self.raw(), 4);
            raw::luaL_ref(self.raw(), raw::LUA_REGISTRYINDEX)
        })
    }

    /// Pushes a kept value.
    pub fn push_ref(&mut self, kept: &Ref) {
        // SAFETY: a slot is ensured.
        unsafe {
            raw::lua_checkstack(self.raw(), 4);
            raw::lua_rawgeti_(self.raw(), raw::LUA_REGISTRYINDEX, kept.0);
        }
    }

    /// Lets a kept value go.
    #[allow(clippy::needless_pass_by_value)] // it is used up
    pub fn forget(&mut self, kept: Ref) {
        // SAFETY: a reference is released once, as it is not Copy.
        unsafe { raw::luaL_unref(self.raw(), raw::LUA_REGISTRYINDEX, kept.0) };
    }
}

/// # Safety
/// `at` is a valid index.
unsafe fn remove(state: *mut raw::lua_State, at: c_int) {
    // SAFETY: as the caller promises.
    unsafe { mlua_sys::lua51::lua_remove(state, at) };
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: the state is closed once, and its core freed after it. No code of a script runs, as there are no
        // finalizers.
        unsafe {
            raw::lua_close(self.raw());
            drop(Box::from_raw(self.core.as_ptr()));
        }
    }
}
