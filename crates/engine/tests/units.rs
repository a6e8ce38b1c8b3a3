//! Transactions and blocking commands where several connections meet: what is held, who is served, what is journalled.

use ochre_engine::exec::{Flow, Held};
use ochre_engine::keyspace::stripe_of;
use ochre_resp::{Frame, Protocol, RequestBuf, split_args};
use ochre_testkit::{Connection, InProcess, Lines};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

fn words(line: &str) -> Vec<Vec<u8>> {
    split_args(line.as_bytes()).expect("matching quotes")
}

fn stripe(server: &InProcess, key: &str) -> usize {
    stripe_of(server.engine.keyspace.hasher().hash(key.as_bytes()))
}

/// Keeps the stripe of a key of database 0 from everybody else.
fn keep<'s>(server: &'s InProcess, key: &str) -> impl Sized + use<'s> {
    let database = server.engine.keyspace.database(0);
    database.stripe(stripe(server, key))
}

/// Keys in stripes of their own.
fn apart<const N: usize>(server: &InProcess) -> [String; N] {
    let mut keys: Vec<String> = Vec::new();
    for n in 0.. {
        let key = format!("key{n}");
        if keys
            .iter()
            .all(|k| stripe(server, k) != stripe(server, &key))
        {
            keys.push(key);
        }
        if keys.len() == N {
            break;
        }
    }
    keys.try_into().expect("as many as were asked for")
}

fn text(frame: &Frame) -> String {
    match frame {
        Frame::Integer(n) => n.to_string(),
        Frame::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            format!("[{}]", items.join(" "))
        }
        frame => frame
            .as_bytes()
            .map_or_else(|| "nil".to_owned(), |b| String::from_utf8_lossy(b).into()),
    }
}

fn run(connection: &mut Connection, line: &str) -> String {
    text(&connection.line(line))
}

/// Begins to wait.
fn wait(connection: &mut Connection, line: &str) {
    assert_eq!(connection.begin(&words(line)), None, "{line} does not wait");
    assert!(connection.is_blocked());
}

/// Runs a request once, while another thread holds the stripe of a key. Whether it was put off.
fn is_put_off(server: &InProcess, connection: &mut Connection, key: &str, line: &str) -> bool {
    let _kept = keep(server, key);
    std::thread::scope(|scope| {
        let tried = scope.spawn(|| flow_of(server, connection, line));
        tried.join().expect("no panic") == Flow::PutOff
    })
}

/// Runs a request once.
fn flow_of(server: &InProcess, connection: &mut Connection, line: &str) -> Flow {
    let request = RequestBuf::new(words(line));
    let ahead = server.engine.look_ahead(request.as_request());
    let mut out = ochre_engine::exec::Out::new(Protocol::Resp2);
    server.engine.begin_batch(&mut connection.session);
    let flow = server.engine.execute_ahead(
        &mut connection.session,
        request.as_request(),
        &ahead,
        &mut out,
        &mut Held::default(),
    );
    server.engine.end_batch(&mut connection.session);
    flow
}

/// Hints look at stripes that are free, also at several keys of one, and let all of them go.
#[test]
fn hints_wait_for_no_stripe_and_keep_none() {
    let server = InProcess::default();
    let [busy, free] = apart(&server);
    let alike = |key: &String| stripe(&server, key) == stripe(&server, &free);
    let twin = (0..).map(|n| format!("twin{n}")).find(alike);
    let twin = twin.expect("keys do not end");
    let mut connection = server.connect(Protocol::Resp2);
    for key in [&busy, &free, &twin] {
        run(&mut connection, &format!("SET {key} value"));
    }
    let _kept = keep(&server, &busy);
    let looked = std::thread::scope(|scope| {
        let look = scope.spawn(|| {
            let mut held = Held::default();
            let mut hints = server.engine.hints(0);
            for key in [&free, &busy, &twin, &"missing".to_owned(), &free] {
                let request = RequestBuf::new(words(&format!("GET {key}")));
                hints.add(&server.engine.look_ahead(request.as_request()));
            }
            hints.find(&mut held);
            // A thread that keeps a stripe may not wait for one, which debug builds check.
            drop(keep(&server, &free));
        });
        look.join()
    });
    assert!(looked.is_ok(), "a stripe was kept");
}

