//! Frames: a length in four bytes, big endian, and a message behind it; and a way through the usual requests that
//! allocates nothing.
//!
//! [`Borrowed::parse`] reads requests on one key as borrowed strings; whatever it is not sure of it leaves to the
//! generated decoder. It agrees with that one on everything that it does read (property tests).

use crate::values::ValueRef;

/// Bytes of a frame's length.
pub const HEAD: usize = 4;

/// The length of the frame that `bytes` begin with, without its head; `None` when the head is not there yet.
#[inline]
#[must_use]
pub fn frame_len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.first_chunk::<HEAD>()?;
    Some(u32::from_be_bytes(*head) as usize)
}

/// Appends a message and its length.
///
/// A message of 4 GiB or more, which no limit lets come this far, is cut to its head.
pub fn put_message(out: &mut Vec<u8>, message: &impl prost::Message) {
    let len = message.encoded_len();
    out.extend_from_slice(&u32::try_from(len).unwrap_or(0).to_be_bytes());
    if u32::try_from(len).is_ok() {
        out.reserve(len);
        // A Vec has room for everything.
        let _ = message.encode(out);
    }
}

/// A request on one key, as it lies in its frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Borrowed<'a> {
    /// Hget.
    Get(&'a str, &'a str),
    /// Hset.
    Set(&'a str, &'a str, ValueRef<'a>),
}

impl<'a> Borrowed<'a> {
    /// Reads a request; `None` for every other one, and for what is encoded in an unusual way.
    #[inline]
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Borrowed<'a>> {
        const HGET: u8 = delimited(1);
        const HSET: u8 = delimited(4);
        let (tag, body, rest) = field(frame)?;
        if !rest.is_empty() {
            return None;
        }
        match tag {
            HGET => {
                let [table, key] = two(body)?;
                Some(Borrowed::Get(text(table)?, text(key)?))
            }
            HSET => {
                let [table, pair] = two(body)?;
                let [key, value] = two(pair)?;
                Some(Borrowed::Set(text(table)?, text(key)?, value_of(value)?))
            }
            _ => None,
        }
    }
}

/// The tag of a length-delimited field.
const fn delimited(field: u8) -> u8 {
    (field << 3) | 2
}

/// A field of a length below 2^21: tag, content, and what follows.
#[inline]
fn field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (len, rest) = match *rest {
        [a, ref rest @ ..] if a < 0x80 => (usize::from(a), rest),
        // An encoding that is longer than it has to be would end in a zero.
        [a, b, ref rest @ ..] if b < 0x80 => (usize::from(a & 0x7F) | usize::from(b) << 7, rest),
        [a, b, c, ref rest @ ..] if c < 0x80 => {
            let low = usize::from(a & 0x7F) | usize::from(b & 0x7F) << 7;
            (low | usize::from(c) << 14, rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(len)?;
    Some((tag, body, rest))
}

/// Fields 1 and 2, each at most once and in this order, as encoders write them.
#[inline]
fn two(mut bytes: &[u8]) -> Option<[&[u8]; 2]> {
    let mut parts: [&[u8]; 2] = [&[], &[]];
    let mut next = 1;
    while !bytes.is_empty() {
        let (tag, body, rest) = field(bytes)?;
        let number = match tag {
            0x0A => 1,
            0x12 => 2,
            _ => return None,
        };
        if number < next {
            return None;
        }
        parts[number - 1] = body;
        next = number + 1;
        bytes = rest;
    }
    Some(parts)
}

#[inline]
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A Value message of one field at most.
#[inline]
fn value_of(bytes: &[u8]) -> Option<ValueRef<'_>> {
    match *bytes {
        [] => Some(ValueRef::Empty),
        [0x0A, ..] => match field(bytes)? {
            (_, body, []) => Some(ValueRef::String(text(body)?)),
            _ => None,
        },
        [0x12, ..] => match field(bytes)? {
            (_, body, []) => Some(ValueRef::Binary(body)),
            _ => None,
        },
        [0x18, byte] if byte < 0x80 => Some(ValueRef::Integer(byte.into())),
        [0x21, ref double @ ..] => {
            let bytes = <[u8; 8]>::try_from(double).ok()?;
            Some(ValueRef::Float(f64::from_le_bytes(bytes)))
        }
        [0x28, byte @ (0 | 1)] => Some(ValueRef::Bool(byte == 1)),
        _ => None,
    }
}

#[inline]
fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7F) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn varint_len(n: u64) -> usize {
    prost::encoding::encoded_len_varint(n)
}

