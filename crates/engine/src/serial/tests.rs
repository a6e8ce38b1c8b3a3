mod damage;
mod encode;
mod layouts;

use super::read::{BadData, Length, Reader};
use super::*;
use crate::exec::Limits;

/// Payloads that Redis 7.0.15 gave.
const DUMPED: &[(&[u8], &[u8])] = &[
    (b"", b"\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda"),
    (b"1", b"\x00\xc0\x01\n\x00&x\xe7\xb6\xd1\x01\x11\xfc"),
    (b"-1", b"\x00\xc0\xff\n\x00\x0c\x93~$\x85\x08\x9d\xc5"),
    (b"127", b"\x00\xc0\x7f\n\x00\r\xb5\xeb1RT\xc5\x14"),
    (b"128", b"\x00\xc1\x80\x00\n\x00\xebz\xb3\xb5\x10\xcfKe"),
    (b"-129", b"\x00\xc1\x7f\xff\n\x00\x17`\x82(T\x80\x84\x80"),
    (
        b"32768",
        b"\x00\xc2\x00\x80\x00\x00\n\x00E\xd8.\xed\xd5\xbd\xa9\x10",
    ),
    (
        b"2147483647",
        b"\x00\xc2\xff\xff\xff\x7f\n\x00,t\xe5\x9e\xe0.\xad\xa1",
    ),
    (
        b"2147483648",
        b"\x00\n2147483648\n\x00\xe7\xb1)\xa3L\x1dv\xee",
    ),
    (
        b"-2147483648",
        b"\x00\xc2\x00\x00\x00\x80\n\x00\xc7O\x87>3U\x81\x87",
    ),
    (
        b"12345678901",
        b"\x00\x0b12345678901\n\x000NR\xd7'\x17e\x10",
    ),
    (
        b"xxxxxxxxxxxxxxxxxxxx",
        b"\x00\x14xxxxxxxxxxxxxxxxxxxx\n\x00[<\x81\xec\xa5\x8c\xc5k",
    ),
    (
        b"xxxxxxxxxxxxxxxxxxxxx",
        b"\x00\xc3\x06\x15\x01xx\xe0\n\x00\n\x00\x94\x1a\x83g`\x17\x19/",
    ),
];

/// Redis's limits, and strings of at most `bulk_max` bytes.
fn conditions(bulk_max: usize) -> Conditions {
    Conditions {
        bulk_max,
        limits: Limits {
            hash: ochre_ds::hash::Limits {
                entries: 128,
                value: 64,
            },
            set: ochre_ds::set::Limits {
                ints: 512,
                entries: 128,
                value: 64,
            },
            zset: ochre_ds::zset::Limits {
                entries: 128,
                value: 64,
            },
            list: ochre_ds::list::Limits::default(),
        },
        seed: 7,
    }
}

/// The string that a body holds.
fn load_text(body: &[u8], max: usize) -> Result<Vec<u8>, LoadError> {
    match load(body, &conditions(max))? {
        Restored::String(text) => Ok(text.text(&mut itoa::Buffer::new()).to_vec()),
        Restored::Collection(_) => Err(LoadError::Full),
    }
}

fn sealed(body: &[u8]) -> Vec<u8> {
    let mut payload = body.to_vec();
    seal(&mut payload);
    payload
}

const MAX: usize = 512 << 20;

#[test]
fn payloads_are_those_of_redis() {
    for (value, payload) in DUMPED {
        assert_eq!(
            dump_string(value, true),
            *payload,
            "{}",
            value.escape_ascii()
        );
    }
}

#[test]
fn what_is_dumped_loads() {
    let odd = (0..40_000u32).map(|i| (i * i % 251).to_le_bytes()[0]);
    let odd: Vec<u8> = odd.collect();
    for len in [0, 1, 11, 20, 21, 63, 64, 16_383, 16_384, 40_000] {
        for value in [odd[..len].to_vec(), vec![b'a'; len]] {
            for compress in [false, true] {
                let payload = dump_string(&value, compress);
                let body = verified(&payload).expect("a good footer");
                assert_eq!(load_text(body, MAX), Ok(value.clone()), "{len}");
            }
        }
    }
}

#[test]
fn lengths_round_trip() {
    for length in [
        0,
        63,
        64,
        0x3FFF,
        0x4000,
        0xFFFF_FFFF,
        0x1_0000_0000,
        usize::MAX,
    ] {
        let mut bytes = Vec::new();
        write::length(&mut bytes, length);
        assert_eq!(Reader::new(&bytes).length(), Ok(Length::Of(length)));
    }
    for bad in [
        b"".as_slice(),
        b"\x40",
        b"\x80\0\0\0",
        b"\x81\0",
        b"\x82\0\0\0\0",
    ] {
        assert_eq!(Reader::new(bad).length(), Err(BadData), "{bad:?}");
    }
}

#[test]
fn a_footer_is_checked() {
    let good = sealed(b"\x00\x03abc");
    assert_eq!(verified(&good), Some(b"\x00\x03abc".as_slice()));
    for len in 0..good.len() {
        assert_eq!(verified(&good[..len]), None);
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(verified(&bad), None, "byte {at}");
    }
    for (version, accepted) in [(0u16, true), (9, true), (12, true), (13, false)] {
        let mut payload = b"\x00\x03abc".to_vec();
        payload.extend_from_slice(&version.to_le_bytes());
        payload.extend_from_slice(&crc64(0, &payload).to_le_bytes());
        assert_eq!(verified(&payload).is_some(), accepted, "{version}");
    }
}

