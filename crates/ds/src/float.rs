//! Doubles as text: what commands accept as a score or an increment, and the `%.17g` layout.
//!
//! Invariants:
//! - [`parse_double`] accepts exactly what C's `strtod` consumes whole, minus NaN, leading white
//!   space, and numbers whose rounding ended at infinity or (other than zero itself) at zero.
//! - Rounding is to nearest, ties to even, in decimal and in hexadecimal.
//! - The process's locale has no influence.
//!
//! The shortest layout of replies is not here; the `resp` crate has it.
//! Source: observed replies of Redis 7.0.15 and 8.2.3.

use crate::int;

/// Decimal digits that every integer below 2^53 has at most, so that one multiplication is exact.
const EXACT_DIGITS: usize = 15;

/// Reads a double that is all of `text`.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    if text.len() <= EXACT_DIGITS
        && let Some(integer) = int::parse_i64(text)
    {
        return Some(integer as f64);
    }
    let (negative, body) = match text {
        [b'-', body @ ..] => (true, body),
        [b'+', body @ ..] => (false, body),
        body => (false, body),
    };
    let magnitude = match body {
        [b'0', b'x' | b'X', hex @ ..] => parse_hex(hex)?,
        [b'0'..=b'9' | b'.', ..] => parse_decimal(body)?,
        _ if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") => {
            f64::INFINITY
        }
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_decimal(body: &[u8]) -> Option<f64> {
    // Rust reads the same decimal grammar as C once signs and words are out of the way.
    let value: f64 = std::str::from_utf8(body).ok()?.parse().ok()?;
    let underflowed = || {
        let mantissa = body.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
        mantissa.clone().any(|byte| matches!(byte, b'1'..=b'9'))
    };
    let out_of_range = value.is_infinite() || (value == 0.0 && underflowed());
    (!out_of_range).then_some(value)
}

/// Reads what follows `0x`: digits with at most one point, then perhaps `p` and a decimal exponent.
fn parse_hex(text: &[u8]) -> Option<f64> {
    let mantissa_end = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
    let (mantissa, exponent) = match mantissa_end {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (mut bits, mut scale, mut sticky) = (0u64, 0i64, false);
    let (mut digits, mut point) = (0usize, false);
    for &byte in mantissa {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        digits += 1;
        if bits >> 60 == 0 {
            bits = bits << 4 | u64::from(digit);
            scale -= if point { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            scale += if point { 0 } else { 4 };
        }
    }
    if digits == 0 {
        return None;
    }
    round_to_double(bits, scale.saturating_add(exponent), sticky)
}

/// Reads an exponent, clamped far outside of a double's range so that sums with it cannot overflow.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |value, &byte| {
        (value * 10 + i64::from(byte - b'0')).min(i64::MAX / 16)
    });
    Some(if negative { -value } else { value })
}

/// `bits * 2^scale`, where `sticky` says that a smaller part was cut off; `None` when out of range.
fn round_to_double(bits: u64, scale: i64, sticky: bool) -> Option<f64> {
    if bits == 0 {
        return Some(0.0);
    }
    let zeros = bits.leading_zeros();
    let bits = bits << zeros;
    let exponent = scale.saturating_add(63 - i64::from(zeros));
    if !(-1075..=1023).contains(&exponent) {
        return None;
    }
    // Below 2^-1022 each binary place costs one bit of precision.
    let lost = (-1022 - exponent).max(0);
    let shift = u32::try_from(11 + lost).ok()?;
    let wide = u128::from(bits) << 64 | u128::from(sticky);
    let kept = u64::try_from(wide.checked_shr(64 + shift).unwrap_or(0)).ok()?;
    let rest = wide << (64 - shift);
    let half = 1u128 << 127;
    let up = rest > half || (rest == half && kept & 1 == 1);
    // A carry out of the mantissa runs into the exponent field, which is the right answer.
    let field = if lost > 0 {
        0
    } else {
        u64::try_from(exponent + 1022).ok()? << 52
    };
    let value = f64::from_bits(field + kept + u64::from(up));
    (value.is_finite() && value != 0.0).then_some(value)
}

