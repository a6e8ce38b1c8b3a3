use proptest::prelude::*;

use super::*;
use crate::request::RequestBuf;

type Requests = Vec<Vec<Vec<u8>>>;

/// Decodes `pieces` one after the other as a connection would; empty requests are kept.
fn drive<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Requests, Option<ProtocolError>) {
    let (mut decoder, mut buf, mut requests) = (Decoder::new(), Vec::new(), Vec::new());
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match decoder.decode(&buf, limits) {
                Ok(Decoded::Incomplete) => {
                    assert!(decoder.request(&buf).is_empty());
                    break;
                }
                Ok(Decoded::Complete { consumed }) => {
                    assert!(consumed > 0 && consumed <= buf.len());
                    assert_eq!(decoder.wanted(), 0);
                    requests.push(decoder.request(&buf).iter().map(<[u8]>::to_vec).collect());
                    buf.drain(..consumed);
                    decoder.reset();
                }
                Err(error) => {
                    assert_eq!(decoder.decode(&buf, limits), Err(error), "errors stay");
                    return (requests, Some(error));
                }
            }
            assert!(
                decoder.spans.capacity() <= buf.len().max(SPANS_KEPT),
                "bounded by bytes received"
            );
        }
    }
    (requests, None)
}

fn args(args: &[&[u8]]) -> Vec<Vec<u8>> {
    args.iter().map(|arg| arg.to_vec()).collect()
}

