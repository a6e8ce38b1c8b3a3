//! One entry of COMMAND INFO: ten elements, of which Redis adds at the end only.

use crate::exec::{Entry, Out};
use crate::spec::{Access, Begin, Command, Find, KeySpec};

/// Writes a command's entry.
pub(super) fn write(out: &mut Out, entry: Entry) {
    let command = entry.command;
    out.array(10);
    out.bulk(entry.full_name().as_bytes());
    out.integer(i64::from(command.arity));
    let flags: Vec<&str> = command.all_flags().names().collect();
    out.set(flags.len());
    flags.iter().for_each(|f| out.simple(f));
    let range = legacy_range(command.keys);
    [range.first, range.last, range.step]
        .iter()
        .for_each(|n| out.integer(*n));
    let categories: Vec<&str> = command.all_categories().names().collect();
    out.set(categories.len());
    categories.iter().for_each(|c| out.simple(format!("@{c}")));
    out.set(command.tips.len());
    command.tips.iter().for_each(|t| out.bulk(t.as_bytes()));
    out.set(command.keys.len());
    command.keys.iter().for_each(|spec| write_spec(out, spec));
    out.set(command.subcommands.len());
    for sub in command.subcommands {
        write(out, Entry::new(sub, Some(command), entry.index));
    }
}

/// First key, last key (negative: from the end) and step, as clients before Redis 7 know keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct LegacyRange {
    first: i64,
    last: i64,
    step: i64,
}

/// The specifications as one range: the only one of them, or those with step 1 that lie side by side.
/// What does not fit is left out, which the flag `movablekeys` tells.
fn legacy_range(specs: &[KeySpec]) -> LegacyRange {
    let range = |spec: &KeySpec| match (spec.begin, spec.find) {
        (Begin::Index(first), Find::Range { last, step, .. }) => {
            let first = i64::try_from(first).unwrap_or(i64::MAX);
            let last = i64::from(last);
            Some(LegacyRange {
                first,
                last: if last >= 0 { first + last } else { last },
                step: i64::try_from(step).unwrap_or(i64::MAX),
            })
        }
        _ => None,
    };
    if let [spec] = specs {
        return range(spec).unwrap_or_default();
    }
    let mut merged: Option<LegacyRange> = None;
    for next in specs.iter().filter_map(range).filter(|r| r.step == 1) {
        merged = Some(match merged {
            None => next,
            Some(m) if m.last == next.first - 1 => LegacyRange {
                last: next.last,
                ..m
            },
            Some(m) => m,
        });
    }
    merged.unwrap_or_default()
}

/// Writes the names of an access. `plain` leaves out what is about the specification, not about a key.
pub(super) fn write_access(out: &mut Out, access: Access, plain: bool) {
    let of_spec = Access::INCOMPLETE
        .with(Access::VARIABLE)
        .with(Access::NOT_KEY);
    let hidden: Vec<&str> = of_spec.names().collect();
    let names: Vec<&str> = access
        .names()
        .filter(|n| !plain || !hidden.contains(n))
        .collect();
    out.set(names.len());
    names.iter().for_each(|n| out.simple(n));
}

fn write_spec(out: &mut Out, spec: &KeySpec) {
    out.map(3 + usize::from(spec.notes.is_some()));
    if let Some(notes) = spec.notes {
        out.bulk(b"notes");
        out.bulk(notes.as_bytes());
    }
    out.bulk(b"flags");
    write_access(out, spec.access, false);
    out.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => part(out, "index", &[("index", number(index))]),
        Begin::Keyword { word, from } => {
            header(out, "keyword", 2);
            out.bulk(b"keyword");
            out.bulk(word.as_bytes());
            out.bulk(b"startfrom");
            out.integer(i64::from(from));
        }
        Begin::Unknown => header(out, "unknown", 0),
    }
    out.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let fields = [
                ("lastkey", i64::from(last)),
                ("keystep", number(step)),
                ("limit", number(limit)),
            ];
            part(out, "range", &fields);
        }
        Find::Count { at, first, step } => {
            let fields = [
                ("keynumidx", number(at)),
                ("firstkey", number(first)),
                ("keystep", number(step)),
            ];
            part(out, "keynum", &fields);
        }
        Find::Unknown => header(out, "unknown", 0),
    }
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn header(out: &mut Out, kind: &str, fields: usize) {
    out.map(2);
    out.bulk(b"type");
    out.bulk(kind.as_bytes());
    out.bulk(b"spec");
    out.map(fields);
}

fn part(out: &mut Out, kind: &str, fields: &[(&str, i64)]) {
    header(out, kind, fields.len());
    for (name, value) in fields {
        out.bulk(name.as_bytes());
        out.integer(*value);
    }
}

/// The declared name of a subcommand as COMMAND INFO spells it.
pub(super) fn full_name(command: &Command, parent: Option<&Command>) -> String {
    match parent {
        Some(parent) => format!("{}|{}", parent.name, command.name),
        None => command.name.to_owned(),
    }
}
