//! Why a run cannot go on. Its text is what the user reads.

use crate::options::Place;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a run cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Connect {
        place: String,
        reason: String,
    },
    /// An error reply, by its text.
    Reply(String),
    /// The connection ended.
    Closed,
    /// What the operating system says of a connection.
    Io(String),
    Malformed(String),
    /// Nothing came for so long.
    Silent(Duration),
    /// Another thread has failed, and tells why.
    Stopped,
    Other(String),
}

impl Failure {
    pub(crate) fn connect(place: &Place, error: &io::Error) -> Failure {
        Failure::Connect {
            place: place.to_string(),
            reason: reason(error),
        }
    }

    pub(crate) fn io(error: &io::Error) -> Failure {
        Failure::Io(reason(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Connect { place, reason } => {
                write!(f, "Could not connect to Redis at {place}: {reason}")
            }
            Failure::Reply(text) => write!(f, "Error from server: {text}"),
            Failure::Closed => f.write_str("Error: Server closed the connection"),
            Failure::Io(reason) => write!(f, "Error: {reason}"),
            Failure::Malformed(reason) => write!(f, "Error: malformed reply: {reason}"),
            Failure::Silent(time) => write!(
                f,
                "Error: the server has sent nothing for {} seconds (see --timeout)",
                time.as_secs_f64()
            ),
            Failure::Stopped => f.write_str("Error: stopped"),
            Failure::Other(text) => f.write_str(text),
        }
    }
}

/// What the operating system says, without the number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
