//! The server program: the server crate with jemalloc under it.

use std::process::ExitCode;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ochre_server::main(Arc::new(ochre::allocator::Jemalloc))
}
