//! A server that fails in every way, and requests that must not notice more than they have to.
//!
//! The server answers `ECHO n` with `n` and remembers which it executed, cuts connections between and inside replies,
//! refuses them, is slow, falls silent with the connection open, and sends invalidations in between. Then:
//! - no reply reaches another request than its own;
//! - a request whose error says that it was not executed was not, and one that was answered was;
//! - nothing waits longer than its deadline allows.
//!
//! `OCHRE_REQUESTS` sets the number of requests, `OCHRE_SEED` the choices.

use ochre_client::{Config, ErrorKind, Executed, MultiplexedClient, Value, cmd};
use ochre_testkit::rng::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const TASKS: u64 = 64;
const TIMEOUT: Duration = Duration::from_millis(150);
/// What a deadline may be missed by on a busy machine.
const GRACE: Duration = Duration::from_secs(5);

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |v| v.parse().expect("a number"))
}

/// What the server did with each request.
struct Ledger {
    executed: Vec<AtomicU8>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Closed after so many replies.
    Cut(u64),
    /// Closed inside a reply.
    CutInside(u64),
    /// Open, and silent from then on.
    Silent(u64),
}

async fn listen(listener: TcpListener, seed: u64, ledger: Arc<Ledger>) {
    let mut rng = Rng::seeded(seed);
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            return;
        };
        if rng.chance(10) {
            // Refused before a word.
            continue;
        }
        let replies = 1 + rng.below(20_000);
        let fault = match rng.below(20) {
            0..=9 => Fault::Cut(replies),
            10..=17 => Fault::CutInside(replies),
            _ => Fault::Silent(replies),
        };
        let seed = rng.bits();
        tokio::spawn(serve(socket, fault, seed, ledger.clone()));
    }
}

/// Takes one request out of `input`: its words.
fn request(input: &[u8], at: &mut usize) -> Option<Vec<Vec<u8>>> {
    let mut pos = *at;
    let count = line(input, &mut pos)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let len = line(input, &mut pos)?;
        words.push(input.get(pos..pos + len)?.to_vec());
        pos += len + 2;
        if pos > input.len() {
            return None;
        }
    }
    *at = pos;
    Some(words)
}

/// The number of a line such as `$3`.
fn line(input: &[u8], pos: &mut usize) -> Option<usize> {
    let rest = input.get(*pos..)?;
    let end = rest.windows(2).position(|w| w == b"\r\n")?;
    *pos += end + 2;
    std::str::from_utf8(rest.get(1..end)?).ok()?.parse().ok()
}

