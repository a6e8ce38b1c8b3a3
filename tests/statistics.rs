//! What INFO counts of requests: keys found and missed, changes, requests refused and failed, errors by their codes; as
//! in a running Redis.

use ochre_testkit::reference::{self, Wire};
use ochre_testkit::waiting::figure;

const OURS: &str = env!("CARGO_BIN_EXE_ochre-server");

/// What is there before each request of [`FIGURES`].
const DATA: &[&str] = &[
    "SET str 5",
    "MSET w_1 2 w_2 1",
    "RPUSH l a b c",
    "RPUSH n 1 2",
    "HSET h f 1",
    "SADD s a b c",
    "ZADD z 1 a 2 b 3 c",
];

/// Requests, and by how much they change hits, misses and changes.
const FIGURES: &[(&str, [u64; 3])] = &[
    ("GET str", [1, 0, 0]),
    ("MGET str none", [1, 1, 0]),
    ("LLEN str", [1, 0, 0]),
    ("GETDEL str", [1, 0, 1]),
    ("GETDEL none", [0, 1, 0]),
    ("GETDEL l", [1, 0, 0]),
    ("GETEX str", [1, 0, 0]),
    ("GETEX none PERSIST", [0, 1, 0]),
    ("GETSET str v", [1, 0, 1]),
    ("SET none v GET", [0, 1, 1]),
    ("SET str v", [0, 0, 1]),
    ("INCR str", [0, 0, 1]),
    ("BITOP AND d str none", [1, 1, 1]),
    ("BITOP NOT d str", [1, 0, 1]),
    ("BITFIELD str GET u8 0", [1, 0, 0]),
    ("BITFIELD str SET u8 0 1 SET u8 8 2", [0, 0, 2]),
    ("BITFIELD_RO str SET u8 0 1", [0, 0, 0]),
    ("GETBIT str x", [0, 0, 0]),
    ("COPY l d", [1, 0, 1]),
    ("COPY none d", [0, 1, 0]),
    ("COPY l s", [1, 0, 0]),
    ("RENAME l d", [0, 0, 1]),
    ("SORT n", [1, 0, 0]),
    ("SORT none", [0, 1, 0]),
    ("SORT str", [1, 0, 0]),
    ("SORT l", [1, 0, 0]),
    ("SORT n BY w_*", [3, 0, 0]),
    ("SORT n BY w_* GET w_* GET miss_* GET #", [5, 2, 0]),
    ("SORT n BY h_*->f", [1, 2, 0]),
    ("SORT_RO n GET w_*", [3, 0, 0]),
    ("SORT_RO n STORE d", [0, 0, 0]),
    ("SORT l ALPHA STORE d", [1, 0, 3]),
    ("SORT none STORE l", [0, 1, 1]),
    ("LMOVE l d LEFT LEFT", [0, 0, 1]),
    ("RPOPLPUSH l l", [0, 0, 1]),
    ("LRANGE l x 1", [0, 0, 0]),
    ("LPOS l a RANK 0", [0, 0, 0]),
    ("HRANDFIELD h x", [0, 0, 0]),
    ("HSCAN h x", [0, 0, 0]),
    ("SINTER s none", [1, 1, 0]),
    ("SINTER str s", [1, 0, 0]),
    ("SINTERSTORE d s none", [1, 1, 0]),
    ("SUNIONSTORE d s none", [1, 1, 1]),
    ("SUNIONSTORE s s none", [1, 1, 1]),
    ("ZUNIONSTORE d 2 z none", [1, 1, 1]),
    ("ZUNIONSTORE d x z none", [0, 0, 0]),
    ("ZRANGESTORE d z 0 1", [1, 0, 1]),
    ("ZRANGESTORE d none 0 1", [0, 1, 0]),
    ("ZPOPMIN z", [0, 0, 1]),
    ("ZPOPMIN z 3", [0, 0, 3]),
    ("ZREMRANGEBYRANK z 0 1", [0, 0, 2]),
    ("ZREMRANGEBYSCORE z -inf inf", [0, 0, 3]),
    ("LREM l 0 a", [0, 0, 1]),
    ("SPOP s 2", [0, 0, 2]),
];

fn ask(wire: &mut Wire, line: &str) -> String {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let reply = wire.call(&words).expect("a reply");
    String::from_utf8_lossy(&reply).into_owned()
}

/// Runs `scene` with a connection to Ochre, and to each Redis that is there.
fn everywhere(scene: impl Fn(&mut Wire)) {
    reference::everywhere(OURS, &[], |running| {
        let address = running.address.to_string();
        scene(&mut Wire::connect(&address).expect("a connection"));
    });
}

