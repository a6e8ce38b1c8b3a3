//! Scripts among other clients: nobody sees the middle of one, one that runs for long holds up only who wants its keys,
//! and it can be ended.

use crate::peers::{Client, Server};
use ochre_testkit::reference::Wire;
use ochre_testkit::rng::Rng;
use ochre_testkit::waiting::{PATIENCE, wait_until};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
/// Runs for as long as nobody stores something in its second key: never, as nobody can.
const UNTIL_KILLED: &str =
    "if ARGV[1] == 'go' then while true do redis.call('get', KEYS[1]) end end return 'waits'";

fn server() -> Server {
    Server::start(&[
        "--busy-reply-threshold",
        "30",
        "--worker-threads",
        "3",
        "--worker-threads-min",
        "3",
    ])
}

/// The answer to a request that may take long, in a thread of its own.
fn begin(server: &Server, words: &[&str]) -> JoinHandle<String> {
    let address = server.address();
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    thread::spawn(move || Client(Wire::connect(&address).expect("a connection")).ask(&words))
}

/// Ends what runs, once it can be ended.
fn kill(client: &mut Client, what: &str) {
    wait_until("something to end", || {
        let answer = client.ask(&[what, "KILL"]);
        assert!(
            answer == "+OK\r\n" || answer.starts_with("-NOTBUSY"),
            "{answer}"
        );
        answer == "+OK\r\n"
    });
}

/// A key in another stripe than `key`, so that a script on that one does not hold it.
fn elsewhere(client: &mut Client, held: &[&str]) -> String {
    (0..)
        .map(|n| format!("free:{n}"))
        .find(|key| client.ask(&["GET", key]) == "$-1\r\n")
        .unwrap_or_else(|| panic!("{held:?} hold everything"))
}

