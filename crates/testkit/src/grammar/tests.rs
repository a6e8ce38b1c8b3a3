use super::*;
use ochre_engine::spec::{Categories, Flags, Group, key, numkeys};

fn nothing(
    _: &mut ochre_engine::exec::WriteCx<'_>,
    _: ochre_resp::Request<'_>,
) -> ochre_engine::spec::Outcome {
    Ok(())
}

const COMMANDS: &[Command] = &[
    Command {
        name: "put",
        group: Group::String,
        arity: -3,
        flags: Flags::DENYOOM,
        categories: Categories::STRING,
        keys: &[key(1).overwrite()],
        args: &[
            Arg::key("key"),
            Arg::string("value"),
            Arg::one_of(
                "expiration",
                &[
                    Arg::integer("seconds").token("EX"),
                    Arg::word("future", "FUTURETTL").since("9.9.9"),
                ],
            )
            .optional(),
        ],
        run: Run::Write(nothing),
        ..Command::NEW
    },
    Command {
        name: "mput",
        group: Group::Generic,
        arity: -4,
        keys: &[numkeys(1).overwrite()],
        args: &[
            Arg::integer("numkeys"),
            Arg::block("data", &[Arg::key("key"), Arg::string("value")]).multiple(),
        ],
        run: Run::Write(nothing),
        ..Command::NEW
    },
];

fn requests(limits: Limits, group: Option<&str>, seed: u64) -> Vec<Generated> {
    let grammar = Grammar::new(&[COMMANDS], group, limits, |_| true);
    let mut rng = Rng::seeded(seed);
    (0..5_000).map(|_| grammar.request(&mut rng)).collect()
}

#[test]
fn undamaged_requests_follow_the_grammar() {
    let limits = Limits {
        damaged: 0,
        version: Version(7, 0, 15),
        ..Limits::default()
    };
    for g in requests(limits, None, 1) {
        let args = g.args;
        match args[0].to_ascii_lowercase().as_slice() {
            b"put" => assert!(
                args.len() == 3 || args.len() == 5 && args[3].eq_ignore_ascii_case(b"EX"),
                "{args:?}"
            ),
            b"mput" => {
                let keys = ochre_resp::parse_i64(&args[1]).expect("a count");
                assert_eq!(args.len() as i64, 2 + 2 * keys);
            }
            _ => panic!("{args:?}"),
        }
    }
}

#[test]
fn a_seed_is_reproducible_and_nothing_is_newer_than_the_limit() {
    let limits = Limits {
        version: Version(7, 0, 15),
        ..Limits::default()
    };
    let all = requests(limits.clone(), Some("string"), 3);
    assert_eq!(all, requests(limits, Some("string"), 3));
    let newer = |a: &Vec<u8>| a.eq_ignore_ascii_case(b"FUTURETTL");
    assert!(!all.iter().any(|g| g.args.iter().any(newer)));
}

#[test]
fn no_time_is_near_after_damage() {
    for g in requests(
        Limits {
            damaged: 100,
            ..Limits::default()
        },
        Some("string"),
        5,
    ) {
        for pair in g.args.windows(2) {
            if pair[0].eq_ignore_ascii_case(b"EX") {
                let near = ochre_resp::parse_i64(&pair[1]).filter(|n| (1..1_000_000).contains(n));
                assert_eq!(near, None, "{:?}", g.args);
            }
        }
    }
}

#[test]
fn bytes_drive_the_grammar_to_an_end() {
    let grammar = Grammar::new(&[COMMANDS], None, Limits::default(), |_| true);
    for seed in 0..200 {
        let mut rng = Rng::seeded(seed);
        let bytes: Vec<u8> = (0..rng.below(100)).map(|_| rng.byte()).collect();
        let mut rng = Rng::of_bytes(&bytes);
        while !rng.is_spent() {
            assert!(!grammar.request(&mut rng).args.is_empty());
        }
    }
}
