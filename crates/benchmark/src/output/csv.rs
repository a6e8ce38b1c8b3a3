//! Comma-separated values: redis-benchmark's columns, and ours behind them.

use super::Tested;
use crate::compare::Comparison;
use crate::figures::{FIGURES, Summary};
use std::fmt::Write as _;

/// redis-benchmark's columns.
const COLUMNS: &[&str] = &[
    "test",
    "rps",
    "avg_latency_ms",
    "min_latency_ms",
    "p50_latency_ms",
    "p95_latency_ms",
    "p99_latency_ms",
    "max_latency_ms",
];
/// Those of `--csv-full` behind them.
const MORE: &[&str] = &[
    "p999_latency_ms",
    "p9999_latency_ms",
    "requests",
    "errors",
    "unanswered",
    "seconds",
    "client_cpu_us_per_request",
    "server_cpu_us_per_request",
];

fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let cells: Vec<String> = cells.into_iter().map(|c| quoted(c.as_ref())).collect();
    cells.join(",") + "\n"
}

/// The line above the results.
pub(crate) fn header(is_full: bool) -> String {
    let more = if is_full { MORE } else { &[] };
    line(COLUMNS.iter().chain(more))
}

/// The line of a result. An empty cell was not measured.
pub(crate) fn row(tested: &Tested, decimals: usize, is_full: bool) -> String {
    let outcome = &tested.outcome;
    let s = Summary::new(&outcome.latencies);
    let ms = |value: f64| format!("{value:.decimals$}");
    let mut cells = vec![tested.title.clone(), format!("{:.2}", outcome.rate())];
    cells.extend([s.mean, s.min, s.p50, s.p95, s.p99, s.max].map(ms));
    if is_full {
        let cpu = |cpu| format!("{:.3}", outcome.per_request(cpu));
        cells.extend([s.p999, s.p9999].map(ms));
        cells.extend([
            outcome.counts.answered().to_string(),
            outcome.counts.errors.to_string(),
            outcome.counts.unanswered.to_string(),
            format!("{:.3}", outcome.elapsed.as_secs_f64()),
            cpu(outcome.client_cpu),
            outcome.server_cpu.map(cpu).unwrap_or_default(),
        ]);
    }
    line(cells)
}

/// The line above comparisons: for each figure the two medians and their ratio.
pub(crate) fn comparison_header() -> String {
    let mut cells = vec!["test".to_owned(), "rounds".to_owned()];
    for figure in FIGURES {
        let key = figure.key;
        cells.extend([
            format!("{key}_1"),
            format!("{key}_2"),
            format!("{key}_ratio"),
        ]);
    }
    line(cells)
}

/// The line of a comparison.
pub(crate) fn comparison_row(comparison: &Comparison) -> String {
    let rounds = comparison.sides[0].outcomes.len();
    let mut cells = vec![comparison.title.clone(), rounds.to_string()];
    for figure in FIGURES {
        let mut three = [String::new(), String::new(), String::new()];
        if let Some(row) = comparison.row(figure) {
            for (cell, value) in three
                .iter_mut()
                .zip([row.medians[0], row.medians[1], row.ratio])
            {
                // Writing to a string does not fail.
                let _ = write!(cell, "{value:.3}");
            }
        }
        cells.extend(three);
    }
    line(cells)
}
