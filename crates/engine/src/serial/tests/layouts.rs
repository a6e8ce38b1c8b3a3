//! Collections in every layout: what Redis wrote, and what it would not write.

use super::encode::{body, intset_of, listpack_of, read, texts, ziplist_of, zipmap_of, zl_all};
use crate::serial::collection::{
    Layout, write_hash, write_ints, write_list, write_node, write_packed, write_plain_node,
    write_set, write_zset,
};
use crate::serial::read::BadData;
use crate::serial::{listpack, write, ziplist, zipmap};
use ochre_ds::pack::Element;

#[test]
fn listpacks_are_those_of_redis() {
    // RPUSH of these in 7.0.15, `rdbcompression no`.
    let texts: &[&[u8]] = &[
        b"0",
        b"127",
        b"128",
        b"-1",
        b"-4096",
        b"-4097",
        b"4095",
        b"4096",
        b"32767",
        b"32768",
        b"-32768",
        b"-32769",
        b"8388607",
        b"8388608",
        b"-8388608",
        b"-8388609",
        b"2147483647",
        b"2147483648",
        b"-2147483648",
        b"-2147483649",
        b"9223372036854775807",
        b"-9223372036854775808",
        b"",
        b"9223372036854775808",
        b"-0",
        b"007",
        b"+1",
        b" 1",
        b"1.5",
    ];
    let expected = b"\xa8\x00\x00\x00\x1d\x00\x00\x01\x7f\x01\xc0\x80\x02\xdf\xff\x02\xd0\x00\x02\xf1\xff\xef\x03\xcf\xff\x02\xf1\x00\x10\x03\xf1\xff\x7f\x03\xf2\x00\x80\x00\x04\xf1\x00\x80\x03\xf2\xff\x7f\xff\x04\xf2\xff\xff\x7f\x04\xf3\x00\x00\x80\x00\x05\xf2\x00\x00\x80\x04\xf3\xff\xff\x7f\xff\x05\xf3\xff\xff\xff\x7f\x05\xf4\x00\x00\x00\x80\x00\x00\x00\x00\x09\xf3\x00\x00\x00\x80\x05\xf4\xff\xff\xff\x7f\xff\xff\xff\xff\x09\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09\xf4\x00\x00\x00\x00\x00\x00\x00\x80\x09\x80\x01\x939223372036854775808\x14\x82-0\x03\x83007\x04\x82+1\x03\x82 1\x03\x831.5\x04\xff";
    assert_eq!(listpack_of(texts), expected);
    let back: Vec<Vec<u8>> = listpack::Elements::new(expected)
        .expect("a good header")
        .map(|e| e.expect("good").to_vec())
        .collect();
    assert_eq!(back, texts);
    // The backward length takes a byte more from 16,383 on.
    for (len, start, end) in [
        (63usize, b"\xbfx".as_slice(), b"x\x40\xff".as_slice()),
        (64, b"\xe0\x40x", b"x\x42\xff"),
        (125, b"\xe0\x7dx", b"x\x7f\xff"),
        (126, b"\xe0\x7ex", b"x\x01\x80\xff"),
        (4095, b"\xef\xffx", b"x\x20\x81\xff"),
        (4096, b"\xf0\x00\x10\x00\x00x", b"x\x20\x85\xff"),
        (16_377, b"\xf0\xf9\x3f\x00\x00x", b"x\x7f\xfe\xff"),
        (16_378, b"\xf0\xfa\x3f\x00\x00x", b"x\x00\xff\xff\xff"),
        (16_379, b"\xf0\xfb\x3f\x00\x00x", b"x\x01\x80\x80\xff"),
    ] {
        let packed = listpack_of(&[&vec![b'x'; len]]);
        assert!(packed[6..].starts_with(start), "{len}");
        assert!(packed.ends_with(end), "{len}");
    }
}

