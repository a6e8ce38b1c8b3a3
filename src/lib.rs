//! Ochre: a Redis-compatible, multi-threaded, in-memory data store.

pub mod allocator;
