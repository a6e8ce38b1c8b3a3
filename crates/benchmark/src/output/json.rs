//! Results as a JSON document.

use super::{Results, Tested};
use crate::compare::{Comparison, Side};
use crate::figures::{Summary, milliseconds};
use crate::run::Outcome;
use crate::stats::{Latencies, Point};
use serde_json::{Map, Value, json};

/// The whole document, with a line end.
pub(crate) fn document(results: &Results) -> String {
    let servers = results.servers.iter().map(|(place, facts)| {
        json!({
            "place": place,
            "name": facts.as_ref().and_then(|f| f.name.clone()),
            "version": facts.as_ref().and_then(|f| f.version.clone()),
        })
    });
    let load = results.load.iter();
    let load: Map<String, Value> = load
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let document = json!({
        "tool": "ochre-benchmark",
        "version": env!("CARGO_PKG_VERSION"),
        "servers": servers.collect::<Vec<_>>(),
        "load": load,
        "tests": results.tested.iter().map(tested).collect::<Vec<_>>(),
        "comparisons": results.compared.iter().map(comparison).collect::<Vec<_>>(),
        "failure": results.failure,
    });
    format!("{document:#}\n")
}

fn tested(tested: &Tested) -> Value {
    let mut value = outcome(&tested.outcome, &tested.kinds);
    value["test"] = json!(tested.title);
    value
}

fn outcome(outcome: &Outcome, kinds: &[String]) -> Value {
    let counts = &outcome.counts;
    let by_kind = kinds.iter().zip(&counts.by_kind).map(|(name, latencies)| {
        json!({
            "name": name,
            "requests": latencies.len(),
            "latency_ms": summary(latencies),
        })
    });
    json!({
        "requests": counts.answered(),
        "errors": counts.errors,
        "first_error": counts.first_error,
        "unanswered": counts.unanswered,
        "seconds": outcome.elapsed.as_secs_f64(),
        "requests_per_second": outcome.rate(),
        "latency_ms": summary(&outcome.latencies),
        "service_time_ms": counts.service.as_ref().map(summary),
        "kinds": by_kind.collect::<Vec<_>>(),
        "client_cpu_us_per_request": outcome.per_request(outcome.client_cpu),
        "server_cpu_us_per_request": outcome.server_cpu.map(|cpu| outcome.per_request(cpu)),
        "percentiles": percentiles(&outcome.latencies),
        "course": outcome.course.points().iter().map(point).collect::<Vec<_>>(),
    })
}

fn summary(latencies: &Latencies) -> Value {
    let s = Summary::new(latencies);
    json!({
        "mean": s.mean,
        "min": s.min,
        "p50": s.p50,
        "p75": s.p75,
        "p90": s.p90,
        "p95": s.p95,
        "p99": s.p99,
        "p99.9": s.p999,
        "p99.99": s.p9999,
        "max": s.max,
    })
}

/// The curve: percentile, milliseconds, requests up to there.
fn percentiles(latencies: &Latencies) -> Value {
    let mut count = 0;
    let steps = latencies.iter_quantiles(2).map(|step| {
        count += step.count_since_last_iteration();
        let percent = step.quantile_iterated_to() * 100.0;
        json!([percent, milliseconds(step.value_iterated_to()), count])
    });
    Value::Array(steps.collect())
}

fn point(point: &Point) -> Value {
    json!({
        "at": point.at,
        "seconds": point.span,
        "requests_per_second": point.rate(),
        "errors": point.errors,
        "mean_ms": point.mean / 1e6,
        "p50_ms": milliseconds(point.p50),
        "p99_ms": milliseconds(point.p99),
        "p99.9_ms": milliseconds(point.p999),
        "max_ms": milliseconds(point.max),
    })
}

fn comparison(comparison: &Comparison) -> Value {
    let figures = comparison.rows().map(|(figure, row)| {
        let value = json!({
            "medians": row.medians,
            "ratio": row.ratio,
            "least_ratio": row.spread.0,
            "greatest_ratio": row.spread.1,
        });
        (figure.key.to_owned(), value)
    });
    let side = |side: &Side| {
        let rounds = side.outcomes.iter().map(|o| outcome(o, &comparison.kinds));
        json!({
            "place": side.place.to_string(),
            "rounds": rounds.collect::<Vec<_>>(),
        })
    };
    json!({
        "test": comparison.title,
        "figures": figures.collect::<Map<_, _>>(),
        "sides": [side(&comparison.sides[0]), side(&comparison.sides[1])],
    })
}
