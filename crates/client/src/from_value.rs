//! Replies as Rust types.
//!
//! A conversion refuses what would lose something: a string that is no UTF-8 is no `String`, null is only `Option`
//! and `Value`. Numbers may come as strings, as RESP2 sends doubles, and maps as flat arrays.

use crate::error::Error;
use crate::value::Value;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// A type that a reply can become.
pub trait FromValue: Sized {
    /// Converts a reply.
    ///
    /// # Errors
    /// When it is of another kind, or an error itself.
    fn from_value(value: Value) -> Result<Self, Error>;

    /// Converts the elements of a list.
    ///
    /// # Errors
    /// When one of them does not convert.
    #[doc(hidden)]
    fn from_list(list: Vec<Value>) -> Result<Vec<Self>, Error> {
        list.into_iter().map(Self::from_value).collect()
    }
}

fn refuse<T>(value: &Value, wanted: &str) -> Result<T, Error> {
    if let Value::Error(text) = value {
        return Err(Error::server(text));
    }
    Err(Error::conversion(format!(
        "the reply is {}, not {wanted}",
        value.kind()
    )))
}

impl FromValue for Value {
    #[inline]
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Error(text) => Err(Error::server(&text)),
            value => Ok(value),
        }
    }
}

/// An error reply inside another value, as itself.
impl<T: FromValue> FromValue for Result<T, Error> {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Error(text) => Ok(Err(Error::server(&text))),
            value => T::from_value(value).map(Ok),
        }
    }
}

/// Any reply but an error.
impl FromValue for () {
    #[inline]
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Error(text) => Err(Error::server(&text)),
            _ => Ok(()),
        }
    }
}

impl FromValue for Bytes {
    #[inline]
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Bulk(b) | Value::Simple(b) | Value::BigNumber(b) => Ok(b),
            Value::Verbatim { text, .. } => Ok(text),
            Value::Integer(n) => Ok(Bytes::copy_from_slice(
                itoa::Buffer::new().format(n).as_bytes(),
            )),
            Value::Double(n) => {
                let mut text = Vec::new();
                ochre_resp::write_double(&mut text, n);
                Ok(text.into())
            }
            Value::Attribute(both) => Self::from_value(both.1),
            other => refuse(&other, "a string"),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, Error> {
        Bytes::from_value(value).map(Into::into)
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, Error> {
        String::from_utf8(Vec::<u8>::from_value(value)?)
            .map_err(|_| Error::conversion("the reply is no UTF-8"))
    }
}

macro_rules! integer_from {
    ($($type:ty),*) => {$(
        impl FromValue for $type {
            #[inline]
            fn from_value(value: Value) -> Result<Self, Error> {
                let n = match value {
                    Value::Integer(n) => n,
                    Value::Boolean(b) => i64::from(b),
                    Value::Bulk(ref b) | Value::Simple(ref b) | Value::BigNumber(ref b) => {
                        let text = std::str::from_utf8(b).ok();
                        return match text.and_then(|t| t.parse().ok()) {
                            Some(n) => Ok(n),
                            None => refuse(&value, concat!("a number of type ", stringify!($type))),
                        };
                    }
                    Value::Attribute(both) => return Self::from_value(both.1),
                    other => return refuse(&other, "an integer"),
                };
                <$type>::try_from(n).map_err(|_| {
                    Error::conversion(format!(concat!("{} is no ", stringify!($type)), n))
                })
            }
        }
    )*};
}

integer_from!(i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize);

impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Double(n) => Ok(n),
            // Redis itself counts in doubles wherever it replies with either.
            Value::Integer(n) => Ok(n as f64),
            Value::Bulk(ref b) | Value::Simple(ref b) => match ochre_resp::parse_double(b) {
                Some(n) => Ok(n),
                None => refuse(&value, "a number"),
            },
            Value::Attribute(both) => Self::from_value(both.1),
            other => refuse(&other, "a number"),
        }
    }
}

/// 1 and `OK` are true, 0 and null are false.
impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Boolean(b) => Ok(b),
            Value::Integer(0) | Value::Null => Ok(false),
            Value::Integer(1) => Ok(true),
            Value::Simple(ref b) | Value::Bulk(ref b) if &b[..] == b"OK" || &b[..] == b"1" => {
                Ok(true)
            }
            Value::Bulk(ref b) if &b[..] == b"0" => Ok(false),
            Value::Attribute(both) => Self::from_value(both.1),
            other => refuse(&other, "a boolean"),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    #[inline]
    fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            Value::Attribute(both) if both.1.is_null() => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// The elements of an array or set, or the flattened pairs of a map.