/// Observed on Redis 7.0.15 (and the same on 8.2.3) by sending the raw bytes: `Err` is the text after `-ERR `,
/// `Ok` what it executed.
#[test]
fn bytes_as_redis_takes_them() {
    let ping = || vec![args(&[b"PING"])];
    let nothing_then_ping = || vec![vec![], args(&[b"PING"])];
    let table: Vec<(&[u8], Requests)> = vec![
        (b"*1\r\n$4\r\nPING\r\n", ping()),
        (
            b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
            vec![args(&[b"ECHO", b""])],
        ),
        (b"*1\r\n$0\r\n\r\n", vec![args(&[b""])]),
        (b"*-1\r\nPING\r\n", nothing_then_ping()),
        (b"*-5\r\nPING\r\n", nothing_then_ping()),
        (b"*-9223372036854775808\r\nPING\r\n", nothing_then_ping()),
        (b"*0\r\nPING\r\n", nothing_then_ping()),
        (b"*1\rX$4\r\nPING\r\n", ping()),
        (
            b"*1\rX$4\rYPINGZZPING\r\n",
            vec![args(&[b"PING"]), args(&[b"PING"])],
        ),
        (
            b"*1\r\n$4\r\nPING\n\nPING\r\n",
            vec![args(&[b"PING"]), args(&[b"PING"])],
        ),
        (b"PING\r\n", ping()),
        (b"PING\n", ping()),
        (b"PING\r\r\n", ping()),
        (b"\nPING\r\n", nothing_then_ping()),
        (b"\r\nPING\r\n", nothing_then_ping()),
        (b"\r\r\nPING\r\n", nothing_then_ping()),
        (b"  \r\nPING\r\n", nothing_then_ping()),
        (b"$4\r\nPING\r\n", vec![args(&[b"$4"]), args(&[b"PING"])]),
        (b"+OK\r\n", vec![args(&[b"+OK"])]),
        (b"echo \"a b\"\r\n", vec![args(&[b"echo", b"a b"])]),
        // Each of these waits for more.
        (b"*1048577\r\n$1\r\n", vec![]),
        (b"*2147483647\r\n", vec![]),
        (b"*1\n$4\nPING\n", vec![]),
        (b"*1\r\nx", vec![]),
        (b"*1\r\nx\r", vec![]),
        (b"*1\r\n$536870912\r\n", vec![]),
        (b"\r\nPI", vec![vec![]]),
    ];
    for (bytes, want) in table {
        assert_eq!(
            drive([bytes], &Limits::default()),
            (want.clone(), None),
            "{}",
            bytes.escape_ascii()
        );
        assert_eq!(
            drive(bytes.chunks(1), &Limits::default()),
            (want, None),
            "{} bytewise",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn errors_as_redis_words_them() {
    let count = "Protocol error: invalid multibulk length";
    let length = "Protocol error: invalid bulk length";
    let quotes = "Protocol error: unbalanced quotes in request";
    let space = "Protocol error: expected '$', got ' '";
    let ones = |head: &[u8], n: usize| [head, &b"1".repeat(n)].concat();
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"*\r\n".to_vec(), count),
        (b"*+1\r\n".to_vec(), count),
        (b"*01\r\n$4\r\nPING\r\n".to_vec(), count),
        (b"*-0\r\n".to_vec(), count),
        (b"*00\r\n".to_vec(), count),
        (b"* 1\r\n".to_vec(), count),
        (b"*1 \r\n".to_vec(), count),
        (b"*x\r\n".to_vec(), count),
        (b"*2147483648\r\n".to_vec(), count),
        (b"*9223372036854775808\r\n".to_vec(), count),
        (b"*-9223372036854775809\r\n".to_vec(), count),
        (b"*1\n$4\r\nPING\r\n".to_vec(), count),
        (
            b"*1\r\nPING\r\n".to_vec(),
            "Protocol error: expected '$', got 'P'",
        ),
        (
            b"*1\r\n:1\r\n".to_vec(),
            "Protocol error: expected '$', got ':'",
        ),
        (
            b"*1\r\n'\r\n".to_vec(),
            "Protocol error: expected '$', got '''",
        ),
        (
            b"*1\r\n\x01abc\r\n".to_vec(),
            "Protocol error: expected '$', got '\x01'",
        ),
        (b"*1\r\n\r\n".to_vec(), space),
        (b"*1\r\n\n\r\n".to_vec(), space),
        (
            b"*3\r\n$3\r\nSET\r\n$1\r\na\r\nfoo\r\n".to_vec(),
            "Protocol error: expected '$', got 'f'",
        ),
        (b"*1\r\n$\r\n".to_vec(), length),
        (b"*1\r\n$-1\r\n".to_vec(), length),
        (b"*1\r\n$-0\r\n".to_vec(), length),
        (b"*1\r\n$+4\r\n".to_vec(), length),
        (b"*1\r\n$04\r\n".to_vec(), length),
        (b"*1\r\n$ 4\r\n".to_vec(), length),
        (b"*1\r\n$x\r\n".to_vec(), length),
        (b"*1\r\n$536870913\r\n".to_vec(), length),
        (b"*1\r\n$9223372036854775808\r\n".to_vec(), length),
        (b"echo \"a\r\n".to_vec(), quotes),
        (b"echo 'a'b\r\n".to_vec(), quotes),
        (
            ones(b"*", 65536),
            "Protocol error: too big mbulk count string",
        ),
        (
            ones(b"*1\r\n$", 65536),
            "Protocol error: too big bulk count string",
        ),
        (
            ones(b"*1\r\n", 65537),
            "Protocol error: too big bulk count string",
        ),
        (ones(b"", 65537), "Protocol error: too big inline request"),
    ];
    for (bytes, text) in table {
        let (_, error) = drive([&bytes[..]], &Limits::default());
        let error = error.unwrap_or_else(|| panic!("{} gives no error", bytes.escape_ascii()));
        assert_eq!(
            error.to_string(),
            text,
            "{}",
            bytes[..bytes.len().min(40)].escape_ascii()
        );
        let mut wire = Vec::new();
        error.write_text(&mut wire);
        assert_eq!(wire, text.as_bytes());
        assert_eq!(drive(bytes.chunks(1000), &Limits::default()).1, Some(error));
    }
}

#[test]
fn one_byte_below_the_line_limits() {
    let ones = |head: &[u8], n: usize, tail: &[u8]| [head, &b"1".repeat(n), tail].concat();
    for bytes in [
        ones(b"*", 65535, b""),
        ones(b"*1\r\n$", 65535, b""),
        ones(b"", 65536, b""),
        ones(b"", 65536, b"\r"),
    ] {
        assert_eq!(drive([&bytes[..]], &Limits::default()), (vec![], None));
    }
    for tail in [&b"\n"[..], b"\r\n"] {
        let (requests, error) = drive([&ones(b"", 65536, tail)[..]], &Limits::default());
        assert_eq!((requests.len(), error), (1, None));
        let over = ones(b"", 65537, tail);
        assert_eq!(
            drive([&over[..]], &Limits::default()).1,
            Some(ProtocolError::InlineTooBig)
        );
    }
}

#[test]
fn a_wrong_byte_is_quoted_as_it_came() {
    let (_, error) = drive([&b"*1\r\n\xff\r\n"[..]], &Limits::default());
    let mut wire = Vec::new();
    error.expect("not a bulk").write_text(&mut wire);
    assert_eq!(wire, b"Protocol error: expected '$', got '\xff'");
}

#[test]
fn before_authentication() {
    let limits = Limits {
        unauthenticated: true,
        ..Limits::default()
    };
    let table: [(&[u8], Option<ProtocolError>); 9] = [
        (b"*10\r\n", None),
        (b"*11\r\n", Some(ProtocolError::UnauthenticatedArgCount)),
        (
            b"*1048577\r\n",
            Some(ProtocolError::UnauthenticatedArgCount),
        ),
        (b"*2147483648\r\n", Some(ProtocolError::InvalidArgCount)),
        (b"*-1\r\n", None),
        (b"*10\r\n$16384\r\n", None),
        (
            b"*10\r\n$16385\r\n",
            Some(ProtocolError::UnauthenticatedBulkLength),
        ),
        (
            b"*1\r\n$536870913\r\n",
            Some(ProtocolError::InvalidBulkLength),
        ),
        (b"echo x x x x x x x x x x x x x x x x x x x x\r\n", None),
    ];
    for (bytes, error) in table {
        assert_eq!(drive([bytes], &limits).1, error, "{}", bytes.escape_ascii());
    }
}

#[test]
fn resumes_where_it_stopped_and_says_what_is_missing() {
    let limits = Limits::default();
    let mut decoder = Decoder::new();
    let mut buf = b"*2\r\n$3\r\nGET\r\n$1000".to_vec();
    assert_eq!(decoder.decode(&buf, &limits), Ok(Decoded::Incomplete));
    assert_eq!(
        (decoder.wanted(), decoder.pos, decoder.scanned),
        (0, 13, buf.len())
    );
    buf.extend_from_slice(b"\r\nabc");
    assert_eq!(decoder.decode(&buf, &limits), Ok(Decoded::Incomplete));
    assert_eq!(decoder.wanted(), 999);
    buf.extend_from_slice(&[b'x'; 998]);
    assert_eq!(decoder.decode(&buf, &limits), Ok(Decoded::Incomplete));
    assert_eq!(decoder.wanted(), 1);
    buf.extend_from_slice(b"\nmore");
    assert_eq!(
        decoder.decode(&buf, &limits),
        Ok(Decoded::Complete {
            consumed: buf.len() - 4
        })
    );
    let request = decoder.request(&buf);
    assert_eq!(
        (request.len(), &request[0], request[1].len()),
        (2, &b"GET"[..], 1000)
    );
    assert_eq!(request.get(2), None);
    assert_eq!((request.tail(1).len(), request.tail(9).len()), (1, 0));
    assert_eq!(request.to_buf().as_request(), request);
    assert_eq!(
        decoder.decode(&buf, &limits),
        Ok(Decoded::Complete {
            consumed: buf.len() - 4
        })
    );
}

#[test]
fn announced_sizes_reserve_nothing_and_large_requests_are_given_back() {
    let mut decoder = Decoder::new();
    assert_eq!(
        decoder.decode(b"*2147483647\r\n$536870912\r\n", &Limits::default()),
        Ok(Decoded::Incomplete)
    );
    assert_eq!(decoder.spans.capacity(), 0);
    decoder.reset();
    let large = RequestBuf::new(std::iter::repeat_n(b"x", 10_000));
    let mut bytes = Vec::new();
    large.as_request().encode(&mut bytes);
    assert_eq!(
        decoder.decode(&bytes, &Limits::default()),
        Ok(Decoded::Complete {
            consumed: bytes.len()
        })
    );
    assert_eq!(decoder.request(&bytes), large.as_request());
    decoder.reset();
    assert!(decoder.spans.capacity() <= SPANS_KEPT);
}

#[test]
fn a_buffer_shorter_than_before_is_no_panic() {
    let mut decoder = Decoder::new();
    let bytes = b"*2\r\n$3\r\nGET\r\n$3\r\nab";
    assert_eq!(
        decoder.decode(bytes, &Limits::default()),
        Ok(Decoded::Incomplete)
    );
    assert_eq!(
        decoder.decode(b"", &Limits::default()),
        Ok(Decoded::Incomplete)
    );
    assert_eq!(
        decoder.decode(&bytes[..9], &Limits::default()),
        Ok(Decoded::Incomplete)
    );
}

/// A stretch of a stream: mostly well-formed, so that the decoder gets somewhere.
fn stretch() -> impl Strategy<Value = Vec<u8>> {
    let arg = proptest::collection::vec(any::<u8>(), 0..130);
    prop_oneof![
        6 => proptest::collection::vec(arg, 0..13).prop_map(|args| {
            let mut bytes = Vec::new();
            RequestBuf::new(args).as_request().encode(&mut bytes);
            bytes
        }),
        2 => "[a-z \"'\\\\]{0,20}\r?\n".prop_map(String::into_bytes),
        1 => proptest::sample::select(vec![&b"*-1\r\n"[..], b"*0\r\n", b"\r\n", b"*1\r", b"$", b"*1\r\n$1\r", b"\n"])
            .prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(proptest::sample::select(b"*$\r\n0129-x\0".to_vec()), 0..30),
    ]
}

proptest! {
    #[test]
    fn requests_survive_encoding(args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..120)) {
        let mut bytes = Vec::new();
        RequestBuf::new(&args).as_request().encode(&mut bytes);
        prop_assert_eq!(drive([&bytes[..]], &Limits::default()), (vec![args], None));
    }

    #[test]
    fn any_cut_gives_the_same(
        stretches in proptest::collection::vec(stretch(), 1..6),
        cuts in proptest::collection::vec(1usize..40, 1..20),
        inline_max in prop_oneof![Just(INLINE_MAX), 1usize..30],
        unauthenticated in any::<bool>(),
    ) {
        let limits = Limits { inline_max, bulk_max: 120, unauthenticated, ..Limits::default() };
        let stream = stretches.concat();
        let whole = drive([&stream[..]], &limits);
        prop_assert_eq!(&drive(stream.chunks(1), &limits), &whole);
        let mut rest = &stream[..];
        let mut pieces = Vec::new();
        for &cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        prop_assert_eq!(drive(pieces, &limits), whole);
    }

    #[test]
    fn garbage_is_safe(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drive([&bytes[..]], &Limits::default());
    }
}
