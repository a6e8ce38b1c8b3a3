use super::*;

fn words(text: &str) -> Vec<Vec<u8>> {
    text.split(' ').map(|w| w.as_bytes().to_vec()).collect()
}

fn kind(text: &str, making: &Making<'_>, weight: u64) -> Kind {
    Kind {
        name: text.to_owned(),
        template: Template::array(&words(text), making).expect("a template"),
        weight,
    }
}

fn fixed(size: usize, has_keys: bool) -> Making<'static> {
    Making {
        has_keys,
        sizes: Sizes {
            least: size,
            most: size,
        },
        data: b"abcdefghijklmnopqrstuvwxyz",
    }
}

fn sequential(space: u64) -> Keys {
    Keys::new(Distribution::Sequential, space, 1)
}

#[test]
fn one_request_is_patched_in_place() {
    let making = fixed(3, true);
    let kinds = [kind("SET key:__rand_int__ __data__", &making, 1)];
    let mut composer = Composer::new(&kinds, &making, sequential(1000), 2);
    let mut told = Vec::new();
    let sent = composer
        .compose(41, 2, |kind, n| told.push((kind, n)))
        .to_vec();
    assert_eq!(
        sent.escape_ascii().to_string(),
        "*3\\r\\n$3\\r\\nSET\\r\\n$16\\r\\nkey:000000000041\\r\\n$3\\r\\nabc\\r\\n\
         *3\\r\\n$3\\r\\nSET\\r\\n$16\\r\\nkey:000000000042\\r\\n$3\\r\\nabc\\r\\n"
    );
    assert_eq!(told, [(0, 2)]);
    let one = composer.compose(7, 1, |_, _| {});
    assert!(one.ends_with(b"key:000000000007\r\n$3\r\nabc\r\n"));
    assert_eq!(one.len(), sent.len() / 2);
}

#[test]
fn without_keys_place_holders_stay() {
    let making = fixed(3, false);
    let template = Template::array(&words("ZADD z __rand_score__ e:__rand_int__"), &making);
    let bytes = &template.expect("a template").segments[0].bytes;
    assert!(bytes.ends_with(b"$1\r\n0\r\n$14\r\ne:__rand_int__\r\n"));
}

#[test]
fn every_place_holder_gets_a_key_of_its_own() {
    let making = fixed(1, true);
    let kinds = [kind(
        "MSET a__rand_int__b__rand_int__ __data____data__",
        &making,
        1,
    )];
    let mut composer = Composer::new(&kinds, &making, sequential(100), 1);
    let sent = composer.compose(3, 1, |_, _| {});
    assert!(
        sent.ends_with(b"$26\r\na000000000006b000000000007\r\n$2\r\naa\r\n"),
        "{}",
        sent.escape_ascii()
    );
}

#[test]
fn sizes_vary_within_their_range() {
    let making = Making {
        sizes: Sizes { least: 2, most: 9 },
        ..fixed(0, true)
    };
    let kinds = [kind("SET k:__rand_int__ __data__", &making, 1)];
    let mut composer = Composer::new(&kinds, &making, sequential(10), 4);
    let mut seen = [0; 12];
    for number in 0..500 {
        let sent = composer.compose(number, 1, |_, _| {});
        let (frame, used) = decode(sent);
        assert_eq!(used, sent.len());
        assert!(making.data.starts_with(&frame[2]));
        assert!(used as u64 <= kinds[0].template.longest());
        seen[frame[2].len()] += 1;
    }
    assert!(seen[2..=9].iter().all(|&n| n > 20), "{seen:?}");
    assert_eq!(seen[..2].iter().chain(&seen[10..]).sum::<i32>(), 0);
}

/// The words of the first request of some bytes, and the length of it.
fn decode(bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let text = |at: usize| {
        let end = memchr::memchr(b'\r', &bytes[at..]).expect("a line") + at;
        let digits = std::str::from_utf8(&bytes[at + 1..end]).expect("digits");
        (digits.parse::<usize>().expect("a number"), end + 2)
    };
    let (count, mut at) = text(0);
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, begin) = text(at);
        words.push(bytes[begin..begin + length].to_vec());
        at = begin + length + 2;
    }
    (words, at)
}

#[test]
fn mixtures_follow_their_weights() {
    let making = fixed(2, true);
    let kinds = [
        kind("SET k:__rand_int__ __data__", &making, 1),
        kind("GET k:__rand_int__", &making, 3),
    ];
    let keys = Keys::new(Distribution::Uniform, 10, 5);
    let mut composer = Composer::new(&kinds, &making, keys, 8);
    let mut counts = [0_u32; 2];
    for number in 0..5000 {
        let mut told = Vec::new();
        let sent = composer
            .compose(number, 8, |kind, n| told.push((kind, n)))
            .to_vec();
        let mut at = 0;
        for (kind, n) in told {
            assert_eq!(n, 1);
            let (frame, used) = decode(&sent[at..]);
            assert_eq!(frame[0], [b"SET", b"GET"][usize::from(kind)].as_slice());
            counts[usize::from(kind)] += 1;
            at += used;
        }
        assert_eq!(at, sent.len());
    }
    let share = f64::from(counts[0]) / 40_000.0;
    assert!((share - 0.25).abs() < 0.01, "{share}");
}

#[test]
fn a_part_of_an_argument_cannot_vary() {
    let making = Making {
        sizes: Sizes { least: 2, most: 9 },
        ..fixed(0, true)
    };
    assert!(Template::array(&words("SET k x__data__"), &making).is_err());
}

#[test]
fn digits_are_written() {
    let mut place = *b"____________";
    for (number, text) in [
        (0, "000000000000"),
        (123_456_789_012, "123456789012"),
        (999_999_999_999, "999999999999"),
        (u64::MAX, "073709551615"),
    ] {
        write_digits(&mut place, number);
        assert_eq!(place, text.as_bytes());
    }
}

#[test]
fn data_is_printable_and_the_same() {
    let bytes = data(1000);
    assert!(bytes.iter().all(u8::is_ascii_uppercase));
    assert_eq!(bytes, data(1000));
}
