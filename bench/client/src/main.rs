//! Many tasks that share one connection: throughput and client CPU per request of three client libraries.
//!
//! usage: ochre-client-bench HOST:PORT [--rounds N] [--seconds S] [--tasks N] [--value BYTES] [--only NAME]
//!
//! Rounds are interleaved: every round runs GET and SET with each library in turn, so that a change of the machine
//! hits all of them. Prints a line per measurement and the medians with their ratios to the better of the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Keys that the tasks use in turn.
const KEYS: usize = 1000;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Op {
    Get,
    Set,
}

#[derive(Clone)]
enum Client {
    Ochre(ochre_client::MultiplexedClient),
    Redis(redis::aio::MultiplexedConnection),
    Fred(fred::clients::Client),
}

const NAMES: [&str; 3] = ["ochre-client", "redis-rs", "fred"];

impl Client {
    async fn connect(name: &str, address: &str) -> Client {
        match name {
            "ochre-client" => Client::Ochre(
                ochre_client::MultiplexedClient::connect(address)
                    .await
                    .expect("a connection"),
            ),
            "redis-rs" => Client::Redis(
                redis::Client::open(format!("redis://{address}/"))
                    .expect("an address")
                    .get_multiplexed_async_connection()
                    .await
                    .expect("a connection"),
            ),
            _ => {
                use fred::prelude::{Builder, ClientLike as _, Config};
                let config = Config::from_url(&format!("redis://{address}")).expect("an address");
                let client = Builder::from_config(config).build().expect("a client");
                client.init().await.expect("a connection");
                Client::Fred(client)
            }
        }
    }

    /// One task's work. Gives the number of requests.
    async fn work(self, op: Op, task: usize, value: Arc<str>, stop: Arc<AtomicBool>) -> u64 {
        let keys: Vec<String> = (0..KEYS).map(|i| format!("key:{i:012}")).collect();
        let (mut count, mut at) = (0, task * 17);
        match (self, op) {
            (Client::Ochre(client), Op::Get) => {
                while !stop.load(Ordering::Relaxed) {
                    at = (at + 1) % KEYS;
                    let got = client
                        .run::<Option<fred::bytes::Bytes>>(ochre_client::cmd("GET").arg(&keys[at]))
                        .await
                        .expect("a reply");
                    assert_eq!(got.map(|v| v.len()), Some(value.len()));
                    count += 1;
                }
            }
            (Client::Ochre(client), Op::Set) => {
                while !stop.load(Ordering::Relaxed) {
                    at = (at + 1) % KEYS;
                    client
                        .run::<()>(ochre_client::cmd("SET").arg(&keys[at]).arg(&*value))
                        .await
                        .expect("a reply");
                    count += 1;
                }
            }
            (Client::Redis(mut client), Op::Get) => {
                use redis::AsyncCommands;
                while !stop.load(Ordering::Relaxed) {
                    at = (at + 1) % KEYS;
                    let got: Vec<u8> = client.get(&keys[at]).await.expect("a reply");
                    assert_eq!(got.len(), value.len());
                    count += 1;
                }
            }
            (Client::Redis(mut client), Op::Set) => {
                use redis::AsyncCommands;
                while !stop.load(Ordering::Relaxed) {
                    at = (at + 1) % KEYS;
                    let () = client.set(&keys[at], &*value).await.expect("a reply");
                    count += 1;
                }
            }
            (Client::Fred(client), Op::Get) => {
                use fred::prelude::KeysInterface as _;
                while !stop.load(Ordering::Relaxed) {
                    at = (at + 1) % KEYS;
                    let got: fred::bytes::Bytes = client.get(&keys[at]).await.expect("a reply");
                    assert_eq!(got.len(), value.len());
                    count += 1;
                }
            }
            (Client::Fred(client), Op::Set) => {
                use fred::prelude::KeysInterface as _;
                while !stop.load(Ordering::Relaxed) {
                    at = (at + 1) % KEYS;
                    let () = client
                        .set(&keys[at], &*value, None, None, false)
                        .await
                        .expect("a reply");
                    count += 1;
                }
            }
        }
        count
    }
}

/// Seconds of CPU that this process has used.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// (requests a second, microseconds of CPU a request)
async fn measure(client: &Client, op: Op, options: &Options) -> (f64, f64) {
    let stop = Arc::new(AtomicBool::new(false));
    let value: Arc<str> = "x".repeat(options.value).into();
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let tasks: Vec<_> = (0..options.tasks)
        .map(|task| tokio::spawn(client.clone().work(op, task, value.clone(), stop.clone())))
        .collect();
    tokio::time::sleep(options.time).await;
    stop.store(true, Ordering::Relaxed);
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("a task that ends");
    }
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    (count as f64 / wall, cpu * 1e6 / count as f64)
}

struct Options {
    address: String,
    rounds: usize,
    time: Duration,
    tasks: usize,
    value: usize,
    only: Option<String>,
}

fn options() -> Options {
    let mut args = std::env::args().skip(1);
    let mut options = Options {
        address: args.next().expect("HOST:PORT"),
        rounds: 5,
        time: Duration::from_secs(1),
        tasks: 64,
        value: 64,
        only: None,
    };
    while let Some(name) = args.next() {
        let value = args.next().expect("a value");
        match name.as_str() {
            "--rounds" => options.rounds = value.parse().expect("a number"),
            "--seconds" => {
                options.time = Duration::from_secs_f64(value.parse().expect("a number"));
            }
            "--tasks" => options.tasks = value.parse().expect("a number"),
            "--value" => options.value = value.parse().expect("a number"),
            "--only" => options.only = Some(value),
            other => panic!("unknown option {other}"),
        }
    }
    options
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() {
    let options = options();
    let names: Vec<&str> = NAMES
        .into_iter()
        .filter(|n| options.only.as_deref().is_none_or(|o| o == *n))
        .collect();
    let mut clients = Vec::new();
    for name in &names {
        clients.push(Client::connect(name, &options.address).await);
    }
    let setter = Client::connect("ochre-client", &options.address).await;
    if let Client::Ochre(client) = &setter {
        for i in 0..KEYS {
            let value = "x".repeat(options.value);
            client
                .run::<()>(
                    ochre_client::cmd("SET")
                        .arg(format!("key:{i:012}"))
                        .arg(value),
                )
                .await
                .expect("a reply");
        }
    }
    for op in [Op::Get, Op::Set] {
        let mut figures = vec![(Vec::new(), Vec::new()); names.len()];
        for round in 0..=options.rounds {
            for (i, client) in clients.iter().enumerate() {
                let (rate, cpu) = measure(client, op, &options).await;
                // The first round warms up.
                if round > 0 {
                    figures[i].0.push(rate);
                    figures[i].1.push(cpu);
                }
            }
        }
        let medians: Vec<(f64, f64)> = figures
            .into_iter()
            .map(|(rate, cpu)| (median(rate), median(cpu)))
            .collect();
        for (name, (rate, cpu)) in names.iter().zip(&medians) {
            println!("{op:?} {name:13} {rate:10.0} requests/s {cpu:7.3} us CPU");
        }
        if let [ours, others @ ..] = &medians[..]
            && !others.is_empty()
        {
            let rate = others.iter().map(|o| o.0).fold(0.0, f64::max);
            let cpu = others.iter().map(|o| o.1).fold(f64::INFINITY, f64::min);
            println!(
                "{op:?} against the better of the others: throughput {:.2}, CPU {:.2}",
                ours.0 / rate,
                ours.1 / cpu
            );
        }
    }
}
