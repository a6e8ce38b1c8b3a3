//! A small store that keeps the rules, or breaks one of them on purpose: what the checker has to find.
//!
//! It knows the commands of `workload`. Its plan is like the engine's: the stripes of all keys of a request, or of all
//! requests of a transaction and what is watched, are locked in order and let go together.

use ochre_resp::Frame;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks that keys share.
const STRIPES: usize = 64;
/// Changes after which the copy is renewed that stale reads see.
const COPIED_EVERY: u64 = 40;
/// One of so many pushes and moves fails silently, where they do.
const FAILS_EVERY: u64 = 500;

/// What the store does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// The plan of a transaction leaves its last stripe out.
    ShortPlan,
    /// A transaction lets its stripes go between two requests.
    TornTransaction,
    /// A move takes an element under one lock, and adds it under another.
    TornMove,
    /// EXEC does not look at what is watched.
    BlindWatch,
    /// EXEC looks at what is watched before it has its stripes.
    EarlyWatch,
    /// Reads see a copy, as of a replica that lags.
    StaleRead,
    /// What EXEC refuses happens nevertheless.
    AppliedThoughRefused,
    /// A push is answered and forgotten, now and then.
    LostPush,
    /// A move leaves the element where it was, now and then.
    DoubledMove,
}

impl Fault {
    /// All there are.
    pub const ALL: [Fault; 9] = [
        Fault::ShortPlan,
        Fault::TornTransaction,
        Fault::TornMove,
        Fault::BlindWatch,
        Fault::EarlyWatch,
        Fault::StaleRead,
        Fault::AppliedThoughRefused,
        Fault::LostPush,
        Fault::DoubledMove,
    ];
}

type Lists = HashMap<Vec<u8>, VecDeque<Vec<u8>>>;

#[derive(Default)]
struct Data {
    lists: Lists,
    /// How often each key changed.
    versions: HashMap<Vec<u8>, u64>,
    changes: u64,
    copy: Lists,
}

impl Data {
    fn changed(&mut self, key: &[u8]) {
        *self.versions.entry(key.to_vec()).or_default() += 1;
        self.changes += 1;
        if self.changes.is_multiple_of(COPIED_EVERY) {
            self.copy = self.lists.clone();
        }
    }
}

/// The store.
pub struct Simulated {
    fault: Fault,
    stripes: [Mutex<()>; STRIPES],
    data: Mutex<Data>,
    clients: AtomicU64,
}

/// A connection to it.
pub struct Session<'s> {
    store: &'s Simulated,
    id: u64,
    queue: Option<Vec<Vec<Vec<u8>>>>,
    /// Keys and how often they had changed.
    watched: Vec<(Vec<u8>, u64)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ok() -> Frame {
    Frame::Simple(b"OK".to_vec())
}

fn integer(n: usize) -> Frame {
    Frame::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

fn stripe_of(key: &[u8]) -> usize {
    let sum = key.iter().fold(7usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    sum % STRIPES
}

fn keys(request: &[Vec<u8>]) -> &[Vec<u8>] {
    let many = match &*request[0] {
        b"LMOVE" | b"BLMOVE" => 2,
        b"WATCH" => request.len() - 1,
        b"RPUSH" | b"LRANGE" | b"LLEN" | b"TYPE" => 1,
        _ => 0,
    };
    &request[1..=many]
}

impl Simulated {
    /// An empty store.
    #[must_use]
    pub fn new(fault: Fault) -> Simulated {
        Simulated {
            fault,
            stripes: [const { Mutex::new(()) }; STRIPES],
            data: Mutex::default(),
            clients: AtomicU64::new(1),
        }
    }

    /// Another connection.
    #[must_use]
    pub fn connect(&self) -> Session<'_> {
        Session {
            store: self,
            id: self.clients.fetch_add(1, Relaxed),
            queue: None,
            watched: Vec::new(),
        }
    }

    fn take<'k>(&self, keys: impl Iterator<Item = &'k Vec<u8>>) -> Vec<MutexGuard<'_, ()>> {
        let mut plan: Vec<usize> = keys.map(|key| stripe_of(key)).collect();
        plan.sort_unstable();
        plan.dedup();
        plan.into_iter().map(|i| lock(&self.stripes[i])).collect()
    }

    fn is_broken(&self, watched: &[(Vec<u8>, u64)]) -> bool {
        let data = lock(&self.data);
        let now = |key: &[u8]| data.versions.get(key).copied().unwrap_or(0);
        watched.iter().any(|(key, version)| now(key) != *version)
    }

    fn fails_now(&self, fault: Fault) -> bool {
        self.fault == fault && lock(&self.data).changes.is_multiple_of(FAILS_EVERY)
    }

    /// Runs a request whose stripes are held.
    fn run(&self, request: &[Vec<u8>]) -> Frame {
        match &*request[0] {
            b"RPUSH" => self.push(&request[1], &request[2]),
            b"LMOVE" | b"BLMOVE" => self.move_on(&request[1], &request[2]),
            b"LRANGE" => self.read(&request[1], |list| {
                let item = |element: &Vec<u8>| Frame::Bulk(element.clone());
                Frame::Array(list.iter().map(item).collect())
            }),
            b"LLEN" => self.read(&request[1], |list| integer(list.len())),
            b"TYPE" => Frame::Simple(b"list".to_vec()),
            _ => ok(),
        }
    }

    fn push(&self, key: &[u8], element: &[u8]) -> Frame {
        let lost = self.fails_now(Fault::LostPush);
        let mut data = lock(&self.data);
        let list = data.lists.entry(key.to_vec()).or_default();
        list.push_back(element.to_vec());
        let len = list.len();
        if lost {
            list.pop_back();
        }
        data.changed(key);
        integer(len)
    }

    fn move_on(&self, from: &[u8], to: &[u8]) -> Frame {
        let doubled = self.fails_now(Fault::DoubledMove);
        let mut data = lock(&self.data);
        let list = data.lists.entry(from.to_vec()).or_default();
        let Some(element) = list.pop_front() else {
            return Frame::Null;
        };
        if doubled {
            list.push_front(element.clone());
        }
        data.changed(from);
        if self.fault == Fault::TornMove {
            drop(data);
            std::thread::yield_now();
            data = lock(&self.data);
        }
        let list = data.lists.entry(to.to_vec()).or_default();
        list.push_back(element.clone());
        data.changed(to);
        Frame::Bulk(element)
    }

    fn read(&self, key: &[u8], read: impl Fn(&VecDeque<Vec<u8>>) -> Frame) -> Frame {
        let data = lock(&self.data);
        let lists = match self.fault {
            Fault::StaleRead => &data.copy,
            _ => &data.lists,
        };
        read(lists.get(key).unwrap_or(&VecDeque::new()))
    }
}

