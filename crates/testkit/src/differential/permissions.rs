//! Decisions of access control, compared: the same users, the same requests, and the same refusals from both sides.
//!
//! A round makes one user from random words of ACL SETUSER, right ones and wrong ones, and asks ACL DRYRUN about random
//! requests of the grammar. Of Ochre the same requests are made by a connection of that user, too: it refuses exactly what
//! DRYRUN says. What is refused is made of both, alone or in a transaction, and both logs are compared in the end.
//! A round depends on its seed only.
//!
//! What is not compared: commands that are in other categories there, as some are in 7.0 (table tests compare these). Texts that Redis 7.0 words
//! differently, or makes up (the rules of commands), are brought into one form.

use super::{commands_of, has, rules, steps};
use crate::grammar::{Grammar, Limits, Rng, Version};
use crate::reference::{Reference, Release, Wire};
use crate::transcript::show;
use crate::{Connection, InProcess};
use ochre_engine::commands::FAMILIES;
use ochre_engine::spec::Categories;
use ochre_resp::{Frame, Protocol};
use std::collections::BTreeSet;
use std::fmt;
use std::io;

/// The user of every round.
const USER: &[u8] = b"somebody";
/// Requests per user.
const REQUESTS: usize = 60;
/// How the error for a wrong number of words begins.
const WRONG_NUMBER: &[u8] = b"ERR wrong number of arguments";
/// How a refusal begins.
const NOPERM: &[u8] = b"NOPERM";
/// Bytes of a name that Ochre's ACL LOG keeps.
const LOGGED: usize = 4096;
/// Most words of one change of a user.
const WORDS: usize = 9;
/// Changes of a user before requests are asked about.
const CHANGES: usize = 3;

const KEY_PATTERNS: &[&str] = &[
    "*", "a", "b", "key:*", "[ab]", "l:?", "?:[12]", "h:*", "z:*", "s:1", "\\[k\\]*", "k*", "",
    "copied", "nothing",
];
const CHANNELS: &[&str] = &["*", "news", "news.*", "n?ws", "a", "[ab]", "", "key:1"];
const NAMES: &[&str] = &["news", "news.a", "news.*", "a", "b", "*", "key:1", ""];
const PLAIN: &[&str] = &[
    "on",
    "off",
    "nopass",
    "resetpass",
    "allkeys",
    "resetkeys",
    "allchannels",
    "resetchannels",
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "clearselectors",
    "reset",
    "~*",
    "&*",
    "sanitize-payload",
    "skip-sanitize-payload",
];
const WRONG: &[&str] = &[
    "+nothing",
    "-nothing",
    "+@nothing",
    "%~a",
    "%X~a",
    "%RR~a",
    "~a b",
    "&a b",
    "foo",
    ")",
    "(",
    "(+get",
    "(on)",
    "((+get))",
    "+config|nothing",
    "+config|get|a",
    "-get|a",
    "+get|",
    "#abc",
    "!abc",
    "<nobody",
    "+",
    "-",
    "%",
];

/// What a run found.
#[derive(Debug, Default)]
pub struct Decisions {
    /// Users made.
    pub users: u64,
    /// Requests asked about.
    pub asked: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Words of ACL SETUSER that both sides refused alike.
    pub wrong_words: u64,
    /// Requests made by the user, of Ochre.
    pub made: u64,
    /// Entries of ACL LOG that agreed.
    pub logged: u64,
    /// One text per difference.
    pub failures: Vec<String>,
}

impl fmt::Display for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(
            f,
            "{} users, {} requests asked about, {} of them refused, {} made, {} entries logged; {} changes refused alike; {} differences",
            self.users,
            self.asked,
            self.refused,
            self.made,
            self.logged,
            self.wrong_words,
            self.failures.len()
        )
    }
}

