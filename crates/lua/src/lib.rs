//! Lua 5.1 for scripts of strangers: a memory limit, read-only tables, library functions that can be interrupted.
//!
//! - [`State`]: a virtual machine, its limits, and running functions in it.
//! - [`Stack`] and [`Args`]: the values a function was called with, and those it makes.
//! - [`Native`] and [`Interface`]: functions of the host that scripts call.
//!
//! Knows nothing of keys, commands and replies. It is the only crate that touches Lua's C interface, through the
//! bindings of `mlua-sys`; the sources in `lua-5.1.5` differ from Lua's own as that folder's README says.
//! The safe interface of `mlua` is not used: its functions raise errors as userdata where scripts expect strings, and
//! what a safe call costs is several times what a script spends on one.
//!
//! Invariants
//! - While code of the host runs, reaching the memory limit raises nothing: Lua's errors jump over stack frames, and a
//!   frame of Rust may own memory. The limit is looked at before, by what pushes, and when the host returns.
//! - Errors leave a function of the host as values of [`Raise`]; the jump is made when nothing is owned any more.
//! - A panic in a function of the host becomes a Lua error, and is taken up again when the outermost call ends.

mod args;
mod blocks;
mod format;
mod native;
mod raw;
mod stack;
mod state;

pub use args::{Args, Kind};
pub use format::general;
pub use native::{Interface, Native, Raise, Verdict};
pub use stack::{Stack, TABLE_BYTES};
pub use state::{CompileError, Failure, Fault, HOOK_STEPS, MEMORY_LIMIT_MAX, Ref, State};
