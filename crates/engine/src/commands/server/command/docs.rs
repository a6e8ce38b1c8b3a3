//! One entry of COMMAND DOCS: a map whose pairs are left out where there is nothing to say.

use super::info::full_name;
use crate::exec::Out;
use crate::spec::{Arg, ArgKind, Command, Flags};
use ochre_resp::Aggregate;

/// A map that is written pair by pair, and counted at the end.
struct Pairs<'a> {
    out: &'a mut Out,
    mark: ochre_resp::Mark,
    count: usize,
}

impl Pairs<'_> {
    fn begin(out: &mut Out) -> Pairs<'_> {
        let mark = out.mark();
        Pairs {
            out,
            mark,
            count: 0,
        }
    }

    /// Writes a name; the caller writes the value.
    fn name(&mut self, name: &str) -> &mut Out {
        self.count += 1;
        self.out.bulk(name.as_bytes());
        self.out
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.name(name).bulk(value.as_bytes());
        }
    }

    fn words(&mut self, name: &str, words: &[&str]) {
        if !words.is_empty() {
            let out = self.name(name);
            out.set(words.len());
            words.iter().for_each(|w| out.simple(w));
        }
    }

    fn end(self) {
        self.out.insert(self.mark, Aggregate::Map, self.count);
    }
}

/// Writes the documentation of a command; its subcommands follow inside.
pub(super) fn write(out: &mut Out, command: &Command, parent: Option<&Command>) {
    let mut pairs = Pairs::begin(out);
    pairs.text("summary", command.summary);
    pairs.text("since", command.since);
    pairs.text("group", command.group.name());
    pairs.text("complexity", command.complexity);
    let mut marks = Vec::new();
    if command.deprecated.is_some() {
        marks.push("deprecated");
    }
    if command.flags.has(Flags::SYSTEM) {
        marks.push("syscmd");
    }
    pairs.words("doc_flags", &marks);
    if let Some(deprecation) = command.deprecated {
        pairs.text("deprecated_since", deprecation.since);
        pairs.text("replaced_by", deprecation.instead);
    }
    if !command.history.is_empty() {
        let out = pairs.name("history");
        out.set(command.history.len());
        for (version, change) in command.history {
            out.array(2);
            out.bulk(version.as_bytes());
            out.bulk(change.as_bytes());
        }
    }
    if !command.args.is_empty() {
        write_args(pairs.name("arguments"), command.args);
    }
    // A subcommand has none of its own, so this goes one level deep.
    if !command.subcommands.is_empty() && parent.is_none() {
        let out = pairs.name("subcommands");
        out.map(command.subcommands.len());
        for sub in command.subcommands {
            out.bulk(full_name(sub, Some(command)).as_bytes());
            write(out, sub, Some(command));
        }
    }
    pairs.end();
}

fn write_args(out: &mut Out, args: &[Arg]) {
    out.array(args.len());
    for arg in args {
        let mut pairs = Pairs::begin(out);
        pairs.text("name", arg.name);
        pairs.text("type", arg.kind.name());
        if !matches!(arg.kind, ArgKind::OneOf | ArgKind::Block) {
            pairs.text("display_text", arg.name);
        }
        if arg.kind == ArgKind::Key {
            let index = i64::try_from(arg.key_spec).unwrap_or(i64::MAX);
            pairs.name("key_spec_index").integer(index);
        }
        pairs.text("token", arg.token.unwrap_or_default());
        pairs.text("since", arg.since.unwrap_or_default());
        let flags = [
            (arg.optional, "optional"),
            (arg.multiple, "multiple"),
            (arg.multiple_token, "multiple_token"),
        ];
        let flags: Vec<&str> = flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, n)| *n)
            .collect();
        pairs.words("flags", &flags);
        if !arg.args.is_empty() {
            write_args(pairs.name("arguments"), arg.args);
        }
        pairs.end();
    }
}
