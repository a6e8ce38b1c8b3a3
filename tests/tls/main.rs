//! TLS from outside: real handshakes, refusals, reloads and slow peers against the server program.

mod certificates;
mod peers;

use certificates::{Authority, write};
use ochre_testkit::ports::free_port;
use ochre_testkit::waiting::wait_until;
use peers::{Server, TlsClient, config, connect, request, secure};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};
use std::io::{Read as _, Write as _};
use std::sync::Arc;

const OPEN: &[&str] = &["--tls-auth-clients", "no"];
const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];

fn trusting(authority: &Authority) -> Arc<ClientConfig> {
    Arc::new(config(authority, None, BOTH))
}

/// The server's certificate as the client saw it.
fn shown(client: &TlsClient) -> Vec<u8> {
    let chain = client.0.conn.peer_certificates().expect("a certificate");
    chain[0].to_vec()
}

/// The end of a connection, announced as TLS has it.
fn ends_well(mut client: TlsClient) {
    let mut rest = Vec::new();
    client.0.read_to_end(&mut rest).expect("an announced end");
    assert_eq!(rest, b"");
}

#[test]
fn requests_of_every_size_pass_in_both_versions() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(config(&authority, None, &[version]));
        let mut client = secure(server.tls_port, &config).expect("a handshake");
        assert_eq!(client.0.conn.protocol_version(), Some(version.version));
        for len in [
            0, 1, 4031, 4032, 4033, 16_383, 16_384, 16_385, 65_536, 5_000_000,
        ] {
            let value = "v".repeat(len);
            assert_eq!(client.ask(&["SET", "key", &value]), "+OK");
            assert!(client.ask(&["GET", "key"]) == value, "{len}");
        }
        // A deep pipeline, and messages of TLS's own in between.
        let many = 20_000;
        for number in 0..many {
            let number = number.to_string();
            client.send(&["ECHO", &number]).expect("it is sent");
            if number.ends_with("0000") && *version == TLS13 {
                client.0.conn.refresh_traffic_keys().expect("TLS 1.3");
            }
        }
        for number in 0..many {
            assert_eq!(client.reply().expect("a reply"), number.to_string());
        }
        assert_eq!(client.ask(&["QUIT"]), "+OK");
        ends_well(client);
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    let mut client = secure(server.tls_port, &trusting(&authority)).expect("a handshake");
    // Each byte a record.
    for byte in request(&["SET", "key", "value"]) {
        client.0.write_all(&[byte]).expect("it is sent");
        client.0.flush().expect("it is sent");
    }
    assert_eq!(client.reply().expect("a reply"), "+OK");
    // A record in many segments, beginning in one with the end of another record.
    let mut records = Vec::new();
    for words in [["GET", "key"], ["STRLEN", "key"]] {
        let words = request(&words);
        client.0.conn.writer().write_all(&words).expect("room");
        while client.0.conn.wants_write() {
            client.0.conn.write_tls(&mut records).expect("a vector");
        }
    }
    let socket = &mut client.0.sock;
    for part in records.chunks(7) {
        socket.write_all(part).expect("it is sent");
    }
    assert_eq!(client.reply().expect("a reply"), "value");
    assert_eq!(client.reply().expect("a reply"), ":5");
}

#[test]
fn a_peer_that_does_not_read_gets_everything_in_the_end() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    let mut client = secure(server.tls_port, &trusting(&authority)).expect("a handshake");
    let value = "0123456789abcdef".repeat(65_536);
    assert_eq!(client.ask(&["SET", "large", &value]), "+OK");
    assert_eq!(client.ask(&["SET", "small", "s"]), "+OK");
    let rounds = 40;
    for _ in 0..rounds {
        client.send(&["GET", "large"]).expect("it is sent");
        client.send(&["GET", "small"]).expect("it is sent");
    }
    // The server's socket is full: it says that replies wait.
    wait_until("the replies to pile up", || {
        let list = server.plain().ask(&["CLIENT", "LIST"]);
        list.lines()
            .any(|l| l.contains("cmd=get") && !l.contains(" obl=0 "))
    });
    for _ in 0..rounds {
        assert!(client.reply().expect("a reply") == value);
        assert_eq!(client.reply().expect("a reply"), "s");
    }
    assert_eq!(client.ask(&["PING"]), "+PONG");
}

