//! What a load takes of the machine, checked before it is put on a server.

use crate::failure::Failure;
use crate::load::Load;
use crate::workload::Workload;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes of one batch of requests; each thread has one, and each connection at most that many unsent.
const BATCH_LIMIT: u64 = 2 << 30;
/// Files that are open besides connections and, for each thread, its poller and timer.
const OTHER_FILES: u64 = 64;

/// Refuses batches that would not fit in memory.
///
/// # Errors
/// When `-P` requests of the largest size are too long.
pub(crate) fn check_batches(workloads: &[Workload], load: &Load) -> Result<(), Failure> {
    let kinds = workloads.iter().flat_map(|w| &w.kinds);
    let longest = kinds.map(|k| k.template.longest()).max().unwrap_or(0);
    match longest.saturating_mul(load.pipeline as u64) <= BATCH_LIMIT {
        true => Ok(()),
        false => Err(Failure::Other(format!(
            "{} requests of up to {longest} bytes at once are too much: see -P and -d",
            load.pipeline
        ))),
    }
}

/// Lets this process have as many files open as the connections need.
///
/// # Errors
/// When the system's limit is below that.
pub(crate) fn allow_connections(load: &Load) -> Result<(), Failure> {
    let needed = load.clients as u64 + 2 * load.threads as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    // No limit is written as none.
    let allows = |most: Option<u64>| most.is_none_or(|most| most >= needed);
    if allows(limit.current) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    if allows(limit.maximum) && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(u64::MAX);
    Err(Failure::Other(format!(
        "{} connections need {needed} open files, and the system allows {most} (ulimit -n)",
        load.clients
    )))
}
