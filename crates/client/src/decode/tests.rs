//! Whatever is sent, and however it is cut.

use super::{Decoder, SLICED_BYTES};
use crate::value::Value;
use bytes::{Buf as _, Bytes, BytesMut};
use proptest::prelude::*;

/// Decodes `wire` as it comes in pieces: the values, and whether the end was an error.
fn decode(wire: &[u8], pieces: &[usize]) -> (Vec<Value>, bool) {
    let (mut decoder, mut buf, mut at) = (Decoder::default(), BytesMut::new(), 0);
    let (mut values, mut rest) = (Vec::new(), wire);
    let mut pieces = pieces.iter().cycle();
    loop {
        match decoder.decode(&mut buf, &mut at) {
            Ok(Some(value)) => values.push(value),
            Err(_) => {
                assert!(
                    decoder.decode(&mut buf, &mut at).is_err(),
                    "there is no way on"
                );
                return (values, true);
            }
            Ok(None) if rest.is_empty() => {
                assert!(!wire.is_empty() || decoder.is_idle());
                return (values, false);
            }
            Ok(None) => {
                buf.advance(at);
                at = 0;
                let len = pieces.next().copied().unwrap_or(1).clamp(1, rest.len());
                buf.extend_from_slice(&rest[..len]);
                rest = &rest[len..];
            }
        }
    }
}

fn text(out: &mut Vec<u8>, tag: u8, text: &[u8]) {
    out.push(tag);
    out.extend_from_slice(text.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    let line =
        |out: &mut Vec<u8>, text: String| out.extend_from_slice(format!("{text}\r\n").as_bytes());
    let list = |out: &mut Vec<u8>, tag: char, items: &[Value]| {
        out.extend_from_slice(format!("{tag}{}\r\n", items.len()).as_bytes());
        items.iter().for_each(|item| encode(item, out));
    };
    let map = |out: &mut Vec<u8>, tag: char, pairs: &[(Value, Value)]| {
        out.extend_from_slice(format!("{tag}{}\r\n", pairs.len()).as_bytes());
        for (key, value) in pairs {
            encode(key, out);
            encode(value, out);
        }
    };
    match value {
        Value::Simple(b) => line(out, format!("+{}", String::from_utf8_lossy(b))),
        Value::Error(b) if b.contains(&b'\n') => text(out, b'!', b),
        Value::Error(b) => line(out, format!("-{}", String::from_utf8_lossy(b))),
        Value::Integer(n) => line(out, format!(":{n}")),
        Value::Bulk(b) => text(out, b'$', b),
        Value::Null => line(out, "_".to_owned()),
        Value::Array(items) => list(out, '*', items),
        Value::Set(items) => list(out, '~', items),
        Value::Push(items) => list(out, '>', items),
        Value::Map(pairs) => map(out, '%', pairs),
        Value::Double(n) => line(out, format!(",{n}")),
        Value::Boolean(b) => line(out, format!("#{}", if *b { 't' } else { 'f' })),
        Value::BigNumber(b) => line(out, format!("({}", String::from_utf8_lossy(b))),
        Value::Verbatim { format, text: b } => {
            let all = [&format[..], b":", b].concat();
            text(out, b'=', &all);
        }
        Value::Attribute(both) => {
            map(out, '|', &both.0);
            encode(&both.1, out);
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let word = "[a-z ]{0,12}".prop_map(Bytes::from);
    let bytes = prop_oneof![
        9 => prop::collection::vec(any::<u8>(), 0..60),
        1 => (SLICED_BYTES - 2..SLICED_BYTES + 2).prop_map(|len| vec![b'x'; len]),
    ]
    .prop_map(Bytes::from);
    let leaf = prop_oneof![
        word.clone().prop_map(Value::Simple),
        word.prop_map(Value::Error),
        Just(Value::Error(Bytes::from_static(b"a\nb"))),
        any::<i64>().prop_map(Value::Integer),
        bytes.clone().prop_map(Value::Bulk),
        Just(Value::Null),
        (-1e9..1e9).prop_map(Value::Double),
        Just(Value::Double(f64::INFINITY)),
        any::<bool>().prop_map(Value::Boolean),
        "-?[0-9]{1,40}".prop_map(|n| Value::BigNumber(n.into())),
        bytes.prop_map(|text| Value::Verbatim {
            format: *b"txt",
            text
        }),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..6);
        let pairs = prop::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            items.clone().prop_map(Value::Array),
            items.clone().prop_map(Value::Set),
            items.prop_map(Value::Push),
            pairs.clone().prop_map(Value::Map),
            (pairs, inner).prop_map(|both| Value::Attribute(Box::new(both))),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded_however_it_is_cut(
        values in prop::collection::vec(value(), 1..6),
        pieces in prop::collection::vec(1..80_usize, 1..8),
    ) {
        let mut wire = Vec::new();
        values.iter().for_each(|v| encode(v, &mut wire));
        prop_assert_eq!(decode(&wire, &pieces), (values.clone(), false));
        prop_assert_eq!(decode(&wire, &[1]), (values.clone(), false));
        prop_assert_eq!(decode(&wire, &[usize::MAX]), (values, false));
    }

    #[test]
    fn nonsense_ends_the_same_way_however_it_is_cut(
        wire in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[-+:$*_%~,#(=!>|0-9t\r\n]{0,60}".prop_map(String::into_bytes),
        ],
        pieces in prop::collection::vec(1..20_usize, 1..6),
    ) {
        prop_assert_eq!(decode(&wire, &pieces), decode(&wire, &[1]));
        prop_assert_eq!(decode(&wire, &pieces), decode(&wire, &[usize::MAX]));
    }
}

#[test]
fn depth_and_announced_lengths_are_bounded() {
    let deep = b"*1\r\n".repeat(100_000);
    assert_eq!(decode(&deep, &[1000]), (Vec::new(), true));
    let attributes = b"|0\r\n".repeat(100_000);
    assert_eq!(decode(&attributes, &[1000]), (Vec::new(), true));
    // Announces many elements and sends none: nothing is reserved for them, and more than can come are refused.
    assert_eq!(decode(b"*100000000\r\n", &[100]), (Vec::new(), false));
    assert_eq!(decode(b"*99999999999\r\n", &[100]), (Vec::new(), true));
    assert_eq!(decode(b"$99999999999\r\n", &[100]), (Vec::new(), true));
}

#[test]
fn many_short_elements_count_with_what_they_take_in_memory() {
    const ELEMENTS: usize = 1000;
    let wire = [b"*1000\r\n".to_vec(), b"_\r\n".repeat(ELEMENTS)].concat();
    let whole = (ELEMENTS + 1) * size_of::<Value>();
    for (bytes_max, is_taken) in [(whole - 1, false), (whole, true)] {
        let mut decoder = Decoder::default();
        decoder.limits.bytes_max = bytes_max;
        let (mut buf, mut at) = (BytesMut::from(&wire[..]), 0);
        let decoded = decoder.decode(&mut buf, &mut at);
        assert_eq!(decoded.is_ok_and(|v| v.is_some()), is_taken, "{bytes_max}");
    }
}
