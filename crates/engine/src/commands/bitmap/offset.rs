//! Bit offsets and ranges, as all bitmap commands take them.
//!
//! Invariant: an offset lies within `proto-max-bulk-len` bytes, so a string grown to hold it does
//! too, up to the eight bytes that a field at the last offset reaches beyond.

use crate::error::CommandError;
use ochre_ds::int::parse_i64;

/// A bit offset; with `width` also as `#n`, the n-th field of that many bits.
///
/// # Errors
/// When it is no number, negative, or not below `bulk_max` bytes.
pub(super) fn bit_offset(
    arg: &[u8],
    width: Option<u32>,
    bulk_max: usize,
) -> Result<u64, CommandError> {
    let (digits, factor) = match (width, arg) {
        (Some(width), [b'#', digits @ ..]) => (digits, u64::from(width)),
        _ => (arg, 1),
    };
    parse_i64(digits)
        .and_then(|n| u64::try_from(n).ok()?.checked_mul(factor))
        .filter(|offset| offset >> 3 < bulk_max as u64)
        .ok_or(CommandError::BIT_OFFSET)
}

/// What the ends of a range count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Byte,
    Bit,
}

impl Unit {
    /// # Errors
    /// For any other word than BYTE and BIT.
    pub(super) fn parse(arg: &[u8]) -> Result<Unit, CommandError> {
        if arg.eq_ignore_ascii_case(b"bit") {
            Ok(Unit::Bit)
        } else if arg.eq_ignore_ascii_case(b"byte") {
            Ok(Unit::Byte)
        } else {
            Err(CommandError::SYNTAX)
        }
    }
}

/// A range with both ends included, negative ones counting from the end of the string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Range {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) unit: Unit,
}

impl Range {
    pub(super) const ALL: Range = Range {
        start: 0,
        end: -1,
        unit: Unit::Byte,
    };

    /// The first bit and the one after the last in a string of `len` bytes, `None` if there is none.
    pub(super) fn bits(self, len: usize) -> Option<(u64, u64)> {
        let bits_each = match self.unit {
            Unit::Byte => 8,
            Unit::Bit => 1,
        };
        let total = i64::try_from(len).ok()?.checked_mul(8)? / bits_each;
        let place = |n: i64| if n < 0 { (n + total).max(0) } else { n };
        let (start, end) = (place(self.start), place(self.end).min(total - 1));
        if start > end {
            return None;
        }
        // Neither is negative, and both are at most `total` units.
        let bit = |n: i64| u64::try_from(n * bits_each).ok();
        Some((bit(start)?, bit(end + 1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        for (arg, width, expected) in [
            ("0", None, Some(0)),
            ("79", None, Some(79)),
            ("80", None, None),
            ("-1", None, None),
            ("#1", None, None),
            ("#1", Some(8), Some(8)),
            ("#9", Some(8), Some(72)),
            ("#10", Some(8), None),
            ("#-1", Some(8), None),
            ("#", Some(8), None),
            ("##1", Some(8), None),
            ("#9223372036854775807", Some(63), None),
            ("", Some(8), None),
            ("01", Some(8), None),
        ] {
            assert_eq!(
                bit_offset(arg.as_bytes(), width, 10).ok(),
                expected,
                "{arg}"
            );
        }
    }

    #[test]
    fn ranges() {
        let bits = |start, end, unit, len| Range { start, end, unit }.bits(len);
        assert_eq!(bits(0, -1, Unit::Byte, 3), Some((0, 24)));
        assert_eq!(bits(-2, -1, Unit::Byte, 3), Some((8, 24)));
        assert_eq!(bits(i64::MIN, i64::MAX, Unit::Byte, 3), Some((0, 24)));
        assert_eq!(bits(i64::MIN, i64::MIN, Unit::Bit, 3), Some((0, 1)));
        assert_eq!(bits(i64::MAX, i64::MAX, Unit::Byte, 3), None);
        assert_eq!(bits(5, -7, Unit::Bit, 3), Some((5, 18)));
        assert_eq!(bits(0, -1, Unit::Byte, 0), None);
        assert_eq!(bits(2, 1, Unit::Byte, 3), None);
    }
}
