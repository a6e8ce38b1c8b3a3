//! Histories of concurrent clients are strictly serializable: of the engine in process, and of a real Redis, which shows
//! that the checker refuses nothing that is right. Planted violations are found.

use ochre_resp::Frame;
use ochre_resp::Protocol;
use ochre_testkit::history::check::check;
use ochre_testkit::history::peer::Server;
use ochre_testkit::history::simulated::{Fault, Simulated};
use ochre_testkit::history::workload::{Config, run};
use ochre_testkit::history::{chains, transfers};
use ochre_testkit::reference::{Reference, Release};
use ochre_testkit::{Connection, InProcess};

fn seed() -> u64 {
    let seed = std::env::var("OCHRE_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    eprintln!("OCHRE_SEED={seed}");
    seed
}

#[test]
fn the_engine_is_strictly_serializable() {
    for clients in [2, 4, 8] {
        for disturbed in [false, true] {
            let engine = InProcess::in_real_time(&[]);
            let config = Config {
                seed: seed(),
                clients,
                disturbed,
                scripts: true,
                ..Config::default()
            };
            let history = run(&Server::InProcess(&engine), config).expect("a history");
            let found = check(&history).expect("an explanation");
            assert!(
                found.operations > 1000 && found.edges > found.operations,
                "{found:?}"
            );
        }
    }
}

#[test]
fn a_planted_violation_is_found() {
    let engine = InProcess::in_real_time(&[]);
    let config = Config {
        seed: seed(),
        torn: true,
        ..Config::default()
    };
    let history = run(&Server::InProcess(&engine), config).expect("a history");
    let error = check(&history).expect_err("transactions were sent request by request");
    assert!(
        error.starts_with("a circle") || error.starts_with("torn"),
        "{error}"
    );
}

/// A store that keeps the rules passes, and each that breaks one does not: the plan of a transaction that leaves a stripe
/// out or is let go in the middle, a move in two parts, WATCH that is blind, and so on.
#[test]
fn a_broken_store_is_found() {
    let config = Config {
        seed: seed(),
        clients: 4,
        ..Config::default()
    };
    let checked = |fault, seed| {
        let store = Simulated::new(fault);
        let config = Config { seed, ..config };
        let history = run(&Server::Simulated(&store), config).expect("a history");
        check(&history)
    };
    let right = checked(Fault::None, config.seed).expect("an order");
    assert!(right.operations > 1000, "{right:?}");
    for fault in Fault::ALL {
        // A race may be won by chance; not again and again.
        let found = (0..5).find_map(|n| checked(fault, config.seed + n).err());
        let found = found.unwrap_or_else(|| panic!("{fault:?} was not found"));
        let line = found.lines().next().unwrap_or_default();
        eprintln!("{fault:?}: {}", &line[..line.len().min(80)]);
    }
}

#[test]
fn a_real_redis_is_strictly_serializable_and_keeps_sums() {
    let started = Reference::start(Release::V70, &[]).expect("it starts");
    let Some(redis) = started else {
        eprintln!("skipped: no redis-server");
        return;
    };
    let server = Server::At(redis.address.to_string());
    for disturbed in [false, true] {
        let config = Config {
            seed: seed(),
            requests: 10_000,
            disturbed,
            ..Config::default()
        };
        let history = run(&server, config).expect("a history");
        let found = check(&history).expect("an explanation");
        assert!(found.operations > 1000, "{found:?}");
    }
    transfers::run(&server, seed(), 4, 2000).expect("the sum");
    chains::run(&server, seed(), 2000).expect("all of them");
}

#[test]
fn transfers_change_no_sum() {
    let engine = InProcess::in_real_time(&[]);
    let server = Server::InProcess(&engine);
    let ran = transfers::run(&server, seed(), 4, 10_000).expect("the sum");
    assert!(ran.done > 1000 && ran.looks > 1000, "{ran:?}");
}

#[test]
fn chains_of_blocking_moves_lose_and_double_nothing() {
    let engine = InProcess::in_real_time(&[]);
    chains::run(&Server::InProcess(&engine), seed(), 3000).expect("all of them");
}

/// Who came first gets the first element, whoever pushes.
#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    const WAITERS: usize = 60;
    let engine = InProcess::in_real_time(&[]);
    for round in 0..20 {
        let [queue, log] = [format!("queue{round}"), format!("log{round}")];
        let mut waiters: Vec<Connection> = (0..WAITERS)
            .map(|_| {
                let mut waiter = engine.connect(Protocol::Resp2);
                let request = ["BLMOVE", &queue, &log, "LEFT", "RIGHT", "0"];
                assert_eq!(waiter.begin(&request), None);
                waiter
            })
            .collect();
        std::thread::scope(|scope| {
            for pusher in 0..3 {
                let (engine, queue) = (&engine, &queue);
                scope.spawn(move || {
                    let mut peer = engine.connect(Protocol::Resp2);
                    for n in 0..WAITERS / 6 {
                        let elements = [0, 1].map(|i| format!("{pusher}:{}", 2 * n + i));
                        peer.run(&["RPUSH", queue, &elements[0], &elements[1]]);
                    }
                });
            }
        });
        let served: Vec<_> = waiters.iter_mut().map(Connection::finish).collect();
        let mut peer = engine.connect(Protocol::Resp2);
        let moved = peer.run(&["LRANGE", &log, "0", "-1"]);
        let served: Option<Vec<Frame>> = served.into_iter().collect();
        assert_eq!(Some(moved), served.map(Frame::Array));
        assert_eq!(peer.run(&["EXISTS", &queue]), Frame::Integer(0));
    }
}