impl Session<'_> {
    /// Runs requests one after the other.
    pub fn exchange(&mut self, requests: &[Vec<Vec<u8>>]) -> Vec<Frame> {
        requests.iter().map(|request| self.call(request)).collect()
    }

    fn call(&mut self, request: &[Vec<u8>]) -> Frame {
        match (&*request[0], &mut self.queue) {
            (b"EXEC", _) => self.exec(),
            (b"DISCARD", _) => {
                self.queue = None;
                self.watched.clear();
                ok()
            }
            (_, Some(queue)) => {
                queue.push(request.to_vec());
                Frame::Simple(b"QUEUED".to_vec())
            }
            (b"MULTI", None) => {
                self.queue = Some(Vec::new());
                ok()
            }
            (b"WATCH", None) => {
                let data = lock(&self.store.data);
                for key in keys(request) {
                    let version = data.versions.get(key).copied().unwrap_or(0);
                    self.watched.push((key.clone(), version));
                }
                ok()
            }
            (b"CLIENT", None) => Frame::Integer(i64::try_from(self.id).unwrap_or(i64::MAX)),
            (b"FLUSHALL", None) => {
                *lock(&self.store.data) = Data::default();
                ok()
            }
            (b"BLMOVE", None) => self.wait(request),
            _ => self.single(request),
        }
    }

    fn single(&self, request: &[Vec<u8>]) -> Frame {
        let keys = match self.store.fault {
            Fault::TornMove => &[],
            _ => keys(request),
        };
        let _held = self.store.take(keys.iter());
        self.store.run(request)
    }

    /// Tries until there is something, or the time has passed.
    fn wait(&self, request: &[Vec<u8>]) -> Frame {
        let seconds = request.last().and_then(|w| std::str::from_utf8(w).ok());
        let seconds: f64 = seconds.and_then(|s| s.parse().ok()).unwrap_or(0.0);
        let deadline = Instant::now() + Duration::from_secs_f64(seconds);
        loop {
            let reply = self.single(request);
            if reply != Frame::Null || Instant::now() > deadline {
                return reply;
            }
            std::thread::yield_now();
        }
    }

    fn exec(&mut self) -> Frame {
        let store = self.store;
        let queue = self.queue.take().unwrap_or_default();
        let watched = std::mem::take(&mut self.watched);
        let early = store.is_broken(&watched);
        let mut named: Vec<&Vec<u8>> = queue.iter().flat_map(|request| keys(request)).collect();
        named.extend(watched.iter().map(|(key, _)| key));
        let mut held = Vec::new();
        match store.fault {
            Fault::TornTransaction => {}
            Fault::ShortPlan => {
                named.sort_unstable_by_key(|key| stripe_of(key));
                let last = named.last().map(|key| stripe_of(key));
                let rest = named.iter().filter(|key| Some(stripe_of(key)) != last);
                held = store.take(rest.copied());
            }
            _ => held = store.take(named.into_iter()),
        }
        let refused = match store.fault {
            Fault::BlindWatch => false,
            Fault::EarlyWatch => early,
            _ => store.is_broken(&watched),
        };
        if refused && store.fault != Fault::AppliedThoughRefused {
            return Frame::NullArray;
        }
        let mut replies = Vec::new();
        for request in &queue {
            replies.push(match store.fault {
                Fault::TornTransaction => self.single(request),
                _ => store.run(request),
            });
            // Whoever may come in between does.
            std::thread::yield_now();
        }
        drop(held);
        if refused {
            return Frame::NullArray;
        }
        Frame::Array(replies)
    }
}
