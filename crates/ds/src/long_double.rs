//! C `long double`, the type in which INCRBYFLOAT and HINCRBYFLOAT add.
//!
//! On x86-64 that is the 80-bit x87 format, on most 64-bit ARM systems IEEE quad; Rust has neither,
//! and adding in `f64` gives other digits than Redis: it answers 0.3 for 0.1 + 0.2.
//!
//! Invariants:
//! - A `LongDouble` is never NaN when it came from `parse` or `From<i64>`; sums may be.
//! - Text never exceeds [`TEXT_LIMIT`] bytes in either direction, and all buffers are on the stack.
//! - The process's locale has no influence.
//!
//! Cost: about a microsecond for a sum with its text, nearly all of it the C library's printing.
//! Source: observed replies of Redis 7.0.15; 17 decimals, trailing zeros removed.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::ffi::{c_char, c_int};

/// Longest number text in bytes, exclusive; longer input is refused.
///
/// The largest `long double`, about 1e4932, prints as 4951 bytes.
pub const TEXT_LIMIT: usize = 5 * 1024;

/// A C `long double`, opaque.
#[derive(Clone, Copy)]
pub struct LongDouble([u8; 16]);

/// Why [`add_text`] gave no sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongDoubleError {
    /// The current value is not a number.
    CurrentNotFloat,
    /// The increment is not a number.
    IncrementNotFloat,
    /// The sum is NaN or infinite.
    NanOrInfinity,
}

unsafe extern "C" {
    fn ochre_long_double_parse(text: *const c_char, length: usize, out: *mut u8) -> c_int;
    fn ochre_long_double_from_i64(value: i64, out: *mut u8);
    fn ochre_long_double_add(a: *const u8, b: *const u8, out: *mut u8);
    fn ochre_long_double_subtract(a: *const u8, b: *const u8, out: *mut u8);
    fn ochre_long_double_is_less(a: *const u8, b: *const u8) -> c_int;
    fn ochre_long_double_times_up(value: *const u8, factor: i64, out: *mut i64) -> c_int;
    fn ochre_long_double_largest(out: *mut u8);
    fn ochre_long_double_is_finite(value: *const u8) -> c_int;
    fn ochre_long_double_print(value: *const u8, out: *mut c_char, capacity: usize) -> c_int;
}

impl LongDouble {
    /// Reads a number as `strtold` does, if it is all of `text`.
    ///
    /// Decimal, hexadecimal and infinity are accepted; NaN, leading white space, an empty or
    /// overlong text, and numbers too large or too small for the type are not.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut out = [0; 16];
        // SAFETY: `text` is readable for its length, and C refuses lengths that exceed its own
        // copy; `out` has the 16 bytes that C writes.
        let ok =
            unsafe { ochre_long_double_parse(text.as_ptr().cast(), text.len(), out.as_mut_ptr()) };
        (ok == 1).then_some(Self(out))
    }

    /// Whether this is neither NaN nor an infinity.
    pub fn is_finite(self) -> bool {
        // SAFETY: C reads at most the 16 bytes of `self.0`.
        unsafe { ochre_long_double_is_finite(self.0.as_ptr()) == 1 }
    }

    /// The sum of the two, rounded to the type.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut out = [0; 16];
        // SAFETY: C reads at most the 16 bytes of each argument and writes the 16 of `out`.
        unsafe { ochre_long_double_add(self.0.as_ptr(), other.0.as_ptr(), out.as_mut_ptr()) };
        Self(out)
    }

    /// The difference of the two, rounded to the type.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let mut out = [0; 16];
        // SAFETY: C reads at most the 16 bytes of each argument and writes the 16 of `out`.
        unsafe { ochre_long_double_subtract(self.0.as_ptr(), other.0.as_ptr(), out.as_mut_ptr()) };
        Self(out)
    }

    /// Whether this is below `other`; false when either is NaN.
    #[must_use]
    pub fn is_less_than(self, other: Self) -> bool {
        // SAFETY: C reads at most the 16 bytes of each argument.
        unsafe { ochre_long_double_is_less(self.0.as_ptr(), other.0.as_ptr()) == 1 }
    }

    /// The product with `factor`, rounded to the type and then up to a whole number.
    ///
    /// # Errors
    /// On which side of all `i64` it is.
    pub fn times_up(self, factor: i64) -> Result<i64, Ordering> {
        let mut product = 0;
        // SAFETY: C reads at most the 16 bytes of `self.0` and writes `product`.
        let side = unsafe { ochre_long_double_times_up(self.0.as_ptr(), factor, &mut product) };
        match side {
            0 => Ok(product),
            ..0 => Err(Ordering::Less),
            _ => Err(Ordering::Greater),
        }
    }

    /// The largest finite number of the type.
    pub fn largest() -> Self {
        let mut out = [0; 16];
        // SAFETY: `out` has the 16 bytes that C writes.
        unsafe { ochre_long_double_largest(out.as_mut_ptr()) };
        Self(out)
    }

    /// The number with at most 17 decimals, no exponent, no trailing zeros, and zero without a
    /// sign.
    ///
    /// What is not finite prints as `inf`, `-inf` or `nan`.
    pub fn to_text(self) -> Vec<u8> {
        let mut buffer = [0u8; TEXT_LIMIT];
        // SAFETY: C writes at most `buffer.len()` bytes into `buffer` and reads 16 of `self.0`.
        let length = unsafe {
            ochre_long_double_print(self.0.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
        };
        let length =
            usize::try_from(length).expect("TEXT_LIMIT holds the longest number of the type");
        let mut text = &buffer[..length];
        if text.contains(&b'.') {
            while let [rest @ .., b'0'] = text {
                text = rest;
            }
            text = text.strip_suffix(b".").unwrap_or(text);
        }
        match text {
            b"-0" => b"0".to_vec(),
            b"-nan" => b"nan".to_vec(),
            _ => text.to_vec(),
        }
    }
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> Self {
        let mut out = [0; 16];
        // SAFETY: `out` has the 16 bytes that C writes.
        unsafe { ochre_long_double_from_i64(value, out.as_mut_ptr()) };
        Self(out)
    }
}

