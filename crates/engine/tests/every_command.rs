//! Every command of the table inside a transaction, where the stripes are held from the first request to the last.
//!
//! Debug builds panic when a thread that holds stripes waits for another in a way that the lock plan does not know
//! (`keyspace/guard.rs`); so this finds a command that reaches for the keyspace past the stripes it is lent.

use ochre_engine::commands::FAMILIES;
use ochre_resp::{Frame, Protocol};
use ochre_testkit::grammar::{Grammar, Limits};
use ochre_testkit::rng::Rng;
use ochre_testkit::{Connection, InProcess};

/// Transactions with each command.
const ROUNDS: usize = 8;
/// What a transaction may not hold, and what begins it, ends it or leaves it.
const NOT_QUEUED: [&str; 6] = ["quit", "reset", "discard", "exec", "multi", "watch"];
/// Requests that are drawn before one of the command wanted has to be there.
const DRAWS: usize = 100_000;
/// What the grammar mixes in, so that there are values.
const FILLERS: [&str; 5] = ["set", "rpush", "hset", "sadd", "zadd"];
/// Subcommands of DEBUG that end nothing and wait for nothing.
const HARMLESS: [&[u8]; 10] = [
    b"digest",
    b"digest-value",
    b"htstats",
    b"htstats-key",
    b"listpack",
    b"object",
    b"protocol",
    b"sdslen",
    b"set-active-expire",
    b"stringmatch-len",
];

/// Whose outcome is the end of the test's process, connection or time.
fn is_out_of_place(args: &[Vec<u8>]) -> bool {
    let word = |at: usize| args.get(at).map_or(Vec::new(), |a| a.to_ascii_lowercase());
    match &word(0)[..] {
        b"shutdown" => true,
        b"debug" => !HARMLESS.contains(&&word(1)[..]),
        b"client" => matches!(&word(1)[..], b"pause" | b"kill" | b"reply"),
        _ => false,
    }
}

fn shown(request: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&request.join(&b' ')).into_owned()
}

fn is_of(name: &str, args: &[Vec<u8>]) -> bool {
    let words = name.split('|').zip(args);
    words.fold(true, |same, (word, arg)| {
        same && word.as_bytes().eq_ignore_ascii_case(arg)
    })
}

/// Whether the requests came to run.
fn transaction(connection: &mut Connection, requests: &[Vec<Vec<u8>>]) -> bool {
    connection.begin(&[b"MULTI"]);
    for request in requests {
        connection.begin(request);
    }
    let reply = connection.begin(&[b"EXEC"]);
    matches!(reply, Some(Frame::Array(replies)) if replies.len() == requests.len())
}

#[test]
fn every_command_keeps_to_the_stripes_of_its_transaction() {
    let limits = Limits {
        damaged: 0,
        ..Limits::default()
    };
    let seed = std::env::var("OCHRE_SEED").map_or(2026, |seed| seed.parse().expect("a number"));
    eprintln!("OCHRE_SEED={seed}");
    let mut rng = Rng::seeded(seed);
    let all = Grammar::new(FAMILIES, None, limits.clone(), |_| true);
    let mut never = Vec::new();
    for name in all.names().collect::<Vec<_>>() {
        let grammar = Grammar::new(FAMILIES, None, limits.clone(), |known: &str| {
            name == known || name.starts_with(&format!("{known}|")) || FILLERS.contains(&known)
        });
        let server = InProcess::default();
        let mut connection = server.connect(Protocol::Resp3);
        let mut ran = false;
        for _ in 0..ROUNDS {
            let drawn = std::iter::repeat_with(|| grammar.request(&mut rng).args);
            let Some(request) = drawn.take(DRAWS).find(|args| is_of(&name, args)) else {
                panic!("the grammar never draws {name}");
            };
            if is_out_of_place(&request) {
                ran = true;
                continue;
            }
            let mut draw = || all.request(&mut rng).args;
            let others = std::iter::repeat_with(&mut draw).filter(|args| !is_out_of_place(args));
            let [before, behind]: [_; 2] =
                others.take(2).collect::<Vec<_>>().try_into().expect("two");
            // Alone too, for others may not be allowed there.
            for requests in [vec![before, request.clone(), behind], vec![request]] {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    transaction(&mut connection, &requests)
                }));
                let Ok(done) = outcome else {
                    panic!(
                        "{:#?}",
                        requests.iter().map(|r| shown(r)).collect::<Vec<_>>()
                    );
                };
                ran |= done;
                if connection.session.closing || !done {
                    connection = server.connect(Protocol::Resp3);
                }
            }
        }
        if !ran {
            never.push(name);
        }
    }
    assert_eq!(never, NOT_QUEUED, "what never ran in a transaction");
}
