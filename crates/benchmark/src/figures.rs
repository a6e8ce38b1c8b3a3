//! Figures of an outcome, as people and programs read them: milliseconds, microseconds, requests a second.

use crate::run::Outcome;
use crate::stats::Latencies;

/// Nanoseconds as milliseconds.
#[allow(clippy::cast_precision_loss)] // a figure for people
pub(crate) fn milliseconds(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// A latency at a quantile, in milliseconds.
pub(crate) fn quantile(latencies: &Latencies, quantile: f64) -> f64 {
    milliseconds(latencies.value_at_quantile(quantile))
}

/// Some latencies in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) min: f64,
    pub(crate) p50: f64,
    pub(crate) p75: f64,
    pub(crate) p90: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) p9999: f64,
    pub(crate) max: f64,
}

impl Summary {
    pub(crate) fn new(latencies: &Latencies) -> Summary {
        let at = |q| quantile(latencies, q);
        Summary {
            mean: latencies.mean() / 1e6,
            min: milliseconds(latencies.min()),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: milliseconds(latencies.max()),
        }
    }
}

/// A figure by which two servers are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// As people read it.
    pub(crate) name: &'static str,
    /// As programs read it.
    pub(crate) key: &'static str,
    /// `None` if it was not measured.
    pub(crate) of: fn(&Outcome) -> Option<f64>,
}

/// All of them, the throughput first.
pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "requests per second",
        key: "rps",
        of: |o| Some(o.rate()),
    },
    Figure {
        name: "mean latency (msec)",
        key: "avg_latency_ms",
        of: |o| Some(o.latencies.mean() / 1e6),
    },
    Figure {
        name: "p50 latency (msec)",
        key: "p50_latency_ms",
        of: |o| Some(quantile(&o.latencies, 0.5)),
    },
    Figure {
        name: "p99 latency (msec)",
        key: "p99_latency_ms",
        of: |o| Some(quantile(&o.latencies, 0.99)),
    },
    Figure {
        name: "p99.9 latency (msec)",
        key: "p999_latency_ms",
        of: |o| Some(quantile(&o.latencies, 0.999)),
    },
    Figure {
        name: "max latency (msec)",
        key: "max_latency_ms",
        of: |o| Some(milliseconds(o.latencies.max())),
    },
    Figure {
        name: "client CPU (us per request)",
        key: "client_cpu_us_per_request",
        of: |o| Some(o.per_request(o.client_cpu)),
    },
    Figure {
        name: "server CPU (us per request)",
        key: "server_cpu_us_per_request",
        of: |o| o.server_cpu.map(|cpu| o.per_request(cpu)),
    },
];

/// The middle of some figures; `None` of none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        n if n % 2 == 1 => Some(figures[middle]),
        _ => Some(f64::midpoint(figures[middle - 1], figures[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::latencies;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn a_summary_is_in_milliseconds() {
        let mut all = latencies();
        for i in 1..=1000 {
            all.saturating_record(i * 1_000_000);
        }
        let summary = Summary::new(&all);
        for (seen, expected) in [
            (summary.min, 1.0),
            (summary.p50, 500.0),
            (summary.p90, 900.0),
            (summary.p99, 990.0),
            (summary.max, 1000.0),
            (summary.mean, 500.5),
        ] {
            assert!(
                (seen - expected).abs() < expected * 0.002,
                "{seen} {expected}"
            );
        }
    }
}
