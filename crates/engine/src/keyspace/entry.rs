//! The layout of one key and its value in a stripe's arena.
//!
//! ```text
//! 0     1      2      3..6          6    7     [8 B]    [4 B]      ..
//! kind  flags  epoch  access clock  klen vlen  expiry?  wide klen? key, value
//! ```
//!
//! Invariants
//! - `kind` is never zero (the arena marks free slots by a zero first byte).
//! - A value is inline (an integer of 1, 2, 4 or 8 bytes, or up to 511 bytes) or a 4-byte index of a
//!   blob or an object of the same stripe, as its kind says.
//! - `klen` is exact below 255 without `WIDE_KEY`; with it the four bytes before the key hold the length.
//! - Expiry is Unix time in milliseconds.
//!
//! Pure byte work: it allocates nothing and knows no stripe, clock or client.

use ochre_ds::arena;

/// Bytes before the optional parts.
pub(crate) const HEADER: usize = 8;
/// Entries above this size keep their value in a blob.
pub(crate) const INLINE_MAX: usize = arena::SMALL_MAX;
/// The longest inline value: the length is nine bits.
pub(crate) const INLINE_VALUE_MAX: usize = 511;

const HAS_EXPIRY: u8 = 1;
const WIDE_KEY: u8 = 2;
const LONG_VALUE: u8 = 4;
/// The value was built by an in-place change, so its encoding is reported as `raw` however short it is.
pub(crate) const MODIFIED: u8 = 8;

/// Type in the high nibble, encoding in the low one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A string that is an integer.
    Int = 0x10,
    /// A string, inline.
    Inline = 0x11,
    /// A string, in a blob.
    Blob = 0x12,
    /// A list in its packed form, inline.
    PackedList = 0x21,
    /// A list, as an object.
    List = 0x22,
    /// A set in its packed form, inline.
    PackedSet = 0x31,
    /// A set, as an object.
    Set = 0x32,
    /// A set of integers in its packed form, inline.
    IntSet = 0x33,
    /// A sorted set in its packed form, inline.
    PackedZset = 0x41,
    /// A sorted set, as an object.
    Zset = 0x42,
    /// A hash in its packed form, inline.
    PackedHash = 0x51,
    /// A hash, as an object.
    Hash = 0x52,
}

impl Kind {
    /// The type's name, as TYPE answers it.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Kind::Int | Kind::Inline | Kind::Blob => "string",
            Kind::PackedList | Kind::List => "list",
            Kind::PackedSet | Kind::IntSet | Kind::Set => "set",
            Kind::PackedZset | Kind::Zset => "zset",
            Kind::PackedHash | Kind::Hash => "hash",
        }
    }

    /// What an entry of this kind owns outside itself.
    #[inline]
    pub(crate) fn outside(self) -> Outside {
        match self {
            Kind::Blob => Outside::Blob,
            Kind::List | Kind::Set | Kind::Zset | Kind::Hash => Outside::Object,
            _ => Outside::Nothing,
        }
    }

    /// Whether it is a collection's packed form, inline.
    pub(crate) fn is_packed(self) -> bool {
        self.type_name() != "string" && self.outside() == Outside::Nothing
    }

    #[inline]
    pub(crate) fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            0x10 => Kind::Int,
            0x11 => Kind::Inline,
            0x12 => Kind::Blob,
            0x21 => Kind::PackedList,
            0x22 => Kind::List,
            0x31 => Kind::PackedSet,
            0x32 => Kind::Set,
            0x33 => Kind::IntSet,
            0x41 => Kind::PackedZset,
            0x42 => Kind::Zset,
            0x51 => Kind::PackedHash,
            0x52 => Kind::Hash,
            _ => return None,
        })
    }
}

/// What an entry owns outside itself; its value is then a position of four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outside {
    Nothing,
    Blob,
    Object,
}

/// What an entry is to be made of.
#[derive(Clone, Copy)]
pub(crate) struct Spec<'a> {
    pub(crate) kind: Kind,
    pub(crate) modified: bool,
    pub(crate) key: &'a [u8],
    pub(crate) expires_at: Option<i64>,
    pub(crate) value: &'a [u8],
    pub(crate) clock: u32,
    pub(crate) epoch: u8,
}

