use super::*;
use proptest::prelude::*;

/// Replies of a stream in pieces: `None` for a value, the text for an error.
fn scan(pieces: &[&[u8]]) -> Result<Vec<Option<String>>, Malformed> {
    let mut scanner = Scanner::default();
    let mut replies = Vec::new();
    for piece in pieces {
        scanner.feed(piece, |reply| {
            replies.push(match reply {
                Reply::Value => None,
                Reply::Error(text) => Some(String::from_utf8_lossy(text).into_owned()),
            });
        })?;
    }
    Ok(replies)
}

const STREAMS: &[(&str, usize, usize)] = &[
    ("+OK\r\n", 1, 0),
    ("$3\r\nVXK\r\n$-1\r\n$0\r\n\r\n", 3, 0),
    ("-ERR no\r\n:1\r\n", 2, 1),
    ("!7\r\nERR bad\r\n+x\r\n", 2, 1),
    ("*2\r\n$1\r\na\r\n*3\r\n:1\r\n-inner\r\n_\r\n+OK\r\n", 2, 0),
    ("*0\r\n*-1\r\n%0\r\n~0\r\n", 4, 0),
    (
        "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n#t\r\n,1.5\r\n(12345678901234567890\r\n",
        3,
        0,
    ),
    (">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nv\r\n", 1, 0),
    ("|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n", 1, 0),
    ("*1\r\n|1\r\n+a\r\n+b\r\n:7\r\n:8\r\n", 2, 0),
    ("*2\r\n:1\r\n-last\r\n*1\r\n!3\r\nERR\r\n+OK\r\n", 3, 0),
    ("|1\r\n+a\r\n*1\r\n:1\r\n-ERR x\r\n+OK\r\n", 2, 1),
    (
        "*2\r\n|1\r\n+a\r\n+b\r\n-x\r\n|1\r\n+a\r\n+b\r\n-y\r\n",
        1,
        0,
    ),
    ("=7\r\ntxt:a\r\n\r\n~1\r\n+x\r\n", 2, 0),
    ("$4\r\n\r\n\r\n\r\n+OK\r\n", 2, 0),
];

#[test]
fn replies_are_counted() {
    for &(stream, replies, errors) in STREAMS {
        let seen = scan(&[stream.as_bytes()]).expect(stream);
        assert_eq!(seen.len(), replies, "{stream:?}");
        assert_eq!(seen.iter().flatten().count(), errors, "{stream:?}");
    }
}

#[test]
fn pieces_do_not_matter() {
    for &(stream, ..) in STREAMS {
        let whole = scan(&[stream.as_bytes()]);
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(scan(&bytes), whole, "{stream:?} byte by byte");
        for at in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(at);
            assert_eq!(scan(&[a, b]), whole, "{stream:?} cut at {at}");
        }
    }
}

#[test]
fn error_texts_are_kept_up_to_a_limit() {
    let texts = scan(&[b"-ERR first\r\n!10\r\nERR se", b"cond\r\n"]).expect("errors");
    assert_eq!(texts[0].as_deref(), Some("ERR first"));
    assert_eq!(texts[1].as_deref(), Some("ERR second"));
    let long = format!("-{}\r\n", "x".repeat(TEXT_LIMIT * 2));
    let texts = scan(&[long.as_bytes()]).expect("an error");
    assert_eq!(texts[0].as_ref().map(String::len), Some(TEXT_LIMIT));
}

#[test]
fn nonsense_is_refused() {
    for nonsense in [
        "HTTP/1.1 400 Bad Request\r\n",
        "h",
        "\r\n",
        "\n",
        "+OK\n",
        "$x\r\n",
        "$\r\n",
        "$-2\r\n",
        "=-1\r\n",
        "*99999999999999999999\r\n",
        "*1099511627776\r\n*1099511627776\r\n",
        "$1\r\nab\r\n",
        "$1\r\na\n\n",
        "*1\r\n>1\r\n+x\r\n",
    ] {
        assert!(scan(&[nonsense.as_bytes()]).is_err(), "{nonsense:?}");
        let bytes: Vec<&[u8]> = nonsense.as_bytes().chunks(1).collect();
        assert!(scan(&bytes).is_err(), "{nonsense:?} byte by byte");
    }
    let endless = vec![b'x'; LINE_LIMIT];
    assert!(scan(&[b"+", &endless, &endless]).is_err());
}

proptest! {
    #[test]
    fn garbage_does_no_harm(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let _ = scan(&pieces);
    }

    #[test]
    fn likely_garbage_reads_the_same_in_pieces(
        stream in "[-+:$*%>|!=~]{1}[0-9]{0,2}(\r\n|\n|x){0,2}([-+:$*]{1}[0-9]{0,2}\r\n){0,6}",
        at in 0_usize..40,
    ) {
        let bytes = stream.as_bytes();
        let (a, b) = bytes.split_at(at.min(bytes.len()));
        let whole = scan(&[bytes]);
        let parts = scan(&[a, b]);
        prop_assert_eq!(whole.ok(), parts.ok());
    }
}