#[test]
fn clients_are_asked_for_certificates_as_the_setting_says() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let server = Server::start(&authority, &[]);
    let good = authority.client();
    let identities = [
        ("none", None),
        ("good", Some(&good)),
        ("another authority's", Some(&other.client())),
        ("expired", Some(&authority.client_until(2001))),
        ("a server's", Some(&authority.server())),
    ]
    .map(|(name, identity)| {
        (
            name,
            identity.map(|i| (i.certificate.clone(), i.key.clone())),
        )
    });
    let mut failures = 0;
    for (mode, welcome) in [
        ("yes", [false, true, false, false, false]),
        ("optional", [true, true, false, false, false]),
        ("no", [true, true, true, true, true]),
    ] {
        let set = ["CONFIG", "SET", "tls-auth-clients", mode];
        assert_eq!(server.plain().ask(&set), "+OK");
        for ((name, identity), welcome) in identities.iter().zip(welcome) {
            let identity = identity
                .clone()
                .map(|(certificate, key)| certificates::Identity { certificate, key });
            for version in [&TLS12, &TLS13] {
                let config = Arc::new(config(&authority, identity.as_ref(), &[version]));
                let came = secure(server.tls_port, &config);
                assert_eq!(came.is_ok(), welcome, "{mode}, {name}: {:?}", came.err());
                failures += i64::from(!welcome);
            }
        }
    }
    wait_until("the failures to be counted", || {
        server.figure("tls_handshake_failures") == failures
    });
    assert!(server.text().contains("peer sent no certificates"));
    wait_until("the refused to be gone", || {
        server.figure("connected_clients") == 1
    });
}

#[test]
fn a_client_that_does_not_trust_the_server_leaves() {
    let server = Server::start(&Authority::new("one"), OPEN);
    let refused = secure(server.tls_port, &trusting(&Authority::new("other")));
    assert!(refused.is_err());
    wait_until("the failure", || {
        server.figure("tls_handshake_failures") == 1
    });
}

#[test]
fn peers_that_do_not_speak_tls_harm_nobody() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    let mut half_open = connect(server.tls_port);
    // The head of a record that never comes.
    half_open
        .write_all(&[22, 3, 1, 2, 0, 1])
        .expect("it is sent");
    let silent = connect(server.tls_port);
    for garbage in [
        request(&["PING"]),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 100_000],
        vec![22; 100_000],
        vec![0xFF; 10],
        [
            &[22, 3, 3, 0x40, 0][..],
            &[1, 0xFF, 0xFF, 0xFF],
            &[0; 20_000],
        ]
        .concat(),
    ] {
        let mut peer = connect(server.tls_port);
        // The server may have closed already.
        let _ = peer.write_all(&garbage);
        let mut rest = Vec::new();
        let _ = peer.read_to_end(&mut rest);
        assert!(!rest.contains(&b'+'), "{rest:?}");
    }
    drop(connect(server.tls_port));
    wait_until("the failures", || {
        server.figure("tls_handshake_failures") >= 7
    });
    let mut client = secure(server.tls_port, &trusting(&authority)).expect("a handshake");
    // Those that keep silent count as clients, but not for ever.
    wait_until("the count", || server.figure("connected_clients") == 4);
    wait_until("the slots to be free", || {
        server.figure("connected_clients") == 2
    });
    assert!(server.text().contains("the TLS handshake took too long"));
    assert_eq!(client.ask(&["PING"]), "+PONG");
    drop((half_open, silent));
}

#[test]
fn damaged_handshakes_and_records_end_their_connection_only() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    let config = trusting(&authority);
    // OCHRE_SEED repeats a run.
    let seed = std::env::var("OCHRE_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let mut random: u64 = seed.unwrap_or(u64::from(std::process::id()) | 1);
    println!("OCHRE_SEED={random}");
    let mut below = |bound: usize| {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % bound as u64).expect("it is small")
    };
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let mut hello = Vec::new();
    rustls::ClientConnection::new(config.clone(), name)
        .and_then(|mut c| {
            c.write_tls(&mut hello)
                .map_err(|e| rustls::Error::General(e.to_string()))
        })
        .expect("a greeting");
    for _ in 0..300 {
        let mut bytes = hello.clone();
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            bytes[at] = u8::try_from(below(256)).expect("a byte");
        }
        bytes.truncate(bytes.len() - below(2) * below(bytes.len()));
        // What follows belongs to no handshake.
        bytes.extend((0..below(200)).map(|_| u8::try_from(below(256)).expect("a byte")));
        let mut peer = connect(server.tls_port);
        let _ = peer.write_all(&bytes);
        let _ = peer.shutdown(std::net::Shutdown::Write);
        let _ = peer.read_to_end(&mut Vec::new());
    }
    for round in 0..100 {
        let mut client = secure(server.tls_port, &config).expect("a handshake");
        let mut bytes: Vec<u8> = (0..1 + below(100))
            .map(|_| u8::try_from(below(256)).expect("a byte"))
            .collect();
        if round % 2 == 0 {
            // A record by its looks.
            bytes.splice(
                0..0,
                [23, 3, 3, 0, u8::try_from(bytes.len()).expect("short")],
            );
        }
        let _ = client.0.sock.write_all(&bytes);
        let _ = client.0.sock.shutdown(std::net::Shutdown::Write);
        let _ = client.0.sock.read_to_end(&mut Vec::new());
    }
    secure(server.tls_port, &config).expect("a handshake");
    wait_until("all to be gone", || server.figure("connected_clients") == 1);
}