/// Answers until the fault.
async fn serve(mut socket: TcpStream, fault: Fault, seed: u64, ledger: Arc<Ledger>) -> Option<()> {
    let mut rng = Rng::seeded(seed);
    let (mut input, mut at, mut answered) = (Vec::new(), 0, 0);
    loop {
        input.drain(..std::mem::take(&mut at));
        if socket.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
        let mut output = Vec::new();
        while let Some(words) = request(&input, &mut at) {
            if words[0] != b"ECHO" {
                // The greeting: an old server.
                output.extend_from_slice(b"-ERR unknown command\r\n");
                continue;
            }
            let (Fault::Cut(last) | Fault::CutInside(last) | Fault::Silent(last)) = fault;
            let n: usize = std::str::from_utf8(&words[1]).ok()?.parse().ok()?;
            ledger.executed[n].fetch_add(1, Relaxed);
            if rng.chance(2) {
                output.extend_from_slice(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n");
            }
            let reply = format!("${}\r\n{n}\r\n", n.to_string().len());
            answered += 1;
            if answered < last {
                output.extend_from_slice(reply.as_bytes());
                continue;
            }
            match fault {
                Fault::Cut(_) => {}
                Fault::CutInside(_) => {
                    let some = 1 + rng.index(reply.len() - 1);
                    output.extend_from_slice(&reply.as_bytes()[..some]);
                }
                Fault::Silent(_) => {
                    // Half open: it neither answers nor reads.
                    tokio::time::sleep(8 * TIMEOUT).await;
                    return None;
                }
            }
            socket.write_all(&output).await.ok()?;
            return None;
        }
        if rng.chance(1) {
            tokio::time::sleep(Duration::from_millis(rng.below(30))).await;
        }
        // In pieces, so that replies come cut anywhere.
        for piece in output.chunks(1 + rng.index(3000)) {
            socket.write_all(piece).await.ok()?;
        }
    }
}

/// One task's requests; gives how they ended.
async fn ask(
    client: MultiplexedClient,
    task: u64,
    requests: u64,
    seed: u64,
    ledger: Arc<Ledger>,
) -> BTreeMap<&'static str, u64> {
    let mut rng = Rng::seeded(seed ^ task);
    let mut ends = BTreeMap::new();
    for i in 0..requests {
        let n = task * requests + i;
        let started = Instant::now();
        let own_limit = rng.chance(5).then(|| Duration::from_millis(rng.below(20)));
        let request = cmd("ECHO").arg(n);
        let request = match own_limit {
            Some(limit) => request.timeout(limit),
            None => request,
        };
        let reply = client.run::<u64>(request);
        let result = if rng.chance(5) {
            let patience = Duration::from_micros(rng.below(3000));
            match tokio::time::timeout(patience, reply).await {
                Ok(result) => result,
                Err(_) => {
                    *ends.entry("given up").or_default() += 1;
                    continue;
                }
            }
        } else {
            reply.await
        };
        let took = started.elapsed();
        assert!(
            took < own_limit.unwrap_or(TIMEOUT) + GRACE,
            "request {n} took {took:?}"
        );
        let times = ledger.executed[usize::try_from(n).expect("small")].load(Relaxed);
        let end = match result {
            Ok(reply) => {
                assert_eq!(reply, n, "the reply of another request");
                assert_eq!(times, 1, "request {n} was answered");
                "answered"
            }
            Err(error) => match (error.kind(), error.executed()) {
                (ErrorKind::Timeout, Executed::No) => "late, not executed",
                (ErrorKind::Timeout, Executed::Maybe) => "late, perhaps executed",
                (ErrorKind::Io(_), Executed::No) => "cut, not executed",
                (ErrorKind::Io(_), Executed::Maybe) => "cut, perhaps executed",
                _ => panic!("request {n}: {error:?}"),
            },
        };
        if end.ends_with("not executed") {
            assert_eq!(times, 0, "request {n}: {end}");
        }
        *ends.entry(end).or_default() += 1;
    }
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hangs_and_no_reply_reaches_another_request() {
    let requests = number("OCHRE_REQUESTS", 200_000) / TASKS;
    let clock = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock");
    let seed = number("OCHRE_SEED", u64::from(clock.subsec_nanos()));
    println!("OCHRE_SEED={seed}");
    let executed = (0..requests * TASKS).map(|_| AtomicU8::new(0)).collect();
    let ledger = Arc::new(Ledger { executed });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(listen(listener, seed, ledger.clone()));
    let config = Config::tcp("127.0.0.1", address.port())
        .plain()
        .timeout(TIMEOUT)
        .queue_requests(40)
        .backoff(Duration::from_millis(1), Duration::from_millis(10));
    let client = loop {
        // The server refuses one connection in ten.
        if let Ok(client) = MultiplexedClient::connect(&config).await {
            break client;
        }
    };
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(ask(client.clone(), task, requests, seed, ledger.clone())))
        .collect();
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for task in tasks {
        for (end, n) in task.await.expect("a task that holds what is promised") {
            *ends.entry(end).or_default() += n;
        }
    }
    println!("{} connections, {ends:?}", client.connections());
    assert_eq!(ends.values().sum::<u64>(), requests * TASKS);
    assert!(ends["answered"] > requests * TASKS / 2, "{ends:?}");
    assert!(client.connections() > 1);
    let twice = ledger
        .executed
        .iter()
        .filter(|n| n.load(Relaxed) > 1)
        .count();
    assert_eq!(twice, 0, "the client sends nothing twice by itself");
}

