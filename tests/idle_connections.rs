//! What a connection that does nothing holds from the allocator.

use ochre_testkit::reference::{Running, Wire};
use ochre_testkit::waiting::figure;

const CONNECTIONS: u64 = 500;
/// Bytes that each may hold. 2000 were measured (x86-64, Linux), and 3400 with one more copy of the connection in its task.
const EACH: u64 = 2800;

fn used(wire: &mut Wire) -> u64 {
    let info = wire.call(&["INFO", "memory"]).expect("a reply");
    let info = String::from_utf8_lossy(&info);
    figure(&info, "used_memory")
}

#[test]
fn idle_connections_hold_little() {
    // One worker, as each has buffers of its own.
    let options = ["--worker-threads", "1"];
    let running = Running::start(env!("CARGO_BIN_EXE_ochre-server"), &options).expect("it starts");
    let address = running.address.to_string();
    let mut admin = Wire::connect(&address).expect("a connection");
    let open = || {
        let mut wire = Wire::connect(&address).expect("a connection");
        // More than is read at once, so that a query buffer and a reply buffer were there.
        let value = vec![b'x'; 200_000];
        let set = wire.call(&[b"SET".to_vec(), b"key".to_vec(), value]);
        assert_eq!(set.expect("a reply"), b"+OK\r\n");
        assert!(wire.call(&["GET", "key"]).expect("a reply").len() > 200_000);
        wire
    };
    // The threads' own buffers are there then.
    let early: Vec<Wire> = (0..8).map(|_| open()).collect();
    let before = used(&mut admin);
    let late: Vec<Wire> = (0..CONNECTIONS).map(|_| open()).collect();
    let each = used(&mut admin).saturating_sub(before) / CONNECTIONS;
    assert!(each <= EACH, "{each} bytes each");
    drop((early, late));
}
