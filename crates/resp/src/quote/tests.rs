use proptest::prelude::*;

use super::*;

fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    split_args(line).ok()
}

/// Lines sent to Redis 7.0.15 as inline requests, and the arguments that it saw.
#[test]
fn splits_as_redis_does() {
    let table: &[(&[u8], &[&[u8]])] = &[
        (b"", &[]),
        (b" \t\x0b\x0c\r", &[]),
        (b"echo a", &[b"echo", b"a"]),
        (b"  echo\ta  ", &[b"echo", b"a"]),
        (b"\x0b echo a", &[b"echo", b"a"]),
        (b"echo a\rb", &[b"echo", b"a", b"b"]),
        (b"echo a\x0bb", &[b"echo", b"a\x0bb"]),
        (b"echo\x0ca", &[b"echo\x0ca"]),
        (b"echo a\x85b", &[b"echo", b"a\x85b"]),
        (
            br#"echo "a\x41\n\t\b\a\r\q\"b""#,
            &[b"echo", b"aA\n\t\x08\x07\rq\"b"],
        ),
        (br"echo 'a\'b\n'", &[b"echo", br"a'b\n"]),
        (br#"echo "\x4""#, &[b"echo", b"x4"]),
        (br#"echo "\xzz""#, &[b"echo", b"xzz"]),
        (br#"echo "\xFf""#, &[b"echo", b"\xff"]),
        (br#"echo "" ''"#, &[b"echo", b"", b""]),
        (br#"echo a"b c""#, &[b"echo", b"ab c"]),
        (b"echo \"a\"\x0b", &[b"echo", b"a"]),
        (br"echo a\nb", &[b"echo", br"a\nb"]),
    ];
    for (line, args) in table {
        let got = split(line);
        let want = args.iter().map(|arg| arg.to_vec()).collect();
        assert_eq!(got, Some(want), "{}", line.escape_ascii());
    }
}

#[test]
fn unbalanced_quotes() {
    let table: [&[u8]; 11] = [
        br#"echo "a"#,
        br"echo 'a",
        br#"echo "a"b"#,
        br"echo 'a'b",
        br#"echo "a\"#,
        br#"echo "a" "b"#,
        br#"echo a""#,
        br"echo a'b",
        br#"echo "b"'c'"#,
        b"\"",
        br#"echo "\"#,
    ];
    for line in table {
        assert_eq!(split(line), None, "{}", line.escape_ascii());
    }
}

#[test]
fn quotes_as_redis_does() {
    let mut out = Vec::new();
    quote_arg(&mut out, b"a \"b\"\\\n\r\t\x07\x08\x00\x7f\xff~");
    assert_eq!(out, br#""a \"b\"\\\n\r\t\a\b\x00\x7f\xff~""#);
}

proptest! {
    #[test]
    fn quoted_args_split_back(args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6)) {
        let mut line = Vec::new();
        for arg in &args {
            line.push(b' ');
            quote_arg(&mut line, arg);
        }
        prop_assert_eq!(split(&line), Some(args));
    }

    #[test]
    fn any_line_is_safe(line in proptest::collection::vec(proptest::sample::select(b"\"'\\x4 a\n\0\xff".to_vec()), 0..40)) {
        if let Ok(args) = split_args(&line) {
            prop_assert!(args.iter().map(Vec::len).sum::<usize>() <= line.len());
        }
    }
}
