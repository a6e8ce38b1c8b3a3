//! Test tools of Ochre: an engine in process under a clock of the test's own, and transcripts.
//!
//! Nothing here is part of the product.

pub mod in_process;
pub mod transcript;

pub use in_process::{Connection, InProcess};
