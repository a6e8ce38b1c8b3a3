//! Tables in the engine's keyspace: a table is a hash, so `HSET table key value` of any Redis client is seen here,
//! and the reverse. Values of other types than strings are stored as `tags` says.
//!
//! Invariants
//! - Everything goes through the engine's execution, as HGET, HSET, HDEL …: permissions, the memory limit, WATCH,
//!   notifications, tracking, the journal and the statistics see it as they see a connection's request.
//! - Every call is one command, so it is as atomic as that; [`Storage::execute`] is one for each request, in one batch of
//!   the engine.
//! - Sessions and buffers are reused; a read or a write of one key allocates nothing here beyond the stored value.
//!
//! Does not wait: a stripe that is held for long, and CLIENT PAUSE, are [`KvError::Busy`].

use super::{Answer, PAGE_BYTES, PAGE_MAX, Page, Storage, pair_bytes, tags, too_large};
use crate::error::KvError;
use crate::pb::{Kvpair, Value};
use crate::values::ValueRef;
use crate::wire::Borrowed;
use ochre_engine::commands::hash::{HDEL_PREVIOUS, HSET_PREVIOUS};
use ochre_engine::exec::{AHEAD_MAX, Ahead, Engine, Flow, Held, Inside, Out, Session};
use ochre_resp::{Protocol, Request, RequestBuf};
use parking_lot::Mutex;
use reply::Reply;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Places where sessions wait to be used again; threads share them out.
const SLOTS: usize = 64;
/// Pairs that HSCAN is asked for at a time, so that a page of large values ends in time.
const SCAN_STEP: usize = 64;
/// Bytes of a reply buffer that is kept.
const OUT_KEPT: usize = 64 * 1024;

/// Requests that are looked up before the first of them is executed, so that their waits for memory overlap.
const WINDOW: usize = AHEAD_MAX;

/// What one call works with.
struct Hand {
    session: Session,
    /// The words of the requests that are looked ahead to; of other calls the first.
    args: [RequestBuf; WINDOW],
    /// How many of them are in use.
    used: usize,
    out: Out,
    /// A tagged value.
    tagged: Vec<u8>,
    /// A reply that lies in several pieces.
    whole: Vec<u8>,
}

#[repr(align(128))]
#[derive(Default)]
struct Slot(Mutex<Option<Box<Hand>>>);

/// Tables in an engine's keyspace, of one of its databases.
pub struct Keyspace {
    engine: Arc<Engine>,
    inside: Inside,
    db: usize,
    slots: Box<[Slot]>,
}

thread_local! {
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// This thread's slot.
fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    PLACE.with(|place| match place.get() {
        Some(at) => at,
        None => {
            let at = NEXT.fetch_add(1, Relaxed) % SLOTS;
            place.set(Some(at));
            at
        }
    })
}

impl Keyspace {
    /// Tables in database 0 of `engine`.
    ///
    /// `user` names the user of the ACL whose permissions hold; its password is not asked for. Without it they are
    /// those of the default user, and as long as that one needs a password every call is refused with
    /// [`KvError::Unauthorized`].
    #[must_use]
    pub fn new(engine: Arc<Engine>, user: Option<&str>) -> Keyspace {
        Keyspace {
            engine,
            inside: Inside::new("table", user.map(str::as_bytes)),
            db: 0,
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
        }
    }

    fn hand(&self) -> Box<Hand> {
        let mine = self.slots[place()].0.try_lock().and_then(|mut s| s.take());
        mine.unwrap_or_else(|| {
            let mut session = self.inside.session(&self.engine);
            session.db = self.db;
            Box::new(Hand {
                session,
                args: Default::default(),
                used: 0,
                out: Out::new(Protocol::Resp2),
                tagged: Vec::new(),
                whole: Vec::new(),
            })
        })
    }

    fn give_back(&self, mut hand: Box<Hand>) {
        hand.out.clear();
        hand.out.shrink(OUT_KEPT);
        hand.whole = Vec::new();
        let used = std::mem::take(&mut hand.used).max(1);
        for args in &mut hand.args[..used] {
            args.clear();
            if args.heap_bytes() > OUT_KEPT {
                *args = RequestBuf::default();
            }
        }
        hand.tagged.clear();
        hand.tagged.shrink_to(OUT_KEPT);
        if let Some(mut slot) = self.slots[place()].0.try_lock() {
            *slot = Some(hand);
        }
    }