/// Makes users of the seeds from `seed` on, and asks about some requests for each, until `most` differences.
///
/// # Errors
/// When the reference cannot be talked to.
pub fn run(reference: &Reference, seed: u64, users: u64, most: usize) -> io::Result<Decisions> {
    let mut known = commands_of(reference)?;
    let moved = moved(reference)?;
    known.retain(|name| !moved.contains(name));
    let names: Vec<String> = known.iter().filter(|n| has(n)).cloned().collect();
    let limits = Limits {
        version: Version::parse(&reference.version),
        ..Limits::default()
    };
    let grammar = Grammar::new(FAMILIES, None, limits, |name| known.contains(name));
    let mut found = Decisions::default();
    let mut seed = seed;
    while found.users < users && found.failures.len() < most {
        let mut round = Round {
            release: reference.release,
            address: reference.address.to_string(),
            redis: reference.connect()?,
            engine: InProcess::default(),
            grammar: &grammar,
            names: &names,
            rng: Rng::seeded(seed),
        };
        if let Err(Stop::Difference(text)) = round.run(&mut found) {
            found.failures.push(format!("seed {seed}: {text}"));
        }
        found.users += 1;
        seed = seed.wrapping_add(1);
    }
    Ok(found)
}

/// Commands that are in other categories there than here.
fn moved(reference: &Reference) -> io::Result<BTreeSet<String>> {
    let (mut redis, mut moved) = (reference.connect()?, BTreeSet::new());
    let mut ours = InProcess::default().connect(Protocol::Resp2);
    for (_, category) in Categories::NAMED {
        let ask = ["ACL", "CAT", category];
        let theirs = steps::decode(&redis.call(&ask)?).unwrap_or(Frame::Null);
        let [ours, theirs] = [&ours.run(&ask), &theirs].map(names_in);
        moved.extend(ours.symmetric_difference(&theirs).cloned());
    }
    Ok(moved)
}

fn names_in(frame: &Frame) -> BTreeSet<String> {
    let items = match frame {
        Frame::Array(items) => items.as_slice(),
        _ => &[],
    };
    let names = items.iter().filter_map(Frame::as_bytes);
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

/// Why a round ends early.
enum Stop {
    Difference(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Difference(format!("no answer: {error}"))
    }
}

struct Round<'a> {
    release: Release,
    address: String,
    redis: Wire,
    engine: InProcess,
    grammar: &'a Grammar,
    names: &'a [String],
    rng: Rng,
}

type Words = Vec<Vec<u8>>;

fn line(words: &[Vec<u8>]) -> String {
    let mut text = Vec::new();
    for word in words {
        text.push(b' ');
        ochre_resp::quote_arg(&mut text, word);
    }
    String::from_utf8_lossy(&text).into_owned()
}

