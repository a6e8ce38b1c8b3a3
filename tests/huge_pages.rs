//! `disable-thp` as the kernel sees it: the `THP_enabled` line of the server's `/proc/PID/status` (Linux 5.0 and later).

use ochre_testkit::reference::{Running, Wire};

/// Starts the server and returns the kernel's word on whether it may have transparent huge pages.
fn may_have_huge_pages(options: &[&str]) -> Option<bool> {
    let running = Running::start(env!("CARGO_BIN_EXE_ochre-server"), options).expect("it starts");
    let mut wire = Wire::connect(&running.address.to_string()).expect("a connection");
    let info = wire
        .call(&[b"INFO".to_vec(), b"server".to_vec()])
        .expect("a reply");
    let info = String::from_utf8_lossy(&info).into_owned();
    let pid = info
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"))
        .expect("INFO has the process id");
    said_by(&format!("/proc/{pid}/status"))
}

fn said_by(status: &str) -> Option<bool> {
    let text = std::fs::read_to_string(status).ok()?;
    let word = text.lines().find_map(|l| l.strip_prefix("THP_enabled:"))?;
    Some(word.trim() == "1")
}

#[test]
fn huge_pages_are_for_those_who_do_not_refuse_them() {
    // A child inherits the refusal of its parent, and old kernels have no such line.
    let inherited = said_by("/proc/self/status");
    assert_eq!(may_have_huge_pages(&[]), inherited);
    assert_eq!(
        may_have_huge_pages(&["--disable-thp", "yes"]),
        inherited.map(|_| false)
    );
}
