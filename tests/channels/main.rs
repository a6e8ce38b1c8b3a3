//! Messages of pipelines, from outside: what is published together arrives and is answered as if it came one by one, which
//! a running Redis says.

use ochre::Server;
use ochre_testkit::grammar::Rng;
use ochre_testkit::reference::{Reference, Release, Wire};

/// Pipelines of a run.
const PIPELINES: usize = 60;
/// Requests of a pipeline: more than are looked at together.
const REQUESTS: usize = 60;

type Words = Vec<Vec<u8>>;

fn words(texts: &[&str]) -> Words {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A request among others: mostly messages, often several in a row to one channel.
fn request(random: &mut Rng, channel: &mut &'static str, n: usize) -> Words {
    if random.below(5) == 0 {
        *channel = ["a", "b", "nobody"][random.index(3)];
    }
    let text = match random.below(12) {
        0 => String::new(),
        1 => "long".repeat(100 + random.index(1900)),
        _ => format!("{n}\r\n{}", "x".repeat(random.index(100))),
    };
    match random.below(24) {
        0 => words(&["PUBLISH", channel]),
        1 => words(&["PUBLISH", channel, &text, "more"]),
        2 => words(&["INCR", "counter"]),
        3 => words(&["NOSUCHCOMMAND"]),
        4 => words(&["MULTI"]),
        5 => words(&["EXEC"]),
        6 => words(&[
            "EVAL",
            "return redis.call('PUBLISH', ARGV[1], 'of a script')",
            "0",
            channel,
        ]),
        7 => words(&["CLIENT", "REPLY", "SKIP"]),
        8..=11 => words(&["SPUBLISH", channel, &text]),
        _ => words(&["PUBLISH", channel, &text]),
    }
}

/// Who listens how, from which pipeline on.
const LISTENERS: &[(&[&str], usize)] = &[
    (&["SUBSCRIBE", "a"], 0),
    (&["SUBSCRIBE", "a", "b"], 0),
    (&["SSUBSCRIBE", "a"], 0),
    (&["PSUBSCRIBE", "*"], PIPELINES * 2 / 3),
];

/// What a listener received. What waits when it asks for the first time is sent behind the answer.
fn received(wire: &mut Wire) -> std::io::Result<Words> {
    let mut frames = Vec::new();
    for _ in 0..2 {
        frames.extend(wire.until(&["PING", "so far"], |frame| {
            frame.ends_with(b"$6\r\nso far\r\n")
        })?);
    }
    Ok(frames)
}

/// What everybody received, pipeline by pipeline. Who publishes may be `restricted` to some of the channels.
fn play(address: &str, seed: u64, restricted: bool) -> std::io::Result<Vec<Words>> {
    let mut random = Rng::seeded(seed);
    let mut talker = Wire::connect(address)?;
    if restricted {
        talker.call(&[
            "ACL", "SETUSER", "talker", "on", "nopass", "+@all", "~*", "&a", "&nobody",
        ])?;
        talker.call(&["AUTH", "talker", ""])?;
    }
    let mut listeners: Vec<Wire> = Vec::new();
    let mut heard = Vec::new();
    let mut channel = "a";
    for pipeline in 0..PIPELINES {
        for (how, _) in LISTENERS.iter().filter(|(_, from)| *from == pipeline) {
            let mut wire = Wire::connect(address)?;
            if listeners.len() == 1 {
                wire.call(&["HELLO", "3"])?;
            }
            wire.send(&[words(how)])?;
            // The confirmations.
            received(&mut wire)?;
            listeners.push(wire);
        }
        let mut requests: Vec<Words> = (0..REQUESTS)
            .map(|n| request(&mut random, &mut channel, n))
            .collect();
        requests.push(words(&["DISCARD"]));
        requests.push(words(&["CLIENT", "REPLY", "ON"]));
        talker.send(&requests)?;
        heard.push(talker.until(&["ECHO", "end"], |frame| frame == b"$3\r\nend\r\n")?);
        for listener in &mut listeners {
            heard.push(received(listener)?);
        }
    }
    Ok(heard)
}

fn as_redis_says(release: Release) {
    let reference = match Reference::start(release, &[]) {
        Ok(Some(reference)) => reference,
        Ok(None) => return eprintln!("skipped: there is no Redis to compare with"),
        Err(error) => panic!("Redis does not start: {error}"),
    };
    let seed = std::env::var("OCHRE_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    for seed in seed.map_or(1..=4, |seed: u64| seed..=seed) {
        let server = Server::builder()
            .port(0)
            .workers(2)
            .start()
            .expect("a server");
        let address = server.address().expect("a port").to_string();
        // The texts of refusals are those of 8.2.
        let restricted = release == Release::V82 && seed.is_multiple_of(2);
        let ours = play(&address, seed, restricted).expect("answers");
        let theirs = play(&reference.address.to_string(), seed, restricted).expect("answers");
        let differ = ours
            .iter()
            .zip(&theirs)
            .position(|(ours, theirs)| ours != theirs);
        if let Some(at) = differ {
            let show = |frames: &Words| {
                let texts = frames
                    .iter()
                    .map(|f| String::from_utf8_lossy(f).into_owned());
                texts.collect::<Vec<_>>()
            };
            let (ours, theirs) = (show(&ours[at]), show(&theirs[at]));
            let first = ours
                .iter()
                .zip(&theirs)
                .position(|(ours, theirs)| ours != theirs);
            panic!("seed {seed}, list {at}, frame {first:?}\n{ours:?}\n{theirs:?}");
        }
        assert_eq!(ours.len(), theirs.len());
        reference
            .connect()
            .and_then(|mut wire| wire.call(&["FLUSHALL"]))
            .expect("an answer");
    }
}

#[test]
fn pipelines_of_messages_as_in_redis_7_0() {
    as_redis_says(Release::V70);
}

#[test]
fn pipelines_of_messages_as_in_redis_8_2() {
    as_redis_says(Release::V82);
}
