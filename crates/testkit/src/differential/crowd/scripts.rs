//! The family of scripts: random programs over random requests, values and library calls, by clients of both protocols,
//! as EVAL, EVALSHA, FCALL, and in transactions.
//!
//! A program is a few expressions, each run under `pcall`; it answers with what each of them gave or raised, so that one
//! error does not hide the rest.
//!
//! Leaves out what differs by nature (the order of a table, chance, time) and what an explained difference between
//! releases would show up in: those requests are compared outside of scripts.

mod program;

use super::{Act, is_fit, look_at_keys, whole_grammar};
use crate::differential::rules;
use crate::grammar::{Grammar, KEYS, Rng};
use crate::reference::{Reference, Release};
use ochre_resp::Protocol;
use std::io;

/// Clients.
const CLIENTS: usize = 2;
/// Acts of a sequence.
const LENGTH: usize = 200;
/// Expressions of a program, at most.
const EXPRESSIONS: usize = 5;
/// Bytes of a request: a program that comes in several pieces is not answered at once.
const REQUEST_MAX: usize = 600;
/// Libraries, `lib0` and so on.
pub(super) const LIBRARIES: usize = 4;
/// Programs remembered to be run again.
const KNOWN: usize = 6;

/// Commands that releases answer differently, beside those whose replies are no exact matter.
const DIFFER: &[&str] = &[
    "bitcount",
    "bitpos",
    "client",
    "debug",
    "dump",
    "function",
    "lolwut",
    "memory",
    "object",
    "restore",
    "restore-asking",
    "script",
    "sort",
    "sort_ro",
    "wait",
    "lpos",
    "lrem",
    "eval",
    "evalsha",
    "eval_ro",
    "evalsha_ro",
    "fcall",
    "fcall_ro",
];

/// Makes sequences.
pub struct Maker {
    grammar: Grammar,
    release: Release,
}

impl Maker {
    /// With the commands that the reference has, too.
    ///
    /// # Errors
    /// When the reference cannot be talked to.
    pub fn new(reference: &Reference) -> io::Result<Maker> {
        Ok(Maker {
            grammar: whole_grammar(reference, 10, 500)?,
            release: reference.release,
        })
    }

    /// A sequence of acts, and the protocols of its clients.
    #[must_use]
    pub fn sequence(&self, seed: u64) -> (Vec<Act>, Vec<Protocol>) {
        let mut making = Making {
            maker: self,
            rng: Rng::seeded(seed),
            acts: Vec::new(),
            known: Vec::new(),
            in_multi: [false; CLIENTS],
        };
        while making.acts.len() < LENGTH {
            making.next();
        }
        making.look();
        (making.acts, vec![Protocol::Resp2, Protocol::Resp3])
    }
}

struct Making<'a> {
    maker: &'a Maker,
    rng: Rng,
    acts: Vec<Act>,
    /// Scripts that were run before.
    known: Vec<Vec<u8>>,
    in_multi: [bool; CLIENTS],
}

