//! Typed values as JSON.
//!
//! | value | JSON |
//! |---|---|
//! | string | a string |
//! | integer | a number without point and exponent |
//! | double | a number with a point or an exponent; `{"double": "NaN"}`, `"inf"` or `"-inf"` |
//! | bool | `true`, `false` |
//! | bytes | `{"bytes": "…"}` in base64 |
//! | empty | `null` |
//!
//! `{"string": …}`, `{"int64": …}` (a number, or a string where a reader has doubles only), `{"double": …}` and
//! `{"bool": …}` are taken too.

use crate::error::KvError;
use crate::pb::Value;
use crate::values::ValueRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

/// The JSON of a value.
pub(super) fn of_value(value: &Value) -> Json {
    match value.into() {
        ValueRef::Empty => Json::Null,
        ValueRef::String(s) => s.into(),
        ValueRef::Binary(b) => json!({ "bytes": STANDARD.encode(b) }),
        ValueRef::Integer(n) => n.into(),
        ValueRef::Float(n) if n.is_finite() => n.into(),
        ValueRef::Float(n) => json!({ "double": n.to_string() }),
        ValueRef::Bool(b) => b.into(),
    }
}

fn invalid(what: impl std::fmt::Display) -> KvError {
    KvError::Invalid(format!("Not a value: {what}"))
}

/// The value of a JSON text.
pub(super) fn parse(text: &[u8]) -> Result<Value, KvError> {
    to_value(&serde_json::from_slice(text).map_err(invalid)?)
}

/// The values of a JSON text, an array of values or one.
pub(super) fn parse_all(text: &[u8]) -> Result<Vec<Value>, KvError> {
    match serde_json::from_slice(text).map_err(invalid)? {
        Json::Array(values) => values.iter().map(to_value).collect(),
        one => Ok(vec![to_value(&one)?]),
    }
}

fn to_value(json: &Json) -> Result<Value, KvError> {
    Ok(match json {
        Json::Null => Value::default(),
        Json::Bool(b) => (*b).into(),
        Json::String(s) => s.into(),
        Json::Number(n) => match (n.as_i64(), n.is_f64(), n.as_f64()) {
            (Some(n), _, _) => n.into(),
            (None, true, Some(n)) => n.into(),
            _ => return Err(invalid(format!("{n} does not fit in 64 bits"))),
        },
        Json::Object(fields) => {
            let mut fields = fields.iter();
            match (fields.next(), fields.next()) {
                (Some((name, inner)), None) => tagged(name, inner)?,
                _ => return Err(invalid("an object has one field, the type")),
            }
        }
        Json::Array(_) => return Err(invalid("an array")),
    })
}

fn tagged(name: &str, inner: &Json) -> Result<Value, KvError> {
    let text = inner.as_str();
    let value: Option<Value> = match name {
        "string" => text.map(Value::from),
        "bytes" => text.and_then(|t| STANDARD.decode(t).ok()).map(Value::from),
        "int64" => match text {
            Some(text) => text.parse::<i64>().ok(),
            None => inner.as_i64(),
        }
        .map(Value::from),
        "double" => match text {
            Some(text) => text.parse::<f64>().ok(),
            None => inner.as_f64(),
        }
        .map(Value::from),
        "bool" => inner.as_bool().map(Value::from),
        _ => return Err(invalid(format!("the type '{name}' is unknown"))),
    };
    value.ok_or_else(|| invalid(format!("the content of '{name}'")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comes_back(value: Value) {
        let text = of_value(&value).to_string();
        assert_eq!(parse(text.as_bytes()).as_ref(), Ok(&value), "{text}");
    }

    #[test]
    fn what_is_not_a_value_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "nonsense",
            "{\"a\":1}",
            "18446744073709551615",
            "{\"bytes\":\"?\"}",
            "{\"int64\":1.5}",
            "{\"string\":5}",
            "{\"string\":\"a\",\"bool\":true}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse_all(deep.as_bytes()).is_err());
    }

    #[test]
    fn types_may_be_named() {
        assert_eq!(
            parse(br#"{"int64":"9007199254740993"}"#),
            Ok(9_007_199_254_740_993_i64.into())
        );
        assert_eq!(parse(br#"{"double":1}"#), Ok(1.0.into()));
        assert_eq!(parse(b"1"), Ok(1_i64.into()));
        assert_eq!(parse(b"1.0"), Ok(1.0.into()));
        assert_eq!(parse(b"1e2"), Ok(100.0.into()));
        assert_eq!(parse(br#"{"double":"inf"}"#), Ok(f64::INFINITY.into()));
    }

    proptest! {
        #[test]
        fn everything_comes_back(text: String, bytes: Vec<u8>, int: i64, yes: bool, double: f64) {
            comes_back(text.into());
            comes_back(bytes.into());
            comes_back(int.into());
            comes_back(yes.into());
            comes_back(Value::default());
            if !double.is_nan() {
                comes_back(double.into());
            }
        }
    }
}
