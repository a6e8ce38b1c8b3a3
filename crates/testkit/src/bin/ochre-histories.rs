//! Runs concurrent clients and checks that one order of events explains what they saw.
//!
//! ```text
//! ochre-histories [--address HOST:PORT | --redis 70|82 | --server PROGRAM] [--workers N] [--requests N] [--round N]
//!                 [--clients N] [--queues N] [--seed S] [--scripts] [--torn]
//! ```
//!
//! Without `--address` an engine in this process is checked; `--redis` starts a real one, which checks the checker;
//! `--server` starts a program that takes Redis's options, with so many worker threads. The data of the server are
//! dropped. `--scripts` sends a part of the operations as EVAL. Each round of `--round` requests has a seed of its own, which is printed, and is
//! checked for itself; every second one is disturbed by CLIENT UNBLOCK, CLIENT KILL and strings in lists' places. Every
//! round ends with transfers between accounts and with a chain of blocking moves, a tenth of the requests each.
//! `--torn` plants violations by sending transactions request by request.
//! The exit status is 0 when everything is explained, 1 when not, 2 when nothing could be checked.

use ochre_testkit::InProcess;
use ochre_testkit::history::check::check;
use ochre_testkit::history::peer::Server;
use ochre_testkit::history::workload::{Config, run};
use ochre_testkit::history::{chains, transfers};
use ochre_testkit::reference::{Reference, Release, Running};
use std::process::ExitCode;
use std::time::Instant;

struct Options {
    address: Option<String>,
    redis: Option<Release>,
    server: Option<String>,
    workers: Option<u64>,
    requests: u64,
    round: u64,
    config: Config,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        address: None,
        redis: None,
        server: None,
        workers: None,
        requests: 1_000_000,
        round: 100_000,
        config: Config::default(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(option) = words.next() {
        match option.as_str() {
            "--torn" => {
                options.config.torn = true;
                continue;
            }
            "--scripts" => {
                options.config.scripts = true;
                continue;
            }
            _ => {}
        }
        let value = words
            .next()
            .ok_or_else(|| format!("{option} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|e| format!("{option} {value}: {e}"))
        };
        match (option.as_str(), value.as_str()) {
            ("--address", _) => options.address = Some(value),
            ("--redis", "70") => options.redis = Some(Release::V70),
            ("--redis", "82") => options.redis = Some(Release::V82),
            ("--server", _) => options.server = Some(value),
            ("--workers", _) => options.workers = Some(number()?),
            ("--requests", _) => options.requests = number()?,
            ("--round", _) => options.round = number()?.max(1),
            ("--clients", _) => {
                options.config.clients = usize::try_from(number()?.max(1)).unwrap_or(1);
            }
            ("--queues", _) => options.config.queues = number()?.max(1),
            ("--seed", _) => options.config.seed = number()?,
            _ => return Err(format!("what is {option} {value}?")),
        }
    }
    Ok(options)
}

/// Whether everything is explained.
fn explain() -> Result<bool, String> {
    let options = options()?;
    let reference = match options.redis {
        None => None,
        Some(release) => {
            let started = Reference::start(release, &[]).map_err(|e| e.to_string())?;
            Some(started.ok_or_else(|| format!("{release:?}: no redis-server"))?)
        }
    };
    let started = match &options.server {
        None => None,
        Some(program) => {
            let workers = options.workers.map(|n| n.to_string());
            let workers = workers
                .iter()
                .flat_map(|n| ["--worker-threads", n, "--worker-threads-min", n]);
            let workers: Vec<&str> = workers.collect();
            Some(Running::start(program, &workers).map_err(|e| format!("{program}: {e}"))?)
        }
    };
    let engine = InProcess::in_real_time(&[]);
    let address = options
        .address
        .or_else(|| Some(reference.as_ref()?.address.to_string()))
        .or_else(|| Some(started.as_ref()?.address.to_string()));
    let server = match address {
        Some(address) => Server::At(address),
        None => Server::InProcess(&engine),
    };
    let (mut operations, mut acts, mut edges, mut moved) = (0, 0, 0, 0);
    let began = Instant::now();
    for round in 0..options.requests.div_ceil(options.round) {
        let config = Config {
            seed: options.config.seed.wrapping_add(round),
            requests: options.round.min(options.requests - round * options.round),
            disturbed: round % 2 == 1,
            ..options.config
        };
        let (seed, clients) = (config.seed, config.clients);
        println!(
            "seed {seed}, {clients} clients{}",
            if config.disturbed { ", disturbed" } else { "" }
        );
        let history = run(&server, config)?;
        let explained = check(&history);
        let part = config.requests / 10;
        let sums = transfers::run(&server, seed, clients as u64, part);
        let chain = chains::run(&server, seed, part);
        match (explained, sums, chain) {
            (Ok(found), Ok(sums), Ok(())) => {
                operations += found.operations;
                acts += found.acts;
                edges += found.edges;
                moved += sums.done + sums.looks;
            }
            (explained, sums, chain) => {
                for error in [explained.err(), sums.err(), chain.err()]
                    .into_iter()
                    .flatten()
                {
                    println!("seed {seed}: NOT EXPLAINED: {error}");
                }
                return Ok(false);
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "explained: {} requests: {operations} operations with {acts} replies, {edges} edges; {moved} transfers and \
         looks at sums; {} elements carried along chains; {seconds:.0} s",
        options.requests,
        options.requests / 10
    );
    Ok(true)
}

fn main() -> ExitCode {
    match explain() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            eprintln!("ochre-histories: {reason}");
            ExitCode::from(2)
        }
    }
}