    /// Runs one command on a table, with the words that `fill` pushes behind its name, and reads the reply.
    fn run<T>(
        &self,
        which: Which,
        table: &str,
        bytes_max: usize,
        fill: impl FnOnce(&mut RequestBuf, &mut Vec<u8>),
        read: impl FnOnce(&mut Reply<'_>) -> Result<T, KvError>,
    ) -> Result<T, KvError> {
        let mut hand = self.hand();
        let Hand {
            session,
            args: [args, ..],
            out,
            tagged,
            whole,
            ..
        } = &mut *hand;
        args.push(which.name());
        args.push(table.as_bytes());
        fill(args, tagged);
        let result = self.begin(session).and_then(|()| {
            let ahead = which.look_ahead(&self.engine, args.as_request());
            let held = &mut Held::default();
            let ran = self.run_one(session, args.as_request(), ahead, out, held, bytes_max);
            self.engine.end_batch(session);
            ran.and_then(|()| read(&mut Reply::of(out, whole)))
        });
        self.give_back(hand);
        result
    }

    /// Begins a batch, which the engine is told of the end of.
    fn begin(&self, session: &mut Session) -> Result<(), KvError> {
        match self.inside.begin(&self.engine, session) {
            true => Ok(()),
            false => Err(KvError::Unauthorized(
                "NOAUTH The user of the table front does not exist".to_owned(),
            )),
        }
    }

    /// Runs one request of a batch; its whole reply is in `out` then.
    #[inline]
    fn run_one<'e>(
        &'e self,
        session: &mut Session,
        request: Request<'_>,
        ahead: Ahead,
        out: &mut Out,
        held: &mut Held<'e>,
        bytes_max: usize,
    ) -> Result<(), KvError> {
        let flow = self
            .engine
            .execute_ahead(session, request, &ahead, out, held);
        if session.stream.is_some() {
            *held = Held::default();
            produce(session, out, bytes_max)?;
        }
        match flow {
            Flow::Next => Ok(()),
            Flow::PutOff | Flow::Paused => Err(KvError::Busy),
            Flow::Close => Err(KvError::Storage("The engine closed the session".to_owned())),
        }
    }

