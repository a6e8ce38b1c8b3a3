//! Collections in the RDB form, element by element, in every layout that Redis has had.
//!
//! | type byte | value | layout |
//! |---|---|---|
//! | 1, 2, 4 | list, set, hash | a length, then strings |
//! | 3, 5 | sorted set | a length, then members, each with its score as text (3) or eight bytes (5) |
//! | 9 | hash | zipmap |
//! | 10, 12, 13 | list, sorted set, hash | ziplist |
//! | 11 | set | intset |
//! | 14, 18 | list | nodes: ziplists (14); listpacks or single strings (18) |
//! | 16, 17, 20 | hash, sorted set, set | listpack |
//!
//! Invariants
//! - Reading trusts nothing: it hands out what it has checked, in the payload's order, and stops with an error at the
//!   first thing that cannot be. What is handed out twice (members, fields) is for the receiver to refuse.
//! - Reading allocates only packed parts that were compressed, within what their compressed length justifies, and
//!   the listpacks that it makes of ziplists.
//! - An empty collection is an error, as in Redis; empty nodes of a list are for the receiver to leave out.
//! - Scores are numbers: what Redis takes for one by ignoring what follows it, or for infinity, is refused.
//!
//! It knows no data structure: elements come out as borrowed bytes and go in as iterators.
//! Source: the published description of the RDB format; DUMP and RESTORE of Redis 7.0.15 and 8.2.3.

use super::read::{BadData, Loaded, Reader};
use super::{intset, listpack, write, ziplist, zipmap};
use ochre_ds::float::parse_double;
use ochre_ds::pack::Element;

/// The type byte and what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Layout {
    /// A list of strings.
    List = 1,
    /// A set of strings.
    Set = 2,
    /// Members with scores as text.
    ZsetText = 3,
    /// Fields and values.
    Hash = 4,
    /// Members with scores of eight bytes.
    Zset = 5,
    /// A hash in a zipmap.
    HashZipmap = 9,
    /// A list in one ziplist.
    ListZiplist = 10,
    /// A set of integers.
    SetIntset = 11,
    /// A sorted set in a ziplist.
    ZsetZiplist = 12,
    /// A hash in a ziplist.
    HashZiplist = 13,
    /// A list of ziplists.
    ListZiplists = 14,
    /// A hash in a listpack.
    HashListpack = 16,
    /// A sorted set in a listpack.
    ZsetListpack = 17,
    /// A list of listpacks and of strings that are nodes of their own.
    ListNodes = 18,
    /// A set in a listpack.
    SetListpack = 20,
}

/// Which type of value a layout holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Strings in order.
    List,
    /// Strings, each once.
    Set,
    /// Values by field.
    Hash,
    /// Scores by member.
    Zset,
}

impl Layout {
    /// The layout of a type byte, `None` if it is no collection known here.
    pub fn from_byte(byte: u8) -> Option<Layout> {
        Some(match byte {
            1 => Layout::List,
            2 => Layout::Set,
            3 => Layout::ZsetText,
            4 => Layout::Hash,
            5 => Layout::Zset,
            9 => Layout::HashZipmap,
            10 => Layout::ListZiplist,
            11 => Layout::SetIntset,
            12 => Layout::ZsetZiplist,
            13 => Layout::HashZiplist,
            14 => Layout::ListZiplists,
            16 => Layout::HashListpack,
            17 => Layout::ZsetListpack,
            18 => Layout::ListNodes,
            20 => Layout::SetListpack,
            _ => return None,
        })
    }

    /// The type of the value.
    pub fn shape(self) -> Shape {
        match self {
            Layout::List | Layout::ListZiplist | Layout::ListZiplists | Layout::ListNodes => {
                Shape::List
            }
            Layout::Set | Layout::SetIntset | Layout::SetListpack => Shape::Set,
            Layout::Hash | Layout::HashZipmap | Layout::HashZiplist | Layout::HashListpack => {
                Shape::Hash
            }
            Layout::ZsetText | Layout::Zset | Layout::ZsetZiplist | Layout::ZsetListpack => {
                Shape::Zset
            }
        }
    }

    /// Whether the value was packed in a form that Redis keeps however long its elements are; only their number may
    /// unpack it. (Zipmaps are older than the rule: their elements are measured.)
    pub fn stays_packed(self) -> bool {
        matches!(
            self,
            Layout::ZsetZiplist
                | Layout::HashZiplist
                | Layout::HashListpack
                | Layout::ZsetListpack
                | Layout::SetListpack
        )
    }
}

