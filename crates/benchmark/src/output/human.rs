//! Text for people, in the shape of redis-benchmark's.

use super::Tested;
use crate::compare::Comparison;
use crate::figures::{Summary, milliseconds};
use crate::options::Options;
use crate::run::Outcome;
use crate::stats::Latencies;
use crate::target::Facts;
use std::fmt::Write as _;

/// Up to here, in nanoseconds, the cumulative distribution goes by [`FINE_STEP`].
const FINE_UP_TO: u64 = 2_100_000;
const FINE_STEP: u64 = 100_000;
const COARSE_STEP: u64 = 1_000_000;

/// The whole report of a load.
pub(crate) fn report(tested: &Tested, options: &Options, facts: Option<&Facts>) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_report(&mut out, tested, options, facts);
    out
}

fn write_report(
    out: &mut String,
    tested: &Tested,
    options: &Options,
    facts: Option<&Facts>,
) -> std::fmt::Result {
    let outcome = &tested.outcome;
    let decimals = options.decimals;
    writeln!(out, "====== {} ======", tested.title)?;
    let (answered, seconds) = (outcome.counts.answered(), outcome.elapsed.as_secs_f64());
    writeln!(
        out,
        "  {answered} requests completed in {seconds:.2} seconds"
    )?;
    writeln!(out, "  {} parallel clients", options.clients)?;
    match options.sizes {
        sizes if sizes.least == sizes.most => writeln!(out, "  {} bytes payload", sizes.most)?,
        sizes => writeln!(out, "  {} to {} bytes payload", sizes.least, sizes.most)?,
    }
    writeln!(out, "  keep alive: {}", u8::from(options.keep_alive))?;
    if let Some(facts) = facts {
        let setting = |value: &Option<String>| value.clone().unwrap_or_default();
        writeln!(
            out,
            "  host configuration \"save\": {}",
            setting(&facts.save)
        )?;
        let appendonly = setting(&facts.appendonly);
        writeln!(out, "  host configuration \"appendonly\": {appendonly}")?;
    }
    match options.threads {
        None => writeln!(out, "  multi-thread: no")?,
        Some(threads) => writeln!(out, "  multi-thread: yes\n  threads: {threads}")?,
    }
    if let Some(rate) = options.rate {
        writeln!(out, "  rate: {rate} requests per second, open loop")?;
    }
    distributions(out, &outcome.latencies, decimals)?;
    writeln!(out, "\nSummary:")?;
    let rate = outcome.rate();
    writeln!(out, "  throughput summary: {rate:.2} requests per second")?;
    writeln!(out, "  latency summary (msec):")?;
    summary(out, &outcome.latencies, decimals)?;
    tail(out, &outcome.latencies, decimals)?;
    particulars(out, tested, options)
}

