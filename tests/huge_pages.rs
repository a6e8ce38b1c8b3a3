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

/// How many huge pages the growth of a server found touched while 64 MB were written to it, a little at a time.
fn found_touched(options: &[&str]) -> u64 {
    let running = Running::start(env!("CARGO_BIN_EXE_ochre-server"), options).expect("it starts");
    let mut wire = Wire::connect(&running.address.to_string()).expect("a connection");
    for i in 0..4000 {
        let key = format!("key:{i}").into_bytes();
        let reply = wire.call(&[b"SET".to_vec(), key, vec![b'x'; 16 * 1024]]);
        assert_eq!(reply.expect("a reply"), b"+OK\r\n");
    }
    let report = wire.call(&["MEMORY", "MALLOC-STATS"]).expect("a reply");
    let report = String::from_utf8_lossy(&report).into_owned();
    let count = report
        .lines()
        .find_map(|line| line.strip_prefix("Huge pages that growth found touched: "));
    count
        .expect("the report counts them")
        .parse()
        .expect("a number")
}

#[test]
fn growth_finds_its_pages_touched_where_huge_pages_are_wanted() {
    let modes = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let there_are_any = modes.is_ok_and(|modes| !modes.contains("[never]"));
    let found = found_touched(&[]);
    assert_eq!(found > 0, there_are_any, "{found}");
    assert_eq!(found_touched(&["--disable-thp", "yes"]), 0);
}
