//! What tracking and monitoring may take of memory, and what MONITOR never shows.

use crate::server::Server;
use ochre_testkit::reference::Wire;
use ochre_testkit::waiting::{self, wait_until};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

fn connect(server: &Server) -> Wire {
    Wire::connect(&server.address).expect("a connection")
}

fn call(wire: &mut Wire, request: &str) -> String {
    let words: Vec<&str> = request.split_whitespace().collect();
    let reply = wire.call(&words).expect("an answer");
    String::from_utf8_lossy(&reply).into_owned()
}

fn figure(wire: &mut Wire, name: &str) -> u64 {
    waiting::figure(&call(wire, "INFO"), name)
}

/// What a connection received until the second answer to a question of ours: what waits at the first one is sent behind it.
fn received(wire: &mut Wire) -> Vec<String> {
    let mut frames = Vec::new();
    for _ in 0..2 {
        let more = wire.until(&["ECHO", "so far"], |frame| frame == b"$6\r\nso far\r\n");
        frames.extend(more.expect("an answer"));
    }
    let texts = frames.iter().map(|frame| String::from_utf8_lossy(frame));
    texts.map(|text| text.into_owned()).collect()
}

fn told(frame: &str) -> Option<String> {
    let key = frame.strip_prefix(">2\r\n$10\r\ninvalidate\r\n*1\r\n$")?;
    key.split("\r\n").nth(1).map(str::to_owned)
}

#[test]
fn no_more_keys_are_remembered_than_may_be() {
    let server = Server::start(&["--tracking-table-max-keys", "10"]);
    let (mut tracker, mut other) = (connect(&server), connect(&server));
    call(&mut tracker, "HELLO 3");
    call(&mut tracker, "CLIENT TRACKING ON");
    let reads: Vec<_> = (0..500)
        .map(|n| vec![b"GET".to_vec(), format!("key:{n}").into_bytes()])
        .collect();
    tracker.send(&reads).expect("it is sent");
    let mut forgotten = BTreeSet::new();
    wait_until("the table to shrink", || {
        let frames = received(&mut tracker);
        forgotten.extend(frames.iter().filter_map(|frame| told(frame)));
        figure(&mut other, "tracking_total_keys") <= 10 && forgotten.len() >= 490
    });
    assert!(forgotten.len() <= 500);
    // Those that are remembered still are not among those it was told of.
    for n in 0..500 {
        call(&mut other, &format!("SET key:{n} v"));
    }
    let last = received(&mut tracker);
    let last: Vec<_> = last.iter().filter_map(|frame| told(frame)).collect();
    assert_eq!(forgotten.len() + last.len(), 500, "each key is told once");
    assert!(last.iter().all(|key| forgotten.insert(key.clone())));
    // A limit that is lowered holds soon, without any read.
    call(&mut other, "CONFIG SET tracking-table-max-keys 0");
    tracker.send(&reads).expect("it is sent");
    received(&mut tracker);
    assert_eq!(figure(&mut other, "tracking_total_keys"), 500);
    call(&mut other, "CONFIG SET tracking-table-max-keys 20");
    wait_until("the table to shrink", || {
        figure(&mut other, "tracking_total_keys") <= 20
    });
}

#[test]
fn who_leaves_leaves_nothing_behind() {
    let server = Server::start(&[]);
    let mut control = connect(&server);
    for n in 0..50 {
        let mut tracker = connect(&server);
        call(&mut tracker, "HELLO 3");
        match n % 3 {
            0 => call(&mut tracker, "CLIENT TRACKING ON"),
            1 => call(&mut tracker, "CLIENT TRACKING ON OPTOUT NOLOOP"),
            _ => call(
                &mut tracker,
                &format!("CLIENT TRACKING ON BCAST PREFIX p:{n}"),
            ),
        };
        call(&mut tracker, "SELECT 3");
        for key in 0..20 {
            call(&mut tracker, &format!("GET {n}:{key}"));
            call(&mut tracker, &format!("GET shared:{key}"));
        }
        if n % 2 == 0 {
            call(&mut tracker, "MONITOR");
        }
    }
    wait_until("the figures to fall", || {
        let figures = [
            "tracking_clients",
            "tracking_total_prefixes",
            "tracking_total_keys",
            "tracking_total_items",
        ];
        figures.iter().all(|name| figure(&mut control, name) == 0)
    });
    // What others do costs nothing and tells nobody.
    assert_eq!(call(&mut control, "SET p:2 x"), "+OK\r\n");
}

/// Has a connection that never reads be sent messages by `cause` until it is closed.
fn is_cut(server: &Server, setup: &[&str], cause: impl Fn(&mut Wire)) {
    let mut control = connect(server);
    let before = figure(&mut control, "client_output_buffer_limit_disconnections");
    let mut slow = TcpStream::connect(&server.address).expect("a connection");
    let mut bytes = b"CLIENT SETNAME slow\r\n".to_vec();
    for request in setup {
        bytes.extend_from_slice(format!("{request}\r\n").as_bytes());
    }
    slow.write_all(&bytes).expect("it is sent");
    wait_until("its name", || {
        call(&mut control, "CLIENT LIST").contains("name=slow")
    });
    wait_until("the end of who does not read", || {
        cause(&mut control);
        !call(&mut control, "CLIENT LIST").contains("name=slow")
    });
    // Who is to be closed is not listed any more, and counted when it is.
    wait_until("the count", || {
        figure(&mut control, "client_output_buffer_limit_disconnections") == before + 1
    });
    // What it was sent before ends in the middle.
    let mut rest = vec![0; 1 << 20];
    while slow.read(&mut rest).is_ok_and(|n| n > 0) {}
}

