//! Reading the RDB form from bytes that nobody vouches for.
//!
//! Invariants
//! - No step reads outside the input; every length is checked against what is left before it is used.
//! - A plain string borrows; a compressed one allocates only what its compressed length can yield,
//!   and never more than the caller's limit.

use super::write::{INT8, INT16, INT32, LEN32, LEN64, LZF};
use ochre_ds::lzf;

/// The bytes are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadData;

/// A string that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Loaded<'a> {
    /// Stored as an integer: its text is the value.
    Int(i64),
    /// Stored plainly.
    Plain(&'a [u8]),
    /// Was compressed.
    Unpacked(Vec<u8>),
}

impl Loaded<'_> {
    /// The bytes; `digits` is room for those of an integer.
    pub fn text<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Loaded::Int(n) => digits.format(*n).as_bytes(),
            Loaded::Plain(bytes) => bytes,
            Loaded::Unpacked(bytes) => bytes,
        }
    }
}

/// A length, or the encoding in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// A length.
    Of(usize),
    /// A special encoding.
    Special(u8),
}

/// Reads from the front of `rest`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next byte.
    ///
    /// # Errors
    /// At the end.
    pub fn byte(&mut self) -> Result<u8, BadData> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], BadData> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(BadData)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadData> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(BadData)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next double, in eight bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn double(&mut self) -> Result<f64, BadData> {
        self.array().map(f64::from_le_bytes)
    }

    /// The next length.
    ///
    /// # Errors
    /// When the mark is unknown, the bytes end, or the length does not fit this machine.
    pub fn length(&mut self) -> Result<Length, BadData> {
        let first = self.byte()?;
        let low = first & 0x3F;
        Ok(match first >> 6 {
            0 => Length::Of(usize::from(low)),
            1 => Length::Of(usize::from(low) << 8 | usize::from(self.byte()?)),
            3 => Length::Special(low),
            _ => {
                let length = match first {
                    LEN32 => u64::from(u32::from_be_bytes(self.array()?)),
                    LEN64 => u64::from_be_bytes(self.array()?),
                    _ => return Err(BadData),
                };
                Length::Of(usize::try_from(length).map_err(|_| BadData)?)
            }
        })
    }

    /// The next length, where no special encoding may stand.
    ///
    /// # Errors
    /// As [`Reader::length`], and for a special encoding.
    pub fn plain_length(&mut self) -> Result<usize, BadData> {
        match self.length()? {
            Length::Of(length) => Ok(length),
            Length::Special(_) => Err(BadData),
        }
    }

    /// The next string, of at most `max` bytes.
    ///
    /// # Errors
    /// When it is malformed, cut off or too long, or the memory for it cannot be had.
    pub fn string(&mut self, max: usize) -> Result<Loaded<'a>, BadData> {
        match self.length()? {
            Length::Of(length) if length > max => Err(BadData),
            Length::Of(length) => self.bytes(length).map(Loaded::Plain),
            Length::Special(INT8) => Ok(Loaded::Int(i8::from_le_bytes(self.array()?).into())),
            Length::Special(INT16) => Ok(Loaded::Int(i16::from_le_bytes(self.array()?).into())),
            Length::Special(INT32) => Ok(Loaded::Int(i32::from_le_bytes(self.array()?).into())),
            Length::Special(LZF) => {
                let packed = self.plain_length()?;
                let length = self.plain_length()?;
                let packed = self.bytes(packed)?;
                if length > max {
                    return Err(BadData);
                }
                let bytes = lzf::decompress(packed, length).map_err(|_| BadData)?;
                Ok(Loaded::Unpacked(bytes))
            }
            Length::Special(_) => Err(BadData),
        }
    }
}
