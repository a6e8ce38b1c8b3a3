//! Numbers as C's `%.{n}g` prints them: what Lua and its libraries show.

/// Appends `value` with `precision` significant digits, trailing zeros removed, as `%.{precision}g` does.
pub fn general(out: &mut Vec<u8>, value: f64, precision: usize) {
    if value.is_nan() {
        // compat: the C library prints the sign of a NaN; x86 makes negative ones.
        let text: &[u8] = if value.is_sign_negative() {
            b"-nan"
        } else {
            b"nan"
        };
        return out.extend_from_slice(text);
    }
    if value.is_infinite() {
        let text: &[u8] = if value > 0.0 { b"inf" } else { b"-inf" };
        return out.extend_from_slice(text);
    }
    #[allow(clippy::cast_possible_truncation)] // guarded by the comparison
    if value.abs() < 1e9
        && value.trunc() == value
        && (value != 0.0 || value.is_sign_positive())
        && precision >= 9
    {
        // Most numbers of scripts are small integers.
        let mut digits = [0u8; 12];
        let mut at = digits.len();
        let mut rest = (value as i64).unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0.0 {
            out.push(b'-');
        }
        return out.extend_from_slice(&digits[at..]);
    }
    let precision = precision.max(1);
    let text = format!("{value:.*e}", precision - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let digits: Vec<u8> = mantissa.bytes().filter(|byte| *byte != b'.').collect();
    let kept = digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(1, |last| last + 1);
    let digits = &digits[..kept];
    out.extend_from_slice(sign.as_bytes());
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    if exponent < -4 || exponent >= i32::try_from(precision).unwrap_or(i32::MAX) {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(
            b'0',
            usize::try_from(-exponent - 1).unwrap_or(0),
        ));
        out.extend_from_slice(digits);
    } else if digits.len() <= whole {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::general;

    fn shown(value: f64, precision: usize) -> String {
        let mut out = Vec::new();
        general(&mut out, value, precision);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn prints_like_the_c_library() {
        for (value, precision, text) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (3.0, 14, "3"),
            (-17.0, 14, "-17"),
            (0.1, 14, "0.1"),
            (0.1, 17, "0.10000000000000001"),
            (1e14, 14, "1e+14"),
            (123_456_789_012_345.0, 14, "1.2345678901234e+14"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (1e-4, 14, "0.0001"),
            (1.5e-5, 14, "1.5e-05"),
            (1e300, 14, "1e+300"),
            (2.5, 1, "2"),
            (123_456.0, 3, "1.23e+05"),
            (100.0, 3, "100"),
            (f64::INFINITY, 14, "inf"),
            (f64::NAN, 14, "nan"),
        ] {
            assert_eq!(shown(value, precision), text);
        }
    }
}
