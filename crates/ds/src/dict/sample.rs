//! Drawing several different keys of a dictionary, in one go or in pieces.

use super::{Dict, Record};
use crate::arena::{Cursor, Handle};
use crate::random::Random;
use std::collections::HashSet;

/// A draw of one in this many keys repeats itself rarely enough to draw again; more are chosen in one walk.
const DRAW_SHARE: usize = 8;

/// A choice of different keys under way, every choice of so many being equally likely.
///
/// Few are drawn one by one, in random order, which costs in proportion to their number; many are chosen
/// in a walk over all keys (Knuth's algorithm S), in the order of memory. Nothing but a set of at
/// most an eighth of the handles is collected.
pub struct Sample(Way);

enum Way {
    Draw {
        wanted: usize,
        seen: HashSet<Handle>,
    },
    Walk {
        wanted: usize,
        left: usize,
        cursor: Cursor,
    },
}

impl Dict {
    /// Begins to choose `count` different keys (all, if there are not so many).
    pub fn begin_sample(&self, count: usize) -> Sample {
        let (wanted, left) = (count.min(self.len()), self.len());
        Sample(if wanted <= left / DRAW_SHARE {
            let seen = HashSet::with_capacity(wanted);
            Way::Draw { wanted, seen }
        } else {
            let cursor = Cursor::default();
            Way::Walk {
                wanted,
                left,
                cursor,
            }
        })
    }

    /// Visits `count` different keys (all, if there are not so many), every such choice being equally likely.
    pub fn sample(&self, random: &mut Random, count: usize, visit: impl FnMut(&[u8], &[u8])) {
        self.begin_sample(count)
            .advance(self, random, usize::MAX, visit);
    }
}

impl Sample {
    /// Visits up to `most` more keys of `dict`, which is the one it began with, unchanged, or its copy.
    /// Whether there are more to come.
    pub fn advance(
        &mut self,
        dict: &Dict,
        random: &mut Random,
        most: usize,
        mut visit: impl FnMut(&[u8], &[u8]),
    ) -> bool {
        match &mut self.0 {
            Way::Draw { wanted, seen } => {
                let until = seen.len().saturating_add(most).min(*wanted);
                while seen.len() < until {
                    let Some(handle) = dict.table.random(random) else {
                        return false;
                    };
                    if seen.insert(handle) {
                        let record = Record::new(dict.arena.get(handle));
                        visit(record.key(), record.value());
                    }
                }
                seen.len() < *wanted
            }
            Way::Walk {
                wanted,
                left,
                cursor,
            } => {
                let until = wanted.saturating_sub(most);
                let mut keys = dict.iter_from(*cursor);
                while *wanted > until
                    && let Some((key, value)) = keys.next()
                {
                    if random.index(*left) < *wanted {
                        visit(key, value);
                        *wanted -= 1;
                    }
                    *left -= 1;
                }
                *cursor = keys.cursor();
                *wanted > 0 && *left > 0
            }
        }
    }
}
