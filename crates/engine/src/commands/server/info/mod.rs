//! INFO: sections of fields, each section one list of rows.
//!
//! Invariants
//! - A field is one row of [`rows`]: its name and a function of the [`Facts`]; sections whose fields
//!   are not fixed (one line per command, error or database) are functions, in [`listed`].
//! - Names, order and formats are those of Redis 8.2, for monitoring agents. What has no meaning here
//!   is reported as the constant that is true, not left out.
//! - Facts are gathered at most once per request and only for the sections asked for.

mod facts;
mod listed;
mod rows;

pub(super) use facts::{MemoryFacts, ratio};

use crate::exec::SessionCx;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use facts::{Facts, Value};
use ochre_resp::Request;

/// A field: its name and its value.
type Row = (&'static str, fn(&Facts<'_, '_>) -> Value);

enum Body {
    /// Fixed fields.
    Rows(&'static [Row]),
    /// Lines made from what there is.
    Listed(fn(&Facts<'_, '_>, &mut String)),
}

struct Section {
    name: &'static str,
    title: &'static str,
    /// Shown when no section is asked for.
    default: bool,
    body: Body,
}

const fn fixed(name: &'static str, title: &'static str, rows: &'static [Row]) -> Section {
    Section {
        name,
        title,
        default: true,
        body: Body::Rows(rows),
    }
}

const fn listed(
    name: &'static str,
    title: &'static str,
    default: bool,
    lines: fn(&Facts<'_, '_>, &mut String),
) -> Section {
    Section {
        name,
        title,
        default,
        body: Body::Listed(lines),
    }
}

/// All sections, in the order in which they are shown.
const SECTIONS: &[Section] = &[
    fixed("server", "Server", rows::SERVER),
    fixed("clients", "Clients", rows::CLIENTS),
    fixed("memory", "Memory", rows::MEMORY),
    fixed("persistence", "Persistence", rows::PERSISTENCE),
    fixed("stats", "Stats", rows::STATS),
    fixed("replication", "Replication", rows::REPLICATION),
    fixed("cpu", "CPU", rows::CPU),
    fixed("modules", "Modules", &[]),
    listed("commandstats", "Commandstats", false, listed::commands),
    listed("errorstats", "Errorstats", true, listed::errors),
    listed("latencystats", "Latencystats", false, listed::latencies),
    fixed("cluster", "Cluster", rows::CLUSTER),
    listed("keyspace", "Keyspace", true, listed::databases),
];

pub(super) const INFO: Command = Command {
    name: "info",
    summary: "Returns facts and figures on the server.",
    group: Group::Server,
    arity: -1,
    flags: Flags::LOADING.with(Flags::STALE).with(Flags::KEYSPACE),
    categories: Categories::DANGEROUS,
    args: &[Arg::string("section").optional().multiple()],
    history: &[("7.0.0", "Takes several sections.")],
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    run: Run::Session(info),
    ..Command::NEW
};

fn info(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    // What this batch counted so far belongs to what is shown.
    cx.session.tally.flush(&engine.stats);
    let facts = Facts::new(engine, &cx.stripes, cx.env.now_ms);
    let asked = |section: &Section| {
        if args.len() == 1 {
            return section.default;
        }
        args.tail(1).iter().any(|word| {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            is("all") || is("everything") || (is("default") && section.default) || is(section.name)
        })
    };
    let mut text = String::new();
    for section in SECTIONS.iter().filter(|s| asked(s)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str("# ");
        text.push_str(section.title);
        text.push_str("\r\n");
        match &section.body {
            Body::Listed(lines) => lines(&facts, &mut text),
            Body::Rows(rows) => {
                for (name, value) in *rows {
                    text.push_str(name);
                    text.push(':');
                    value(&facts).write(&mut text);
                    text.push_str("\r\n");
                }
            }
        }
    }
    cx.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}
