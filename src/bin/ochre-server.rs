//! The server program: the server crate with jemalloc under it.

use std::process::ExitCode;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc's options: return unused pages in the background, keep large blocks within their pages, put several blocks of
/// 8 KiB, which the chunks of lists are, under one descriptor of 128 bytes, and ask the kernel for huge pages: a key space
/// misses the TLB with nearly every key (docs/decisions/0008-huge-pages.md; `disable-thp` takes the request back).
#[allow(unsafe_code)]
// the name by which jemalloc finds its options
// SAFETY: jemalloc reads a `const char *` of this name, which this is: a pointer to a NUL-terminated constant.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: Option<&'static std::ffi::c_char> = Some(first_byte(OPTIONS));

const OPTIONS: &std::ffi::CStr =
    c"background_thread:true,cache_oblivious:false,slab_sizes:8192-8192:8,thp:always";

#[allow(unsafe_code)] // a pointer to the first byte of a constant
const fn first_byte(text: &'static std::ffi::CStr) -> &'static std::ffi::c_char {
    // SAFETY: the pointer of a CStr is valid and 'static, and at least its NUL is there.
    unsafe { &*text.as_ptr() }
}

fn main() -> ExitCode {
    ochre_server::main(Arc::new(ochre::allocator::Jemalloc))
}
