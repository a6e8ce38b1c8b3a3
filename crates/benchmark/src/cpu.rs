//! Processor time of processes, from the operating system.

use crate::failure::Failure;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Processor time that all threads of process `pid` have had.
///
/// # Errors
/// When there is no such process.
pub(crate) fn of_process(pid: u32) -> Result<Duration, Failure> {
    let folder = format!("/proc/{pid}/task");
    total(Path::new(&folder))
        .map_err(|e| Failure::Other(format!("--server-pid: no figures of process {pid}: {e}")))
}

/// Sum over the threads of `/proc/PID/task`. A thread that ends takes its time along; the figures of the whole process
/// would keep it, but count in hundredths of a second, which is too coarse for a round.
fn total(folder: &Path) -> io::Result<Duration> {
    let mut total = Err(io::Error::from(io::ErrorKind::NotFound));
    for thread in std::fs::read_dir(folder)? {
        let text = match std::fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => text,
            // It has ended meanwhile, unless the kernel has the file for no thread.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => continue,
            Err(e) => return Err(e),
        };
        // proc(5): time on the processor in nanoseconds, time waiting for it, time slices.
        let first = text.split_ascii_whitespace().next();
        let nanos = first.and_then(|n| n.parse().ok());
        let time = Duration::from_nanos(nanos.ok_or(io::ErrorKind::InvalidData)?);
        total = Ok(total.unwrap_or_default() + time);
    }
    total
}

/// Processor time that this process has had.
pub(crate) fn of_this_process() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Instant;

    /// Longer than any machine takes to give a process that only computes so much time.
    const PATIENCE: Duration = Duration::from_secs(60);

    // Of a process of its own: the time of threads that end is not in the sum any more, and those of this process do.
    #[test]
    fn work_of_another_process_costs_it_time() {
        let mut works = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .expect("a shell");
        let deadline = Instant::now() + PATIENCE;
        let enough = loop {
            let enough = of_process(works.id()).expect("it runs") >= Duration::from_millis(30);
            if enough || Instant::now() > deadline {
                break enough;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        works.kill().expect("it runs");
        works.wait().expect("it ends");
        assert!(enough, "it got no time");
    }

    #[test]
    fn work_costs_this_process_time() {
        let (before, deadline) = (of_this_process(), Instant::now() + PATIENCE);
        while of_this_process() < before + Duration::from_millis(30) {
            assert!(Instant::now() < deadline, "it got no time");
        }
    }

    #[test]
    fn no_process_no_figures() {
        assert!(of_process(i32::MAX.unsigned_abs()).is_err());
    }
}
