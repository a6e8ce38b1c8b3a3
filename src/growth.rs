//! Huge pages for jemalloc's growth, touched before they are needed.
//!
//! The first touch of a huge page clears 2 MiB, in the middle of whatever command needed memory: a worker's other
//! connections wait, and so does everyone who wants the stripe that is being written. On a machine of its own that is
//! about 0.1 ms; where a hypervisor finds memory for its guest only when that touches it, 5 to 10 ms were measured. So a
//! thread keeps [`SPARES`] pages touched, and jemalloc takes its growth from them (its manual: `arena.<i>.extent_hooks`).
//!
//! Invariants
//! - A page is in one place: made by the thread, in one cell of [`SPARES`], or jemalloc's for good. jemalloc never
//!   unmaps what it has retained (`opt.retain`, its default on Linux), so no page comes back.
//! - A page in a cell is zero throughout, readable and writable.
//! - Taking a page never waits: with no spare, or for another size, jemalloc maps memory itself as it would without this.
//!
//! It does nothing for memory that jemalloc gave back to the system and uses again: its first touch is the worker's.
#![allow(unsafe_code)] // calls of jemalloc and the kernel; one function that jemalloc calls

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
use std::ffi::{CString, c_uint, c_void};
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::sync::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{OnceLock, mpsc};
use std::thread::{Builder, Thread};
use tikv_jemalloc_sys::{extent_hooks_t, mallctl};

/// A huge page, and the step by which an arena with these hooks grows.
const PAGE: usize = 2 << 20;
/// How much address space is asked of the kernel at a time; costs no memory until it is touched.
const RESERVE: usize = 64 << 20;
/// The page size whose touch makes any page present.
const SMALL_PAGE: usize = 4096;
/// How many are kept. One is taken while the other is made: a worker fills 2 MiB in 15 ms or more.
const KEPT: usize = 2;

static SPARES: [AtomicPtr<c_void>; KEPT] = [const { AtomicPtr::new(ptr::null_mut()) }; KEPT];
static TAKEN: AtomicU64 = AtomicU64::new(0);
/// The thread that fills [`SPARES`] and the hooks, once both are there; `None` where huge pages are off.
static AHEAD: OnceLock<Option<Ahead>> = OnceLock::new();

type Alloc = unsafe extern "C" fn(
    *mut extent_hooks_t,
    *mut c_void,
    usize,
    usize,
    *mut bool,
    *mut bool,
    c_uint,
) -> *mut c_void;

struct Ahead {
    toucher: Thread,
    hooks: &'static extent_hooks_t,
    default: Alloc,
}

/// Lets the arena of the calling thread grow by pages that were touched ahead.
///
/// The first call starts the thread that touches them, and waits for the first ones. Does nothing where the kernel has
/// no huge pages for those who ask, or when jemalloc refuses: memory then comes as it would without this.
pub(crate) fn touch_ahead_for_this_thread() {
    if let Some(ahead) = AHEAD.get_or_init(start) {
        let Some(arena) = read::<c_uint>("thread.arena") else {
            return;
        };
        // Larger steps, which jemalloc takes by default, would be touched little by little by whoever uses them.
        if write(&format!("arena.{arena}.retain_grow_limit"), PAGE) {
            write(
                &format!("arena.{arena}.extent_hooks"),
                ptr::from_ref(ahead.hooks),
            );
        }
    }
}

/// How many pages jemalloc has taken.
pub(crate) fn taken() -> u64 {
    TAKEN.load(Relaxed)
}

fn start() -> Option<Ahead> {
    let modes = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok()?;
    if modes.contains("[never]") {
        return None;
    }
    // Arena 0 is always there. Nothing else changes hooks, so these are the defaults.
    let standard = NonNull::new(read::<*mut extent_hooks_t>("arena.0.extent_hooks")?)?;
    // SAFETY: jemalloc returns a pointer to its table of default hooks, a constant.
    let mut hooks = unsafe { *standard.as_ptr() };
    let default = hooks.alloc.replace(alloc)?;
    let (filled, first_fill) = mpsc::channel();
    let toucher = Builder::new()
        .name("ochre-touch".to_owned())
        .spawn(|| keep_spares(filled))
        .ok()?;
    // What an idle server holds is then the same from its first reply on. An error means that there are none.
    let _ = first_fill.recv();
    Some(Ahead {
        toucher: toucher.thread().clone(),
        // For good: an arena uses its hooks for as long as the process runs.
        hooks: Box::leak(Box::new(hooks)),
        default,
    })
}

/// Fills [`SPARES`] whenever it is woken, and tells `filled`.
fn keep_spares(filled: mpsc::Sender<()>) {
    let mut reserve = Reserve {
        next: ptr::null_mut(),
        left: 0,
    };
    loop {
        for cell in &SPARES {
            if !cell.load(Relaxed).is_null() {
                continue;
            }
            let Some(page) = reserve.page() else {
                // The system gives no address space. jemalloc asks for itself, and there is nothing to do here.
                return;
            };
            // This thread alone fills cells, so the cell is still empty.
            cell.store(page.as_ptr().cast(), Release);
        }
        // Who started this thread waits for the first time; for the others nobody is there to be told.
        let _ = filled.send(());
        std::thread::park();
    }
}

