//! Cuts a failing sequence down to the requests that the difference needs.
//!
//! Removes ever smaller pieces and keeps what still fails (Zeller's ddmin, without its complements).
//! Bounded by [`TIME_MAX`]; what is left then is shown as it is.

use super::steps::{Arena, Mismatch, Step};
use std::time::{Duration, Instant};

/// Longest time for one sequence.
pub const TIME_MAX: Duration = Duration::from_secs(15);

/// The steps that are still needed, the failing one last, and its mismatch in that shorter run.
#[must_use]
pub fn minimise(arena: &Arena, mut steps: Vec<Step>, first: &Mismatch) -> (Vec<Step>, Mismatch) {
    let deadline = Instant::now() + TIME_MAX;
    steps.truncate(first.at + 1);
    let mut best = first.clone();
    let alone = &steps[first.at..];
    if let Ok(Some(found)) = arena.run(alone, None) {
        return (alone.to_vec(), found);
    }
    let mut size = steps.len().div_ceil(2);
    while size > 0 && Instant::now() < deadline {
        let mut from = 0;
        while from < steps.len().saturating_sub(1) && Instant::now() < deadline {
            // The last step is the one that shows the difference, so it stays.
            let to = (from + size).min(steps.len() - 1);
            let mut fewer = steps.clone();
            fewer.drain(from..to);
            match arena.run(&fewer, None) {
                // Another difference than the one looked for does not count.
                Ok(Some(found)) if found.at + 1 == fewer.len() => {
                    steps = fewer;
                    best = found;
                }
                _ => from = to,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    (steps, best)
}
