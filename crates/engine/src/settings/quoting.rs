//! Words of a configuration line: splitting and quoting.
//!
//! The rules are those of inline requests, so the work is `ochre_resp`'s; the tests here pin that
//! both follow the rules that Redis documents for its configuration file.

pub(super) use ochre_resp::split_args as split;

/// Appends `bytes` to `out` in double quotes, escaped so that the result is printable ASCII.
pub(super) fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    ochre_resp::quote_arg(out, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_resp::UnbalancedQuotes as Unbalanced;

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
