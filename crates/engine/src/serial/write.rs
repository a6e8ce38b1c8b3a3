//! Writing the RDB form: lengths and strings.
//!
//! A length is 6, 14, 32 or 64 bits behind two marking bits, high byte first. A string is a length
//! and its bytes; or, behind the mark 3, an integer of 1, 2 or 4 bytes (low byte first), or an LZF
//! block with its two lengths.

use ochre_ds::{int::parse_i64, lzf, pack::Element};

/// Marks a special encoding, which is the low six bits.
pub(super) const SPECIAL: u8 = 0xC0;
pub(super) const INT8: u8 = 0;
pub(super) const INT16: u8 = 1;
pub(super) const INT32: u8 = 2;
pub(super) const LZF: u8 = 3;
pub(super) const LEN32: u8 = 0x80;
pub(super) const LEN64: u8 = 0x81;

/// The longest text of a 32-bit integer.
const INT_TEXT_MAX: usize = 11;
/// Redis compresses strings above this length only.
pub(super) const COMPRESS_ABOVE: usize = 20;

/// Appends a length.
pub fn length(out: &mut Vec<u8>, length: usize) {
    let [.., c, d, e, f] = (length as u64).to_be_bytes();
    match length {
        0..0x40 => out.push(f),
        0x40..0x4000 => out.extend_from_slice(&[0x40 | e, f]),
        0x4000..=0xFFFF_FFFF => out.extend_from_slice(&[LEN32, c, d, e, f]),
        _ => {
            out.push(LEN64);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Appends a string: as an integer where it is one of 32 bits, compressed where that pays and
/// `compress` allows it, else plain.
pub fn string(out: &mut Vec<u8>, value: &[u8], compress: bool) {
    if value.len() <= INT_TEXT_MAX
        && let Some(number) = parse_i64(value)
        && let Ok(number) = i32::try_from(number)
    {
        return integer(out, number);
    }
    if compress
        && value.len() > COMPRESS_ABOVE
        && let Some(packed) = lzf::compress(value)
    {
        out.push(SPECIAL | LZF);
        length(out, packed.len());
        length(out, value.len());
        out.extend_from_slice(&packed);
        return;
    }
    length(out, value.len());
    out.extend_from_slice(value);
}

/// Appends an element's text as [`string`] does. Doubles have none; see [`super::listpack::Writer`].
pub fn element(out: &mut Vec<u8>, element: Element<'_>, compress: bool) {
    match element {
        Element::Int(n) => match i32::try_from(n) {
            Ok(n) => integer(out, n),
            Err(_) => string(out, itoa::Buffer::new().format(n).as_bytes(), compress),
        },
        other => string(out, other.bytes(&mut itoa::Buffer::new()), compress),
    }
}

fn integer(out: &mut Vec<u8>, number: i32) {
    if let Ok(number) = i8::try_from(number) {
        out.push(SPECIAL | INT8);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(SPECIAL | INT16);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        out.push(SPECIAL | INT32);
        out.extend_from_slice(&number.to_le_bytes());
    }
}
