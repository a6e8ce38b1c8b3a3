//! The family of commands that wait: what random clients wait for, and what others do to it.

use super::{Act, ID_OF};
use crate::reference::Release;
use crate::rng::Rng;
use ochre_resp::Protocol;

/// Clients that may wait; one more never does.
const WAITING: usize = 5;
/// Acts of a sequence.
const LENGTH: usize = 300;

const LISTS: &[&str] = &["l1", "l2", "l3"];
const ZSETS: &[&str] = &["z1", "z2"];
const ALL: &[&str] = &["l1", "l2", "l3", "z1", "z2", "s1", "h1"];
const VALUES: &[&str] = &["a", "b", "c", "1", "2"];
/// Timeouts: those that end only after the sequence, and those that are refused.
const TIMEOUTS: &[&str] = &[
    "0.0", "1000", "999.5", "-0", "1e3", "86400", "-1", "nan", "-inf", "abc", "", "0x7ff", " 1",
    "1 ", "-0.0009", "1e-4x",
];
/// Timeouts beyond what the clock can show. Redis 7.0 reads them otherwise: some as negative, some as having passed.
const BEYOND: &[&str] = &[
    "inf",
    "1e300",
    "1e18",
    "9223372036854775807",
    "9223372036854775",
    "9223372036854776",
    "1e4000",
];

/// A sequence of acts, and the protocols of its clients.
#[must_use]
pub fn sequence(seed: u64, release: Release) -> (Vec<Act>, Vec<Protocol>) {
    let mut rng = Rng::seeded(seed);
    let protocols = (0..=WAITING)
        .map(|_| *rng.pick(&[Protocol::Resp2, Protocol::Resp3]))
        .collect();
    let mut maker = Maker {
        swaps: rng.chance(25),
        rng,
        release,
        acts: Vec::new(),
    };
    while maker.acts.len() < LENGTH {
        maker.next();
    }
    maker.look();
    (maker.acts, protocols)
}

struct Maker {
    rng: Rng,
    /// Databases are exchanged. Keys are served in the order of a hash table then, so each type has one that is waited for.
    swaps: bool,
    release: Release,
    acts: Vec<Act>,
}

type Words = Vec<Vec<u8>>;

fn words(text: &str) -> Words {
    text.split(' ').map(|w| w.as_bytes().to_vec()).collect()
}

impl Maker {
    fn put(&mut self, client: usize, args: Words) {
        self.acts.push(Act::Request(client, args));
    }

    fn next(&mut self) {
        let client = self.rng.index(WAITING + 1);
        match self.rng.index(100) {
            0..=39 => {
                let request = self.waiting();
                self.put(self.rng_client(client), request);
            }
            40..=79 => {
                self.feed(client);
            }
            80..=92 => self.transaction(client),
            93..=94 => self.unblock(),
            95 => self.acts.push(Act::Leave(client % WAITING)),
            96 => {
                let db = self.rng.pick(&["0", "0", "0", "1"]);
                let select = words(&format!("SELECT {db}"));
                self.put(client, select);
            }
            _ => self.look(),
        }
    }

    /// The last client does not wait.
    fn rng_client(&self, client: usize) -> usize {
        client % WAITING
    }

