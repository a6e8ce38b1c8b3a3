//! Functions of the host that Lua calls, and the hook that looks at the time.
//!
//! Invariant: Lua raises errors by a jump. It is made at the end of the functions here, when every value of Rust that
//! was made since Lua called is gone.
#![allow(unsafe_code)]

use crate::args::Args;
use crate::raw;
use crate::stack::Stack;
use crate::state::{Core, core_of, where_is};
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A function of the host: gets its arguments, pushes its results and says how many.
pub type Native = fn(Args<'_>, &mut Stack<'_>) -> Result<u32, Raise>;

/// What a script asks of the host that runs it.
pub trait Interface {
    /// Operation `number`, as registered with [`Stack::push_operation`].
    ///
    /// # Errors
    /// What the script is to see as an error.
    fn operation(
        &mut self,
        number: u32,
        args: Args<'_>,
        stack: &mut Stack<'_>,
    ) -> Result<u32, Raise>;

    /// Called once in a while: may the script go on?
    fn tick(&mut self) -> Verdict;
}

/// Whether a script goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It does.
    Go,
    /// It ends with this error, which it cannot catch.
    Stop(&'static str),
}

/// An error on its way into Lua.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Raise {
    /// A text as it is.
    Text(Vec<u8>),
    /// A text behind the place of the call, `chunk:line: `.
    At(Vec<u8>),
    /// A wrong argument, by number.
    Argument(i32, Vec<u8>),
    /// The value on top of the stack.
    Top,
    /// The memory limit.
    Memory,
    /// The end of the running call, which no script can catch: [`crate::Failure::Stopped`].
    Stop(&'static str),
}

impl Raise {
    /// A text as it is.
    pub fn text(text: impl Into<Vec<u8>>) -> Raise {
        Raise::Text(text.into())
    }

    /// A text behind the place of the call.
    pub fn at(text: impl Into<Vec<u8>>) -> Raise {
        Raise::At(text.into())
    }

    /// A wrong argument.
    pub fn argument(number: i32, text: impl Into<Vec<u8>>) -> Raise {
        Raise::Argument(number, text.into())
    }
}

/// What is left to do once no value of Rust is alive.
enum Jump {
    Return(c_int),
    /// The value on top.
    Error,
    /// The text on top, behind the place of the call.
    Place,
    /// The text on top, about an argument.
    Argument(c_int),
    Memory,
}

/// Pushes `function`; with `bound` it takes the value on top as its second upvalue.
pub(crate) fn push(state: *mut raw::lua_State, function: Native, bound: bool) {
    // SAFETY: the caller keeps two slots free, and a value on top if `bound`; a function is as large as a pointer.
    unsafe {
        raw::lua_pushlightuserdata(state, function as *mut std::ffi::c_void);
        if bound {
            raw::lua_insert(state, -2);
        }
        raw::lua_pushcclosure(state, call_native, 1 + c_int::from(bound));
    }
}

pub(crate) fn push_operation(state: *mut raw::lua_State, number: u32) {
    // SAFETY: the caller keeps a slot free.
    unsafe {
        raw::lua_pushnumber(state, f64::from(number));
        raw::lua_pushcclosure(state, call_operation, 1);
    }
}

unsafe extern "C-unwind" fn call_native(state: *mut raw::lua_State) -> c_int {
    // SAFETY: the upvalue is the function that `push` stored.
    let function: Native =
        unsafe { std::mem::transmute(raw::lua_touserdata(state, raw::lua_upvalueindex(1))) };
    let jump = enter(state, function);
    // SAFETY: nothing but plain numbers is alive here.
    unsafe { leave(state, jump) }
}

unsafe extern "C-unwind" fn call_operation(state: *mut raw::lua_State) -> c_int {
    // SAFETY: the upvalue is the number that `push_operation` stored.
    let number = unsafe { raw::lua_tonumber(state, raw::lua_upvalueindex(1)) };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it was a u32
    let number = number as u32;
    let jump = enter(state, |args, stack| {
        let core = core_of(state);
        let Some(interface) = core.interface else {
            return Err(Raise::at("no script is running"));
        };
        // SAFETY: `State::call` lends the interface until it returns, and this call is inside it. Neither an operation
        // nor a tick runs Lua, so that no second reference comes into being.
        unsafe { (*interface).operation(number, args, stack) }
    });
    // SAFETY: nothing but plain numbers is alive here.
    unsafe { leave(state, jump) }
}

