//! Requests of a window are looked up before any of them runs: what an earlier one, or somebody else, changes meanwhile must
//! not be taken for what it was.

use ochre_ds::random::Random;
use ochre_resp::{Protocol, split_args};
use ochre_testkit::{Connection, InProcess};

/// Requests that read keys, and that move, replace and remove them in every way that a place in memory depends on. `%`
/// is a key, `#` a database.
const LINES: &[&str] = &[
    "GET %",
    "GET %",
    "STRLEN %",
    "EXISTS %",
    "TYPE %",
    "SET % short",
    "SET % 12",
    "SET % a-value-that-is-longer-than-the-others-so-that-the-entry-moves-when-it-is-stored",
    "SETNX % new",
    "APPEND % more-and-more-and-more",
    "INCR %",
    "DEL %",
    "GETDEL %",
    "EXPIRE % 100",
    "PEXPIREAT % 1",
    "PERSIST %",
    "RPUSH % a b c",
    "LPOP %",
    "SADD % 1 2 3",
    "HSET % field value",
    "HGETALL %",
    "RENAME % %",
    "COPY % % REPLACE",
    "COPY % % DB # REPLACE",
    "MOVE % #",
    "SELECT #",
    "SWAPDB 0 1",
    "FLUSHDB",
    "FLUSHALL",
    "MULTI",
    "EXEC",
    "DISCARD",
];
const KEYS: u64 = 6;

fn line(random: &mut Random) -> String {
    let pattern = LINES[random.index(LINES.len())];
    let words = pattern.split(' ').map(|word| match word {
        "%" => format!("key{}", random.below(KEYS)),
        "#" => random.below(2).to_string(),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn words(line: &str) -> Vec<Vec<u8>> {
    split_args(line.as_bytes()).expect("matching quotes")
}

/// Ends a transaction, so that the next window begins as the one before.
fn settle(connection: &mut Connection) {
    connection.line("DISCARD");
}

#[test]
fn a_window_answers_as_its_requests_one_by_one() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (windows, singles) = (InProcess::default(), InProcess::default());
        let mut window = windows.connect(Protocol::Resp3);
        let mut single = singles.connect(Protocol::Resp3);
        for _ in 0..12 {
            let lines: Vec<String> = (0..16).map(|_| line(&mut random)).collect();
            let together = window.window(&lines.iter().map(|l| words(l)).collect::<Vec<_>>());
            let alone: Vec<_> = lines.iter().map(|l| single.line(l)).collect();
            assert_eq!(together, alone, "seed {seed}: {lines:#?}");
            settle(&mut window);
            settle(&mut single);
        }
    }
}
