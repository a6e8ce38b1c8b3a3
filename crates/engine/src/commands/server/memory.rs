//! MEMORY: what keys and the server hold.

use crate::error::CommandError;
use crate::exec::{Out, ReadCx, SessionCx};
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, help, key};
use ochre_resp::Request;

use super::info::{MemoryFacts, ratio};

/// Asked of every shard; how to join the answers depends on them.
const PER_SHARD: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_shards",
    "response_policy:special",
];

/// What the subcommands have in common.
const SUB: Command = Command {
    since: "4.0.0",
    group: Group::Server,
    arity: 2,
    ..Command::NEW
};

pub(super) const MEMORY: Command = Command {
    name: "memory",
    summary: "Groups the commands on memory.",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[DOCTOR, HELP, MALLOC_STATS, PURGE, STATS, USAGE],
    run: Run::Container,
    ..SUB
};

const USAGE: Command = Command {
    name: "usage",
    summary: "Returns the bytes that a key and its value take.",
    complexity: "O(N) where N is the number of samples.",
    arity: -3,
    flags: Flags::NO_TOUCH.with(Flags::NO_STATS),
    categories: Categories::NONE,
    keys: &[key(2).access(Access::RO.with(Access::UNMISSED))],
    args: &[
        Arg::key("key"),
        Arg::integer("count").token("SAMPLES").optional(),
    ],
    run: Run::Read(usage),
    ..SUB
};

fn usage(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let mut at = 3;
    while let Some(word) = args.get(at) {
        let Some(count) = args.get(at + 1) else {
            return Err(CommandError::SYNTAX);
        };
        if !word.eq_ignore_ascii_case(b"samples") {
            return Err(CommandError::SYNTAX);
        }
        // The size of a value is known exactly, so nothing is sampled.
        match ochre_ds::int::parse_i64(count) {
            None => return Err(CommandError::NOT_INTEGER),
            Some(..0) => return Err(CommandError::SYNTAX),
            Some(_) => at += 2,
        }
    }
    match cx.keys.memory(0) {
        Some(bytes) => cx.out.integer(i64::try_from(bytes).unwrap_or(i64::MAX)),
        None => cx.out.null(),
    }
    Ok(())
}

const STATS: Command = Command {
    name: "stats",
    summary: "Returns figures on the server's memory.",
    tips: PER_SHARD,
    flags: Flags::KEYSPACE,
    run: Run::Session(stats),
    ..SUB
};

/// One figure of MEMORY STATS.
enum Figure {
    Bytes(u64),
    Signed(i64),
    Ratio(f64),
}

fn stats(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    use Figure::{Bytes, Ratio, Signed};
    let facts = MemoryFacts::gather(cx.env.engine, &cx.stripes);
    let (f, keys) = (facts.figures, facts.keys());
    let scripts = cx.env.engine.scripts.figures();
    let data = facts.used.saturating_sub(facts.startup);
    let before: [(&str, Figure); 12] = [
        ("peak.allocated", Bytes(facts.peak)),
        ("total.allocated", Bytes(facts.used)),
        ("startup.allocated", Bytes(facts.startup)),
        ("replication.backlog", Bytes(0)),
        ("replica.fullsync.buffer", Bytes(0)),
        ("clients.slaves", Bytes(0)),
        ("clients.normal", Bytes(facts.clients)),
        ("cluster.links", Bytes(0)),
        ("aof.buffer", Bytes(0)),
        ("lua.caches", Bytes(scripts.scripts_bytes)),
        ("functions.caches", Bytes(scripts.functions_bytes)),
        ("script.VMs", Bytes(scripts.machines())),
    ];
    let after = [
        ("overhead.db.hashtable.lut", Bytes(facts.tables())),
        ("overhead.db.hashtable.rehashing", Bytes(0)),
        ("overhead.total", Bytes(facts.overhead())),
        ("db.dict.rehashing.count", Bytes(0)),
        ("keys.count", Bytes(keys)),
        (
            "keys.bytes-per-key",
            Bytes(data.checked_div(keys).unwrap_or(0)),
        ),
        ("dataset.bytes", Bytes(facts.dataset())),
        ("dataset.percentage", Ratio(facts.dataset_percent())),
        ("peak.percentage", Ratio(facts.peak_percent())),
        ("allocator.allocated", Bytes(f.allocated)),
        ("allocator.active", Bytes(f.active)),
        ("allocator.resident", Bytes(f.resident)),
        ("allocator.muzzy", Bytes(0)),
        (
            "allocator-fragmentation.ratio",
            Ratio(ratio(f.active, f.allocated)),
        ),
        (
            "allocator-fragmentation.bytes",
            Bytes(f.active.saturating_sub(f.allocated)),
        ),
        ("allocator-rss.ratio", Ratio(ratio(f.resident, f.active))),
        (
            "allocator-rss.bytes",
            Bytes(f.resident.saturating_sub(f.active)),
        ),
        ("rss-overhead.ratio", Ratio(ratio(f.rss, f.resident))),
        (
            "rss-overhead.bytes",
            Signed(facts.difference(f.rss, f.resident)),
        ),
        ("fragmentation", Ratio(ratio(f.rss, facts.used))),
        (
            "fragmentation.bytes",
            Signed(facts.difference(f.rss, facts.used)),
        ),
    ];
    cx.out
        .map(before.len() + facts.databases.iter().filter(|d| d.keys > 0).count() + after.len());
    before.iter().for_each(|row| write(cx.out, row));
    for database in facts.databases.iter().filter(|d| d.keys > 0) {
        cx.out.bulk(format!("db.{}", database.index).as_bytes());
        cx.out.map(2);
        write(cx.out, &("overhead.hashtable.main", Bytes(database.table)));
        write(cx.out, &("overhead.hashtable.expires", Bytes(0)));
    }
    after.iter().for_each(|row| write(cx.out, row));
    Ok(())
}

