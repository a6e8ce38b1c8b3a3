//! Values in Redis's RDB form: what DUMP answers and RESTORE takes, and the parts that RDB files are made of.
//!
//! A payload is a type byte, the value, the format's version in two bytes and a CRC-64 of all before
//! it in eight, both low byte first.
//!
//! [`value`] writes values and [`load`](mod@load) builds them; [`collection`] knows the layouts of collections, [`listpack`],
//! [`ziplist`], [`zipmap`] and [`intset`] what they are packed in; [`write`](mod@write) and [`read`] do lengths and strings;
//! [`digest`] sums data sets up.
//!
//! Invariants
//! - What is written is, byte for byte, what Redis 7.0.15 writes for the same value and settings.
//! - A payload is hostile until read: nothing is allocated beyond what its own length justifies.
//! - A value never reaches into the footer; Redis reads on into it, so it takes some forged payloads
//!   that are refused here. Bytes between value and footer are ignored, as Redis does.
//!
//! Source: the published description of the RDB format; DUMP replies of Redis 7.0.15 and 8.2.3.

pub mod collection;
pub mod digest;
pub mod intset;
pub mod listpack;
pub mod load;
pub mod read;
pub mod value;
pub mod write;
pub mod ziplist;
pub mod zipmap;

#[cfg(test)]
mod tests;

use crate::keyspace::{Str, Value};
use ochre_ds::crc::crc64;

pub use load::{Conditions, LoadError, Restored, load};

/// The version that payloads are written with: that of Redis 7.0, which newer ones load too.
pub const VERSION: u16 = 10;

/// The newest version that payloads are accepted with: that of Redis 8.2.
pub const VERSION_MAX: u16 = 12;

/// The type byte of a string.
pub const TYPE_STRING: u8 = 0;

/// Bytes of version and checksum.
const FOOTER: usize = 10;

/// The payload of a value; `compress` is the setting `rdbcompression`.
pub fn dump(value: Value<'_>, compress: bool) -> Vec<u8> {
    /// The longest header: type, encoding, two lengths.
    const HEADER_MAX: usize = 20;
    let mut out = Vec::new();
    if let Value::String(text) = value
        && (text.len() <= write::COMPRESS_ABOVE || !compress)
    {
        out.reserve_exact(HEADER_MAX + text.len() + FOOTER);
    }
    value::write_value(&mut out, value, compress);
    seal(&mut out);
    out
}

/// The payload of a string value; `compress` is the setting `rdbcompression`.
pub fn dump_string(value: &[u8], compress: bool) -> Vec<u8> {
    dump(Value::String(Str::Inline(value)), compress)
}

/// Appends the footer to a payload's body: version and checksum.
pub fn seal(body: &mut Vec<u8>) {
    body.extend_from_slice(&VERSION.to_le_bytes());
    let crc = crc64(0, body);
    body.extend_from_slice(&crc.to_le_bytes());
}

/// The part of a payload before its footer, `None` if version or checksum are wrong.
pub fn verified(payload: &[u8]) -> Option<&[u8]> {
    let (summed, crc) = payload.split_last_chunk::<8>()?;
    let (body, version) = summed.split_last_chunk::<2>()?;
    let accepted = u16::from_le_bytes(*version) <= VERSION_MAX;
    (accepted && crc64(0, summed) == u64::from_le_bytes(*crc)).then_some(body)
}