#[test]
fn a_window_on_one_key_serves_several_moves_elsewhere() {
    let server = InProcess::default();
    let [from, first, second] = apart(&server);
    let mut pusher = server.connect(Protocol::Resp2);
    let mut waiters = [&first, &second].map(|to| {
        let mut waiter = server.connect(Protocol::Resp2);
        wait(&mut waiter, &format!("BLMOVE {from} {to} LEFT RIGHT 0"));
        waiter
    });
    let pushes = [format!("RPUSH {from} a"), format!("RPUSH {from} b")];
    pusher.window(&pushes.map(|line| words(&line)));
    for (waiter, element) in waiters.iter_mut().zip(["a", "b"]) {
        assert_eq!(waiter.look().as_ref().map(text).as_deref(), Some(element));
    }
    assert_eq!(run(&mut pusher, &format!("LRANGE {first} 0 -1")), "[a]");
    assert_eq!(run(&mut pusher, &format!("LRANGE {second} 0 -1")), "[b]");
}

/// Were watched keys not held, two transactions that watch what the other one changes could both succeed.
#[test]
fn a_transaction_holds_what_it_watches() {
    let server = InProcess::default();
    let [watched, changed] = apart(&server);
    let mut connection = server.connect(Protocol::Resp2);
    for line in [
        &format!("WATCH {watched}"),
        "MULTI",
        &format!("SET {changed} 1"),
    ] {
        run(&mut connection, line);
    }
    assert!(is_put_off(&server, &mut connection, &watched, "EXEC"));
    assert_eq!(run(&mut connection, "EXEC"), "[OK]");
}

/// A move that could not reach its destination is left to its own connection; those who wait behind it must not
/// depend on that connection's coming to it.
#[test]
fn those_behind_a_waiter_that_gives_up_are_served() {
    for how in ["unblocked", "killed", "gone"] {
        let server = InProcess::default();
        let [from, to] = apart(&server);
        let mut pusher = server.connect(Protocol::Resp2);
        let mut first = server.connect(Protocol::Resp2);
        let mut second = server.connect(Protocol::Resp2);
        wait(&mut first, &format!("BLMOVE {from} {to} LEFT RIGHT 0"));
        wait(&mut second, &format!("BLPOP {from} 0"));
        let kept = keep(&server, &to);
        run(&mut pusher, &format!("RPUSH {from} a"));
        assert_eq!(second.look(), None, "out of turn");
        let id = first.session.client.id;
        match how {
            "unblocked" => {
                assert_eq!(run(&mut pusher, &format!("CLIENT UNBLOCK {id}")), "1");
            }
            "killed" => first.session.client.kill(),
            _ => {}
        }
        drop(kept);
        if how == "unblocked" {
            assert_eq!(first.finish(), Some(Frame::NullArray));
        }
        drop(first);
        let served = second.look().as_ref().map(text);
        assert_eq!(served, Some(format!("[{from} a]")), "{how}");
        assert_eq!(run(&mut pusher, &format!("EXISTS {from} {to}")), "0");
    }
}

#[test]
fn a_move_is_done_by_its_own_connection_when_its_destination_was_busy() {
    let server = InProcess::default();
    let [from, to] = apart(&server);
    let mut pusher = server.connect(Protocol::Resp2);
    let mut first = server.connect(Protocol::Resp2);
    let mut second = server.connect(Protocol::Resp2);
    wait(&mut first, &format!("BLMOVE {from} {to} LEFT RIGHT 0"));
    wait(&mut second, &format!("BLPOP {from} 0"));
    let kept = keep(&server, &to);
    run(&mut pusher, &format!("RPUSH {from} a b"));
    drop(kept);
    assert_eq!(first.finish().as_ref().map(text).as_deref(), Some("a"));
    let served = second.look().as_ref().map(text);
    assert_eq!(served, Some(format!("[{from} b]")));
    assert_eq!(run(&mut pusher, &format!("LRANGE {to} 0 -1")), "[a]");
}

