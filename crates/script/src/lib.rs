//! Lua scripts and functions: the sandbox, its libraries, the caches, and the commands that run them.
//!
//! - [`Vm`]: a virtual machine as Redis's scripts expect it, reaching commands through [`Host`] and nothing else.
//! - [`Pool`]: machines, one for each thread that runs a script.
//! - [`Scripts`]: what an engine keeps of scripts and libraries; its commands are a family of the engine's.
//!
//! Knows the engine's commands by their declarations only. Invariants
//! - A script is a unit of the engine: nobody sees its middle.
//! - A script can neither stop others for longer than it holds their stripes, nor take more memory than
//!   `script-memory-limit`, nor leave anything behind that the next one sees, but for what its libraries keep.

mod answer;
mod api;
mod bit;
mod cache;
mod commands;
mod header;
mod host;
mod json;
mod library;
mod msgpack;
mod payload;
mod pool;
mod reply;
mod running;
mod sandbox;
mod scripts;
mod structs;
mod vm;

pub use api::{Host, Replication, Sha, digest, hex, parse_sha};
pub use header::{Flags, library, script};
pub use library::{Function, Libraries, Library, Registration};
pub use pool::{Lease, Pool};
pub use sandbox::Purpose;
pub use scripts::Scripts;
pub use vm::{ScriptError, Vm};
