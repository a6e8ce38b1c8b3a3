//! The few byte shapes that everything sent is made of.
//!
//! Cost: a header of up to two digits is one append of a few bytes; most replies have no longer one.

/// Which dialect a connection speaks; `HELLO` changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Redis up to 5 and every new connection.
    #[default]
    Resp2,
    /// Maps, sets, doubles, booleans, pushes and attributes have types of their own.
    Resp3,
}

impl Protocol {
    /// The number that `HELLO` takes and answers.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

const LINE_END: u16 = u16::from_le_bytes(*b"\r\n");

/// Room for the longest header and the line end after a payload, so that one reservation serves all.
pub(crate) const FRAMING_MAX: usize = 32;

/// Longer copies are made in pieces of this size. From 2112 bytes on, the C library copies by one string instruction on
/// processors that call it fast, and some of AMD's do it a byte at a time when the target lies a few bytes further in its
/// page than the source in its own: just where a reply of a page lies, behind its header (27 times the time of the pieces).
const COPIED_AT_ONCE: usize = 2048;

/// Appends a request in its wire form, an array of bulk strings.
pub fn write_request<'a, I>(out: &mut Vec<u8>, args: I)
where
    I: IntoIterator<Item = &'a [u8]>,
    I::IntoIter: ExactSizeIterator,
{
    let args = args.into_iter();
    header(out, b'*', args.len());
    for arg in args {
        bulk(out, arg);
    }
}

/// `<tag><n>CRLF`.
#[inline]
pub(crate) fn header(out: &mut Vec<u8>, tag: u8, n: usize) {
    match u8::try_from(n) {
        Ok(n @ 0..=9) => out.extend_from_slice(&[tag, b'0' + n, b'\r', b'\n']),
        Ok(n @ 10..=99) => {
            out.extend_from_slice(&[tag, b'0' + n / 10, b'0' + n % 10, b'\r', b'\n'])
        }
        _ => number(out, tag, n),
    }
}

/// `<tag><n>CRLF` for any integer type.
pub(crate) fn number(out: &mut Vec<u8>, tag: u8, n: impl itoa::Integer) {
    line(out, tag, itoa::Buffer::new().format(n).as_bytes());
}

/// `<tag><text>CRLF`; the caller vouches for `text` having no line end.
#[inline]
pub(crate) fn line(out: &mut Vec<u8>, tag: u8, text: &[u8]) {
    if let Some(word) = short_word(text) {
        return append_short(out, [tag], text.len(), word);
    }
    out.reserve(text.len() + 3);
    out.push(tag);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// [`line`] with CR and LF in `text` replaced by spaces, so that no text can forge a reply.
pub(crate) fn clean_line(out: &mut Vec<u8>, tag: u8, text: &[u8]) {
    out.reserve(text.len() + 3);
    out.push(tag);
    let start = out.len();
    out.extend_from_slice(text);
    if memchr::memchr2(b'\r', b'\n', text).is_some() {
        for byte in &mut out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// `$<len>CRLF<data>CRLF`.
#[inline]
pub(crate) fn bulk(out: &mut Vec<u8>, data: &[u8]) {
    tagged_bulk(out, b'$', data);
}

/// [`bulk`] under another type byte.
#[inline]
pub(crate) fn tagged_bulk(out: &mut Vec<u8>, tag: u8, data: &[u8]) {
    match short_word(data) {
        Some(word) => {
            // Lossless: below ten.
            let header = [tag, b'0' + data.len() as u8, b'\r', b'\n'];
            append_short(out, header, data.len(), word);
        }
        None => long_bulk(out, tag, data),
    }
}

/// Up to eight bytes as a number, the first one lowest.
#[inline]
fn short_word(data: &[u8]) -> Option<u64> {
    let halves = |head: &[u8; 4], tail: &[u8; 4]| {
        let behind = 8 * (data.len() - 4);
        u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << behind
    };
    match data {
        [] => Some(0),
        [a] => Some(u64::from(*a)),
        [a, b] => Some(u64::from(u16::from_le_bytes([*a, *b]))),
        [a, b, c] => Some(u64::from(u32::from_le_bytes([*a, *b, *c, 0]))),
        // The two overlap, and agree where they do.
        _ if data.len() <= 8 => Some(halves(data.first_chunk()?, data.last_chunk()?)),
        _ => None,
    }
}

/// A head of up to four bytes, `len` bytes of text given as [`short_word`] does, and the line end: an append of a fixed
/// size, of which the end is dropped.
#[inline]
fn append_short<const HEAD: usize>(out: &mut Vec<u8>, head: [u8; HEAD], len: usize, word: u64) {
    let first = head
        .iter()
        .rev()
        .fold(0, |head, byte| head << 8 | u128::from(*byte));
    let end = u128::from(LINE_END) << (8 * (HEAD + len));
    let frame = first | u128::from(word) << (8 * HEAD) | end;
    let whole = out.len() + HEAD + len + 2;
    out.extend_from_slice(&frame.to_le_bytes());
    out.truncate(whole);
}

#[inline(never)] // keeps the usual way of short elements small
fn long_bulk(out: &mut Vec<u8>, tag: u8, data: &[u8]) {
    out.reserve(data.len() + FRAMING_MAX);
    header(out, tag, data.len());
    for piece in data.chunks(COPIED_AT_ONCE) {
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b"\r\n");
}

/// `null` in the words of `protocol`.
pub(crate) fn null(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"$-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// A null where an array was asked for, which RESP2 spells differently.
pub(crate) fn null_array(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"*-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// A double, or its text as a bulk string.
pub(crate) fn double(out: &mut Vec<u8>, protocol: Protocol, value: f64) {
    if protocol == Protocol::Resp3 {
        out.push(b',');
        crate::write_double(out, value);
    } else {
        let start = out.len();
        crate::write_double(out, value);
        let end = out.len();
        header(out, b'$', end - start);
        // The header needs the length first; moving some 20 bytes is cheaper than a buffer on the side.
        let header_len = out.len() - end;
        out[start..].rotate_right(header_len);
    }
    out.extend_from_slice(b"\r\n");
}

/// A boolean, or 1 and 0.
pub(crate) fn boolean(out: &mut Vec<u8>, protocol: Protocol, value: bool) {
    out.extend_from_slice(match (protocol, value) {
        (Protocol::Resp2, false) => b":0\r\n",
        (Protocol::Resp2, true) => b":1\r\n",
        (Protocol::Resp3, false) => b"#f\r\n",
        (Protocol::Resp3, true) => b"#t\r\n",
    });
}

/// A number of any size, or its digits as a bulk string.
pub(crate) fn big_number(out: &mut Vec<u8>, protocol: Protocol, digits: &str) {
    match protocol {
        Protocol::Resp2 => bulk(out, digits.as_bytes()),
        Protocol::Resp3 => clean_line(out, b'(', digits.as_bytes()),
    }
}

/// A text with a three-letter format, or the text alone as a bulk string.
pub(crate) fn verbatim(out: &mut Vec<u8>, protocol: Protocol, format: [u8; 3], text: &[u8]) {
    if protocol == Protocol::Resp2 {
        return bulk(out, text);
    }
    out.reserve(text.len() + FRAMING_MAX);
    header(out, b'=', text.len() + format.len() + 1);
    out.extend_from_slice(&format);
    out.push(b':');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_whole_whatever_pieces_they_are_copied_in() {
        let text: Vec<u8> = (0..3 * COPIED_AT_ONCE + 1).map(|i| i as u8).collect();
        for len in [
            COPIED_AT_ONCE - 1,
            COPIED_AT_ONCE,
            COPIED_AT_ONCE + 1,
            text.len(),
        ] {
            let mut out = b"before".to_vec();
            bulk(&mut out, &text[..len]);
            let frame = format!("before${len}\r\n").into_bytes();
            assert_eq!(out, [&frame, &text[..len], b"\r\n"].concat(), "{len}");
        }
    }

    #[test]
    fn short_texts_are_framed_as_long_ones() {
        let text = b"a\0\xFF\r\n$:0123456789";
        for len in 0..=text.len() {
            for behind in [0, 1, 40] {
                let before = vec![b'#'; 3];
                let mut out = Vec::with_capacity(3 + behind);
                out.extend_from_slice(&before);
                let mut wanted = before.clone();
                bulk(&mut out, &text[..len]);
                wanted.extend_from_slice(format!("${len}\r\n").as_bytes());
                wanted.extend_from_slice(&text[..len]);
                wanted.extend_from_slice(b"\r\n");
                line(&mut out, b'+', &text[..len]);
                wanted.push(b'+');
                wanted.extend_from_slice(&text[..len]);
                wanted.extend_from_slice(b"\r\n");
                assert_eq!(out, wanted, "{len}");
            }
        }
    }
}
