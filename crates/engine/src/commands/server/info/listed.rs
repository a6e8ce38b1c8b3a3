//! The sections of INFO with one line for each command, error code or database.

use super::facts::{Facts, to_f64};
use crate::exec::LATENCY_BUCKETS;
use crate::keyspace::Stripes;
use crate::settings::id;
use std::fmt::Write;

/// Keys with an expiry that are looked at to estimate the mean time to live of a database.
const TTL_SAMPLES: u64 = 64;

/// Calls, time and failures of every command that was called.
pub(super) fn commands(facts: &Facts<'_, '_>, text: &mut String) {
    let engine = facts.engine;
    for entry in engine.lookup.entries() {
        let counts = engine.stats.command(entry.index);
        if counts.calls == 0 && counts.rejected == 0 {
            continue;
        }
        let micros = counts.nanos / 1000;
        let mean = if counts.calls == 0 {
            0.0
        } else {
            to_f64(counts.nanos) / to_f64(counts.calls) / 1000.0
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "cmdstat_{}:calls={},usec={micros},usec_per_call={mean:.2},rejected_calls={},failed_calls={}\r\n",
            entry.full_name(),
            counts.calls,
            counts.rejected,
            counts.failed
        );
    }
}

/// Error replies by code.
pub(super) fn errors(facts: &Facts<'_, '_>, text: &mut String) {
    for (code, count) in facts.engine.stats.errors() {
        // Characters that would break the line's syntax, as DEBUG ERROR can produce them.
        let clean = |c: char| {
            if c.is_control() || ":=,".contains(c) {
                '_'
            } else {
                c
            }
        };
        let code: String = code.chars().map(clean).collect();
        let _ = write!(text, "errorstat_{code}:count={count}\r\n");
    }
}

/// Percentiles of the time that each command took, in microseconds.
pub(super) fn latencies(facts: &Facts<'_, '_>, text: &mut String) {
    let engine = facts.engine;
    if !engine.settings.flag(id::LATENCY_TRACKING) {
        return;
    }
    let percentiles = engine
        .settings
        .decimals(id::LATENCY_TRACKING_INFO_PERCENTILES);
    for entry in engine.lookup.entries() {
        let counts = engine.stats.command(entry.index);
        if counts.calls == 0 {
            continue;
        }
        let _ = write!(text, "latency_percentiles_usec_{}:", entry.full_name());
        for (i, percentile) in percentiles.iter().enumerate() {
            let micros = quantile(&counts.latency, *percentile);
            let separator = if i == 0 { "" } else { "," };
            let _ = write!(text, "{separator}p{percentile}={micros:.3}");
        }
        text.push_str("\r\n");
    }
}

/// The bound below which `percentile` percent of the calls lie, microseconds.
fn quantile(buckets: &[u64; LATENCY_BUCKETS], percentile: f64) -> f64 {
    let total: u64 = buckets.iter().sum();
    let wanted = (to_f64(total) * percentile / 100.0).ceil().max(1.0);
    let mut seen = 0;
    let holds = buckets.iter().position(|count| {
        seen += count;
        to_f64(seen) >= wanted
    });
    to_f64(1 << holds.unwrap_or(0)) / 1000.0
}

/// Keys of every database that holds some.
pub(super) fn databases(facts: &Facts<'_, '_>, text: &mut String) {
    for database in facts.databases().iter().filter(|d| d.keys > 0) {
        let ttl = mean_ttl_ms(facts.stripes, database.index, facts.now_ms);
        let _ = write!(
            text,
            "db{}:keys={},expires={},avg_ttl={ttl},subexpiry=0\r\n",
            database.index, database.keys, database.volatile
        );
    }
}

/// The mean time to live of a sample, milliseconds. Keys lie in hash order, so the first are a fair sample.
fn mean_ttl_ms(stripes: &Stripes<'_>, index: usize, now_ms: i64) -> i64 {
    let (mut sum, mut seen) = (0i128, 0u64);
    for stripe in 0..crate::keyspace::STRIPES {
        stripes.with(index, stripe, |stripe| {
            let mut at = 0;
            while stripe.volatile_len() > 0 {
                at = stripe.scan_volatile(at, |_, view| {
                    if let Some(expires_at) = view.expires_at() {
                        sum += i128::from(expires_at.saturating_sub(now_ms).max(0));
                        seen += 1;
                    }
                });
                if at == 0 || seen >= TTL_SAMPLES {
                    break;
                }
            }
        });
        if seen >= TTL_SAMPLES {
            break;
        }
    }
    i64::try_from(sum / i128::from(seen.max(1))).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{LATENCY_BUCKETS, quantile};

    #[test]
    fn quantiles_are_upper_bounds() {
        let mut buckets = [0; LATENCY_BUCKETS];
        buckets[10] = 99;
        buckets[20] = 1;
        let micros = |p| format!("{:.3}", quantile(&buckets, p));
        assert_eq!(micros(0.0), "1.024");
        assert_eq!(micros(50.0), "1.024");
        assert_eq!(micros(99.0), "1.024");
        assert_eq!(micros(99.9), "1048.576");
        assert_eq!(micros(100.0), "1048.576");
    }
}
