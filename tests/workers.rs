//! Workers come and go with the load: connections move between them, and nobody notices.

use ochre_testkit::reference::{Running, Wire};
use ochre_testkit::waiting::{figure, wait_until};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 12;
/// Requests of one pipeline of a busy client.
const PIPELINE: usize = 200;
/// Pause of a client that has little to do: the small load itself, not a wait for something.
const REST: Duration = Duration::from_millis(5);

fn connect(server: &Running) -> Wire {
    Wire::connect(&server.address.to_string()).expect("a connection")
}

fn ask(wire: &mut Wire, args: &[&str]) -> String {
    let reply = wire.call(args).expect("a reply");
    String::from_utf8_lossy(&reply).into_owned()
}

fn active(admin: &mut Wire) -> usize {
    figure(&ask(admin, &["INFO", "server"]), "worker_threads_active")
}

/// The workers that serve the clients named `name`.
fn workers_of(admin: &mut Wire, name: &str) -> Vec<usize> {
    let list = ask(admin, &["CLIENT", "LIST"]);
    let name = format!(" name={name} ");
    let lines = list.lines().filter(|line| line.contains(&name));
    let number = |line: &str| {
        let (_, rest) = line.split_once(" io-thread=")?;
        rest.split(' ').next()?.parse().ok()
    };
    lines.filter_map(number).collect()
}

/// Counts up a key of its own, much or little at a time, and looks at every reply.
fn count_up(server: &Running, number: usize, busy: &AtomicBool, over: &AtomicBool) {
    let mut wire = connect(server);
    ask(&mut wire, &["CLIENT", "SETNAME", "counts"]);
    let request = vec![b"INCR".to_vec(), format!("key:{number}").into_bytes()];
    let mut count = 0;
    while !over.load(Relaxed) {
        let many = if busy.load(Relaxed) { PIPELINE } else { 1 };
        let mut replies = Vec::new();
        wire.exchange(&vec![request.clone(); many], &mut replies)
            .expect("replies");
        for reply in replies {
            count += 1;
            assert_eq!(reply, format!(":{count}\r\n").into_bytes());
        }
        if many == 1 {
            thread::sleep(REST);
        }
    }
}

/// Hands elements in turn from a waiting client to another, and looks for lost ones.
fn hand_over(server: &Running, over: &AtomicBool) {
    let (mut waits, mut pushes) = (connect(server), connect(server));
    let mut number = 0;
    while !over.load(Relaxed) {
        let element = number.to_string();
        waits
            .send_one(&["BLPOP", "queue", "0"])
            .expect("it is sent");
        assert!(ask(&mut pushes, &["RPUSH", "queue", &element]).starts_with(':'));
        let popped = waits.reply().expect("a reply");
        let wanted = format!("*2\r\n$5\r\nqueue\r\n${}\r\n{element}\r\n", element.len());
        assert_eq!(String::from_utf8_lossy(&popped), wanted);
        number += 1;
        thread::sleep(REST);
    }
}

/// Waits until `holds`, without being a load itself.
fn watch(what: &str, mut holds: impl FnMut() -> bool) {
    wait_until(what, || {
        thread::sleep(REST);
        holds()
    });
}

#[test]
fn workers_come_and_go_unnoticed() {
    let binary = env!("CARGO_BIN_EXE_ochre-server");
    let server = Running::start(binary, &["--worker-threads", "4"]).expect("it starts");
    let mut admin = connect(&server);
    assert_eq!(active(&mut admin), 1);
    let (busy, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, busy, over) = (&server, &busy, &over);
            scope.spawn(move || count_up(server, number, busy, over));
        }
        scope.spawn(|| hand_over(&server, &over));
        for _ in 0..2 {
            busy.store(true, Relaxed);
            watch("help", || active(&mut admin) > 1);
            watch("clients of another worker", || {
                workers_of(&mut admin, "counts").iter().any(|n| *n > 0)
            });
            busy.store(false, Relaxed);
            watch("one worker for the rest", || active(&mut admin) == 1);
            watch("all its clients", || {
                workers_of(&mut admin, "counts") == [0; CLIENTS]
            });
        }
        over.store(true, Relaxed);
    });
}

#[test]
fn so_many_workers_serve_as_are_wanted() {
    let binary = env!("CARGO_BIN_EXE_ochre-server");
    let options = ["--worker-threads", "4", "--worker-threads-min", "3"];
    let server = Running::start(binary, &options).expect("it starts");
    let mut admin = connect(&server);
    assert_eq!(active(&mut admin), 3);
    let mut clients: Vec<Wire> = (0..8).map(|_| connect(&server)).collect();
    let name_all = |clients: &mut Vec<Wire>| {
        for wire in clients {
            assert_eq!(ask(wire, &["CLIENT", "SETNAME", "idle"]), "+OK\r\n");
        }
    };
    name_all(&mut clients);
    let spread = |admin: &mut Wire| {
        let mut workers = workers_of(admin, "idle");
        workers.sort_unstable();
        workers.dedup();
        workers
    };
    assert_eq!(spread(&mut admin), [0, 1, 2]);
    let set = ["CONFIG", "SET", "worker-threads-min", "4"];
    assert_eq!(ask(&mut admin, &set), "+OK\r\n");
    wait_until("the fourth", || active(&mut admin) == 4);
    // A connection moves when it is done with a batch.
    name_all(&mut clients);
    wait_until("clients of the fourth", || {
        spread(&mut admin) == [0, 1, 2, 3]
    });
    for out_of_range in ["0", "1025", "x"] {
        let set = ["CONFIG", "SET", "worker-threads-min", out_of_range];
        assert!(ask(&mut admin, &set).starts_with("-ERR CONFIG SET failed"));
    }
}