#[test]
fn certificates_are_reloaded_or_kept() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    let config = trusting(&authority);
    let mut old = secure(server.tls_port, &config).expect("a handshake");
    authority.server().write(&server.folder, "server");
    // The same name: the file is read again.
    let again = [
        "CONFIG",
        "SET",
        "tls-cert-file",
        "server.crt",
        "tls-key-file",
        "server.key",
    ];
    assert_eq!(server.plain().ask(&again), "+OK");
    let new = secure(server.tls_port, &config).expect("a handshake");
    assert_ne!(shown(&new), shown(&old));
    assert_eq!(old.ask(&["PING"]), "+PONG");
    let error = |name: &str| {
        format!(
            "-ERR CONFIG SET failed (possibly related to argument '{name}') - Unable to update TLS configuration. Check server logs."
        )
    };
    write(&server.folder, "bad.crt", "no certificate");
    authority.server().write(&server.folder, "another");
    for (name, value) in [
        ("tls-cert-file", "missing.crt"),
        ("tls-cert-file", "bad.crt"),
        ("tls-cert-file", "another.crt"),
        ("tls-cert-file", ""),
        ("tls-key-file", "another.key"),
        ("tls-key-file", "server.crt"),
        ("tls-ca-cert-file", "bad.crt"),
        ("tls-ca-cert-dir", "."),
        ("tls-protocols", "TLSv1.1"),
        ("tls-ciphers", "AES256-SHA"),
        ("tls-ciphersuites", "TLS_SHA256"),
    ] {
        let before = server.plain().ask(&["CONFIG", "GET", name]);
        assert_eq!(
            server.plain().ask(&["CONFIG", "SET", name, value]),
            error(name)
        );
        assert_eq!(server.plain().ask(&["CONFIG", "GET", name]), before);
    }
    assert!(
        server
            .text()
            .contains("Failed to load certificate: missing.crt: No such file or directory")
    );
    let both = [
        "CONFIG",
        "SET",
        "maxclients",
        "77",
        "tls-cert-file",
        "bad.crt",
    ];
    assert_eq!(server.plain().ask(&both), error("tls-cert-file"));
    assert_eq!(server.figure("maxclients"), 10_000);
    let kept = secure(server.tls_port, &config).expect("a handshake");
    assert_eq!(shown(&kept), shown(&new));
}

#[test]
fn the_port_moves_and_may_be_the_only_one() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    let config = trusting(&authority);
    let mut client = secure(server.tls_port, &config).expect("a handshake");
    let moved = free_port();
    let text = moved.to_string();
    assert_eq!(client.ask(&["CONFIG", "SET", "tls-port", &text]), "+OK");
    let mut client = secure(moved, &config).expect("a handshake");
    let taken = server.port.to_string();
    assert_eq!(
        client.ask(&["CONFIG", "SET", "tls-port", &taken]),
        "-ERR CONFIG SET failed (possibly related to argument 'tls-port') - Unable to listen on this port. Check server logs."
    );
    assert_eq!(
        client.ask(&["CONFIG", "SET", "bind", "127.0.0.1 -::1"]),
        "+OK"
    );
    let mut client = secure(moved, &config).expect("a handshake");
    assert_eq!(client.ask(&["CONFIG", "SET", "port", "0"]), "+OK");
    assert!(
        client
            .ask(&["INFO", "server"])
            .contains(&format!("tcp_port:{moved}\r\n"))
    );
    // It is closed when that is answered, so that it can be had back.
    for _ in 0..200 {
        assert_eq!(client.ask(&["CONFIG", "SET", "port", &taken]), "+OK");
        assert_eq!(client.ask(&["CONFIG", "SET", "port", "0"]), "+OK");
    }
    // Without a port nothing is read; with one it is.
    let back = ["CONFIG", "SET", "port", &taken, "tls-port", "0"];
    assert_eq!(client.ask(&back), "+OK");
    assert_eq!(
        client.ask(&["CONFIG", "SET", "tls-cert-file", "missing"]),
        "+OK"
    );
    let error = client.ask(&["CONFIG", "SET", "tls-port", &text]);
    assert!(
        error.contains("'tls-port') - Unable to update TLS"),
        "{error}"
    );
    let both = [
        "CONFIG",
        "SET",
        "tls-port",
        &text,
        "tls-cert-file",
        "server.crt",
    ];
    assert_eq!(client.ask(&both), "+OK");
    secure(moved, &config).expect("a handshake");
}