fn figures(wire: &mut Wire) -> [u64; 3] {
    let info = ask(wire, "INFO everything");
    [
        "keyspace_hits",
        "keyspace_misses",
        "rdb_changes_since_last_save",
    ]
    .map(|name| figure(&info, name))
}

#[test]
fn hits_misses_and_changes() {
    everywhere(|wire| {
        for (line, expected) in FIGURES {
            ask(wire, "FLUSHALL");
            for line in DATA {
                ask(wire, line);
            }
            let before = figures(wire);
            let reply = ask(wire, line);
            let after = figures(wire);
            let found: Vec<u64> = after.iter().zip(before).map(|(a, b)| a - b).collect();
            assert_eq!(found, expected, "{line}: {reply}");
        }
    });
}

/// Requests after which these lines are in INFO.
const FAILURES: &[(&[&str], &[&str])] = &[
    (&["GET"], &["cmdstat_get:rejected_calls=1,failed_calls=0"]),
    (
        &["CONFIG GET"],
        &["cmdstat_config|get:rejected_calls=1,failed_calls=0"],
    ),
    (
        &["MULTI", "LPOP", "COMMAND FOO", "EXEC"],
        &[
            "cmdstat_lpop:rejected_calls=1,failed_calls=0",
            "errorstat_EXECABORT:count=1",
        ],
    ),
    (
        &["SET str v", "EVAL return(redis.call('lpush','str','a')) 0"],
        &[
            "cmdstat_eval:rejected_calls=0,failed_calls=1",
            "cmdstat_lpush:rejected_calls=0,failed_calls=1",
            "errorstat_WRONGTYPE:count=1",
            "total_error_replies:1",
        ],
    ),
    (
        &[
            "SET str v",
            "EVAL return({redis.pcall('lpush','str','a')}) 0",
        ],
        &[
            "cmdstat_eval:rejected_calls=0,failed_calls=1",
            "total_error_replies:1",
        ],
    ),
    (
        &[
            "SET str v",
            "EVAL redis.pcall('lpush','str','a')return(1) 0",
        ],
        &[
            "cmdstat_eval:rejected_calls=0,failed_calls=0",
            "total_error_replies:1",
        ],
    ),
    (
        &["EVAL return({1,{err='MY'}}) 0"],
        &["cmdstat_eval:rejected_calls=0,failed_calls=1"],
    ),
    (
        &[
            "EVAL return(redis.error_reply('MY\\032err')) 0",
            "EVAL return(1) 0",
        ],
        &[
            "cmdstat_eval:rejected_calls=0,failed_calls=1",
            "errorstat_MY:count=1",
            "total_error_replies:1",
        ],
    ),
    (
        &["EVAL return({err='x'}) 0"],
        &["errorstat_ERR:count=1", "total_error_replies:1"],
    ),
    (
        &[
            "EVAL return(redis.call('lpush')) 0",
            "EVAL_RO return(redis.call('lpush','l','a')) 0",
        ],
        &[
            "cmdstat_lpush:rejected_calls=2,failed_calls=0",
            "cmdstat_eval:rejected_calls=0,failed_calls=1",
            "cmdstat_eval_ro:rejected_calls=0,failed_calls=1",
        ],
    ),
    (
        &["MULTI", "EVAL return(redis.call('foo')) 0", "PING", "EXEC"],
        &[
            "cmdstat_eval:rejected_calls=0,failed_calls=1",
            "cmdstat_ping:rejected_calls=0,failed_calls=0",
            "cmdstat_exec:rejected_calls=0,failed_calls=0",
        ],
    ),
];

/// A line of INFO without what differs from run to run.
fn told(line: &str) -> String {
    match (line.split_once(':'), line.find("rejected_calls")) {
        (Some((name, _)), Some(at)) => format!("{name}:{}", &line[at..]),
        _ => line.to_owned(),
    }
}

#[test]
fn refusals_failures_and_errors() {
    everywhere(|wire| {
        for (lines, expected) in FAILURES {
            ask(wire, "FLUSHALL");
            ask(wire, "CONFIG RESETSTAT");
            for line in *lines {
                ask(wire, line);
            }
            let info = ask(wire, "INFO everything");
            let there: Vec<String> = info.lines().map(told).collect();
            for line in *expected {
                assert!(
                    there.iter().any(|t| t == line),
                    "{lines:?}: {line} in {info}"
                );
            }
        }
    });
}