impl Making<'_> {
    fn put(&mut self, client: usize, words: &[&[u8]]) {
        let args = words.iter().map(|w| w.to_vec()).collect();
        self.acts.push(Act::Request(client, args));
    }

    fn next(&mut self) {
        let client = self.rng.index(CLIENTS);
        match self.rng.index(100) {
            0..=59 => self.eval(client),
            60..=71 => self.again(client),
            72..=83 => self.function(client),
            84..=87 => self.transaction(client),
            _ => {
                if let Some(args) = self.request() {
                    self.acts.push(Act::Request(client, args));
                }
            }
        }
    }

    /// A request that is answered alike on both sides, whoever sends it.
    fn request(&mut self) -> Option<Vec<Vec<u8>>> {
        for _ in 0..30 {
            let mut args = self.maker.grammar.request(&mut self.rng).args;
            rules::settle(&mut args);
            let is = |name: &&str| args[0].eq_ignore_ascii_case(name.as_bytes());
            let bytes: usize = args.iter().map(Vec::len).sum();
            if bytes < REQUEST_MAX
                && is_fit(&args)
                && !DIFFER.iter().any(is)
                && rules::rule_for(&args) == rules::Kind::Exact
            {
                return Some(args);
            }
        }
        None
    }

    fn program(&mut self) -> Vec<u8> {
        let count = 1 + self.rng.index(EXPRESSIONS);
        let requests = (0..count).filter_map(|_| self.request()).collect();
        program::write(&mut self.rng, self.maker.release, requests, count)
    }

    /// Behind a script or function: the number of keys, keys and arguments.
    fn operands(&mut self) -> Vec<Vec<u8>> {
        let (keys, args) = (self.rng.index(4), self.rng.index(4));
        let count = match self.rng.index(40) {
            0 => b"-1".to_vec(),
            1 => b"x".to_vec(),
            2 => b"9".to_vec(),
            _ => keys.to_string().into_bytes(),
        };
        let mut words = vec![count];
        words.extend((0..keys).map(|_| self.rng.pick(KEYS).to_vec()));
        words.extend((0..args).map(|_| program::word(&mut self.rng)));
        words
    }

    fn eval(&mut self, client: usize) {
        let mut text = self.program();
        program::spoil(&mut self.rng, &mut text);
        let flags = [
            "#!lua\n",
            "#!lua flags=no-writes\n",
            "#!lua flags=allow-oom,no-cluster\n",
            "#!lua flags=allow-stale,allow-cross-slot-keys\n",
            "#!lua flags=nonsense\n",
            "#!lua name=x\n",
            "#!nothing\n",
        ];
        if self.rng.chance(20) {
            let line = self.rng.pick(&flags);
            text.splice(0..0, line.bytes());
        }
        if self.known.len() < KNOWN {
            self.known.push(text.clone());
        } else {
            let at = self.rng.index(KNOWN);
            self.known[at].clone_from(&text);
        }
        let name: &[u8] = if self.rng.chance(15) {
            b"EVAL_RO"
        } else {
            b"EVAL"
        };
        let mut words = vec![name.to_vec(), text];
        words.extend(self.operands());
        self.acts.push(Act::Request(client, words));
    }

    /// A script that ran before, by its digest.
    fn again(&mut self, client: usize) {
        if self.known.is_empty() {
            return;
        }
        let at = self.rng.index(self.known.len());
        let sha = program::sha1(&self.known[at]);
        let mut words = match self.rng.index(10) {
            0 => vec![b"SCRIPT".to_vec(), b"EXISTS".to_vec(), sha, b"0".repeat(40)],
            1 => vec![b"SCRIPT".to_vec(), b"LOAD".to_vec(), self.known[at].clone()],
            2 => vec![b"EVALSHA_RO".to_vec(), sha],
            3 => vec![b"EVALSHA".to_vec(), sha.to_ascii_uppercase()],
            4 if self.rng.chance(20) => vec![b"EVALSHA".to_vec(), b"f".repeat(40)],
            _ => vec![b"EVALSHA".to_vec(), sha],
        };
        if words[0] != b"SCRIPT" {
            words.extend(self.operands());
        }
        self.acts.push(Act::Request(client, words));
    }

    /// A library, and a call of its function.
    fn function(&mut self, client: usize) {
        let name = self.rng.index(LIBRARIES);
        if self.rng.chance(10) {
            let words = match self.rng.index(4) {
                0 => format!("FUNCTION DELETE lib{name}"),
                1 => format!("FUNCTION LIST LIBRARYNAME lib{name} WITHCODE"),
                // Redis 8.2.3 crashes in it now and then.
                2 if self.maker.release == Release::V70 => "FUNCTION FLUSH SYNC".to_owned(),
                _ => format!("FUNCTION LIST LIBRARYNAME lib{name}"),
            };
            let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
            return self.put(client, &words);
        }
        if self.rng.chance(50) {
            let body = self.program();
            let text = program::library(&mut self.rng, name, &body);
            let mut words: Vec<&[u8]> = vec![b"FUNCTION", b"LOAD"];
            if self.rng.chance(80) {
                words.push(b"REPLACE");
            }
            words.push(&text);
            self.put(client, &words);
        }
        let call: &[u8] = if self.rng.chance(30) {
            b"FCALL_RO"
        } else {
            b"FCALL"
        };
        let mut words = vec![call.to_vec(), format!("f{name}").into_bytes()];
        words.extend(self.operands());
        self.acts.push(Act::Request(client, words));
    }

    fn transaction(&mut self, client: usize) {
        if std::mem::replace(&mut self.in_multi[client], true) {
            self.in_multi[client] = false;
            return self.put(client, &[b"EXEC"]);
        }
        self.put(client, &[b"MULTI"]);
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
