//! The memory of a state. A script makes and drops many small blocks, so that freed ones are kept for the next.
//!
//! Invariants
//! - A block of at most [`SMALL`] bytes is as large as its class, whatever size Lua asked for, so that it serves every
//!   other of the class.
//! - Kept blocks belong to this and to nothing else; each begins with the pointer to the next.
//! - What is kept is bounded by [`KEPT`], and is not among what Lua counts towards the state's limit.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr;

/// Alignment of what the allocator is asked for, and the step between classes, in bytes.
const ALIGN: usize = 16;
/// The largest block that is kept, in bytes: it holds tables, closures and the strings of keys.
const SMALL: usize = 128;
const CLASSES: usize = SMALL / ALIGN;
/// Bytes that are kept: about what one collection frees of a state that runs small scripts, which would otherwise go to
/// the system and come back before the next.
const KEPT: usize = 256 << 10;

/// A kept block.
struct Kept {
    next: *mut Kept,
}

/// See the module's documentation.
pub(crate) struct Blocks {
    /// The kept blocks of each class, or null.
    first: [*mut Kept; CLASSES],
    /// Bytes of kept blocks.
    kept: usize,
}

/// The class of a size from 1 to [`SMALL`].
#[inline]
fn class(size: usize) -> usize {
    (size - 1) / ALIGN
}

#[inline]
fn is_small(size: usize) -> bool {
    size.wrapping_sub(1) < SMALL
}

/// `None` for what no system could give.
#[inline]
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, ALIGN).ok()
}

#[inline]
fn layout_of(class: usize) -> Layout {
    let bytes = (class + 1) * ALIGN;
    // SAFETY: ALIGN is a power of two, and no class comes near the largest size.
    unsafe { Layout::from_size_align_unchecked(bytes, ALIGN) }
}

impl Blocks {
    pub(crate) fn new() -> Blocks {
        Blocks {
            first: [ptr::null_mut(); CLASSES],
            kept: 0,
        }
    }

