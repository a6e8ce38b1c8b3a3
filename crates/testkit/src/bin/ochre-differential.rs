//! Compares Ochre with a real Redis on random requests.
//!
//! ```text
//! ochre-differential [--family NAME|all] [--commands N] [--seed S] [--protocol 2|3|both] [--reference 70|82]
//!                    [--address HOST:PORT] [--length N] [--keep-going N] [--notifications]
//! ```
//!
//! The family is a command group as COMMAND DOCS names it. `--address` compares a running ochre-server, whose data
//! are dropped, instead of an engine in this process. `--family permissions` compares decisions of access control instead,
//! with a new user for every 100 of the commands; `--family waits` lets several clients wait for keys that others change,
//! `--family units` lets them run transactions of everything, and `--family scripts` programs written at random. `--keep-going` ends after N differences instead of one.
//! `--notifications` compares the events that both publish about keys (`notify-keyspace-events`), too; it is slower.
//! The reference's binary is `OCHRE_REDIS_70` (/usr/bin/redis-server by default) or `OCHRE_REDIS_82`.
//! The exit status is 0 without unexplained differences, 1 with some, 2 when nothing could be compared.

use ochre_resp::Protocol;
use ochre_testkit::differential::crowd::{self, Found, blocking, scripts, transactions};
use ochre_testkit::differential::{Config, groups, permissions, run};
use ochre_testkit::reference::{Reference, Release};
use std::process::ExitCode;

/// The family of access control's decisions.
const PERMISSIONS: &str = "permissions";
/// The family of clients that wait.
const WAITS: &str = "waits";
/// The family of transactions, of all commands.
const UNITS: &str = "units";
/// The family of Lua programs.
const SCRIPTS: &str = "scripts";
/// Families that are no command groups.
const OTHERS: [&str; 4] = [PERMISSIONS, WAITS, UNITS, SCRIPTS];

fn main() -> ExitCode {
    match compare() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            eprintln!("ochre-differential: {reason}");
            ExitCode::from(2)
        }
    }
}

fn compare() -> Result<bool, String> {
    let mut config = Config {
        commands: 100_000,
        progress: true,
        ..Config::default()
    };
    let (mut families, mut release) = (Vec::new(), Release::V70);
    let mut words = std::env::args().skip(1);
    while let Some(option) = words.next() {
        if option == "--notifications" {
            config.notifications = true;
            continue;
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
            ("--family", "all") => families.extend(groups().into_iter().chain(OTHERS)),
            ("--family", name) => families.push(
                groups()
                    .into_iter()
                    .chain(OTHERS)
                    .find(|g| *g == name)
                    .ok_or_else(|| format!("no family {name}; there are {:?}", groups()))?,
            ),
            ("--commands", _) => config.commands = number()?,
            ("--seed", _) => config.seed = number()?,
            ("--length", _) => config.length = usize::try_from(number()?).unwrap_or(2_000).max(1),
            ("--keep-going", _) => config.most = usize::try_from(number()?).unwrap_or(1).max(1),
            ("--protocol", "2") => config.protocols = vec![Protocol::Resp2],
            ("--protocol", "3") => config.protocols = vec![Protocol::Resp3],
            ("--protocol", "both") => config.protocols = vec![Protocol::Resp2, Protocol::Resp3],
            ("--reference", "70") => release = Release::V70,
            ("--reference", "82") => release = Release::V82,
            ("--address", address) => config.address = Some(address.to_owned()),
            _ => return Err(format!("what is {option} {value}?")),
        }
    }
    if families.is_empty() {
        families.extend(groups());
    }
    let reference = Reference::start(release, &[])
        .map_err(|e| format!("{release:?}: {e}"))?
        .ok_or_else(|| {
            format!("{release:?}: no redis-server; set OCHRE_REDIS_70 or OCHRE_REDIS_82")
        })?;
    let mut agree = true;
    for family in families {
        config.group = Some(family.to_owned());
        println!(
            "{family}: against Redis {}, seed {}",
            reference.version, config.seed
        );
        if family == PERMISSIONS {
            let users = config.commands.div_ceil(100);
            let found = permissions::run(&reference, config.seed, users, config.most)
                .map_err(|e| format!("{family}: {e}"))?;
            println!("{found}");
            agree &= found.failures.is_empty();
            continue;
        }
        if [WAITS, UNITS, SCRIPTS].contains(&family) {
            let found =
                crowd_of(&reference, &config, family).map_err(|e| format!("{family}: {e}"))?;
            println!("{found}");
            agree &= found.failures.is_empty();
            continue;
        }
        let report = run(&reference, &config).map_err(|e| format!("{family}: {e}"))?;
        println!("{report}");
        agree &= report.failures.is_empty();
    }
    Ok(agree)
}

fn crowd_of(reference: &Reference, config: &Config, family: &str) -> std::io::Result<Found> {
    let extent = (config.seed, config.commands, config.most);
    match family {
        WAITS => crowd::run(reference, extent, |seed| {
            blocking::sequence(seed, reference.release)
        }),
        SCRIPTS => {
            let maker = scripts::Maker::new(reference)?;
            crowd::run(reference, extent, |seed| maker.sequence(seed))
        }
        _ => {
            let maker = transactions::Maker::new(reference)?;
            crowd::run(reference, extent, |seed| maker.sequence(seed))
        }
    }
}
