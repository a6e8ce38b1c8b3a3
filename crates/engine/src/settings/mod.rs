//! The settings: one row for each, from which CONFIG GET, SET and REWRITE, the command line, the
//! syntax of the configuration file and the reference page derive.
//!
//! Invariants:
//! - A setting is declared in `rows` and nowhere else; a handle in [`id`] only points at its row.
//! - Redis's names, bounds, defaults and error texts hold (7.0.15, with later additions).
//! - What is not there is refused, never silently accepted: see [`Standing`].
//!
//! Lines that declare users are collected here and understood by `acl`.
//!
//! Does no I/O: files are read through [`FileSource`], changes are carried out by [`Apply`].

mod args;
mod events;
mod file;
pub mod id;
mod quoting;
mod reference;
mod rewrite;
mod rows;
mod setting;
mod store;
mod value;

#[cfg(test)]
mod tests;

pub use args::{Action, CommandLineError, Invocation, parse_command_line, usage};
pub use events::EventClasses;
pub use file::{
    FILE_BYTES_MAX, FileSource, INCLUDE_DEPTH_MAX, INCLUDE_FILES_MAX, LoadError, Place, UserLine,
};
pub use reference::render_reference;
pub use rewrite::{MARKER, rewrite};
pub use rows::TABLE;
pub(crate) use rows::data::POLICIES;
pub use setting::{Check, Flags, Kind, Setting, Standing};
pub use store::{
    Apply, BufferLimit, Changed, ClientClass, Origin, Refusal, SetError, Settings, lookup,
};
pub use value::{Value, show};
