//! Servers that mean no good: they accept and close, send garbage, depth, lengths and replies without end.

use crate::servers::{PATIENCE, run};
use ochre_client::{
    Client, Config, Dedicated, Error, ErrorKind, Executed, MultiplexedClient, Published, Speak,
    Subscription, Target, Value, cmd,
};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The first pause.
const FIRST: Duration = Duration::from_millis(20);
const CONNECTIONS: usize = 7;

async fn listener() -> (TcpListener, Config) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, Config::tcp("127.0.0.1", port).plain())
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    accepted.expect("a client in time").expect("a client").0
}

/// Reads until what came ends with `request`.
async fn read_until(socket: &mut TcpStream, request: &[u8]) {
    let mut input = Vec::new();
    while !input.ends_with(request) {
        let n = socket.read_buf(&mut input).await.expect("a request");
        assert!(n > 0, "closed after {:?}", input.escape_ascii().to_string());
    }
}

/// The half of each pause is certain, the rest is chance.
fn pauses() -> Duration {
    (0..CONNECTIONS as u32 - 2)
        .map(|i| FIRST * 2_u32.pow(i) / 2)
        .sum()
}

#[test]
fn a_server_that_accepts_and_closes_is_not_run_against() {
    run(async {
        let (listener, config) = listener().await;
        let config = config.backoff(FIRST, PATIENCE);
        let connecting = tokio::spawn(async move { MultiplexedClient::connect(config).await });
        drop(accept(&listener).await);
        let started = Instant::now();
        for _ in 1..CONNECTIONS {
            drop(accept(&listener).await);
        }
        let took = started.elapsed();
        assert!(took >= pauses(), "{CONNECTIONS} connections in {took:?}");
        drop(connecting.await.expect("a task that ends"));
    });
}

#[test]
fn neither_by_a_subscription() {
    run(async {
        let (listener, config) = listener().await;
        let config = config.backoff(FIRST, PATIENCE);
        let listening = tokio::spawn(async move {
            let mut subscription = Subscription::connect(config).await?;
            subscription.add(Target::Channel, ["a"]).await?;
            subscription.next_message().await
        });
        let mut started = None;
        for _ in 0..CONNECTIONS {
            let mut socket = accept(&listener).await;
            started.get_or_insert_with(Instant::now);
            read_until(&mut socket, b"$1\r\na\r\n").await;
            let confirmed = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
            socket.write_all(confirmed).await.expect("it leaves");
        }
        let took = started.expect("a connection").elapsed();
        assert!(took >= pauses(), "{CONNECTIONS} connections in {took:?}");
        listening.abort();
    });
}

#[test]
fn messages_that_come_before_a_confirmation_that_does_not_are_kept() {
    run(async {
        let (listener, config) = listener().await;
        let config = config.timeout(Duration::from_secs(1));
        let server = tokio::spawn(async move {
            let mut socket = accept(&listener).await;
            read_until(&mut socket, b"$1\r\na\r\n").await;
            let confirmed = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
            socket.write_all(confirmed).await.expect("it leaves");
            read_until(&mut socket, b"$1\r\nb\r\n").await;
            let message = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nearly\r\n";
            socket.write_all(message).await.expect("it leaves");
            (socket, listener)
        });
        let mut subscription = Subscription::connect(config).await.expect("a connection");
        let added = subscription.add(Target::Channel, ["a"]).await;
        added.expect("confirmed");
        let added = subscription.add(Target::Channel, ["b"]).await;
        assert!(added.expect_err("no confirmation").is_timeout());
        let message = tokio::time::timeout(PATIENCE, subscription.next_message()).await;
        let Published { payload, .. } = message.expect("kept").expect("a message");
        assert_eq!(payload, "early");
        drop(server.await.expect("a server that ends"));
    });
}

