use super::*;

fn wire(frame: &Frame, protocol: Protocol) -> String {
    let mut out = Vec::new();
    frame.encode(protocol, &mut out);
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn nested_frames_in_both_dialects() {
    let frame = Frame::Array(vec![
        Frame::Map(vec![(
            Frame::bulk("k"),
            Frame::Set(vec![Frame::Integer(1), Frame::Boolean(true)]),
        )]),
        Frame::Attribute(
            vec![(Frame::bulk("a"), Frame::Null)],
            Box::new(Frame::Double(0.5)),
        ),
        Frame::Verbatim {
            format: *b"txt",
            text: b"v".to_vec(),
        },
        Frame::Error(b"ERR a\r\nb".to_vec()),
        Frame::NullArray,
    ]);
    let resp3 = "*5\r\n%1\r\n$1\r\nk\r\n~2\r\n:1\r\n#t\r\n|1\r\n$1\r\na\r\n_\r\n,0.5\r\n=5\r\ntxt:v\r\n!8\r\nERR a\r\nb\r\n_\r\n";
    let resp2 =
        "*5\r\n*2\r\n$1\r\nk\r\n*2\r\n:1\r\n:1\r\n$3\r\n0.5\r\n$1\r\nv\r\n-ERR a  b\r\n*-1\r\n";
    assert_eq!(wire(&frame, Protocol::Resp3), resp3);
    assert_eq!(wire(&frame, Protocol::Resp2), resp2);
}

#[test]
fn encoding_does_not_recurse() {
    let mut frame = Frame::Null;
    for _ in 0..3000 {
        frame = Frame::Array(vec![frame]);
    }
    assert_eq!(wire(&frame, Protocol::Resp2).len(), 3000 * 4 + 5);
}

#[test]
fn accessors() {
    assert_eq!(Frame::bulk("x").as_bytes(), Some(&b"x"[..]));
    assert_eq!(Frame::Error(b"ERR".to_vec()).as_error(), Some(&b"ERR"[..]));
    assert!(Frame::Null.is_null() && Frame::NullArray.is_null() && !Frame::Integer(0).is_null());
}
