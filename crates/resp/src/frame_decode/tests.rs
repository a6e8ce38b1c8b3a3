use proptest::prelude::*;

use super::*;
use crate::encode::Protocol;

/// Decodes `pieces` one after the other as a client would.
fn drive<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: FrameLimits,
) -> (Vec<Frame>, Option<FrameError>) {
    let (mut decoder, mut buf, mut frames) = (FrameDecoder::new(limits), Vec::new(), Vec::new());
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match decoder.decode(&buf) {
                Ok(Progress { consumed, frame }) => {
                    buf.drain(..consumed);
                    let Some(frame) = frame else { break };
                    assert!(decoder.is_idle());
                    frames.push(frame);
                }
                Err(error) => {
                    assert_eq!(decoder.decode(&buf), Err(error), "errors stay");
                    return (frames, Some(error));
                }
            }
        }
    }
    (frames, None)
}

fn all(bytes: &[u8]) -> (Vec<Frame>, Option<FrameError>) {
    let whole = drive([bytes], FrameLimits::default());
    // By text, as a NaN differs from itself.
    assert_eq!(
        format!("{:?}", drive(bytes.chunks(1), FrameLimits::default())),
        format!("{whole:?}")
    );
    whole
}

fn one(bytes: &[u8]) -> Frame {
    match all(bytes) {
        (mut frames, None) if frames.len() == 1 => frames.remove(0),
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

#[test]
fn every_type() {
    let table = [
        (&b"+OK\r\n"[..], Frame::Simple(b"OK".to_vec())),
        (b"-ERR x\r\n", Frame::Error(b"ERR x".to_vec())),
        (b"!5\r\nE\r\nxy\r\n", Frame::Error(b"E\r\nxy".to_vec())),
        (b":-12\r\n", Frame::Integer(-12)),
        (b":+5\r\n", Frame::Integer(5)),
        (b"$0\r\n\r\n", Frame::bulk("")),
        (b"$3\r\na\r\n\r\n", Frame::bulk("a\r\n")),
        (b"$-1\r\n", Frame::Null),
        (b"_\r\n", Frame::Null),
        (b"*-1\r\n", Frame::NullArray),
        (b"*0\r\n", Frame::Array(vec![])),
        (
            b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
            Frame::Array(vec![
                Frame::Array(vec![Frame::Integer(1)]),
                Frame::bulk("x"),
            ]),
        ),
        (b"~1\r\n#t\r\n", Frame::Set(vec![Frame::Boolean(true)])),
        (
            b"%1\r\n#f\r\n,1.5\r\n",
            Frame::Map(vec![(Frame::Boolean(false), Frame::Double(1.5))]),
        ),
        (b"%0\r\n", Frame::Map(vec![])),
        (b",-inf\r\n", Frame::Double(f64::NEG_INFINITY)),
        (b",1e+21\r\n", Frame::Double(1e21)),
        (
            b"(-123456789012345678901234567890\r\n",
            Frame::BigNumber("-123456789012345678901234567890".into()),
        ),
        (
            b"=5\r\ntxt:v\r\n",
            Frame::Verbatim {
                format: *b"txt",
                text: b"v".to_vec(),
            },
        ),
        (
            b">1\r\n+x\r\n",
            Frame::Push(vec![Frame::Simple(b"x".to_vec())]),
        ),
        (
            b"|1\r\n+a\r\n:1\r\n*1\r\n:2\r\n",
            Frame::Attribute(
                vec![(Frame::Simple(b"a".to_vec()), Frame::Integer(1))],
                Box::new(Frame::Array(vec![Frame::Integer(2)])),
            ),
        ),
        (
            b"|0\r\n_\r\n",
            Frame::Attribute(vec![], Box::new(Frame::Null)),
        ),
    ];
    for (bytes, frame) in table {
        assert_eq!(one(bytes), frame);
    }
    assert!(matches!(one(b",nan\r\n"), Frame::Double(value) if value.is_nan()));
}

#[test]
fn every_error() {
    let table = [
        (&b"x"[..], FrameError::UnknownType(b'x')),
        (b"\r\n", FrameError::UnknownType(b'\r')),
        (b"$?\r\n", FrameError::Streamed),
        (b"*?\r\n", FrameError::Streamed),
        (b".\r\n", FrameError::Streamed),
        (b"+a\n", FrameError::LineEnd),
        (b"+a\rb", FrameError::LineEnd),
        (b"$1\r\nab\r\n", FrameError::LineEnd),
        (b"$1\r\na\rb", FrameError::LineEnd),
        (b"*-2\r\n", FrameError::Length),
        (b"%-1\r\n", FrameError::Length),
        (b"$01\r\n", FrameError::Length),
        (b"$536870913\r\n", FrameError::BulkTooLong),
        (b"*800000000\r\n", FrameError::FrameTooLong),
        (b"*9223372036854775807\r\n", FrameError::FrameTooLong),
        (b":\r\n", FrameError::Value(b':')),
        (b":1.5\r\n", FrameError::Value(b':')),
        (b",infinity\r\n", FrameError::Value(b',')),
        (b",1e\r\n", FrameError::Value(b',')),
        (b"#x\r\n", FrameError::Value(b'#')),
        (b"_x\r\n", FrameError::Value(b'_')),
        (b"(1x\r\n", FrameError::Value(b'(')),
        (b"(-\r\n", FrameError::Value(b'(')),
        (b"=2\r\nab\r\n", FrameError::Verbatim),
        (b"=4\r\nabcd\r\n", FrameError::Verbatim),
    ];
    for (bytes, error) in table {
        assert_eq!(
            all(bytes),
            (vec![], Some(error)),
            "{}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(
        all(&[b'+'; FRAME_LINE_MAX + 1]).1,
        Some(FrameError::LineTooLong)
    );
}

#[test]
fn depth_is_limited() {
    for (open, close) in [
        (&b"*1\r\n"[..], &b"_\r\n"[..]),
        (b"%1\r\n", b"_\r\n"),
        (b"|0\r\n", b"_\r\n"),
    ] {
        let over = [open.repeat(FRAME_DEPTH_MAX + 1), close.to_vec()].concat();
        assert_eq!(all(&over), (vec![], Some(FrameError::TooDeep)));
    }
    one(&[b"*1\r\n".repeat(FRAME_DEPTH_MAX), b"_\r\n".to_vec()].concat());
}

#[test]
fn length_is_limited_over_the_whole_frame() {
    let limits = FrameLimits {
        bytes_max: 19,
        ..FrameLimits::default()
    };
    let fits = b"*2\r\n$3\r\nabc\r\n$1\r\nx\r\n";
    assert_eq!(drive([&fits[..19]], limits), (vec![], None));
    assert_eq!(drive([&fits[..]], limits).1, Some(FrameError::FrameTooLong));
    assert_eq!(
        drive([&b"+0123456789\r\n+0123456789\r\n"[..]], limits)
            .0
            .len(),
        2,
        "per frame, not per stream"
    );
}

#[test]
fn announced_sizes_reserve_little() {
    let mut decoder = FrameDecoder::default();
    let progress = decoder.decode(b"*300000000\r\n$500000000\r\nabc");
    assert_eq!(
        progress,
        Ok(Progress {
            consumed: 27,
            frame: None
        })
    );
    assert_eq!(decoder.wanted(), 500_000_000 - 3 + 2);
    assert!(
        matches!(&decoder.stack[..], [Open::List { frames, .. }] if frames.capacity() <= ITEMS_RESERVED)
    );
    assert!(
        decoder
            .payload
            .as_ref()
            .is_some_and(|payload| payload.have.capacity() < 100)
    );
}

fn frame() -> impl Strategy<Value = Frame> {
    let line = "[ -~]{0,12}".prop_map(String::into_bytes);
    let leaf = prop_oneof![
        line.clone().prop_map(Frame::Simple),
        line.prop_map(Frame::Error),
        proptest::collection::vec(any::<u8>(), 0..8).prop_map(Frame::Error),
        any::<i64>().prop_map(Frame::Integer),
        proptest::collection::vec(any::<u8>(), 0..150).prop_map(Frame::Bulk),
        Just(Frame::Null),
        any::<f64>()
            .prop_filter("NaN differs from itself", |value| !value.is_nan())
            .prop_map(Frame::Double),
        any::<bool>().prop_map(Frame::Boolean),
        "[+-]?[0-9]{1,40}".prop_map(Frame::BigNumber),
        (
            any::<[u8; 3]>(),
            proptest::collection::vec(any::<u8>(), 0..20)
        )
            .prop_map(|(format, text)| Frame::Verbatim { format, text }),
    ];
    leaf.prop_recursive(4, 60, 6, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..6);
        let pairs = proptest::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            list.clone().prop_map(Frame::Array),
            list.clone().prop_map(Frame::Set),
            list.prop_map(Frame::Push),
            pairs.clone().prop_map(Frame::Map),
            (pairs, inner).prop_map(|(pairs, value)| Frame::Attribute(pairs, Box::new(value))),
        ]
    })
}

