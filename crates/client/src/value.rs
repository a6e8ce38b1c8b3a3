//! Replies as the server sent them.

use bytes::Bytes;
use std::fmt;

/// One value of RESP2 or RESP3.
///
/// Long payloads are slices of the connection's read buffer and keep it alive; `Bytes::copy_from_slice` gives a
/// value of its own to whoever keeps few of many for long.
#[derive(Clone, PartialEq, Default)]
pub enum Value {
    /// `+`: a status, such as `OK`.
    Simple(Bytes),
    /// `-` or `!`: an error inside another value. As a whole reply it becomes an [`Error`](crate::Error).
    Error(Bytes),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Bytes),
    /// `_`, `$-1` or `*-1`.
    #[default]
    Null,
    /// `*`
    Array(Vec<Value>),
    /// `%`: pairs in the order they came.
    Map(Vec<(Value, Value)>),
    /// `~`: elements in the order they came.
    Set(Vec<Value>),
    /// `,`
    Double(f64),
    /// `#`
    Boolean(bool),
    /// `(`: decimal digits, perhaps after a sign.
    BigNumber(Bytes),
    /// `=`: a text and its format, such as `txt` or `mkd`.
    Verbatim {
        /// Three letters.
        format: [u8; 3],
        /// The text, without the format.
        text: Bytes,
    },
    /// `>`: a message that answers no request.
    Push(Vec<Value>),
    /// `|`: attributes and the value that they describe.
    Attribute(Box<(Vec<(Value, Value)>, Value)>),
}

impl Value {
    /// The status `OK`.
    pub(crate) fn ok() -> Value {
        Value::Simple(Bytes::from_static(b"OK"))
    }

    /// The bytes of any kind of string, error texts and big numbers included.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(b)
            | Value::Error(b)
            | Value::Bulk(b)
            | Value::BigNumber(b)
            | Value::Verbatim { text: b, .. } => Some(b),
            Value::Attribute(both) => both.1.as_bytes(),
            _ => None,
        }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Attribute(both) => both.1.is_null(),
            _ => false,
        }
    }

    /// The value without attributes around it.
    #[must_use]
    pub fn without_attributes(mut self) -> Value {
        while let Value::Attribute(both) = self {
            self = both.1;
        }
        self
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Simple(_) => "a status",
            Value::Error(_) => "an error",
            Value::Integer(_) => "an integer",
            Value::Bulk(_) => "a string",
            Value::Null => "null",
            Value::Array(_) => "an array",
            Value::Map(_) => "a map",
            Value::Set(_) => "a set",
            Value::Double(_) => "a double",
            Value::Boolean(_) => "a boolean",
            Value::BigNumber(_) => "a big number",
            Value::Verbatim { .. } => "a text",
            Value::Push(_) => "a push message",
            Value::Attribute(_) => "attributes",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |b: &Bytes| String::from_utf8_lossy(b).into_owned();
        match self {
            Value::Simple(b) => f.debug_tuple("Simple").field(&text(b)).finish(),
            Value::Error(b) => f.debug_tuple("Error").field(&text(b)).finish(),
            Value::Integer(n) => f.debug_tuple("Integer").field(n).finish(),
            Value::Bulk(b) => f.debug_tuple("Bulk").field(b).finish(),
            Value::Null => f.write_str("Null"),
            Value::Array(v) => f.debug_tuple("Array").field(v).finish(),
            Value::Map(v) => f.debug_tuple("Map").field(v).finish(),
            Value::Set(v) => f.debug_tuple("Set").field(v).finish(),
            Value::Double(n) => f.debug_tuple("Double").field(n).finish(),
            Value::Boolean(b) => f.debug_tuple("Boolean").field(b).finish(),
            Value::BigNumber(b) => f.debug_tuple("BigNumber").field(&text(b)).finish(),
            Value::Verbatim { format, text: t } => f
                .debug_struct("Verbatim")
                .field("format", &String::from_utf8_lossy(format))
                .field("text", &text(t))
                .finish(),
            Value::Push(v) => f.debug_tuple("Push").field(v).finish(),
            Value::Attribute(both) => f
                .debug_tuple("Attribute")
                .field(&both.0)
                .field(&both.1)
                .finish(),
        }
    }
}
