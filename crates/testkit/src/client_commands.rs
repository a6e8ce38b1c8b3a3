//! Writes the client's typed commands from the declarations: `crates/client/src/commands/generated`.
//!
//! Invariants
//! - Every command and subcommand with a handler has a function; which clients offer it as a method follows from its
//!   flags and from [`replies::OCCUPYING`].
//! - Required arguments are parameters in their order; optional ones are methods of the call, each inserted at its
//!   place, whatever is required after it. What the grammar nests deeper than a parameter can say is a list of words.
//! - The same table gives the same text, in the order of names.
//!
//! The table does not know what commands reply; [`replies`] does, and what it does not list is a `Value`.

mod params;
pub mod replies;

use ochre_engine::commands::FAMILIES;
use ochre_engine::ports::Scripting as _;
use ochre_engine::spec::{Arg, ArgKind, Command, Flags, Group, Run};
use params::{Words, parameter};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Most options of one place, and most places; the client's `Call` has room for so many.
const GAPS_MAX: usize = 4;

const HEADER: &str = "// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.\n";

/// The generated files: name and text.
#[must_use]
pub fn files() -> BTreeMap<String, String> {
    let mut groups: BTreeMap<String, Vec<(Vec<&'static str>, &'static Command)>> = BTreeMap::new();
    let scripts = ochre_script::Scripts::default().families();
    for command in FAMILIES.iter().chain(scripts).copied().flatten() {
        collect(command, &mut Vec::new(), &mut groups);
    }
    let mut words = Words::default();
    let mut files = BTreeMap::new();
    let mut modules = String::from(HEADER);
    modules.push_str("//! The typed commands, a group a module.\n\n");
    for (group, mut commands) in groups {
        commands.sort_by_key(|(words, _)| words.join(" "));
        let module = group.replace('-', "_");
        for (part, commands) in commands.chunks(COMMANDS_PER_FILE).enumerate() {
            let name = match part {
                0 => module.clone(),
                n => format!("{module}_{}", n + 1),
            };
            let _ = writeln!(modules, "mod {name};\npub use {name}::*;");
            files.insert(format!("{name}.rs"), file(&group, commands, &mut words));
        }
    }
    modules.push_str("mod words;\npub use words::*;\n");
    files.insert("mod.rs".to_owned(), modules);
    files.insert("words.rs".to_owned(), words.file());
    files
}

/// So that no file grows beyond what one likes to read.
const COMMANDS_PER_FILE: usize = 16;

fn collect(
    command: &'static Command,
    above: &mut Vec<&'static str>,
    groups: &mut BTreeMap<String, Vec<(Vec<&'static str>, &'static Command)>>,
) {
    above.push(command.name);
    if !matches!(command.run, Run::Container) {
        let group = command.group.name().to_owned();
        groups
            .entry(group)
            .or_default()
            .push((above.clone(), command));
    }
    for sub in command.subcommands {
        collect(sub, above, groups);
    }
    above.pop();
}

fn file(
    group: &str,
    commands: &[(Vec<&'static str>, &'static Command)],
    words: &mut Words,
) -> String {
    let mut text = String::from(HEADER);
    let _ = writeln!(text, "//! Commands of the group `{group}`.\n");
    let mut body = String::new();
    for (name, command) in commands {
        body.push('\n');
        one(name, command, words, &mut body);
    }
    if body.contains("impl Arg") || body.contains(".add_to(") {
        let _ = writeln!(text, "use crate::arg::Arg;");
    }
    for (used, import) in [
        ("Call<", "use crate::call::Call;"),
        ("declare!", "use crate::commands::declare;"),
        ("Value", "use crate::value::Value;"),
        ("Bytes", "use bytes::Bytes;"),
    ] {
        if body.contains(used) {
            let _ = writeln!(text, "{import}");
        }
    }
    let used = words
        .names()
        .filter(|n| body.contains(*n))
        .collect::<Vec<_>>();
    if !used.is_empty() {
        let _ = writeln!(text, "use super::words::{{{}}};", used.join(", "));
    }
    text.push_str(&body);
    text
}