proptest! {
    #[test]
    fn frames_survive_encoding(frames in proptest::collection::vec(frame(), 1..4), cut in 1usize..50) {
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.encode(Protocol::Resp3, &mut bytes);
        }
        let (whole, error) = drive([&bytes[..]], FrameLimits::default());
        prop_assert_eq!((&whole, error), (&frames, None));
        prop_assert_eq!(drive(bytes.chunks(cut), FrameLimits::default()), (frames.clone(), None));
        prop_assert_eq!(drive(bytes.chunks(1), FrameLimits::default()), (frames, None));
    }

    #[test]
    fn resp2_always_decodes(frame in frame()) {
        let mut bytes = Vec::new();
        frame.encode(Protocol::Resp2, &mut bytes);
        let (frames, error) = drive([&bytes[..]], FrameLimits::default());
        prop_assert_eq!((frames.len(), error), (1, None));
    }

    #[test]
    fn garbage_gives_the_same_in_any_cut(
        bytes in proptest::collection::vec(proptest::sample::select(b"+-:$*_%~,#(=!>|.\r\n\r\n\r\n0123t".to_vec()), 0..80),
        bytes_max in prop_oneof![Just(FRAME_BYTES_MAX), 1usize..60],
    ) {
        let limits = FrameLimits { bytes_max, bulk_max: 30, depth_max: 4, ..FrameLimits::default() };
        let whole = drive([&bytes[..]], limits);
        prop_assert_eq!(format!("{:?}", drive(bytes.chunks(1), limits)), format!("{whole:?}"));
    }

    #[test]
    fn random_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drive([&bytes[..]], FrameLimits::default());
    }
}
