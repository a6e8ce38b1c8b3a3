//! What INFO and MEMORY report on, gathered when first asked for.
//!
//! Memory figures cost tens of microseconds, and the databases a lock per stripe; nothing is held
//! while another thing is read, so figures of one reply may differ by what happened in between.

use crate::exec::{Counter, Engine};
use crate::keyspace::{STRIPES, Stripes};
use crate::ports::MemoryFigures;
use std::cell::OnceCell;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// A field's value, with the format that Redis gives to its kind.
pub(super) enum Value {
    Int(i64),
    Count(u64),
    Text(String),
    Word(&'static str),
    /// Bytes as `1.13M`.
    Human(u64),
    /// Two digits after the point.
    Ratio(f64),
    /// Two digits after the point and a percent sign.
    Percent(f64),
    /// Six digits after the point.
    Seconds(f64),
}

impl Value {
    pub(super) fn write(&self, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Value::Int(n) => write!(text, "{n}"),
            Value::Count(n) => write!(text, "{n}"),
            Value::Text(t) => write!(text, "{t}"),
            Value::Word(w) => write!(text, "{w}"),
            Value::Human(n) => write!(text, "{}", human(*n)),
            Value::Ratio(r) => write!(text, "{r:.2}"),
            Value::Percent(r) => write!(text, "{r:.2}%"),
            Value::Seconds(s) => write!(text, "{s:.6}"),
        };
    }
}

/// Bytes in the largest unit that leaves at least one.
fn human(bytes: u64) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(5);
    let unit = UNITS.get(power as usize - 1).copied().unwrap_or('P');
    format!("{:.2}{unit}", to_f64(bytes) / to_f64(1 << (10 * power)))
}

/// For ratios and percentages: the digits beyond a double's precision do not matter.
#[allow(clippy::cast_precision_loss)]
pub(super) fn to_f64(n: u64) -> f64 {
    n as f64
}

/// `a / b`, 0 when there is nothing to divide by.
pub(in super::super) fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { to_f64(a) / to_f64(b) }
}

/// One database in use.
pub(in super::super) struct DatabaseFacts {
    pub(in super::super) index: usize,
    pub(in super::super) keys: u64,
    pub(in super::super) volatile: u64,
    /// Bytes of its tables.
    pub(in super::super) table: u64,
    /// Keys that are watched.
    pub(in super::super) watched: u64,
    /// Keys that blocked clients wait for.
    pub(in super::super) awaited: u64,
}

/// Figures on memory, in bytes.
pub(in super::super) struct MemoryFacts {
    pub(in super::super) figures: MemoryFigures,
    pub(in super::super) used: u64,
    pub(in super::super) peak: u64,
    pub(in super::super) peak_ms: i64,
    pub(in super::super) startup: u64,
    /// Buffers of all clients.
    pub(in super::super) clients: u64,
    /// Number of clients.
    pub(in super::super) connected: u64,
    /// Databases that hold a key, or a key of which is watched or waited for.
    pub(in super::super) databases: Vec<DatabaseFacts>,
}

impl MemoryFacts {
    /// Reads everything.
    pub(in super::super) fn gather(engine: &Engine, stripes: &Stripes<'_>) -> MemoryFacts {
        let clients = ClientFacts::gather(engine);
        let figures = engine.memory.figures();
        MemoryFacts {
            used: engine.used_memory(),
            figures,
            peak: engine.stats.peak_memory.load(Relaxed),
            peak_ms: engine.stats.peak_ms.load(Relaxed),
            startup: engine.startup_memory,
            clients: clients.buffers,
            connected: clients.connected,
            databases: databases(stripes),
        }
    }

    pub(in super::super) fn keys(&self) -> u64 {
        self.databases.iter().map(|d| d.keys).sum()
    }

    pub(in super::super) fn tables(&self) -> u64 {
        self.databases.iter().map(|d| d.table).sum()
    }

    /// What is not data: the bare server, buffers of clients, tables.
    pub(in super::super) fn overhead(&self) -> u64 {
        (self.startup + self.clients + self.tables()).min(self.used)
    }

    pub(in super::super) fn dataset(&self) -> u64 {
        self.used - self.overhead()
    }

    /// The share of the data in what was added since the start.
    pub(in super::super) fn dataset_percent(&self) -> f64 {
        100.0 * ratio(self.dataset(), self.used.saturating_sub(self.startup))
    }

    pub(in super::super) fn peak_percent(&self) -> f64 {
        100.0 * ratio(self.used, self.peak)
    }

    /// `a - b`, which may be negative.
    pub(in super::super) fn difference(&self, a: u64, b: u64) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        signed(a).saturating_sub(signed(b))
    }
}

