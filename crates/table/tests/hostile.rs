//! Hostile and greedy peers: garbage in frames and in yamux, floods of streams, subscribers that are flooded, memory.
//! `OCHRE_SEED` repeats a run.
#![cfg(feature = "server")]

mod raw;

use ochre_table::server::{Options, Server, bind};
use ochre_table::{CommandRequest, KvError, MemTable, Service, ServiceInner, Storage};
use raw::{PATIENCE, frame, receive, streams};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn service() -> Service {
    ServiceInner::new(MemTable::new()).into()
}

fn listen(service: &Service, options: Options) -> (Server<MemTable>, SocketAddr) {
    let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = Server::new(service.clone(), options);
    let accepting = server.clone();
    tokio::spawn(async move { accepting.accept(listener).await });
    (server, address)
}

/// Waits until something holds.
async fn until(what: impl Fn() -> bool) {
    let wait = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = match std::env::var("OCHRE_SEED") {
            Ok(seed) => seed.parse().expect("a number"),
            Err(_) => u64::from(std::process::id()),
        };
        println!("OCHRE_SEED={seed}");
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("small")
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most))
            .map(|_| self.below(256) as u8)
            .collect()
    }
}

/// Sends bytes and reads what comes until the server closes, or has nothing more to say after the end of the bytes.
async fn throw(address: SocketAddr, bytes: &[u8]) {
    let mut io = TcpStream::connect(address).await.expect("it listens");
    // The server may have closed already.
    let _ = io.write_all(bytes).await;
    let _ = io.shutdown().await;
    let mut sink = Vec::new();
    let read = tokio::time::timeout(PATIENCE, io.read_to_end(&mut sink)).await;
    let _ = read.expect("it closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_hurts_nobody() {
    let mut random = Random::new();
    for yamux in [false, true] {
        let service = service();
        let options = Options {
            yamux,
            ..Options::default()
        };
        let (server, address) = listen(&service, options);
        for _ in 0..300 {
            let mut bytes = random.bytes(2000);
            if random.below(2) == 0 {
                // Good beginnings, so that the garbage comes further.
                let good = match yamux {
                    // A new stream's window update: version, type, flags, id, length.
                    true => vec![0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
                    false => frame(&CommandRequest::new_subscribe("t")),
                };
                bytes.splice(0..0, good);
            }
            throw(address, &bytes).await;
        }
        until(|| server.connections() == 0).await;
        assert!(service.topics().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_requests_hurt_nobody() {
    let mut random = Random::new();
    let (server, address) = listen(&service(), Options::default());
    for _ in 0..300 {
        let mut bytes = Vec::new();
        for _ in 0..random.below(20) {
            let (table, key) = (random.below(3).to_string(), random.below(9).to_string());
            bytes.extend(frame(&match random.below(7) {
                0 => CommandRequest::new_hset(table, key, random.bytes(40).into()),
                1 => CommandRequest::new_hget(table, key),
                2 => CommandRequest::new_hmset(table, [(key, 5.into()).into()]),
                3 => CommandRequest::new_hmget(table, [key.clone(), key]),
                4 => CommandRequest::new_subscribe(table),
                5 => CommandRequest::new_publish(table, [true.into()]),
                _ => CommandRequest::new_hgetall(table),
            }));
        }
        for _ in 0..random.below(4) {
            if !bytes.is_empty() {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
        }
        throw(address, &bytes).await;
    }
    until(|| server.connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_streams_is_bounded_and_others_are_served() {
    let options = Options {
        yamux: true,
        ..Options::default()
    };
    let (server, address) = listen(&service(), options.clone());
    let mut greedy = TcpStream::connect(address).await.unwrap();
    for stream in 0..5000_u32 {
        let mut open = vec![0, 1, 0, 1];
        open.extend((2 * stream + 1).to_be_bytes());
        open.extend([0; 4]);
        if greedy.write_all(&open).await.is_err() {
            break;
        }
        assert!(server.connections() <= 2 + 256, "{}", server.connections());
    }
    let (_, address) = listen(&service(), options);
    let (mut streams, _) = streams(address, 1).await;
    let stream = &mut streams[0];
    stream
        .write_all(&frame(&CommandRequest::new_hexist("t", "k")))
        .await
        .unwrap();
    assert_eq!(receive(stream).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_take_places_of_connections() {
    let options = Options {
        yamux: true,
        max_connections: 4,
        ..Options::default()
    };
    let (server, address) = listen(&service(), options);
    // The connection itself takes one place.
    let (mut streams, _) = streams(address, 5).await;
    let ask = frame(&CommandRequest::new_hexist("t", "k"));
    for stream in &mut streams[..3] {
        stream.write_all(&ask).await.unwrap();
        assert_eq!(receive(stream).await.status, 200);
    }
    for stream in &mut streams[3..] {
        stream.write_all(&ask).await.unwrap();
        let refused = receive(stream).await;
        assert_eq!(refused.status, 503);
        assert!(refused.message.contains("4 connections"), "{refused:?}");
        let end = tokio::time::timeout(PATIENCE, stream.read(&mut [0])).await;
        assert!(matches!(end.expect("in time"), Ok(0) | Err(_)));
    }
    assert_eq!(server.connections(), 4);
    // The streams that have a place go on, and one that ends leaves its place.
    streams.truncate(3);
    drop(streams.pop());
    until(|| server.connections() == 3).await;
    streams[0].write_all(&ask).await.unwrap();
    assert_eq!(receive(&mut streams[0]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_yamux_without_streams_is_idle() {
    let options = Options {
        yamux: true,
        idle: Some(Duration::from_millis(200)),
        ..Options::default()
    };
    let (server, address) = listen(&service(), options);
    let (mut streams, driven) = streams(address, 1).await;
    let mut stream = streams.remove(0);
    stream
        .write_all(&frame(&CommandRequest::new_subscribe("t")))
        .await
        .unwrap();
    assert_eq!(receive(&mut stream).await.status, 200);
    assert_eq!(server.connections(), 2);
    stream.shutdown().await.unwrap();
    drop(stream);
    tokio::time::timeout(PATIENCE, driven)
        .await
        .expect("it is closed")
        .unwrap();
    until(|| server.connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsubscribe_is_heard_in_a_flood_of_messages() {
    let service = service();
    let (_server, address) = listen(&service, Options::default());
    let (mut io, id) = listener(address).await;
    let over = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let over = over.clone();
        move || {
            while !over.load(Relaxed) {
                service.execute(CommandRequest::new_publish("t", [1.into()]));
                // So slow that the reader keeps up.
                std::thread::yield_now();
            }
        }
    });
    io.write_all(&frame(&CommandRequest::new_unsubscribe("t", id)))
        .await
        .unwrap();
    let last = loop {
        let response = receive(&mut io).await;
        if response.values.is_empty() {
            break response;
        }
    };
    // One that did not keep up was ended, too.
    assert!([200, 503].contains(&last.status), "{last:?}");
    over.store(true, Relaxed);
    flood.join().unwrap();
    io.write_all(&frame(&CommandRequest::new_hexist("t", "k")))
        .await
        .unwrap();
    // A late Unsubscribe of one that was ended is answered first.
    let mut next = receive(&mut io).await;
    if next.status == 404 {
        next = receive(&mut io).await;
    }
    assert_eq!(next.values, [false.into()]);
}

#[tokio::test]
async fn a_listener_that_announces_too_much_is_told_and_closed() {
    let (_server, address) = listen(&service(), Options::default());
    let mut io = TcpStream::connect(address).await.unwrap();
    io.write_all(&frame(&CommandRequest::new_subscribe("t")))
        .await
        .unwrap();
    assert_eq!(receive(&mut io).await.status, 200);
    io.write_all(&[0xFF; 4]).await.unwrap();
    assert_eq!(receive(&mut io).await.status, 413);
    let end = tokio::time::timeout(PATIENCE, io.read(&mut [0])).await;
    assert!(matches!(end.expect("in time"), Ok(0) | Err(_)));
}

/// A connection that listens to topic `t`, and the subscription's id.
async fn listener(address: SocketAddr) -> (TcpStream, u32) {
    let mut io = TcpStream::connect(address).await.expect("it listens");
    io.write_all(&frame(&CommandRequest::new_subscribe("t")))
        .await
        .expect("it is open");
    let first = receive(&mut io).await;
    let id = i64::try_from(first.values[0].clone()).expect("a number");
    (io, u32::try_from(id).expect("small"))
}

#[tokio::test]
async fn what_stands_before_a_frame_that_is_too_long_is_answered() {
    let (_server, address) = listen(&service(), Options::default());
    let (mut io, id) = listener(address).await;
    let mut bytes = frame(&CommandRequest::new_unsubscribe("t", id));
    bytes.extend(frame(&CommandRequest::new_hset("t", "k", 1.into())));
    bytes.extend([0xFF; 4]);
    io.write_all(&bytes).await.unwrap();
    for status in [200, 200, 413] {
        assert_eq!(receive(&mut io).await.status, status);
    }
    let end = tokio::time::timeout(PATIENCE, io.read(&mut [0])).await;
    assert!(matches!(end.expect("in time"), Ok(0) | Err(_)));
}

#[tokio::test]
async fn what_a_listener_sent_before_it_closed_is_answered() {
    let (server, address) = listen(&service(), Options::default());
    let refused = frame(&CommandRequest::new_hget("t", "k"));
    // More than one read brings, and more than the responses that may wait.
    let count = 20_000;
    for unsubscribes in [false, true] {
        let (io, id) = listener(address).await;
        let (mut reader, mut writer) = io.into_split();
        let mut bytes = refused.repeat(count);
        if unsubscribes {
            bytes.extend(frame(&CommandRequest::new_unsubscribe("t", id)));
            bytes.extend(frame(&CommandRequest::new_hexist("t", "k")));
        }
        let writing = tokio::spawn(async move {
            writer.write_all(&bytes).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        for _ in 0..count {
            assert_eq!(receive(&mut reader).await.status, 400);
        }
        if unsubscribes {
            assert_eq!(receive(&mut reader).await.status, 200);
            assert_eq!(receive(&mut reader).await.values, [false.into()]);
        }
        let end = tokio::time::timeout(PATIENCE, reader.read(&mut [0])).await;
        assert!(matches!(end.expect("in time"), Ok(0)));
        writing.await.unwrap();
    }
    until(|| server.connections() == 0).await;
}

#[test]
fn a_full_memory_refuses_writes_and_nothing_else() {
    let full = Arc::new(AtomicBool::new(false));
    let asked = full.clone();
    let store = MemTable::limited(move || !asked.load(Relaxed));
    store.set("t", "k", 1.into()).unwrap();
    full.store(true, Relaxed);
    assert!(matches!(
        store.set("t", "k", 2.into()),
        Err(KvError::OutOfMemory(_))
    ));
    assert!(matches!(
        store.mset("t", &[("k".to_owned(), 2.into()).into()]),
        Err(KvError::OutOfMemory(_))
    ));
    assert_eq!(store.get("t", "k").unwrap(), Some(1.into()));
    assert_eq!(store.del("t", "k").unwrap(), Some(1.into()));
}
