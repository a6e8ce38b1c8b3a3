//! What a run does: plain values that its threads read.

use crate::budget::Budget;
use crate::keys::Distribution;
use crate::options::Options;
use crate::request::{Kind, Making};
use crate::target::Target;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How load is put on a server.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) threads: usize,
    pub(crate) pipeline: usize,
    pub(crate) keep_alive: bool,
    pub(crate) keyspace: u64,
    pub(crate) distribution: Distribution,
    pub(crate) seed: u64,
    /// Requests a second in the open loop; `None`: the closed loop.
    pub(crate) rate: Option<u64>,
    pub(crate) requests: Option<u64>,
    pub(crate) duration: Option<Duration>,
    pub(crate) warmup: Duration,
    pub(crate) timeout: Duration,
    pub(crate) keep_going: bool,
    pub(crate) is_idle: bool,
}

impl Load {
    pub(crate) fn new(options: &Options, seed: u64) -> Load {
        Load {
            clients: options.clients,
            threads: options.threads.unwrap_or(1),
            pipeline: options.pipeline,
            keep_alive: options.keep_alive,
            keyspace: options.keyspace.unwrap_or(1),
            distribution: options.distribution,
            seed,
            rate: options.rate,
            requests: options.requests,
            duration: options.duration,
            warmup: options.warmup,
            timeout: options.timeout,
            keep_going: options.keep_going,
            is_idle: options.is_idle,
        }
    }
}

/// Everything that the threads of one run share.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    pub(crate) target: &'a Target,
    pub(crate) kinds: &'a [Kind],
    pub(crate) making: Making<'a>,
    pub(crate) load: &'a Load,
    /// Requests of the warm-up, and those that count.
    pub(crate) warming: Budget,
    pub(crate) budget: Budget,
    /// A thread has failed, and the others are to end.
    pub(crate) stop: AtomicBool,
}

impl<'a> Shared<'a> {
    pub(crate) fn new(
        target: &'a Target,
        kinds: &'a [Kind],
        making: Making<'a>,
        load: &'a Load,
    ) -> Self {
        Shared {
            target,
            kinds,
            making,
            load,
            warming: Budget::new(None, load.threads),
            budget: Budget::new(load.requests, load.threads),
            stop: AtomicBool::new(false),
        }
    }
}

/// Nanoseconds of a duration; all that options allow fit.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
