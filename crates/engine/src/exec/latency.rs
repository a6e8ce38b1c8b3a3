//! LATENCY: spikes above `latency-monitor-threshold`, by event, the last 160 of each.

use crate::spec::{Command, Flags};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};

/// Spikes kept per event.
const HISTORY: usize = 160;

/// The spikes of one event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// (Unix seconds, milliseconds), oldest first; one per second, the worst.
    pub history: VecDeque<(i64, u64)>,
    /// The worst ever, milliseconds.
    pub max: u64,
}

/// See the module's documentation.
#[derive(Default)]
pub struct LatencyMonitor {
    events: Mutex<BTreeMap<&'static str, Event>>,
}

impl LatencyMonitor {
    pub(crate) fn command(&self, command: &Command, now_ms: i64, millis: u64) {
        self.add(
            if command.flags.has(Flags::FAST) {
                "fast-command"
            } else {
                "command"
            },
            now_ms,
            millis,
        );
    }

    /// Notes a spike.
    pub fn add(&self, event: &'static str, now_ms: i64, millis: u64) {
        let mut events = self.events.lock();
        let event = events.entry(event).or_default();
        event.max = event.max.max(millis);
        let second = now_ms / 1000;
        match event.history.back_mut() {
            Some((at, worst)) if *at == second => *worst = (*worst).max(millis),
            _ => {
                if event.history.len() == HISTORY {
                    event.history.pop_front();
                }
                event.history.push_back((second, millis));
            }
        }
    }

    /// All events.
    pub fn events(&self) -> Vec<(&'static str, Event)> {
        self.events
            .lock()
            .iter()
            .map(|(k, v)| (*k, v.clone()))
            .collect()
    }

    /// Forgets the named events, or all when there is no name. Returns how many were forgotten.
    pub fn reset(&self, names: &[&[u8]]) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|name, _| !names.is_empty() && !names.contains(&name.as_bytes()));
        before - events.len()
    }
}