    /// Runs up to [`WINDOW`] requests as one batch. Whether to go on.
    fn run_window(
        &self,
        hand: &mut Hand,
        requests: &[Borrowed<'_>],
        answer: &mut dyn FnMut(Answer<'_>) -> bool,
    ) -> bool {
        let Hand {
            session,
            args,
            used,
            out,
            tagged,
            whole,
        } = hand;
        let mut aheads = [Ahead::default(); WINDOW];
        let aheads = &mut aheads[..requests.len()];
        *used = requests.len().max(*used);
        let mut hints = self.engine.hints(session.db);
        for ((request, args), ahead) in requests.iter().zip(&mut *args).zip(&mut *aheads) {
            let which = fill_single(args, tagged, *request);
            *ahead = which.look_ahead(&self.engine, args.as_request());
            if requests.len() > 1 {
                hints.add(ahead);
            }
        }
        let (mut held, mut fetched) = (Held::default(), None);
        hints.find(&mut held);
        for (i, ahead) in aheads.iter().enumerate() {
            held.expect(self.engine.follower(ahead, aheads.get(i + 1)));
            let request = args[i].as_request();
            let ran = self.run_one(session, request, *ahead, out, &mut held, usize::MAX);
            let behind = aheads[i + 1..].iter().zip(&args[i + 1..]);
            let behind = behind.map(|(ahead, args)| (args.as_request(), *ahead));
            self.engine
                .prefetch_elements(&held, &mut fetched, ahead, behind);
            let go_on = match ran.and_then(|()| read_single(out, whole, &requests[i])) {
                Ok(value) => answer(Ok(value)),
                Err(error) => answer(Err(error)),
            };
            out.clear();
            whole.clear();
            if !go_on {
                return false;
            }
        }
        true
    }

    /// Runs a request on one key.
    fn single(
        &self,
        request: Borrowed<'_>,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        let mut there = Ok(false);
        self.execute(&[request], &mut |answer| {
            there = answer.map(|value| value.map(&mut *sink).is_some());
            true
        });
        there
    }

    /// Runs a command whose reply is an array of values, each null where there was none.
    fn values(
        &self,
        which: Which,
        table: &str,
        fill: impl FnOnce(&mut RequestBuf, &mut Vec<u8>),
    ) -> Result<Vec<Option<Value>>, KvError> {
        self.run(which, table, usize::MAX, fill, |reply| {
            let count = reply.array()?;
            let value = |_| Ok(reply.bulk()?.map(|bytes| tags::decode(bytes).to_value()));
            (0..count).map(value).collect()
        })
    }

    /// The same for some keys; no keys need no command.
    fn values_of(
        &self,
        which: Which,
        table: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Value>>, KvError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.values(which, table, |args, _| {
            keys.iter().for_each(|key| args.push(key.as_bytes()));
        })
    }
}

/// The commands in use.
#[derive(Clone, Copy)]
enum Which {
    Get,
    GetSeveral,
    GetAll,
    Set,
    Delete,
    Exists,
    Scan,
}

impl Which {
    const fn name(self) -> &'static [u8] {
        match self {
            Which::Get => b"HGET",
            Which::GetSeveral => b"HMGET",
            Which::GetAll => b"HGETALL",
            Which::Set => b"HSET",
            Which::Delete => b"HDEL",
            Which::Exists => b"HEXISTS",
            Which::Scan => b"HSCAN",
        }
    }

    #[inline]
    fn look_ahead(self, engine: &Engine, request: ochre_resp::Request<'_>) -> Ahead {
        match self {
            Which::Set => engine.look_ahead_to(&HSET_PREVIOUS, request),
            Which::Delete => engine.look_ahead_to(&HDEL_PREVIOUS, request),
            _ => engine.look_ahead(request),
        }
    }
}

/// Appends the rest of a reply, as long as it has `bytes_max` bytes.
#[cold]
fn produce(session: &mut Session, out: &mut Out, bytes_max: usize) -> Result<(), KvError> {
    while let Some(mut producer) = session.stream.take() {
        let more = producer.produce(out);
        if out.len() > bytes_max {
            return Err(KvError::TooLarge(String::new()));
        }
        if more {
            session.stream = Some(producer);
        }
    }
    Ok(())
}

/// Pushes the words of a request on one key.
#[inline]
fn fill_single(args: &mut RequestBuf, tagged: &mut Vec<u8>, request: Borrowed<'_>) -> Which {
    args.clear();
    let (which, table, key) = match request {
        Borrowed::Get(table, key) => (Which::Get, table, key),
        Borrowed::Set(table, key, _) => (Which::Set, table, key),
    };
    args.push(which.name());
    args.push(table.as_bytes());
    args.push(key.as_bytes());
    if let Borrowed::Set(_, _, value) = request {
        push_value(args, tagged, value);
    }
    which
}

/// Reads the reply to such a request.
#[inline]
fn read_single<'o>(out: &'o Out, whole: &'o mut Vec<u8>, request: &Borrowed<'_>) -> Answer<'o> {
    let mut reply = Reply::of(out, whole);
    if matches!(request, Borrowed::Set(..)) {
        reply.array()?;
    }
    Ok(reply.bulk()?.map(tags::decode))
}

/// Pushes a value as it is stored.
fn push_value(args: &mut RequestBuf, tagged: &mut Vec<u8>, value: ValueRef<'_>) {
    if let ValueRef::String(text) = value {
        return args.push(text.as_bytes());
    }
    tagged.clear();
    tags::encode(tagged, value);
    args.push(tagged);
}

/// Reads pairs of fields and values.
fn read_pairs(
    table: &str,
    reply: &mut Reply<'_>,
    mut take: impl FnMut(Kvpair) -> Result<(), KvError>,
) -> Result<(), KvError> {
    for _ in 0..reply.array()? / 2 {
        let (key, value) = (reply.bulk()?.unwrap_or_default(), reply.bulk()?);
        let Ok(key) = std::str::from_utf8(key) else {
            let text = format!("Table {table} has a field that is no UTF-8 and so no key");
            return Err(KvError::Storage(text));
        };
        take(Kvpair::new(
            key,
            tags::decode(value.unwrap_or_default()).to_value(),
        ))?;
    }
    Ok(())
}

