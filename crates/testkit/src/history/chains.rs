//! Chains of lists that blocking moves carry elements along, without timeouts: a wake-up that is lost stops them.
//!
//! Clients are unblocked, killed, and leave in the middle of a wait; the lists are renamed to and fro. Every element
//! arrives once, and those of one client in their order.

use super::peer::Server;
use crate::rng::Rng;
use ochre_resp::Frame;
use std::io::Write;
use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::time::{Duration, Instant};

/// Lists, the one behind the other.
const STAGES: usize = 4;
/// Clients that move from each list to the next.
const MOVERS: usize = 2;
/// Clients that push.
const PUSHERS: u64 = 2;
/// How long it takes at most until the last element arrives.
const PATIENCE: Duration = Duration::from_secs(15);

fn list(stage: usize) -> String {
    format!("chain:{stage}")
}

/// What a run is like.
struct Chain<'s> {
    server: &'s Server<'s>,
    seed: u64,
    /// CLIENT ID of each mover.
    ids: Vec<AtomicU64>,
    /// Movers that have not returned.
    moving: AtomicUsize,
    over: AtomicBool,
}

impl Chain<'_> {
    fn rng(&self, number: usize) -> Rng {
        Rng::seeded(self.seed.wrapping_mul(1000).wrapping_add(number as u64))
    }

    /// Moves until all is over. A connection that is lost is replaced.
    fn carry(&self, number: usize) -> Result<(), String> {
        let (from, to) = (list(number / MOVERS), list(number / MOVERS + 1));
        while !self.over.load(SeqCst) {
            let mut peer = self.server.connect()?;
            let Ok(id) = peer.id() else { continue };
            self.ids[number].store(id, SeqCst);
            while !self.over.load(SeqCst) {
                if peer
                    .call(&["BLMOVE", &from, &to, "LEFT", "RIGHT", "0"])
                    .is_err()
                {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Gets in the way until all is over; then lets the movers go.
    fn disturb(&self) -> Result<(), String> {
        let mut peer = self.server.connect()?;
        let mut rng = self.rng(usize::MAX);
        while !self.over.load(SeqCst) {
            let id = self.ids[rng.index(self.ids.len())].load(SeqCst).to_string();
            let stage = rng.index(STAGES - 1);
            match (rng.below(10), self.server) {
                (0, Server::At(_)) => drop(peer.call(&["CLIENT", "KILL", "ID", &id])?),
                (1..3, Server::At(address)) => leave(address, stage, &mut rng)?,
                (3..5, _) => drop(peer.call(&["CLIENT", "UNBLOCK", &id, "ERROR"])?),
                (5, _) => {
                    // As one, so that nobody pushes to the name meanwhile.
                    let rename = |a: &str, b: &str| ["RENAME", a, b].map(|w| w.as_bytes().to_vec());
                    let [name, away] = [list(stage), "away".to_owned()];
                    let requests = [
                        vec![b"MULTI".to_vec()],
                        rename(&name, &away).to_vec(),
                        rename(&away, &name).to_vec(),
                        vec![b"EXEC".to_vec()],
                    ];
                    peer.exchange(&requests)?;
                }
                _ => std::thread::sleep(Duration::from_micros(rng.below(300))),
            }
        }
        Ok(())
    }

    /// Ends the waits of those who wait for what does not come any more.
    fn end(&self) -> Result<(), String> {
        let mut peer = self.server.connect()?;
        self.over.store(true, SeqCst);
        let deadline = Instant::now() + PATIENCE;
        // One that had not heard of the end begins to wait after it was unblocked.
        loop {
            for id in &self.ids {
                let id = id.load(SeqCst).to_string();
                peer.call(&["CLIENT", "UNBLOCK", &id])?;
            }
            let info = peer.call(&["INFO", "clients"])?;
            let info = String::from_utf8_lossy(info.as_bytes().unwrap_or_default()).into_owned();
            if self.moving.load(SeqCst) == 0 && info.contains("blocked_clients:0\r") {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("clients wait that cannot be unblocked".to_owned());
            }
        }
    }
}

/// Begins to wait, and leaves.
fn leave(address: &str, stage: usize, rng: &mut Rng) -> Result<(), String> {
    let mut stream = std::net::TcpStream::connect(address).map_err(|e| e.to_string())?;
    let line = format!(
        "BLMOVE {} {} LEFT RIGHT 0\r\n",
        list(stage),
        list(stage + 1)
    );
    stream
        .write_all(line.as_bytes())
        .map_err(|e| e.to_string())?;
    std::thread::sleep(Duration::from_micros(rng.below(1000)));
    Ok(())
}

fn push(server: &Server<'_>, pusher: u64, elements: u64) -> Result<(), String> {
    let mut peer = server.connect()?;
    for n in 0..elements {
        peer.call(&["RPUSH", &list(0), &format!("{pusher}:{n}")])?;
    }
    Ok(())
}

/// Carries elements along a chain, and looks at what arrives. The server's data are dropped.
///
/// # Errors
/// When elements are lost, doubled, out of order, or do not arrive.
///
/// # Panics
/// When a client's thread does.
pub fn run(server: &Server<'_>, seed: u64, elements: u64) -> Result<(), String> {
    let mut peer = server.connect()?;
    peer.call(&["FLUSHALL"])?;
    let chain = Chain {
        server,
        seed,
        ids: (0..(STAGES - 1) * MOVERS)
            .map(|_| AtomicU64::new(0))
            .collect(),
        moving: AtomicUsize::new((STAGES - 1) * MOVERS),
        over: AtomicBool::new(false),
    };
    let of_each = elements / PUSHERS;
    let arrived = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let chain = &chain;
        let movers: Vec<_> = (0..chain.ids.len())
            .map(|n| {
                scope.spawn(move || {
                    let carried = chain.carry(n);
                    chain.moving.fetch_sub(1, SeqCst);
                    carried
                })
            })
            .collect();
        let disturber = scope.spawn(move || chain.disturb());
        let pushers = (0..PUSHERS).map(|p| scope.spawn(move || push(server, p, of_each)));
        let pushers: Vec<_> = pushers.collect();
        let mut outcome = pushers
            .into_iter()
            .try_for_each(|p| p.join().expect("no panic"));
        let deadline = Instant::now() + PATIENCE;
        let all = i64::try_from(of_each * PUSHERS).unwrap_or(i64::MAX);
        while outcome.is_ok() && Instant::now() < deadline {
            let len = peer.call(&["LLEN", &list(STAGES - 1)])?;
            if len == Frame::Integer(all) {
                arrived.store(true, Relaxed);
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        outcome = outcome.and(chain.end());
        let others = movers.into_iter().chain([disturber]);
        let others: Vec<_> = others.map(|t| t.join().expect("no panic")).collect();
        others.into_iter().try_fold((), |(), o| o).and(outcome)
    })?;
    let last = match peer.call(&["LRANGE", &list(STAGES - 1), "0", "-1"])? {
        Frame::Array(items) => items,
        other => return Err(format!("LRANGE gave {other:?}")),
    };
    if !arrived.into_inner() {
        let lens: Result<Vec<_>, _> = (0..STAGES)
            .map(|s| peer.call(&["LLEN", &list(s)]))
            .collect();
        return Err(format!("not all arrived; lengths of the lists: {lens:?}"));
    }
    let mut expected = [0; PUSHERS as usize];
    for element in &last {
        let text = String::from_utf8_lossy(element.as_bytes().unwrap_or_default()).into_owned();
        let (pusher, n) = text.split_once(':').ok_or("an odd element")?;
        let pusher: usize = pusher.parse().map_err(|_| "an odd element")?;
        if n.parse() != Ok(expected[pusher]) {
            return Err(format!(
                "{text} arrived instead of {pusher}:{}",
                expected[pusher]
            ));
        }
        expected[pusher] += 1_u64;
    }
    Ok(())
}