impl Round<'_> {
    fn run(&mut self, found: &mut Decisions) -> Result<(), Stop> {
        let mut admin = self.engine.connect(Protocol::Resp3);
        self.redis.call(&[b"HELLO", b"3".as_slice()])?;
        self.redis.call(&[b"ACL", b"DELUSER".as_slice(), USER])?;
        self.redis.call(&["ACL", "LOG", "RESET"])?;
        let mut said = Vec::new();
        for _ in 0..1 + self.rng.index(CHANGES) {
            let mut change = vec![b"ACL".to_vec(), b"SETUSER".to_vec(), USER.to_vec()];
            for _ in 0..self.rng.index(WORDS) {
                self.word(&mut change);
            }
            if self.release == Release::V70 && restarts_selector(&change) {
                continue;
            }
            said.push(line(&change));
            let reply = self.both(&mut admin, &change, &said)?;
            found.wrong_words += u64::from(reply.as_error().is_some());
        }
        let exists = vec![b"ACL".to_vec(), b"SETUSER".to_vec(), USER.to_vec()];
        self.both(&mut admin, &exists, &said)?;
        self.compare_user(&mut admin, &said)?;
        self.compare_list(&mut admin, &said)?;
        let (mut own, mut theirs) = (self.user(&mut admin), self.their_user()?);
        for _ in 0..REQUESTS {
            let request = self.request();
            let mut asked = vec![b"ACL".to_vec(), b"DRYRUN".to_vec(), USER.to_vec()];
            asked.extend(request.iter().cloned());
            let reply = self.both(&mut admin, &asked, &said)?;
            found.asked += 1;
            let refused = matches!(reply, Frame::Bulk(_));
            found.refused += u64::from(refused);
            if reply.as_error().is_some() {
                continue;
            }
            if refused {
                self.refused(&mut own, &mut theirs, &request, &said)?;
                found.made += 1;
            } else {
                found.made += u64::from(self.make(&mut own, &request, &said)?);
            }
        }
        found.logged += self.compare_logs(&mut admin, &said)?;
        Ok(())
    }

    /// Sends a request to both sides; the replies have to agree.
    fn both(
        &mut self,
        ours: &mut Connection,
        request: &[Vec<u8>],
        said: &[String],
    ) -> Result<Frame, Stop> {
        let theirs = self.redis.call(request)?;
        let mut theirs = steps::decode(&theirs).unwrap_or(Frame::Null);
        if let Frame::Bulk(text) = &mut theirs
            && let Some(rest) = text.strip_prefix(b"This user has")
        {
            // The words of Redis 7.0.
            *text = [b"User ", USER, b" has", rest].concat();
        }
        let mut ours = ours.run(request);
        if let Frame::Bulk(text) = &mut ours
            && self.release == Release::V70
        {
            cut_at_nul(text);
        }
        let counted = |f: &Frame| f.as_error().is_some_and(|e| e.starts_with(WRONG_NUMBER));
        let later = self.release == Release::V70 && counted(&theirs);
        if ours == theirs || later {
            // What takes more words since 7.2 is not asked about.
            return Ok(theirs);
        }
        Err(self.difference(request, &ours, &theirs, said))
    }

    fn difference(
        &self,
        request: &[Vec<u8>],
        ours: &Frame,
        theirs: &Frame,
        said: &[String],
    ) -> Stop {
        let shown = |frame: &Frame| {
            let mut text = String::new();
            show(frame, 2, &mut text);
            text
        };
        Stop::Difference(format!(
            "{}\n  ours:\n{}  theirs:\n{}  after:\n   {}",
            line(request),
            shown(ours),
            shown(theirs),
            said.join("\n   ")
        ))
    }

    /// Compares what ACL GETUSER says; of 7.0 without what it says in other words.
    fn compare_user(&mut self, admin: &mut Connection, said: &[String]) -> Result<(), Stop> {
        let ask = [b"ACL".to_vec(), b"GETUSER".to_vec(), USER.to_vec()];
        let ours = admin.run(&ask);
        let theirs = steps::decode(&self.redis.call(&ask)?).unwrap_or(Frame::Null);
        let comparable = |frame: &Frame| match self.release {
            Release::V82 => frame.clone(),
            Release::V70 => without_later_words(frame),
        };
        if comparable(&ours) == comparable(&theirs) {
            return Ok(());
        }
        Err(self.difference(&ask, &ours, &theirs, said))
    }

    /// A connection of the user, who is let in for it.
    fn user(&mut self, admin: &mut Connection) -> Connection {
        admin.run(&[b"ACL", b"SETUSER".as_slice(), USER, b"on", b"nopass"]);
        let mut own = self.engine.connect(Protocol::Resp3);
        own.run(&[b"AUTH".as_slice(), USER, b"any"]);
        own
    }

    /// The same of the reference.
    fn their_user(&mut self) -> Result<Wire, Stop> {
        let open = [b"ACL", b"SETUSER".as_slice(), USER, b"on", b"nopass"];
        self.redis.call(&open)?;
        let mut own = Wire::connect(&self.address)?;
        own.call(&[b"HELLO".as_slice(), b"3", b"AUTH", USER, b"any"])?;
        own.call(&[b"AUTH".as_slice(), USER, b"any"])?;
        Ok(own)
    }

    /// Makes a request of Ochre that DRYRUN permitted. Whether it was made.
    fn make(&self, own: &mut Connection, request: &Words, said: &[String]) -> Result<bool, Stop> {
        let ends = [
            b"auth".as_slice(),
            b"hello",
            b"reset",
            b"flushall",
            b"swapdb",
            b"acl",
            b"config",
            // A transaction here would be none there.
            b"multi",
            b"exec",
            b"discard",
            b"watch",
        ];
        let is = |name: &&[u8]| request[0].eq_ignore_ascii_case(name);
        if rules::rule_for(request) == rules::Kind::Skip || ends.iter().any(is) {
            return Ok(false);
        }
        let reply = own.run(request);
        if reply.as_error().is_some_and(|e| e.starts_with(NOPERM)) {
            let expected = Frame::bulk("no refusal");
            return Err(self.difference(request, &reply, &expected, said));
        }
        Ok(true)
    }

    /// Makes a request of both sides that DRYRUN refused, alone or in a transaction.
    fn refused(
        &mut self,
        ours: &mut Connection,
        theirs: &mut Wire,
        request: &Words,
        said: &[String],
    ) -> Result<(), Stop> {
        let whole: Vec<Words> = if self.rng.chance(20) {
            let one = |word: &str| vec![word.as_bytes().to_vec()];
            vec![one("MULTI"), request.clone(), one("EXEC")]
        } else {
            vec![request.clone()]
        };
        for request in &whole {
            let ours = ours.run(request);
            let theirs = steps::decode(&theirs.call(request)?).unwrap_or(Frame::Null);
            let agree = match (self.release, ours.as_error(), theirs.as_error()) {
                // Redis 7.0 has other words.
                (Release::V70, Some(a), Some(b)) => a.starts_with(NOPERM) == b.starts_with(NOPERM),
                _ => ours == theirs,
            };
            if !agree {
                return Err(self.difference(request, &ours, &theirs, said));
            }
        }
        Ok(())
    }

    /// Compares what ACL LOG tells of what was refused. How many entries there were.
    fn compare_logs(&mut self, admin: &mut Connection, said: &[String]) -> Result<u64, Stop> {
        let ask = [b"ACL".to_vec(), b"LOG".to_vec(), b"1000".to_vec()];
        let theirs = steps::decode(&self.redis.call(&ask)?).unwrap_or(Frame::Null);
        let told = |frame: &Frame| match frame {
            Frame::Array(entries) => Frame::Array(entries.iter().map(what_was_refused).collect()),
            other => other.clone(),
        };
        let (ours, theirs) = (told(&admin.run(&ask)), told(&theirs));
        match &ours {
            Frame::Array(entries) if ours == theirs => Ok(entries.len() as u64),
            _ => Err(self.difference(&ask, &ours, &theirs, said)),
        }
    }

    /// Compares what ACL LIST says of the user; of 7.0 without what it says in other words.
    fn compare_list(&mut self, admin: &mut Connection, said: &[String]) -> Result<(), Stop> {
        let ask = [b"ACL".to_vec(), b"LIST".to_vec()];
        let theirs = steps::decode(&self.redis.call(&ask)?).unwrap_or(Frame::Null);
        let ours = admin.run(&ask);
        let comparable = |frame: &Frame| match (self.release, frame) {
            (Release::V70, Frame::Array(lines)) => {
                let lines = lines.iter().filter_map(Frame::as_bytes);
                Frame::Array(lines.map(but_commands).collect())
            }
            _ => frame.clone(),
        };
        if comparable(&ours) == comparable(&theirs) {
            return Ok(());
        }
        Err(self.difference(&ask, &ours, &theirs, said))
    }

    /// Appends a word, or several that belong together.
    fn word(&mut self, words: &mut Words) {
        let rng = &mut self.rng;
        let text = match rng.index(20) {
            0..=2 => (*rng.pick(PLAIN)).to_owned(),
            3..=4 => self.category(),
            5..=8 => self.command(),
            9..=12 => self.keys(),
            13..=14 => format!("&{}", rng.pick(CHANNELS)),
            15 => format!(">{}", rng.below(3)),
            16 => format!("<{}", rng.below(3)),
            17 if rng.chance(30) => (*rng.pick(WRONG)).to_owned(),
            _ => return self.selector(words),
        };
        words.push(text.into_bytes());
    }

    fn sign(&mut self) -> char {
        if self.rng.chance(65) { '+' } else { '-' }
    }

    fn category(&mut self) -> String {
        let sign = self.sign();
        let (_, name) = self.rng.pick(Categories::NAMED);
        format!("{sign}@{name}")
    }

    fn command(&mut self) -> String {
        let sign = self.sign();
        let name = self.rng.pick(self.names).clone();
        match self.rng.index(8) {
            0 if sign == '+' && !name.contains('|') => format!("+{name}|{}", self.rng.pick(NAMES)),
            1 => format!("{sign}{}", name.to_uppercase()),
            _ => format!("{sign}{name}"),
        }
    }

    fn keys(&mut self) -> String {
        let rights = *self
            .rng
            .pick(&["~", "~", "%R~", "%W~", "%RW~", "%r~", "%wr~"]);
        format!("{rights}{}", self.rng.pick(KEY_PATTERNS))
    }

    /// A selector, as one word or as several.
    fn selector(&mut self, words: &mut Words) {
        let mut inside = Vec::new();
        for _ in 0..1 + self.rng.index(5) {
            let word = match self.rng.index(8) {
                0 => self.category(),
                1..=3 => self.command(),
                4..=5 => self.keys(),
                6 => format!("&{}", self.rng.pick(CHANNELS)),
                _ => (*self.rng.pick(&["+@all", "allkeys", "allchannels"])).to_owned(),
            };
            inside.push(word);
        }
        let joined = format!("({})", inside.join(" "));
        if self.rng.chance(50) {
            words.push(joined.into_bytes());
        } else {
            words.extend(joined.split(' ').map(|w| w.as_bytes().to_vec()));
        }
    }

    fn request(&mut self) -> Words {
        if self.rng.chance(12) {
            let commands = [
                "publish",
                "spublish",
                "subscribe",
                "psubscribe",
                "ssubscribe",
                "unsubscribe",
            ];
            let mut words = vec![self.rng.pick(&commands).as_bytes().to_vec()];
            for _ in 0..1 + self.rng.index(3) {
                words.push(self.rng.pick(NAMES).as_bytes().to_vec());
            }
            return words;
        }
        self.grammar.request(&mut self.rng).args
    }
}

