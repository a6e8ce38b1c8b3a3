//! One run: threads that put load on a server, and what they have counted.

use crate::cpu;
use crate::failure::Failure;
use crate::load::{Load, Shared, nanos};
use crate::stats::{Counts, Course, INTERVAL, Latencies, Point};
use crate::worker::{self, Told};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    /// The latencies of all kinds.
    pub(crate) latencies: Latencies,
    /// From the first request that counts to the last reply.
    pub(crate) elapsed: Duration,
    pub(crate) course: Course,
    pub(crate) client_cpu: Duration,
    pub(crate) server_cpu: Option<Duration>,
}

impl Outcome {
    /// Good replies in a second.
    #[allow(clippy::cast_precision_loss)] // a figure for people
    pub(crate) fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        match seconds > 0.0 {
            true => self.counts.answered() as f64 / seconds,
            false => 0.0,
        }
    }

    /// Microseconds of processor time that one request took of `cpu`.
    #[allow(clippy::cast_precision_loss)] // a figure for people
    pub(crate) fn per_request(&self, cpu: Duration) -> f64 {
        let requests = self.counts.answered() + self.counts.errors;
        cpu.as_secs_f64() * 1e6 / requests.max(1) as f64
    }
}

/// How a run is going.
pub(crate) struct Progress<'a> {
    pub(crate) point: Point,
    /// Good replies until now, and the seconds for them.
    pub(crate) answered: u64,
    pub(crate) seconds: f64,
    /// The latencies until now.
    pub(crate) counts: &'a Counts,
}

/// Runs until all requests are answered, the time is over, or something fails. `watch` is told how it is going.
///
/// # Errors
/// The first failure of any thread.
pub(crate) fn run(
    shared: &Shared<'_>,
    server_pid: Option<u32>,
    watch: &mut dyn FnMut(&Progress<'_>),
) -> Result<Outcome, Failure> {
    let load = shared.load;
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut starters = Vec::new();
        for thread in 0..load.threads {
            let (starter, start) = mpsc::channel();
            starters.push(starter);
            let tell = tell.clone();
            let spawned = std::thread::Builder::new()
                .name(format!("load-{thread}"))
                .spawn_scoped(scope, move || worker::run(shared, thread, tell, &start));
            if let Err(error) = spawned {
                shared.stop.store(true, Ordering::Relaxed);
                return Err(Failure::io(&error));
            }
        }
        drop(tell);
        let outcome = wait_until_ready(&told, load.threads)
            .and_then(|()| Collector::start(shared, server_pid, starters))
            .and_then(|collector| collector.collect(&told, watch));
        if outcome.is_err() {
            shared.stop.store(true, Ordering::Relaxed);
        }
        outcome
    })
}

fn wait_until_ready(told: &Receiver<Told>, threads: usize) -> Result<(), Failure> {
    let mut ready = 0;
    while ready < threads {
        match told.recv() {
            Ok(Told::Failed(failure)) => return Err(failure),
            Ok(_) => ready += 1,
            Err(_) => return Err(Failure::Stopped),
        }
    }
    Ok(())
}

/// Puts together what the threads tell.
struct Collector {
    threads: usize,
    epoch: Instant,
    warmup: Duration,
    server_pid: Option<u32>,
    /// Processor time of this process and the server's when counting began.
    cpu: Option<(Duration, Option<Duration>)>,
    /// Intervals that not all threads have told of.
    open: BTreeMap<u64, Counts>,
    /// Before which interval each thread has nothing more to tell.
    heard: Vec<u64>,
    total: Counts,
    course: Course,
}

impl Collector {
    fn start(
        shared: &Shared<'_>,
        server_pid: Option<u32>,
        starters: Vec<Sender<Instant>>,
    ) -> Result<Collector, Failure> {
        let load: &Load = shared.load;
        let mut collector = Collector {
            threads: load.threads,
            epoch: Instant::now(),
            warmup: load.warmup,
            server_pid,
            cpu: None,
            open: BTreeMap::new(),
            heard: vec![0; load.threads],
            total: Counts::new(shared.kinds.len(), load.rate.is_some()),
            course: Course::default(),
        };
        if load.warmup.is_zero() {
            collector.begin_counting()?;
        }
        collector.epoch = Instant::now();
        for starter in starters {
            // A thread that has failed says so to the collector.
            let _ = starter.send(collector.epoch);
        }
        Ok(collector)
    }

