//! The texts of LATENCY GRAPH and LATENCY DOCTOR.

use crate::exec::Engine;
use crate::exec::LatencyEvent;
use crate::settings::id;
use std::fmt::Write;

/// Spikes drawn, the newest ones.
const COLUMNS: usize = 80;
const ROWS: u64 = 4;

/// A bar for each spike, higher for longer ones, with its age below, read downwards.
pub(super) fn graph(name: &str, event: &LatencyEvent, now: i64) -> String {
    let skipped = event.history.len().saturating_sub(COLUMNS);
    let shown: Vec<(i64, u64)> = event.history.iter().skip(skipped).copied().collect();
    let high = shown.iter().map(|(_, ms)| *ms).max().unwrap_or(0);
    let low = shown.iter().map(|(_, ms)| *ms).min().unwrap_or(0);
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.max,
        "-".repeat(COLUMNS)
    );
    let range = (high - low).max(1);
    // A spike fills one row to all of them.
    let level = |ms: u64| 1 + (ms - low) * (ROWS - 1) / range;
    for row in (1..=ROWS).rev() {
        let bars = shown.iter().map(|(_, ms)| match level(*ms) {
            l if l > row => '|',
            l if l == row => '#',
            _ => ' ',
        });
        text.extend(bars);
        text.push('\n');
    }
    text.push('\n');
    let ages: Vec<String> = shown.iter().map(|(at, _)| age(now - at)).collect();
    for line in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        text.extend(ages.iter().map(|a| a.chars().nth(line).unwrap_or(' ')));
        text.push('\n');
    }
    text
}

fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..86_400 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// What the spikes were, and what may help.
pub(super) fn doctor(engine: &Engine) -> String {
    let threshold = engine.settings.int(id::LATENCY_MONITOR_THRESHOLD);
    let events = engine.latency.events();
    if events.is_empty() {
        return if threshold == 0 {
            "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> switches it on.\n".to_owned()
        } else {
            format!("No spike of {threshold} milliseconds or more was seen.\n")
        };
    }
    let mut text = String::new();
    let slow_log = engine.settings.int(id::SLOWLOG_LOG_SLOWER_THAN);
    for (name, event) in &events {
        let count = event.history.len() as u64;
        let sum: u64 = event.history.iter().map(|(_, ms)| ms).sum();
        let mean = sum.checked_div(count).unwrap_or(0);
        let deviation: u64 = event.history.iter().map(|(_, ms)| ms.abs_diff(mean)).sum();
        let deviation = deviation.checked_div(count).unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name}: {count} spikes, {mean} ms on average (mean deviation {deviation} ms), {} ms at worst.",
            event.max
        );
        let advice = match *name {
            "command" | "fast-command" if slow_log < 0 || slow_log > threshold * 1000 => {
                "* Single commands were slow. Lower slowlog-log-slower-than to see which in SLOWLOG GET."
            }
            "command" => "* Single commands were slow: see SLOWLOG GET for which.",
            "fast-command" => {
                "* Commands that do little were slow, so the machine is likely to be short of processors, or swaps."
            }
            _ => continue,
        };
        text.push_str(advice);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::graph;
    use crate::exec::LatencyEvent;

    #[test]
    fn graphs_grow_with_the_spike() {
        let event = LatencyEvent {
            history: [(1000, 5), (1060, 10), (1065, 20)].into(),
            max: 25,
        };
        let line = "-".repeat(80);
        let expected = format!(
            "command - high 20 ms, low 5 ms (all time high 25 ms)\n{line}\n  #\n  |\n #|\n#||\n\n144\nm50\n ss\n"
        );
        assert_eq!(graph("command", &event, 1105), expected);
    }
}