/// Address space that was not touched yet, in whole huge pages.
struct Reserve {
    next: *mut u8,
    left: usize,
}

impl Reserve {
    fn page(&mut self) -> Option<NonNull<u8>> {
        if self.left == 0 {
            let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            let size = RESERVE + PAGE;
            // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
            let base = unsafe { mmap_anonymous(ptr::null_mut(), size, protection, flags) }.ok()?;
            let base = base.cast::<u8>();
            let skip = base.align_offset(PAGE);
            // SAFETY: `skip` is less than PAGE, and the mapping is RESERVE + PAGE long.
            self.next = unsafe { base.add(skip) };
            self.left = RESERVE;
            // SAFETY: the range is the mapping just made; the advice changes nothing but the size of its pages. Without
            // it the pages are small, and touched all the same.
            let _ = unsafe { madvise(self.next.cast(), RESERVE, Advice::LinuxHugepage) };
        }
        let page = NonNull::new(self.next)?;
        for at in (0..PAGE).step_by(SMALL_PAGE) {
            // SAFETY: the page lies within the mapping (`left` counts down from its size), and is nobody else's yet.
            unsafe { page.as_ptr().add(at).write_volatile(0) };
        }
        // SAFETY: at most one past the mapping's end, as `left` is a multiple of PAGE that was not 0.
        self.next = unsafe { self.next.add(PAGE) };
        self.left -= PAGE;
        Some(page)
    }
}

/// jemalloc's request for address space, with a lock of the arena held: must not allocate.
///
/// # Safety
/// As jemalloc calls it: `zero` and `commit` point to what it wants and is told.
unsafe extern "C" fn alloc(
    hooks: *mut extent_hooks_t,
    at: *mut c_void,
    size: usize,
    alignment: usize,
    zero: *mut bool,
    commit: *mut bool,
    arena: c_uint,
) -> *mut c_void {
    let Some(Some(ahead)) = AHEAD.get() else {
        // Hooks are handed to jemalloc after `AHEAD` is set.
        return ptr::null_mut();
    };
    if size == PAGE && alignment <= PAGE && at.is_null() {
        for cell in &SPARES {
            let page = cell.swap(ptr::null_mut(), Acquire);
            if !page.is_null() {
                TAKEN.fetch_add(1, Relaxed);
                ahead.toucher.unpark();
                // SAFETY: by this function's contract. The page is zero and present.
                unsafe {
                    *zero = true;
                    *commit = true;
                }
                return page;
            }
        }
    }
    // SAFETY: jemalloc's own function with the arguments that it gave; it does not look at the first.
    unsafe { (ahead.default)(hooks, at, size, alignment, zero, commit, arena) }
}

/// Reads a value of jemalloc's; `T` is the type that its manual gives the name.
fn read<T: Copy>(name: &str) -> Option<T> {
    let name = CString::new(name).ok()?;
    let mut value = std::mem::MaybeUninit::<T>::uninit();
    let mut size = size_of::<T>();
    // SAFETY: jemalloc writes at most `size` bytes, and refuses (EINVAL) when the value has another size.
    let code = unsafe {
        mallctl(
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            &raw mut size,
            ptr::null_mut(),
            0,
        )
    };
    // SAFETY: with code 0 it has written all of the value.
    (code == 0).then(|| unsafe { value.assume_init() })
}

/// Writes a value of jemalloc's; false if it refuses.
fn write<T: Copy>(name: &str, mut value: T) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    // SAFETY: jemalloc reads `size_of::<T>()` bytes and refuses when the value has another size. Hooks, the one pointer
    // that is written, live as long as the process.
    let code = unsafe {
        mallctl(
            name.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            (&raw mut value).cast(),
            size_of::<T>(),
        )
    };
    code == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn growth_is_served_from_pages_that_were_touched_ahead() {
        touch_ahead_for_this_thread();
        if AHEAD.get().is_none_or(Option::is_none) {
            return; // no huge pages on this machine
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        let before = taken();
        let mut blocks = Vec::new();
        // 4 pages' worth of blocks at a time; the toucher may be late, but not for ever.
        while taken() < before + 4 {
            assert!(Instant::now() < deadline, "no page was ever taken");
            for _ in 0..1024 {
                // SAFETY: a plain allocation, written within its size and freed below.
                let block = unsafe { tikv_jemalloc_sys::calloc(1, 8192) }.cast::<u8>();
                assert!(!block.is_null());
                // SAFETY: 8192 bytes, cleared by calloc.
                let bytes = unsafe { std::slice::from_raw_parts_mut(block, 8192) };
                assert!(bytes.iter().all(|b| *b == 0));
                bytes.fill(0xff);
                blocks.push(block);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        for block in blocks {
            // SAFETY: allocated above, once in the list.
            unsafe { tikv_jemalloc_sys::free(block.cast()) };
        }
    }
}
