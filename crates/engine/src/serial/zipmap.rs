//! Zipmaps: the byte vectors in which Redis before 2.6 kept small hashes. Read only.
//!
//! ```text
//! pairs u8 | length | field | length | spare u8 | value | spare bytes | ... | FF
//! ```
//! A length is a byte below FE, or FE and four bytes, low byte first. The count of pairs is exact below FE,
//! else it says "count them".
//!
//! Invariants
//! - [`Elements`] reads bytes that nobody vouches for: every pair is stepped over once, no length reaches beyond the
//!   end, and the count must be right. It allocates nothing.
//!
//! Source: the published description of zipmaps.

use super::read::BadData;
use ochre_ds::pack::Element;

const END: u8 = 0xFF;
/// Before a length of four bytes; and the first count that is none.
const WIDE: u8 = 0xFE;

/// Reads a zipmap from front to back: a field, its value, the next field. After an error there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    /// From the next element to the end mark, which is not in it.
    rest: &'a [u8],
    /// Pairs that the header announces beyond those read, unless it does not tell.
    expected: Option<u8>,
    /// Whether the next element is a value.
    value: bool,
}

impl<'a> Elements<'a> {
    /// The elements of `bytes`, which are all of the zipmap.
    ///
    /// # Errors
    /// When count or end mark are missing.
    pub fn new(bytes: &'a [u8]) -> Result<Elements<'a>, BadData> {
        let (&count, rest) = bytes.split_first().ok_or(BadData)?;
        match rest.split_last() {
            Some((&END, rest)) => Ok(Elements {
                rest,
                expected: (count < WIDE).then_some(count),
                value: false,
            }),
            _ => Err(BadData),
        }
    }

    fn step(&mut self) -> Option<Element<'a>> {
        let (&first, rest) = self.rest.split_first()?;
        let (len, rest) = match first {
            END => return None,
            WIDE => {
                let (len, rest) = rest.split_first_chunk()?;
                (usize::try_from(u32::from_le_bytes(*len)).ok()?, rest)
            }
            len => (usize::from(len), rest),
        };
        let (spare, rest) = if self.value {
            let (&spare, rest) = rest.split_first()?;
            (usize::from(spare), rest)
        } else {
            if let Some(expected) = &mut self.expected {
                *expected = expected.checked_sub(1)?;
            }
            (0, rest)
        };
        let (text, rest) = rest.split_at_checked(len)?;
        self.rest = rest.get(spare..)?;
        self.value = !self.value;
        Some(Element::Bytes(text))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, BadData>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            let missing = self.expected.take().is_some_and(|n| n > 0);
            let odd = std::mem::take(&mut self.value);
            return (missing || odd).then_some(Err(BadData));
        }
        let step = self.step().ok_or(BadData);
        if step.is_err() {
            *self = Elements {
                rest: &[],
                expected: None,
                value: false,
            };
        }
        Some(step)
    }
}
