//! All libraries as one payload: what FUNCTION DUMP answers and FUNCTION RESTORE takes.
//!
//! Each library is the byte 245 of the RDB format and its text as a string; a footer of version and checksum follows.

use ochre_engine::serial::{read::Reader, seal, verified, write};
use std::sync::Arc;

/// A library in the RDB format.
const LIBRARY: u8 = 245;
/// The longest text of a library, as long as any string may be.
const TEXT_MAX: usize = 512 << 20;

/// The payload of these texts.
pub(crate) fn dump<'a>(texts: impl Iterator<Item = &'a Arc<[u8]>>, compress: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        out.push(LIBRARY);
        write::string(&mut out, text, compress);
    }
    seal(&mut out);
    out
}

/// Why a payload cannot be read.
pub(crate) enum Unreadable {
    /// Version or checksum are wrong.
    Footer,
    /// Something else than a library.
    Type,
    /// A text that cannot be read.
    Text,
}

/// The texts of a payload.
pub(crate) fn read(payload: &[u8]) -> Result<Vec<Arc<[u8]>>, Unreadable> {
    let body = verified(payload).ok_or(Unreadable::Footer)?;
    let mut reader = Reader::new(body);
    let mut texts = Vec::new();
    while let Ok(kind) = reader.byte() {
        if kind != LIBRARY {
            return Err(Unreadable::Type);
        }
        let text = reader.string(TEXT_MAX).map_err(|_| Unreadable::Text)?;
        texts.push(Arc::from(text.text(&mut itoa::Buffer::new())));
    }
    Ok(texts)
}