#[test]
fn scores_are_those_of_redis() {
    for (score, element) in [
        (1.5, b"\x831.5\x04".as_slice()),
        (0.1, b"\x930.10000000000000001\x14"),
        (1e20, b"\x851e+20\x06"),
        (-0.0, b"\x00\x01"),
        (f64::INFINITY, b"\x83inf\x04"),
        (f64::NEG_INFINITY, b"\x84-inf\x05"),
        (-5.0, b"\xdf\xfb\x02"),
        (1e17, b"\xf4\x00\x00\x8a]xEc\x01\x09"),
        (9.3e18, b"\x879.3e+18\x08"),
        (4_611_686_018_427_387_904.0, b"\xf4\0\0\0\0\0\0\0\x40\x09"),
        (-4_611_686_018_427_387_904.0, b"\xf4\0\0\0\0\0\0\0\xc0\x09"),
        (
            4_951_338_437_265_828_900.0,
            b"\x964.9513384372658289e+18\x17",
        ),
    ] {
        let mut packed = listpack::Writer::default();
        packed.push(Element::Double(score));
        let packed = packed.finish().expect("small");
        assert_eq!(&packed[6..packed.len() - 1], element, "{score}");
    }
}

#[test]
fn what_redis_wrote_is_read() {
    // DUMP of 7.0.15 and 8.2.3.
    for (payload, expected) in [
        (
            b"\x12\x03\x02\n\n\x00\x00\x00\x01\x00\x81a\x02\xff\x01\xc3\t@\xc8\x01bb\xe0\xbb\x00\x01bb\x02\n\n\x00\x00\x00\x01\x00\x81c\x02\xff".as_slice(),
            vec!["a".to_owned(), "b".repeat(200), "c".to_owned()],
        ),
        (
            b"\x10\xc3\x1c4\x114\x00\x00\x00\x06\x00\x81f\x02\x81v\x02\x01\x01\x02\x01\x9ea\xe0\x14\x00\x04\x1f\x81b\x02\xff",
            vec!["f".into(), "v".into(), "1".into(), "2".into(), "a".repeat(30), "b".into()],
        ),
        (
            b"\x0b\xc3\x13\x18\x04\x08\x00\x00\x00\x02 \x03\x00\x05 \x03\xe0\x00\x00\x02\x01\x00\x00",
            vec!["5".into(), "1099511627776".into()],
        ),
        (b"\x0b\x10\x04\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00p\x11\x01\x00", vec!["1".into(), "70000".into()]),
        (b"\x02\x03\xc0\x03\x01b\x01a", vec!["3".into(), "b".into(), "a".into()]),
        (b"\x14\x0f\x0f\x00\x00\x00\x03\x00\x81a\x02\x81b\x02\x03\x01\xff", vec!["a".into(), "b".into(), "3".into()]),
        (b"\x04\x01\x01f\x01v", vec!["f".into(), "v".into()]),
        (
            b"\x05\x03\x01c\x00\x00\x00\x00\x00\x00\xf0\x7f\x01b\x00\x00\x00\x00\x00\x00\x04@\x01a\x00\x00\x00\x00\x00\x00\xf0?",
            vec!["c".into(), "inf".into(), "b".into(), "2.5".into(), "a".into(), "1".into()],
        ),
        (b"\x11\x0f\x0f\x00\x00\x00\x02\x00\x81m\x02\x830.1\x04\xff", vec!["m".into(), "0.1".into()]),
    ] {
        let expected: Vec<Vec<u8>> = expected.into_iter().map(String::into_bytes).collect();
        assert_eq!(read(payload), Ok(expected), "{}", payload.escape_ascii());
    }
}

