//! Bytes into the table front as a connection brings them: frames of requests, with damage, cut into pieces.
//!
//! The first byte chooses limits and whether the rest is the stream itself or choices that make one, the next eight
//! where to cut.
//!
//! Checked: no panic and no hang; every response is exactly one frame of a known status; the same responses whether the
//! stream comes whole, byte by byte or in pieces, and whether tables are in memory, in the keyspace or on disk; one
//! response to each frame, unless the stream listens to a topic. With yamux around it: no panic and no hang.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_resp::Protocol;
use ochre_table::command_request::RequestData;
use ochre_table::server::{Options, Server};
use ochre_table::{
    CommandRequest, CommandResponse, DiskOptions, DiskTable, Keyspace, Kvpair, Limits, MemTable,
    Service, ServiceInner, Storage, SyncPolicy, Value, value, wire,
};
use ochre_testkit::grammar::Rng;
use ochre_testkit::{Connection, InProcess};
use prost::Message as _;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};

/// Bits of the first byte.
const SMALL_LIMITS: u8 = 1;
const AS_IT_IS: u8 = 2;
const YAMUX: u8 = 4;
const ON_DISK: u8 = 8;

/// What all runs share; building it anew would cost most of the time.
struct Bench {
    runtime: Runtime,
    keyspace: Arc<dyn Storage>,
    disk: Arc<dyn Storage>,
    redis: Connection,
    _engine: InProcess,
}

impl Bench {
    fn new() -> Bench {
        let engine = InProcess::new(&[("hash-max-listpack-entries", "4")]);
        let folder = std::env::temp_dir().join(format!("ochre-fuzz-tables-{}", std::process::id()));
        let options = DiskOptions {
            sync: SyncPolicy::Never,
            ..DiskOptions::default()
        };
        Bench {
            runtime: Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime"),
            keyspace: Arc::new(Keyspace::new(engine.engine.clone(), None)),
            disk: Arc::new(DiskTable::open(folder, options).expect("a folder")),
            redis: engine.connect(Protocol::Resp2),
            _engine: engine,
        }
    }

    /// What a server over `store` sends for `stream`, which comes in pieces of `piece()` bytes.
    fn serve(
        &self,
        store: Arc<dyn Storage>,
        limits: Limits,
        yamux: bool,
        stream: &[u8],
        mut piece: impl FnMut() -> usize,
    ) -> Vec<u8> {
        let service: Service<Arc<dyn Storage>> = ServiceInner::new(store).limits(limits).into();
        let options = Options {
            yamux,
            ..Options::default()
        };
        let server = Server::new(service, options);
        self.runtime.block_on(async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let serving = tokio::spawn(async move { server.serve(theirs).await });
            let (mut read, mut write) = tokio::io::split(ours);
            let send = async {
                let mut rest = stream;
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(piece().clamp(1, rest.len()));
                    // It may have closed.
                    if write.write_all(now).await.is_err() {
                        break;
                    }
                    // So that the server reads this piece alone.
                    tokio::task::yield_now().await;
                    rest = later;
                }
                let _ = write.shutdown().await;
            };
            let mut sent = Vec::new();
            let (_, end) = tokio::join!(send, read.read_to_end(&mut sent));
            end.expect("a pipe does not fail");
            serving.await.expect("it does not panic");
            sent
        })
    }
}

/// The responses that `bytes` consist of.
fn responses(mut bytes: &[u8]) -> Vec<CommandResponse> {
    let mut all = Vec::new();
    while let Some(len) = wire::frame_len(bytes) {
        let frame = bytes
            .get(wire::HEAD..wire::HEAD + len)
            .expect("a whole frame");
        let response = CommandResponse::decode(frame).expect("a response");
        assert!(
            [200, 400, 403, 404, 409, 413, 500, 503, 507].contains(&response.status),
            "{response:?}"
        );
        all.push(response);
        bytes = &bytes[wire::HEAD + len..];
    }
    assert!(bytes.is_empty(), "a response is cut off");
    all
}