/// Appends `value` as C's `%.17g` does; enough digits to read the same double back.
pub fn write_g17(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
        return;
    }
    // d.dddddddddddddddde[-]x: seventeen digits and a decimal exponent, which %g then lays out
    // anew.
    let scientific = format!("{:.16e}", value.abs());
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("the layout has an exponent");
    let exponent: i32 = exponent
        .parse()
        .expect("the exponent is an integer of at most four bytes");
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let significant = digits
        .iter()
        .rposition(|&digit| digit != b'0')
        .map_or(1, |last| last + 1);

    if value.is_sign_negative() {
        out.push(b'-');
    }
    match usize::try_from(exponent) {
        Ok(whole) if whole < 17 => {
            out.extend_from_slice(&digits[..=whole]);
            write_fraction(out, digits.get(whole + 1..significant).unwrap_or(&[]));
        }
        Err(_) if exponent >= -4 => {
            out.extend_from_slice(b"0.");
            out.extend((exponent..-1).map(|_| b'0'));
            out.extend_from_slice(&digits[..significant]);
        }
        _ => {
            out.push(digits[0]);
            write_fraction(out, &digits[1..significant]);
            let sign = if exponent < 0 { '-' } else { '+' };
            out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
        }
    }
}

fn write_fraction(out: &mut Vec<u8>, digits: &[u8]) {
    if !digits.is_empty() {
        out.push(b'.');
        out.extend_from_slice(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Option<f64> {
        parse_double(text.as_bytes())
    }

    fn g17(value: f64) -> String {
        let mut out = Vec::new();
        write_g17(&mut out, value);
        String::from_utf8(out).expect("a number is ASCII")
    }

    #[test]
    fn accepted() {
        for (text, expected) in [
            ("0", 0.0),
            ("-12", -12.0),
            ("007", 7.0),
            ("+5", 5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e5", 1e5),
            ("1E+5", 1e5),
            ("5e-324", 5e-324),
            ("0e99999", 0.0),
            ("0.1", 0.1),
            (
                "123456789012345678901234567890",
                123456789012345678901234567890.0,
            ),
            ("1.7976931348623157e308", f64::MAX),
            ("inf", f64::INFINITY),
            ("+INF", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0x1p3", 8.0),
            ("0X1P-1074", 5e-324),
            ("0x1.8p-1075", 5e-324),
            ("0x.8", 0.5),
            ("0x1.", 1.0),
            ("-0x1.8", -1.5),
            ("0x1e5", 485.0),
            ("0x0p99999999999999999999", 0.0),
            ("0x1.fffffffffffff7p1023", f64::MAX),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000000000001p0", 1.0 + f64::EPSILON),
            ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
            ("0x0.fffffffffffffcp-1022", f64::MIN_POSITIVE),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert!(parse("-0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            " 5",
            "5 ",
            "\t5",
            "\u{b}5",
            "+-5",
            "--5",
            "1_0",
            "1d5",
            "5\0",
            "nan",
            "NaN",
            "-nan",
            "nan(1)",
            "infin",
            "infinityx",
            "1e400",
            "-1e400",
            "1e-400",
            "2e-324",
            "1.7976931348623159e308",
            "0x",
            "0x.",
            "0x.p1",
            "0x1p",
            "0x1p+",
            "0x1p1.",
            "0x1.1.",
            "0x-1",
            "0xg",
            "0x1p1024",
            "0x1p-1075",
            "0x1p-1080",
            "0x1.fffffffffffff8p1023",
            "0x1p99999999999999999999",
            "0x1p-99999999999999999999",
            "\u{e9}",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn seventeen_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.10000000000000001"),
            (100.0, "100"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e17, "1.5e+17"),
            (1.5e100, "1.4999999999999999e+100"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (140_737_488_355_328.0 + 0.125, "140737488355328.12"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(g17(value), expected);
        }
    }

    proptest! {
        #[test]
        fn seventeen_digits_parse_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                prop_assert_eq!(parse(&g17(value)).map(f64::to_bits), Some(bits));
            }
        }

        #[test]
        fn hex_of_a_double_parses_back(bits in any::<u64>(), shift in 0i64..200) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                let exponent = (bits >> 52 & 0x7ff) as i64;
                let mantissa = bits & ((1 << 52) - 1) | u64::from(exponent > 0) << 52;
                let sign = if value.is_sign_negative() { "-" } else { "" };
                let padding = "0".repeat(shift as usize);
                let power = exponent.max(1) - 1075 - 4 * shift;
                let text = format!("{sign}0x{mantissa:x}{padding}p{power}");
                prop_assert_eq!(parse(&text).map(f64::to_bits), Some(bits), "{}", text);
            }
        }

        #[test]
        fn any_bytes_are_safe(text in "[-+0-9a-fxpin.]{0,12}") {
            let _ = parse(&text);
        }
    }
}
