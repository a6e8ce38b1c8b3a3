//! Values: borrowed form and conversions.

use crate::error::KvError;
use crate::pb::{Kvpair, Value, value};
use bytes::Bytes;

/// A value that somebody else owns.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum ValueRef<'a> {
    /// No value is set.
    #[default]
    Empty,
    /// UTF-8 text.
    String(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
    /// A signed integer.
    Integer(i64),
    /// A double.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

impl ValueRef<'_> {
    /// An owned copy.
    #[must_use]
    pub fn to_value(self) -> Value {
        let value = match self {
            ValueRef::Empty => return Value::default(),
            ValueRef::String(s) => value::Value::String(s.to_owned()),
            ValueRef::Binary(b) => value::Value::Binary(Bytes::copy_from_slice(b)),
            ValueRef::Integer(n) => value::Value::Integer(n),
            ValueRef::Float(n) => value::Value::Float(n),
            ValueRef::Bool(b) => value::Value::Bool(b),
        };
        Value { value: Some(value) }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> ValueRef<'a> {
        match &value.value {
            None => ValueRef::Empty,
            Some(value::Value::String(s)) => ValueRef::String(s),
            Some(value::Value::Binary(b)) => ValueRef::Binary(b),
            Some(value::Value::Integer(n)) => ValueRef::Integer(*n),
            Some(value::Value::Float(n)) => ValueRef::Float(*n),
            Some(value::Value::Bool(b)) => ValueRef::Bool(*b),
        }
    }
}

impl Value {
    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.value.is_none()
    }
}

/// Writes one conversion into a value for each type.
macro_rules! into_value {
    ($($from:ty => |$x:ident| $variant:ident($made:expr);)*) => {
        $(impl From<$from> for Value {
            fn from($x: $from) -> Value {
                Value { value: Some(value::Value::$variant($made)) }
            }
        })*
    };
}

into_value! {
    String => |s| String(s);
    &str => |s| String(s.to_owned());
    &String => |s| String(s.clone());
    Bytes => |b| Binary(b);
    Vec<u8> => |b| Binary(b.into());
    &[u8] => |b| Binary(Bytes::copy_from_slice(b));
    i64 => |n| Integer(n);
    i32 => |n| Integer(n.into());
    u32 => |n| Integer(n.into());
    f64 => |n| Float(n);
    f32 => |n| Float(n.into());
    bool => |b| Bool(b);
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Value {
        bytes.as_slice().into()
    }
}

/// Writes one conversion out of a value for each type.
macro_rules! from_value {
    ($($to:ty = $variant:ident, $name:literal;)*) => {
        $(impl TryFrom<Value> for $to {
            type Error = KvError;
            fn try_from(value: Value) -> Result<$to, KvError> {
                match value.value {
                    Some(value::Value::$variant(inner)) => Ok(inner),
                    other => Err(KvError::Invalid(format!("Not {}: {other:?}", $name))),
                }
            }
        })*
    };
}

from_value! {
    String = String, "a string";
    Bytes = Binary, "bytes";
    i64 = Integer, "an integer";
    f64 = Float, "a float";
    bool = Bool, "a bool";
}

impl Kvpair {
    /// A pair.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<Value>) -> Kvpair {
        Kvpair {
            key: key.into(),
            value: Some(value.into()),
        }
    }
}

impl Kvpair {
    /// Its value; none is the empty one.
    #[must_use]
    pub fn value_ref(&self) -> ValueRef<'_> {
        self.value.as_ref().map(ValueRef::from).unwrap_or_default()
    }
}

impl From<(String, Value)> for Kvpair {
    fn from((key, value): (String, Value)) -> Kvpair {
        Kvpair::new(key, value)
    }
}
