//! Values as they are stored, and values on their way between keys; the hash that places keys.
//!
//! Nothing here knows a stripe's table or arena.

use foldhash::SharedSeed;
use ochre_ds::blob::Blob;
use std::sync::OnceLock;

/// Hashes keys of one engine; the seed is random per process, so that nobody can choose colliding keys.
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

    /// The hash of a key: the top byte chooses the stripe, the next is the table's tag, the low bits the bucket.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        use std::hash::Hasher;
        let mut hasher = foldhash::quality::FoldHasher::with_seed(self.seed, self.shared);
        hasher.write(key);
        hasher.finish()
    }
}

/// A string value as it is stored.
#[derive(Clone, Copy)]
pub enum Str<'a> {
    /// An integer; its bytes are its decimal digits.
    Int(i64),
    /// Bytes inside the entry.
    Inline(&'a [u8]),
    /// A large value, which may be shared by reference.
    Blob(&'a Blob),
}

impl Str<'_> {
    /// Length of the string in bytes.
    pub fn len(&self) -> usize {
        match self {
            Str::Int(n) => itoa::Buffer::new().format(*n).len(),
            Str::Inline(b) => b.len(),
            Str::Blob(b) => b.len(),
        }
    }

    /// Whether the string is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes; `digits` is room for those of an integer.
    pub fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Str::Int(n) => digits.format(*n).as_bytes(),
            Str::Inline(b) => b,
            Str::Blob(b) => b.as_slice(),
        }
    }

    /// A copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }
}

/// A value taken out of, or copied from, its key: moves between keys, stripes and databases.
#[derive(Clone, Debug)]
pub struct Detached {
    pub(crate) value: DetachedValue,
    pub(crate) modified: bool,
    /// Expiry in Unix milliseconds.
    pub expires_at: Option<i64>,
    pub(crate) clock: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum DetachedValue {
    Int(i64),
    Bytes(Vec<u8>),
    Blob(Blob),
}

/// What a removed or replaced value leaves behind, to be dropped after the lock is released.
#[derive(Default, Debug)]
pub struct Garbage(pub(crate) Option<Blob>);