fn elements(value: Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::Array(v) | Value::Set(v) | Value::Push(v) => Ok(v),
        Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
        Value::Attribute(both) => elements(both.1),
        other => refuse(&other, "an array"),
    }
}

/// The pairs of a map, an array of pairs, or a flat array.
fn pairs(value: Value) -> Result<Vec<(Value, Value)>, Error> {
    let list = match value {
        Value::Map(pairs) => return Ok(pairs),
        Value::Attribute(both) => return pairs(both.1),
        other => elements(other)?,
    };
    let nested = |v: &Value| matches!(v, Value::Array(inner) if inner.len() == 2);
    let mut list = list.into_iter();
    let mut pairs = Vec::with_capacity(list.len() / 2 + 1);
    if list.len() > 0 && list.as_slice().iter().all(nested) {
        for pair in list {
            let mut pair = elements(pair)?.into_iter();
            pairs.extend(pair.next().zip(pair.next()));
        }
        return Ok(pairs);
    }
    if list.len() % 2 != 0 {
        return Err(Error::conversion("the reply has a key without a value"));
    }
    while let (Some(key), Some(value)) = (list.next(), list.next()) {
        pairs.push((key, value));
    }
    Ok(pairs)
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, Error> {
        T::from_list(elements(value)?)
    }
}

macro_rules! set_from {
    ($($set:ident: $($bound:ident)+ $(, $state:ident)?;)*) => {$(
        impl<T: FromValue + $($bound +)+ $(, $state: BuildHasher + Default)?> FromValue for $set<T $(, $state)?> {
            fn from_value(value: Value) -> Result<Self, Error> {
                elements(value)?.into_iter().map(T::from_value).collect()
            }
        }
    )*};
}

set_from! {
    BTreeSet: Ord;
    HashSet: Eq Hash, S;
}

macro_rules! map_from {
    ($($map:ident: $($bound:ident)+ $(, $state:ident)?;)*) => {$(
        impl<K: FromValue + $($bound +)+, V: FromValue $(, $state: BuildHasher + Default)?> FromValue
            for $map<K, V $(, $state)?>
        {
            fn from_value(value: Value) -> Result<Self, Error> {
                pairs(value)?
                    .into_iter()
                    .map(|(k, v)| Ok((K::from_value(k)?, V::from_value(v)?)))
                    .collect()
            }
        }
    )*};
}

map_from! {
    BTreeMap: Ord;
    HashMap: Eq Hash, S;
}

macro_rules! tuple_from {
    ($count:literal: $($name:ident)+) => {
        /// An array of so many elements.
        impl<$($name: FromValue),+> FromValue for ($($name,)+) {
            fn from_value(value: Value) -> Result<Self, Error> {
                let list = elements(value)?;
                if list.len() != $count {
                    return Err(Error::conversion(format!(
                        concat!("the reply has {} elements, not ", $count),
                        list.len()
                    )));
                }
                let mut list = list.into_iter();
                Ok(($($name::from_value(list.next().unwrap_or_default())?,)+))
            }

            /// Of arrays, or of one flat array, as RESP2 sends pairs.
            fn from_list(list: Vec<Value>) -> Result<Vec<Self>, Error> {
                if list.iter().all(|v| matches!(v, Value::Array(_))) {
                    return list.into_iter().map(Self::from_value).collect();
                }
                if !list.len().is_multiple_of($count) {
                    return Err(Error::conversion(format!(
                        concat!("{} elements are no multiple of ", $count),
                        list.len()
                    )));
                }
                let mut all = Vec::with_capacity(list.len() / $count);
                let mut list = list.into_iter();
                while list.len() > 0 {
                    all.push(($($name::from_value(list.next().unwrap_or_default())?,)+));
                }
                Ok(all)
            }
        }
    };
}

tuple_from!(1: A);
tuple_from!(2: A B);
tuple_from!(3: A B C);
tuple_from!(4: A B C D);
tuple_from!(5: A B C D E);
tuple_from!(6: A B C D E F);
tuple_from!(7: A B C D E F G);
tuple_from!(8: A B C D E F G H);
