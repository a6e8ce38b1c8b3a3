//! Results as one HTML page that needs nothing else: no scripts, no files, no network.

use super::plot::{Plot, Scale, Series, escaped, svg};
use super::{Results, Tested};
use crate::compare::{Comparison, Side};
use crate::figures::{Summary, milliseconds};
use crate::run::Outcome;
use crate::stats::{Latencies, Point, latencies};
use std::fmt::{Result, Write as _};

const STYLE: &str = "
:root { --ink: #222; --paper: #fff; --faint: #ddd; --s0: #1f6fb4; --s1: #d9711a; --s2: #b5332e; --s3: #7a4fa3; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --paper: #16181b; --faint: #383c42; --s0: #6db1ea; --s1: #f0a05a; --s2: #ee7670; --s3: #b998e0; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid var(--faint); text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; font-size: 11px; fill: var(--ink); }
.grid { stroke: var(--faint); }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.middle { text-anchor: middle; } .end { text-anchor: end; }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); } .s2 { stroke: var(--s2); } .s3 { stroke: var(--s3); }
.key { padding-right: 1.2rem; white-space: nowrap; }
.key::before { content: \"\"; display: inline-block; width: 1.2rem; height: .25rem; margin-right: .4rem; vertical-align: middle; background: var(--colour); }
.k0 { --colour: var(--s0); } .k1 { --colour: var(--s1); } .k2 { --colour: var(--s2); } .k3 { --colour: var(--s3); }
.failure { border-left: .3rem solid var(--s2); padding-left: .8rem; }
";

/// The whole page.
pub(crate) fn page(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut out, results);
    out
}

