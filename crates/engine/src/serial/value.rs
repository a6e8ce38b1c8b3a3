//! Whole values into the RDB form, and into digests.
//!
//! Invariants
//! - What Redis 7.0 has a form for is written in it: packed hashes and sorted sets as listpacks, sets of integers as
//!   intsets, lists in the nodes that they have. It has none for packed sets, so those are written member by member.
//! - A value too large for its packed form is written in the large one.
//!
//! Cost: one pass over the value, and a copy of a packed one.

use super::collection::{self, Layout};
use super::digest::ValueSum;
use super::write;
use crate::keyspace::Value;
use ochre_ds::hash::HashRef;
use ochre_ds::list::ListRef;
use ochre_ds::pack::Element;
use ochre_ds::set::SetRef;
use ochre_ds::zset::ZsetRef;

/// Elements from this size are nodes of their own in Redis 7.0.
const PLAIN_MIN: usize = 1 << 30;
/// The smallest limit in bytes that the nodes of lists have. What is alone in its node and no larger was put there by
/// DEBUG QUICKLIST-PACKED-THRESHOLD.
const NODE_MIN: usize = 4096;

/// Appends a value: the type byte, and all that follows it.
pub fn write_value(out: &mut Vec<u8>, value: Value<'_>, compress: bool) {
    match value {
        Value::String(text) => {
            out.push(super::TYPE_STRING);
            write::string(out, text.bytes(&mut itoa::Buffer::new()), compress);
        }
        Value::List(list) => write_list(out, list, compress),
        Value::Set(set) => write_set(out, set, compress),
        Value::Zset(zset) => write_zset(out, zset, compress),
        Value::Hash(hash) => write_hash(out, hash, compress),
    }
}

fn write_list(out: &mut Vec<u8>, list: ListRef<'_>, compress: bool) {
    collection::write_list(out, list.nodes().count());
    for node in list.nodes() {
        match node.alone() {
            Some(item) if (NODE_MIN + 1..PLAIN_MIN).contains(&item.len()) => {
                let mut packed = super::listpack::Writer::with_capacity(item.len() + 16);
                packed.push_text(item);
                match packed.finish() {
                    Some(packed) => collection::write_node(out, &packed, compress),
                    None => collection::write_plain_node(out, item, compress),
                }
            }
            Some(item) => collection::write_plain_node(out, item, compress),
            None => {
                let mut packed = Vec::with_capacity(node.listpack_len());
                node.write_listpack(&mut packed);
                collection::write_node(out, &packed, compress);
            }
        }
    }
}

fn write_set(out: &mut Vec<u8>, set: SetRef<'_>, compress: bool) {
    if let SetRef::Ints(ints) = set
        && let Some((&width, members)) = ints.split_first()
        && collection::write_ints(out, width, members, compress).is_ok()
    {
        return;
    }
    collection::write_set(out, set.len(), set.iter(), compress);
}

fn write_zset(out: &mut Vec<u8>, zset: ZsetRef<'_>, compress: bool) {
    if let ZsetRef::Packed(pack) = zset {
        let elements = zset
            .iter()
            .flat_map(|(member, score)| [member, Element::Double(score)]);
        let packed = Layout::ZsetListpack;
        if collection::write_packed(out, packed, pack.len(), elements, compress).is_ok() {
            return;
        }
    }
    let descending = zset.range(0..zset.len(), true);
    collection::write_zset(out, zset.len(), descending, compress);
}

fn write_hash(out: &mut Vec<u8>, hash: HashRef<'_>, compress: bool) {
    if let HashRef::Packed(pack) = hash {
        let elements = hash.iter().flat_map(|(field, value)| [field, value]);
        let packed = Layout::HashListpack;
        if collection::write_packed(out, packed, pack.len(), elements, compress).is_ok() {
            return;
        }
    }
    collection::write_hash(out, hash.len(), hash.iter(), compress);
}

/// Takes a value into a digest.
#[must_use]
pub fn sum_value(mut sum: ValueSum, value: Value<'_>) -> ValueSum {
    let (mut a, mut b) = (itoa::Buffer::new(), itoa::Buffer::new());
    match value {
        Value::String(text) => return sum.string(text.bytes(&mut a)),
        Value::List(list) => {
            sum.begin_list();
            list.iter().for_each(|item| sum.item(item.bytes(&mut a)));
        }
        Value::Set(set) => {
            sum.begin_set();
            set.iter()
                .for_each(|member| sum.member(member.bytes(&mut a)));
        }
        Value::Zset(zset) => {
            sum.begin_zset();
            zset.iter()
                .for_each(|(member, score)| sum.scored(member.bytes(&mut a), score));
        }
        Value::Hash(hash) => {
            sum.begin_hash();
            hash.iter()
                .for_each(|(field, value)| sum.pair(field.bytes(&mut a), value.bytes(&mut b)));
        }
    }
    sum
}