/// As in Redis, where CLIENT KILL ends the wait at once.
#[test]
fn nothing_is_given_to_a_connection_that_was_told_to_go() {
    let server = InProcess::default();
    let mut pusher = server.connect(Protocol::Resp2);
    let mut waiter = server.connect(Protocol::Resp2);
    wait(&mut waiter, "BLPOP k 0");
    let id = waiter.session.client.id;
    assert_eq!(run(&mut pusher, &format!("CLIENT KILL ID {id}")), "1");
    run(&mut pusher, "RPUSH k a");
    assert_eq!(run(&mut pusher, "LLEN k"), "1");
}

#[test]
fn a_wait_that_is_over_is_silent_where_replies_are_off() {
    let server = InProcess::default();
    let mut pusher = server.connect(Protocol::Resp2);
    let mut waiter = server.connect(Protocol::Resp2);
    assert_eq!(waiter.begin(&words("CLIENT REPLY OFF")), None);
    wait(&mut waiter, "BLPOP k 0");
    run(&mut pusher, "RPUSH k a");
    assert_eq!(waiter.finish(), None);
    assert_eq!(run(&mut waiter, "CLIENT REPLY ON"), "OK");
    assert_eq!(waiter.begin(&words("CLIENT REPLY SKIP")), None);
    wait(&mut waiter, "BLPOP k 0");
    run(&mut pusher, "RPUSH k a");
    assert_eq!(waiter.finish(), None);
    assert_eq!(run(&mut waiter, "PING"), "PONG");
}

#[test]
fn sort_by_patterns_runs_in_a_transaction() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    run(&mut connection, "RPUSH l 1 2 3");
    run(&mut connection, "MSET w1 3 w2 2 w3 1");
    for line in ["MULTI", "SET other x", "SORT l BY w*", "GET other"] {
        run(&mut connection, line);
    }
    assert_eq!(run(&mut connection, "EXEC"), "[OK [3 2 1] x]");
    for line in ["MULTI", "SORT l BY w* GET w*", "DBSIZE"] {
        run(&mut connection, line);
    }
    assert_eq!(run(&mut connection, "EXEC"), "[[1 2 3] 5]");
}

#[test]
fn selecting_what_there_is_not_moves_no_request_of_a_transaction() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    for db in ["99", "16", "16777216", "4294967296"] {
        for line in ["MULTI", "SET k 1", &format!("SELECT {db}"), "GET k"] {
            run(&mut connection, line);
        }
        let reply = run(&mut connection, "EXEC");
        assert!(
            reply.starts_with("[OK ERR ") && reply.ends_with(" 1]"),
            "{reply}"
        );
    }
}

#[test]
fn a_large_value_is_restored_in_a_transaction() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    for chunk in 0..100 {
        let mut request = words("RPUSH l");
        request.extend((0..100).map(|n| format!("{:0>64}", chunk * 100 + n).into_bytes()));
        connection.run(&request);
    }
    let dumped = connection.line("DUMP l");
    let payload = dumped.as_bytes().expect("a payload").to_vec();
    // Not compressible to below the size from which it is built outside the locks.
    assert!(payload.len() > 20_000);
    let mut grown = words("RPUSH l");
    let mut rng = ochre_testkit::rng::Rng::seeded(1);
    for _ in 0..8_000 {
        grown.push((0..8).flat_map(|_| rng.bits().to_le_bytes()).collect());
    }
    connection.run(&grown);
    let dumped = connection.line("DUMP l");
    let payload = dumped.as_bytes().expect("a payload").to_vec();
    assert!(payload.len() >= ochre_engine::exec::LATER_MIN);
    run(&mut connection, "MULTI");
    connection.run(&[b"RESTORE".to_vec(), b"m".to_vec(), b"0".to_vec(), payload]);
    run(&mut connection, "LLEN m");
    assert_eq!(run(&mut connection, "EXEC"), "[OK 18000]");
}

