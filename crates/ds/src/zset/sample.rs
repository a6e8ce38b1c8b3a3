//! Random choices of ranks.

use crate::random::Random;
use std::collections::HashSet;

/// Of this share of all members, in denominators, on, choosing while walking beats choosing by number.
const WALK_SHARE: usize = 3;

/// `count` different ranks below `len`, every choice of them equally likely, in ascending order.
/// All ranks when there are no more than `count`.
///
/// Cost: memory in proportion to `count`; time too, or up to `len` steps when `count` is a large share of it.
pub fn distinct_ranks(len: usize, count: usize, random: &mut Random) -> Vec<usize> {
    let count = count.min(len);
    if count >= len.div_ceil(WALK_SHARE) {
        // Selection sampling (Knuth, 3.4.2 S): each rank is taken with what is wanted out of what is left.
        let mut chosen = Vec::with_capacity(count);
        for rank in 0..len {
            if random.index(len - rank) < count - chosen.len() {
                chosen.push(rank);
            }
        }
        return chosen;
    }
    // Floyd's method: the last rank stands in for one that is taken already.
    let mut chosen = HashSet::with_capacity(count);
    for last in len - count..len {
        let rank = random.index(last + 1);
        if !chosen.insert(rank) {
            chosen.insert(last);
        }
    }
    let mut chosen: Vec<usize> = chosen.into_iter().collect();
    chosen.sort_unstable();
    chosen
}