#[test]
fn a_script_that_runs_for_long_holds_its_own_keys_only() {
    let server = server();
    let mut client = server.connect();
    // Until it is known which keys it touches, it has all of them; so it is run once.
    let waits = client.ask(&["EVAL", UNTIL_KILLED, "1", "key", "no"]);
    assert_eq!(waits, "$5\r\nwaits\r\n");
    let running = begin(&server, &["EVAL", UNTIL_KILLED, "1", "key", "go"]);
    wait_until("the key to be held", || client.ask(&["GET", "key"]) == BUSY);
    let free = elsewhere(&mut client, &["key"]);
    for number in 0..200 {
        let text = number.to_string();
        let start = Instant::now();
        assert_eq!(client.ask(&["SET", &free, &text]), "+OK\r\n");
        assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
        // A second run on another key goes on beside the first one.
        let answer = client.ask(&["EVAL", UNTIL_KILLED, "1", &free, "no"]);
        assert_eq!(answer, "$5\r\nwaits\r\n");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    assert_eq!(client.ask(&["SET", "key", "x"]), BUSY);
    // What looks at the key, or at all keys, does not wait for the script's end either.
    for words in [
        &["WATCH", "key"][..],
        &["DBSIZE"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["RANDOMKEY"],
        &["INFO"],
        &["MEMORY", "STATS"],
        &["FLUSHALL"],
    ] {
        assert_eq!(client.ask(words), BUSY, "{words:?}");
    }
    assert!(client.ask(&["CLIENT", "LIST"]).contains("id="));
    assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
    assert_eq!(
        client.ask(&["SET", &free, "in a transaction"]),
        "+QUEUED\r\n"
    );
    assert_eq!(client.ask(&["EXEC"]), "*1\r\n+OK\r\n");
    kill(&mut client, "SCRIPT");
    let answer = running.join().expect("an answer");
    assert!(
        answer.starts_with("-ERR Error running script: Script killed by user")
            || answer.starts_with("-ERR Script killed by user"),
        "{answer}"
    );
    assert_eq!(client.ask(&["GET", "key"]), "$-1\r\n");
}

#[test]
fn what_is_to_be_ended_has_to_run_and_to_have_changed_nothing() {
    let server = server();
    let mut client = server.connect();
    for what in ["SCRIPT", "FUNCTION"] {
        let answer = client.ask(&[what, "KILL"]);
        assert_eq!(answer, "-NOTBUSY No scripts in execution right now.\r\n");
    }
    let library = "#!lua name=long\nredis.register_function('forever', function(keys) while true do redis.call('get', keys[1]) end end)";
    client.ask(&["FUNCTION", "LOAD", library]);
    let running = begin(&server, &["FCALL", "forever", "1", "key"]);
    let function_busy = BUSY.replace("SCRIPT KILL", "FUNCTION KILL");
    wait_until("the function", || {
        client.ask(&["SCRIPT", "KILL"]) == function_busy
    });
    let stats = client.ask(&["FUNCTION", "STATS"]);
    assert!(
        stats.contains("forever") && stats.contains("duration_ms"),
        "{stats}"
    );
    kill(&mut client, "FUNCTION");
    let answer = running.join().expect("an answer");
    assert!(answer.contains("killed by user"), "{answer}");
    // One that has written must not be ended, but the server may be.
    let writes = "redis.call('set', KEYS[1], 'x') while true do end";
    let running = begin(&server, &["EVAL", writes, "1", "key"]);
    wait_until("the refusal", || {
        client
            .ask(&["SCRIPT", "KILL"])
            .starts_with("-UNKILLABLE Sorry the script already executed write commands")
    });
    assert_eq!(client.ask(&["GET", "key"]), BUSY);
    assert!(!running.is_finished());
    // The end of the server is the answer.
    let _ = client.0.call(&["SHUTDOWN", "NOSAVE"]);
    wait_until("the end", || Wire::connect(&server.address()).is_err());
}

/// Transfers in scripts of declared keys, in transactions, and in scripts that reach for keys they did not declare:
/// whoever adds everything up, by a script or a transaction, always finds the same.
#[test]
fn nobody_sees_the_middle_of_a_script() {
    const ACCOUNTS: u64 = 12;
    const EACH: u64 = 100;
    const TRANSFER: &str =
        "redis.call('incrby', KEYS[1], -ARGV[1]) return redis.call('incrby', KEYS[2], ARGV[1])";
    // The last account is not declared, and is touched after the first write.
    const REACH: &str = "redis.call('decr', KEYS[1]) redis.call('decr', KEYS[1]) redis.call('incr', KEYS[2])
        local r = redis.pcall('incr', ARGV[1]) if type(r) == 'table' then redis.call('incr', KEYS[1]) return 'took back' end return r";
    const SUM: &str = "local sum = 0 for _, key in ipairs(KEYS) do sum = sum + redis.call('get', key) end return sum";
    let seed = std::env::var("OCHRE_SEED").map_or(2026, |seed| seed.parse().expect("a number"));
    eprintln!("OCHRE_SEED={seed}");
    let server = Server::start(&["--worker-threads", "4", "--worker-threads-min", "4"]);
    let accounts: Vec<String> = (0..ACCOUNTS).map(|n| format!("account:{n}")).collect();
    let mut client = server.connect();
    for account in &accounts {
        client.ask(&["SET", account, &EACH.to_string()]);
    }
    let total = format!(":{}\r\n", ACCOUNTS * EACH);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..4 {
            let (server, accounts, stop) = (&server, &accounts, &stop);
            scope.spawn(move || {
                let mut rng = Rng::seeded(seed + number);
                let mut client = server.connect();
                let mut any = || &accounts[rng.index(accounts.len())];
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let (a, b, c) = (any(), any(), any());
                    match turn % 4 {
                        0 => {
                            client.ask(&["MULTI"]);
                            client.ask(&["EVAL", TRANSFER, "2", a, b, "5"]);
                            client.ask(&["DECRBY", a, "3"]);
                            client.ask(&["INCRBY", c, "3"]);
                            assert!(client.ask(&["EXEC"]).starts_with("*3\r\n:"));
                        }
                        1 => {
                            let answer = client.ask(&["EVAL", REACH, "2", a, b, c]);
                            assert!(!answer.starts_with('-'), "{answer}");
                        }
                        _ => {
                            let answer = client.ask(&["EVAL", TRANSFER, "2", a, b, "7"]);
                            assert!(answer.starts_with(':'), "{answer}");
                        }
                    }
                }
            });
        }
        let mut request = vec!["EVAL".to_owned(), SUM.to_owned(), ACCOUNTS.to_string()];
        request.extend(accounts.iter().cloned());
        let mut mget = vec!["MGET".to_owned()];
        mget.extend(accounts.iter().cloned());
        let mut sums = 0;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            assert_eq!(client.ask(&request), total);
            let values = client.ask(&mget);
            let values = values.split("\r\n").skip(2).step_by(2);
            let sum: i64 = values.filter_map(|v| v.parse::<i64>().ok()).sum();
            assert_eq!(format!(":{sum}\r\n"), total);
            sums += 1;
        }
        stop.store(true, Ordering::Relaxed);
        assert!(sums > 100, "only {sums}");
    });
}

