//! The table of all settings, joined from one file for each theme.
//!
//! Invariants (table tests): names and aliases are unique; every default parses and prints back.
//! Names, bounds and defaults are those of Redis 7.0.15, with what 7.2 and 8.2 added; the bound of
//! `maxmemory-samples` is that of 8.2, so that the work of one removal is bounded.

pub(crate) mod data;
mod network;
mod storage;
mod table;

use super::setting::Setting;

const COUNT: usize =
    network::ROWS.len() + data::ROWS.len() + storage::ROWS.len() + table::ROWS.len();

/// All settings, in the order in which `CONFIG GET *` answers.
pub static TABLE: [Setting; COUNT] = join();

const fn join() -> [Setting; COUNT] {
    let parts = [network::ROWS, data::ROWS, storage::ROWS, table::ROWS];
    let mut table = [network::ROWS[0]; COUNT];
    let (mut part, mut filled) = (0, 0);
    while part < parts.len() {
        let mut row = 0;
        while row < parts[part].len() {
            table[filled] = parts[part][row];
            filled += 1;
            row += 1;
        }
        part += 1;
    }
    table
}

/// The row named `name`. For constants: a name that is not in the table stops the build.
pub(super) const fn row(name: &str) -> usize {
    let mut row = 0;
    while row < COUNT {
        if same(TABLE[row].name.as_bytes(), name.as_bytes()) {
            return row;
        }
        row += 1;
    }
    panic!("no setting has this name")
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The row whose name or alias is `name`, in any case.
pub(super) fn find(name: &[u8]) -> Option<usize> {
    TABLE.iter().position(|setting| setting.answers_to(name))
}