fn databases(stripes: &Stripes<'_>) -> Vec<DatabaseFacts> {
    let mut found = Vec::new();
    for index in 0..stripes.databases() {
        let mut facts = DatabaseFacts {
            index,
            keys: 0,
            volatile: 0,
            table: 0,
            watched: 0,
            awaited: 0,
        };
        for stripe in 0..STRIPES {
            stripes.with(index, stripe, |stripe| {
                facts.keys += stripe.len() as u64;
                facts.volatile += stripe.volatile_len() as u64;
                facts.table += stripe.table_bytes() as u64;
                let interest = stripe.interest.as_ref().map(|i| i.counts());
                let (watched, awaited) = interest.unwrap_or_default();
                facts.watched += watched as u64;
                facts.awaited += awaited as u64;
            });
        }
        if facts.keys + facts.watched + facts.awaited > 0 {
            found.push(facts);
        }
    }
    found
}

/// Figures on connections.
#[derive(Default)]
pub(super) struct ClientFacts {
    pub(super) connected: u64,
    pub(super) paused: u64,
    /// In blocking commands, and those of them whose wait ends by itself.
    pub(super) blocked: u64,
    pub(super) timed: u64,
    /// That watch keys.
    pub(super) watching: u64,
    pub(super) subscribers: u64,
    /// Bytes of all buffers.
    pub(super) buffers: u64,
    /// The largest query buffer.
    pub(super) largest_in: u64,
    /// The largest output buffer.
    pub(super) largest_out: u64,
}

impl ClientFacts {
    fn gather(engine: &Engine) -> ClientFacts {
        let mut facts = ClientFacts::default();
        for client in engine.clients.list() {
            let query = client.query_cap.load(Relaxed);
            let output = client.output_cap.load(Relaxed);
            facts.connected += 1;
            facts.paused += u64::from(client.paused.load(Relaxed));
            let deadline = client.waiter.lock().as_ref().map(|w| w.has_deadline());
            facts.blocked += u64::from(deadline.is_some());
            facts.timed += u64::from(deadline == Some(true));
            facts.watching += u64::from(client.watching.load(Relaxed) > 0);
            facts.subscribers += u64::from(client.is_subscriber());
            facts.buffers += query + output + client.outbox.bytes() as u64;
            facts.largest_in = facts.largest_in.max(query);
            facts.largest_out = facts.largest_out.max(output);
        }
        facts
    }
}

/// See the module's documentation.
pub(super) struct Facts<'a, 's> {
    pub(super) engine: &'a Engine,
    pub(super) stripes: &'a Stripes<'s>,
    pub(super) now_ms: i64,
    memory: OnceCell<MemoryFacts>,
    clients: OnceCell<ClientFacts>,
    cpu: OnceCell<[f64; 4]>,
}

impl<'a, 's> Facts<'a, 's> {
    pub(super) fn new(engine: &'a Engine, stripes: &'a Stripes<'s>, now_ms: i64) -> Facts<'a, 's> {
        Facts {
            engine,
            stripes,
            now_ms,
            memory: OnceCell::new(),
            clients: OnceCell::new(),
            cpu: OnceCell::new(),
        }
    }

    pub(super) fn memory(&self) -> &MemoryFacts {
        self.memory
            .get_or_init(|| MemoryFacts::gather(self.engine, self.stripes))
    }

    /// What scripts take.
    pub(super) fn scripts(&self) -> crate::ports::ScriptFigures {
        self.engine.scripts.figures()
    }

    pub(super) fn clients(&self) -> &ClientFacts {
        self.clients
            .get_or_init(|| ClientFacts::gather(self.engine))
    }

    /// User and system CPU seconds, of the process and of its children.
    pub(super) fn cpu(&self) -> &[f64; 4] {
        self.cpu.get_or_init(|| self.engine.runtime.cpu_seconds())
    }

    pub(super) fn databases(&self) -> &[DatabaseFacts] {
        &self.memory().databases
    }

    pub(super) fn counter(&self, counter: Counter) -> Value {
        Value::Count(self.engine.stats.get(counter))
    }

    pub(super) fn uptime_seconds(&self) -> i64 {
        (self.now_ms - self.engine.started_ms).max(0) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::{human, ratio};

    #[test]
    fn sizes_read_as_in_redis() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (993_488, "970.20K"),
            (1_188_592, "1.13M"),
            (25_276_510_208, "23.54G"),
            (u64::MAX, "16384.00P"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
        assert!(ratio(1, 0).abs() < f64::EPSILON);
    }
}
