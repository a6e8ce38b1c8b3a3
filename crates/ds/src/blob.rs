//! A large byte string that is shared by reference and changed in place when nobody else holds it.
//!
//! A reader (a reply being sent, a long computation) keeps a clone while the owner goes on; the
//! owner's next change then works on a copy. Growth is amortised, so appending is linear.

use std::sync::Arc;

/// See the module's documentation. Cloning is one atomic increment.
#[derive(Clone, Debug, Default)]
pub struct Blob(Arc<Vec<u8>>);

impl Blob {
    /// A blob holding a copy of `bytes`, without spare room.
    pub fn copy_from(bytes: &[u8]) -> Blob {
        Blob(Arc::new(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds no byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes held from the allocator.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() + std::mem::size_of::<Vec<u8>>() + 2 * std::mem::size_of::<usize>()
    }

    /// The bytes to change; copies them first when somebody else holds the blob.
    pub fn make_mut(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        Blob(Arc::new(bytes))
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
