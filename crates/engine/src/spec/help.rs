//! The HELP subcommand of a container, derived from its declaration.
//!
//! One line of usage for each subcommand, and its summary indented below: the layout of Redis's HELP,
//! with our own summaries. Costs an allocation per line; nobody asks for help in a loop.

use super::{Arg, ArgKind, Command};
use crate::exec::Out;

/// Answers `container HELP`: an array of simple strings.
pub fn help(container: &Command, out: &mut Out) {
    out.array(1 + 2 * container.subcommands.len());
    out.simple(format!(
        "{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        container.name.to_uppercase()
    ));
    for command in container.subcommands {
        let mut usage = command.name.to_uppercase();
        for arg in command.args {
            usage.push(' ');
            usage.push_str(&usage_of(arg, true));
        }
        out.simple(usage);
        out.simple(format!("    {}", command.summary));
    }
}

fn usage_of(arg: &Arg, brackets: bool) -> String {
    let nested = |separator, brackets| {
        let parts: Vec<String> = arg.args.iter().map(|a| usage_of(a, brackets)).collect();
        parts.join(separator)
    };
    let value = match arg.kind {
        ArgKind::Token => String::new(),
        ArgKind::OneOf => format!("({})", nested("|", false)),
        ArgKind::Block => nested(" ", true),
        _ => format!("<{}>", arg.name),
    };
    let repeated = |one: String| match (arg.multiple, arg.args.is_empty()) {
        (false, _) => one,
        (true, true) => format!("{one} [{one} ...]"),
        (true, false) => format!("{one} [...]"),
    };
    let whole = match arg.token {
        None => repeated(value),
        Some(token) if value.is_empty() => repeated(token.to_owned()),
        Some(token) if arg.multiple_token => repeated(format!("{token} {value}")),
        Some(token) => format!("{token} {}", repeated(value)),
    };
    if arg.optional && brackets {
        format!("[{whole}]")
    } else {
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::usage_of;
    use crate::spec::Arg;

    #[test]
    fn usage_follows_the_grammar() {
        const MODES: &[Arg] = &[Arg::word("on", "ON"), Arg::word("off", "OFF")];
        let cases = [
            (Arg::string("name"), "<name>"),
            (Arg::string("name").optional(), "[<name>]"),
            (Arg::one_of("mode", MODES), "(ON|OFF)"),
            (
                Arg::one_of("mode", MODES).token("MODE").optional(),
                "[MODE (ON|OFF)]",
            ),
            (
                Arg::integer("id").token("ID").multiple(),
                "ID <id> [<id> ...]",
            ),
            (
                Arg::integer("id").token("ID").multiple_token(),
                "ID <id> [ID <id> ...]",
            ),
            (Arg::one_of("mode", MODES).multiple(), "(ON|OFF) [...]"),
            (Arg::word("all", "ALL").optional(), "[ALL]"),
        ];
        for (arg, expected) in cases {
            assert_eq!(usage_of(&arg, true), expected);
        }
    }
}
