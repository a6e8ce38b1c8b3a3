//! Waiting for a server under test, and its figures.

use std::str::FromStr;
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `holds`.
///
/// # Panics
/// When that takes longer than [`PATIENCE`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

/// A number out of the text of INFO.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn figure<N: FromStr>(info: &str, name: &str) -> N {
    let mut lines = info.lines();
    let line = lines.find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("INFO has no {name}"))
}