/// A script known to keep to its keys that has written and then needs the whole database: it gets it, unless somebody
/// holds a part of it for long.
#[test]
fn what_has_written_gets_the_whole_database_if_it_can() {
    const REACH: &str =
        "redis.call('incr', KEYS[1]) if ARGV[1] then return redis.call(unpack(ARGV)) end";
    let server = server();
    let mut client = server.connect();
    for (words, answer, left) in [
        (&["DBSIZE"][..], ":2\r\n", ":2\r\n"),
        (&["SORT", "none", "BY", "far*"], "*0\r\n", ":2\r\n"),
        (&["FLUSHDB"], "+OK\r\n", ":0\r\n"),
        (&["FLUSHALL"], "+OK\r\n", ":0\r\n"),
        (&["SWAPDB", "0", "3"], "+OK\r\n", ":0\r\n"),
    ] {
        // What was learnt of it is forgotten.
        client.ask(&["SCRIPT", "FLUSH"]);
        client.ask(&["FLUSHALL"]);
        client.ask(&["SET", "free", "1"]);
        assert_eq!(client.ask(&["EVAL", REACH, "1", "key"]), "$-1\r\n");
        let told = client.ask(&[&["EVAL", REACH, "1", "key"], words].concat());
        assert_eq!(told, answer, "{words:?}");
        assert_eq!(client.ask(&["DBSIZE"]), left, "{words:?}");
    }
    // One that runs on another key for as long as it is let.
    client.ask(&["SCRIPT", "FLUSH"]);
    client.ask(&["EVAL", REACH, "1", "held"]);
    client.ask(&["EVAL", UNTIL_KILLED, "1", "held", "no"]);
    client.ask(&["DEL", "held"]);
    let running = begin(&server, &["EVAL", UNTIL_KILLED, "1", "held", "go"]);
    wait_until("the key to be held", || {
        client.ask(&["GET", "held"]) == BUSY
    });
    let free = elsewhere(&mut client, &["held"]);
    let start = Instant::now();
    let answer = client.ask(&["EVAL", REACH, "1", &free, "FLUSHDB"]);
    assert!(
        answer.starts_with("-ERR undeclared key is in use by another script or transaction"),
        "{answer}"
    );
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(client.ask(&["GET", &free]), "$1\r\n1\r\n");
    kill(&mut client, "SCRIPT");
    running.join().expect("an answer");
    assert_eq!(
        client.ask(&["EVAL", REACH, "1", &free, "FLUSHDB"]),
        "+OK\r\n"
    );
    assert_eq!(client.ask(&["DBSIZE"]), ":0\r\n");
}