#[test]
fn an_expiry_within_a_transaction_is_journalled_in_its_place() {
    let server = InProcess::default();
    let lines = Arc::new(Lines::default());
    server.engine.journals.attach(lines.clone());
    let mut connection = server.connect(Protocol::Resp2);
    run(&mut connection, "SET old 1 PX 5");
    server.advance(10);
    drop(lines.take());
    for line in ["MULTI", "SET k 5 PXAT 1", "INCR k", "GET old", "SET old 2"] {
        run(&mut connection, line);
    }
    run(&mut connection, "EXEC");
    let seen = lines.take().join("; ");
    let of_k: Vec<&str> = seen.split("; ").filter(|l| l.contains(" k")).collect();
    assert_eq!(of_k.last(), Some(&"INCR k"), "{seen}");
    let set = of_k.iter().position(|l| l.starts_with("SET"));
    let removed = of_k.iter().rposition(|l| l.starts_with("DEL"));
    assert!(set.is_none() || set < removed, "{seen}");
    assert!(seen.ends_with("DEL old; SET old 2"), "{seen}");
}

#[test]
fn what_is_put_off_is_not_counted() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    assert!(is_put_off(&server, &mut connection, "k", "SET k 1"));
    run(&mut connection, "SET k 1");
    let stats = run(&mut connection, "INFO commandstats");
    let set = stats.lines().find(|l| l.starts_with("cmdstat_set:"));
    let set = set.unwrap_or_default();
    assert!(
        set.contains("calls=1,") && set.contains("failed_calls=0"),
        "{set}"
    );
}

/// It is tried again, and watches then.
#[test]
fn a_watch_that_finds_its_stripe_held_is_put_off() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    assert!(is_put_off(&server, &mut connection, "k", "WATCH k"));
    assert_eq!(run(&mut connection, "WATCH k"), "OK");
    run(&mut server.connect(Protocol::Resp2), "SET k 1");
    run(&mut connection, "MULTI");
    assert_eq!(run(&mut connection, "EXEC"), "nil");
}

/// First come, first served; one push of many serves many; what is left stays.
#[test]
fn one_push_serves_many_in_their_order() {
    let server = InProcess::default();
    let mut pusher = server.connect(Protocol::Resp2);
    let mut waiters: Vec<Connection> = (0..10)
        .map(|n| {
            let mut waiter = server.connect(Protocol::Resp2);
            let keys = if n % 2 == 0 { "k other" } else { "other k" };
            wait(&mut waiter, &format!("BLPOP {keys} 0"));
            waiter
        })
        .collect();
    run(&mut pusher, "RPUSH k 0 1 2 3 4 5 6 7 8 9 10");
    for (n, waiter) in waiters.iter_mut().enumerate() {
        let served = waiter.look().as_ref().map(text);
        assert_eq!(served, Some(format!("[k {n}]")));
    }
    assert_eq!(run(&mut pusher, "LRANGE k 0 -1"), "[10]");
}

#[test]
fn who_waits_is_served_by_whatever_brings_a_list() {
    let server = InProcess::default();
    let mut other = server.connect(Protocol::Resp2);
    for bringing in [
        "RENAME l k",
        "COPY l k",
        "SORT l ALPHA STORE k",
        "LMOVE l k LEFT RIGHT",
        "SWAPDB 0 1",
        "MULTI|SET k x|DEL k|RPUSH k a|EXEC",
        "MULTI|RPUSH k a|SWAPDB 0 3|SWAPDB 0 3|EXEC",
        "MULTI|RPUSH k a|FLUSHALL|RPUSH k a|EXEC",
    ] {
        run(&mut other, "FLUSHALL");
        run(&mut other, "RPUSH l a");
        run(&mut other, "SELECT 1");
        run(&mut other, "RPUSH k a");
        run(&mut other, "SELECT 0");
        let mut waiter = server.connect(Protocol::Resp2);
        wait(&mut waiter, "BLPOP k 0");
        for line in bringing.split('|') {
            run(&mut other, line);
        }
        let served = waiter.look().as_ref().map(text);
        assert_eq!(served.as_deref(), Some("[k a]"), "{bringing}");
        assert_eq!(run(&mut other, "EXISTS k"), "0", "{bringing}");
    }
}