fn write_page(out: &mut String, results: &Results) -> Result {
    out.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    writeln!(
        out,
        "<title>ochre-benchmark</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    )?;
    writeln!(out, "<h1>ochre-benchmark</h1>\n<table>")?;
    for (place, facts) in &results.servers {
        let facts = facts.as_ref();
        let name = facts.and_then(|f| f.name.as_deref()).unwrap_or_default();
        let version = facts.and_then(|f| f.version.as_deref()).unwrap_or_default();
        let server = escaped(&format!("{place} {name} {version}"));
        writeln!(out, "<tr><td>server</td><td>{server}</td></tr>")?;
    }
    for (name, value) in &results.load {
        let value = escaped(value);
        writeln!(out, "<tr><td>{name}</td><td>{value}</td></tr>")?;
    }
    writeln!(out, "</table>")?;
    if let Some(failure) = &results.failure {
        let failure = escaped(failure);
        writeln!(
            out,
            "<p class=\"failure\">The run ended early: {failure}</p>"
        )?;
    }
    for tested in &results.tested {
        write_tested(out, tested, results.rate)?;
    }
    for comparison in &results.compared {
        write_comparison(out, comparison)?;
    }
    writeln!(out, "</body>\n</html>")
}

fn write_tested(out: &mut String, tested: &Tested, rate: Option<u64>) -> Result {
    let outcome = &tested.outcome;
    writeln!(out, "<h2>{}</h2>", escaped(&tested.title))?;
    let (answered, seconds) = (outcome.counts.answered(), outcome.elapsed.as_secs_f64());
    write!(
        out,
        "<p>{answered} requests in {seconds:.2} seconds: {:.0} requests per second. ",
        outcome.rate()
    )?;
    let client = outcome.per_request(outcome.client_cpu);
    write!(out, "Client CPU {client:.3} microseconds per request")?;
    if let Some(cpu) = outcome.server_cpu {
        write!(out, ", server CPU {:.3}", outcome.per_request(cpu))?;
    }
    out.push('.');
    if let Some(rate) = rate {
        write!(out, " Open loop at {rate} requests per second.")?;
    }
    if outcome.counts.unanswered > 0 {
        let n = outcome.counts.unanswered;
        write!(out, " {n} requests had no reply in time.")?;
    }
    if let (n @ 1.., Some(text)) = (outcome.counts.errors, &outcome.counts.first_error) {
        write!(out, " {n} error replies, the first: {}", escaped(text))?;
    }
    writeln!(out, "</p>")?;
    write_latencies(out, tested)?;
    let points = outcome.course.points();
    write_plot(out, &throughput(vec![("replies", points)]))?;
    write_plot(out, &latency_over_time(points))?;
    let mut curves = vec![("latency", &outcome.latencies)];
    if let Some(service) = &outcome.counts.service {
        curves.push(("service time", service));
    }
    write_plot(out, &percentile_curve(curves))
}

fn write_latencies(out: &mut String, tested: &Tested) -> Result {
    writeln!(
        out,
        "<table>\n<tr><th>milliseconds</th><th>mean</th><th>min</th><th>p50</th><th>p90</th><th>p95</th>\
         <th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th></tr>"
    )?;
    let mut row = |name: &str, latencies: &Latencies| -> Result {
        let s = Summary::new(latencies);
        write!(out, "<tr><td>{}</td>", escaped(name))?;
        for value in [
            s.mean, s.min, s.p50, s.p90, s.p95, s.p99, s.p999, s.p9999, s.max,
        ] {
            write!(out, "<td>{value:.3}</td>")?;
        }
        writeln!(out, "</tr>")
    };
    row("latency", &tested.outcome.latencies)?;
    if let Some(service) = &tested.outcome.counts.service {
        row("service time", service)?;
    }
    if tested.kinds.len() > 1 {
        for (kind, latencies) in tested.kinds.iter().zip(&tested.outcome.counts.by_kind) {
            row(kind, latencies)?;
        }
    }
    writeln!(out, "</table>")
}

fn write_plot(out: &mut String, plot: &Plot) -> Result {
    writeln!(out, "<h3>{}</h3>\n<p>", plot.title)?;
    for (i, series) in plot.series.iter().enumerate() {
        let name = escaped(&series.name);
        writeln!(out, "<span class=\"key k{i}\">{name}</span>")?;
    }
    writeln!(out, "</p>\n{}", svg(plot))
}

fn series(points: &[Point], name: &str, value: impl Fn(&Point) -> f64) -> Series {
    Series {
        name: name.to_owned(),
        points: points.iter().map(|p| (p.at, value(p))).collect(),
    }
}

fn throughput(courses: Vec<(&str, &[Point])>) -> Plot {
    Plot {
        title: "Throughput over time",
        x_name: "seconds",
        y_name: "requests per second",
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        series: courses
            .into_iter()
            .map(|(name, points)| series(points, name, Point::rate))
            .collect(),
    }
}

fn latency_over_time(points: &[Point]) -> Plot {
    // Intervals without replies have no latencies.
    let points: Vec<Point> = points.iter().filter(|p| p.answered > 0).copied().collect();
    let line = |name, value: fn(&Point) -> u64| series(&points, name, |p| milliseconds(value(p)));
    Plot {
        title: "Latency over time",
        x_name: "seconds",
        y_name: "milliseconds",
        x_scale: Scale::Linear,
        y_scale: Scale::Log,
        series: vec![
            line("p50", |p| p.p50),
            line("p99", |p| p.p99),
            line("p99.9", |p| p.p999),
            line("max", |p| p.max),
        ],
    }
}

fn percentile_curve(curves: Vec<(&str, &Latencies)>) -> Plot {
    let curve = |(name, latencies): (&str, &Latencies)| Series {
        name: name.to_owned(),
        points: latencies
            .iter_quantiles(5)
            .filter(|step| step.quantile_iterated_to() < 1.0)
            .map(|step| {
                let percent = step.quantile_iterated_to() * 100.0;
                (percent, milliseconds(step.value_iterated_to()))
            })
            .collect(),
    };
    Plot {
        title: "Latency by percentile",
        x_name: "percentile",
        y_name: "milliseconds",
        x_scale: Scale::Nines,
        y_scale: Scale::Log,
        series: curves.into_iter().map(curve).collect(),
    }
}

fn write_comparison(out: &mut String, comparison: &Comparison) -> Result {
    writeln!(out, "<h2>{}</h2>", escaped(&comparison.title))?;
    let [first, second] = comparison.sides.each_ref().map(|s| s.place.to_string());
    let rounds = comparison.sides[0].outcomes.len();
    writeln!(
        out,
        "<p>Medians of {rounds} rounds, taken in turn.</p>\n<table>\n<tr><th></th><th>{}</th><th>{}</th>\
         <th>ratio</th><th>in single rounds</th></tr>",
        escaped(&first),
        escaped(&second)
    )?;
    for (figure, row) in comparison.rows() {
        let [a, b] = row.medians;
        let (least, most) = row.spread;
        writeln!(
            out,
            "<tr><td>{}</td><td>{a:.3}</td><td>{b:.3}</td><td>{:.3}</td><td>{least:.3} to {most:.3}</td></tr>",
            figure.name, row.ratio
        )?;
    }
    writeln!(out, "</table>")?;
    let all: Vec<(String, Vec<Point>, Latencies)> = comparison.sides.iter().map(joined).collect();
    let courses = all
        .iter()
        .map(|(name, points, _)| (name.as_str(), points.as_slice()));
    write_plot(out, &throughput(courses.collect()))?;
    let curves = all
        .iter()
        .map(|(name, _, latencies)| (name.as_str(), latencies));
    write_plot(out, &percentile_curve(curves.collect()))
}

/// All rounds of a server: its name, one course after the other, all latencies.
fn joined(side: &Side) -> (String, Vec<Point>, Latencies) {
    let mut points = Vec::new();
    let mut all = latencies();
    let mut begun = 0.0;
    for Outcome {
        course,
        latencies,
        elapsed,
        ..
    } in &side.outcomes
    {
        points.extend(course.points().iter().map(|p| Point {
            at: begun + p.at,
            ..*p
        }));
        begun += elapsed.as_secs_f64();
        // All have the same bounds, so that adding cannot fail.
        let _ = all.add(latencies);
    }
    (side.place.to_string(), points, all)
}
