//! COMMAND: what the declarations say, in Redis's form.
//!
//! [`info`] writes the entries of COMMAND and COMMAND INFO, [`docs`] those of COMMAND DOCS, [`keys`]
//! finds the keys of a request. Commands are named in the order of the families, not in hash order.

mod docs;
mod info;
mod keys;

use crate::error::CommandError;
use crate::exec::{Entry, SessionCx};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, help};
use ochre_ds::glob::glob_match;
use ochre_resp::Request;

const FLAGS: Flags = Flags::LOADING.with(Flags::STALE);

/// What the subcommands have in common.
const SUB: Command = Command {
    since: "2.8.13",
    group: Group::Server,
    flags: FLAGS,
    categories: Categories::CONNECTION,
    ..Command::NEW
};

const BY_NAME: &[Arg] = &[Arg::string("command-name").optional().multiple()];
const REQUEST: &[Arg] = &[
    Arg::string("command"),
    Arg::string("arg").optional().multiple(),
];

pub(super) const COMMAND: Command = Command {
    name: "command",
    summary: "Describes every command.",
    complexity: "O(N) where N is the total number of Redis commands",
    arity: -1,
    tips: &["nondeterministic_output_order"],
    subcommands: &[COUNT, DOCS, GETKEYS, GETKEYSANDFLAGS, HELP, INFO, LIST],
    run: Run::Session(command),
    ..SUB
};

fn command(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let lookup = &cx.env.engine.lookup;
    cx.out.array(lookup.top().len());
    lookup.top().iter().for_each(|e| info::write(cx.out, *e));
    Ok(())
}

const COUNT: Command = Command {
    name: "count",
    summary: "Returns the number of commands.",
    arity: 2,
    run: Run::Session(count),
    ..SUB
};

fn count(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let count = cx.env.engine.lookup.top().len();
    cx.out.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

const INFO: Command = Command {
    name: "info",
    summary: "Describes the named commands, or all.",
    complexity: "O(N) where N is the number of commands to look up",
    arity: -2,
    args: BY_NAME,
    history: &[("7.0.0", "Without names it describes all commands.")],
    tips: &["nondeterministic_output_order"],
    run: Run::Session(info_of),
    ..SUB
};

fn info_of(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() == 2 {
        return command(cx, args.tail(2));
    }
    cx.out.array(args.len() - 2);
    for name in args.tail(2) {
        match cx.env.engine.lookup.by_full_name(name) {
            Some(entry) => info::write(cx.out, entry),
            None => cx.out.null(),
        }
    }
    Ok(())
}

const DOCS: Command = Command {
    name: "docs",
    summary: "Returns the documentation of the named commands, or of all.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands to look up",
    arity: -2,
    args: BY_NAME,
    tips: &["nondeterministic_output_order"],
    run: Run::Session(docs_of),
    ..SUB
};

fn docs_of(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let lookup = &cx.env.engine.lookup;
    let named: Vec<Entry> = if args.len() == 2 {
        lookup.top().to_vec()
    } else {
        let names = args.tail(2).into_iter();
        names.filter_map(|n| lookup.by_full_name(n)).collect()
    };
    cx.out.map(named.len());
    for entry in named {
        cx.out.bulk(entry.full_name().as_bytes());
        docs::write(cx.out, entry.command, entry.parent);
    }
    Ok(())
}

const LIST: Command = Command {
    name: "list",
    summary: "Returns the names of commands.",
    since: "7.0.0",
    complexity: "O(N) where N is the total number of Redis commands",
    arity: -2,
    args: &[Arg::one_of(
        "filterby",
        &[
            Arg::string("module-name").token("MODULE"),
            Arg::string("category").token("ACLCAT"),
            Arg::pattern("pattern").token("PATTERN"),
        ],
    )
    .token("FILTERBY")
    .optional()],
    tips: &["nondeterministic_output_order"],
    run: Run::Session(list),
    ..SUB
};

fn list(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let lookup = &cx.env.engine.lookup;
    let names: Vec<String> = match args.len() {
        2 => lookup.entries().iter().map(Entry::full_name).collect(),
        5 if args[2].eq_ignore_ascii_case(b"filterby") => {
            let passes = filter(&args[3], &args[4])?;
            let entries = lookup.entries().iter();
            let passing = entries.filter(|e| passes(e));
            passing.map(Entry::full_name).collect()
        }
        _ => return Err(CommandError::SYNTAX),
    };
    cx.out.array(names.len());
    names.iter().for_each(|n| cx.out.bulk(n.as_bytes()));
    Ok(())
}

type Condition<'a> = Box<dyn Fn(&Entry) -> bool + 'a>;

/// The condition that FILTERBY names.
fn filter<'a>(kind: &[u8], value: &'a [u8]) -> Result<Condition<'a>, CommandError> {
    match kind.to_ascii_lowercase().as_slice() {
        // There are no modules, so none has commands.
        b"module" => Ok(Box::new(|_| false)),
        b"aclcat" => {
            let category = Categories::named(value);
            Ok(Box::new(move |e| {
                category.is_some_and(|c| e.command.all_categories().has(c))
            }))
        }
        b"pattern" => Ok(Box::new(move |e| {
            glob_match(value, e.full_name().as_bytes(), true)
        })),
        _ => Err(CommandError::SYNTAX),
    }
}

const GETKEYS: Command = Command {
    name: "getkeys",
    summary: "Returns the keys that a request names.",
    complexity: "O(N) where N is the number of arguments to the command",
    arity: -3,
    args: REQUEST,
    run: Run::Session(getkeys),
    ..SUB
};

fn getkeys(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let request = args.tail(2);
    let found = keys::of(&cx.env.engine.lookup, request)?;
    cx.out.array(found.len());
    for (at, _) in found {
        cx.out.bulk(request.get(at).unwrap_or_default());
    }
    Ok(())
}

const GETKEYSANDFLAGS: Command = Command {
    name: "getkeysandflags",
    summary: "Returns the keys that a request names and what it does with them.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of arguments to the command",
    arity: -3,
    args: REQUEST,
    run: Run::Session(getkeysandflags),
    ..SUB
};

fn getkeysandflags(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let request = args.tail(2);
    let found = keys::of(&cx.env.engine.lookup, request)?;
    cx.out.array(found.len());
    for (at, access) in found {
        cx.out.array(2);
        cx.out.bulk(request.get(at).unwrap_or_default());
        info::write_access(cx.out, access, true);
    }
    Ok(())
}

const HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: "5.0.0",
    arity: 2,
    run: Run::Session(show_help),
    ..SUB
};

fn show_help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    help(&COMMAND, cx.out);
    Ok(())
}
