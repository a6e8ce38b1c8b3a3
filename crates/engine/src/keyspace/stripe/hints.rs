//! What looking a key up will read, told ahead so that it is loaded meanwhile.
//!
//! Nothing here is a promise: the table may have changed before the key is looked up.

use super::Stripe;
use ochre_ds::prefetch::Hint;
use ochre_ds::table::Likely;

impl Stripe {
    /// That the bucket of a hash is likely to be read.
    #[inline]
    pub(crate) fn bucket_hint(&self, hash: u64) -> Hint {
        self.table.bucket_hint(hash)
    }

    /// What is read after the bucket of a hash: the likely entry, or the bucket behind.
    #[inline]
    pub(crate) fn likely(&self, hash: u64) -> Likely {
        self.table.likely(hash)
    }

    /// The hint for what [`Self::likely`] found.
    #[inline]
    pub(crate) fn hint(&self, likely: Likely) -> Hint {
        likely.hint(&self.arena)
    }

    /// Begins to load what tells where the entry lies that [`Self::likely`] found, or the bucket behind.
    #[inline]
    pub(crate) fn prefetch_next(&self, likely: Likely) {
        match likely {
            Likely::Record(_, handle) => self.arena.directory_hint(handle).first(),
            Likely::Bucket(hint) => hint.first(),
            Likely::Nothing => {}
        }
    }

    /// What [`Self::likely`] told, and if that was the bucket behind, what this tells.
    #[inline]
    pub(crate) fn likelier(&self, hash: u64, likely: Likely) -> Likely {
        match likely {
            Likely::Bucket(_) => self.table.likely_behind(hash),
            _ => likely,
        }
    }

    /// That the likely entry of a hash is read after its bucket, or the bucket behind that one.
    #[inline]
    pub(crate) fn entry_hint(&self, hash: u64) -> Hint {
        self.hint(self.likely(hash))
    }
}