/// The elements of one packed part.
enum Elements<'a> {
    Ziplist(ziplist::Elements<'a>),
    Zipmap(zipmap::Elements<'a>),
    Ints(intset::Elements<'a>),
    Listpack(listpack::Elements<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, BadData>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Elements::Ziplist(elements) => elements.next(),
            Elements::Zipmap(elements) => elements.next(),
            Elements::Ints(elements) => elements.next().map(|n| n.map(Element::Int)),
            Elements::Listpack(elements) => elements.next(),
        }
    }
}

impl Layout {
    /// The elements of a packed part of this layout; an error for layouts without one.
    fn elements(self, bytes: &[u8]) -> Result<Elements<'_>, BadData> {
        match self {
            Layout::HashZipmap => zipmap::Elements::new(bytes).map(Elements::Zipmap),
            Layout::SetIntset => intset::Elements::new(bytes).map(Elements::Ints),
            Layout::ZsetZiplist | Layout::HashZiplist => {
                ziplist::Elements::new(bytes).map(Elements::Ziplist)
            }
            Layout::HashListpack | Layout::ZsetListpack | Layout::SetListpack => {
                listpack::Elements::new(bytes).map(Elements::Listpack)
            }
            _ => Err(BadData),
        }
    }
}

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// An element of a list that has no nodes.
    Item(&'a [u8]),
    /// A node that should be a listpack; nothing of it was checked. It may be empty.
    Listpack(&'a [u8]),
    /// An element, not empty, that is a node of its own.
    Alone(&'a [u8]),
}

/// Marks of the nodes of a list.
const NODE_PLAIN: usize = 1;
const NODE_PACKED: usize = 2;

/// Reads a list: `visit` gets each part in order. No string stored on its own is longer than `max`.
///
/// A list may turn out empty.
///
/// # Errors
/// When the bytes are no list, and those of `visit`.
pub fn read_list<E: From<BadData>>(
    layout: Layout,
    reader: &mut Reader<'_>,
    max: usize,
    mut visit: impl FnMut(Part<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut digits = itoa::Buffer::new();
    if layout == Layout::ListZiplist {
        let node = from_ziplist(reader)?;
        return visit(Part::Listpack(&node));
    }
    for _ in 0..reader.plain_length()? {
        match layout {
            Layout::List => visit(Part::Item(reader.string(max)?.text(&mut digits)))?,
            Layout::ListZiplists => visit(Part::Listpack(&from_ziplist(reader)?))?,
            Layout::ListNodes => match reader.plain_length()? {
                NODE_PLAIN => {
                    let item = reader.string(max)?;
                    match item.text(&mut digits) {
                        b"" => return Err(BadData.into()),
                        item => visit(Part::Alone(item))?,
                    }
                }
                NODE_PACKED => visit(Part::Listpack(packed(reader)?.text(&mut digits)))?,
                _ => return Err(BadData.into()),
            },
            _ => return Err(BadData.into()),
        }
    }
    Ok(())
}

/// A ziplist as a listpack.
fn from_ziplist(reader: &mut Reader<'_>) -> Result<Vec<u8>, BadData> {
    let (packed, mut digits) = (packed(reader)?, itoa::Buffer::new());
    let bytes = packed.text(&mut digits);
    let mut node = listpack::Writer::with_capacity(bytes.len());
    for element in ziplist::Elements::new(bytes)? {
        node.push(element?);
    }
    node.finish().ok_or(BadData)
}

/// A packed part as it is, decompressed. Its own header cannot say more than 4 GiB.
fn packed<'a>(reader: &mut Reader<'a>) -> Result<Loaded<'a>, BadData> {
    reader.string(usize::try_from(u32::MAX).unwrap_or(usize::MAX))
}

/// Reads a set: `visit` gets each member. No string stored on its own is longer than `max`.
///
/// # Errors
/// When the bytes are no set or it is empty, and those of `visit`.
pub fn read_members<E: From<BadData>>(
    layout: Layout,
    reader: &mut Reader<'_>,
    max: usize,
    mut visit: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut digits = itoa::Buffer::new();
    let mut some = false;
    if layout == Layout::Set {
        for _ in 0..reader.plain_length()? {
            visit(reader.string(max)?.text(&mut digits))?;
            some = true;
        }
    } else {
        let packed = packed(reader)?;
        let mut room = itoa::Buffer::new();
        for member in layout.elements(packed.text(&mut room))? {
            visit(member?.bytes(&mut digits))?;
            some = true;
        }
    }
    if some { Ok(()) } else { Err(BadData.into()) }
}

/// Reads a hash: `visit` gets each field with its value. No string stored on its own is longer than `max`.
///
/// # Errors
/// As [`read_members`].
pub fn read_pairs<E: From<BadData>>(
    layout: Layout,
    reader: &mut Reader<'_>,
    max: usize,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut first, mut second) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut some = false;
    if layout == Layout::Hash {
        for _ in 0..reader.plain_length()? {
            let (field, value) = (reader.string(max)?, reader.string(max)?);
            visit(field.text(&mut first), value.text(&mut second))?;
            some = true;
        }
    } else {
        let packed = packed(reader)?;
        let mut digits = itoa::Buffer::new();
        let mut elements = layout.elements(packed.text(&mut digits))?;
        while let Some(field) = elements.next() {
            let (field, value) = (field?, elements.next().ok_or(BadData)??);
            visit(field.bytes(&mut first), value.bytes(&mut second))?;
            some = true;
        }
    }
    if some { Ok(()) } else { Err(BadData.into()) }
}

