// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `bitmap`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use super::words::{BitcountUnit, BitopOperation};

declare! {
    /// Counts the set bits of a string or of a range of it.
    ///
    /// `BITCOUNT key [start end [BYTE | BIT]]`
    ///
    /// Since 2.6.0. O(N).
    everywhere bitcount Bitcount ["BITCOUNT"]
    (key: impl Arg) -> i64;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Bitcount, R> {
    /// `start end [BYTE | BIT]`
    pub fn range(self, start: i64, end: i64, unit: Option<BitcountUnit>) -> Self {
        self.option(0, |r| {
            start.add_to(r);
            end.add_to(r);
            if let Some(unit) = unit {
                    unit.add_to(r);
            }
        })
    }
}

declare! {
    /// Reads, sets and increments integer fields of any width in a string.
    ///
    /// `BITFIELD key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>> [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>> ...]]`
    ///
    /// Since 3.2.0. O(1) for each subcommand specified.
    everywhere bitfield Bitfield ["BITFIELD"]
    (key: impl Arg) -> Vec<Option<i64>>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, Bitfield, R> {
    /// `<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>> [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>> ...]`
    pub fn operation(self, operation: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in operation {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Reads integer fields of any width in a string.
    ///
    /// `BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]`
    ///
    /// Since 6.0.0. O(1) for each subcommand specified.
    everywhere bitfield_ro BitfieldRo ["BITFIELD_RO"]
    (key: impl Arg) -> Vec<Option<i64>>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, BitfieldRo, R> {
    /// `GET encoding offset [GET encoding offset ...]`
    pub fn get(self, get_block: impl IntoIterator<Item = (impl Arg, i64)>) -> Self {
        self.option(0, |r| {
            for one in get_block {
                r.push(b"GET");
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Combines strings bit by bit and stores the result.
    ///
    /// `BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]`
    ///
    /// Since 2.6.0. O(N).
    everywhere bitop Bitop ["BITOP"]
    (operation: BitopOperation, destkey: impl Arg, key: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with(operation).with(destkey).with_all(key)
}

declare! {
    /// Finds the first set or the first clear bit of a string or of a range of it.
    ///
    /// `BITPOS key bit [start [end [BYTE | BIT]]]`
    ///
    /// Since 2.8.7. O(N).
    everywhere bitpos Bitpos ["BITPOS"]
    (key: impl Arg, bit: i64) -> i64;
    call => call.with(key).with(bit).gap(0)
}

impl<E, R> Call<E, Bitpos, R> {
    /// `start [end [BYTE | BIT]]`
    pub fn range(self, start: i64, end_unit_block: Option<impl IntoIterator<Item = impl Arg>>) -> Self {
        self.option(0, |r| {
            start.add_to(r);
            if let Some(end_unit_block) = end_unit_block {
                    for one in end_unit_block {
                one.add_to(r);
            }
            }
        })
    }
}

declare! {
    /// Returns one bit of a string.
    ///
    /// `GETBIT key offset`
    ///
    /// Since 2.2.0. O(1).
    everywhere getbit Getbit ["GETBIT"]
    (key: impl Arg, offset: i64) -> i64;
    call => call.with(key).with(offset)
}

declare! {
    /// Sets or clears one bit of a string, creating or lengthening it with zeros as needed.
    ///
    /// `SETBIT key offset value`
    ///
    /// Since 2.2.0. O(1).
    everywhere setbit Setbit ["SETBIT"]
    (key: impl Arg, offset: i64, value: i64) -> i64;
    call => call.with(key).with(offset).with(value)
}