    fn key(&mut self, of: &[&'static str]) -> &'static str {
        if self.rng.chance(8) {
            self.rng.pick::<&'static str>(ALL)
        } else {
            self.rng.pick::<&'static str>(of)
        }
    }

    fn keys(&mut self, of: &[&'static str]) -> (usize, String) {
        // Since 7.2 all keys are looked at again, also those of another type.
        let most = if self.release == Release::V70 { 3 } else { 1 };
        let count = 1 + self.rng.index(most);
        let keys: Vec<&str> = (0..count).map(|_| self.source(of)).collect();
        (count, keys.join(" "))
    }

    fn timeout(&mut self) -> &'static str {
        if self.rng.chance(80) {
            "0"
        } else if self.release == Release::V82 && self.rng.chance(30) {
            self.rng.pick::<&'static str>(BEYOND)
        } else {
            self.rng.pick::<&'static str>(TIMEOUTS)
        }
    }

    /// A key to wait for.
    fn source(&mut self, of: &[&'static str]) -> &'static str {
        if self.swaps { of[0] } else { self.key(of) }
    }

    fn waiting(&mut self) -> Words {
        let timeout = self.timeout();
        let end = |maker: &mut Maker| *maker.rng.pick(&["LEFT", "RIGHT", "left"]);
        let line = match self.rng.index(12) {
            0..=1 => format!("BLPOP {} ", self.keys(LISTS).1),
            2..=3 => format!("BRPOP {} ", self.keys(LISTS).1),
            4..=5 => {
                let (from, to) = (self.source(LISTS), self.key(LISTS));
                format!("BLMOVE {from} {to} {} {} ", end(self), end(self))
            }
            6 => format!("BRPOPLPUSH {} {} ", self.source(LISTS), self.key(LISTS)),
            7 => format!("BZPOPMIN {} ", self.keys(ZSETS).1),
            8 => format!("BZPOPMAX {} ", self.keys(ZSETS).1),
            n => {
                let lists = n < 11;
                let (count, keys) = self.keys(if lists { LISTS } else { ZSETS });
                let (name, end) = if lists {
                    ("BLMPOP", end(self))
                } else {
                    ("BZMPOP", *self.rng.pick::<&'static str>(&["MIN", "MAX"]))
                };
                let mut args = words(&format!("{name} 0 {count} {keys} {end}"));
                args[1] = timeout.into();
                if self.rng.chance(60) {
                    let count = self.rng.pick(&["1", "2", "3", "100", "0", "-1"]);
                    args.extend(words(&format!("COUNT {count}")));
                }
                return args;
            }
        };
        let mut args = words(&line);
        if let Some(last) = args.last_mut() {
            *last = timeout.into();
        }
        args
    }

    fn values(&mut self) -> String {
        let count = 1 + self.rng.index(4);
        let values: Vec<&str> = (0..count)
            .map(|_| *self.rng.pick::<&'static str>(VALUES))
            .collect();
        values.join(" ")
    }

    /// Changes something. What is stored is stored where nothing is: Redis serves nobody when a key of another type is
    /// overwritten by a list.
    fn feed(&mut self, client: usize) {
        let request = self.feeding();
        let destination = match request[0].as_slice() {
            b"SORT" => request.last(),
            name if name.ends_with(b"STORE") => request.get(1),
            _ => None,
        };
        if let Some(key) = destination {
            self.put(client, vec![b"DEL".to_vec(), key.clone()]);
        }
        self.put(client, request);
    }

    fn feeding(&mut self) -> Words {
        let (list, zset) = (self.key(LISTS), self.key(ZSETS));
        let (any, other) = (self.rng.pick::<&'static str>(ALL), *self.rng.pick(ALL));
        let end = self.rng.pick::<&'static str>(&["L", "R"]);
        let values = self.values();
        let value = self.rng.pick::<&'static str>(VALUES);
        let line = match self.rng.index(40) {
            0..=11 => format!("{end}PUSH {list} {values}"),
            12 => format!("{end}PUSHX {list} {values}"),
            13 => format!("LINSERT {list} BEFORE {value} x"),
            14 => format!("RPOPLPUSH {list} {}", self.key(LISTS)),
            15 => format!("LMOVE {list} {} LEFT RIGHT", self.key(LISTS)),
            16..=20 => {
                let score = self.rng.below(5);
                format!("ZADD {zset} {score} {value} 2 b")
            }
            21 => format!("ZINCRBY {zset} 1 {value}"),
            22 => format!(
                "ZUNIONSTORE {zset} 2 {} {}",
                self.key(ZSETS),
                self.key(ZSETS)
            ),
            23 => format!("ZRANGESTORE {zset} {} 0 -1", self.key(ZSETS)),
            24 => format!("SORT {list} ALPHA STORE {}", self.key(LISTS)),
            25 => format!("RENAME {any} {other}"),
            26 => format!("RENAMENX {any} {other}"),
            27 => format!("COPY {any} {other} REPLACE"),
            28 => {
                let db = self.rng.below(2);
                format!("MOVE {any} {db}")
            }
            29 if self.swaps => "SWAPDB 0 1".to_owned(),
            30 => format!("SET {any} v"),
            31 => format!("HSET {any} f v"),
            32..=33 => format!("DEL {any} {other}"),
            34 => format!("UNLINK {list}"),
            35 => (*self
                .rng
                .pick(&["FLUSHALL ASYNC", "FLUSHDB ASYNC", "DBSIZE"]))
            .to_owned(),
            36 => format!("{end}POP {list}"),
            37 => format!("ZPOPMIN {zset} 2"),
            38 => format!("EXPIRE {any} {}", self.rng.pick(&["100", "-1"])),
            _ => return self.restored(list),
        };
        words(&line)
    }

    /// RESTORE of a list of two elements, in a layout that every release loads.
    fn restored(&mut self, list: &str) -> Words {
        const PAYLOAD: &[u8] = b"\x01\x02\x01a\x01b\x09\x00\xea\xce\x0e\xe7\x1e\x83\x23\x13";
        let mut args = words(&format!("RESTORE {list} 0"));
        args.extend([PAYLOAD.to_vec(), b"REPLACE".to_vec()]);
        args
    }

    fn transaction(&mut self, client: usize) {
        if self.rng.chance(30) {
            let watch = words(&format!("WATCH {}", self.key(LISTS)));
            self.put(client, watch);
            if self.rng.chance(50) {
                let other = self.rng.index(WAITING + 1);
                self.feed(other);
            }
        }
        self.put(client, words("MULTI"));
        for _ in 0..1 + self.rng.index(5) {
            if self.rng.chance(25) {
                let request = self.waiting();
                self.put(client, request);
            } else {
                self.feed(client);
            }
        }
        let end = if self.rng.chance(92) {
            "EXEC"
        } else {
            "DISCARD"
        };
        self.put(client, words(end));
    }

    fn unblock(&mut self) {
        let target = self.rng.index(WAITING);
        let id = [ID_OF, target.to_string().as_bytes()].concat();
        let mut args = words(if self.rng.chance(80) {
            "CLIENT UNBLOCK"
        } else {
            "CLIENT KILL ID"
        });
        let kills = args.len() == 3;
        args.push(id);
        if !kills && self.rng.chance(60) {
            args.extend(words(
                self.rng
                    .pick::<&'static str>(&["TIMEOUT", "ERROR", "error", "x"]),
            ));
        }
        self.put(WAITING, args);
    }

    /// Everything that there is, as the client sees it that never waits.
    fn look(&mut self) {
        for list in LISTS {
            self.put(WAITING, words(&format!("LRANGE {list} 0 -1")));
        }
        for zset in ZSETS {
            self.put(WAITING, words(&format!("ZRANGE {zset} 0 -1 WITHSCORES")));
        }
        for key in ALL {
            self.put(WAITING, words(&format!("TYPE {key}")));
        }
        self.put(WAITING, words("DBSIZE"));
    }
}
