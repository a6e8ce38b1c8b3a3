//! Bitmap commands: bits and integer fields of strings.

mod bit;
mod combine;
mod count;
mod field;
mod offset;

use crate::spec::Command;

/// The family's commands.
pub const COMMANDS: &[Command] = &[
    bit::SETBIT,
    bit::GETBIT,
    count::BITCOUNT,
    count::BITPOS,
    combine::BITOP,
    field::BITFIELD,
    field::BITFIELD_RO,
];
