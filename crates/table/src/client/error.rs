//! What may go wrong for a client.

use crate::pb::CommandResponse;
use std::io;

/// Why a call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The server cannot be reached.
    Connect(io::Error),
    /// The connection was lost before the response came. The request may have been executed, or not.
    Lost,
    /// The time of the call was over. Unless it still waited to be sent, the request may have been executed.
    Deadline,
    /// The request is larger than a frame may be; it was not sent.
    TooLarge,
    /// The server answered with another status than 200, or with a message that is none.
    Refused(Box<CommandResponse>),
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClientError::Connect(error) => write!(f, "cannot connect: {error}"),
            ClientError::Lost => f.write_str("the connection was lost before the response came"),
            ClientError::Deadline => f.write_str("the response did not come in time"),
            ClientError::TooLarge => f.write_str("the request is larger than a frame may be"),
            ClientError::Refused(response) => {
                write!(f, "{} (status {})", response.message, response.status)
            }
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Connect(error) => Some(error),
            _ => None,
        }
    }
}
