//! Servers that are not there, refuse, fall silent, talk nonsense or go away; and command lines that are wrong.

use crate::{ochre, run};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A server that does `serve` with each connection, number by number.
pub(crate) fn listen(serve: fn(TcpStream, usize)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for (number, socket) in listener.incoming().flatten().enumerate() {
            std::thread::spawn(move || serve(socket, number));
        }
    });
    port
}

/// Answers inline PINGs, each after `before` has been asked; ends on anything else.
pub(crate) fn pong(mut socket: TcpStream, mut before: impl FnMut(usize) -> bool) {
    let mut buffer = [0; 4096];
    let mut answered = 0;
    while let Ok(n @ 1..) = socket.read(&mut buffer) {
        if buffer[0] != b'P' {
            return;
        }
        for _ in 0..n / b"PING\r\n".len() {
            if !before(answered) || socket.write_all(b"+PONG\r\n").is_err() {
                return;
            }
            answered += 1;
        }
    }
}

#[test]
fn a_server_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let ended = run(port, "-q -t get");
    let wanted = format!("Could not connect to Redis at 127.0.0.1:{port}: Connection refused\n");
    assert_eq!((ended.code, ended.err), (Some(1), wanted));
    let ended = run(port, "-q -s /nonexistent/socket -t get");
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("/nonexistent/socket"), "{}", ended.err);
}

#[test]
fn a_server_that_misbehaves() {
    let silent = listen(|mut socket, _| {
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let nonsense = listen(|mut socket, _| {
        let mut buffer = [0; 64];
        let _ = socket.read(&mut buffer);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n");
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let talkative = listen(|socket, _| {
        let mut other = socket.try_clone().expect("a socket");
        pong(socket, |answered| {
            answered < 5 || other.write_all(b"+PONG\r\n+PONG\r\n").is_ok()
        });
    });
    let leaving = listen(|socket, _| pong(socket, |answered| answered < 5));
    let halved = listen(|socket, _| {
        let mut other = socket.try_clone().expect("a socket");
        pong(socket, |answered| {
            let goes_on = answered < 5;
            goes_on || other.write_all(b"+PO").is_err()
        });
    });
    for (port, wanted) in [
        (silent, "Error: the server has sent nothing for 0.3 seconds"),
        (
            nonsense,
            "Error: malformed reply: Protocol error, got \"H\"",
        ),
        (talkative, "Error: malformed reply: a reply too many"),
        (leaving, "Error: Server closed the connection"),
        (halved, "Error: Server closed the connection"),
    ] {
        for load in ["", "--rate 1000", "--threads 2 -P 4", "-3"] {
            if load == "-3" && port != silent && port != nonsense {
                continue;
            }
            let begun = Instant::now();
            let line = format!("-q -n 10000 -c 3 --timeout 0.3 -t ping_inline {load}");
            let ended = run(port, &line);
            assert_eq!(ended.code, Some(1), "{wanted} {load}");
            // A server that goes away may also reset what is under way.
            let is_reset = ended.err.starts_with("Error: Connection reset")
                || ended.err.starts_with("Error: Broken pipe");
            let is_wanted =
                ended.err.starts_with(wanted) || (is_reset && wanted.contains("closed"));
            assert!(is_wanted, "{load}: wanted {wanted}, got {}", ended.err);
            assert!(begun.elapsed() < Duration::from_secs(8), "{wanted} {load}");
        }
    }
}

#[test]
fn errors_are_counted_if_that_is_wanted() {
    let (_server, port) = ochre();
    crate::ask(port, &["set", "text", "x"]);
    let ended = run(port, "-q -n 500 -P 3 --keep-going incr text");
    assert_eq!(ended.code, Some(1));
    let wanted =
        "incr text: 500 error replies, the first: ERR value is not an integer or out of range";
    assert!(ended.err.starts_with(wanted), "{}", ended.err);
    assert!(
        ended.out.starts_with("incr text: 0.00 requests per second"),
        "{}",
        ended.out
    );
    // Errors inside of a reply are values.
    let script = "return {1, {err = 'ERR inside'}}";
    let words = [
        "-p",
        &port.to_string(),
        "-q",
        "-n",
        "9",
        "eval",
        script,
        "0",
    ];
    let ended = crate::run_with(crate::PROGRAM, &words, b"");
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
}

#[test]
fn logins() {
    let server = ochre::Server::builder()
        .port(0)
        .workers(1)
        .setting("requirepass", "secret")
        .start()
        .expect("a server");
    let port = server.port().expect("a port");
    for (options, wanted) in [
        ("", Some("NOAUTH Authentication required.")),
        ("-a wrong", Some("WRONGPASS")),
        ("--user nobody -a secret", Some("WRONGPASS")),
        ("-a secret", None),
        ("-3 --user default -a secret --dbnum 3", None),
    ] {
        let ended = run(port, &format!("-q -n 50 -t set {options}"));
        match wanted {
            None => assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{options}"),
            Some(text) => {
                let wanted = format!("Error from server: {text}");
                assert_eq!(ended.code, Some(1), "{options}");
                assert!(ended.err.starts_with(&wanted), "{options}: {}", ended.err);
            }
        }
    }
    let url = format!("-q -n 50 -t get -u redis://:secret@127.0.0.1:{port}/3");
    assert_eq!(run(1, &url).code, Some(0));
    let ended = run(port, "-q -a secret -n 1 --dbnum 3 strlen key:__rand_int__");
    assert_eq!(ended.code, Some(0));
}

#[test]
fn wrong_command_lines_are_refused() {
    for (line, wanted) in [
        (
            "--nosuch",
            "Invalid option \"--nosuch\" or option argument missing",
        ),
        ("-c", "Invalid option \"-c\" or option argument missing"),
        ("-c 0", "-c takes at least 1"),
        ("-n many", "-n takes a number, not 'many'"),
        ("-t get,nosuch", "Unknown test 'nosuch' in -t"),
        ("--ratio get:nosuch=1:2", "Unknown test 'nosuch' in --ratio"),
        ("--cluster", "--cluster is not supported"),
        ("--tls-ciphers x", "TLS: no cipher of TLS 1.2 in 'x'"),
        ("--rate 5 -k 0", "--rate does not go with -k 0"),
        ("--distribution zipf", "--distribution needs a keyspace: -r"),
        (
            "-d 5-9 set k x__data__",
            "with a range of sizes, __data__ has to be",
        ),
        ("--compare redis", "'redis' is no HOST:PORT"),
        ("-P 1000000 -d 1000000 -t set", "1000000 requests of up to"),
    ] {
        let ended = run(1, line);
        assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{line}");
        assert!(ended.err.starts_with(wanted), "{line}: {}", ended.err);
    }
}
