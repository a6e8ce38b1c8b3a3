//! Differences between Ochre and Redis that are known and wanted, each with its reason.
//!
//! Invariants:
//! - A row matches as little as it can: the command, the arguments and both replies.
//! - Every use is counted and printed with the run's result.

use crate::reference::Release;
use ochre_resp::Frame;

/// Errors that quote the request say what is wrong before, in at least so many bytes.
const QUOTED_FROM: usize = 19;

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

    /// Whether both are errors that begin alike, before they quote the request.
    #[must_use]
    pub fn quotes_alike(&self) -> bool {
        let [ours, theirs] = [self.ours, self.theirs].map(|f| f.as_error().unwrap_or_default());
        let alike = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        alike >= QUOTED_FROM
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
pub const EXPLAINED: &[Explained] = &[
    Explained {
        applies: |d| d.quotes_alike() && d.args.iter().any(|a| a.contains(&0)),
        reason: "Redis cuts the words that it quotes in an error at a NUL, as C strings; Ochre quotes them whole",
    },
    Explained {
        applies: |d| d.quotes_alike() && d.args.iter().any(|a| str::from_utf8(a).is_err()),
        reason: "error texts are UTF-8 in Ochre: bytes of a request that are not are replaced where a text quotes them",
    },
    Explained {
        applies: |d| d.release == Release::V70 && d.is("hello") && d.both_fail(),
        reason: "Redis 7.0 applies the options of HELLO one by one; 8.2 and Ochre read all of them first",
    },
    Explained {
        applies: |d| d.release == Release::V70 && d.is_sub("client", "getname"),
        reason: "Redis 7.0 keeps the SETNAME of a HELLO that fails; 8.2 and Ochre do not",
    },
    Explained {
        applies: |d| {
            let cursor = d.args.iter().skip(1).take(2).any(|a| a.starts_with(b"-"));
            let refused = d.ours.as_error() == Some(b"ERR invalid cursor");
            d.release == Release::V70 && cursor && refused
        },
        reason: "Redis 7.0 takes negative cursors; 8.2 and Ochre do not",
    },
];

/// The row that explains a difference.
#[must_use]
pub fn find(difference: &Difference<'_>) -> Option<usize> {
    EXPLAINED.iter().position(|e| (e.applies)(difference))
}