/// Whether a selector begins within another one, which 7.0 then forgets.
fn restarts_selector(change: &[Vec<u8>]) -> bool {
    let mut open = false;
    for word in change {
        let begins = word.starts_with(b"(") && !word.ends_with(b")");
        if open && begins {
            return true;
        }
        open = begins || open && !word.ends_with(b")");
    }
    false
}

/// Takes the rest of a name out of a sentence, as Redis 7.0 does.
fn cut_at_nul(text: &mut Vec<u8>) {
    let nul = text.iter().position(|b| *b == 0);
    let quote = text.iter().rposition(|b| *b == b'\'');
    if let (Some(from), Some(to)) = (nul, quote)
        && from < to
    {
        text.drain(from..to);
    }
}

/// What ACL GETUSER says, without the flags about payloads, which 7.0 hides, and the rules of commands, which it makes up.
fn without_later_words(frame: &Frame) -> Frame {
    let hidden = |f: &Frame| {
        f.as_bytes()
            .is_some_and(|b| b.ends_with(b"sanitize-payload"))
    };
    let all = |items: &[Frame]| {
        items
            .iter()
            .filter(|f| !hidden(f))
            .map(without_later_words)
            .collect()
    };
    match frame {
        Frame::Map(pairs) => {
            let kept = pairs
                .iter()
                .filter(|(name, _)| name.as_bytes() != Some(b"commands"));
            Frame::Map(
                kept.map(|(n, v)| (n.clone(), without_later_words(v)))
                    .collect(),
            )
        }
        Frame::Set(items) => Frame::Set(all(items)),
        Frame::Array(items) => Frame::Array(all(items)),
        other => other.clone(),
    }
}

