//! How large a piece of memory is to be so that the allocator wastes little on it.
//!
//! Source: the size classes of jemalloc 5 with pages of 4 KiB. With another allocator the sizes are still right,
//! only not as tight. Nothing here allocates.

/// Sizes in which the allocator hands memory out, those left out of which a run holds one block only: each such
/// block costs the allocator a descriptor of its own (128 bytes).
const BLOCKS: [u16; 27] = [
    64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536,
    1792, 2048, 2560, 3072, 3584, 5120, 7168, 14336,
];
/// The largest of them.
pub(crate) const MAX: usize = BLOCKS[BLOCKS.len() - 1] as usize;
/// Blocks compared: larger ones may be filled better, but leave more room unused while the slab is the newest.
const COMPARED: usize = 4;

/// Sizes for what is moved to larger blocks as it grows. Most are cut from runs of three pages, so that the runs that
/// such blocks leave empty are what the next size, and slabs, are cut from; leftovers of other lengths would lie about
/// until they are returned.
const STEPS: [u16; 7] = [64, 192, 384, 768, 1536, 3072, 5120];

/// The smallest step of at least `bytes`; beyond the largest, `bytes`.
pub(crate) fn step(bytes: usize) -> usize {
    let step = STEPS.iter().map(|s| usize::from(*s)).find(|s| *s >= bytes);
    step.unwrap_or(bytes)
}

/// Slots of `size` bytes in the slab that fills its block best, of the blocks from `least` bytes on.
pub(crate) fn slots(size: usize, least: usize) -> usize {
    let from = BLOCKS.partition_point(|b| usize::from(*b) < least.max(size));
    let from = from.min(BLOCKS.len() - 1);
    let blocks = &BLOCKS[from..(from + COMPARED).min(BLOCKS.len())];
    // Of equally good ones the smaller.
    let best = blocks
        .iter()
        .map(|b| usize::from(*b))
        .min_by_key(|b| (b % size) * 1024 / b);
    best.map_or(1, |b| (b / size).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_leave_little_of_their_blocks_unused() {
        for size in (16..=512).step_by(8) {
            for least in [64, 500, 1000, 3000, 10_000, 14_336, 20_000] {
                let bytes = slots(size, least) * size;
                let block = BLOCKS.iter().find(|b| usize::from(**b) >= bytes);
                let block = block.map_or(0, |b| usize::from(*b));
                assert!(
                    bytes <= 14_336 && bytes * 2 > least.min(14_336),
                    "{size} {least}"
                );
                let unused = block - bytes;
                assert!(unused < size, "{size} {least}: {unused} of {block}");
            }
        }
        assert_eq!((slots(224, 2800), slots(16, 14_336)), (16, 896));
    }
}
