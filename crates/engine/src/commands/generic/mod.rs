//! Commands on keys of any type.

mod dump;
mod object;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    dump::DUMP,
    dump::RESTORE,
    dump::RESTORE_ASKING,
    object::OBJECT,
];
