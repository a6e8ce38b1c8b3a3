//! Clients that wait while they have more to say, over TCP, as in a running Redis: all they send is read meanwhile, so
//! that it is noticed when they leave, and `client-query-buffer-limit` holds.

use ochre_testkit::reference::{self, Wire};
use ochre_testkit::waiting::wait_until;

/// Requests behind the one that waits, and bytes of each: more than is read at once.
const BEHIND: (usize, usize) = (300, 1000);

type Words = Vec<Vec<u8>>;

fn words(line: &str) -> Words {
    line.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// What waits, and much behind it.
fn pipeline(first: &str) -> Vec<Words> {
    let (count, bytes) = BEHIND;
    let echo = vec![b"ECHO".to_vec(), vec![b'x'; bytes]];
    let mut requests = vec![words("CLIENT SETNAME waits"), words(first)];
    requests.resize(count, echo);
    requests
}

/// Runs `scene` on Ochre with 2 workers, and on each Redis that is there.
fn everywhere(scene: impl Fn(&str)) {
    let ours = env!("CARGO_BIN_EXE_ochre-server");
    let options = ["--worker-threads", "2", "--worker-threads-min", "2"];
    reference::everywhere(ours, &options, |running| {
        scene(&running.address.to_string())
    });
}

fn connect(address: &str) -> Wire {
    Wire::connect(address).expect("a connection")
}

fn ask(wire: &mut Wire, line: &str) -> String {
    let reply = wire.call(&words(line)).expect("a reply");
    String::from_utf8_lossy(&reply).into_owned()
}

/// Whether the client that waits is in the list, with a field that says so.
fn is_there(admin: &mut Wire, field: &str) -> bool {
    let list = ask(admin, "CLIENT LIST");
    list.lines()
        .any(|l| l.contains(" name=waits ") && l.contains(field))
}

#[test]
fn who_leaves_a_wait_is_noticed_however_much_is_behind_it() {
    everywhere(|address| {
        let (mut admin, mut client) = (connect(address), connect(address));
        client.send(&pipeline("BLPOP queue 0")).expect("it is sent");
        wait_until("the wait", || is_there(&mut admin, " flags=b "));
        drop(client);
        wait_until("the end", || !is_there(&mut admin, ""));
        assert_eq!(ask(&mut admin, "RPUSH queue element"), ":1\r\n");
        assert_eq!(ask(&mut admin, "LLEN queue"), ":1\r\n");
    });
}

#[test]
fn what_came_during_a_wait_is_answered_behind_it() {
    everywhere(|address| {
        let (mut admin, mut client) = (connect(address), connect(address));
        client.send(&pipeline("BLPOP queue 0")).expect("it is sent");
        wait_until("the wait", || is_there(&mut admin, " flags=b "));
        ask(&mut admin, "RPUSH queue element");
        let replies = client
            .until(&["PING", "end"], |frame| frame == b"$3\r\nend\r\n")
            .expect("replies");
        let (count, bytes) = BEHIND;
        let echo = format!("${bytes}\r\n{}\r\n", "x".repeat(bytes));
        assert_eq!(replies[0], b"+OK\r\n");
        assert_eq!(replies[1], b"*2\r\n$5\r\nqueue\r\n$7\r\nelement\r\n");
        let echoes = replies[2..].iter().filter(|r| **r == echo.as_bytes());
        assert_eq!(echoes.count(), count - 2);
    });
}

#[test]
fn who_sends_too_much_during_a_wait_is_closed() {
    everywhere(|address| {
        let (mut admin, mut client) = (connect(address), connect(address));
        ask(&mut admin, "CONFIG SET client-query-buffer-limit 1mb");
        let mut requests = pipeline("BLPOP queue 0");
        requests.resize(BEHIND.0 * 8, requests[BEHIND.0 - 1].clone());
        // It may be closed before all of it is sent.
        let _ = client.send(&requests);
        // Not by the list at first: the client is not in it until its first request was read.
        wait_until("the closing", || client.call(&words("PING")).is_err());
        wait_until("the end", || !is_there(&mut admin, ""));
        assert_eq!(ask(&mut admin, "RPUSH queue element"), ":1\r\n");
        assert_eq!(ask(&mut admin, "LLEN queue"), ":1\r\n");
    });
}

#[test]
fn what_a_pause_holds_back_goes_with_its_client() {
    everywhere(|address| {
        let (mut admin, mut client) = (connect(address), connect(address));
        ask(&mut admin, "CLIENT PAUSE 100000 WRITE");
        client.send(&pipeline("SET key value")).expect("it is sent");
        wait_until("the pause", || is_there(&mut admin, " flags=b "));
        drop(client);
        wait_until("the end", || !is_there(&mut admin, ""));
        assert_eq!(ask(&mut admin, "CLIENT UNPAUSE"), "+OK\r\n");
        assert_eq!(ask(&mut admin, "EXISTS key"), ":0\r\n");
    });
}

/// Sends requests of which one waits, and waits until it does.
fn wait_by(client: &mut Wire, admin: &mut Wire, requests: &[&str]) {
    let requests: Vec<Words> = requests.iter().copied().map(words).collect();
    client.send(&requests).expect("they are sent");
    wait_until("the wait", || is_there(admin, " flags=b "));
}

/// A client that waits in one of the requests.
fn waiting(address: &str, admin: &mut Wire, requests: &[&str]) -> Wire {
    let mut client = connect(address);
    ask(&mut client, "CLIENT SETNAME waits");
    wait_by(&mut client, admin, requests);
    client
}

/// What comes to a client that sends nothing meanwhile: one frame.
fn answer(client: &mut Wire) -> Vec<u8> {
    let mut frames = Vec::new();
    wait_until("the reply", || {
        frames.extend(client.arrived().expect("it is not closed"));
        !frames.is_empty()
    });
    frames.swap_remove(0)
}

#[test]
fn who_has_its_reply_is_blocked_no_more() {
    everywhere(|address| {
        let (mut admin, mut client) = (connect(address), connect(address));
        ask(&mut client, "CLIENT SETNAME waits");
        for _ in 0..100 {
            wait_by(&mut client, &mut admin, &["BLPOP queue 0"]);
            assert_eq!(ask(&mut admin, "RPUSH queue x"), ":1\r\n");
            assert_eq!(answer(&mut client), b"*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n");
            assert!(ask(&mut admin, "INFO clients").contains("\r\nblocked_clients:0\r\n"));
            assert!(is_there(&mut admin, " flags=N "));
        }
        assert_eq!(ask(&mut client, "LPOP queue"), "$-1\r\n");
    });
}

#[test]
fn what_is_behind_a_wait_runs_when_it_is_over() {
    everywhere(|address| {
        let mut admin = connect(address);
        for apart in [false, true] {
            let requests = ["BLPOP queue 0", "PING"];
            let (at_once, later) = requests.split_at(if apart { 1 } else { 2 });
            let mut client = waiting(address, &mut admin, at_once);
            for request in later {
                client.send(&[words(request)]).expect("it is sent");
                wait_until("its arrival", || !is_there(&mut admin, " qbuf=0 "));
            }
            ask(&mut admin, "RPUSH queue x");
            let mut frames = Vec::new();
            wait_until("both replies", || {
                frames.extend(client.arrived().expect("it is not closed"));
                frames.len() == 2
            });
            assert_eq!(frames[0], b"*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n");
            assert_eq!(frames[1], b"+PONG\r\n");
            drop(client);
            wait_until("the end", || !is_there(&mut admin, ""));
        }
    });
}

#[test]
fn a_reply_that_no_socket_takes_at_once_is_whole() {
    everywhere(|address| {
        let mut admin = connect(address);
        let mut client = waiting(address, &mut admin, &["BLPOP queue 0"]);
        let element = vec![b'x'; 16 << 20];
        let pushed = admin.call(&[b"RPUSH", &b"queue"[..], &element]);
        assert_eq!(pushed.expect("a reply"), b":1\r\n");
        let reply = answer(&mut client);
        let head = format!("*2\r\n$5\r\nqueue\r\n${}\r\n", element.len()).into_bytes();
        assert!(reply == [&head, &element[..], b"\r\n"].concat());
        assert_eq!(ask(&mut client, "PING"), "+PONG\r\n");
    });
}

#[test]
fn a_reply_ends_idleness() {
    everywhere(|address| {
        let mut admin = connect(address);
        let mut client = waiting(address, &mut admin, &["BLPOP queue 0"]);
        wait_until("a second", || is_there(&mut admin, " idle=1 "));
        ask(&mut admin, "RPUSH queue x");
        answer(&mut client);
        assert!(is_there(&mut admin, " idle=0 "));
    });
}

#[test]
fn who_wants_no_replies_gets_none_for_its_wait() {
    everywhere(|address| {
        let mut admin = connect(address);
        let requests = ["CLIENT REPLY OFF", "BLPOP queue 0"];
        let mut client = waiting(address, &mut admin, &requests);
        ask(&mut admin, "RPUSH queue x");
        wait_until("its end", || is_there(&mut admin, " flags=N "));
        assert_eq!(ask(&mut client, "CLIENT REPLY ON"), "+OK\r\n");
        assert_eq!(ask(&mut admin, "LLEN queue"), ":0\r\n");
    });
}
