//! Decimal integers as the protocol and the commands spell them.
//!
//! Invariant: exactly one text is accepted per value, so what parses can be printed back byte for byte.
//! Hence no sign but `-`, no leading zero, no `-0`, no blanks (Redis refuses `*01`, `*+1`, `$-0` alike).

/// Reads a whole slice as a decimal `i64` in its canonical spelling; `None` for everything else.
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        b"0" => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if !matches!(digits.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let mut value = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative {
        0i64.checked_sub_unsigned(value)
    } else {
        i64::try_from(value).ok()
    }
}

/// Reads one to three canonical digits and a CRLF: nearly every count and length in practice.
///
/// Returns the value and the bytes used, line end included; `None` sends the caller to its general path.
#[inline]
pub(crate) fn short_line(text: &[u8]) -> Option<(usize, usize)> {
    const END: u64 = u16::from_le_bytes(*b"\r\n") as u64;
    let Some(head) = text.first_chunk() else {
        return shorter_line(text);
    };
    // Up to five bytes are looked at as one number.
    let word = u64::from_le_bytes(*head);
    let digit = |at: u32| (word >> (8 * at) & 0xFF).wrapping_sub(u64::from(b'0'));
    let ends = |at: u32| word >> (8 * at) & 0xFFFF == END;
    let first = digit(0);
    if first > 9 {
        return None;
    }
    let (number, used) = if ends(1) {
        (first, 3)
    } else if ends(2) && first > 0 && digit(1) <= 9 {
        (first * 10 + digit(1), 4)
    } else if ends(3) && first > 0 && digit(1) <= 9 && digit(2) <= 9 {
        (first * 100 + digit(1) * 10 + digit(2), 5)
    } else {
        return None;
    };
    // Lossless: at most `SHORT_MAX`.
    Some((number as usize, used))
}

/// As [`short_line`], of fewer than eight bytes.
#[cold]
fn shorter_line(text: &[u8]) -> Option<(usize, usize)> {
    match *text {
        [a @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(a), 3)),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(a) * 10 + digit(b), 4)),
        [
            a @ b'1'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            b'\r',
            b'\n',
            ..,
        ] => Some((digit(a) * 100 + digit(b) * 10 + digit(c), 5)),
        _ => None,
    }
}

/// Digits that [`short_line`] takes at most, and the largest number of so many.
pub(crate) const SHORT_DIGITS: usize = 3;
pub(crate) const SHORT_MAX: usize = 999;

#[inline]
fn digit(byte: u8) -> usize {
    usize::from(byte.wrapping_sub(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_spellings_only() {
        for value in [0, 1, -1, 10, 99, 100, i64::MAX, i64::MIN] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "00",
            " 1",
            "1 ",
            "1x",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn short_lines() {
        assert_eq!(short_line(b"3\r\n$"), Some((3, 3)));
        assert_eq!(short_line(b"42\r\n"), Some((42, 4)));
        assert_eq!(short_line(b"987\r\n"), Some((987, 5)));
        for text in [
            &b"03\r\n"[..],
            b"3\r",
            b"3\rx",
            b"1000\r\n",
            b"012\r\n",
            b"",
            b"-1\r\n",
        ] {
            assert_eq!(short_line(text), None);
            // Also where more follows.
            let line = [text, b"12345678"].concat();
            assert_eq!(short_line(&line), None, "{text:?}");
        }
        for number in 0..1000usize {
            let line = format!("{number}\r\n");
            let taken = Some((number, line.len()));
            assert_eq!(short_line(line.as_bytes()), taken);
            assert_eq!(short_line((line + "payload").as_bytes()), taken);
        }
    }
}
