//! The load generator: redis-benchmark's options, tests and output, for Ochre, Redis and Valkey, with what those lack.
//!
//! Invariants
//! - An error reply, a lost connection and a result that could not be written are told, and the exit code is then 1.
//! - Nothing waits without a limit: for a connection, for a reply (`--timeout`), for the last replies of an open loop.
//! - Threads share what they read and a counter that they touch once per some thousand requests; each has an event
//!   loop, connections and counts of its own.
//! - An open loop (`--rate`) charges a server with the time from when a request was due.

mod budget;
mod cases;
mod compare;
mod connection;
mod cpu;
mod failure;
mod figures;
mod help;
mod keys;
mod limits;
mod link;
mod load;
mod options;
mod output;
mod poller;
mod request;
mod run;
mod scan;
mod schedule;
mod session;
mod stats;
mod target;
mod worker;
mod workload;

use options::{Options, Stop};
use session::Unwell;
use std::process::ExitCode;

/// The whole of the program `ochre-benchmark`.
#[must_use]
pub fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(Stop::Help) => {
            print!("{}", help::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(Stop::Version) => {
            println!("ochre-benchmark {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(Stop::Wrong(text)) => {
            eprintln!("{text}\nTry ochre-benchmark --help.");
            return ExitCode::FAILURE;
        }
    };
    match session::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Unwell::Errors) => ExitCode::FAILURE,
        Err(Unwell::Failed(failure)) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