fn distributions(out: &mut String, latencies: &Latencies, decimals: usize) -> std::fmt::Result {
    writeln!(out, "\nLatency by percentile distribution:")?;
    let mut count = 0;
    for step in latencies.iter_quantiles(1) {
        count += step.count_since_last_iteration();
        let percent = step.quantile_iterated_to() * 100.0;
        let latency = milliseconds(step.value_iterated_to());
        writeln!(
            out,
            "{percent:.3}% <= {latency:.decimals$} milliseconds (cumulative count {count})"
        )?;
    }
    writeln!(out, "\nCumulative distribution of latencies:")?;
    for (latency, count) in cumulative(latencies) {
        let share = share(count, latencies.len());
        let latency = milliseconds(latency);
        writeln!(
            out,
            "{share:.3}% <= {latency:.decimals$} milliseconds (cumulative count {count})"
        )?;
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // a figure for people
fn share(count: u64, total: u64) -> f64 {
    100.0 * count as f64 / total.max(1) as f64
}

/// How many latencies are at most so long: the first step, those where the number changes, and the last.
fn cumulative(latencies: &Latencies) -> Vec<(u64, u64)> {
    let mut lines = Vec::new();
    let mut limit = FINE_STEP;
    let mut count = 0;
    let mut told = None;
    let mut values = latencies.iter_recorded().peekable();
    loop {
        while let Some(value) = values.next_if(|v| v.value_iterated_to() <= limit) {
            count += value.count_at_value();
        }
        if told != Some(count) {
            lines.push((limit, count));
            told = Some(count);
        }
        let Some(next) = values.peek() else {
            return lines;
        };
        let step = if limit < FINE_UP_TO {
            FINE_STEP
        } else {
            COARSE_STEP
        };
        limit += step;
        // Steps in which nothing happens are not worth a turn each.
        if step == COARSE_STEP {
            let gap = next.value_iterated_to().saturating_sub(limit);
            limit += gap.div_ceil(COARSE_STEP) * COARSE_STEP;
        }
    }
}

fn summary(out: &mut String, latencies: &Latencies, decimals: usize) -> std::fmt::Result {
    for name in ["avg", "min", "p50", "p95", "p99", "max"] {
        write!(out, "{}{name:>9}", if name == "avg" { "  " } else { " " })?;
    }
    writeln!(out)?;
    let s = Summary::new(latencies);
    for (i, value) in [s.mean, s.min, s.p50, s.p95, s.p99, s.max]
        .iter()
        .enumerate()
    {
        write!(
            out,
            "{}{value:>9.decimals$}",
            if i == 0 { "  " } else { " " }
        )?;
    }
    writeln!(out)
}

fn tail(out: &mut String, latencies: &Latencies, decimals: usize) -> std::fmt::Result {
    let s = Summary::new(latencies);
    writeln!(out, "  tail latency (msec):")?;
    writeln!(out, "  {:>9} {:>9}", "p99.9", "p99.99")?;
    writeln!(out, "  {:>9.decimals$} {:>9.decimals$}", s.p999, s.p9999)
}

/// What only some runs have.
fn particulars(out: &mut String, tested: &Tested, options: &Options) -> std::fmt::Result {
    let Outcome { counts, .. } = &tested.outcome;
    let decimals = options.decimals;
    if let Some(service) = &counts.service {
        writeln!(out, "  service time, from when a request was sent (msec):")?;
        summary(out, service, decimals)?;
        tail(out, service, decimals)?;
    }
    if tested.kinds.len() > 1 {
        for (kind, latencies) in tested.kinds.iter().zip(&counts.by_kind) {
            writeln!(out, "  {kind}: {} requests (msec):", latencies.len())?;
            summary(out, latencies, decimals)?;
            tail(out, latencies, decimals)?;
        }
    }
    let per_request = |cpu| tested.outcome.per_request(cpu);
    let client = per_request(tested.outcome.client_cpu);
    writeln!(out, "  client CPU: {client:.3} microseconds per request")?;
    if let Some(cpu) = tested.outcome.server_cpu {
        let server = per_request(cpu);
        writeln!(out, "  server CPU: {server:.3} microseconds per request")?;
    }
    if counts.unanswered > 0 {
        let n = counts.unanswered;
        writeln!(
            out,
            "  {n} requests had no reply in time; they count with their age"
        )?;
    }
    if counts.errors > 0 {
        writeln!(out, "  {} error replies, not counted above", counts.errors)?;
    }
    Ok(())
}

/// The line of `-q`.
pub(crate) fn quiet(tested: &Tested, decimals: usize) -> String {
    let p50 = Summary::new(&tested.outcome.latencies).p50;
    let rate = tested.outcome.rate();
    let title = &tested.title;
    format!("{title}: {rate:.2} requests per second, p50={p50:.decimals$} msec\n")
}

/// The table of a comparison.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_comparison(&mut out, comparison);
    out
}

fn write_comparison(out: &mut String, comparison: &Comparison) -> std::fmt::Result {
    let [first, second] = &comparison.sides;
    writeln!(out, "====== {} ======", comparison.title)?;
    writeln!(out, "  1: {}", first.place)?;
    writeln!(out, "  2: {}", second.place)?;
    let rounds = first.outcomes.len();
    writeln!(
        out,
        "  medians of {rounds} rounds; ratios of 1 to 2, with those of single rounds\n"
    )?;
    writeln!(
        out,
        "  {:<28} {:>12} {:>12} {:>7}  rounds",
        "", "1", "2", "ratio"
    )?;
    for (figure, row) in comparison.rows() {
        let [a, b] = row.medians;
        let (least, most) = row.spread;
        let name = figure.name;
        let ratio = row.ratio;
        writeln!(
            out,
            "  {name:<28} {a:>12.3} {b:>12.3} {ratio:>7.3}  {least:.3} to {most:.3}"
        )?;
    }
    if comparison.errors() > 0 {
        let errors = comparison.errors();
        writeln!(out, "  {errors} error replies, not counted above")?;
    }
    writeln!(out)
}

/// The line of `-q` for a comparison.
pub(crate) fn quiet_comparison(comparison: &Comparison) -> String {
    let mut parts = Vec::new();
    for (figure, row) in comparison.rows() {
        let is_told = matches!(figure.key, "rps" | "p50_latency_ms" | "p99_latency_ms")
            || figure.key.starts_with("server_cpu");
        if is_told {
            let [a, b] = row.medians;
            let name = figure.name;
            parts.push(format!("{name} {a:.3} to {b:.3} = {:.3}", row.ratio));
        }
    }
    format!("{}: {}\n", comparison.title, parts.join(", "))
}
