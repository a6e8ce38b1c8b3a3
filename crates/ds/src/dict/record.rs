//! The encoding of one record of a dictionary, described in the parent module.
//!
//! A record lies in a slot that may be longer than it. Reading a slot that holds no record gives some
//! bytes of the slot, never more: offsets are clamped.

/// Keys of up to this many bytes have their length in the first byte.
const SHORT_KEY: usize = 126;
const WITH_VALUE: u8 = 0x80;
const LONG: u8 = 0xFF;
const VALUE_U16: u8 = 0xFE;
const VALUE_U32: u8 = 0xFF;

/// A record's parts.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    slot: &'a [u8],
    key_at: usize,
    key_len: usize,
    value_len: usize,
}

impl<'a> Record<'a> {
    #[inline]
    pub(super) fn new(slot: &'a [u8]) -> Record<'a> {
        let (key_at, key_len, value_len) = match slot {
            [first @ 0x01..=0x7F, ..] => (1, usize::from(*first) - 1, 0),
            [LONG, rest @ ..] => long(rest),
            [first, len, rest @ ..] => {
                let key_len = usize::from(first & !WITH_VALUE);
                match *len {
                    VALUE_U16 => (4, key_len, number(rest, 2)),
                    VALUE_U32 => (6, key_len, number(rest, 4)),
                    short => (2, key_len, usize::from(short)),
                }
            }
            _ => (0, 0, 0),
        };
        Record {
            slot,
            key_at,
            key_len,
            value_len,
        }
    }

    #[inline]
    pub(super) fn key(&self) -> &'a [u8] {
        self.slot
            .get(self.key_at..self.key_at + self.key_len)
            .unwrap_or(&[])
    }

    #[inline]
    pub(super) fn value(&self) -> &'a [u8] {
        let at = self.key_at + self.key_len;
        self.slot.get(at..at + self.value_len).unwrap_or(&[])
    }
}

#[cold]
fn long(rest: &[u8]) -> (usize, usize, usize) {
    (9, number(rest, 4), number(rest.get(4..).unwrap_or(&[]), 4))
}

/// The number in the first `width` bytes.
#[inline]
fn number(bytes: &[u8], width: usize) -> usize {
    let mut wide = [0; 8];
    if let Some(digits) = bytes.get(..width) {
        wide[..width].copy_from_slice(digits);
    }
    // Lossless: four bytes at most.
    u64::from_le_bytes(wide) as usize
}

fn header_len(key: usize, value: usize) -> usize {
    match (key, value) {
        (0..=SHORT_KEY, 0) => 1,
        (0..=SHORT_KEY, 1..0xFE) => 2,
        (0..=SHORT_KEY, 0xFE..=0xFFFF) => 4,
        (0..=SHORT_KEY, _) => 6,
        _ => 9,
    }
}

/// Bytes of the record; `None` when they are more than an arena takes.
pub(super) fn size(key: &[u8], value: &[u8]) -> Option<usize> {
    let size =
        (header_len(key.len(), value.len()).checked_add(key.len())?).checked_add(value.len())?;
    u32::try_from(size).is_ok().then_some(size)
}

/// Writes the record into a slot of at least its size.
pub(super) fn write(slot: &mut [u8], key: &[u8], value: &[u8]) {
    let head = header_len(key.len(), value.len());
    // Lossless throughout: the size of a record fits in u32, and each case says what else it fits in.
    let (k, v) = (
        (key.len() as u32).to_le_bytes(),
        (value.len() as u32).to_le_bytes(),
    );
    match head {
        1 => slot[0] = k[0] + 1,
        2 => slot[..2].copy_from_slice(&[WITH_VALUE | k[0], v[0]]),
        4 => slot[..4].copy_from_slice(&[WITH_VALUE | k[0], VALUE_U16, v[0], v[1]]),
        6 => {
            slot[..2].copy_from_slice(&[WITH_VALUE | k[0], VALUE_U32]);
            slot[2..6].copy_from_slice(&v);
        }
        _ => {
            slot[0] = LONG;
            slot[1..5].copy_from_slice(&k);
            slot[5..9].copy_from_slice(&v);
        }
    }
    let value_at = head + key.len();
    slot[head..value_at].copy_from_slice(key);
    slot[value_at..value_at + value.len()].copy_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_all_forms_read_back() {
        for key in [0, 1, 15, 126, 127, 128, 300, 70_000] {
            for value in [0, 1, 253, 254, 255, 65_535, 65_536] {
                let (key, value) = (vec![7; key], vec![9; value]);
                let size = size(&key, &value).unwrap();
                let mut slot = vec![0xAA; size + 5];
                write(&mut slot, &key, &value);
                assert_ne!(slot[0], 0);
                let record = Record::new(&slot);
                assert_eq!((record.key(), record.value()), (&key[..], &value[..]));
                assert_eq!(slot[size..], [0xAA; 5]);
            }
        }
        assert_eq!(size(b"fifteen byte id", b""), Some(16));
    }

    #[test]
    fn slots_without_a_record_are_harmless() {
        for slot in [
            &[][..],
            &[0],
            &[0x80],
            &[0x90, 3],
            &[0xFE, 0xFF, 1],
            &[0xFF; 12],
        ] {
            let record = Record::new(slot);
            assert!(record.key().len() + record.value().len() <= slot.len());
        }
    }
}