/// Bytes of the Value message.
#[inline]
fn value_len(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Empty => 0,
        ValueRef::String(s) => 1 + varint_len(s.len() as u64) + s.len(),
        ValueRef::Binary(b) => 1 + varint_len(b.len() as u64) + b.len(),
        ValueRef::Integer(n) => 1 + varint_len(n.cast_unsigned()),
        ValueRef::Float(_) => 9,
        ValueRef::Bool(_) => 2,
    }
}

fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a response of status 200 with one value, as a frame; false, and nothing, when it has more than `most` bytes.
#[inline]
pub fn put_value(out: &mut Vec<u8>, value: ValueRef<'_>, most: usize) -> bool {
    /// Field 1 of a response is 200, then field 3 begins.
    const BEGIN: [u8; 4] = [0x08, 0xC8, 0x01, 0x1A];
    let inner = value_len(value);
    let len = BEGIN.len() + varint_len(inner as u64) + inner;
    let Some(head) = u32::try_from(len).ok().filter(|_| len <= most) else {
        return false;
    };
    out.reserve(HEAD + len);
    out.extend_from_slice(&head.to_be_bytes());
    out.extend_from_slice(&BEGIN);
    put_varint(out, inner as u64);
    match value {
        ValueRef::Empty => {}
        ValueRef::String(s) => put_bytes(out, 0x0A, s.as_bytes()),
        ValueRef::Binary(b) => put_bytes(out, 0x12, b),
        ValueRef::Integer(n) => {
            out.push(0x18);
            put_varint(out, n.cast_unsigned());
        }
        ValueRef::Float(n) => {
            out.push(0x21);
            out.extend_from_slice(&n.to_le_bytes());
        }
        ValueRef::Bool(b) => out.extend_from_slice(&[0x28, u8::from(b)]),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::command_request::RequestData;
    use crate::pb::{CommandRequest, CommandResponse, Kvpair, Value};
    use proptest::prelude::*;
    use prost::Message as _;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::default()),
            any::<String>().prop_map(Value::from),
            any::<Vec<u8>>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u8>().prop_map(|n| i64::from(n).into()),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ]
    }

    /// What the generated decoder makes of a frame, as far as it is a request on one key.
    fn decoded(frame: &[u8]) -> Option<CommandRequest> {
        CommandRequest::decode(frame).ok()
    }

    fn agrees(frame: &[u8]) {
        let Some(ours) = Borrowed::parse(frame) else {
            return;
        };
        let theirs = decoded(frame)
            .expect("what is read here is a message")
            .request_data;
        match (ours, theirs) {
            (Borrowed::Get(table, key), Some(RequestData::Hget(r))) => {
                assert_eq!((table, key), (&*r.table, &*r.key));
            }
            (Borrowed::Set(table, key, value), Some(RequestData::Hset(r))) => {
                let pair = r.pair.unwrap_or_default();
                assert_eq!((table, key), (&*r.table, &*pair.key));
                let theirs = pair.value.unwrap_or_default();
                match (value, ValueRef::from(&theirs)) {
                    (ValueRef::Float(a), ValueRef::Float(b)) => {
                        assert_eq!(a.to_bits(), b.to_bits());
                    }
                    (a, b) => assert_eq!(a, b),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn usual_requests_are_read(table: String, key: String, value in values()) {
            let get = CommandRequest::new_hget(&table, &key).encode_to_vec();
            assert!(Borrowed::parse(&get).is_some());
            agrees(&get);
            let set = CommandRequest::new_hset(&table, &key, value).encode_to_vec();
            agrees(&set);
        }

        #[test]
        fn damaged_requests_are_read_as_by_the_generated_decoder(
            table in "[a-z]{0,3}", key in "[a-z]{0,3}", value in values(), at: usize, byte: u8,
        ) {
            let pair = Kvpair::new(key, value);
            let request = RequestData::Hset(crate::pb::Hset { table, pair: Some(pair) });
            let mut bytes = CommandRequest::from(request).encode_to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            agrees(&bytes);
            bytes.remove(at);
            agrees(&bytes);
            bytes.insert(at, byte);
            bytes.insert(at, byte);
            agrees(&bytes);
        }

        #[test]
        fn values_are_written_as_the_generated_encoder_does(value in values()) {
            let mut ours = Vec::new();
            assert!(put_value(&mut ours, (&value).into(), usize::MAX));
            let mut theirs = Vec::new();
            put_message(&mut theirs, &CommandResponse::from(value));
            assert_eq!(ours, theirs);
        }
    }
}
