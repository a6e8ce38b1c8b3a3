//! The family of transactions: random requests of the whole grammar, queued and run, by clients that watch what others change.

use super::{Act, is_fit, look_at_keys, whole_grammar};
use crate::differential::rules;
use crate::grammar::{Grammar, KEYS, Rng};
use crate::reference::Reference;
use ochre_resp::Protocol;
use std::io;

/// Clients.
const CLIENTS: usize = 3;
/// Acts of a sequence.
const LENGTH: usize = 400;
/// How long a key lives that expires while it is watched, in milliseconds, and how long is waited for it.
const LIFE: (u64, u64) = (200, 220);

/// Makes sequences.
pub struct Maker {
    grammar: Grammar,
}

struct Making<'a> {
    grammar: &'a Grammar,
    rng: Rng,
    acts: Vec<Act>,
    in_multi: [bool; CLIENTS],
}

impl Maker {
    /// With the commands that the reference has, too.
    ///
    /// # Errors
    /// When the reference cannot be talked to.
    pub fn new(reference: &Reference) -> io::Result<Maker> {
        let grammar = whole_grammar(reference, 15, 2_000)?;
        Ok(Maker { grammar })
    }

    /// A sequence of acts, and the protocols of its clients.
    #[must_use]
    pub fn sequence(&self, seed: u64) -> (Vec<Act>, Vec<Protocol>) {
        let mut rng = Rng::seeded(seed);
        let protocols = (0..CLIENTS)
            .map(|_| *rng.pick(&[Protocol::Resp2, Protocol::Resp3]))
            .collect();
        let mut making = Making {
            grammar: &self.grammar,
            rng,
            acts: Vec::new(),
            in_multi: [false; CLIENTS],
        };
        while making.acts.len() < LENGTH {
            making.next();
        }
        making.look();
        (making.acts, protocols)
    }
}

impl Making<'_> {
    fn put(&mut self, client: usize, words: &[&[u8]]) {
        let args = words.iter().map(|w| w.to_vec()).collect();
        self.acts.push(Act::Request(client, args));
    }

    fn line(&mut self, client: usize, line: &str) {
        let args = line.split(' ').map(|w| w.as_bytes().to_vec()).collect();
        self.acts.push(Act::Request(client, args));
    }

    fn next(&mut self) {
        let client = self.rng.index(CLIENTS);
        if self.in_multi[client] {
            self.inside(client);
        } else {
            self.outside(client);
        }
    }

    fn outside(&mut self, client: usize) {
        match self.rng.index(100) {
            0..=29 => self.begin(client),
            30..=44 => self.watch(client),
            45..=46 => self.put(client, &[b"UNWATCH"]),
            47 => self.put(client, &[b"EXEC"]),
            48 => self.put(client, &[b"DISCARD"]),
            49 => self.put(client, &[b"MULTI", b"x"]),
            50..=52 => self.whole(client),
            53 => self.expiring(client),
            54 => self.acts.push(Act::Leave(client)),
            _ => self.request(client),
        }
    }

    fn inside(&mut self, client: usize) {
        match self.rng.index(100) {
            0..=19 => {
                self.in_multi[client] = false;
                self.put(client, &[b"EXEC"]);
            }
            20..=22 => {
                self.in_multi[client] = false;
                self.put(client, &[b"DISCARD"]);
            }
            23 => self.put(client, &[b"MULTI"]),
            24 => self.watch(client),
            25 => self.put(client, &[b"UNWATCH"]),
            26 => self.put(client, &[b"nothing", b"x"]),
            27 => self.put(client, &[b"GET"]),
            28..=29 => self.whole(client),
            30 => {
                self.in_multi[client] = false;
                self.put(client, &[b"RESET"]);
            }
            31 => {
                let line = *self
                    .rng
                    .pick(&["EXEC x", "DISCARD x", "WATCH", "UNWATCH x"]);
                self.line(client, line);
            }
            32 => {
                self.in_multi[client] = false;
                self.acts.push(Act::Leave(client));
            }
            _ => self.request(client),
        }
    }

    fn begin(&mut self, client: usize) {
        self.in_multi[client] = true;
        self.put(client, &[b"MULTI"]);
    }

    fn watch(&mut self, client: usize) {
        let mut words: Vec<&[u8]> = vec![b"WATCH"];
        for _ in 0..1 + self.rng.index(3) {
            words.push(*self.rng.pick(KEYS));
        }
        self.put(client, &words);
    }

    /// What changes whole databases.
    fn whole(&mut self, client: usize) {
        let line = *self.rng.pick(&[
            "FLUSHALL ASYNC",
            "FLUSHDB ASYNC",
            "SWAPDB 0 1",
            "SWAPDB 0 2",
            "SWAPDB 1 1",
            "SWAPDB 0 x",
            "SELECT 1",
            "SELECT 0",
            "SELECT 99",
            "DBSIZE",
        ]);
        self.line(client, line);
    }

    /// A key that expires while it is watched, or before.
    fn expiring(&mut self, client: usize) {
        if !self.rng.chance(20) {
            return;
        }
        let key = *self.rng.pick(KEYS);
        let life = LIFE.0.to_string();
        self.put(client, &[b"SET", key, b"v", b"PX", life.as_bytes()]);
        let before = self.rng.chance(50);
        if before {
            self.put(client, &[b"WATCH", key]);
        }
        self.acts.push(Act::Pass(LIFE.1));
        if !before {
            self.put(client, &[b"WATCH", key]);
        }
        if self.rng.chance(50) {
            self.put((client + 1) % CLIENTS, &[b"GET", key]);
        }
        self.put(client, &[b"MULTI"]);
        self.put(client, &[b"PING"]);
        self.put(client, &[b"EXEC"]);
        // Found expired by now: what DBSIZE counts of others, and which of them a SCAN meets, is left to the server.
        self.put(client, &[b"EXISTS", key]);
    }

    fn request(&mut self, client: usize) {
        for _ in 0..20 {
            let mut args = self.grammar.request(&mut self.rng).args;
            rules::settle(&mut args);
            if is_fit(&args) {
                return self.acts.push(Act::Request(client, args));
            }
        }
    }

    /// Everything that there is.
    fn look(&mut self) {
        for client in 0..CLIENTS {
            if self.in_multi[client] {
                self.put(client, &[b"EXEC"]);
            }
        }
        look_at_keys(&mut self.acts);
    }
}
