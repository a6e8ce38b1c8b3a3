//! Recorded histories of concurrent clients, and whether one order of events explains them.
//!
//! The data are queues in three stages, `a` to `b` to `c`: elements, each pushed once, are pushed to the end of `a` and
//! moved from the front of a stage to the end of the next. So one sequence of elements and three counts (pushed to `a`,
//! moved to `b`, moved to `c`) are the whole state of a queue, and nearly every reply tells one of the counts.
//!
//! | module | does |
//! |---|---|
//! | `check` | finds what no order of events explains: strict serializability |
//! | `workload` | draws and runs operations, and records what was answered |
//! | `peer` | a connection to run them on: in process, or a socket |
//! | `transfers` | another workload: transfers between accounts, whose sum never changes |
//! | `simulated` | a store that breaks a rule on purpose, to check the checker |
//! | `chains` | another one: blocking moves that carry elements along lists, none lost or doubled |
//!
//! Invariants
//! - What is recorded is what came back, in terms of the queues; nothing is assumed of what the server did.
//! - Times are of one clock: an operation that ended before another began comes before it.

pub mod chains;
pub mod check;
pub mod peer;
pub mod simulated;
pub mod transfers;
pub mod workload;

/// A queue's number.
pub type Queue = u32;

/// What one reply tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// An element was pushed to `a`, which had so many elements then.
    Push {
        /// To which queue.
        queue: Queue,
        /// The element.
        element: u64,
        /// Elements in `a` afterwards.
        len: u64,
    },
    /// An element was moved from this stage (0 or 1) to the next.
    Move {
        /// Of which queue.
        queue: Queue,
        /// From where.
        from: usize,
        /// The element.
        element: u64,
    },
    /// The elements of a stage (0 or 1) at one time.
    Window {
        /// Of which queue.
        queue: Queue,
        /// Which one.
        stage: usize,
        /// What it held.
        elements: Vec<u64>,
    },
    /// The number of elements in `c`.
    Count {
        /// Of which queue.
        queue: Queue,
        /// How many.
        elements: u64,
    },
}

/// What was answered to requests that have to look like one event: a command, a transaction with what was read under
/// its WATCH, a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Nanoseconds at which its first request was sent.
    pub began: u64,
    /// Nanoseconds at which its last reply was there.
    pub ended: u64,
    /// What came back, in order.
    pub acts: Vec<Act>,
}

/// What a queue holds when everybody is done: the elements of `a`, `b` and `c`.
pub type Rest = [Vec<u64>; 3];

/// All of a run.
#[derive(Clone, Default, Debug)]
pub struct History {
    /// What was answered, in any order.
    pub operations: Vec<Operation>,
    /// Elements whose push was refused or discarded, so that nobody may ever see them.
    pub refused: Vec<u64>,
    /// What is there in the end, by queue.
    pub rest: Vec<Rest>,
}
