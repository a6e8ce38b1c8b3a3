//! The service over byte streams: order, limits, hostile peers, topics, the orderly stop.
#![cfg(feature = "server")]

mod raw;

use ochre_table::server::{Options, Server};
use ochre_table::{
    CommandRequest, KvError, Kvpair, Limits, MemTable, Service, ServiceInner, Value,
};
use prost::Message as _;
use raw::{PATIENCE, frame, receive, streams};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

fn service() -> Service {
    ServiceInner::new(MemTable::new()).into()
}

/// A client of raw bytes, and the server's end being served.
fn connect(service: &Service) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let server = Server::new(service.clone(), Options::default());
    tokio::spawn(async move { server.serve(theirs).await });
    ours
}

async fn closed(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    let end = tokio::time::timeout(PATIENCE, io.read(&mut [0])).await;
    matches!(end.expect("in time"), Ok(0) | Err(_))
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let mut io = connect(&service());
    let mut bytes = Vec::new();
    for n in 0..1000_i64 {
        bytes.extend(frame(&CommandRequest::new_hset(
            "t",
            n.to_string(),
            n.into(),
        )));
        bytes.extend(frame(&CommandRequest::new_hget("t", n.to_string())));
        bytes.extend(frame(&CommandRequest::new_hget("t", "none")));
    }
    io.write_all(&bytes).await.unwrap();
    for n in 0..1000_i64 {
        assert_eq!(receive(&mut io).await.values, [Value::default()]);
        assert_eq!(receive(&mut io).await.values, [n.into()]);
        assert_eq!(receive(&mut io).await.status, 404);
    }
}

#[tokio::test]
async fn a_frame_may_come_byte_by_byte() {
    let mut io = connect(&service());
    for byte in frame(&CommandRequest::new_hset("t", "k", "v".into())) {
        io.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(receive(&mut io).await.status, 200);
    io.write_all(&frame(&CommandRequest::new_hget("t", "k")))
        .await
        .unwrap();
    assert_eq!(receive(&mut io).await.values, ["v".into()]);
}

#[tokio::test]
async fn large_values_go_through_and_larger_ones_are_refused() {
    let mut io = connect(&service());
    let large = Value::from("x".repeat(3 << 20));
    let sent = frame(&CommandRequest::new_hset("t", "k", large.clone()));
    let (mut reader, mut writer) = tokio::io::split(&mut io);
    let (done, ()) = tokio::join!(receive(&mut reader), async {
        writer.write_all(&sent).await.unwrap();
    });
    assert_eq!(done.status, 200);
    writer
        .write_all(&frame(&CommandRequest::new_hget("t", "k")))
        .await
        .unwrap();
    assert_eq!(receive(&mut reader).await.values, [large]);
    writer
        .write_all(&frame(&CommandRequest::new_hmget("t", ["k", "k", "k"])))
        .await
        .unwrap();
    assert_eq!(receive(&mut reader).await.status, 413);
}

#[tokio::test]
async fn hostile_lengths_are_answered_and_closed() {
    for head in [u32::MAX, 0x7FFF_FFFF, (8 << 20) + 1] {
        let mut io = connect(&service());
        io.write_all(&frame(&CommandRequest::new_hexist("t", "k")))
            .await
            .unwrap();
        io.write_all(&head.to_be_bytes()).await.unwrap();
        assert_eq!(receive(&mut io).await.status, 200);
        assert_eq!(receive(&mut io).await.status, 413);
        assert!(closed(&mut io).await);
    }
}

#[tokio::test]
async fn garbage_in_a_frame_is_answered_and_the_connection_goes_on() {
    let mut io = connect(&service());
    let nested = (0..200).fold(Vec::new(), |inner: Vec<u8>, _| {
        // Field 3 is a group: one inside the other.
        [&[0x1B][..], &inner, &[0x1C]].concat()
    });
    let mut deep = CommandRequest::new_hget("t", "k").encode_to_vec();
    deep.extend(nested);
    let mut invalid = CommandRequest::new_hget("t", "k").encode_to_vec();
    let last = invalid.len() - 1;
    invalid[last] = 0xFF;
    for garbage in [
        &b""[..],
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xFF; 100],
        &deep,
        &invalid,
    ] {
        let mut bytes = u32::try_from(garbage.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(garbage);
        io.write_all(&bytes).await.unwrap();
        assert_eq!(receive(&mut io).await.status, 400, "{garbage:?}");
    }
    io.write_all(&frame(&CommandRequest::new_hexist("t", "k")))
        .await
        .unwrap();
    assert_eq!(receive(&mut io).await.status, 200);
}

#[tokio::test]
async fn a_truncated_frame_ends_the_connection_quietly() {
    let service = service();
    let server = Server::new(service.clone(), Options::default());
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(theirs).await }
    });
    ours.write_all(&frame(&CommandRequest::new_hget("t", "k"))[..7])
        .await
        .unwrap();
    ours.shutdown().await.unwrap();
    serving.await.unwrap();
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn topics_are_streams_of_responses() {
    let service = service();
    let mut listener = connect(&service);
    let mut other = connect(&service);
    let subscribe = frame(&CommandRequest::new_subscribe("news"));
    listener.write_all(&subscribe).await.unwrap();
    let first = receive(&mut listener).await;
    let id = u32::try_from(i64::try_from(first.values[0].clone()).unwrap()).unwrap();
    for n in 0..100 {
        let publish = CommandRequest::new_publish("news", [n.into(), "text".into()]);
        other.write_all(&frame(&publish)).await.unwrap();
        assert_eq!(receive(&mut other).await.values, [1.into()]);
        assert_eq!(
            receive(&mut listener).await.values,
            [n.into(), "text".into()]
        );
    }
    // While it listens, it can ask for nothing else.
    listener
        .write_all(&frame(&CommandRequest::new_hget("t", "k")))
        .await
        .unwrap();
    assert_eq!(receive(&mut listener).await.status, 400);
    let wrong = CommandRequest::new_unsubscribe("news", id + 1);
    listener.write_all(&frame(&wrong)).await.unwrap();
    assert_eq!(receive(&mut listener).await.status, 404);
    let end = CommandRequest::new_unsubscribe("news", id);
    let mut both = frame(&end);
    both.extend(frame(&CommandRequest::new_hexist("t", "k")));
    listener.write_all(&both).await.unwrap();
    let last = receive(&mut listener).await;
    assert_eq!((last.status, last.values.len()), (200, 0));
    assert_eq!(receive(&mut listener).await.values, [false.into()]);
    // Another connection may end it too.
    listener.write_all(&subscribe).await.unwrap();
    let first = receive(&mut listener).await;
    let id = u32::try_from(i64::try_from(first.values[0].clone()).unwrap()).unwrap();
    let end = CommandRequest::new_unsubscribe("news", id);
    other.write_all(&frame(&end)).await.unwrap();
    assert_eq!(receive(&mut other).await.status, 200);
    let last = receive(&mut listener).await;
    assert_eq!((last.status, last.values.len()), (200, 0));
}

