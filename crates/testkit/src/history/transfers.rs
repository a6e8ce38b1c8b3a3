//! Transfers between accounts by transactions, under WATCH and in scripts: whoever looks at all accounts sees their sum.

use super::peer::{Peer, Server};
use crate::rng::Rng;
use ochre_resp::Frame;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Accounts.
const ACCOUNTS: usize = 5;
/// What each holds in the beginning.
const FUNDS: i64 = 1000;

/// What a run did.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Transferred {
    /// Transfers that happened.
    pub done: u64,
    /// Transfers that a change of a watched account stopped.
    pub refused: u64,
    /// Looks at all accounts.
    pub looks: u64,
}

fn account(number: usize) -> String {
    format!("account:{number}")
}

fn amounts(frames: &[Frame]) -> Result<Vec<i64>, String> {
    let amount = |frame: &Frame| std::str::from_utf8(frame.as_bytes()?).ok()?.parse().ok();
    let amounts: Option<Vec<i64>> = frames.iter().map(amount).collect();
    amounts.ok_or_else(|| format!("no amounts: {frames:?}"))
}

fn array(frame: Option<&Frame>) -> Result<&[Frame], String> {
    match frame {
        Some(Frame::Array(items)) => Ok(items),
        other => Err(format!("no array: {other:?}")),
    }
}

fn requests(lines: &[String]) -> Vec<Vec<Vec<u8>>> {
    let words = |line: &String| line.split(' ').map(|w| w.as_bytes().to_vec()).collect();
    lines.iter().map(words).collect()
}

/// Looks at all accounts, in one of the ways that show them at one time.
fn look(peer: &mut Peer<'_>, rng: &mut Rng) -> Result<(), String> {
    let all: Vec<String> = (0..ACCOUNTS).map(account).collect();
    let seen = if rng.chance(50) {
        let replies = peer.exchange(&requests(&[format!("MGET {}", all.join(" "))]))?;
        amounts(array(replies.first())?)?
    } else {
        let mut lines = vec!["MULTI".to_owned()];
        lines.extend(all.iter().map(|name| format!("GET {name}")));
        lines.push("EXEC".to_owned());
        let replies = peer.exchange(&requests(&lines))?;
        amounts(array(replies.last())?)?
    };
    let sum: i64 = seen.iter().sum();
    if sum == FUNDS * ACCOUNTS as i64 {
        Ok(())
    } else {
        Err(format!("the accounts hold {sum} together: {seen:?}"))
    }
}

/// Whether it happened.
fn transfer(peer: &mut Peer<'_>, rng: &mut Rng) -> Result<bool, String> {
    let (from, to) = (account(rng.index(ACCOUNTS)), account(rng.index(ACCOUNTS)));
    let amount = rng.range(1, 9);
    if from == to {
        return Ok(false);
    }
    if rng.chance(50) {
        let lines = [
            "MULTI".to_owned(),
            format!("DECRBY {from} {amount}"),
            format!("INCRBY {to} {amount}"),
            "EXEC".to_owned(),
        ];
        let replies = peer.exchange(&requests(&lines))?;
        return array(replies.last()).map(|_| true);
    }
    let lines = [format!("WATCH {from} {to}"), format!("MGET {from} {to}")];
    let replies = peer.exchange(&requests(&lines))?;
    let seen = amounts(array(replies.last())?)?;
    let lines = [
        "MULTI".to_owned(),
        format!("SET {from} {}", seen[0] - amount),
        format!("SET {to} {}", seen[1] + amount),
        "EXEC".to_owned(),
    ];
    let replies = peer.exchange(&requests(&lines))?;
    Ok(matches!(replies.last(), Some(Frame::Array(_))))
}

/// Runs `clients` clients, for `steps` transfers and looks together. The server's data are dropped.
///
/// # Errors
/// When a sum is wrong, or a connection is lost.
///
/// # Panics
/// When a client's thread does.
pub fn run(
    server: &Server<'_>,
    seed: u64,
    clients: u64,
    steps: u64,
) -> Result<Transferred, String> {
    let mut peer = server.connect()?;
    peer.call(&["FLUSHALL"])?;
    for number in 0..ACCOUNTS {
        peer.call(&["SET", &account(number), &FUNDS.to_string()])?;
    }
    let [done, refused, looks] = [const { AtomicU64::new(0) }; 3];
    let work = |client: u64| {
        let mut rng = Rng::seeded(seed.wrapping_mul(1000).wrapping_add(client));
        let mut peer = server.connect()?;
        for _ in 0..steps / clients {
            let counter = if rng.chance(40) {
                look(&mut peer, &mut rng)?;
                &looks
            } else if transfer(&mut peer, &mut rng)? {
                &done
            } else {
                &refused
            };
            counter.fetch_add(1, Relaxed);
        }
        Ok::<_, String>(())
    };
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..clients).map(|c| scope.spawn(move || work(c))).collect();
        let mut outcomes = threads.into_iter().map(|t| t.join().expect("no panic"));
        outcomes.try_for_each(|outcome| outcome)
    })?;
    look(&mut peer, &mut Rng::seeded(seed))?;
    Ok(Transferred {
        done: done.into_inner(),
        refused: refused.into_inner(),
        looks: looks.into_inner(),
    })
}