#[test]
fn old_layouts_are_read() {
    let long = "v".repeat(300);
    let numbers: &[(Vec<u8>, &str)] = &[
        (vec![0xF1], "0"),
        (vec![0xFD], "12"),
        (vec![0xFE, 0x80], "-128"),
        (vec![0xC0, 0xFF, 0x7F], "32767"),
        (vec![0xF0, 0, 0, 0x80], "-8388608"),
        (vec![0xD0, 0, 0, 0, 0x80], "-2147483648"),
        (
            vec![0xE0, 0, 0, 0, 0, 0, 0, 0, 0x80],
            "-9223372036854775808",
        ),
    ];
    let encoded: Vec<Vec<u8>> = numbers.iter().map(|(e, _)| e.clone()).collect();
    let named: Vec<&str> = numbers.iter().map(|(_, t)| *t).collect();
    let zl_numbers = ziplist_of(&encoded);
    let mut nodes = vec![Layout::ListZiplists as u8, 3];
    for node in [&zl_all(&["a", &long, "b"]), &zl_all(&[]), &zl_numbers] {
        write::string(&mut nodes, node, true);
    }
    let all: Vec<&str> = ["a", &long, "b"].into_iter().chain(named.clone()).collect();
    for (payload, expected) in [
        (body(Layout::ListZiplist, &zl_numbers), named),
        (nodes, all),
        (
            body(Layout::HashZiplist, &zl_all(&["f", &long])),
            vec!["f", &long],
        ),
        (
            body(Layout::ZsetZiplist, &zl_all(&["a", "-inf", "b", "2.5"])),
            vec!["a", "-inf", "b", "2.5"],
        ),
        (
            body(Layout::HashZipmap, &zipmap_of(&["f", "1", "g", &long], 0)),
            vec!["f", "1", "g", &long],
        ),
        (
            body(Layout::HashZipmap, &zipmap_of(&["", "", "g", "2"], 3)),
            vec!["", "", "g", "2"],
        ),
        (b"\x01\x02\x01a\xc0\x05".to_vec(), vec!["a", "5"]),
        (
            b"\x03\x03\x01a\xfe\x01b\xff\x01c\x031.5".to_vec(),
            vec!["a", "inf", "b", "-inf", "c", "1.5"],
        ),
        (
            body(Layout::SetIntset, &intset_of(8, &[-1, 2])),
            vec!["-1", "2"],
        ),
    ] {
        assert_eq!(
            read(&payload),
            Ok(texts(&expected)),
            "{}",
            payload.escape_ascii()
        );
    }
    // More than a header can count.
    let many: Vec<Vec<u8>> = (0..70_000).map(|_| vec![0xF1]).collect();
    let mut many = ziplist_of(&many);
    many[8..10].fill(0xFF);
    assert_eq!(
        ziplist::Elements::new(&many).map(Iterator::count),
        Ok(70_000)
    );
    let mut listpack = listpack::Writer::default();
    (0..70_000).for_each(|_| listpack.push_text(b"x"));
    let listpack = listpack.finish().expect("small");
    let elements = listpack::Elements::new(&listpack).expect("a good header");
    assert_eq!(elements.announced(), None);
    assert_eq!(elements.filter(Result::is_ok).count(), 70_000);
    let mut uncounted = zipmap_of(&["a", "b"], 0);
    uncounted[0] = 254;
    assert_eq!(
        zipmap::Elements::new(&uncounted).map(Iterator::count),
        Ok(2)
    );
}

#[test]
fn empty_collections_are_refused() {
    let mut node = vec![Layout::ListNodes as u8, 1, 2];
    write::string(&mut node, &listpack_of(&[]), false);
    let mut old_node = vec![Layout::ListZiplists as u8, 1];
    write::string(&mut old_node, &zl_all(&[]), false);
    for payload in [
        b"\x01\x00".to_vec(),
        b"\x02\x00".to_vec(),
        b"\x03\x00".to_vec(),
        b"\x04\x00".to_vec(),
        b"\x05\x00".to_vec(),
        b"\x0e\x00".to_vec(),
        b"\x12\x00".to_vec(),
        b"\x12\x01\x01\x00".to_vec(),
        body(Layout::HashZipmap, &zipmap_of(&[], 0)),
        body(Layout::ListZiplist, &zl_all(&[])),
        body(Layout::SetIntset, &intset_of(2, &[])),
        body(Layout::ZsetZiplist, &zl_all(&[])),
        body(Layout::HashZiplist, &zl_all(&[])),
        body(Layout::HashListpack, &listpack_of(&[])),
        body(Layout::ZsetListpack, &listpack_of(&[])),
        body(Layout::SetListpack, &listpack_of(&[])),
        node.clone(),
        old_node,
    ] {
        assert_eq!(read(&payload), Err(BadData), "{}", payload.escape_ascii());
    }
    node[1] = 2;
    node.push(2);
    write::string(&mut node, &listpack_of(&[b"a"]), false);
    assert_eq!(read(&node), Ok(texts(&["a"])), "an empty node and another");
}