#[test]
fn clients_beyond_the_limit_are_dropped_and_killed_ones_learn_it() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    let config = trusting(&authority);
    let mut control = server.plain();
    let client = secure(server.tls_port, &config).expect("a handshake");
    assert_eq!(control.ask(&["CONFIG", "SET", "maxclients", "2"]), "+OK");
    assert!(secure(server.tls_port, &config).is_err());
    assert!(
        control
            .ask(&["INFO", "stats"])
            .contains("rejected_connections:1\r\n")
    );
    assert_eq!(control.ask(&["CONFIG", "SET", "maxclients", "20"]), "+OK");
    assert_eq!(control.ask(&["CLIENT", "KILL", "TYPE", "normal"]), ":1");
    ends_well(client);
    // One in its handshake can be killed too.
    let mut silent = connect(server.tls_port);
    wait_until("the connection", || {
        control.ask(&["CLIENT", "LIST"]).contains("cmd=NULL")
    });
    assert_eq!(control.ask(&["CLIENT", "KILL", "TYPE", "normal"]), ":1");
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).expect("an end");
}

#[test]
fn sessions_are_resumed_if_the_settings_allow() {
    let authority = Authority::new("one");
    let server = Server::start(&authority, OPEN);
    for (caching, expected) in [("yes", HandshakeKind::Resumed), ("no", HandshakeKind::Full)] {
        let set = ["CONFIG", "SET", "tls-session-caching", caching];
        assert_eq!(server.plain().ask(&set), "+OK");
        for version in [&TLS12, &TLS13] {
            let config = Arc::new(config(&authority, None, &[version]));
            secure(server.tls_port, &config).expect("a handshake");
            let mut client = secure(server.tls_port, &config).expect("a handshake");
            assert_eq!(
                client.0.conn.handshake_kind(),
                Some(expected),
                "{version:?}"
            );
            assert_eq!(client.ask(&["PING"]), "+PONG");
        }
    }
}

#[test]
fn versions_and_ciphers_are_what_the_settings_say() {
    let authority = Authority::new("one");
    let options = [
        "--tls-protocols",
        "TLSv1.3",
        "--tls-ciphersuites",
        "TLS_AES_128_GCM_SHA256",
    ];
    let server = Server::start(&authority, &[OPEN, &options].concat());
    let (old, new) = ([&TLS12], [&TLS13]);
    let (old, new) = (
        Arc::new(config(&authority, None, &old)),
        Arc::new(config(&authority, None, &new)),
    );
    let suite = |config| {
        let client = secure(server.tls_port, config).ok()?;
        Some(format!(
            "{:?}",
            client.0.conn.negotiated_cipher_suite()?.suite()
        ))
    };
    assert_eq!(suite(&old), None);
    assert_eq!(suite(&new).as_deref(), Some("TLS13_AES_128_GCM_SHA256"));
    let set = [
        "CONFIG",
        "SET",
        "tls-protocols",
        "TLSv1.2",
        "tls-ciphers",
        "CHACHA20",
    ];
    assert_eq!(server.plain().ask(&set), "+OK");
    assert_eq!(suite(&new), None);
    assert_eq!(
        suite(&old).as_deref(),
        Some("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")
    );
}

#[test]
fn a_start_that_cannot_serve_says_why() {
    let authority = Authority::new("one");
    for (options, reason) in [
        (&["--tls-cert-file", ""][..], "No tls-cert-file configured!"),
        (&["--tls-key-file", ""], "No tls-key-file configured!"),
        (
            &["--tls-ca-cert-file", ""],
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified",
        ),
        (&["--tls-key-file", "ca.crt"], "it holds no private key"),
        (
            &["--tls-protocols", "SSLv3"],
            "Invalid tls-protocols specified.",
        ),
        (
            &["--tls-ciphers", "nope"],
            "Failed to configure ciphers: nope",
        ),
    ] {
        let (status, log) = Server::fail(&authority, options);
        assert_eq!(status.code(), Some(1));
        assert!(log.contains(reason), "{log}");
        assert!(log.contains("Failed to configure TLS. Check logs for more info."));
    }
}
