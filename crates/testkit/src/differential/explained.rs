//! Differences between Ochre and Redis that are known and wanted, each with its reason.
//!
//! Invariants:
//! - A row matches as little as it can: the command, the arguments and both replies.
//! - Every use is counted and printed with the run's result.

use crate::reference::Release;
use ochre_resp::Frame;

/// Both replies to one request.
pub struct Difference<'a> {
    /// The request.
    pub args: &'a [Vec<u8>],
    /// What Ochre said.
    pub ours: &'a Frame,
    /// What the reference said.
    pub theirs: &'a Frame,
    /// Which reference.
    pub release: Release,
}

impl Difference<'_> {
    /// Whether the request starts with that word.
    #[must_use]
    pub fn is(&self, command: &str) -> bool {
        self.args[0].eq_ignore_ascii_case(command.as_bytes())
    }

    /// Whether the request starts with those two words.
    #[must_use]
    pub fn is_sub(&self, container: &str, command: &str) -> bool {
        let sub = self.args.get(1);
        self.is(container) && sub.is_some_and(|s| s.eq_ignore_ascii_case(command.as_bytes()))
    }

    /// Whether both are errors.
    #[must_use]
    pub fn both_fail(&self) -> bool {
        self.ours.as_error().is_some() && self.theirs.as_error().is_some()
    }
}

/// One known difference.
pub struct Explained {
    /// Whether a difference is this one.
    pub applies: fn(&Difference<'_>) -> bool,
    /// Why it is right that the replies differ.
    pub reason: &'static str,
}

/// All known differences.
pub const EXPLAINED: &[Explained] = &[];

/// The row that explains a difference.
#[must_use]
pub fn find(difference: &Difference<'_>) -> Option<usize> {
    EXPLAINED.iter().position(|e| (e.applies)(difference))
}
