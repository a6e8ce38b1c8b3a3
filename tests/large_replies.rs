//! Who reads a large reply holds up nobody: the worker that sends it notices between two pieces what others sent.

use ochre_testkit::reference::{Running, Wire};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Members of the set: a reply of about 300 pieces.
const MEMBERS: usize = 1_000_000;
/// Members of one SADD.
const AT_ONCE: usize = 10_000;
/// Answers that others get during one reply at least. It would be one in sixty pieces, if a worker asked for
/// events only as often as Tokio does of itself.
const ANSWERS_MIN: usize = 60;

fn member(number: usize) -> String {
    format!("member:{number:09}")
}

/// Reads the whole set and looks at no byte of it, so that the server is what takes the time.
fn read_all(mut socket: TcpStream) {
    let element = format!("$16\r\n{}\r\n", member(0)).len();
    let mut left = format!("*{MEMBERS}\r\n").len() + MEMBERS * element;
    let mut room = vec![0; 1 << 20];
    socket.write_all(b"SMEMBERS large\r\n").expect("it is sent");
    while left > 0 {
        let part = socket.read(&mut room).expect("more of the reply");
        assert!(part > 0, "{left} bytes are missing");
        left -= part;
    }
}

fn connect(server: &Running) -> Wire {
    Wire::connect(&server.address.to_string()).expect("a connection")
}

fn fill(wire: &mut Wire) {
    for start in (0..MEMBERS).step_by(AT_ONCE) {
        let members = (start..start + AT_ONCE).map(|i| member(i).into_bytes());
        let request = [b"SADD".to_vec(), b"large".to_vec()]
            .into_iter()
            .chain(members);
        let reply = wire.call(&request.collect::<Vec<_>>()).expect("a reply");
        assert_eq!(reply, format!(":{AT_ONCE}\r\n").as_bytes());
    }
}

#[test]
fn others_are_answered_between_two_pieces_of_a_large_reply() {
    let binary = env!("CARGO_BIN_EXE_ochre-server");
    let server = Running::start(binary, &["--worker-threads", "1"]).expect("it starts");
    let mut other = connect(&server);
    fill(&mut other);
    let reader = TcpStream::connect(server.address).expect("a connection");
    let done = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        scope.spawn(|| {
            read_all(reader);
            done.store(true, Relaxed);
        });
        let mut answers = 0;
        while !done.load(Relaxed) {
            assert_eq!(
                other.call(&[b"PING".to_vec()]).expect("a reply"),
                b"+PONG\r\n"
            );
            answers += 1;
        }
        answers
    });
    eprintln!("{answers} answers during the reply");
    assert!(answers >= ANSWERS_MIN, "{answers} answers");
}
