//! ACL LOG.

use super::SUB;
use crate::acl::LogEntry;
use crate::error::CommandError;
use crate::exec::{Out, SessionCx};
use crate::spec::{Arg, Command, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

/// Entries that are shown when no number is given.
const SHOWN: usize = 10;

pub(super) const LOG: Command = Command {
    name: "log",
    summary: "Lists what was refused lately, or forgets it.",
    complexity: "O(N) with N being the number of entries shown.",
    arity: -2,
    args: &[Arg::one_of(
        "operation",
        &[Arg::integer("count"), Arg::word("reset", "RESET")],
    )
    .optional()],
    history: &[(
        "7.2.0",
        "Entries have an id and the times of the first and the last of what they count.",
    )],
    run: Run::Session(log),
    ..SUB
};

fn log(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let acl = &cx.env.engine.acl;
    let count = match args.get(2) {
        _ if args.len() > 3 => return Err(CommandError::subcommand_syntax("ACL", &args[1])),
        None => SHOWN,
        Some(word) if word.eq_ignore_ascii_case(b"reset") => {
            acl.clear_log();
            cx.out.ok();
            return Ok(());
        }
        Some(count) => {
            let count = parse_i64(count).ok_or(CommandError::NOT_INTEGER)?;
            usize::try_from(count).unwrap_or(0)
        }
    };
    let entries = acl.logged(count);
    cx.out.array(entries.len());
    entries
        .iter()
        .for_each(|entry| write(cx.out, entry, cx.env.now_ms));
    Ok(())
}

fn write(out: &mut Out, entry: &LogEntry, now_ms: i64) {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    out.map(10);
    out.bulk(b"count");
    out.integer(number(entry.count));
    out.bulk(b"reason");
    out.bulk(entry.reason.as_bytes());
    out.bulk(b"context");
    out.bulk(entry.context.name().as_bytes());
    out.bulk(b"object");
    out.bulk(&entry.object);
    out.bulk(b"username");
    out.bulk(&entry.user);
    out.bulk(b"age-seconds");
    out.double((now_ms - entry.updated_ms) as f64 / 1000.0);
    out.bulk(b"client-info");
    out.bulk(&entry.client);
    out.bulk(b"entry-id");
    out.integer(number(entry.id));
    out.bulk(b"timestamp-created");
    out.integer(entry.created_ms);
    out.bulk(b"timestamp-last-updated");
    out.integer(entry.updated_ms);
}
