//! Clients that push, move and look, alone, in transactions, under WATCH and in scripts.
//!
//! Invariants
//! - Every element is pushed at most once. A queue is left behind after some pushes, so that a look stays short.
//! - What disturbs (CLIENT UNBLOCK, CLIENT KILL, a string in a list's place) loses no element of its own.
//! - An operation whose connection ended before its replies came is not recorded.

use super::peer::{Peer, Server};
use super::{Act, History, Operation, Queue, Rest};
use crate::rng::Rng;
use ochre_resp::Frame;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Instant;

/// Pushes after which a queue is left behind.
const RETIRED_AFTER: u64 = 150;
/// Elements of one client at most, as a power of two.
const ELEMENTS_BITS: u32 = 32;
/// Runs the requests that it is given as ARGV, each as the number of its words and the words.
const SCRIPT: &str = "local replies, at = {}, 1
while at <= #ARGV do
  local words = {}
  for i = 1, tonumber(ARGV[at]) do words[i] = ARGV[at + i] end
  replies[#replies + 1] = redis.pcall(unpack(words))
  at = at + #words + 1
end
return replies";

/// What a run is like.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The choices of all clients follow from it; what happens does not.
    pub seed: u64,
    /// Requests of all clients together, about.
    pub requests: u64,
    /// Clients, a thread each.
    pub clients: usize,
    /// Queues in use at a time.
    pub queues: u64,
    /// Whether others unblock and kill clients and put strings into the way of lists.
    pub disturbed: bool,
    /// Whether scripts are a part of it.
    pub scripts: bool,
    /// Plants violations: transactions are sent request by request.
    pub torn: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            requests: 20_000,
            clients: 8,
            queues: 3,
            disturbed: false,
            scripts: false,
            torn: false,
        }
    }
}

/// What clients share.
struct Shared<'s> {
    config: Config,
    server: &'s Server<'s>,
    started: Instant,
    left: AtomicI64,
    /// Pushes by place of a queue.
    pushes: Vec<AtomicU64>,
    /// CLIENT ID by client, to be disturbed.
    ids: Vec<AtomicU64>,
    over: AtomicBool,
}

#[derive(Clone, Copy)]
enum Kind {
    Push(u64),
    Move { from: usize, waits: bool },
    Window(usize),
    Count,
}

/// A request.
#[derive(Clone, Copy)]
struct Wanted {
    queue: Queue,
    kind: Kind,
}

fn key(queue: Queue, stage: usize) -> Vec<u8> {
    format!("q{queue}:{stage}").into_bytes()
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|w| w.as_bytes().to_vec()).collect()
}

fn number(frame: &Frame) -> Option<u64> {
    std::str::from_utf8(frame.as_bytes()?).ok()?.parse().ok()
}

impl Wanted {
    fn keys(&self) -> Vec<Vec<u8>> {
        match self.kind {
            Kind::Push(_) => vec![key(self.queue, 0)],
            Kind::Move { from, .. } => vec![key(self.queue, from), key(self.queue, from + 1)],
            Kind::Window(stage) => vec![key(self.queue, stage)],
            Kind::Count => vec![key(self.queue, 2)],
        }
    }

    fn request(&self) -> Vec<Vec<u8>> {
        let (name, mut behind) = match self.kind {
            Kind::Push(element) => ("RPUSH", vec![element.to_string().into_bytes()]),
            Kind::Move { waits: true, .. } => ("BLMOVE", words(&["LEFT", "RIGHT", "0.005"])),
            Kind::Move { .. } => ("LMOVE", words(&["LEFT", "RIGHT"])),
            Kind::Window(_) => ("LRANGE", words(&["0", "-1"])),
            Kind::Count => ("LLEN", Vec::new()),
        };
        let mut request = vec![name.as_bytes().to_vec()];
        request.append(&mut self.keys());
        request.append(&mut behind);
        request
    }

    /// What a reply tells: nothing when it is an error, or that nothing was there to be moved.
    fn act(&self, reply: &Frame) -> Option<Act> {
        let queue = self.queue;
        match (self.kind, reply) {
            (Kind::Push(element), Frame::Integer(len)) => {
                let len = u64::try_from(*len).ok()?;
                Some(Act::Push {
                    queue,
                    element,
                    len,
                })
            }
            (Kind::Move { from, .. }, reply) => {
                let element = number(reply)?;
                Some(Act::Move {
                    queue,
                    from,
                    element,
                })
            }
            (Kind::Window(stage), Frame::Array(elements)) => {
                let elements = elements.iter().filter_map(number).collect();
                Some(Act::Window {
                    queue,
                    stage,
                    elements,
                })
            }
            (Kind::Count, Frame::Integer(elements)) => {
                let elements = u64::try_from(*elements).ok()?;
                Some(Act::Count { queue, elements })
            }
            _ => None,
        }
    }
}

