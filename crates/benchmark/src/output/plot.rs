//! Plots as SVG text: lines over axes, without scripts.
//!
//! Colours are classes, which the page's style sheet defines.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Lines of a grid, about.
const TICKS: f64 = 5.0;

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From 0.
    Linear,
    /// By powers of ten.
    Log,
    /// Percentiles: each further nine has the same room.
    Nines,
}

/// A line with a name.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A plot.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x_name: &'static str,
    pub(crate) y_name: &'static str,
    pub(crate) x_scale: Scale,
    pub(crate) y_scale: Scale,
    pub(crate) series: Vec<Series>,
}

/// One direction: what is shown, and the marks.
struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Axis {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        match scale {
            Scale::Linear => Axis::linear(most),
            Scale::Log => Axis::log(least, most),
            Scale::Nines => Axis::nines(most),
        }
    }

    fn linear(most: f64) -> Axis {
        let most = if most > 0.0 { most } else { 1.0 };
        let raw = most / TICKS;
        let power = 10_f64.powf(raw.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|s| s * power);
        let step = steps.into_iter().find(|s| *s >= raw).unwrap_or(raw);
        let count = (most / step).ceil();
        let mut ticks = Vec::new();
        let mut i = 0.0;
        while i <= count {
            ticks.push((i * step, label(i * step)));
            i += 1.0;
        }
        Axis {
            scale: Scale::Linear,
            from: 0.0,
            to: count * step,
            ticks,
        }
    }

    fn log(least: f64, most: f64) -> Axis {
        let least = if least.is_finite() { least } else { 1.0 };
        let from = least.max(1e-6).log10().floor();
        let to = most.max(1e-6).log10().ceil().max(from + 1.0);
        let mut ticks = Vec::new();
        let mut power = from;
        while power <= to {
            let value = 10_f64.powf(power);
            ticks.push((value, label(value)));
            power += 1.0;
        }
        Axis {
            scale: Scale::Log,
            from,
            to,
            ticks,
        }
    }

    fn nines(most: f64) -> Axis {
        let to = nines(most).ceil().clamp(2.0, 7.0);
        let mut ticks = vec![(0.0, "0".to_owned()), (50.0, "50".to_owned())];
        for (value, name) in [
            (90.0, "90"),
            (99.0, "99"),
            (99.9, "99.9"),
            (99.99, "99.99"),
            (99.999, "99.999"),
            (99.9999, "99.9999"),
            (99.99999, "99.99999"),
        ] {
            if nines(value) <= to + 1e-6 {
                ticks.push((value, name.to_owned()));
            }
        }
        Axis {
            scale: Scale::Nines,
            from: 0.0,
            to,
            ticks,
        }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(1e-9).log10(),
            Scale::Nines => nines(value),
        };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// How many nines a percentile has: 90 has one, 99 two.
fn nines(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).max(1e-9).log10()
}

fn label(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", short(v / 1e6)),
        v if v >= 1e4 => format!("{}k", short(v / 1e3)),
        v => short(v),
    }
}

fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

/// The plot as an `svg` element.
pub(crate) fn svg(plot: &Plot) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_svg(&mut out, plot);
    out
}

fn write_svg(out: &mut String, plot: &Plot) -> std::fmt::Result {
    let points = || plot.series.iter().flat_map(|s| &s.points);
    let x = Axis::new(plot.x_scale, points().map(|p| p.0));
    let y = Axis::new(plot.y_scale, points().map(|p| p.1));
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let at_x = |value: f64| LEFT + x.place(value) * (right - LEFT);
    let at_y = |value: f64| bottom - y.place(value) * (bottom - TOP);
    writeln!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        plot.title
    )?;
    for (value, name) in &y.ticks {
        let at = at_y(*value);
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            LEFT - 6.0,
            at + 4.0,
        )?;
    }
    for (value, name) in &x.ticks {
        let at = at_x(*value);
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
             <text class=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{name}</text>",
            bottom + 16.0,
        )?;
    }
    let (middle, below) = (f64::midpoint(LEFT, right), HEIGHT - 6.0);
    let x_name = plot.x_name;
    writeln!(
        out,
        "<text class=\"middle\" x=\"{middle:.1}\" y=\"{below:.1}\">{x_name}</text>"
    )?;
    let (centre, y_name) = (f64::midpoint(TOP, bottom), plot.y_name);
    writeln!(
        out,
        "<text class=\"middle\" transform=\"translate(14 {centre:.1}) rotate(-90)\">{y_name}</text>"
    )?;
    for (i, series) in plot.series.iter().enumerate() {
        let line: Vec<String> = series
            .points
            .iter()
            .map(|&(a, b)| format!("{:.1},{:.1}", at_x(a), at_y(b)))
            .collect();
        let name = escaped(&series.name);
        writeln!(
            out,
            "<polyline class=\"line s{i}\" points=\"{}\"><title>{name}</title></polyline>",
            line.join(" ")
        )?;
    }
    writeln!(out, "</svg>")
}

/// Text for HTML, in elements and in quoted attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // HTML has no way to write these.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_their_values() {
        for most in [0.0, 0.03, 1.0, 7.0, 99.0, 123_456.0] {
            let axis = Axis::linear(most);
            assert!(axis.to >= most, "{most}");
            assert!(
                (2..=12).contains(&axis.ticks.len()),
                "{most}: {:?}",
                axis.ticks
            );
        }
        let axis = Axis::log(0.03, 120.0);
        assert_eq!((axis.from, axis.to), (-2.0, 3.0));
        assert!(Axis::log(f64::INFINITY, 0.0).to.is_finite());
    }

    #[test]
    fn nines_have_the_same_room_each() {
        let axis = Axis::nines(99.99);
        let places = [0.0, 90.0, 99.0, 99.9, 99.99].map(|v| axis.place(v));
        for pair in places.windows(2) {
            assert!((pair[1] - pair[0] - 0.25).abs() < 1e-6, "{places:?}");
        }
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.0, 0.01, 2.5, 1000.0, 20_000.0, 3e6].map(label);
        assert_eq!(labels, ["0", "0.01", "2.5", "1000", "20k", "3M"]);
    }

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(
            escaped("<a b=\"c\">&\u{1}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}"
        );
    }
}