#[test]
fn bad_values_are_refused() {
    let lp = |of: &[&[u8]]| listpack_of(of);
    for (payload, why) in [
        (b"\x12\x01\x03\x01a".to_vec(), "an unknown node"),
        (
            b"\x12\xc0\x01\x01\x01a".to_vec(),
            "an encoding for a length",
        ),
        (b"\x01\x02\x01a".to_vec(), "one of two items"),
        (
            b"\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a".to_vec(),
            "very many items",
        ),
        (b"\x04\x01\x01a".to_vec(), "a field without value"),
        (b"\x03\x01\x01a\xfd".to_vec(), "a score that is no number"),
        (b"\x03\x01\x01a\x03nan".to_vec(), "the same as text"),
        (b"\x03\x01\x01a\x041.5x".to_vec(), "text behind a score"),
        (b"\x03\x01\x01a\x051e400".to_vec(), "a score out of range"),
        (b"\x03\x01\x01a\x00".to_vec(), "an empty score"),
        (b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f".to_vec(), "NaN"),
        (b"\x05\x01\x01a\0\0\0\0\0\0\xf8".to_vec(), "half a score"),
        (
            body(Layout::HashListpack, &lp(&[b"a", b"b", b"c"])),
            "an odd count",
        ),
        (body(Layout::ZsetListpack, &lp(&[b"a"])), "no score"),
        (
            body(Layout::ZsetListpack, &lp(&[b"a", b"nan"])),
            "NaN in a listpack",
        ),
        (
            body(Layout::ZsetListpack, &lp(&[b"a", b"x"])),
            "a word as score",
        ),
        (body(Layout::HashZiplist, &zl_all(&["a"])), "an odd ziplist"),
        (
            body(Layout::ZsetZiplist, &zl_all(&["a", ""])),
            "an empty score",
        ),
        (
            body(Layout::HashZipmap, &zipmap_of(&["a", "b", "c"], 0)),
            "an odd zipmap",
        ),
        (
            body(Layout::SetIntset, &intset_of(2, &[2, 1])),
            "descending members",
        ),
        (
            body(Layout::SetIntset, &intset_of(4, &[2, 2])),
            "equal members",
        ),
        (
            body(Layout::SetIntset, b"\x03\0\0\0\x01\0\0\0abc"),
            "a width of 3",
        ),
        (
            body(Layout::SetIntset, b"\x02\0\0\0\x02\0\0\0ab"),
            "too short",
        ),
        (
            body(Layout::SetIntset, b"\x08\0\0\0\0\0\0\x20"),
            "2^29 members",
        ),
        (b"\x10\xc0\x05".to_vec(), "an integer for a listpack"),
        (vec![6, 1, 1, b'a'], "a module"),
        (vec![15, 1, 1, b'a'], "a stream"),
    ] {
        assert_eq!(read(&payload), Err(BadData), "{why}");
    }
}

/// Every byte of a packed part is checked by something: changing header, lengths or end is noticed.
#[test]
fn bad_packs_are_refused() {
    let listpack = listpack_of(&[b"a", b"1", b"300"]);
    for (at, byte, why) in [
        (0, 20, "total length"),
        (3, 1, "total length, high"),
        (4, 2, "too few announced"),
        (4, 4, "too many announced"),
        (6, 0x82, "a longer string"),
        (6, 0xE0, "another string"),
        (6, 0xF0, "a string beyond the end"),
        (6, 0xF5, "no element"),
        (8, 3, "backward length"),
        (listpack.len() - 1, 0, "the end"),
    ] {
        let mut bad = listpack.clone();
        bad[at] = byte;
        assert_eq!(
            read(&body(Layout::SetListpack, &bad)),
            Err(BadData),
            "{why}"
        );
    }
    let ziplist = zl_all(&["a", "bc", "d"]);
    for (at, byte, why) in [
        (0, 20, "total length"),
        (4, 13, "offset of the last"),
        (8, 2, "too few announced"),
        (8, 4, "too many announced"),
        (10, 1, "something before the first"),
        (11, 2, "a longer string"),
        (11, 0x80, "a string beyond the end"),
        (11, 0xC1, "no element"),
        (13, 2, "length before"),
        (13, 0xFF, "an early end"),
        (ziplist.len() - 1, 0, "the end"),
    ] {
        let mut bad = ziplist.clone();
        bad[at] = byte;
        assert_eq!(
            read(&body(Layout::ListZiplist, &bad)),
            Err(BadData),
            "{why}"
        );
    }
    let zipmap = zipmap_of(&["a", "b"], 1);
    for (at, byte, why) in [
        (0, 0, "too few announced"),
        (0, 2, "too many announced"),
        (1, 9, "a field beyond the end"),
        (3, 9, "a value beyond the end"),
        (3, 0xFF, "an early end"),
        (4, 2, "spare bytes beyond the end"),
        (zipmap.len() - 1, 0, "the end"),
    ] {
        let mut bad = zipmap.clone();
        bad[at] = byte;
        assert_eq!(read(&body(Layout::HashZipmap, &bad)), Err(BadData), "{why}");
    }
    for len in 0..listpack.len() {
        assert!(listpack::Elements::new(&listpack[..len]).is_err());
    }
    for len in 0..ziplist.len() {
        assert!(ziplist::Elements::new(&ziplist[..len]).is_err());
    }
}

#[test]
fn what_is_written_is_what_redis_writes() {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    let bytes = |t: &'static str| Element::Bytes(t.as_bytes());
    let long = "b".repeat(200);
    let list = written(&|out| {
        write_list(out, 3);
        write_node(out, &listpack_of(&[b"a"]), true);
        write_plain_node(out, long.as_bytes(), true);
        write_node(out, &listpack_of(&[b"c"]), true);
    });
    assert_eq!(list, b"\x12\x03\x02\n\n\x00\x00\x00\x01\x00\x81a\x02\xff\x01\xc3\t@\xc8\x01bb\xe0\xbb\x00\x01bb\x02\n\n\x00\x00\x00\x01\x00\x81c\x02\xff");
    let zset = written(&|out| {
        let of = [
            (bytes("c"), f64::INFINITY),
            (bytes("b"), 2.5),
            (bytes("a"), 1.0),
        ];
        write_zset(out, 3, of.into_iter(), true);
    });
    assert_eq!(zset, b"\x05\x03\x01c\x00\x00\x00\x00\x00\x00\xf0\x7f\x01b\x00\x00\x00\x00\x00\x00\x04@\x01a\x00\x00\x00\x00\x00\x00\xf0?");
    let hash = written(&|out| write_hash(out, 1, [(bytes("f"), bytes("v"))].into_iter(), true));
    assert_eq!(hash, b"\x04\x01\x01f\x01v");
    let set = written(&|out| {
        write_set(
            out,
            3,
            [Element::Int(3), bytes("b"), bytes("a")].into_iter(),
            true,
        )
    });
    assert_eq!(set, b"\x02\x03\xc0\x03\x01b\x01a");
    let ints = written(&|out| write_ints(out, 2, b"\x01\0\x02\0", true).expect("few"));
    assert_eq!(
        ints,
        b"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00"
    );
    let packed = written(&|out| {
        let elements = [bytes("m"), Element::Double(1.5)];
        write_packed(out, Layout::ZsetListpack, 8, elements.into_iter(), true).expect("small");
    });
    assert_eq!(
        packed,
        b"\x11\x0f\x0f\x00\x00\x00\x02\x00\x81m\x02\x831.5\x04\xff"
    );
}
