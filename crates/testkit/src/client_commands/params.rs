//! Arguments of the grammar as parameters, options and words of Rust.

use super::{is_count, pascal, snake};
use ochre_engine::spec::{Arg, ArgKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Names that options must not have, because every call has them.
const TAKEN: [&str; 4] = ["arg", "returning", "timeout", "with"];

/// Names of sets of words that several commands share.
const SHARED: &[(&[&str], &str)] = &[
    (&["LEFT", "RIGHT"], "Side"),
    (&["BEFORE", "AFTER"], "Beside"),
    (&["MIN", "MAX"], "Extreme"),
    (&["ON", "OFF"], "Switch"),
];

/// Enumerations of words: the words of each name.
#[derive(Default)]
pub(super) struct Words(BTreeMap<String, Vec<&'static str>>);

impl Words {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The name of an enumeration of `words`, made if there is none.
    fn name(&mut self, words: Vec<&'static str>, command: &str, arg: &str) -> String {
        let shared = SHARED.iter().find(|(w, _)| *w == words.as_slice());
        let name = shared.map_or_else(
            || pascal(&format!("{command} {arg}")),
            |(_, n)| (*n).to_owned(),
        );
        self.0.insert(name.clone(), words);
        name
    }

    pub(super) fn file(&self) -> String {
        let mut text = String::from(super::HEADER);
        text.push_str("//! Words of which a command takes one.\n\nuse crate::commands::words;\n");
        for (name, words) in &self.0 {
            let list = words
                .iter()
                .map(|w| format!("`{w}`"))
                .collect::<Vec<_>>()
                .join(", ");
            let _ = writeln!(text, "\nwords! {{\n    /// One of {list}.\n    {name}");
            for word in words {
                let variant = pascal(&word.to_ascii_lowercase());
                let _ = writeln!(text, "    {variant} = \"{word}\"");
            }
            text.push_str("}\n");
        }
        text
    }
}

/// One parameter of a function: its name, its type, and how it gets into the request (`$` is its name).
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) append: String,
}

/// The type of an argument that is one word, without its token.
fn simple(arg: &Arg) -> Option<&'static str> {
    match arg.kind {
        ArgKind::String | ArgKind::Key | ArgKind::Pattern => Some("impl Arg"),
        // Cursors are unsigned and use all bits.
        ArgKind::Integer if arg.name == "cursor" => Some("u64"),
        ArgKind::Integer | ArgKind::UnixTime => Some("i64"),
        ArgKind::Double => Some("f64"),
        ArgKind::Token | ArgKind::OneOf | ArgKind::Block => None,
    }
}

/// The type of one or several words that belong together.
fn item(arg: &Arg) -> Option<String> {
    if let Some(kind) = simple(arg) {
        return Some(kind.to_owned());
    }
    let plain = |a: &Arg| !a.optional && !a.multiple && a.token.is_none();
    if arg.kind == ArgKind::Block && arg.args.len() <= 3 && arg.args.iter().all(plain) {
        let kinds: Option<Vec<&str>> = arg.args.iter().map(simple).collect();
        return Some(format!("({})", kinds?.join(", ")));
    }
    None
}

/// The words of an argument that is exactly one of several.
fn choice(arg: &Arg) -> Option<Vec<&'static str>> {
    if arg.kind != ArgKind::OneOf || arg.multiple {
        return None;
    }
    let word = |a: &Arg| (a.kind == ArgKind::Token).then_some(a.token).flatten();
    arg.args.iter().map(word).collect()
}

fn words_parameter(arg: &Arg) -> Parameter {
    Parameter {
        name: snake(arg.name),
        kind: "impl IntoIterator<Item = impl Arg>".to_owned(),
        append: ".with_all($)".to_owned(),
    }
}

/// A required argument as a parameter.
pub(super) fn parameter(arg: &Arg, words: &mut Words, command: &str) -> Parameter {
    let name = snake(arg.name);
    let token = match (arg.token, arg.kind) {
        (Some(token), kind) if kind != ArgKind::Token => format!(".with(\"{token}\")"),
        _ => String::new(),
    };
    if let Some(choice) = choice(arg) {
        let kind = words.name(choice, command, arg.name);
        let append = format!("{token}.with($)");
        return Parameter { name, kind, append };
    }
    match item(arg) {
        Some(item) if arg.multiple && !arg.multiple_token => Parameter {
            name,
            kind: format!("impl IntoIterator<Item = {item}>"),
            append: format!("{token}.with_all($)"),
        },
        Some(item) if !arg.multiple => Parameter {
            name,
            kind: item,
            append: format!("{token}.with($)"),
        },
        _ => words_parameter(arg),
    }
}