#[test]
fn who_does_not_read_is_cut() {
    let server = Server::start(&[]);
    let mut control = connect(&server);
    let limits = [
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "normal 1mb 0 0 pubsub 2mb 0 0",
    ];
    assert_eq!(control.call(&limits).expect("an answer"), b"+OK\r\n");
    let word = "x".repeat(100_000);
    is_cut(&server, &["MONITOR"], |control| {
        call(control, &format!("ECHO {word}"));
    });
    is_cut(
        &server,
        &["HELLO 3", "CLIENT TRACKING ON BCAST"],
        |control| {
            call(control, &format!("SET {word} 1"));
        },
    );
    let mut reader = connect(&server);
    call(&mut reader, "PING");
    is_cut(&server, &["SUBSCRIBE __redis__:invalidate"], |control| {
        let list = call(control, "CLIENT LIST TYPE pubsub");
        let id = list
            .split_once("id=")
            .and_then(|(_, rest)| rest.split_once(' '));
        let Some((id, _)) = id else { return };
        call(control, &format!("CLIENT TRACKING ON BCAST REDIRECT {id}"));
        call(control, &format!("SET {word} 1"));
    });
    // Others never noticed.
    assert_eq!(call(&mut reader, "PING"), "+PONG\r\n");
}

#[test]
fn secrets_are_never_shown() {
    let server = Server::start(&["--requirepass", "hush"]);
    let (mut monitor, mut other) = (connect(&server), connect(&server));
    call(&mut monitor, "AUTH hush");
    call(&mut monitor, "MONITOR");
    for request in [
        "AUTH hush",
        "AUTH default hush",
        "AUTH a hush c",
        "AUTH hush-or-not",
        "HELLO 3 AUTH default hush",
        "HELLO 9 AUTH default hush SETNAME hush",
        "HELLO 2 SETNAME x AUTH default hush AUTH other hush",
        "ACL SETUSER me on >hush ~* +@all",
        "CONFIG SET requirepass hush",
        "CONFIG SET masterauth hush",
        "MIGRATE 127.0.0.1 1 key 0 10 AUTH hush",
        "MIGRATE 127.0.0.1 1 key 0 10 AUTH2 me hush",
        "MULTI",
        "AUTH hush",
        "HELLO 3 AUTH default hush",
        "EXEC",
        "PING shown",
    ] {
        call(&mut other, request);
    }
    let lines = received(&mut monitor).concat();
    assert!(lines.contains("\"PING\" \"shown\""), "{lines}");
    let secret = lines.replace("\"SETNAME\" \"hush\"", "");
    assert!(!secret.contains("hush"), "{lines}");
}

#[test]
fn evicted_keys_are_told() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-random"]);
    let (mut tracker, mut other) = (connect(&server), connect(&server));
    call(&mut tracker, "HELLO 3");
    call(&mut tracker, "CLIENT TRACKING ON");
    let value = "v".repeat(2000);
    for n in 0..2000 {
        call(&mut other, &format!("SET key:{n} {value}"));
        call(&mut tracker, &format!("GET key:{n}"));
    }
    let limit = figure(&mut other, "used_memory") - 1_000_000;
    call(&mut other, &format!("CONFIG SET maxmemory {limit}"));
    let mut gone = BTreeSet::new();
    wait_until("as many messages as keys were evicted", || {
        let frames = received(&mut tracker);
        gone.extend(frames.iter().filter_map(|frame| told(frame)));
        let evicted = figure(&mut other, "evicted_keys");
        evicted > 0 && gone.len() as u64 == evicted
    });
    for key in &gone {
        assert_eq!(call(&mut other, &format!("EXISTS {key}")), ":0\r\n");
    }
}

#[test]
fn databases_are_told_apart() {
    let server = Server::start(&[]);
    let (mut tracker, mut other) = (connect(&server), connect(&server));
    call(&mut tracker, "HELLO 3");
    call(&mut tracker, "CLIENT TRACKING ON");
    call(&mut other, "SET k 0");
    for request in ["GET k", "GET absent", "SELECT 3", "GET l", "GET absent"] {
        call(&mut tracker, request);
    }
    call(&mut other, "SELECT 5");
    for key in ["k", "l", "absent"] {
        call(&mut other, &format!("SET {key} 5"));
    }
    assert_eq!(received(&mut tracker), Vec::<String>::new());
    // What is exchanged is told where it is remembered: the keys that are in either database.
    call(&mut other, "SWAPDB 0 5");
    let first: BTreeSet<_> = received(&mut tracker)
        .iter()
        .filter_map(|f| told(f))
        .collect();
    assert_eq!(first, ["absent", "k"].map(str::to_owned).into());
    call(&mut other, "SWAPDB 3 7");
    assert_eq!(received(&mut tracker), Vec::<String>::new());
    assert_eq!(figure(&mut other, "tracking_total_keys"), 2);
}
