//! The forms in which results are told.
//!
//! Invariants
//! - For people, `-q` and `--csv` have the shape of redis-benchmark's; what it does not have comes after, or in columns
//!   behind its own (`--csv-full`).
//! - Progress is shown at a terminal only, and the line is blank before anything else is written.

pub(crate) mod csv;
pub(crate) mod html;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod plot;
pub(crate) mod progress;

use crate::compare::Comparison;
use crate::run::Outcome;
use crate::target::Facts;

/// A load and what it came to.
#[derive(Clone, Debug)]
pub(crate) struct Tested {
    pub(crate) title: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) outcome: Outcome,
}

/// Everything that a run of the program found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    /// The servers, one or two.
    pub(crate) servers: Vec<(String, Option<Facts>)>,
    /// Whether the figures are of an open loop.
    pub(crate) rate: Option<u64>,
    /// The load in words.
    pub(crate) load: Vec<(&'static str, String)>,
    pub(crate) tested: Vec<Tested>,
    pub(crate) compared: Vec<Comparison>,
    /// Why it ended early.
    pub(crate) failure: Option<String>,
}