/// Two scripts that each want what the other one holds, after both have written: neither waits for ever.
#[test]
fn scripts_that_want_each_others_keys_end() {
    let server = Server::start(&["--worker-threads", "4", "--worker-threads-min", "4"]);
    let script = "redis.call('incr', KEYS[1]) if ARGV[1] == 'far' then for i = 1, 12 do local r = redis.pcall('incr', 'x' .. i) if type(r) == 'table' then return r end end end return 1";
    let mut client = server.connect();
    for number in 1..=12 {
        // Known as a script of declared keys only.
        let key = format!("x{number}");
        assert_eq!(client.ask(&["EVAL", script, "1", &key, "near"]), ":1\r\n");
    }
    let counted: Vec<(u64, u64)> = thread::scope(|scope| {
        let threads: Vec<_> = (1..=4)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect();
                    let (mut done, mut conflicts) = (0, 0);
                    let key = format!("x{}", number * 3);
                    for _ in 0..200 {
                        let start = Instant::now();
                        match &*client.ask(&["EVAL", script, "1", &key, "far"]) {
                            ":1\r\n" => done += 1,
                            error => {
                                assert!(error.starts_with("-"), "{error}");
                                conflicts += 1;
                            }
                        }
                        assert!(start.elapsed() < PATIENCE);
                    }
                    (done, conflicts)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect()
    });
    eprintln!("done and in conflict: {counted:?}");
    assert!(counted.iter().map(|(done, _)| done).sum::<u64>() > 0);
    assert_eq!(client.ask(&["PING"]), "+PONG\r\n");
    assert_eq!(client.ask(&["DBSIZE"]), ":12\r\n");
}

/// What the user may not do, its scripts may not, and a change of the user is seen by the next script.
#[test]
fn scripts_run_with_the_permissions_of_their_user() {
    let server = server();
    let mut admin = server.connect();
    admin.ask(&["SET", "a", "1"]);
    admin.ask(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function(k, a) return redis.call(unpack(a)) end)"]);
    let rules = [
        "ACL",
        "SETUSER",
        "u",
        "reset",
        "on",
        "nopass",
        "+eval",
        "+fcall",
        "+get",
        "+publish",
        "resetchannels",
        "&c*",
        "~a*",
    ];
    assert_eq!(admin.ask(&rules), "+OK\r\n");
    let mut client = server.connect();
    assert_eq!(client.ask(&["AUTH", "u", "x"]), "+OK\r\n");
    let run = "return redis.call(unpack(ARGV))";
    for (words, reason) in [
        (
            &["set", "a", "2"][..],
            "User u has no permissions to run the 'set' command",
        ),
        (&["get", "b"], "No permissions to access a key"),
        (&["publish", "d", "m"], "No permissions to access a channel"),
    ] {
        let answer = client.ask(&[&["EVAL", run, "0"], words].concat());
        let expected = format!("-ERR ACL failure in script: {reason} script: ");
        assert!(answer.starts_with(&expected), "{answer}");
        let answer = client.ask(&[&["FCALL", "f", "0"], words].concat());
        assert!(answer.starts_with(&expected), "{answer}");
        let check = "return redis.acl_check_cmd(unpack(ARGV))";
        let answer = client.ask(&[&["EVAL", check, "0"], words].concat());
        assert_eq!(answer, "$-1\r\n");
    }
    assert_eq!(client.ask(&["EVAL", run, "0", "get", "a"]), "$1\r\n1\r\n");
    assert_eq!(
        client.ask(&["EVAL", run, "0", "publish", "c", "m"]),
        ":0\r\n"
    );
    assert!(
        client
            .ask(&["EVAL", run, "1", "b", "get", "a"])
            .starts_with("-NOPERM")
    );
    let log = admin.ask(&["ACL", "LOG"]);
    assert!(
        log.contains("\r\nlua\r\n") && log.contains("\r\nset\r\n"),
        "{log}"
    );
    admin.ask(&["ACL", "SETUSER", "u", "-get"]);
    let answer = client.ask(&["EVAL", run, "0", "get", "a"]);
    assert!(
        answer.starts_with("-ERR ACL failure in script: User u"),
        "{answer}"
    );
}
