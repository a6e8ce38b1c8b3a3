//! Random collections of every layout, then with random damage: never harm, and good ones always load.

use super::encode::{intset_of, listpack_of, read, zipmap_of, zl_all};
use super::{MAX, conditions, next};
use crate::serial::collection::{Layout, Shape, write_plain_node};
use crate::serial::digest::value_digest;
use crate::serial::{Restored, dump, load, verified, write};

/// Some text, number or emptiness.
fn some_text(state: &mut u64) -> Vec<u8> {
    match next(state) % 5 {
        0 => (next(state) % 300).to_string().into_bytes(),
        1 => format!("-{}", next(state)).into_bytes(),
        2 => vec![b'a'; next(state) % 200],
        3 => Vec::new(),
        _ => (0..next(state) % 20)
            .map(|_| next(state).to_le_bytes()[0])
            .collect(),
    }
}

/// A payload body of some layout, valid but perhaps for duplicates.
fn some_body(state: &mut u64) -> Vec<u8> {
    let layouts: Vec<Layout> = (1..=20).filter_map(Layout::from_byte).collect();
    let layout = layouts[next(state) % layouts.len()];
    let count = 2 * (1 + next(state) % 8);
    let zset = layout.shape() == Shape::Zset;
    let all: Vec<Vec<u8>> = (0..count)
        .map(|at| match zset && at % 2 == 1 {
            true => (next(state) % 100).to_string().into_bytes(),
            false => some_text(state),
        })
        .collect();
    let slices: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    let ziplist = || {
        let of: Vec<String> = all.iter().map(|t| t.escape_ascii().to_string()).collect();
        zl_all(&of.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut out = vec![layout as u8];
    match layout {
        Layout::List | Layout::Set | Layout::Hash => {
            let len = if layout == Layout::Hash {
                count / 2
            } else {
                count
            };
            write::length(&mut out, len);
            slices.iter().for_each(|t| write::string(&mut out, t, true));
        }
        Layout::Zset | Layout::ZsetText => {
            write::length(&mut out, count / 2);
            for pair in slices.chunks(2) {
                write::string(&mut out, pair[0], true);
                if layout == Layout::Zset {
                    out.extend_from_slice(&1.5f64.to_le_bytes());
                } else {
                    out.push(pair[1].len().to_le_bytes()[0]);
                    out.extend_from_slice(pair[1]);
                }
            }
        }
        Layout::HashZipmap => {
            let of: Vec<String> = all.iter().map(|t| t.escape_ascii().to_string()).collect();
            let of: Vec<&str> = of.iter().map(String::as_str).collect();
            write::string(&mut out, &zipmap_of(&of, 1), true);
        }
        Layout::SetIntset => write::string(&mut out, &intset_of(4, &[-7, 3, 70_000]), true),
        Layout::ListZiplists => {
            write::length(&mut out, 2);
            (0..2).for_each(|_| write::string(&mut out, &ziplist(), true));
        }
        Layout::ListNodes => {
            write::length(&mut out, 3);
            for _ in 0..2 {
                write::length(&mut out, 2);
                write::string(&mut out, &listpack_of(&slices), true);
            }
            write_plain_node(&mut out, b"a plain one", true);
        }
        Layout::ListZiplist | Layout::ZsetZiplist | Layout::HashZiplist => {
            write::string(&mut out, &ziplist(), true);
        }
        Layout::HashListpack | Layout::ZsetListpack | Layout::SetListpack => {
            write::string(&mut out, &listpack_of(&slices), true);
        }
    }
    out
}

/// What loads is dumped to something that loads as the same value, under Redis's limits and under small ones.
fn round_trips(body: &[u8]) {
    let mut small = conditions(MAX);
    small.limits.hash.entries = 2;
    small.limits.zset.entries = 2;
    (small.limits.set.entries, small.limits.set.ints) = (2, 2);
    small.limits.list.size = 2;
    for with in [conditions(MAX), small] {
        let Ok(Restored::Collection(object)) = load(body, &with) else {
            continue;
        };
        assert!(!object.is_empty());
        let dumped = dump(object.value(), true);
        let again = load(verified(&dumped).expect("a good footer"), &with);
        let Ok(Restored::Collection(again)) = again else {
            panic!("dumped as what does not load: {}", dumped.escape_ascii());
        };
        assert_eq!(again.len(), object.len());
        assert_eq!(
            value_digest(again.value(), false),
            value_digest(object.value(), false),
            "{}",
            body.escape_ascii()
        );
    }
}

#[test]
fn damage_does_no_harm() {
    let mut state = super::seed();
    for _ in 0..6_000 {
        let mut body = some_body(&mut state);
        let whole = read(&body).expect("a good body");
        assert!(!whole.is_empty());
        round_trips(&body);
        for _ in 0..1 + next(&mut state) % 3 {
            let at = next(&mut state) % body.len();
            body[at] = match next(&mut state) % 3 {
                0 => 0xFF,
                1 => body[at] ^ 1 << (next(&mut state) % 8),
                _ => next(&mut state).to_le_bytes()[0],
            };
        }
        if next(&mut state).is_multiple_of(4) {
            body.truncate(next(&mut state) % (body.len() + 1));
        }
        round_trips(&body);
        // Integers grow to twenty digits from one byte, compressed text to 88 times; no more.
        if let Ok(all) = read(&body) {
            let bytes: usize = all.iter().map(Vec::len).sum();
            assert!(bytes <= body.len() * 88 * 20);
        }
    }
}