/// Runs `function` with the limit's error switched off, and turns its outcome into what needs no memory of Rust.
#[inline]
fn enter(
    state: *mut raw::lua_State,
    function: impl FnOnce(Args<'_>, &mut Stack<'_>) -> Result<u32, Raise>,
) -> Jump {
    // SAFETY: Lua called, so that state and arguments are valid until this returns, and LUA_MINSTACK slots above them
    // are free; the limit raises nothing meanwhile.
    unsafe {
        raw::ochre_nothrow(state, 1);
        let len = raw::lua_gettop(state);
        let args = Args::new(state, len);
        let mut stack = Stack::new(state, len, raw::LUA_MINSTACK);
        let outcome = catch_unwind(AssertUnwindSafe(|| function(args, &mut stack)));
        let jump = match outcome {
            Ok(Ok(count)) => Jump::Return(c_int::try_from(count).unwrap_or(0)),
            Ok(Err(raise)) => prepare(state, len, raise),
            Err(panic) => {
                core_of(state).panic = Some(panic);
                prepare(state, len, Raise::at("internal error"))
            }
        };
        raw::ochre_nothrow(state, -1);
        jump
    }
}

/// Pushes what `raise` says, in the place of all above the `len` arguments.
///
/// # Safety
/// Inside a call from Lua, with the limit's error switched off.
unsafe fn prepare(state: *mut raw::lua_State, len: c_int, raise: Raise) -> Jump {
    let (text, jump) = match raise {
        Raise::Top => return Jump::Error,
        Raise::Memory => return Jump::Memory,
        Raise::Text(text) => (text, Jump::Error),
        Raise::Stop(text) => {
            core_of(state).stopping = Some(text);
            // SAFETY: from here on the hook ends whatever catches the error.
            unsafe { raw::lua_sethook(state, Some(hook), raw::LUA_MASKCOUNT, 1) };
            (text.as_bytes().to_vec(), Jump::Error)
        }
        Raise::At(text) => (text, Jump::Place),
        Raise::Argument(number, text) => (text, Jump::Argument(number)),
    };
    // SAFETY: as the caller promises; what the function had pushed is not needed any more.
    unsafe {
        raw::lua_settop(state, len);
        if raw::lua_checkstack(state, 4) == 0 {
            return Jump::Memory;
        }
        raw::lua_pushlstring_(state, text.as_ptr().cast(), text.len());
    }
    jump
}

/// Returns to Lua, or raises.
///
/// # Safety
/// Inside a call from Lua, with no value alive that needs dropping.
#[inline]
unsafe fn leave(state: *mut raw::lua_State, jump: Jump) -> c_int {
    // SAFETY: as the caller promises; the errors jump over this frame, which owns nothing.
    unsafe {
        match jump {
            Jump::Return(count) => {
                let limit = core_of(state).limit;
                if limit != 0 && raw::ochre_used(state) > limit {
                    raw::ochre_memory_error(state);
                }
                return count;
            }
            Jump::Memory => raw::ochre_memory_error(state),
            Jump::Error => raw::lua_error(state),
            Jump::Place => {
                raw::luaL_where(state, 1);
                raw::lua_insert(state, -2);
                raw::lua_concat(state, 2);
                raw::lua_error(state);
            }
            Jump::Argument(number) => {
                let text = raw::lua_tolstring(state, -1, std::ptr::null_mut());
                raw::luaL_argerror(state, number, text);
            }
        }
    }
    0
}

/// Asks the interface whether to go on.
pub(crate) unsafe extern "C-unwind" fn hook(state: *mut raw::lua_State, _: *mut raw::lua_Debug) {
    let core: &mut Core = core_of(state);
    let Some(interface) = core.interface else {
        return;
    };
    let stop = if core.stopping.is_some() {
        core.stopping
    } else {
        // SAFETY: as in `call_operation`; the hook runs between instructions and in loops of Lua's own library.
        match catch_unwind(AssertUnwindSafe(|| unsafe { (*interface).tick() })) {
            Ok(Verdict::Go) => None,
            Ok(Verdict::Stop(text)) => Some(text),
            Err(panic) => {
                core.panic = Some(panic);
                Some("internal error")
            }
        }
    };
    let Some(text) = stop else {
        return;
    };
    core.stopping = Some(text);
    // SAFETY: inside a hook; nothing that needs dropping is alive when the error is raised.
    unsafe {
        // From here on after every instruction, so that no `pcall` keeps the script alive.
        raw::lua_sethook(state, Some(hook), raw::LUA_MASKCOUNT, 1);
        raw::ochre_nothrow(state, 1);
        let room = raw::lua_checkstack(state, 4) != 0;
        if room {
            raw::lua_pushlstring_(state, text.as_ptr().cast(), text.len());
        }
        raw::ochre_nothrow(state, -1);
        if !room {
            raw::ochre_memory_error(state);
        }
        raw::lua_error(state);
    }
}

/// Notes where the error on top was raised, and leaves it as it is.
pub(crate) unsafe extern "C-unwind" fn note_fault(state: *mut raw::lua_State) -> c_int {
    core_of(state).fault = where_is(state);
    1
}