#[tokio::test]
async fn a_subscriber_that_takes_nothing_is_ended() {
    let service = service();
    let mut listener = connect(&service);
    listener
        .write_all(&frame(&CommandRequest::new_subscribe("t")))
        .await
        .unwrap();
    assert_eq!(receive(&mut listener).await.status, 200);
    let large = Value::from(vec![0; 1 << 20]);
    let mut sent = 0;
    while !service.topics().is_empty() {
        service.execute(CommandRequest::new_publish("t", [large.clone()]));
        sent += 1;
        assert!(sent < 10_000, "it is ended at some time");
        tokio::task::yield_now().await;
    }
    let mut got = 0;
    let last = loop {
        let response = receive(&mut listener).await;
        if response.status != 200 {
            break response;
        }
        got += 1;
    };
    assert_eq!(last.status, 503);
    // All but the one that had no room.
    assert_eq!(got, sent - 1);
}

#[tokio::test]
async fn after_send_is_told_of_every_response() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let service: Service = ServiceInner::new(MemTable::new())
        .fn_received(|_| Err::<(), _>(KvError::Forbidden("no".to_owned())))
        .fn_after_send(|| {
            SENT.fetch_add(1, Relaxed);
        })
        .into();
    let mut io = connect(&service);
    let one = frame(&CommandRequest::new_hget("t", "k"));
    io.write_all(&one.repeat(10)).await.unwrap();
    for _ in 0..10 {
        assert_eq!(receive(&mut io).await.status, 403);
    }
    drop(io);
    let start = std::time::Instant::now();
    while SENT.load(Relaxed) < 10 {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

/// A server on a port.
async fn listen(service: Service, options: Options) -> (Server<MemTable>, std::net::SocketAddr) {
    listen_at(([127, 0, 0, 1], 0).into(), service, options)
}

/// A server at an address, which has to be free.
fn listen_at(
    address: std::net::SocketAddr,
    service: Service,
    options: Options,
) -> (Server<MemTable>, std::net::SocketAddr) {
    let listener = ochre_table::server::bind(address).expect("a free address");
    let address = listener.local_addr().expect("bound");
    let server = Server::new(service, options);
    let accepting = server.clone();
    tokio::spawn(async move { accepting.accept(listener).await });
    (server, address)
}

#[tokio::test]
async fn connections_are_limited_and_idle_ones_closed() {
    let options = Options {
        max_connections: 2,
        idle: Some(Duration::from_millis(300)),
        ..Options::default()
    };
    let (server, address) = listen(service(), options).await;
    let connect = || tokio::net::TcpStream::connect(address);
    let (mut one, mut two) = (connect().await.unwrap(), connect().await.unwrap());
    let ask = frame(&CommandRequest::new_hexist("t", "k"));
    for io in [&mut one, &mut two] {
        io.write_all(&ask).await.unwrap();
        assert_eq!(receive(io).await.status, 200);
    }
    let mut third = connect().await.unwrap();
    assert_eq!(receive(&mut third).await.status, 503);
    assert!(closed(&mut third).await);
    two.write_all(&frame(&CommandRequest::new_subscribe("t")))
        .await
        .unwrap();
    assert_eq!(receive(&mut two).await.status, 200);
    assert!(closed(&mut one).await);
    // Who listens is not idle.
    assert_eq!(server.connections(), 1);
    let publish = CommandRequest::new_publish("t", [1.into()]);
    let mut other = connect().await.unwrap();
    other.write_all(&frame(&publish)).await.unwrap();
    assert_eq!(receive(&mut two).await.values, [1.into()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_requests_finish() {
    let (server, address) = listen(service(), Options::default()).await;
    let mut io = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut listener = tokio::net::TcpStream::connect(address).await.unwrap();
    listener
        .write_all(&frame(&CommandRequest::new_subscribe("t")))
        .await
        .unwrap();
    assert_eq!(receive(&mut listener).await.status, 200);
    let pair = |n: i64| Kvpair::new(n.to_string(), n);
    let set = CommandRequest::new_hmset("t", (0..1000).map(pair));
    io.write_all(&frame(&set)).await.unwrap();
    assert_eq!(receive(&mut io).await.values.len(), 1000);
    server.stop();
    tokio::time::timeout(PATIENCE, server.stopped())
        .await
        .expect("it stops");
    assert!(closed(&mut io).await);
    assert_eq!(receive(&mut listener).await.status, 503);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_is_free_when_it_has_stopped() {
    let (mut server, address) = listen(service(), Options::default()).await;
    for _ in 0..200 {
        let mut io = tokio::net::TcpStream::connect(address).await.unwrap();
        io.write_all(&frame(&CommandRequest::new_hexist("t", "k")))
            .await
            .unwrap();
        assert_eq!(receive(&mut io).await.status, 200);
        server.stop();
        tokio::time::timeout(PATIENCE, server.stopped())
            .await
            .expect("it stops");
        (server, _) = listen_at(address, service(), Options::default());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_yamux_are_connections() {
    let options = Options {
        yamux: true,
        ..Options::default()
    };
    let (server, address) = listen(service(), options).await;
    let (mut streams, _) = streams(address, 50).await;
    for (n, stream) in (0_i64..).zip(&mut streams) {
        let set = CommandRequest::new_hset("t", n.to_string(), n.into());
        stream.write_all(&frame(&set)).await.unwrap();
        assert_eq!(receive(stream).await.status, 200);
    }
    streams[0]
        .write_all(&frame(&CommandRequest::new_subscribe("t")))
        .await
        .unwrap();
    assert_eq!(receive(&mut streams[0]).await.status, 200);
    streams[1]
        .write_all(&frame(&CommandRequest::new_publish("t", [5.into()])))
        .await
        .unwrap();
    assert_eq!(receive(&mut streams[0]).await.values, [5.into()]);
    assert!(server.connections() > 50);
    server.stop();
    tokio::time::timeout(PATIENCE, server.stopped())
        .await
        .expect("it stops");
}

#[tokio::test]
async fn a_small_limit_of_frames_holds() {
    let limits = Limits {
        frame_bytes: 64,
        ..Limits::default()
    };
    let service: Service = ServiceInner::new(MemTable::new()).limits(limits).into();
    let mut io = connect(&service);
    let large = CommandRequest::new_hset("t", "k", "x".repeat(65).into());
    io.write_all(&frame(&large)).await.unwrap();
    assert_eq!(receive(&mut io).await.status, 413);
    assert!(closed(&mut io).await);
}
