//! How large a chunk of a list may become, and when a list is small enough to be one byte vector.
//!
//! Sizes count as Redis counts them: the bytes of the elements and seven for a header that we do not have,
//! so that lists change their encoding at the same element.
//!
//! Source: OBJECT ENCODING and DUMP of 8.2.3 at each of the limits.

/// What Redis's listpacks have beside their elements.
pub(super) const FRAME: usize = 7;
/// What is added to an element's length when asking whether it still fits a chunk.
const ESTIMATE: usize = 8;
/// The largest chunk in bytes when the limit counts elements.
const COUNTED_MAX: usize = 8192;
/// Elements from this size never share a chunk.
const ALONE_MIN: usize = 1 << 30;
const BYTES: [usize; 5] = [4096, 8192, 16384, 32768, 65536];

/// The limits of lists, from `list-max-listpack-size`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Elements of a chunk when positive, at least one; -1 to -5 stand for 4, 8, 16, 32 and 64 KiB, and
    /// so do smaller ones.
    pub size: i32,
    /// Bytes from which an element gets a chunk of its own; `None` when it is the chunk's limit that says.
    pub alone_from: Option<usize>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            size: -2,
            alone_from: None,
        }
    }
}

impl Limits {
    /// What a list made of chunks keeps of the setting: it holds sixteen bits.
    pub(super) fn kept(self) -> Limits {
        Limits {
            size: self.size.clamp(-5, i32::from(i16::MAX)),
            ..self
        }
    }

    /// Most bytes, if they are limited; otherwise most elements.
    fn most(self) -> Result<usize, usize> {
        match usize::try_from(self.size) {
            Ok(elements) => Err(elements.max(1)),
            Err(_) => {
                let which = usize::try_from(self.size.unsigned_abs()).unwrap_or(BYTES.len());
                Ok(BYTES[which.clamp(1, BYTES.len()) - 1])
            }
        }
    }

    /// A quarter of these limits, as far as they can express it.
    pub(super) fn quarter(self) -> Limits {
        let size = match self.size {
            elements if elements > 0 => (elements / 4).max(1),
            bytes => (bytes + 2).min(-1),
        };
        Limits { size, ..self }
    }

    /// Bytes of a chunk that has grown to its limit.
    pub(super) fn chunk_bytes(self) -> usize {
        self.most().unwrap_or(COUNTED_MAX)
    }

    /// Whether a chunk of these measures is too large.
    pub(super) fn exceeded(self, bytes: usize, elements: usize) -> bool {
        match self.most() {
            Ok(most) => bytes > most,
            Err(most) => bytes > COUNTED_MAX || elements > most,
        }
    }

    /// Whether an element of `len` bytes must not be added to a chunk of these measures.
    #[inline]
    pub(super) fn full(self, bytes: usize, elements: usize, len: usize) -> bool {
        self.exceeded(bytes + len + ESTIMATE, elements + 1)
    }

    /// Whether an element of `len` bytes gets a chunk of its own.
    pub(super) fn alone(self, len: usize) -> bool {
        match self.alone_from {
            Some(from) => len >= from.min(ALONE_MIN),
            None => len > self.chunk_bytes(),
        }
    }

    /// Whether a list of one chunk goes back to one byte vector; after a removal (`shrinking`) only at
    /// half of the limit, so that a list at the limit does not change to and fro.
    pub(super) fn fits_packed(self, bytes: usize, elements: usize, shrinking: bool) -> bool {
        let part = if shrinking { 2 } else { 1 };
        let fits = match self.most() {
            Ok(most) => bytes <= most / part,
            Err(most) => elements <= most / part,
        };
        // What the count of a packed list can say; only a limit lowered meanwhile comes here.
        fits && elements <= usize::from(u16::MAX)
    }
}