/// Without what storages may answer in different ways: texts, the order of pairs, a NaN's payload.
fn alike(mut all: Vec<CommandResponse>) -> Vec<CommandResponse> {
    let same_nan = |value: &mut Value| match &mut value.value {
        Some(value::Value::Float(n)) if n.is_nan() => {
            value.value = Some(value::Value::String("NaN".to_owned()));
        }
        _ => {}
    };
    for response in &mut all {
        response.message.clear();
        response.values.iter_mut().for_each(same_nan);
        response.pairs.sort_by(|a, b| a.key.cmp(&b.key));
        let values = response.pairs.iter_mut().filter_map(|p| p.value.as_mut());
        values.for_each(same_nan);
    }
    all
}

/// How many responses a stream has to get, unless it listens to a topic; and the tables that it writes.
fn expected(mut stream: &[u8], limits: Limits) -> (Option<usize>, Vec<String>) {
    let (mut count, mut listens, mut tables) = (0, false, Vec::new());
    while let Some(len) = wire::frame_len(stream) {
        if len > limits.frame_bytes {
            count += 1;
            break;
        }
        let Some(frame) = stream.get(wire::HEAD..wire::HEAD + len) else {
            break;
        };
        count += 1;
        match CommandRequest::decode(frame)
            .ok()
            .and_then(|r| r.request_data)
        {
            Some(RequestData::Subscribe(_)) => listens = true,
            Some(RequestData::Hset(r)) => tables.push(r.table),
            Some(RequestData::Hmset(r)) => tables.push(r.table),
            _ => {}
        }
        stream = &stream[wire::HEAD + len..];
    }
    ((!listens).then_some(count), tables)
}

fn name(rng: &mut Rng) -> String {
    match rng.index(8) {
        0 => String::new(),
        1 => "ü\0\n".to_owned(),
        2 => "n".repeat(rng.index(600)),
        n => n.to_string(),
    }
}

fn some_value(rng: &mut Rng) -> Value {
    match rng.index(8) {
        0 => Value::default(),
        1 => name(rng).into(),
        2 => [0xFF, b"bidtfe"[rng.index(6)], 0x35][..1 + rng.index(3)].into(),
        3 => i64::from_le_bytes(rng.bits().to_le_bytes()).into(),
        4 => f64::from_bits(rng.bits()).into(),
        5 => (rng.index(2) == 0).into(),
        _ => "v".repeat(rng.index(2000)).into(),
    }
}

fn request(rng: &mut Rng) -> CommandRequest {
    let table = rng.index(3).to_string();
    let several = |rng: &mut Rng| (0..rng.index(7)).map(|_| name(rng)).collect::<Vec<_>>();
    match rng.index(14) {
        0 => CommandRequest::new_hgetall(table),
        1 => CommandRequest::new_hmget(table, several(rng)),
        2 => {
            let keys = several(rng);
            let pairs = keys.into_iter().map(|key| Kvpair {
                key,
                value: (rng.index(5) > 0).then(|| some_value(rng)),
            });
            CommandRequest::new_hmset(table, pairs.collect::<Vec<_>>())
        }
        3 => CommandRequest::new_hdel(table, name(rng)),
        4 => CommandRequest::new_hmdel(table, several(rng)),
        5 => CommandRequest::new_hexist(table, name(rng)),
        6 => CommandRequest::new_hmexist(table, several(rng)),
        7 => CommandRequest::new_subscribe(table),
        8 => CommandRequest::new_unsubscribe(table, u32::try_from(rng.index(3)).unwrap_or(0)),
        9 => CommandRequest::new_publish(
            table,
            (0..rng.index(3))
                .map(|_| some_value(rng))
                .collect::<Vec<_>>(),
        ),
        10 => CommandRequest::default(),
        11 | 12 => CommandRequest::new_hset(table, name(rng), some_value(rng)),
        _ => CommandRequest::new_hget(table, name(rng)),
    }
}

