//! Ports for servers that do not choose one themselves.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Below the ports that systems give to outgoing connections and to those who ask for any, so that nobody is given one
/// of these between its choice and its use (Linux starts at 32768, `ip_local_port_range` in its ip-sysctl document).
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port of the local host on which nobody listens. Each call within a process gives another one.
///
/// # Panics
/// When all are taken.
#[must_use]
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time start in different places.
    let start = std::process::id().wrapping_mul(61) % u32::from(COUNT);
    for _ in 0..COUNT {
        let place = (start + u32::from(TAKEN.fetch_add(1, Relaxed))) % u32::from(COUNT);
        let port = FIRST + u16::try_from(place).expect("below COUNT");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
