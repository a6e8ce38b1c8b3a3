//! Data structures and the number, pattern and compression routines under Ochre.
//!
//! Nothing here knows of keys, expiry, commands, sockets or files.
//! This is the only crate where `unsafe` is welcome, module by module, each block with its argument.

pub mod arena;
pub mod bits;
pub mod blob;
mod blocks;
pub mod crc;
pub mod dict;
pub mod float;
pub mod glob;
pub mod hash;
pub mod hasher;
pub mod int;
pub mod intset;
pub mod lcs;
pub mod list;
pub mod long_double;
pub mod lzf;
pub mod ordered;
pub mod pack;
pub mod pairs;
pub mod prefetch;
pub mod random;
pub mod set;
pub mod slots;
pub mod table;
pub mod ticks;
mod unique;
pub mod zset;
