//! The seeded hash that places keys, and the fields and members of collections.
//!
//! It is foldhash with a seed: fast on short keys, and nobody who does not know the seed can choose
//! colliding keys. Not a cryptographic hash, and different in every process.

use foldhash::SharedSeed;
use std::sync::OnceLock;

/// Hashes keys; the seed is random per process.
#[derive(Clone, Copy)]
pub struct KeyHasher {
    seed: u64,
    shared: &'static SharedSeed,
}

impl KeyHasher {
    /// A hasher with the given seed. The first seed of a process also makes the multipliers that all hashers share.
    pub fn new(seed: u64) -> KeyHasher {
        static SHARED: OnceLock<SharedSeed> = OnceLock::new();
        KeyHasher {
            seed,
            shared: SHARED.get_or_init(|| SharedSeed::from_u64(seed)),
        }
    }

    /// The hash of a key: the low 40 bits choose a table's bucket, bits 48..56 are its tag, the top
    /// byte is the caller's (in the keyspace it chooses the stripe).
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        use std::hash::Hasher;
        let mut hasher = foldhash::quality::FoldHasher::with_seed(self.seed, self.shared);
        hasher.write(key);
        hasher.finish()
    }
}