fn write(out: &mut Out, (name, figure): &(&str, Figure)) {
    out.bulk(name.as_bytes());
    match figure {
        Figure::Bytes(n) => out.integer(i64::try_from(*n).unwrap_or(i64::MAX)),
        Figure::Signed(n) => out.integer(*n),
        Figure::Ratio(r) => out.double(*r),
    }
}

const DOCTOR: Command = Command {
    name: "doctor",
    summary: "Reports what looks wrong with the server's memory.",
    tips: PER_SHARD,
    flags: Flags::KEYSPACE,
    run: Run::Session(doctor),
    ..SUB
};

fn doctor(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let facts = MemoryFacts::gather(cx.env.engine, &cx.stripes);
    cx.out.verbatim(b"txt", diagnose(&facts).as_bytes());
    Ok(())
}

/// What is out of the ordinary, with the thresholds that Redis uses too.
fn diagnose(facts: &MemoryFacts) -> String {
    const SMALL: u64 = 5 << 20;
    const BUFFER_LARGE: u64 = 200 << 10;
    let f = facts.figures;
    if facts.used < SMALL {
        return "The server holds too little to tell anything about its memory.\n".to_owned();
    }
    let mut found = Vec::new();
    if ratio(facts.peak, facts.used) > 1.5 {
        found.push("At its peak the server used more than 1.5 times as much memory as now. The allocator may keep some of it, which makes the resident set look large; MEMORY PURGE gives back what can be given back.");
    }
    if ratio(f.rss, facts.used) > 1.4 {
        found.push("The resident set is more than 1.4 times what is in use.");
    }
    if ratio(f.active, f.allocated) > 1.1 && f.active - f.allocated > 10 << 20 {
        found.push("Pages of the allocator are filled badly (external fragmentation above 1.1).");
    }
    if ratio(f.resident, f.active) > 1.1 && f.resident - f.active > 10 << 20 {
        found.push("The allocator keeps many empty pages; MEMORY PURGE may help.");
    }
    if ratio(f.rss, f.resident) > 1.1 && f.rss.saturating_sub(f.resident) > 10 << 20 {
        found.push("Much memory is not the allocator's, but of threads and of the program itself.");
    }
    if facts.connected > 0 && facts.clients / facts.connected > BUFFER_LARGE {
        found.push("Buffers of clients are large, above 200 KB on average. Some client may read slowly or send very large requests: see CLIENT LIST.");
    }
    if found.is_empty() {
        return "Nothing looks wrong with the server's memory.\n".to_owned();
    }
    found.iter().map(|text| format!("* {text}\n")).collect()
}

const MALLOC_STATS: Command = Command {
    name: "malloc-stats",
    summary: "Returns the allocator's own report.",
    complexity: "Depends on how much memory is allocated, could be slow",
    flags: Flags::LONG,
    tips: PER_SHARD,
    run: Run::Session(malloc_stats),
    ..SUB
};

fn malloc_stats(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let report = cx.env.engine.memory.port().report();
    let report = report.unwrap_or_else(|| "The allocator in use gives no report".to_owned());
    cx.out.verbatim(b"txt", report.as_bytes());
    Ok(())
}

const PURGE: Command = Command {
    name: "purge",
    summary: "Asks the allocator to give unused memory back.",
    complexity: "Depends on how much memory is allocated, could be slow",
    flags: Flags::LONG,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    run: Run::Session(purge),
    ..SUB
};

fn purge(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    cx.env.engine.memory.port().purge();
    cx.out.ok();
    Ok(())
}

const HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    flags: Flags::LOADING.with(Flags::STALE),
    run: Run::Session(show_help),
    ..SUB
};

fn show_help(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    help(&MEMORY, cx.out);
    Ok(())
}
