//! Memory figures from jemalloc, for programs that use it as their allocator.

use crate::growth;
use ochre_engine::ports::{Memory, MemoryFigures};
use tikv_jemalloc_ctl::{epoch, stats};

/// Reads jemalloc's statistics.
#[derive(Clone, Copy, Debug)]
pub struct Jemalloc;

impl Memory for Jemalloc {
    fn figures(&self) -> MemoryFigures {
        // Statistics are a snapshot that `epoch` renews; it fails only in a jemalloc built without them.
        let _ = epoch::advance();
        let read = |value: tikv_jemalloc_ctl::Result<usize>| value.map_or(0, |v| v as u64);
        MemoryFigures {
            allocated: read(stats::allocated::read()),
            active: read(stats::active::read()),
            resident: read(stats::resident::read()),
            retained: read(stats::retained::read()),
            metadata: read(stats::metadata::read()),
            rss: ochre_server::resident_bytes(),
        }
    }

    fn allocator(&self) -> &'static str {
        "jemalloc-5.3.1"
    }

    fn purge(&self) {
        // "arena.4096" names all arenas (jemalloc manual, MALLCTL_ARENAS_ALL).
        purge_all();
    }

    fn thread_started(&self) {
        growth::touch_ahead_for_this_thread();
    }

    fn report(&self) -> Option<String> {
        let mut text = Vec::new();
        tikv_jemalloc_ctl::stats_print::stats_print(
            &mut text,
            tikv_jemalloc_ctl::stats_print::Options::default(),
        )
        .ok()?;
        let ahead = growth::taken();
        Some(format!(
            "{}Huge pages that growth found touched: {ahead}\n",
            String::from_utf8_lossy(&text)
        ))
    }
}

#[allow(unsafe_code)] // mallctl has no safe form for commands without a value
fn purge_all() {
    // SAFETY: the name is a NUL-terminated constant, and "purge" takes neither an old nor a new value, so all pointers are null.
    // Its result only says whether the arena exists, and this one does.
    let _ = unsafe {
        tikv_jemalloc_sys::mallctl(
            c"arena.4096.purge".as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        )
    };
}