impl Storage for Keyspace {
    fn get(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        let mut value = None;
        self.get_with(table, key, &mut |v| value = Some(v.to_value()))?;
        Ok(value)
    }

    fn set(&self, table: &str, key: &str, value: Value) -> Result<Option<Value>, KvError> {
        let mut previous = None;
        let value = ValueRef::from(&value);
        self.set_with(table, key, value, &mut |v| previous = Some(v.to_value()))?;
        Ok(previous)
    }

    fn del(&self, table: &str, key: &str) -> Result<Option<Value>, KvError> {
        let values = self.values(Which::Delete, table, |args, _| args.push(key.as_bytes()))?;
        Ok(values.into_iter().next().flatten())
    }

    fn contains(&self, table: &str, key: &str) -> Result<bool, KvError> {
        let fill = |args: &mut RequestBuf, _: &mut Vec<u8>| args.push(key.as_bytes());
        self.run(Which::Exists, table, usize::MAX, fill, |reply| {
            reply.integer().map(|n| n != 0)
        })
    }

    fn mget(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        self.values_of(Which::GetSeveral, table, keys)
    }

    fn mset(&self, table: &str, pairs: &[Kvpair]) -> Result<Vec<Option<Value>>, KvError> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        self.values(Which::Set, table, |args, tagged| {
            for pair in pairs {
                args.push(pair.key.as_bytes());
                push_value(args, tagged, pair.value_ref());
            }
        })
    }

    fn mdel(&self, table: &str, keys: &[String]) -> Result<Vec<Option<Value>>, KvError> {
        self.values_of(Which::Delete, table, keys)
    }

    /// In no order; the cursor is HSCAN's.
    fn scan(&self, table: &str, cursor: Option<&str>, limit: usize) -> Result<Page, KvError> {
        let wanted = limit.clamp(1, PAGE_MAX);
        let (mut page, mut bytes) = (Page::default(), 0);
        let mut cursor = cursor.unwrap_or("0").to_owned();
        if cursor.parse::<u64>().is_err() {
            return Err(KvError::Invalid(format!("Invalid cursor: {cursor}")));
        }
        while page.pairs.len() < wanted && bytes < PAGE_BYTES {
            let step = SCAN_STEP.min(wanted - page.pairs.len());
            let fill = |args: &mut RequestBuf, _: &mut Vec<u8>| {
                args.push(cursor.as_bytes());
                args.push(b"COUNT");
                args.push(step.to_string().as_bytes());
            };
            cursor = self.run(Which::Scan, table, usize::MAX, fill, |reply| {
                reply.array()?;
                let next = reply.bulk()?.unwrap_or_default();
                let next = String::from_utf8_lossy(next).into_owned();
                read_pairs(table, reply, |pair| {
                    bytes += pair_bytes(&pair);
                    page.pairs.push(pair);
                    Ok(())
                })?;
                Ok(next)
            })?;
            if cursor == "0" {
                return Ok(page);
            }
        }
        page.next = Some(cursor);
        Ok(page)
    }

    fn get_with(
        &self,
        table: &str,
        key: &str,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        self.single(Borrowed::Get(table, key), sink)
    }

    fn set_with(
        &self,
        table: &str,
        key: &str,
        value: ValueRef<'_>,
        sink: &mut dyn FnMut(ValueRef<'_>),
    ) -> Result<bool, KvError> {
        self.single(Borrowed::Set(table, key, value), sink)
    }

    fn execute(&self, requests: &[Borrowed<'_>], answer: &mut dyn FnMut(Answer<'_>) -> bool) {
        let mut hand = self.hand();
        match self.begin(&mut hand.session) {
            Ok(()) => {
                let mut windows = requests.chunks(WINDOW);
                windows.all(|window| self.run_window(&mut hand, window, answer));
                self.engine.end_batch(&mut hand.session);
            }
            // Who is shut out is so for all of them.
            Err(error) => {
                let mut refused = requests.iter().map(|_| answer(Err(error.clone())));
                refused.all(|go_on| go_on);
            }
        }
        self.give_back(hand);
    }

    /// One HGETALL, so atomic. What it may take of memory is bounded: the reply is produced piece by piece.
    fn get_all(&self, table: &str, bytes_max: usize) -> Result<Vec<Kvpair>, KvError> {
        // RESP's framing of a small pair is not twice as large as protobuf's.
        let raw_max = bytes_max.saturating_mul(2);
        let fill = |_: &mut RequestBuf, _: &mut Vec<u8>| {};
        let result = self.run(Which::GetAll, table, raw_max, fill, |reply| {
            let (mut pairs, mut bytes) = (Vec::new(), 0);
            read_pairs(table, reply, |pair| {
                bytes += pair_bytes(&pair);
                if bytes > bytes_max {
                    return Err(KvError::TooLarge(String::new()));
                }
                pairs.push(pair);
                Ok(())
            })?;
            Ok(pairs)
        });
        result.map_err(|error| match error {
            KvError::TooLarge(_) => too_large(table, bytes_max),
            other => other,
        })
    }
}

