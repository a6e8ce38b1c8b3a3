//! Integers as text, by the strict rules under which Redis stores a string as a number.
//!
//! Invariants:
//! - What parses is exactly what [`write_i64`] would print: no `+`, no leading zeros, no white
//!   space, no `-0`; so text and number can replace each other.
//! - Input that is out of range is `None`, never wrapped or clamped.
//!
//! Source: observed replies of Redis 7.0.15 and 8.2.3.

/// Digits of `u64::MAX`.
const MAX_DIGITS: usize = 20;

/// Reads a decimal integer in its canonical form.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => match parse_u64(digits)? {
            0 => None,
            magnitude => 0i64.checked_sub_unsigned(magnitude),
        },
        digits => i64::try_from(parse_u64(digits)?).ok(),
    }
}

/// Reads an unsigned decimal integer in its canonical form.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    if first == b'0' {
        return rest.is_empty().then_some(0);
    }
    if text.len() > MAX_DIGITS {
        return None;
    }
    // Nineteen digits cannot overflow, so only a twentieth is checked.
    let (unchecked, last) = match text.split_at_checked(MAX_DIGITS - 1) {
        Some((head, tail)) => (head, tail.first()),
        None => (text, None),
    };
    let mut value = 0u64;
    for &byte in unchecked {
        value = value * 10 + u64::from(digit(byte)?);
    }
    match last {
        None => Some(value),
        Some(&byte) => value.checked_mul(10)?.checked_add(u64::from(digit(byte)?)),
    }
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(digit)
}

/// Reads an amount of memory as settings write it, in bytes: digits, then a unit in any case.
///
/// `b` or nothing is 1; `k`, `m`, `g` are powers of 1000; `kb`, `mb`, `gb` powers of 1024. No
/// digits mean zero, as in Redis. An unknown unit, a sign, a fraction, or an amount over `u64::MAX`
/// is `None` (Redis wraps or clamps the last).
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let amount = digits.iter().try_fold(0u64, |amount, &byte| {
        amount.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
    })?;
    amount.checked_mul(factor)
}

/// How many bytes [`write_i64`] appends for `value`.
#[inline]
pub fn i64_len(value: i64) -> usize {
    let digits = match value.unsigned_abs().checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    };
    digits + usize::from(value < 0)
}

/// Appends `value` in decimal.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_i64() -> impl Strategy<Value = i64> {
        (any::<i64>(), 0u32..64).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #[test]
        fn printed_integers_parse_back(value in any_i64()) {
            let mut text = Vec::new();
            write_i64(&mut text, value);
            prop_assert_eq!(&text, &value.to_string().into_bytes());
            prop_assert_eq!(i64_len(value), text.len());
            prop_assert_eq!(parse_i64(&text), Some(value));
            prop_assert_eq!(parse_u64(&text), u64::try_from(value).ok());
        }

        #[test]
        fn only_canonical_text_parses(text in "[-+0-9 ]{0,22}") {
            let signed = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), signed);
            let unsigned = text.parse::<u64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_u64(text.as_bytes()), unsigned);
        }
    }

    #[test]
    fn the_ends_of_the_ranges() {
        assert_eq!(parse_i64(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_i64(b"-9223372036854775809"), None);
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"99999999999999999999"), None);
        for text in [
            "", "-", "-0", "00", "01", "-01", "+1", " 1", "1 ", "1.0", "\u{0}", "1\u{0}",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn memory_units() {
        for (text, expected) in [
            ("", Some(0)),
            ("kb", Some(0)),
            ("1000", Some(1000)),
            ("007", Some(7)),
            ("10B", Some(10)),
            ("1k", Some(1000)),
            ("1Kb", Some(1024)),
            ("2m", Some(2_000_000)),
            ("100MB", Some(100 << 20)),
            ("3g", Some(3_000_000_000)),
            ("1gb", Some(1 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("20000000000gb", None),
            ("1tb", None),
            ("1 k", None),
            ("-1", None),
            ("+1", None),
            ("1.5gb", None),
        ] {
            assert_eq!(parse_memory(text.as_bytes()), expected, "{text:?}");
        }
    }
}
