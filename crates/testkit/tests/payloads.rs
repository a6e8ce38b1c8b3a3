//! Collections go to and fro as payloads between Ochre and Redis 7.0, and 8.2 if it is there.
//!
//! Every type, small and large, at several thresholds: each side loads what the other dumps as the same value, and
//! what has a packed form in Redis 7.0 is dumped byte for byte as there. `OCHRE_SEED` sets another seed.

use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol};
use ochre_testkit::grammar::Rng;
use ochre_testkit::reference::{Reference, Release, Wire};
use ochre_testkit::{Connection, InProcess};

/// Values per reference.
const VALUES: usize = 250;

struct Sides {
    release: Release,
    redis: Wire,
    ochre: Connection,
}

fn frame(bytes: &[u8]) -> Frame {
    let decoded = FrameDecoder::new(FrameLimits::default()).decode(bytes);
    let frame = decoded.ok().and_then(|progress| progress.frame);
    frame.unwrap_or_else(|| panic!("no frame: {}", bytes.escape_ascii()))
}

impl Sides {
    fn redis(&mut self, args: &[&[u8]]) -> Frame {
        frame(&self.redis.call(args).expect("a reference that answers"))
    }

    fn ochre(&mut self, args: &[&[u8]]) -> Frame {
        self.ochre.run(args)
    }

    fn both(&mut self, args: &[&[u8]]) {
        let ok = Frame::Simple(b"OK".to_vec());
        assert_eq!(self.redis(args), ok);
        assert_eq!(self.ochre(args), ok);
    }
}

fn payload(reply: Frame) -> Vec<u8> {
    match reply {
        Frame::Bulk(payload) => payload,
        other => panic!("DUMP gives a payload, not {other:?}"),
    }
}

/// A string of one of the sorts that are stored differently.
fn text(rng: &mut Rng, longest: usize) -> Vec<u8> {
    match rng.index(6) {
        0 => rng.range(-300, 300).to_string().into_bytes(),
        1 => rng.bits().cast_signed().to_string().into_bytes(),
        2 => vec![b'x'; rng.index(longest)],
        3 => (0..rng.index(30)).map(|_| rng.byte()).collect(),
        4 => (0..rng.index(longest)).map(|_| rng.byte()).collect(),
        _ => format!("element:{}", rng.below(100_000)).into_bytes(),
    }
}

fn score(rng: &mut Rng) -> Vec<u8> {
    // Not minus zero: packed forms lose its sign, in Redis too.
    const ODD: &[&str] = &["inf", "-inf", "4611686018427387904", "1e20", "5e-324"];
    match rng.index(4) {
        0 => rng.range(-100, 100).to_string().into_bytes(),
        1 => rng.bits().cast_signed().to_string().into_bytes(),
        2 => format!("{}", rng.range(-1_000_000, 1_000_000) as f64 / 7919.0).into_bytes(),
        _ => rng.pick(ODD).as_bytes().to_vec(),
    }
}

/// A command that makes some collection at `k`.
fn collection(rng: &mut Rng) -> Vec<Vec<u8>> {
    let count = *rng.pick(&[1, 2, 5, 40, 100, 129, 200, 513, 700, 2000]);
    let longest = match count {
        0..=5 => *rng.pick(&[10, 60, 100, 20_000]),
        6..=100 => *rng.pick(&[10, 60, 100, 2000]),
        _ => *rng.pick(&[10, 60, 100]),
    };
    let name = *rng.pick(&["RPUSH", "SADD", "SADD ints", "ZADD", "HSET"]);
    let mut words = vec![name.as_bytes()[..4].to_vec(), b"k".to_vec()];
    if name == "RPUSH" {
        words[0] = b"RPUSH".to_vec();
    }
    let width = *rng.pick(&[100, 40_000, i64::MAX / 2]);
    for _ in 0..count {
        match name {
            "SADD ints" => words.push(rng.range(-width, width).to_string().into_bytes()),
            "ZADD" => words.extend([score(rng), text(rng, longest)]),
            "HSET" => words.extend([text(rng, longest), text(rng, longest)]),
            _ => words.push(text(rng, longest)),
        }
    }
    words
}

