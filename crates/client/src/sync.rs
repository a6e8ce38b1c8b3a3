//! The locks of the queue, in a module of their own so that its model test can put others here.

pub(crate) use std::sync::{Mutex, MutexGuard};
