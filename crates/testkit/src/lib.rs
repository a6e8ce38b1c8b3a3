//! Test tools of Ochre: an engine in process under a clock of the test's own, transcripts, random requests from the
//! declared grammar, real Redis servers, and the comparison of both.
//!
//! Nothing here is part of the product.

pub mod client_commands;
pub mod data;
pub mod differential;
pub mod grammar;
pub mod history;
pub mod in_process;
mod lines;
pub mod ports;
pub mod programs;
pub mod reference;
pub mod rng;
pub mod transcript;
pub mod waiting;

pub use in_process::{Connection, InProcess};
pub use lines::Lines;
