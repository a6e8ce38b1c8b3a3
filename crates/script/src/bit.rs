//! The library `bit`: operations on 32-bit integers, as LuaBitOp defines them.

use ochre_lua::{Args, Native, Raise, Stack};

pub(crate) const FUNCTIONS: &[(&str, Native)] = &[
    ("tobit", |args, stack| give(stack, integer(args, 1)?)),
    ("tohex", to_hex),
    ("bnot", |args, stack| give(stack, !integer(args, 1)?)),
    ("band", |args, stack| fold(args, stack, |a, b| a & b)),
    ("bor", |args, stack| fold(args, stack, |a, b| a | b)),
    ("bxor", |args, stack| fold(args, stack, |a, b| a ^ b)),
    ("lshift", |args, stack| shift(args, stack, |a, n| a << n)),
    ("rshift", |args, stack| shift(args, stack, |a, n| a >> n)),
    ("arshift", |args, stack| {
        shift(args, stack, |a, n| (a.cast_signed() >> n).cast_unsigned())
    }),
    ("rol", |args, stack| shift(args, stack, u32::rotate_left)),
    ("ror", |args, stack| shift(args, stack, u32::rotate_right)),
    ("bswap", |args, stack| {
        give(stack, integer(args, 1)?.swap_bytes())
    }),
];

/// The low 32 bits of a number rounded to an integer.
///
/// compat: LuaBitOp adds 1.5 times 2 to the 52nd and takes the low bits of the mantissa, which shows for huge numbers.
fn bits(number: f64) -> u32 {
    #[allow(clippy::cast_possible_truncation)] // the low half is what is wanted
    let low = (number + 6_755_399_441_055_744.0).to_bits() as u32;
    low
}

fn integer(args: Args<'_>, index: i32) -> Result<u32, Raise> {
    args.check_number(index).map(bits)
}

fn give(stack: &mut Stack<'_>, value: u32) -> Result<u32, Raise> {
    stack.push_number(f64::from(value.cast_signed()))?;
    Ok(1)
}

fn fold(args: Args<'_>, stack: &mut Stack<'_>, join: fn(u32, u32) -> u32) -> Result<u32, Raise> {
    let mut value = integer(args, 1)?;
    // compat: from the last one on, which shows in what is complained of.
    for index in (2..=args.len()).rev() {
        value = join(value, integer(args, index)?);
    }
    give(stack, value)
}

fn shift(args: Args<'_>, stack: &mut Stack<'_>, by: fn(u32, u32) -> u32) -> Result<u32, Raise> {
    let value = integer(args, 1)?;
    let distance = integer(args, 2)? & 31;
    give(stack, by(value, distance))
}

fn to_hex(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    let value = integer(args, 1)?;
    let digits = if args.len() < 2 || args.kind(2) == ochre_lua::Kind::None {
        8
    } else {
        integer(args, 2)?.cast_signed()
    };
    let text = if digits < 0 {
        format!("{value:08X}")
    } else {
        format!("{value:08x}")
    };
    let shown = usize::try_from(digits.unsigned_abs()).unwrap_or(8).min(8);
    stack.push_bytes(&text.as_bytes()[8 - shown..])?;
    Ok(1)
}
