//! Servers for the client's tests: Ochre in process, and real Redis and Valkey servers where there are such.

use ochre_client::MultiplexedClient;
use ochre_testkit::reference::{Reference, Release, Running};
use std::future::Future;
use std::time::{Duration, Instant};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `test` with the address of a fresh server of each kind.
pub(crate) fn with_each<F, Fut>(test: F)
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = ()>,
{
    let ochre = ochre_testserver::start(&[]);
    run(test(ochre_testserver::address(&ochre)));
    drop(ochre);
    with_redis(&[], test);
}

/// Runs `test` with each real server there is, started with `options`.
pub(crate) fn with_redis<F, Fut>(options: &[&str], test: F)
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = ()>,
{
    for release in [Release::V70, Release::V82] {
        match Reference::start(release, options).expect("a server that starts") {
            Some(redis) => run(test(redis.address.to_string())),
            None => eprintln!("skipped for want of a redis-server: {release:?}"),
        }
    }
    match std::env::var("OCHRE_VALKEY") {
        Ok(binary) => {
            let valkey = Running::start(&binary, options).expect("a server that starts");
            run(test(valkey.address.to_string()));
        }
        Err(_) => eprintln!("skipped for want of a valkey-server: OCHRE_VALKEY"),
    }
}

/// Runs a test on two threads, and no longer than it may take.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime
        .block_on(async { tokio::time::timeout(4 * PATIENCE, test).await })
        .expect("a test that does not hang");
}

/// A client of the server at `address`.
pub(crate) async fn client(address: &str) -> MultiplexedClient {
    MultiplexedClient::connect(address)
        .await
        .expect("a connection")
}

/// Waits until `condition` holds.
pub(crate) async fn until<Fut: Future<Output = bool>>(
    what: &str,
    mut condition: impl FnMut() -> Fut,
) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether the server has a command.
pub(crate) async fn has(client: &MultiplexedClient, command: &str) -> bool {
    let info: Vec<ochre_client::Value> = client
        .run(ochre_client::cmd("COMMAND INFO").arg(command))
        .await
        .expect("a reply");
    info.first().is_some_and(|i| !i.is_null())
}