#[test]
fn a_confirmation_is_of_its_own_name() {
    run(async {
        let (listener, config) = listener().await;
        let (given_up, held) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let mut socket = accept(&listener).await;
            read_until(&mut socket, b"$1\r\na\r\n").await;
            held.await.expect("a word");
            read_until(&mut socket, b"$1\r\nb\r\n").await;
            let confirmed = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
            socket.write_all(confirmed).await.expect("it leaves");
            let refused = b"-NOPERM not b\r\n";
            socket.write_all(refused).await.expect("it leaves");
            (socket, listener)
        });
        let mut subscription = Subscription::connect(config).await.expect("a connection");
        {
            let add = std::pin::pin!(subscription.add(Target::Channel, ["a"]));
            let soon = Duration::from_millis(50);
            let added = tokio::time::timeout(soon, add).await;
            added.expect_err("it waits for its confirmation");
        }
        given_up.send(()).expect("it waits");
        let added = subscription.add(Target::Channel, ["b"]).await;
        let error = added.expect_err("the confirmation of another name");
        assert_eq!(error.as_server().expect("refused").code(), "NOPERM");
        drop(server.await.expect("a server that ends"));
    });
}

/// What a server may send for a reply, and a word of the error that it makes.
fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("garbage", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("bytes", vec![0xff; 10_000]),
        ("zeros", vec![0; 10_000]),
        (
            "an encrypted alert",
            b"\x15\x03\x03\x00\x02\x02\x46".to_vec(),
        ),
        ("depth", b"*1\r\n".repeat(1_000_000)),
        ("depth of maps", b"%1\r\n".repeat(1_000_000)),
        ("depth of keys", b"%1\r\n+k\r\n".repeat(1_000_000)),
        ("depth of attributes", b"|1\r\n+k\r\n".repeat(1_000_000)),
        ("4 GiB", b"$4294967296\r\n".to_vec()),
        ("a length of 64 bits", b"$9223372036854775807\r\n".to_vec()),
        ("a longer length", b"$99999999999999999999\r\n".to_vec()),
        ("less than nothing", b"$-2\r\n".to_vec()),
        ("4 Gi elements", b"*4294967296\r\n".to_vec()),
        ("4 Gi pairs", b"%4294967296\r\n".to_vec()),
        ("elements of elements", b"*100000000\r\n".repeat(1_000)),
        (
            "a line without an end",
            [b"+".to_vec(), vec![b'x'; 4 << 20]].concat(),
        ),
        ("a number that is none", b":12a\r\n".to_vec()),
        ("a boolean that is none", b"#maybe\r\n".to_vec()),
        ("a string that is longer", b"$3\r\nabcdef\r\n".to_vec()),
        ("a stream of RESP3", b"$?\r\n;4\r\nabcd\r\n;0\r\n".to_vec()),
    ]
}

/// Sends `reply` to whoever connects and asks.
fn serve(listener: TcpListener, reply: Vec<u8>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.expect("a client");
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut input = [0; 1000];
                if socket.read(&mut input).await.is_ok_and(|n| n > 0) {
                    // The client may go before it has it all.
                    let _ = socket.write_all(&reply).await;
                    let _ = socket.read(&mut input).await;
                }
            });
        }
    })
}

fn is_refused(what: &str, error: &Error) {
    let ErrorKind::Protocol(text) = error.kind() else {
        panic!("{what}: {error:?}");
    };
    assert!(!text.is_empty(), "{what}");
    assert_eq!(error.executed(), Executed::Maybe, "{what}");
}

#[test]
fn nonsense_is_an_error_for_every_kind_of_client() {
    for (what, reply) in nonsense() {
        run(async move {
            let (listener, config) = listener().await;
            let server = serve(listener, reply);
            let shared = MultiplexedClient::connect(&config).await;
            let shared = shared.expect("a connection");
            let started = Instant::now();
            let error = shared.run::<Value>(cmd("GET k")).await;
            is_refused(what, &error.expect_err(what));

            let own = Dedicated::connect(&config).await;
            let mut own = own.expect("a connection");
            is_refused(what, &own.run::<Value>(cmd("GET k")).await.expect_err(what));
            let after = own.run::<Value>(cmd("GET k")).await.expect_err(what);
            assert_eq!(after.executed(), Executed::No, "{what}: {after:?}");

            let mut simple = Client::connect(&config).await.expect("a connection");
            simple.get("k").await.expect_err(what);

            // In the place of the greeting.
            let greeted = MultiplexedClient::connect(config.clone().speak(Speak::Resp3)).await;
            drop(greeted);
            assert!(started.elapsed() < PATIENCE, "{what}");
            server.abort();
        });
    }
}