/// A line of ACL LIST without the rules of commands and the flags about payloads.
fn but_commands(line: &[u8]) -> Frame {
    let words = line.split(|b| matches!(b, b' ' | b'(' | b')'));
    let kept = words.filter(|word| {
        let is_rule = matches!(word.first(), None | Some(b'+' | b'-'));
        !is_rule && !word.ends_with(b"sanitize-payload")
    });
    Frame::Array(kept.map(|word| Frame::Bulk(word.to_vec())).collect())
}

/// Of an entry of ACL LOG, what does not depend on time and connection; names as far as Ochre keeps them.
fn what_was_refused(entry: &Frame) -> Frame {
    const FIELDS: [&[u8]; 5] = [b"count", b"reason", b"context", b"object", b"username"];
    let pairs = match entry {
        Frame::Map(pairs) => pairs.as_slice(),
        _ => &[],
    };
    let wanted = pairs
        .iter()
        .filter(|(name, _)| name.as_bytes().is_some_and(|name| FIELDS.contains(&name)));
    let cut = |value: &Frame| match value {
        Frame::Bulk(name) => Frame::Bulk(name[..name.len().min(LOGGED)].to_vec()),
        other => other.clone(),
    };
    Frame::Map(wanted.map(|(n, v)| (n.clone(), cut(v))).collect())
}