impl Spec<'_> {
    /// Bytes that the entry takes.
    pub(crate) fn size(&self) -> usize {
        size(self.key.len(), self.expires_at.is_some(), self.value.len())
    }

    /// Writes the entry; `slot` has at least `size` bytes.
    pub(crate) fn write(&self, slot: &mut [u8]) {
        let wide = self.key.len() > 254;
        let long = self.value.len() > 255;
        slot[0] = self.kind as u8;
        slot[1] = (if self.expires_at.is_some() {
            HAS_EXPIRY
        } else {
            0
        }) | (if wide { WIDE_KEY } else { 0 })
            | (if long { LONG_VALUE } else { 0 })
            | (if self.modified { MODIFIED } else { 0 });
        slot[2] = self.epoch;
        slot[3..6].copy_from_slice(&self.clock.to_le_bytes()[..3]);
        slot[6] = if wide {
            255
        } else {
            self.key.len().to_le_bytes()[0]
        };
        slot[7] = self.value.len().to_le_bytes()[0];
        let mut at = HEADER;
        if let Some(expires_at) = self.expires_at {
            slot[at..at + 8].copy_from_slice(&expires_at.to_le_bytes());
            at += 8;
        }
        if wide {
            slot[at..at + 4].copy_from_slice(&self.key.len().to_le_bytes()[..4]);
            at += 4;
        }
        slot[at..at + self.key.len()].copy_from_slice(self.key);
        at += self.key.len();
        slot[at..at + self.value.len()].copy_from_slice(self.value);
    }
}

/// Bytes that an entry of these parts takes.
pub(crate) fn size(key: usize, expires: bool, value: usize) -> usize {
    HEADER + if expires { 8 } else { 0 } + if key > 254 { 4 } else { 0 } + key + value
}

/// Reads an entry.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(&'a [u8]);

impl<'a> View<'a> {
    /// `None` for a slot that holds no entry.
    #[inline]
    pub(crate) fn new(slot: &'a [u8]) -> Option<View<'a>> {
        (slot.len() >= HEADER && slot[0] != 0).then_some(View(slot))
    }

    #[inline]
    pub(crate) fn kind(self) -> Option<Kind> {
        Kind::from_byte(self.0[0])
    }

    #[inline]
    fn key_start(self) -> usize {
        HEADER
            + if self.0[1] & HAS_EXPIRY != 0 { 8 } else { 0 }
            + if self.0[1] & WIDE_KEY != 0 { 4 } else { 0 }
    }

    #[inline]
    fn key_len(self) -> usize {
        if self.0[1] & WIDE_KEY == 0 {
            return usize::from(self.0[6]);
        }
        let at = self.key_start();
        u32::from_le_bytes([
            self.0[at - 4],
            self.0[at - 3],
            self.0[at - 2],
            self.0[at - 1],
        ]) as usize
    }

    #[inline]
    pub(crate) fn key(self) -> &'a [u8] {
        let at = self.key_start();
        &self.0[at..at + self.key_len()]
    }

    #[inline]
    fn value_len(self) -> usize {
        usize::from(self.0[7]) + if self.0[1] & LONG_VALUE != 0 { 256 } else { 0 }
    }

    #[inline]
    pub(crate) fn value_start(self) -> usize {
        self.key_start() + self.key_len()
    }

    #[inline]
    pub(crate) fn value(self) -> &'a [u8] {
        let at = self.value_start();
        &self.0[at..at + self.value_len()]
    }

    #[inline]
    pub(crate) fn expires_at(self) -> Option<i64> {
        if self.0[1] & HAS_EXPIRY == 0 {
            return None;
        }
        self.0[HEADER..HEADER + 8]
            .try_into()
            .ok()
            .map(i64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn clock(self) -> u32 {
        u32::from_le_bytes([self.0[3], self.0[4], self.0[5], 0])
    }

    pub(crate) fn modified(self) -> bool {
        self.0[1] & MODIFIED != 0
    }

    /// The integer of an `Int` entry.
    #[inline]
    pub(crate) fn int(self) -> i64 {
        let v = self.value();
        match v.len() {
            1 => i64::from(v[0].cast_signed()),
            2 => i64::from(i16::from_le_bytes([v[0], v[1]])),
            4 => i64::from(i32::from_le_bytes([v[0], v[1], v[2], v[3]])),
            _ => v.try_into().map_or(0, i64::from_le_bytes),
        }
    }

    /// The index of the blob or object that the entry owns.
    #[inline]
    pub(crate) fn index(self) -> u32 {
        self.value().try_into().map_or(u32::MAX, u32::from_le_bytes)
    }
}

/// The shortest encoding of an integer, and its length.
pub(crate) fn encode_int(n: i64) -> ([u8; 8], usize) {
    let len = if i8::try_from(n).is_ok() {
        1
    } else if i16::try_from(n).is_ok() {
        2
    } else if i32::try_from(n).is_ok() {
        4
    } else {
        8
    };
    (n.to_le_bytes(), len)
}

/// Overwrites the access clock.
#[inline]
pub(crate) fn set_clock(slot: &mut [u8], clock: u32) {
    if slot.len() >= HEADER {
        slot[3..6].copy_from_slice(&clock.to_le_bytes()[..3]);
    }
}

/// Overwrites the snapshot epoch.
#[inline]
pub(crate) fn set_epoch(slot: &mut [u8], epoch: u8) {
    if slot.len() >= HEADER {
        slot[2] = epoch;
    }
}
