//! Words of a configuration line: splitting and quoting.
//!
//! Invariants:
//! - `split` undoes `quote` for every byte string.
//! - Both are linear in their input and never fail on odd bytes; the only error is an open quote,
//!   or a closing quote that something other than a space follows.
//!
//! Does not know about settings or lines. Source: the rules that Redis documents for its
//! configuration file (double quotes with escapes, single quotes with `\'` only).

/// The quotes of a line do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Splits `line` into its words.
pub(super) fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        // compat: the vertical tab separates words in C's isspace, but not in trim_ascii.
        while let [0x0b, tail @ ..] = rest {
            rest = tail.trim_ascii_start();
        }
        if rest.is_empty() {
            return Ok(words);
        }
        let (word, tail) = take_word(rest)?;
        words.push(word);
        rest = tail;
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn take_word(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), Unbalanced> {
    let mut word = Vec::new();
    loop {
        match rest {
            [] => return Ok((word, rest)),
            [b'"', tail @ ..] => return finish(word, take_double(tail)?),
            [b'\'', tail @ ..] => return finish(word, take_single(tail)?),
            [byte, tail @ ..] => {
                if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                    return Ok((word, rest));
                }
                word.push(*byte);
                rest = tail;
            }
        }
    }
}

type Quoted<'a> = (Vec<u8>, &'a [u8]);

/// A closing quote ends the word, so a space or the end of the line has to follow it.
fn finish<'a>(mut word: Vec<u8>, (quoted, tail): Quoted<'a>) -> Result<Quoted<'a>, Unbalanced> {
    if tail.first().is_some_and(|byte| !is_space(*byte)) {
        return Err(Unbalanced);
    }
    word.extend_from_slice(&quoted);
    Ok((word, tail))
}

fn take_double(mut rest: &[u8]) -> Result<Quoted<'_>, Unbalanced> {
    let mut out = Vec::new();
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'"', tail @ ..] => return Ok((out, tail)),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex(*high) * 16 + hex(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
}

fn take_single(mut rest: &[u8]) -> Result<Quoted<'_>, Unbalanced> {
    let mut out = Vec::new();
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'\'', tail @ ..] => return Ok((out, tail)),
            [b'\\', b'\'', tail @ ..] => {
                out.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Appends `bytes` to `out` in double quotes, escaped so that the result is printable ASCII.
pub(super) fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(*byte),
            other => {
                let (high, low) = (usize::from(other >> 4), usize::from(other & 15));
                out.extend_from_slice(&[b'\\', b'x', HEX[high], HEX[low]]);
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_split_as_in_redis() {
        let cases: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b"  a  b\tc ", &[b"a", b"b", b"c"]),
            (b"save \"\"", &[b"save", b""]),
            (
                b"a \"b \\\"c\\x41\\n\" 'd \\' e\\n'",
                &[b"a", b"b \"cA\n", b"d ' e\\n"],
            ),
            (b"a\"b c\" d", &[b"ab c", b"d"]),
        ];
        for (line, words) in cases {
            let split = split(line).unwrap();
            assert_eq!(
                split,
                words.iter().map(|word| word.to_vec()).collect::<Vec<_>>()
            );
        }
        for open in [&b"\"a"[..], b"'a", b"\"a\"b", b"'a'b", b"a \""] {
            assert_eq!(split(open), Err(Unbalanced));
        }
    }

    #[test]
    fn splitting_undoes_quoting() {
        let all: Vec<u8> = (0..=255).collect();
        let mut line = Vec::new();
        quote(&all, &mut line);
        assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
        assert_eq!(split(&line).unwrap(), vec![all]);
    }
}
