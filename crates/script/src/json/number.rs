//! The longest prefix that C's `strtod` reads as a number.

/// The number and its length; `None` where there is none.
pub(super) fn prefix(text: &[u8]) -> Option<(f64, usize)> {
    let (negative, rest) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (value, len) = word(rest)
        .or_else(|| hexadecimal(rest))
        .or_else(|| decimal(rest))?;
    let value = if negative { -value } else { value };
    Some((value, len + text.len() - rest.len()))
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn word(text: &[u8]) -> Option<(f64, usize)> {
    if starts_with(text, b"infinity") {
        return Some((f64::INFINITY, 8));
    }
    if starts_with(text, b"inf") {
        return Some((f64::INFINITY, 3));
    }
    if !starts_with(text, b"nan") {
        return None;
    }
    // A sequence in parentheses belongs to it.
    let rest = &text[3..];
    let inner = rest.strip_prefix(b"(").unwrap_or_default();
    let end = inner
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
    let closed = end.filter(|end| inner.get(*end) == Some(&b')'));
    Some((f64::NAN, 3 + closed.map_or(0, |end| end + 2)))
}

fn digits(text: &[u8], is: fn(&u8) -> bool) -> usize {
    text.iter().position(|byte| !is(byte)).unwrap_or(text.len())
}

/// Length of an exponent: its letter, a sign and digits.
fn exponent(text: &[u8], letter: u8) -> usize {
    if text
        .first()
        .is_none_or(|byte| !byte.eq_ignore_ascii_case(&letter))
    {
        return 0;
    }
    let sign = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    match digits(text.get(1 + sign..).unwrap_or_default(), u8::is_ascii_digit) {
        0 => 0,
        n => 1 + sign + n,
    }
}

fn decimal(text: &[u8]) -> Option<(f64, usize)> {
    let whole = digits(text, u8::is_ascii_digit);
    let mut len = whole;
    let mut fraction = 0;
    if text.get(len) == Some(&b'.') {
        fraction = digits(&text[len + 1..], u8::is_ascii_digit);
        len += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    len += exponent(&text[len..], b'e');
    let number = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((number, len))
}

fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    if !starts_with(text, b"0x") {
        return None;
    }
    let body = &text[2..];
    let whole = digits(body, u8::is_ascii_hexdigit);
    let mut len = whole;
    let mut fraction: &[u8] = &[];
    if body.get(len) == Some(&b'.') {
        let n = digits(&body[len + 1..], u8::is_ascii_hexdigit);
        fraction = &body[len + 1..len + 1 + n];
        len += 1 + n;
    }
    if whole + fraction.len() == 0 {
        // Only the zero is a number.
        return Some((0.0, 1));
    }
    let value = |digit: &u8| u64::from(char::from(*digit).to_digit(16).unwrap_or(0));
    let (mut mantissa, mut shift) = (0u64, 0i32);
    for (at, digit) in body[..whole].iter().chain(fraction).enumerate() {
        if mantissa >> 59 == 0 {
            mantissa = mantissa << 4 | value(digit);
            shift -= if at >= whole { 4 } else { 0 };
        } else {
            // What no longer fits only tells which way to round.
            mantissa |= u64::from(value(digit) != 0);
            shift += if at < whole { 4 } else { 0 };
        }
    }
    let power = exponent(&body[len..], b'p');
    if power > 0 {
        let text = std::str::from_utf8(&body[len + 1..len + power]).ok()?;
        let given = text.parse::<i32>().unwrap_or(if text.starts_with('-') {
            -10_000
        } else {
            10_000
        });
        shift = shift.saturating_add(given.clamp(-10_000, 10_000));
        len += power;
    }
    #[allow(clippy::cast_precision_loss)] // rounds as it should
    let number = (mantissa as f64) * 2f64.powi(shift.clamp(-2000, 2000));
    Some((number, len + 2))
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn takes_what_strtod_takes() {
        for (text, number, len) in [
            ("12", 12.0, 2),
            ("-1.5e3x", -1500.0, 6),
            ("1e", 1.0, 1),
            ("1.", 1.0, 2),
            ("0x10", 16.0, 4),
            ("0xg", 0.0, 1),
            ("0x.8p1", 1.0, 6),
            ("-inf", f64::NEG_INFINITY, 4),
            ("Infinityx", f64::INFINITY, 8),
            ("1e999", f64::INFINITY, 5),
        ] {
            assert_eq!(prefix(text.as_bytes()), Some((number, len)), "{text}");
        }
        assert_eq!(prefix(b"nan(12)!").map(|(_, len)| len), Some(7));
        assert_eq!(prefix(b"-"), None);
        assert_eq!(prefix(b"."), None);
    }
}