/// `config get` to `ConfigGet`.
fn pascal(text: &str) -> String {
    let mut upper = true;
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        } else {
            upper = true;
        }
    }
    out
}

/// A Rust name for a word of the grammar.
fn snake(text: &str) -> String {
    let mut name: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    const RESERVED: [&str; 13] = [
        "type", "move", "match", "ref", "loop", "in", "where", "use", "self", "as", "fn", "call",
        "async",
    ];
    if RESERVED.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

fn one(name: &[&str], command: &Command, words: &mut Words, out: &mut String) {
    let full = name.join(" ");
    let upper = full.to_ascii_uppercase();
    let (function, marker) = (snake(&full), pascal(&full));
    let docs = docs(&upper, command);
    let mut params = String::new();
    let mut build = String::from("call");
    let mut options = String::new();
    let (mut gap, mut open) = (0, false);
    let mut args = command.args.iter().peekable();
    let mut names = Vec::new();
    while let Some(arg) = args.next() {
        if arg.optional {
            if !open {
                let _ = write!(build, ".gap({gap})");
                open = true;
            }
            params::option(arg, gap, words, &full, &mut options);
            continue;
        }
        if open {
            gap += 1;
            open = false;
            assert!(gap < GAPS_MAX, "{full} has too many places for options");
        }
        // Keys of a script may be none; their number is said all the same.
        let is_told = |next: &Arg| !next.optional || next.kind == ArgKind::Key;
        let counted = is_count(arg)
            && args
                .peek()
                .is_some_and(|next| next.multiple && is_told(next));
        let arg = if counted {
            args.next().unwrap_or(arg)
        } else {
            arg
        };
        let mut param = parameter(arg, words, &full);
        while names.contains(&param.name) {
            param.name.push('_');
        }
        names.push(param.name.clone());
        if counted {
            param.append = param.append.replace(".with_all(", ".with_counted(");
        }
        let _ = write!(params, "{}: {}, ", param.name, param.kind);
        build.push_str(&param.append.replace("$", &param.name));
    }
    let params = params.trim_end_matches(", ");
    let reply = replies::of(&full);
    let on = replies::offered_by(command, &full);
    let list = upper
        .split(' ')
        .map(|w| format!("\"{w}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let _ = writeln!(
        out,
        "declare! {{\n{docs}    {on} {function} {marker} [{list}]\n    ({params}) -> {reply};\n    call => {build}\n}}"
    );
    if !options.is_empty() {
        let _ = writeln!(
            out,
            "\nimpl<E, R> Call<E, {marker}, R> {{\n{}}}",
            options.trim_start_matches('\n')
        );
    }
}

/// Whether an argument is the number of those that follow.
fn is_count(arg: &Arg) -> bool {
    arg.name.starts_with("num") && arg.kind == ArgKind::Integer
}

fn docs(upper: &str, command: &Command) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "    /// {}", command.summary);
    let usage = params::usage(command.args);
    let usage = if usage.is_empty() {
        upper.to_owned()
    } else {
        format!("{upper} {usage}")
    };
    let _ = writeln!(text, "    ///\n    /// `{usage}`");
    let _ = writeln!(
        text,
        "    ///\n    /// Since {}. {}",
        command.since,
        sentence(command.complexity)
    );
    if let Some(old) = command.deprecated {
        let _ = writeln!(
            text,
            "    ///\n    /// Discouraged since {}: use {}.",
            old.since, old.instead
        );
    }
    text
}

fn sentence(text: &str) -> String {
    let text = text
        .replace('[', "\\[")
        .replace(']', "\\]")
        .replace('<', "\\<");
    if text.is_empty() || text.ends_with('.') {
        text
    } else {
        format!("{text}.")
    }
}

/// Whether a command belongs to a group of which the client makes no methods.
pub(crate) fn is_subscription(command: &Command) -> bool {
    command.group == Group::PubSub && command.flags.has(Flags::PUBSUB.with(Flags::NOSCRIPT))
}
