//! The reference page of the settings, generated from the table.
//!
//! `docs/settings.md` holds it; a test fails where the two differ, and writes the file when the
//! variable `OCHRE_BLESS` is set.

use std::fmt::Write;

use super::rows::TABLE;
use super::setting::{Flags, Kind, Setting, Standing};

const INTRODUCTION: &str = "\
# Settings

This page is generated from the table in `crates/engine/src/settings`; run the tests with \
`OCHRE_BLESS=1` to write it again.

Every setting may stand in the configuration file (`maxmemory 2gb`), on the command line \
(`--maxmemory 2gb`), and, unless it is marked as fixed at the start, in `CONFIG SET maxmemory 2gb`.
Sizes in bytes take the units `k`, `m`, `g` (powers of 1000) and `kb`, `mb`, `gb` (powers of 1024).

";

/// The page as Markdown.
#[must_use]
pub fn render_reference() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("## Settings that have effect\n\n");
    page.push_str("| name | value | default | meaning |\n|---|---|---|---|\n");
    let standing = |wanted: fn(Standing) -> bool| {
        TABLE
            .iter()
            .filter(move |setting| wanted(setting.standing) && !setting.flags.has(Flags::HIDDEN))
    };
    for setting in standing(|standing| standing == Standing::Live) {
        page.push_str(&table_row(setting));
    }
    page.push_str("\n## Settings of what is not there yet\n\n");
    page.push_str("Only the default is accepted; anything else stops the start.\n\n");
    for setting in standing(|standing| matches!(standing, Standing::Absent { .. })) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "- `{}`: {}", setting.name, setting.doc);
    }
    page.push_str("\n## Settings without effect\n\n");
    page.push_str("They are accepted and checked, so that files made for Redis load, and the log names them once.\n\n");
    let inert: Vec<String> = standing(|standing| standing == Standing::Inert)
        .map(|setting| format!("`{}`", setting.name))
        .collect();
    page.push_str(&inert.join(",\n"));
    page.push_str(".\n");
    page
}

fn table_row(setting: &Setting) -> String {
    let mut name = format!("`{}`", setting.name);
    if let Some(alias) = setting.alias {
        name.push_str(&format!(" (`{alias}`)"));
    }
    let mut meaning = setting.doc.replace('|', "\\|");
    if setting.flags.has(Flags::IMMUTABLE) {
        meaning.push_str(" Fixed at the start.");
    }
    if setting.flags.has(Flags::PROTECTED) {
        meaning.push_str(" Protected.");
    }
    let default = match setting.default {
        "" => "empty".to_owned(),
        default => format!("`{default}`"),
    };
    format!(
        "| {name} | {} | {default} | {meaning} |\n",
        describe(setting.kind)
    )
}

fn describe(kind: Kind) -> String {
    match kind {
        Kind::Bool => "yes or no".to_owned(),
        Kind::Int { min, max: i64::MAX } => format!("integer from {min}"),
        Kind::Int { min, max } => format!("integer, {min} to {max}"),
        Kind::Memory { min: 0, .. } => "bytes".to_owned(),
        Kind::Memory { min, .. } => format!("bytes, from {min}"),
        Kind::MemoryOrPercent => "bytes or percentage".to_owned(),
        Kind::OctalMode => "octal mode".to_owned(),
        Kind::Choice(words) => words.join(", "),
        Kind::Text => "text".to_owned(),
        Kind::Words { max } => format!("up to {max} words"),
        Kind::SaveRules => "pairs of seconds and changes".to_owned(),
        Kind::BufferLimits => "class, hard limit, soft limit, seconds; repeated".to_owned(),
        Kind::Percentiles => "percentiles".to_owned(),
        Kind::OomScores => "three integers".to_owned(),
        Kind::EventClasses => "letters of `g$lshzxetdnKEmA`".to_owned(),
        Kind::ShutdownFlags => "default, or of save, nosave, now, force".to_owned(),
        Kind::Primary => "host and port, or `no one`".to_owned(),
    }
}
