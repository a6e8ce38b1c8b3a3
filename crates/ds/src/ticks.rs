//! A cheap monotonic clock for measuring durations of single commands.
//!
//! On x86-64 with an invariant time stamp counter it is one instruction; elsewhere it is the
//! system's monotonic clock. Ticks are meaningful only as differences, through [`nanos`].
#![allow(unsafe_code)] // one instruction and its CPUID check

use std::sync::OnceLock;
use std::time::Instant;

/// Scaling from ticks to nanoseconds in 32.32 fixed point; 0 when ticks are nanoseconds already.
struct Scale {
    start: Instant,
    factor: u64,
}

static SCALE: OnceLock<Scale> = OnceLock::new();

#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    // SAFETY: RDTSC has no precondition on x86-64 user code; `scale` uses it only where it is invariant.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    0
}

#[cfg(target_arch = "x86_64")]
fn is_invariant() -> bool {
    use std::arch::x86_64::__cpuid;
    // CPUID leaf 0x80000007, EDX bit 8: the counter runs at a constant rate in all power states.
    __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx >> 8 & 1 == 1
}

#[cfg(not(target_arch = "x86_64"))]
fn is_invariant() -> bool {
    false
}

#[inline]
fn scale() -> &'static Scale {
    SCALE.get_or_init(calibrate)
}

#[cold]
fn calibrate() -> Scale {
    let start = Instant::now();
    if !is_invariant() {
        return Scale { start, factor: 0 };
    }
    // Two milliseconds give the rate to about one part in ten thousand.
    let first = counter();
    let nanos = loop {
        let elapsed = start.elapsed().as_nanos();
        if elapsed >= 2_000_000 {
            break elapsed;
        }
        std::hint::spin_loop();
    };
    let ticks = u128::from(counter().wrapping_sub(first).max(1));
    Scale {
        start,
        factor: u64::try_from((nanos << 32) / ticks).unwrap_or(0),
    }
}

/// The present tick. Calibrates on first use, which takes two milliseconds.
#[inline]
pub fn now() -> u64 {
    let scale = scale();
    if scale.factor == 0 {
        return u64::try_from(scale.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    }
    counter()
}

/// Nanoseconds between two ticks; 0 when the counter went backwards.
#[inline]
pub fn nanos(from: u64, to: u64) -> u64 {
    let ticks = to.saturating_sub(from);
    match scale().factor {
        0 => ticks,
        factor => u64::try_from((u128::from(ticks) * u128::from(factor)) >> 32).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn agrees_with_the_system_clock() {
        let (start, first) = (std::time::Instant::now(), super::now());
        while start.elapsed().as_millis() < 20 {
            std::hint::spin_loop();
        }
        let measured = super::nanos(first, super::now());
        let real = start.elapsed().as_nanos() as u64;
        assert!(
            measured > real / 2 && measured < real * 2,
            "{measured} against {real}"
        );
    }
}
