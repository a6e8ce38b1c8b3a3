//! Errors that commands answer with, and their exact wire texts: this is the only place where they are spelled.
//!
//! A [`CommandError`] never closes a connection. The text includes the code, without the leading `-`.

use std::borrow::Cow;

/// An error reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandError(Cow<'static, str>);

impl CommandError {
    const fn fixed(text: &'static str) -> CommandError {
        CommandError(Cow::Borrowed(text))
    }

    /// An error with a text that depends on the request. `text` begins with the code.
    pub fn new(text: impl Into<Cow<'static, str>>) -> CommandError {
        CommandError(text.into())
    }

    /// The text, code included.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The code: the first word.
    pub fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or("ERR")
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CommandError {}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        impl CommandError {
            $($(#[$doc])* pub const $name: CommandError = CommandError::fixed($text);)*
        }
    };
}

// General.
fixed! {
    /// Options do not fit together.
    SYNTAX = "ERR syntax error";
    /// A number is not an integer or too large.
    NOT_INTEGER = "ERR value is not an integer or out of range";
    /// A number is not a floating point number.
    NOT_FLOAT = "ERR value is not a valid float";
    /// The key holds another type.
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
    /// The key must exist.
    NO_SUCH_KEY = "ERR no such key";
    /// Memory is over the limit.
    OOM = "OOM command not allowed when used memory > 'maxmemory'.";
    /// Not authenticated.
    NO_AUTH = "NOAUTH Authentication required.";
    /// A database index that does not exist.
    DB_RANGE = "ERR DB index is out of range";
    /// A string would exceed `proto-max-bulk-len`.
    TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    /// A stripe's table or the allocator is exhausted.
    FULL = "OOM the keyspace cannot hold more entries";
    /// A handler asked for a key that its declaration does not name.
    UNDECLARED_KEY = "ERR internal: the command asked for a key that it does not declare";
    /// A number must be positive.
    NOT_POSITIVE = "ERR value is out of range, must be positive";
    /// An offset is out of range.
    OFFSET = "ERR offset is out of range";
}

impl From<crate::keyspace::Full> for CommandError {
    fn from(_: crate::keyspace::Full) -> CommandError {
        CommandError::FULL
    }
}
