//! The messages, generated from `proto/ochre_table.proto` by `tests/generated.rs`.

#![allow(missing_docs, unreachable_pub, clippy::all)] // generated

include!("generated/messages.rs");