#[test]
fn bad_bodies_are_refused() {
    for body in [
        b"".as_slice(),
        b"\x00",
        b"\x15\x01\x01a",
        b"\x80\x03abc",
        b"\x00\x05abc",
        b"\x00\x40abc",
        b"\x00\xc0",
        b"\x00\xc1\x01",
        b"\x00\xc2\x01\x02\x03",
        b"\x00\xc4abc",
        b"\x00\xc3\xc0\x05\x0a",
        b"\x00\xc3\x05\x0a\x00aa\xff\x00",
        b"\x00\xc3\x20\x0a\x00a",
        b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xffabc",
        b"\x00\xc3\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
        // Claims 4 GB from five bytes.
        b"\x00\xc3\x05\x81\0\0\0\x01\0\0\0\0\0aa\xff\0",
    ] {
        let loaded = load_text(body, MAX);
        assert_eq!(loaded, Err(LoadError::BadData), "{}", body.escape_ascii());
    }
    assert_eq!(load_text(b"\x00\x03abc", 2), Err(LoadError::BadData));
    let packed = dump_string(&[b'a'; 1000], true);
    let body = verified(&packed).expect("a good footer");
    assert_eq!(load_text(body, 999), Err(LoadError::BadData));
    assert!(load_text(body, 1000).is_ok());
}

#[test]
fn digests_are_those_of_redis() {
    use digest::{DatabaseSum, combine, hex, key_digest, value_digest};
    let string = |v| Value::String(Str::Inline(v));
    let value = |v, expires| hex(&value_digest(string(v), expires));
    assert_eq!(
        value(b"1", false),
        "b4fc66738120fba0b5aa500ab5c2bf89cea1c5da"
    );
    assert_eq!(
        value(b"hello", true),
        "d037c4eb8a8b36b602fbced4000daeab0714c1e3"
    );
    let (mut zero, mut three) = (DatabaseSum::default(), DatabaseSum::default());
    zero.add(&key_digest(b"b", string(b"hello"), true));
    zero.add(&key_digest(b"a", string(b"1"), false));
    three.add(&key_digest(b"a", string(b"1"), false));
    three.add(&key_digest(b"", string(b""), true));
    let all = combine([(0, zero), (1, DatabaseSum::default()), (3, three)]);
    assert_eq!(hex(&all), "5e0688f0084126cfe7483e42e6abccf46dbb250d");
    assert_eq!(hex(&combine([])), "0".repeat(40));
}

#[test]
fn digests_of_collections_are_those_of_redis() {
    use digest::{ValueSum, hex};
    let mut list = ValueSum::of_value();
    list.begin_list();
    [b"a", b"1", b"b"].iter().for_each(|i| list.item(*i));
    let mut set = ValueSum::of_value();
    set.begin_set();
    [b"b", b"a", b"1"].iter().for_each(|m| set.member(*m));
    let mut zset = ValueSum::of_value();
    zset.begin_zset();
    let scored = [
        (b"a", 1.0),
        (b"b", 0.1),
        (b"c", f64::INFINITY),
        (b"d", 1e17),
        (b"e", 0.0),
    ];
    scored.iter().for_each(|(m, s)| zset.scored(*m, *s));
    let mut minus = ValueSum::of_value();
    minus.begin_zset();
    minus.scored(b"e", -0.0);
    let mut fields = ValueSum::of_value();
    fields.begin_hash();
    fields.pair(b"b", b"x");
    fields.pair(b"a", b"1");
    for (sum, expires, expected) in [
        (list, false, "d5f44352f6226abea9252dad248ef5de0d964396"),
        (set, false, "e8f32bbb1ad9bf537c8867de4f19fec9e001296d"),
        (zset, false, "c96056ce69a9e818f42980571e3348b60f8f214f"),
        (minus, false, "dd4dfe7bf33d0446df30311ce4ce7cdddcf54b73"),
        (fields, true, "eca4e809c9fc9db11073b5b97ff5fa1ae3bae21e"),
    ] {
        assert_eq!(hex(&sum.finish(expires)), expected);
    }
}

/// Splitmix64.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((z ^ z >> 31) >> 33).expect("31 bits")
}

/// `OCHRE_SEED`, or one of the clock; printed either way.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = std::env::var("OCHRE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| u64::from(now.expect("after 1970").subsec_nanos()));
    println!("OCHRE_SEED={seed}");
    seed
}

#[test]
fn damaged_bodies_do_no_harm() {
    let mut state = seed();
    for _ in 0..20_000 {
        let value: Vec<u8> = match next(&mut state) % 3 {
            0 => next(&mut state).to_string().into_bytes(),
            1 => vec![b'a'; next(&mut state) % 300],
            _ => (0..next(&mut state) % 80)
                .map(|_| next(&mut state).to_le_bytes()[0])
                .collect(),
        };
        let payload = dump_string(&value, true);
        let mut body = verified(&payload).expect("a good footer").to_vec();
        for _ in 0..1 + next(&mut state) % 3 {
            let at = next(&mut state) % body.len();
            body[at] = next(&mut state).to_le_bytes()[0];
        }
        body.truncate(next(&mut state) % (body.len() + 1));
        // A run of LZF yields at most 88 times its length, so no damage can ask for more.
        if let Ok(loaded) = load_text(&body, MAX) {
            assert!(loaded.len() <= body.len().max(1) * 88);
        }
    }
}
