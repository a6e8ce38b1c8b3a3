//! Payload bodies in layouts that no living server writes, and their reading as plain texts.

use crate::serial::collection::{
    Layout, Part, Shape, read_list, read_members, read_pairs, read_scored,
};
use crate::serial::read::{BadData, Reader};
use crate::serial::{intset, listpack, write};

const MAX: usize = 512 << 20;

/// A value as texts: items, or fields and values, or members and scores, one after the other.
pub(super) fn read(body: &[u8]) -> Result<Vec<Vec<u8>>, BadData> {
    let mut reader = Reader::new(body);
    let layout = Layout::from_byte(reader.byte()?).ok_or(BadData)?;
    let mut all = Vec::new();
    match layout.shape() {
        Shape::List => read_list(layout, &mut reader, MAX, |part| {
            match part {
                Part::Item(item) | Part::Alone(item) => all.push(item.to_vec()),
                Part::Listpack(packed) => {
                    for element in listpack::Elements::new(packed)? {
                        all.push(element?.to_vec());
                    }
                }
            }
            Ok::<(), BadData>(())
        })?,
        Shape::Set => read_members(layout, &mut reader, MAX, |member| {
            all.push(member.to_vec());
            Ok::<(), BadData>(())
        })?,
        Shape::Hash => read_pairs(layout, &mut reader, MAX, |field, value| {
            all.extend([field.to_vec(), value.to_vec()]);
            Ok::<(), BadData>(())
        })?,
        Shape::Zset => read_scored(layout, &mut reader, MAX, |member, score| {
            assert!(!score.is_nan());
            all.extend([member.to_vec(), format!("{score}").into_bytes()]);
            Ok::<(), BadData>(())
        })?,
    }
    if all.is_empty() {
        Err(BadData)
    } else {
        Ok(all)
    }
}

pub(super) fn texts(of: &[&str]) -> Vec<Vec<u8>> {
    of.iter().map(|t| t.as_bytes().to_vec()).collect()
}

/// A packed part behind its type byte.
pub(super) fn body(layout: Layout, packed: &[u8]) -> Vec<u8> {
    let mut out = vec![layout as u8];
    write::string(&mut out, packed, false);
    out
}

pub(super) fn listpack_of(of: &[&[u8]]) -> Vec<u8> {
    let mut packed = listpack::Writer::default();
    of.iter().for_each(|text| packed.push_text(text));
    packed.finish().expect("small")
}

/// A ziplist whose elements are given in their encoding, without the length of the one before.
pub(super) fn ziplist_of(encoded: &[Vec<u8>]) -> Vec<u8> {
    let (mut out, mut before, mut last) = (vec![0; 10], 0usize, 10usize);
    for element in encoded {
        last = out.len();
        match u8::try_from(before) {
            Ok(len) if len < 254 => out.push(len),
            _ => {
                out.push(254);
                out.extend_from_slice(&before.to_le_bytes()[..4]);
            }
        }
        out.extend_from_slice(element);
        before = out.len() - last;
    }
    out.push(0xFF);
    let total = out.len();
    out[..4].copy_from_slice(&total.to_le_bytes()[..4]);
    out[4..8].copy_from_slice(&last.to_le_bytes()[..4]);
    out[8..10].copy_from_slice(&encoded.len().to_le_bytes()[..2]);
    out
}

/// A string in a ziplist's encoding.
pub(super) fn zl(text: &str) -> Vec<u8> {
    let [low, high, ..] = text.len().to_le_bytes();
    let mut out = match text.len() {
        0..0x40 => vec![low],
        0x40..0x4000 => vec![0x40 | high, low],
        _ => vec![0x80, 0, 0, high, low],
    };
    out.extend_from_slice(text.as_bytes());
    out
}

pub(super) fn zl_all(of: &[&str]) -> Vec<u8> {
    ziplist_of(&of.iter().map(|t| zl(t)).collect::<Vec<_>>())
}

/// A zipmap with `spare` bytes behind each value.
pub(super) fn zipmap_of(of: &[&str], spare: u8) -> Vec<u8> {
    let mut out = vec![(of.len() / 2).to_le_bytes()[0]];
    for (at, text) in of.iter().enumerate() {
        match text.len() {
            short @ 0..254 => out.push(short.to_le_bytes()[0]),
            long => {
                out.push(254);
                out.extend_from_slice(&long.to_le_bytes()[..4]);
            }
        }
        if at % 2 == 1 {
            out.push(spare);
        }
        out.extend_from_slice(text.as_bytes());
        if at % 2 == 1 {
            out.resize(out.len() + usize::from(spare), b'#');
        }
    }
    out.push(0xFF);
    out
}

pub(super) fn intset_of(width: u8, members: &[i64]) -> Vec<u8> {
    let bytes: Vec<u8> = members
        .iter()
        .flat_map(|n| n.to_le_bytes()[..usize::from(width)].to_vec())
        .collect();
    intset::write(width, &bytes).expect("few")
}