/// One frame, good or not.
fn put_frame(rng: &mut Rng, out: &mut Vec<u8>) {
    let from = out.len();
    match rng.index(16) {
        0 => out.extend([0; 4]),
        1 => out.extend([0xFF; 4]),
        2 => {
            let bytes: Vec<u8> = (0..rng.index(40)).map(|_| rng.index(256) as u8).collect();
            out.extend(u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
            out.extend(bytes);
        }
        3 => {
            // Groups, or messages, in each other.
            let (depth, tag) = (rng.index(2000), [0x0B, 0x22, 0x7B][rng.index(3)]);
            let mut body = Vec::new();
            for _ in 0..depth {
                body.push(tag);
                if tag == 0x22 {
                    body.push(rng.index(128) as u8);
                }
            }
            out.extend(u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
            out.extend(body);
        }
        4 => {
            wire::put_message(out, &request(rng));
            let body = out.len() - from;
            out[from + rng.index(body)] = rng.index(256) as u8;
        }
        5 => {
            // Announces more, or less, than it has.
            wire::put_message(out, &request(rng));
            out[from + 3] = rng.index(256) as u8;
        }
        _ => wire::put_message(out, &request(rng)),
    }
}

/// The stream in one stream of yamux.
fn in_yamux(stream: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = stream;
    let mut first = true;
    while !rest.is_empty() {
        let (now, later) = rest.split_at((1 + rng.index(500)).min(rest.len()));
        // Version, type, flags (the first one opens it), id, length.
        out.extend([0, 0, 0, u8::from(first), 0, 0, 0, 1]);
        out.extend(u32::try_from(now.len()).unwrap_or(0).to_be_bytes());
        out.extend(now);
        (rest, first) = (later, false);
    }
    for _ in 0..rng.index(4) {
        if !out.is_empty() {
            let at = rng.index(out.len());
            out[at] = rng.index(256) as u8;
        }
    }
    out
}

thread_local! {
    static BENCH: std::cell::RefCell<Bench> = std::cell::RefCell::new(Bench::new());
}

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_at_checked(9) else {
        return;
    };
    let limits = match head[0] & SMALL_LIMITS {
        0 => Limits::default(),
        _ => Limits {
            frame_bytes: 300,
            keys: 3,
        },
    };
    let mut seed = [0; 8];
    seed.copy_from_slice(&head[1..]);
    let mut cuts = Rng::seeded(u64::from_le_bytes(seed));
    let stream = match head[0] & AS_IT_IS {
        0 => {
            let (mut choices, mut stream) = (Rng::of_bytes(rest), Vec::new());
            while !choices.is_spent() && stream.len() < 100_000 {
                put_frame(&mut choices, &mut stream);
            }
            stream
        }
        _ => rest.to_vec(),
    };
    BENCH.with_borrow_mut(|bench| {
        let memory = || -> Arc<dyn Storage> { Arc::new(MemTable::new()) };
        if head[0] & YAMUX != 0 {
            let whole = match head[0] & AS_IT_IS {
                0 => in_yamux(&stream, &mut cuts),
                _ => stream,
            };
            bench.serve(memory(), limits, true, &whole, || cuts.index(400));
            return;
        }
        let (count, tables) = expected(&stream, limits);
        let whole = bench.serve(memory(), limits, false, &stream, || usize::MAX);
        let all = responses(&whole);
        if let Some(count) = count {
            assert_eq!(all.len(), count, "{all:?}");
        }
        if stream.len() < 5000 {
            let single = bench.serve(memory(), limits, false, &stream, || 1);
            assert_eq!(
                alike(responses(&single)),
                alike(all.clone()),
                "byte by byte"
            );
        }
        let pieces = bench.serve(memory(), limits, false, &stream, || cuts.index(400));
        assert_eq!(alike(responses(&pieces)), alike(all.clone()), "in pieces");
        let keyspace = bench.serve(bench.keyspace.clone(), limits, false, &stream, || {
            cuts.index(4000)
        });
        bench.redis.line("FLUSHALL");
        assert_eq!(
            alike(responses(&keyspace)),
            alike(all.clone()),
            "in the keyspace"
        );
        if head[0] & ON_DISK != 0 {
            let disk = bench.serve(bench.disk.clone(), limits, false, &stream, || {
                cuts.index(4000)
            });
            for table in tables {
                let pairs = bench.disk.get_all(&table, usize::MAX).unwrap_or_default();
                let keys: Vec<String> = pairs.into_iter().map(|pair| pair.key).collect();
                bench.disk.mdel(&table, &keys).expect("deleted");
            }
            assert_eq!(alike(responses(&disk)), alike(all), "on disk");
        }
    });
});