struct Client<'s> {
    shared: &'s Shared<'s>,
    number: usize,
    peer: Peer<'s>,
    rng: Rng,
    next_element: u64,
    operations: Vec<Operation>,
    /// Elements whose push was refused.
    refused: Vec<u64>,
}

impl<'s> Client<'s> {
    fn new(shared: &'s Shared<'s>, number: usize) -> Result<Client<'s>, String> {
        let seed = shared
            .config
            .seed
            .wrapping_mul(1000)
            .wrapping_add(number as u64);
        let mut client = Client {
            shared,
            number,
            peer: shared.server.connect()?,
            rng: Rng::seeded(seed),
            next_element: (number as u64) << ELEMENTS_BITS,
            operations: Vec::new(),
            refused: Vec::new(),
        };
        client.introduce()?;
        Ok(client)
    }

    fn introduce(&mut self) -> Result<(), String> {
        let id = self.peer.id()?;
        self.shared.ids[self.number].store(id, Relaxed);
        Ok(())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.shared.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn queue(&mut self) -> (Queue, usize) {
        let place = self.rng.index(self.shared.pushes.len());
        let pushes = self.shared.pushes[place].load(Relaxed);
        let back = u64::from(self.rng.chance(10));
        let generation = (pushes / RETIRED_AFTER).saturating_sub(back);
        let queue = generation * self.shared.pushes.len() as u64 + place as u64;
        (Queue::try_from(queue).unwrap_or(Queue::MAX), place)
    }

    fn wanted(&mut self, kinds: u64) -> Wanted {
        let (queue, place) = self.queue();
        let kind = match self.rng.below(kinds) {
            0..5 => Kind::Window(self.rng.index(2)),
            5..10 => Kind::Count,
            10..30 => {
                self.shared.pushes[place].fetch_add(1, Relaxed);
                self.next_element += 1;
                Kind::Push(self.next_element)
            }
            _ => Kind::Move {
                from: self.rng.index(2),
                waits: self.rng.chance(50),
            },
        };
        Wanted { queue, kind }
    }

    fn several(&mut self) -> Vec<Wanted> {
        let several = 2 + self.rng.index(4);
        (0..several).map(|_| self.wanted(60)).collect()
    }

    /// Notes that nothing of this happened.
    fn refuse(&mut self, wanted: &[Wanted]) {
        let pushed = wanted.iter().filter_map(|wanted| match wanted.kind {
            Kind::Push(element) => Some(element),
            _ => None,
        });
        self.refused.extend(pushed);
    }

    /// What the replies of a transaction tell.
    fn acts(&mut self, wanted: &[Wanted], replies: &[Frame]) -> Vec<Act> {
        for (wanted, reply) in wanted.iter().zip(replies) {
            if let Frame::Error(_) = reply {
                self.refuse(std::slice::from_ref(wanted));
            }
        }
        let acts = wanted.iter().zip(replies);
        acts.filter_map(|(wanted, reply)| wanted.act(reply))
            .collect()
    }

    fn record(&mut self, began: u64, acts: Vec<Act>) {
        let ended = self.now();
        if !acts.is_empty() {
            self.operations.push(Operation { began, ended, acts });
        }
    }

    /// Works until there is nothing left to do. A lost connection is replaced where clients are disturbed.
    fn work(&mut self) -> Result<(), String> {
        loop {
            let kind = self.rng.below(100);
            let spent = if kind < 60 { 1 } else { 6 };
            if self.shared.left.fetch_sub(spent, Relaxed) <= 0 {
                return Ok(());
            }
            let done = match kind {
                0..60 => self.single(),
                60..62 => self.discarded(),
                62..80 => self.transaction(),
                80..90 if self.shared.config.scripts => self.script(),
                _ => self.watched(),
            };
            match done {
                Ok(()) => {}
                Err(_) if self.shared.config.disturbed => {
                    self.peer = self.shared.server.connect()?;
                    self.introduce()?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn single(&mut self) -> Result<(), String> {
        let wanted = self.wanted(60);
        let began = self.now();
        let replies = self.peer.exchange(&[wanted.request()])?;
        if let Some(Frame::Error(_)) = replies.first() {
            self.refuse(&[wanted]);
        }
        let acts = replies.first().and_then(|reply| wanted.act(reply));
        self.record(began, acts.into_iter().collect());
        Ok(())
    }

    /// Queues requests that never run.
    fn discarded(&mut self) -> Result<(), String> {
        let wanted = self.several();
        let mut requests: Vec<_> = wanted.iter().map(Wanted::request).collect();
        requests.insert(0, words(&["MULTI"]));
        requests.push(words(&["DISCARD"]));
        self.refuse(&wanted);
        self.peer.exchange(&requests).map(drop)
    }

    /// Sends requests as one transaction. What they tell, if it was not refused.
    fn send(&mut self, wanted: &[Wanted]) -> Result<Option<Vec<Act>>, String> {
        let mut requests: Vec<_> = wanted.iter().map(Wanted::request).collect();
        if self.shared.config.torn {
            let mut acts = Vec::new();
            for (wanted, request) in wanted.iter().zip(requests) {
                let reply = self.peer.exchange(&[request])?;
                acts.extend(reply.first().and_then(|reply| wanted.act(reply)));
            }
            return Ok(Some(acts));
        }
        requests.insert(0, words(&["MULTI"]));
        requests.push(words(&["EXEC"]));
        let replies = self.peer.exchange(&requests)?;
        match replies.last() {
            Some(Frame::Array(replies)) if replies.len() == wanted.len() => {
                Ok(Some(self.acts(wanted, replies)))
            }
            Some(Frame::NullArray | Frame::Null) => {
                self.refuse(wanted);
                Ok(None)
            }
            other => Err(format!("EXEC gave {other:?}")),
        }
    }

    fn transaction(&mut self) -> Result<(), String> {
        let wanted = self.several();
        let began = self.now();
        if let Some(acts) = self.send(&wanted)? {
            self.record(began, acts);
        }
        Ok(())
    }

    /// What was read under WATCH is part of the transaction if that succeeds, and for itself if not.
    fn watched(&mut self) -> Result<(), String> {
        let looks: Vec<Wanted> = (0..=self.rng.index(2)).map(|_| self.wanted(10)).collect();
        let mut watch = words(&["WATCH"]);
        watch.extend(looks.iter().flat_map(Wanted::keys));
        let mut requests = vec![watch];
        requests.extend(looks.iter().map(Wanted::request));
        let wanted = self.several();
        let began = self.now();
        let replies = self.peer.exchange(&requests)?;
        let seen = looks
            .iter()
            .zip(&replies[1..])
            .filter_map(|(w, r)| w.act(r));
        let seen: Vec<Act> = seen.collect();
        match self.send(&wanted)? {
            Some(acts) => self.record(began, seen.into_iter().chain(acts).collect()),
            None => seen
                .into_iter()
                .for_each(|act| self.record(began, vec![act])),
        }
        Ok(())
    }

    fn script(&mut self) -> Result<(), String> {
        let mut wanted = self.several();
        let (mut keys, mut args) = (Vec::new(), Vec::new());
        for wanted in &mut wanted {
            if let Kind::Move { waits, .. } = &mut wanted.kind {
                // Refused in scripts.
                *waits = false;
            }
            keys.append(&mut wanted.keys());
            let mut request = wanted.request();
            args.push(request.len().to_string().into_bytes());
            args.append(&mut request);
        }
        let mut request = words(&["EVAL", SCRIPT, &keys.len().to_string()]);
        request.append(&mut keys);
        request.append(&mut args);
        let began = self.now();
        let replies = self.peer.exchange(&[request])?;
        match replies.first() {
            Some(Frame::Array(replies)) if replies.len() == wanted.len() => {
                let acts = self.acts(&wanted, replies);
                self.record(began, acts);
                Ok(())
            }
            other => Err(format!("EVAL gave {other:?}")),
        }
    }
}

/// Unblocks and kills clients, and puts strings where lists are to come, until the others are done.
fn disturb(shared: &Shared<'_>) -> Result<(), String> {
    let mut peer = shared.server.connect()?;
    let mut rng = Rng::seeded(shared.config.seed ^ 0xD157_0B0E);
    let kills = matches!(shared.server, Server::At(_));
    while !shared.over.load(SeqCst) {
        let id = shared.ids[rng.index(shared.ids.len())]
            .load(Relaxed)
            .to_string();
        let place = rng.index(shared.pushes.len());
        let generation = shared.pushes[place].load(Relaxed) / RETIRED_AFTER;
        let queue = generation * shared.pushes.len() as u64 + place as u64;
        let queue = Queue::try_from(queue).unwrap_or(Queue::MAX);
        let key = key(queue, 1 + rng.index(2));
        match rng.below(100) {
            0..40 => drop(peer.call(&["CLIENT", "UNBLOCK", &id])?),
            40..60 => drop(peer.call(&["CLIENT", "UNBLOCK", &id, "ERROR"])?),
            60..62 if kills => drop(peer.call(&["CLIENT", "KILL", "ID", &id])?),
            62..80 => drop(peer.call(&[b"SETNX", &key[..], b"string"])?),
            _ => unset(&mut peer, &key)?,
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// Removes a string, and nothing else.
fn unset(peer: &mut Peer<'_>, key: &[u8]) -> Result<(), String> {
    peer.call(&[b"WATCH", key])?;
    if peer.call(&[b"TYPE", key])?.as_bytes() != Some(b"string") {
        peer.call(&["UNWATCH"])?;
        return Ok(());
    }
    let transaction = [&[b"MULTI".as_slice()][..], &[b"DEL", key], &[b"EXEC"]];
    let requests = transaction.map(|words| words.iter().map(|w| w.to_vec()).collect());
    peer.exchange(&requests).map(drop)
}

fn rest(peer: &mut Peer<'_>, queues: u64) -> Result<Vec<Rest>, String> {
    let mut rest = Vec::new();
    for queue in 0..queues {
        let queue = Queue::try_from(queue).map_err(|e| e.to_string())?;
        let mut stages = Rest::default();
        for (stage, elements) in stages.iter_mut().enumerate() {
            let key = key(queue, stage);
            unset(peer, &key)?;
            match peer.call(&[b"LRANGE", &key[..], b"0", b"-1"])? {
                Frame::Array(items) => elements.extend(items.iter().filter_map(number)),
                other => return Err(format!("LRANGE gave {other:?}")),
            }
        }
        rest.push(stages);
    }
    Ok(rest)
}

/// Whether the server runs scripts.
fn has_scripts(peer: &mut Peer<'_>) -> Result<bool, String> {
    Ok(peer.call(&["EVAL", "return 7", "0"])? == Frame::Integer(7))
}

/// Runs clients against a server, whose data are dropped, and returns what they saw.
///
/// # Errors
/// When a connection is lost that nobody disturbs, or falls silent: a wake-up that was lost shows as that.
///
/// # Panics
/// When a client's thread does.
pub fn run(server: &Server<'_>, config: Config) -> Result<History, String> {
    let mut peer = server.connect()?;
    peer.call(&["FLUSHALL"])?;
    if config.scripts && !has_scripts(&mut peer)? {
        return Err("the server runs no scripts".to_owned());
    }
    let shared = Shared {
        config,
        server,
        started: Instant::now(),
        left: AtomicI64::new(i64::try_from(config.requests).unwrap_or(i64::MAX)),
        pushes: (0..config.queues).map(|_| AtomicU64::new(0)).collect(),
        ids: (0..config.clients).map(|_| AtomicU64::new(0)).collect(),
        over: AtomicBool::new(false),
    };
    let (mut operations, mut refused) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let disturber = config.disturbed.then(|| scope.spawn(|| disturb(&shared)));
        let clients = (0..config.clients).map(|number| {
            let shared = &shared;
            scope.spawn(move || {
                let mut client = Client::new(shared, number)?;
                client.work()?;
                Ok::<_, String>((client.operations, client.refused))
            })
        });
        let clients: Vec<_> = clients.collect();
        let done: Vec<_> = clients
            .into_iter()
            .map(|c| c.join().expect("no panic"))
            .collect();
        shared.over.store(true, SeqCst);
        if let Some(disturber) = disturber {
            disturber.join().expect("no panic")?;
        }
        for of_client in done {
            let (mut done, mut not_done) = of_client?;
            operations.append(&mut done);
            refused.append(&mut not_done);
        }
        Ok::<_, String>(())
    })?;
    let pushes = shared.pushes.iter().map(|p| p.load(Relaxed)).max();
    let generations = pushes.unwrap_or(0) / RETIRED_AFTER + 1;
    let rest = rest(&mut peer, generations * config.queues)?;
    Ok(History {
        operations,
        refused,
        rest,
    })
}
