//! A hint to the processor that memory is about to be read.
#![allow(unsafe_code)] // one instruction that never faults

/// Begins to load what is likely to be read of the entry at `address`: its first two cache lines.
#[inline]
pub fn entry(address: *const u8) {
    const LINE: usize = 64;
    read(address);
    read(address.wrapping_add(LINE));
}

/// Begins to load the cache line at `address`, which may be any value: a wrong one costs a little and does nothing else.
#[inline]
pub fn read(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: PREFETCHT0 does not access memory in the architectural sense and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
