//! A hint to the processor that memory is about to be read.
#![allow(unsafe_code)] // one instruction that never faults

/// Bytes of a cache line.
const LINE: usize = 64;

/// Something that is likely to be read: where it lies, and how long it is. It may be gone by then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hint {
    /// A number, as nothing is ever read through it.
    address: usize,
    len: usize,
}

impl Hint {
    /// Nothing; to ask for it costs a little.
    pub const NONE: Hint = Hint { address: 0, len: 0 };

    /// That `what` is likely to be read.
    #[inline]
    pub fn of<T: ?Sized>(what: &T) -> Hint {
        Hint {
            address: std::ptr::from_ref(what).addr(),
            len: size_of_val(what),
        }
    }

    /// The address as a number, to be shown.
    pub fn addr(self) -> usize {
        self.address
    }

    /// Begins to load the first cache line.
    #[inline]
    pub fn first(self) {
        read(self.address);
    }

    /// Begins to load up to three cache lines from the beginning, which is what most entries take with their values; of
    /// what is longer, the processor sees by itself that one line after the other is read.
    ///
    /// A line that is asked for twice costs less than a branch that is predicted wrongly.
    #[inline]
    pub fn all(self) {
        if self.len == 0 {
            return;
        }
        let last = self.len - 1;
        read(self.address);
        read(self.address.wrapping_add(last.min(LINE)));
        read(self.address.wrapping_add(last.min(2 * LINE)));
    }
}

/// Begins to load the cache line at `address`, which may be any value: a wrong one costs a little and does nothing else.
#[inline]
pub fn read(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: PREFETCHT0 does not access memory in the architectural sense and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// As [`read`], for a line that is about to be written, which another core may have.
#[inline]
pub fn write<T>(what: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: PREFETCHW changes no memory and no register; where it is not known it does nothing.
    unsafe {
        std::arch::asm!("prefetchw [{0}]", in(reg) std::ptr::from_ref(what), options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = what;
}
