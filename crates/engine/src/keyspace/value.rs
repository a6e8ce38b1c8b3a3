//! Values as they are stored, and values on their way between keys.
//!
//! Nothing here knows a stripe's table or arena.

use super::object::Object;
use ochre_ds::blob::Blob;
use ochre_ds::hash::HashRef;
use ochre_ds::list::ListRef;
use ochre_ds::set::SetRef;
use ochre_ds::zset::ZsetRef;

pub use ochre_ds::hasher::KeyHasher;

/// A string value as it is stored.
#[derive(Clone, Copy)]
pub enum Str<'a> {
    /// An integer; its bytes are its decimal digits.
    Int(i64),
    /// Bytes inside the entry.
    Inline(&'a [u8]),
    /// A large value, which may be shared by reference.
    Blob(&'a Blob),
}

impl Str<'_> {
    /// Length of the string in bytes.
    pub fn len(&self) -> usize {
        match self {
            Str::Int(n) => itoa::Buffer::new().format(*n).len(),
            Str::Inline(b) => b.len(),
            Str::Blob(b) => b.len(),
        }
    }

    /// Whether the string is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes; `digits` is room for those of an integer.
    pub fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Str::Int(n) => digits.format(*n).as_bytes(),
            Str::Inline(b) => b,
            Str::Blob(b) => b.as_slice(),
        }
    }

    /// A copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }
}

/// A value of any type as it is stored, to read.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A string.
    String(Str<'a>),
    /// A list.
    List(ListRef<'a>),
    /// A set.
    Set(SetRef<'a>),
    /// A sorted set.
    Zset(ZsetRef<'a>),
    /// A hash.
    Hash(HashRef<'a>),
}

impl Value<'_> {
    /// The name of the form in which it is kept, as OBJECT ENCODING answers it; `modified` tells of a string that it
    /// was changed in place.
    pub fn encoding(self, modified: bool) -> &'static str {
        /// Redis keeps strings up to this length in one piece with their header.
        const EMBEDDED_MAX: usize = 44;
        match self {
            Value::String(Str::Int(_)) => "int",
            Value::String(text) if text.len() <= EMBEDDED_MAX && !modified => "embstr",
            Value::String(_) => "raw",
            Value::List(list) => list.encoding(),
            Value::Set(set) => set.encoding(),
            Value::Zset(zset) => zset.encoding(),
            Value::Hash(hash) => hash.encoding(),
        }
    }
}

/// A value taken out of, or copied from, its key: moves between keys, stripes and databases.
#[derive(Clone, Debug)]
pub struct Detached {
    pub(crate) value: DetachedValue,
    pub(crate) modified: bool,
    /// Expiry in Unix milliseconds.
    pub expires_at: Option<i64>,
    pub(crate) clock: u32,
}

impl Detached {
    /// The name of the form in which it was kept; see [`Value::encoding`].
    pub fn encoding(&self) -> &'static str {
        self.value().encoding(self.modified)
    }

    /// The value, to read.
    pub fn value(&self) -> Value<'_> {
        match &self.value {
            DetachedValue::Int(n) => Value::String(Str::Int(*n)),
            DetachedValue::Bytes(bytes) => Value::String(Str::Inline(bytes)),
            DetachedValue::Blob(blob) => Value::String(Str::Blob(blob)),
            DetachedValue::Object(object) => object.value(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum DetachedValue {
    Int(i64),
    Bytes(Vec<u8>),
    Blob(Blob),
    Object(Object),
}

/// What a removed or replaced value leaves behind, to be dropped after the lock is released.
#[derive(Default, Debug)]
pub enum Garbage {
    /// Nothing but its entry.
    #[default]
    Nothing,
    /// A large string.
    Blob(Blob),
    /// A collection.
    Object(Object),
    /// Part of a list.
    Chunks(ochre_ds::list::Removed),
}