#[tokio::test]
async fn a_late_answer_is_discarded_and_the_next_is_right() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        let mut input = [0; 1000];
        let first = "*1\r\n$3\r\nONE\r\n".len();
        socket
            .read_exact(&mut input[..first])
            .await
            .expect("a request");
        held.await.expect("a word");
        socket.write_all(b"+one\r\n").await.expect("it leaves");
        socket
            .read_exact(&mut input[..first])
            .await
            .expect("a request");
        socket.write_all(b"+two\r\n").await.expect("it leaves");
        socket
    });
    let config = Config::tcp("127.0.0.1", port).plain();
    let client = MultiplexedClient::connect(config)
        .await
        .expect("a connection");
    let late = client
        .run::<String>(cmd("ONE").timeout(Duration::from_millis(20)))
        .await;
    let late = late.expect_err("a timeout");
    assert!(
        late.is_timeout() && late.executed() == Executed::Maybe,
        "{late:?}"
    );
    release.send(()).expect("it waits");
    assert_eq!(
        client.run::<String>(cmd("TWO")).await.expect("a reply"),
        "two"
    );
    drop(server.await.expect("a server that ends"));
}

#[tokio::test]
async fn a_full_queue_holds_callers_back() {
    const ROOM: usize = 4;
    const CALLERS: usize = 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let request = b"*1\r\n$3\r\nONE\r\n".len();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        let mut input = vec![0; 2 * CALLERS * request];
        socket
            .read_exact(&mut input[..ROOM * request])
            .await
            .expect("as many requests as there is room for");
        held.await.expect("a word");
        // Nothing came in the meantime.
        let early = socket.try_read(&mut input);
        let is_empty = matches!(&early, Err(e) if e.kind() == std::io::ErrorKind::WouldBlock);
        assert!(is_empty, "{early:?}");
        let mut answered = 0;
        let mut got = ROOM * request;
        loop {
            while answered < got / request {
                socket.write_all(b"+one\r\n").await.expect("it leaves");
                answered += 1;
            }
            if answered == CALLERS {
                return socket;
            }
            got += socket.read(&mut input).await.expect("more requests");
        }
    });
    let config = Config::tcp("127.0.0.1", port).plain().queue_requests(ROOM);
    let client = MultiplexedClient::connect(config)
        .await
        .expect("a connection");
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.run::<String>(cmd("ONE")).await })
        })
        .collect();
    let deadline = Instant::now() + GRACE;
    while client.in_flight() < ROOM {
        assert!(Instant::now() < deadline, "the queue does not fill");
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        assert_eq!(client.in_flight(), ROOM);
    }
    release.send(()).expect("it waits");
    for caller in callers {
        let reply = caller.await.expect("a task that ends");
        assert_eq!(reply.expect("a reply"), "one");
    }
    drop(server.await.expect("a server that ends"));
}

#[tokio::test]
async fn replies_that_nobody_asked_for_and_nonsense_end_the_connection() {
    for sent in [
        "+surplus\r\n",
        "what?\r\n",
        "$5\r\nabcdefg",
        "*99999999999\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicU64::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.expect("a client");
                let nth = counted.fetch_add(1, Relaxed);
                let mut input = [0; 100];
                let n = socket.read(&mut input).await.expect("a request");
                assert!(n > 0);
                let reply = if nth == 0 && sent != "+surplus\r\n" {
                    ""
                } else {
                    "+fine\r\n"
                };
                let extra = if nth == 0 { sent } else { "" };
                let _ = socket.write_all(format!("{reply}{extra}").as_bytes()).await;
                // Until the client goes.
                let _ = socket.read(&mut input).await;
            }
        });
        let config = Config::tcp("127.0.0.1", port).plain();
        let client = MultiplexedClient::connect(config)
            .await
            .expect("a connection");
        let first = client.run::<Value>(cmd("GET k")).await;
        if let Err(error) = first {
            assert!(
                matches!(error.kind(), ErrorKind::Protocol(_)),
                "{sent:?}: {error:?}"
            );
            assert_eq!(error.executed(), Executed::Maybe);
        }
        let deadline = Instant::now() + GRACE;
        while client.connections() < 2 {
            assert!(Instant::now() < deadline, "{sent:?}: no other connection");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(
            client.run::<String>(cmd("GET k")).await.expect("a reply"),
            "fine",
            "{sent:?}"
        );
    }
}