/// An optional argument as a method, or as one for each of its alternatives.
pub(super) fn option(arg: &Arg, gap: usize, words: &mut Words, command: &str, out: &mut String) {
    if arg.kind == ArgKind::OneOf && arg.token.is_none() && !arg.multiple {
        for alternative in arg.args {
            option(alternative, gap, words, command, out);
        }
        return;
    }
    let mut method = snake(arg.token.unwrap_or(arg.name));
    if TAKEN.contains(&method.as_str()) {
        method.push_str(if arg.multiple { "s" } else { "_option" });
    }
    let usage = usage(std::slice::from_ref(&Arg {
        optional: false,
        ..*arg
    }));
    let mut text = format!("\n    /// `{usage}`\n");
    if let Some(token) = (arg.kind == ArgKind::Token).then_some(arg.token).flatten() {
        let _ = writeln!(
            text,
            "    pub fn {method}(self) -> Self {{\n        self.option({gap}, |r| r.push(b\"{token}\"))\n    }}"
        );
        out.push_str(&text);
        return;
    }
    let inner: Vec<Arg> = match arg.kind {
        ArgKind::Block if !arg.multiple => arg.args.to_vec(),
        _ => vec![Arg {
            token: None,
            optional: false,
            ..*arg
        }],
    };
    let (params, add) = body(&inner, arg, words, command);
    let token = arg.token.filter(|_| !arg.multiple_token);
    let token = token.map_or(String::new(), |t| {
        format!("            r.push(b\"{t}\");\n")
    });
    let _ = writeln!(
        text,
        "    pub fn {method}(self, {params}) -> Self {{\n        self.option({gap}, |r| {{\n{token}{add}        }})\n    }}"
    );
    out.push_str(&text);
}

/// Parameters of an option, and the statements that append them.
fn body(inner: &[Arg], outer: &Arg, words: &mut Words, command: &str) -> (String, String) {
    let (mut params, mut add) = (Vec::new(), String::new());
    let mut args = inner.iter().peekable();
    while let Some(arg) = args.next() {
        let counted = is_count(arg) && args.peek().is_some_and(|n| n.multiple && !n.optional);
        let arg = if counted {
            args.next().unwrap_or(arg)
        } else {
            arg
        };
        let name = snake(arg.name);
        let token = match arg.token {
            Some(token) if arg.kind != ArgKind::Token => {
                format!("            r.push(b\"{token}\");\n")
            }
            _ => String::new(),
        };
        let (kind, statement) = match (choice(arg), item(arg)) {
            (Some(choice), _) => (
                words.name(choice, command, arg.name),
                format!("            {name}.add_to(r);\n"),
            ),
            (None, Some(item)) if arg.multiple && outer.multiple_token => {
                let token = outer.token.unwrap_or_default();
                let each = format!(
                    "            for one in {name} {{\n                r.push(b\"{token}\");\n                one.add_to(r);\n            }}\n"
                );
                (format!("impl IntoIterator<Item = {item}>"), each)
            }
            (None, Some(item)) if arg.multiple && counted => (
                format!("impl IntoIterator<Item = {item}>"),
                format!("            r.push_counted({name});\n"),
            ),
            (None, Some(item)) if arg.multiple => (
                format!("impl IntoIterator<Item = {item}>"),
                format!(
                    "            for one in {name} {{\n                one.add_to(r);\n            }}\n"
                ),
            ),
            (None, Some(item)) => (item, format!("            {name}.add_to(r);\n")),
            (None, None) if arg.kind == ArgKind::Token => {
                let word = arg.token.unwrap_or_default();
                if arg.optional {
                    (
                        "bool".to_owned(),
                        format!(
                            "            if {name} {{\n                r.push(b\"{word}\");\n            }}\n"
                        ),
                    )
                } else {
                    let _ = writeln!(add, "            r.push(b\"{word}\");");
                    continue;
                }
            }
            (None, None) => (
                "impl IntoIterator<Item = impl Arg>".to_owned(),
                format!(
                    "            for one in {name} {{\n                one.add_to(r);\n            }}\n"
                ),
            ),
        };
        if arg.optional && kind != "bool" && !arg.multiple {
            params.push(format!("{name}: Option<{kind}>"));
            let _ = write!(
                add,
                "            if let Some({name}) = {name} {{\n    {}    {statement}            }}\n",
                token.trim_end_matches(' ')
            );
        } else {
            params.push(format!("{name}: {kind}"));
            add.push_str(&token);
            add.push_str(&statement);
        }
    }
    (params.join(", "), add)
}

/// The grammar in the notation of the manuals.
pub(super) fn usage(args: &[Arg]) -> String {
    let one = |arg: &Arg| {
        let inner = match arg.kind {
            ArgKind::Token => arg.token.unwrap_or(arg.name).to_owned(),
            ArgKind::OneOf => {
                let all: Vec<String> = arg
                    .args
                    .iter()
                    .map(|a| usage(std::slice::from_ref(a)))
                    .collect();
                let all = all.join(" | ");
                let alone = arg.optional && arg.token.is_none() && !arg.multiple;
                if alone { all } else { format!("<{all}>") }
            }
            ArgKind::Block => usage(arg.args),
            _ => arg.name.to_owned(),
        };
        let token = arg.token.filter(|_| arg.kind != ArgKind::Token);
        let once = token.map_or(inner.clone(), |t| format!("{t} {inner}"));
        let text = match (arg.multiple, arg.multiple_token) {
            (true, true) => format!("{once} [{once} ...]"),
            (true, false) => format!("{once} [{inner} ...]"),
            _ => once,
        };
        if arg.optional {
            format!("[{text}]")
        } else {
            text
        }
    };
    args.iter().map(one).collect::<Vec<_>>().join(" ")
}
