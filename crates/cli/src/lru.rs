//! `--lru-test`: the load of a cache, and how often it has what is asked for.

use crate::keys::pipeline;
use crate::reply::Reply;
use crate::session::{Session, write_out};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Requests of one kind in one exchange.
const BATCH: usize = 250;
/// How long a line's figures are gathered.
const PERIOD: Duration = Duration::from_secs(1);
/// Exponent E for which 1 - (1 - 0.2)^E is 0.8: 80 of 100 accesses go to the first 20 of 100 keys.
const SKEW: f64 = 7.212_567_439;

/// Which key is next.
struct Keys {
    count: u64,
    rng: SmallRng,
}

impl Keys {
    fn new(count: u64, seed: u64) -> Keys {
        Keys {
            count,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// From 1 to the number of keys.
    fn next(&mut self) -> u64 {
        let position = 1.0 - (1.0 - self.rng.random::<f64>()).powf(1.0 / SKEW);
        ((position * self.count as f64) as u64 + 1).min(self.count)
    }

    /// Requests for keys that are drawn one by one.
    fn requests(&mut self, command: &[u8], value: Option<&[u8]>) -> Vec<Vec<Vec<u8>>> {
        let mut request = || {
            let key = format!("lru:{}", self.next()).into_bytes();
            let mut words = vec![command.to_vec(), key];
            words.extend(value.map(<[u8]>::to_vec));
            words
        };
        (0..BATCH).map(|_| request()).collect()
    }
}

/// Writes and reads as many keys each; a line tells what became of the reads, every second or what `-i` says, as often
/// as `-r` says if it does.
pub(crate) async fn run(session: &mut Session, keys: u64) -> ExitCode {
    let period = session.options.interval.unwrap_or(PERIOD);
    let mut left = match session.options.repeat {
        Some(1) => None,
        other => other,
    };
    let mut keys = Keys::new(keys, RandomState::new().hash_one(keys));
    while left != Some(0) {
        match figures(session, &mut keys, period).await {
            Ok(line) => write_out(line.as_bytes()),
            Err(text) => {
                eprintln!("Error: {text}");
                return ExitCode::FAILURE;
            }
        }
        left = left.map(|n| n - 1);
    }
    ExitCode::SUCCESS
}

/// The line of one period.
async fn figures(
    session: &mut Session,
    keys: &mut Keys,
    period: Duration,
) -> Result<String, String> {
    let (start, mut hits, mut misses) = (Instant::now(), 0_u64, 0_u64);
    loop {
        for reply in pipeline(session, &keys.requests(b"SET", Some(b"val"))).await? {
            refused(&reply)?;
        }
        for reply in pipeline(session, &keys.requests(b"GET", None)).await? {
            refused(&reply)?;
            match reply {
                Reply::Nil => misses += 1,
                _ => hits += 1,
            }
        }
        if start.elapsed() >= period {
            break;
        }
    }
    let gets = hits + misses;
    let percent = |part: u64| 100.0 * part as f64 / gets as f64;
    let rate = gets as f64 / start.elapsed().as_secs_f64();
    Ok(format!(
        "{rate:.0} Gets/sec | Hits: {hits} ({:.2}%) | Misses: {misses} ({:.2}%)\n",
        percent(hits),
        percent(misses)
    ))
}

/// A cache that takes no writes makes no test.
fn refused(reply: &Reply) -> Result<(), String> {
    match reply {
        Reply::Error(text) => Err(String::from_utf8_lossy(text).into_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn a_fifth_of_the_keys_gets_four_fifths_of_the_accesses() {
        let mut keys = Keys::new(1000, 1);
        let drawn: Vec<u64> = (0..100_000).map(|_| keys.next()).collect();
        assert!(drawn.iter().all(|key| (1..=1000).contains(key)));
        let often = drawn.iter().filter(|key| **key <= 200).count();
        // Six standard deviations of a binomial distribution.
        assert!(often.abs_diff(80_000) < 760, "{often}");
        let mut one = Keys::new(1, 1);
        assert!((0..100).all(|_| one.next() == 1));
    }
}