/// The request that ends what holds the stripe may come to the same worker.
#[test]
fn who_waits_for_a_stripe_lets_the_other_connections_of_its_worker_go_on() {
    let server = InProcess::default();
    for (before, line) in [
        ("WATCH k", "UNWATCH"),
        ("PING", "DBSIZE"),
        ("PING", "KEYS *"),
    ] {
        let mut connection = server.connect(Protocol::Resp2);
        run(&mut connection, before);
        let longs = &server.runtime.longs;
        let kept = keep(&server, "k");
        let seen = longs.load(SeqCst);
        std::thread::scope(|scope| {
            let connection = &mut connection;
            let tried = scope.spawn(move || run(connection, line));
            let deadline = Instant::now() + Duration::from_secs(10);
            // KEYS announces itself, and then the wait.
            let wanted = seen + if line == "KEYS *" { 2 } else { 1 };
            while longs.load(SeqCst) < wanted {
                assert!(Instant::now() < deadline, "{line} blocks its worker");
                std::thread::yield_now();
            }
            drop(kept);
            tried.join().expect("no panic");
        });
    }
}

/// As in Redis: what had expired before it was watched, though a pause keeps it, changes no more.
#[test]
fn a_key_that_had_expired_when_it_was_watched_breaks_no_transaction() {
    let server = InProcess::default();
    let mut connection = server.connect(Protocol::Resp2);
    run(&mut connection, "SET k 1 PX 5");
    let pause = ochre_engine::exec::Pause {
        until_ms: ochre_testkit::in_process::START_MS + 1000,
        writes_only: true,
    };
    server.engine.pause(pause);
    server.advance(10);
    for line in ["WATCH k", "MULTI", "GET k"] {
        run(&mut connection, line);
    }
    assert_eq!(run(&mut connection, "EXEC"), "[nil]");
}

/// As in Redis: that such a key goes, in any way, is no change; that it comes again is one.
#[test]
fn a_key_that_had_expired_may_go_while_it_is_watched() {
    for (between, breaks) in [
        (&["GET k"][..], false),
        (&["DEL k"], false),
        (&["SUNIONSTORE k none"], false),
        (&["FLUSHALL"], false),
        (&["SWAPDB 0 1"], false),
        (&["SET k 2"], true),
        (&["GET k", "SET k 2"], true),
        (&["FLUSHALL", "SET k 2"], true),
        (&["GET k", "SET k 2", "DEL k"], true),
        (&["SWAPDB 0 1", "SET k 2"], true),
        (&["SET l 1", "RENAME l k"], true),
    ] {
        let server = InProcess::default();
        let mut watcher = server.connect(Protocol::Resp2);
        let mut other = server.connect(Protocol::Resp2);
        run(&mut other, "SET k 1 PX 5");
        server.advance(10);
        run(&mut watcher, "WATCH k");
        assert_eq!(run(&mut other, "DBSIZE"), "1", "WATCH looks for nothing");
        for line in between {
            run(&mut other, line);
        }
        run(&mut watcher, "MULTI");
        run(&mut watcher, "PING");
        let ran = run(&mut watcher, "EXEC") != "nil";
        assert_eq!(ran, !breaks, "{between:?}");
    }
}

/// The many are found as the few are: a key is watched once, in each database.
#[test]
fn thousands_of_keys_are_watched_once_each() {
    let server = InProcess::default();
    let mut watcher = server.connect(Protocol::Resp2);
    let mut other = server.connect(Protocol::Resp2);
    let keys: Vec<String> = (0..50_000).map(|i| format!("k{i}")).collect();
    for (db, count) in [("0", 10), ("1", 50_000), ("0", 50_000), ("1", 17)] {
        run(&mut watcher, &format!("SELECT {db}"));
        let words = std::iter::once("WATCH").chain(keys[..count].iter().map(String::as_str));
        watcher.run(&words.collect::<Vec<_>>());
    }
    assert_eq!(watcher.session.client.watching.load(SeqCst), 100_000);
    run(&mut other, "SELECT 1");
    run(&mut other, "SET k49999 x");
    run(&mut watcher, "MULTI");
    assert_eq!(run(&mut watcher, "EXEC"), "nil");
    assert_eq!(watcher.session.client.watching.load(SeqCst), 0);
}
