//! Client-side caching and MONITOR from outside: the same scenarios as a running Redis, and bounds on memory.

mod caching;
mod limits;
mod monitor;
mod scenario;
mod server;

use ochre_testkit::reference::{Reference, Release};
use scenario::Stage;
use server::Server;

/// Numbers of connections between the beginnings of two scenarios.
const NUMBERS: u64 = 100;

/// A scenario.
struct Scenario {
    name: &'static str,
    /// Which Redis does the same.
    like: &'static [Release],
    /// Which one does it in another order.
    unordered: &'static [Release],
    steps: &'static [&'static str],
}

const BOTH: &[Release] = &[Release::V70, Release::V82];

const fn scenario(name: &'static str, steps: &'static [&'static str]) -> Scenario {
    Scenario {
        name,
        like: BOTH,
        unordered: &[],
        steps,
    }
}

impl Scenario {
    /// In one step, a connection receives the same in another order, for a reason that is given where this is called.
    const fn unordered(self, unordered: &'static [Release]) -> Scenario {
        Scenario { unordered, ..self }
    }

    const fn like(self, like: &'static [Release]) -> Scenario {
        Scenario { like, ..self }
    }
}

/// Plays scenarios to Ochre and to Redis, and compares what every connection receives.
fn compare(release: Release, scenarios: &[Scenario]) {
    let server = Server::start(&[]);
    let reference = match Reference::start(release, &[]) {
        Ok(Some(reference)) => reference,
        Ok(None) => return eprintln!("skipped: there is no Redis to compare with"),
        Err(error) => panic!("Redis does not start: {error}"),
    };
    let theirs = reference.address.to_string();
    let mut wrong = Vec::new();
    let chosen = scenarios.iter().filter(|s| s.like.contains(&release));
    for (scenario, first) in chosen.zip((1..).map(|n| n * NUMBERS)) {
        let [ours, theirs] = [&server.address, &theirs].map(|address| {
            let mut stage = Stage::new(address, first).expect("a connection");
            let played = stage.play(scenario.steps, scenario.unordered.contains(&release));
            played.unwrap_or_else(|error| panic!("{} at {address}: {error}", scenario.name))
        });
        if ours != theirs {
            wrong.push(format!(
                "{}\n--- ours\n{}\n--- {}\n{}",
                scenario.name,
                ours.join("\n"),
                reference.version,
                theirs.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
