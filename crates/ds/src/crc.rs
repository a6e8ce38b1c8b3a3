//! CRC-64 in the Jones form, which ends RDB files and DUMP payloads.
//!
//! Polynomial 0xad93d23594c935a9, reflected, starting at zero, nothing inverted: so a sum over
//! parts is continued by passing the last sum in.
//! Cost: carry-less multiplication where the processor has it, tables where not.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of what gave `crc` followed by `bytes`; start with zero.
pub fn crc64(crc: u64, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, crc);
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bit_by_bit(crc: u64, bytes: &[u8]) -> u64 {
        let polynomial = 0xad93_d235_94c9_35a9_u64.reverse_bits();
        bytes.iter().fold(crc, |crc, &byte| {
            (0..8).fold(crc ^ u64::from(byte), |crc, _| {
                crc >> 1 ^ if crc & 1 == 1 { polynomial } else { 0 }
            })
        })
    }

    #[test]
    fn check_value() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(0, b""), 0);
        assert_eq!(crc64(7, b""), 7);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            cut in 0usize..600,
        ) {
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(crc64(0, &bytes), bit_by_bit(0, &bytes));
            prop_assert_eq!(crc64(crc64(0, head), tail), bit_by_bit(0, &bytes));
        }
    }
}
