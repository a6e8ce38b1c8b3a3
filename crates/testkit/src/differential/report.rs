//! What a run found, as text.

use super::explained::EXPLAINED;
use super::minimise::minimise;
use super::steps::{Arena, Mismatch, Step, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

/// Bytes of a reply or argument that are shown.
const SHOWN: usize = 400;
/// Requests of a minimised sequence that are shown.
const TAIL: usize = 30;

/// How often a command was sent, and how often the reference answered with an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coverage {
    /// Requests.
    pub sent: u64,
    /// Error replies among them.
    pub failed: u64,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Requests compared.
    pub requests: u64,
    /// How long it took.
    pub seconds: f64,
    /// One text per difference that nothing explains.
    pub failures: Vec<String>,
    /// Uses of the rows of [`EXPLAINED`].
    pub explained: Vec<u64>,
    /// How often a difference was met again that is already among the failures.
    pub repeated: u64,
    known: BTreeSet<(String, Vec<u8>, Vec<u8>)>,
    /// By command (`name` or `container|name`), those in focus.
    pub coverage: BTreeMap<String, Coverage>,
}

impl Report {
    pub(super) fn new(names: impl Iterator<Item = String>) -> Report {
        Report {
            explained: vec![0; EXPLAINED.len()],
            coverage: names.map(|n| (n, Coverage::default())).collect(),
            ..Report::default()
        }
    }

    pub(super) fn count(&mut self, args: &[Vec<u8>], failed: bool, verdict: Verdict) {
        self.requests += 1;
        if let Verdict::Explained(row) = verdict {
            self.explained[row] += 1;
        }
        let word = |i: usize| {
            let word = args.get(i).map_or(&[][..], Vec::as_slice);
            String::from_utf8_lossy(word).to_lowercase()
        };
        let mut name = word(0);
        if !self.coverage.contains_key(&name) {
            let _ = write!(name, "|{}", word(1));
        }
        if let Some(coverage) = self.coverage.get_mut(&name) {
            coverage.sent += 1;
            coverage.failed += u64::from(failed);
        }
    }

    /// Whether a difference of that kind is already among the failures; counts it if so.
    pub(super) fn meets_again(&mut self, args: &[Vec<u8>], ours: &[u8], theirs: &[u8]) -> bool {
        let known = self.known.contains(&kind_of(args, ours, theirs));
        self.repeated += u64::from(known);
        known
    }

    pub(super) fn fail(&mut self, arena: &Arena, seed: u64, steps: Vec<Step>, found: &Mismatch) {
        let args = steps.get(found.at).map(Step::args).unwrap_or_default();
        if !self
            .known
            .insert(kind_of(&args, &found.ours, &found.theirs))
        {
            self.repeated += 1;
            return;
        }
        let mut text = String::new();
        let Mismatch { at, .. } = found;
        let (protocol, release) = (arena.protocol, arena.release);
        let _ = writeln!(
            text,
            "DIFFERENCE: --seed {seed}, step {at}, {protocol:?}, Redis {release:?}"
        );
        let (steps, best) = minimise(arena, steps, found);
        if let Some(last) = steps.last() {
            let _ = writeln!(text, "  request: {}", quoted(&last.args()));
        }
        let _ = writeln!(text, "  ours:    {}", escaped(&best.ours));
        let _ = writeln!(text, "  theirs:  {}", escaped(&best.theirs));
        if !best.note.is_empty() {
            let _ = writeln!(text, "  note:    {}", best.note);
        }
        let skipped = steps.len().saturating_sub(TAIL);
        let _ = writeln!(text, "  after ({skipped} more before these):");
        for step in steps.iter().skip(skipped) {
            let _ = writeln!(text, "    {}", quoted(&step.args()));
        }
        self.failures.push(text);
    }

    /// Commands with a certain coverage.
    fn with(&self, which: impl Fn(&Coverage) -> bool) -> String {
        let all = self.coverage.iter().filter(|(_, c)| which(c));
        all.map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What makes two differences the same for the reader: the command, and how both replies begin.
fn kind_of(args: &[Vec<u8>], ours: &[u8], theirs: &[u8]) -> (String, Vec<u8>, Vec<u8>) {
    let name = args.first().map_or(&[][..], Vec::as_slice);
    let name = String::from_utf8_lossy(name).to_lowercase();
    let begin = |reply: &[u8]| {
        let letters = reply.iter().copied().filter(|b| !b.is_ascii_digit());
        letters
            .take(if reply.starts_with(b"-") { 24 } else { 1 })
            .collect()
    };
    (name, begin(ours), begin(theirs))
}

/// A request as redis-cli takes it.
fn quoted(args: &[Vec<u8>]) -> String {
    let mut line = Vec::new();
    for arg in args {
        if !line.is_empty() {
            line.push(b' ');
        }
        let shown = &arg[..arg.len().min(SHOWN)];
        let plain = |b: &u8| b.is_ascii_graphic() && !b"\"'\\".contains(b);
        if !shown.is_empty() && shown.iter().all(plain) {
            line.extend_from_slice(shown);
        } else {
            ochre_resp::quote_arg(&mut line, shown);
        }
        if arg.len() > SHOWN {
            line.extend_from_slice(format!("...({} bytes)", arg.len()).as_bytes());
        }
    }
    String::from_utf8_lossy(&line).into_owned()
}

fn escaped(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN)].escape_ascii();
    if bytes.len() > SHOWN {
        return format!("{shown}... ({} bytes)", bytes.len());
    }
    shown.to_string()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            write!(f, "{failure}")?;
        }
        let used = EXPLAINED.iter().zip(&self.explained);
        for (row, uses) in used.filter(|(_, uses)| **uses > 0) {
            writeln!(f, "explained {uses} times: {}", row.reason)?;
        }
        for (what, names) in [
            ("not sent", self.with(|c| c.sent == 0)),
            (
                "answered with errors only",
                self.with(|c| c.sent > 0 && c.sent == c.failed),
            ),
        ] {
            if !names.is_empty() {
                writeln!(f, "{what}: {names}")?;
            }
        }
        let failed: u64 = self.coverage.values().map(|c| c.failed).sum();
        let sent: u64 = self.coverage.values().map(|c| c.sent).sum();
        write!(
            f,
            "{} requests in {:.1} s ({:.0}/s), {} commands in focus, {} % of their replies errors, \
             {} differences, met again {} times",
            self.requests,
            self.seconds,
            self.requests as f64 / self.seconds.max(1e-9),
            self.coverage.len(),
            failed * 100 / sent.max(1),
            self.failures.len(),
            self.repeated,
        )
    }
}
