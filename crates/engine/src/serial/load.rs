//! Whole values out of the RDB form.
//!
//! Invariants
//! - A collection comes out in the encoding that Redis 7.2 gives it: by its size under the present limits, but what
//!   was packed is not measured element by element.
//! - A field or member that occurs twice is an error, also between the forms of a number.
//! - Members of a sorted set may stand in any order; Redis takes them as they are.
//!
//! Cost: as building the value by commands, without the requests.

use super::collection::{Layout, Part, Shape, read_list, read_members, read_pairs, read_scored};
use super::listpack;
use super::read::{BadData, Loaded, Reader};
use crate::exec::Limits;
use crate::keyspace::{Full, Object};
use ochre_ds::hash::Hash;
use ochre_ds::list::{BadNode, End, List};
use ochre_ds::pack::Element;
use ochre_ds::set::Set;
use ochre_ds::zset::Builder;

/// Under which conditions values are loaded.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// The longest string that is accepted, in bytes.
    pub bulk_max: usize,
    /// How large collections may become before they leave their packed forms.
    pub limits: Limits,
    /// The seed of the hash of large collections' elements.
    pub seed: u64,
}

/// A value that was read.
#[derive(Debug)]
pub enum Restored<'a> {
    /// A string.
    String(Loaded<'a>),
    /// A collection, which is not empty.
    Collection(Object),
}

/// Why a value was not loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The bytes are not what they should be.
    BadData,
    /// It has too many elements for the structure that would hold it.
    Full,
}

impl From<BadData> for LoadError {
    fn from(_: BadData) -> LoadError {
        LoadError::BadData
    }
}

impl From<BadNode> for LoadError {
    fn from(_: BadNode) -> LoadError {
        LoadError::BadData
    }
}

impl From<ochre_ds::dict::Full> for LoadError {
    fn from(_: ochre_ds::dict::Full) -> LoadError {
        LoadError::Full
    }
}

impl From<Full> for LoadError {
    fn from(_: Full) -> LoadError {
        LoadError::Full
    }
}

/// The value in `body`, a payload without its footer.
///
/// # Errors
/// When the type is unknown, the bytes are not one of it, or it does not fit.
pub fn load<'b>(body: &'b [u8], conditions: &Conditions) -> Result<Restored<'b>, LoadError> {
    let mut reader = Reader::new(body);
    let byte = reader.byte()?;
    if byte == super::TYPE_STRING {
        let string = reader.string(conditions.bulk_max)?;
        return Ok(Restored::String(string));
    }
    let layout = Layout::from_byte(byte).ok_or(BadData)?;
    let object = match layout.shape() {
        Shape::List => list(layout, &mut reader, conditions)?,
        Shape::Set => set(layout, &mut reader, conditions)?,
        Shape::Zset => zset(layout, &mut reader, conditions)?,
        Shape::Hash => hash(layout, &mut reader, conditions)?,
    };
    if object.is_empty() {
        return Err(LoadError::BadData);
    }
    Ok(Restored::Collection(object))
}

fn list(layout: Layout, reader: &mut Reader<'_>, with: &Conditions) -> Result<Object, LoadError> {
    let limits = with.limits.list;
    if layout == Layout::List {
        let mut list = List::default();
        read_list(layout, reader, with.bulk_max, |part| match part {
            Part::Item(item) => {
                list.push(End::Back, std::iter::once(item), limits);
                Ok(())
            }
            Part::Listpack(_) | Part::Alone(_) => Err(LoadError::BadData),
        })?;
        return Ok(Object::List(list));
    }
    let mut list = List::to_load(limits);
    read_list(layout, reader, with.bulk_max, |part| {
        match part {
            Part::Listpack(packed) => {
                // Also the backward lengths of each element are as they should be.
                listpack::Elements::new(packed)?.try_for_each(|e| e.map(drop))?;
                list.load_listpack(packed)?;
            }
            Part::Alone(item) => list.load_alone(item, limits),
            Part::Item(_) => return Err(LoadError::BadData),
        }
        Ok(())
    })?;
    // compat: Redis leaves the oldest layout as it is.
    if layout != Layout::ListZiplist {
        list = list.loaded(limits);
    }
    Ok(Object::List(list))
}

fn set(layout: Layout, reader: &mut Reader<'_>, with: &Conditions) -> Result<Object, LoadError> {
    let mut limits = with.limits.set;
    let mut set = Set::Ints(Vec::new());
    if layout.stays_packed() {
        limits.value = usize::MAX;
        set = Set::Packed(Vec::new());
    } else if layout == Layout::Set && { *reader }.plain_length()? > limits.ints {
        // compat: also where a pack could hold so many.
        set.make_table(with.seed)?;
    }
    read_members(layout, reader, with.bulk_max, |member| {
        new(set.add(member, limits, with.seed)?)
    })?;
    Ok(Object::Set(set))
}

fn zset(layout: Layout, reader: &mut Reader<'_>, with: &Conditions) -> Result<Object, LoadError> {
    let mut limits = with.limits.zset;
    if layout.stays_packed() {
        limits.value = usize::MAX;
    }
    let mut members = Builder::new(with.seed);
    read_scored(layout, reader, with.bulk_max, |member, score| {
        new(!members.contains(member))?;
        Ok::<(), LoadError>(members.add(Element::Bytes(member), score)?)
    })?;
    Ok(Object::Zset(members.finish(limits)))
}

fn hash(layout: Layout, reader: &mut Reader<'_>, with: &Conditions) -> Result<Object, LoadError> {
    let mut limits = with.limits.hash;
    if layout.stays_packed() {
        limits.value = usize::MAX;
    }
    let mut hash = Hash::default();
    read_pairs(layout, reader, with.bulk_max, |field, value| {
        new(hash.set(field, value, &limits, with.seed)?)
    })?;
    Ok(Object::Hash(hash))
}

fn new(is_new: bool) -> Result<(), LoadError> {
    if is_new {
        Ok(())
    } else {
        Err(LoadError::BadData)
    }
}