/// Adds two numbers given as text, and gives the sum as text: all that INCRBYFLOAT computes.
///
/// # Errors
/// The first of: `current` is no number, `increment` is none, the sum is not finite.
pub fn add_text(current: &[u8], increment: &[u8]) -> Result<Vec<u8>, LongDoubleError> {
    let current = LongDouble::parse(current).ok_or(LongDoubleError::CurrentNotFloat)?;
    let increment = LongDouble::parse(increment).ok_or(LongDoubleError::IncrementNotFloat)?;
    let sum = current.plus(increment);
    if sum.is_finite() {
        Ok(sum.to_text())
    } else {
        Err(LongDoubleError::NanOrInfinity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(current: &str, increment: &str) -> Result<String, LongDoubleError> {
        add_text(current.as_bytes(), increment.as_bytes())
            .map(|text| String::from_utf8(text).expect("a number is ASCII"))
    }

    #[test]
    fn sums_print_as_redis_prints_them() {
        for (current, increment, expected) in [
            ("0.1", "0.2", "0.3"),
            ("3.0e3", "200.1", "3200.10000000000000009"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0", "-0", "0"),
            ("-1", "1", "0"),
            ("-0.0", "-0.0", "0"),
            ("1e-18", "0", "0"),
            ("0", "0x1p-3", "0.125"),
            ("100", "0", "100"),
            ("9223372036854775807", "1", "9223372036854775808"),
        ] {
            assert_eq!(
                sum(current, increment).as_deref(),
                Ok(expected),
                "{current} + {increment}"
            );
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        use LongDoubleError::*;
        for text in [
            "", " 1", "1 ", "\t1", "1x", "nan", "-nan", "1e5000", "1e-5000", "0x", "1e", "--1",
            "1\0",
        ] {
            assert_eq!(sum(text, "1"), Err(CurrentNotFloat), "{text:?}");
            assert_eq!(sum("1", text), Err(IncrementNotFloat), "{text:?}");
        }
        assert_eq!(sum("inf", "1"), Err(NanOrInfinity));
        assert_eq!(sum("inf", "-inf"), Err(NanOrInfinity));
        assert_eq!(sum("1e4932", "1e4932"), Err(NanOrInfinity));
    }

    #[test]
    fn lengths_are_bounded() {
        let longest = "1".repeat(TEXT_LIMIT - 1);
        assert_eq!(
            sum(&longest, "1"),
            Err(LongDoubleError::CurrentNotFloat),
            "over the range"
        );
        let padded = format!("{}7", "0".repeat(TEXT_LIMIT - 2));
        assert_eq!(sum(&padded, "1").as_deref(), Ok("8"));
        assert_eq!(
            sum(&format!("0{padded}"), "1"),
            Err(LongDoubleError::CurrentNotFloat)
        );
        let large = sum("-1e4932", "0").expect("within the range of an 80-bit long double");
        assert_eq!(large.len(), 4934);
    }

    #[test]
    fn integers_convert_exactly() {
        for value in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            assert_eq!(
                LongDouble::from(value).to_text(),
                value.to_string().into_bytes()
            );
        }
    }
    #[test]
    fn products_are_rounded_up() {
        let product = |text: &str| LongDouble::parse(text.as_bytes()).map(|n| n.times_up(1000));
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("0.0001", Ok(1)),
            ("1e-4000", Ok(1)),
            ("-1e-4000", Ok(0)),
            ("-0.0009", Ok(0)),
            ("-0.0011", Ok(-1)),
            ("0.5", Ok(500)),
            ("1e15", Ok(1_000_000_000_000_000_000)),
            ("1e16", Err(Ordering::Greater)),
            ("-1e16", Err(Ordering::Less)),
            ("inf", Err(Ordering::Greater)),
            ("-inf", Err(Ordering::Less)),
        ] {
            assert_eq!(product(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn the_order_agrees_with_the_numbers() {
        let largest = LongDouble::largest();
        let lowest = LongDouble::from(0).minus(largest);
        let (one, two) = (LongDouble::from(1), LongDouble::from(2));
        assert!(lowest.is_less_than(one) && one.is_less_than(two) && two.is_less_than(largest));
        assert!(!one.is_less_than(one) && !two.is_less_than(one));
        assert!(largest.is_finite() && lowest.is_finite() && !largest.plus(largest).is_finite());
        assert!(largest.is_less_than(largest.plus(largest)));
        assert_eq!(one.minus(two).to_text(), b"-1");
    }
}