/// Reads a sorted set: `visit` gets each member with its score, which is a number, in any order. No string stored on
/// its own is longer than `max`.
///
/// # Errors
/// As [`read_members`].
pub fn read_scored<E: From<BadData>>(
    layout: Layout,
    reader: &mut Reader<'_>,
    max: usize,
    mut visit: impl FnMut(&[u8], f64) -> Result<(), E>,
) -> Result<(), E> {
    let mut digits = itoa::Buffer::new();
    let mut some = false;
    if matches!(layout, Layout::Zset | Layout::ZsetText) {
        for _ in 0..reader.plain_length()? {
            let member = reader.string(max)?;
            let score = match layout {
                Layout::Zset => reader.double()?,
                _ => score_text(reader)?,
            };
            visit(member.text(&mut digits), a_number(score)?)?;
            some = true;
        }
    } else {
        let packed = packed(reader)?;
        let mut room = itoa::Buffer::new();
        let mut elements = layout.elements(packed.text(&mut room))?;
        while let Some(member) = elements.next() {
            let (member, score) = (member?, elements.next().ok_or(BadData)??);
            let score = match score {
                Element::Bytes(text) => parse_double(text).ok_or(BadData)?,
                Element::Int(n) => n as f64,
                Element::Double(score) => score,
            };
            visit(member.bytes(&mut digits), a_number(score)?)?;
            some = true;
        }
    }
    if some { Ok(()) } else { Err(BadData.into()) }
}

fn a_number(score: f64) -> Result<f64, BadData> {
    if score.is_nan() {
        Err(BadData)
    } else {
        Ok(score)
    }
}

/// A score as text behind its length in one byte, of which the last three say something else.
fn score_text(reader: &mut Reader<'_>) -> Result<f64, BadData> {
    match reader.byte()? {
        253 => Err(BadData),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => parse_double(reader.bytes(usize::from(len))?).ok_or(BadData),
    }
}

/// A value is too large for the layout that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge;

/// Appends a hash, sorted set or set in one listpack of `elements`, which take about `bytes`; `layout` says which.
///
/// # Errors
/// When the listpack would not fit in 4 GiB; nothing is appended then.
pub fn write_packed<'a>(
    out: &mut Vec<u8>,
    layout: Layout,
    bytes: usize,
    elements: impl Iterator<Item = Element<'a>>,
    compress: bool,
) -> Result<(), TooLarge> {
    let mut packed = listpack::Writer::with_capacity(bytes);
    elements.for_each(|element| packed.push(element));
    let packed = packed.finish().ok_or(TooLarge)?;
    out.push(layout as u8);
    write::string(out, &packed, compress);
    Ok(())
}

/// Appends a set of integers: see [`intset::write`] for `width` and `members`.
///
/// # Errors
/// When there are more than 2^32; nothing is appended then.
pub fn write_ints(
    out: &mut Vec<u8>,
    width: u8,
    members: &[u8],
    compress: bool,
) -> Result<(), TooLarge> {
    let ints = intset::write(width, members).ok_or(TooLarge)?;
    out.push(Layout::SetIntset as u8);
    write::string(out, &ints, compress);
    Ok(())
}

/// Appends a set of `len` strings.
pub fn write_set<'a>(
    out: &mut Vec<u8>,
    len: usize,
    members: impl Iterator<Item = Element<'a>>,
    compress: bool,
) {
    out.push(Layout::Set as u8);
    write::length(out, len);
    members.for_each(|member| write::element(out, member, compress));
}

/// Appends a hash of `len` fields with their values.
pub fn write_hash<'a>(
    out: &mut Vec<u8>,
    len: usize,
    pairs: impl Iterator<Item = (Element<'a>, Element<'a>)>,
    compress: bool,
) {
    out.push(Layout::Hash as u8);
    write::length(out, len);
    for (field, value) in pairs {
        write::element(out, field, compress);
        write::element(out, value, compress);
    }
}

/// Appends a sorted set of `len` members with their scores, which Redis writes from the highest down.
pub fn write_zset<'a>(
    out: &mut Vec<u8>,
    len: usize,
    descending: impl Iterator<Item = (Element<'a>, f64)>,
    compress: bool,
) {
    out.push(Layout::Zset as u8);
    write::length(out, len);
    for (member, score) in descending {
        write::element(out, member, compress);
        out.extend_from_slice(&score.to_le_bytes());
    }
}

/// Begins a list of `nodes` nodes, each of which [`write_node`] or [`write_plain_node`] then appends.
pub fn write_list(out: &mut Vec<u8>, nodes: usize) {
    out.push(Layout::ListNodes as u8);
    write::length(out, nodes);
}

/// Appends a node of a list that is a listpack.
pub fn write_node(out: &mut Vec<u8>, listpack: &[u8], compress: bool) {
    write::length(out, NODE_PACKED);
    write::string(out, listpack, compress);
}

/// Appends a node of a list that is one string as it is.
pub fn write_plain_node(out: &mut Vec<u8>, item: &[u8], compress: bool) {
    write::length(out, NODE_PLAIN);
    write::string(out, item, compress);
}