    fn begin_counting(&mut self) -> Result<(), Failure> {
        let server = self.server_pid.map(cpu::of_process).transpose()?;
        self.cpu = Some((cpu::of_this_process(), server));
        Ok(())
    }

    fn collect(
        mut self,
        told: &Receiver<Told>,
        watch: &mut dyn FnMut(&Progress<'_>),
    ) -> Result<Outcome, Failure> {
        let mut last = nanos(self.warmup);
        let mut running = self.threads;
        while running > 0 {
            let next = if self.cpu.is_none() {
                let left = self.warmup.saturating_sub(self.epoch.elapsed());
                told.recv_timeout(left)
            } else {
                told.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(Told::Ready) => {}
                Ok(Told::Failed(failure)) => return Err(failure),
                Ok(Told::Interval {
                    thread,
                    index,
                    counts,
                }) => {
                    self.add(index, *counts);
                    self.heard[thread] = index + 1;
                    self.close(watch);
                }
                Ok(Told::Done {
                    thread,
                    index,
                    counts,
                    last: its_last,
                }) => {
                    self.add(index, *counts);
                    self.heard[thread] = u64::MAX;
                    last = last.max(its_last);
                    running -= 1;
                }
                Err(RecvTimeoutError::Timeout) => self.begin_counting()?,
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Stopped),
            }
        }
        self.finish(last)
    }

    fn add(&mut self, index: u64, counts: Counts) {
        match self.open.get_mut(&index) {
            Some(open) => open.add(&counts),
            None => drop(self.open.insert(index, counts)),
        }
    }

    /// Closes the intervals that all threads have told of.
    fn close(&mut self, watch: &mut dyn FnMut(&Progress<'_>)) {
        let done = self.heard.iter().min().copied().unwrap_or(0);
        let later = self.open.split_off(&done);
        let closed = std::mem::replace(&mut self.open, later);
        for (index, counts) in closed {
            let point = self.take_up(index, &counts, INTERVAL.as_secs_f64());
            let (answered, seconds) = (self.total.answered(), point.at);
            watch(&Progress {
                point,
                answered,
                seconds,
                counts: &self.total,
            });
        }
    }

    #[allow(clippy::cast_precision_loss)] // a figure for people
    fn take_up(&mut self, index: u64, counts: &Counts, span: f64) -> Point {
        let at = index as f64 * INTERVAL.as_secs_f64() + span;
        let point = Point::new(at, span, counts);
        self.course.push(point);
        self.total.add(counts);
        point
    }

    #[allow(clippy::cast_precision_loss)] // a figure for people
    fn finish(mut self, last: u64) -> Result<Outcome, Failure> {
        let (client, server) = match self.cpu {
            Some(before) => before,
            None => return Err(Failure::Other("The run ended in its warm-up".to_owned())),
        };
        let elapsed = Duration::from_nanos(last).saturating_sub(self.warmup);
        for (index, counts) in std::mem::take(&mut self.open) {
            let begun = index as f64 * INTERVAL.as_secs_f64();
            let span = (elapsed.as_secs_f64() - begun).clamp(0.0, INTERVAL.as_secs_f64());
            self.take_up(index, &counts, span);
        }
        let server_cpu = match (self.server_pid, server) {
            (Some(pid), Some(before)) => Some(cpu::of_process(pid)?.saturating_sub(before)),
            _ => None,
        };
        Ok(Outcome {
            latencies: self.total.overall(),
            counts: self.total,
            elapsed,
            course: self.course,
            client_cpu: cpu::of_this_process().saturating_sub(client),
            server_cpu,
        })
    }
}
