//! Drawing several different keys of a dictionary.

use super::{Dict, Record};
use crate::random::Random;
use std::collections::HashSet;

/// A draw of one in this many keys repeats itself rarely enough to draw again; more are chosen in one walk.
const DRAW_SHARE: usize = 8;

impl Dict {
    /// Visits `count` different keys (all, if there are not so many), every such choice being equally likely.
    ///
    /// Few are drawn one by one, in random order, which costs in proportion to `count`; many are chosen in
    /// a walk over all keys (Knuth's algorithm S), in the order of memory. Nothing but a set of at
    /// most an eighth of the handles is collected.
    pub fn sample(&self, random: &mut Random, count: usize, mut visit: impl FnMut(&[u8], &[u8])) {
        let count = count.min(self.len());
        if count <= self.len() / DRAW_SHARE {
            let mut seen = HashSet::with_capacity(count);
            while seen.len() < count {
                let Some(handle) = self.table.random(random) else {
                    return;
                };
                if seen.insert(handle) {
                    let record = Record::new(self.arena.get(handle));
                    visit(record.key(), record.value());
                }
            }
            return;
        }
        let (mut wanted, mut left) = (count, self.len());
        for (key, value) in self.iter() {
            if wanted == 0 {
                return;
            }
            if random.index(left) < wanted {
                visit(key, value);
                wanted -= 1;
            }
            left -= 1;
        }
    }
}
