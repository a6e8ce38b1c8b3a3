//! The values of options.

use super::{Options, Part, Place, Stop, wrong};
use crate::keys::{DEFAULT_EXPONENT, Distribution};
use crate::request::Sizes;
use std::path::PathBuf;
use std::time::Duration;

/// Longest time that an option may name: a year.
const SECONDS_LIMIT: f64 = 366.0 * 24.0 * 3600.0;
/// Largest exponent of `zipf`; beyond it nearly all requests go to one key.
const EXPONENT_LIMIT: f64 = 10.0;
/// Kinds of requests in one mixture.
const KINDS_LIMIT: usize = 64;
/// Largest part of a mixture.
const WEIGHT_LIMIT: u64 = 1_000_000;

/// Which numbers an option takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    least: u64,
    most: u64,
}

impl Limit {
    pub(crate) fn any() -> Limit {
        Limit::within(0, u64::MAX)
    }

    pub(crate) fn from(least: u64) -> Limit {
        Limit::within(least, u64::MAX)
    }

    pub(crate) fn to(most: u64) -> Limit {
        Limit::within(0, most)
    }

    pub(crate) fn within(least: u64, most: u64) -> Limit {
        Limit { least, most }
    }
}

pub(super) fn number(option: &str, text: &str, limit: Limit) -> Result<u64, Stop> {
    let bad = || wrong(format!("{option} takes a number, not '{text}'"));
    let number = text.parse::<u64>().map_err(|_| bad())?;
    match number {
        n if n < limit.least => Err(wrong(format!("{option} takes at least {}", limit.least))),
        n if n > limit.most => Err(wrong(format!("{option} takes at most {}", limit.most))),
        n => Ok(n),
    }
}

pub(super) fn port(option: &str, text: &str) -> Result<u16, Stop> {
    let number = number(option, text, Limit::within(1, u64::from(u16::MAX)))?;
    u16::try_from(number).map_err(|_| wrong("Invalid server port."))
}

pub(super) fn seconds(option: &str, text: &str) -> Result<Duration, Stop> {
    let bad = || wrong(format!("{option} takes seconds, not '{text}'"));
    let seconds = text.parse::<f64>().map_err(|_| bad())?;
    match (0.0..=SECONDS_LIMIT).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(bad()),
    }
}

/// `SIZE` or `LEAST-MOST`.
pub(super) fn sizes(option: &str, text: &str, limit: usize) -> Result<Sizes, Stop> {
    let one = |text: &str| -> Result<usize, Stop> {
        let size = number(option, text, Limit::any())?;
        // compat: what is too small or too large is brought into range.
        Ok(usize::try_from(size).unwrap_or(limit).clamp(1, limit))
    };
    let sizes = match text.split_once('-') {
        Some((least, most)) if !least.is_empty() => Sizes {
            least: one(least)?,
            most: one(most)?,
        },
        _ => Sizes {
            least: one(text)?,
            most: one(text)?,
        },
    };
    match sizes.least <= sizes.most {
        true => Ok(sizes),
        false => Err(wrong(format!("'{text}' is no range of sizes"))),
    }
}

/// `uniform`, `zipf`, `zipf:EXPONENT` or `sequential`.
pub(super) fn distribution(text: &str) -> Result<Distribution, Stop> {
    let (name, exponent) = match text.split_once(':') {
        Some((name, exponent)) => (name, Some(exponent)),
        None => (text, None),
    };
    match (name, exponent) {
        ("uniform", None) => Ok(Distribution::Uniform),
        ("sequential", None) => Ok(Distribution::Sequential),
        ("zipf", None) => Ok(Distribution::Zipf(DEFAULT_EXPONENT)),
        ("zipf", Some(exponent)) => match exponent.parse::<f64>() {
            Ok(e) if (0.0..=EXPONENT_LIMIT).contains(&e) => Ok(Distribution::Zipf(e)),
            _ => Err(wrong(format!(
                "the exponent of zipf is from 0 to {EXPONENT_LIMIT}, not '{exponent}'"
            ))),
        },
        _ => Err(wrong(format!(
            "--distribution takes uniform, zipf, zipf:EXPONENT or sequential, not '{text}'"
        ))),
    }
}

/// `NAME:NAME=WEIGHT:WEIGHT`, with as many weights as names.
pub(super) fn mixture(text: &str) -> Result<Vec<Part>, Stop> {
    let bad = || {
        wrong(format!(
            "--ratio takes tests and their parts, as in set:get=1:10, not '{text}'"
        ))
    };
    let (names, weights) = text.split_once('=').ok_or_else(bad)?;
    let names: Vec<&str> = names.split(':').collect();
    let weights: Vec<&str> = weights.split(':').collect();
    if names.len() != weights.len() || names.len() > KINDS_LIMIT {
        return Err(bad());
    }
    let part = |(name, weight): (&&str, &&str)| {
        Ok(Part {
            name: name.trim().to_ascii_lowercase(),
            weight: number("--ratio", weight.trim(), Limit::within(1, WEIGHT_LIMIT))?,
        })
    };
    names.iter().zip(&weights).map(part).collect()
}

/// `HOST:PORT`, `[HOST]:PORT`, a port, or the path of a socket.
pub(super) fn place(text: &str) -> Result<Place, Stop> {
    if text.contains('/') {
        return Ok(Place::Unix(PathBuf::from(text)));
    }
    let (host, port_text) = text.rsplit_once(':').unwrap_or(("127.0.0.1", text));
    let host = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    let is_port = port_text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if host.is_empty() || !is_port {
        return Err(wrong(format!("'{text}' is no HOST:PORT")));
    }
    Ok(Place::Tcp {
        host: host.to_owned(),
        port: port("--compare", port_text)?,
    })
}

/// `PID` or `PID,PID`.
pub(super) fn pids(text: &str) -> Result<Vec<u32>, Stop> {
    let limit = Limit::within(1, u64::from(i32::MAX.unsigned_abs()));
    let pid = |text: &str| {
        let pid = number("--server-pid", text.trim(), limit)?;
        u32::try_from(pid).map_err(|_| wrong("--server-pid takes a process"))
    };
    text.split(',').map(pid).collect()
}

/// A URL of a server, as redis-cli's.
pub(super) fn url(options: &mut Options, url: &str) -> Result<(), Stop> {
    let config =
        ochre_client::Config::parse(url).map_err(|e| wrong(format!("Invalid URI: {e}")))?;
    if let Some((host, port)) = config.host_and_port() {
        options.place = Place::Tcp {
            host: host.to_owned(),
            port,
        };
    } else if let Some((_, path)) = url.split_once("://") {
        let path = path.split('?').next().unwrap_or_default();
        if let Some(at) = path.find('/') {
            options.place = Place::Unix(PathBuf::from(&path[at..]));
        }
    }
    let (user, password) = config.credentials();
    let login = &mut options.login;
    login.user = user.map(str::to_owned).or(login.user.take());
    login.password = password.map(str::to_owned).or(login.password.take());
    login.database = config.selected_database();
    if url.starts_with("rediss://") || url.starts_with("valkeys://") {
        options.tls();
    }
    Ok(())
}
