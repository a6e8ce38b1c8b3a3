//! LATENCY: spikes noted by the latency monitor, and histograms of every command.

mod report;

use crate::exec::{CommandCounts, Entry, SessionCx};
use crate::settings::id;
use crate::spec::{Arg, Command, Flags, Group, Outcome, Run, help};
use ochre_resp::Request;

/// Asked of every node; how to join the answers depends on them.
const PER_NODE: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_nodes",
    "response_policy:special",
];

const ONE_EVENT: &[Arg] = &[Arg::string("event")];

/// What the subcommands have in common.
const SUB: Command = Command {
    since: "2.8.13",
    group: Group::Server,
    flags: Flags::ADMIN
        .with(Flags::NOSCRIPT)
        .with(Flags::LOADING)
        .with(Flags::STALE),
    tips: PER_NODE,
    ..Command::NEW
};

pub(super) const LATENCY: Command = Command {
    name: "latency",
    summary: "Groups the commands on latency.",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: Flags::NONE,
    tips: &[],
    subcommands: &[DOCTOR, GRAPH, HELP, HISTOGRAM, HISTORY, LATEST, RESET],
    run: Run::Container,
    ..SUB
};

const LATEST: Command = Command {
    name: "latest",
    summary: "Returns the last spike of every event: its name, Unix seconds, milliseconds, and the worst milliseconds ever.",
    arity: 2,
    run: Run::Session(latest),
    ..SUB
};

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn latest(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let events = cx.env.engine.latency.events();
    cx.out.array(events.len());
    for (name, event) in events {
        let (at, millis) = event.history.back().copied().unwrap_or_default();
        cx.out.array(4);
        cx.out.bulk(name.as_bytes());
        cx.out.integer(at);
        cx.out.integer(number(millis));
        cx.out.integer(number(event.max));
    }
    Ok(())
}

const HISTORY: Command = Command {
    name: "history",
    summary: "Returns the spikes of an event: Unix seconds and milliseconds of each.",
    arity: 3,
    args: ONE_EVENT,
    run: Run::Session(history),
    ..SUB
};

fn history(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let events = cx.env.engine.latency.events();
    let event = events.iter().find(|(name, _)| name.as_bytes() == &args[2]);
    let history = event.map(|(_, e)| &e.history);
    cx.out.array(history.map_or(0, |h| h.len()));
    for (at, millis) in history.into_iter().flatten() {
        cx.out.array(2);
        cx.out.integer(*at);
        cx.out.integer(number(*millis));
    }
    Ok(())
}

const RESET: Command = Command {
    name: "reset",
    summary: "Forgets the spikes of the named events, or of all.",
    arity: -2,
    args: &[Arg::string("event").optional().multiple()],
    tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
    run: Run::Session(reset),
    ..SUB
};

fn reset(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let names: Vec<&[u8]> = args.tail(2).iter().collect();
    let count = cx.env.engine.latency.reset(&names);
    cx.out.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

const GRAPH: Command = Command {
    name: "graph",
    summary: "Draws the spikes of an event.",
    arity: 3,
    args: ONE_EVENT,
    run: Run::Session(graph),
    ..SUB
};

fn graph(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let events = cx.env.engine.latency.events();
    let Some((name, event)) = events.iter().find(|(name, _)| name.as_bytes() == &args[2]) else {
        return Err(crate::error::CommandError::no_samples(&args[2]));
    };
    let text = report::graph(name, event, cx.env.now_ms / 1000);
    cx.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

const DOCTOR: Command = Command {
    name: "doctor",
    summary: "Reports on the spikes and what may help against them.",
    arity: 2,
    run: Run::Session(doctor),
    ..SUB
};

fn doctor(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let text = report::doctor(cx.env.engine);
    cx.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

const HISTOGRAM: Command = Command {
    name: "histogram",
    summary: "Returns how long the calls of the named commands took, or of all: cumulative counts by microseconds.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands with latency information being retrieved.",
    arity: -2,
    args: &[Arg::string("command").optional().multiple()],
    run: Run::Session(histogram),
    ..SUB
};

fn histogram(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    // What this batch counted so far belongs to what is shown.
    cx.session.tally.flush(&engine.stats);
    let lookup = &engine.lookup;
    let named: Vec<Entry> = if args.len() == 2 {
        lookup.entries().to_vec()
    } else {
        let found = args
            .tail(2)
            .into_iter()
            .filter_map(|n| lookup.by_full_name(n));
        found
            .flat_map(|entry| {
                // A container stands for its subcommands.
                let subs = entry.command.subcommands.iter();
                let subs = subs.filter_map(|s| lookup.subcommand(entry, s.name.as_bytes()));
                std::iter::once(entry).chain(subs.collect::<Vec<_>>())
            })
            .collect()
    };
    let tracked = engine.settings.flag(id::LATENCY_TRACKING);
    let counts = named
        .iter()
        .map(|entry| (entry, engine.stats.command(entry.index)));
    let called: Vec<(&Entry, CommandCounts)> =
        counts.filter(|(_, c)| tracked && c.calls > 0).collect();
    cx.out.map(called.len());
    for (entry, counts) in called {
        cx.out.bulk(entry.full_name().as_bytes());
        cx.out.map(2);
        cx.out.bulk(b"calls");
        cx.out.integer(number(counts.calls));
        cx.out.bulk(b"histogram_usec");
        let buckets = cumulative(&counts);
        cx.out.map(buckets.len());
        for (micros, count) in buckets {
            cx.out.integer(number(micros));
            cx.out.integer(number(count));
        }
    }
    Ok(())
}

/// (upper bound in microseconds, calls up to it), for the bounds where calls were added.
///
/// The buckets are powers of two of nanoseconds, so bounds are 1, 2, 4, ... 1049, ... microseconds.
fn cumulative(counts: &CommandCounts) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    let mut sum = 0;
    for (power, count) in counts.latency.iter().enumerate().filter(|(_, c)| **c > 0) {
        sum += count;
        let micros = (((1u64 << power) + 500) / 1000).max(1);
        match found.last_mut() {
            Some(last) if last.0 == micros => last.1 = sum,
            _ => found.push((micros, sum)),
        }
    }
    found
}

const HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    tips: &[],
    run: Run::Session(show_help),
    ..SUB
};

fn show_help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    help(&LATENCY, cx.out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{CommandCounts, cumulative};

    #[test]
    fn histograms_are_cumulative() {
        let mut counts = CommandCounts::default();
        assert_eq!(cumulative(&counts), []);
        for (power, count) in [(0, 1), (9, 2), (11, 3), (20, 4), (39, 5)] {
            counts.latency[power] = count;
        }
        let expected = [(1, 3), (2, 6), (1049, 10), (549_755_814, 15)];
        assert_eq!(cumulative(&counts), expected);
    }
}
