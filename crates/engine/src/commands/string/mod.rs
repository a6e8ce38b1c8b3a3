//! String commands.

mod get;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[get::GET, get::STRLEN];