    /// A block of `size` bytes; null when there can be none so large. Ends the process when the system has no memory:
    /// an error of Lua might jump over frames that own some.
    #[inline]
    pub(crate) fn take(&mut self, size: usize) -> *mut u8 {
        if !is_small(size) {
            return take_large(size);
        }
        let class = class(size);
        let block = self.first[class];
        if block.is_null() {
            // SAFETY: the size of a class is not zero.
            return checked(unsafe { alloc(layout_of(class)) }, layout_of(class));
        }
        // SAFETY: a kept block is nobody else's, and begins with the pointer that `give` wrote.
        self.first[class] = unsafe { (*block).next };
        self.kept -= layout_of(class).size();
        block.cast()
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// `block` came from `take` or `resize` of this with `size`, and is used no more.
    #[inline]
    pub(crate) unsafe fn give(&mut self, block: *mut u8, size: usize) {
        if !is_small(size) {
            if let Some(layout) = layout(size) {
                // SAFETY: as the caller promises.
                unsafe { dealloc(block, layout) };
            }
            return;
        }
        let class = class(size);
        if self.kept >= KEPT {
            // SAFETY: as the caller promises; small blocks have the layout of their class.
            return unsafe { dealloc(block, layout_of(class)) };
        }
        let next = self.first[class];
        let kept: *mut Kept = block.cast();
        // SAFETY: as the caller promises; a block of any class holds a pointer, and is aligned for one.
        unsafe { kept.write(Kept { next }) };
        self.first[class] = kept;
        self.kept += layout_of(class).size();
    }

    /// The block with another size, moved if need be; null, and the block as it was, when there can be none so large.
    ///
    /// # Safety
    /// As of [`give`](Self::give), unless null is returned; neither size is 0.
    pub(crate) unsafe fn resize(&mut self, block: *mut u8, size: usize, new: usize) -> *mut u8 {
        match (is_small(size), is_small(new)) {
            (true, true) if class(size) == class(new) => return block,
            (false, false) => {
                return match (layout(size), layout(new)) {
                    (Some(old_layout), Some(new_layout)) => {
                        // SAFETY: as the caller promises.
                        checked(unsafe { realloc(block, old_layout, new) }, new_layout)
                    }
                    _ => ptr::null_mut(),
                };
            }
            _ => {}
        }
        let moved = self.take(new);
        if !moved.is_null() {
            // SAFETY: as the caller promises; both blocks hold the smaller of the sizes, and they are not one.
            unsafe {
                ptr::copy_nonoverlapping(block, moved, size.min(new));
                self.give(block, size);
            }
        }
        moved
    }

    /// Bytes of kept blocks.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// Gives what is kept back to the system.
    pub(crate) fn clear(&mut self) {
        for (class, first) in self.first.iter_mut().enumerate() {
            while !first.is_null() {
                let block = *first;
                // SAFETY: a kept block is nobody else's, has the layout of its class, and begins with a pointer.
                unsafe {
                    *first = (*block).next;
                    dealloc(block.cast(), layout_of(class));
                }
            }
        }
        self.kept = 0;
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cold]
fn take_large(size: usize) -> *mut u8 {
    match layout(size) {
        // SAFETY: the size is not zero, which `take` is never asked for.
        Some(layout) if size > 0 => checked(unsafe { alloc(layout) }, layout),
        _ => ptr::null_mut(),
    }
}

#[inline]
fn checked(block: *mut u8, layout: Layout) -> *mut u8 {
    if block.is_null() {
        handle_alloc_error(layout);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every block keeps its bytes, whatever is taken, resized and given back around it.
    #[test]
    fn blocks_are_apart() {
        let mut blocks = Blocks::new();
        let mut held: Vec<(*mut u8, usize, u8)> = Vec::new();
        let mut seed = 7_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).expect("31 bits") % below
        };
        let filled = |(block, size, byte): &(*mut u8, usize, u8), len: usize| {
            // SAFETY: the block is held, and was filled with its byte.
            let bytes = unsafe { std::slice::from_raw_parts(*block, len.min(*size)) };
            assert!(bytes.iter().all(|b| b == byte));
        };
        for step in 0..if cfg!(miri) { 2_000 } else { 200_000 } {
            let byte = u8::try_from(step % 251).expect("below 251");
            let size = 1 + random(300);
            match random(5) {
                0 | 1 if held.len() < 1_000 => {
                    let block = blocks.take(size);
                    // SAFETY: it is as large as that.
                    unsafe { block.write_bytes(byte, size) };
                    held.push((block, size, byte));
                }
                2 if !held.is_empty() => {
                    let at = random(held.len());
                    let (block, old, byte) = held[at];
                    // SAFETY: it is held with that size.
                    let block = unsafe { blocks.resize(block, old, size) };
                    filled(&(block, size, byte), old);
                    // SAFETY: it is as large as that.
                    unsafe { block.write_bytes(byte, size) };
                    held[at] = (block, size, byte);
                }
                _ if !held.is_empty() => {
                    let at = random(held.len());
                    let one = held.swap_remove(at);
                    filled(&one, one.1);
                    // SAFETY: it is held with that size.
                    unsafe { blocks.give(one.0, one.1) };
                }
                _ => {}
            }
            assert!(blocks.kept < KEPT + SMALL);
        }
        for (block, size, _) in held {
            // SAFETY: it is held with that size.
            unsafe { blocks.give(block, size) };
        }
        assert!(blocks.kept > 0);
        blocks.clear();
        assert!(blocks.kept == 0 && blocks.first.iter().all(|first| first.is_null()));
    }

    #[test]
    fn what_no_system_has_is_refused() {
        let mut blocks = Blocks::new();
        assert!(blocks.take(usize::MAX).is_null());
        let block = blocks.take(40);
        // SAFETY: it is held with that size, and still is when null comes back.
        unsafe {
            assert!(blocks.resize(block, 40, usize::MAX).is_null());
            let block = blocks.resize(block, 40, 4_000);
            assert!(blocks.resize(block, 4_000, usize::MAX).is_null());
            blocks.give(block, 4_000);
        }
    }
}
