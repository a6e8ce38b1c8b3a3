//! Histories of clients over TCP are strictly serializable, with 2 to 8 workers; the long run is `ochre-histories`.

use ochre_testkit::history::check::check;
use ochre_testkit::history::peer::Server;
use ochre_testkit::history::workload::{Config, run};
use ochre_testkit::history::{chains, transfers};
use ochre_testkit::reference::Running;

fn seed() -> u64 {
    let seed = std::env::var("OCHRE_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    eprintln!("OCHRE_SEED={seed}");
    seed
}

fn server(workers: &str) -> Running {
    let program = env!("CARGO_BIN_EXE_ochre-server");
    let options = ["--worker-threads", workers, "--worker-threads-min", workers];
    Running::start(program, &options).expect("it starts")
}

fn is_explained(workers: &str) {
    let running = server(workers);
    let server = Server::At(running.address.to_string());
    for disturbed in [false, true] {
        let config = Config {
            seed: seed(),
            requests: 8_000,
            disturbed,
            scripts: true,
            ..Config::default()
        };
        let history = run(&server, config).expect("a history");
        let found = check(&history).expect("an order");
        assert!(found.operations > 1000, "{found:?}");
    }
}

#[test]
fn two_workers_are_strictly_serializable() {
    is_explained("2");
}

#[test]
fn four_workers_are_strictly_serializable() {
    is_explained("4");
}

#[test]
fn eight_workers_are_strictly_serializable() {
    is_explained("8");
}

#[test]
fn sums_and_chains_lose_nothing() {
    let running = server("4");
    let server = Server::At(running.address.to_string());
    transfers::run(&server, seed(), 6, 5_000).expect("the sum");
    chains::run(&server, seed(), 2_000).expect("all of them");
}