/// Reading a RESP2 reply.
mod reply {
    use crate::error::KvError;
    use ochre_engine::exec::Out;

    /// What a reply consists of.
    pub(super) enum Item<'a> {
        Bulk(Option<&'a [u8]>),
        Integer(i64),
        Array(usize),
        Error(&'a [u8]),
    }

    /// A reply that is there as a whole, read from its front.
    pub(super) struct Reply<'a>(&'a [u8]);

    impl<'a> Reply<'a> {
        /// The reply in `out`, put together in `whole` if it lies in several pieces.
        #[inline]
        pub(super) fn of(out: &'a Out, whole: &'a mut Vec<u8>) -> Reply<'a> {
            Reply(match out.as_slice() {
                Some(bytes) => bytes,
                None => {
                    out.segments()
                        .for_each(|piece| whole.extend_from_slice(piece));
                    whole
                }
            })
        }

        #[inline]
        fn item(&mut self) -> Option<Item<'a>> {
            let (&kind, rest) = self.0.split_first()?;
            let end = rest.iter().position(|b| *b == b'\r')?;
            let (line, after) = (&rest[..end], rest.get(end + 2..)?);
            self.0 = after;
            let number = || ochre_resp::parse_i64(line);
            Some(match kind {
                b'$' => match usize::try_from(number()?) {
                    Ok(len) => {
                        self.0 = after.get(len + 2..)?;
                        Item::Bulk(Some(&after[..len]))
                    }
                    Err(_) => Item::Bulk(None),
                },
                b':' => Item::Integer(number()?),
                b'*' => Item::Array(usize::try_from(number()?).unwrap_or(0)),
                b'-' => Item::Error(line),
                _ => return None,
            })
        }

        pub(super) fn bulk(&mut self) -> Result<Option<&'a [u8]>, KvError> {
            match self.item() {
                Some(Item::Bulk(bytes)) => Ok(bytes),
                other => Err(unexpected(other)),
            }
        }

        pub(super) fn integer(&mut self) -> Result<i64, KvError> {
            match self.item() {
                Some(Item::Integer(n)) => Ok(n),
                other => Err(unexpected(other)),
            }
        }

        pub(super) fn array(&mut self) -> Result<usize, KvError> {
            match self.item() {
                Some(Item::Array(len)) => Ok(len),
                other => Err(unexpected(other)),
            }
        }
    }

    #[cold]
    fn unexpected(item: Option<Item<'_>>) -> KvError {
        let Some(Item::Error(text)) = item else {
            return KvError::Storage("The engine's reply has another shape".to_owned());
        };
        let text = String::from_utf8_lossy(text).into_owned();
        match text.split(' ').next().unwrap_or_default() {
            "WRONGTYPE" => KvError::WrongType(text),
            "NOAUTH" => KvError::Unauthorized(text),
            "NOPERM" => KvError::Forbidden(text),
            "OOM" => KvError::OutOfMemory(text),
            "BUSY" | "LOADING" | "MISCONF" | "READONLY" => KvError::Unavailable(text),
            _ => KvError::Storage(text),
        }
    }
}