fn settings(sides: &mut Sides, rng: &mut Rng) {
    for (name, values) in [
        ("rdbcompression", &["yes", "no"][..]),
        ("list-max-listpack-size", &["-1", "-2", "-5", "3", "128"]),
        ("hash-max-listpack-entries", &["4", "128", "512"]),
        ("hash-max-listpack-value", &["16", "64"]),
        ("zset-max-listpack-entries", &["4", "128"]),
        ("set-max-intset-entries", &["4", "512"]),
    ] {
        let value = *rng.pick(values);
        sides.both(&[b"CONFIG", b"SET", name.as_bytes(), value.as_bytes()]);
    }
}

fn to_and_fro(sides: &mut Sides, make: &[Vec<u8>]) {
    let what = String::from_utf8_lossy(&make[0]).into_owned();
    let make: Vec<&[u8]> = make.iter().map(Vec::as_slice).collect();
    sides.redis(&[b"DEL", b"k"]);
    let made = sides.redis(&make);
    assert!(matches!(made, Frame::Integer(1..)), "{what}: {made:?}");
    let theirs = payload(sides.redis(&[b"DUMP", b"k"]));
    let show = || format!("{what}, {}", theirs[..theirs.len().min(300)].escape_ascii());

    let ok = Frame::Simple(b"OK".to_vec());
    let reply = sides.ochre(&[b"RESTORE", b"k", b"0", &theirs, b"REPLACE"]);
    assert_eq!(reply, ok, "{}", show());
    let ours = payload(sides.ochre(&[b"DUMP", b"k"]));
    let reply = sides.redis(&[b"RESTORE", b"back", b"0", &ours, b"REPLACE"]);
    assert_eq!(reply, ok, "{} came back", show());

    let digest = [b"DEBUG".as_slice(), b"DIGEST-VALUE", b"k"];
    let back = [b"DEBUG".as_slice(), b"DIGEST-VALUE", b"back"];
    let expected = sides.redis(&digest);
    assert_eq!(sides.redis(&back), expected, "{} came back", show());
    // The text of scores in digests is another one since Redis 7.2.
    if sides.release == Release::V70 || make[0] != b"ZADD" {
        assert_eq!(sides.ochre(&digest), expected, "{}", show());
    }
    match sides.release {
        Release::V70 => {
            let encoding = sides.redis(&[b"OBJECT", b"ENCODING", b"k"]);
            let packed =
                matches!(&encoding, Frame::Bulk(e) if e != b"hashtable" && e != b"skiplist");
            assert!(
                !packed || ours == theirs,
                "{}, not {}",
                show(),
                ours.escape_ascii()
            );
        }
        Release::V82 => {
            // What was made by other means may be kept otherwise.
            sides.redis(&[b"RESTORE", b"k", b"0", &theirs, b"REPLACE"]);
            let encoding = sides.redis(&[b"OBJECT", b"ENCODING", b"k"]);
            let kept = sides.ochre(&[b"OBJECT", b"ENCODING", b"k"]);
            assert_eq!(kept, encoding, "{}", show());
        }
    }
}

fn compare(release: Release) {
    let Some(reference) = Reference::start(release, &[]).expect("a reference server") else {
        eprintln!("skipped: no redis-server for {release:?}");
        return;
    };
    let seed = std::env::var("OCHRE_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(20_260_101);
    eprintln!("OCHRE_SEED={seed}");
    let server = InProcess::new(&[("enable-debug-command", "yes")]);
    let mut sides = Sides {
        release,
        redis: reference.connect().expect("a reference that listens"),
        ochre: server.connect(Protocol::Resp2),
    };
    let mut rng = Rng::seeded(seed);
    for round in 0..VALUES {
        if round % 10 == 0 {
            settings(&mut sides, &mut rng);
        }
        to_and_fro(&mut sides, &collection(&mut rng));
    }
}

#[test]
fn payloads_of_redis_7_0() {
    compare(Release::V70);
}

#[test]
fn payloads_of_redis_8_2() {
    compare(Release::V82);
}
