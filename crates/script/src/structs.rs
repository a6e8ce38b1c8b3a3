//! The library `struct`: numbers and strings in the layout of C structures, by a format string.
//!
//! Formats: `>` `<` big and little end first, `!n` alignment, `b` `B` `h` `H` `l` `L` `T` `i`n `I`n integers, `f` `d`
//! floating point, `s` a string up to NUL, `c`n n characters (`c0`: all, or as many as the number before says), `x` a byte.

use ochre_lua::{Args, Native, Raise, Stack};

pub(crate) const FUNCTIONS: &[(&str, Native)] =
    &[("pack", pack), ("unpack", unpack), ("size", size)];

/// Bytes that an integer may have.
const INTEGER_MAX: usize = 32;
/// Alignment that `!` alone stands for.
const ALIGN_MAX: usize = 8;
/// Numbers in a format are at most this.
const NUMBER_MAX: usize = i32::MAX as usize;

/// A position in a format, and what it has switched so far.
struct Format<'a> {
    text: &'a [u8],
    at: usize,
    little: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Format<'a> {
        // compat: the format ends where a C string does.
        let end = text
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(text.len());
        Format {
            text: &text[..end],
            at: 0,
            little: cfg!(target_endian = "little"),
            align: 1,
        }
    }

    /// The next option and its size in bytes.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Raise> {
        let Some(&option) = self.text.get(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INTEGER_MAX {
                    return Err(Raise::at(format!(
                        "integral size {size} is larger than limit of {INTEGER_MAX}"
                    )));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    /// The digits at the current position, or `default`.
    fn number(&mut self, default: usize) -> Result<usize, Raise> {
        let digit = |at: usize| self.text.get(at).filter(|byte| byte.is_ascii_digit());
        if digit(self.at).is_none() {
            return Ok(default);
        }
        let mut value = 0usize;
        let mut at = self.at;
        while let Some(byte) = digit(at) {
            let digit = usize::from(byte - b'0');
            if value > NUMBER_MAX / 10 || value * 10 > NUMBER_MAX - digit {
                return Err(Raise::at("integral size overflow"));
            }
            value = value * 10 + digit;
            at += 1;
        }
        self.at = at;
        Ok(value)
    }

    /// Bytes to skip before a value of `size` at `position`.
    fn padding(&self, size: usize, option: u8, position: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        if size > 1 {
            (size - (position & (size - 1))) & (size - 1)
        } else {
            0
        }
    }

    /// An option that is no value: a switch.
    fn control(&mut self, option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.little = false,
            b'<' => self.little = true,
            b'!' => {
                let align = self.number(ALIGN_MAX)?;
                if !align.is_power_of_two() {
                    return Err(Raise::at(format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            _ => {
                let mut text = b"invalid format option '".to_vec();
                text.push(option);
                text.push(b'\'');
                return Err(Raise::Argument(1, text));
            }
        }
        Ok(())
    }
}

/// A double as C casts it to an integer of 64 bits, on x86-64.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn to_integer(number: f64) -> u64 {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() {
        1 << 63
    } else if number < 0.0 {
        if number >= -TWO_63 {
            (number as i64).cast_unsigned()
        } else {
            1 << 63
        }
    } else if number < 2.0 * TWO_63 {
        number as u64
    } else {
        0
    }
}

fn pack(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    let text = args.check_text(1)?;
    let mut format = Format::new(&text);
    let mut out = Vec::new();
    let mut arg = 2;
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(size, option, out.len());
        out.resize(out.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = to_integer(number(args, arg)?);
                arg += 1;
                put_integer(&mut out, value, size, format.little);
            }
            b'x' => out.push(0),
            b'f' => {
                #[allow(clippy::cast_possible_truncation)] // what `f` is for
                let value = number(args, arg)? as f32;
                arg += 1;
                put(&mut out, &value.to_le_bytes(), format.little);
            }
            b'd' => {
                let value = number(args, arg)?;
                arg += 1;
                put(&mut out, &value.to_le_bytes(), format.little);
            }
            b'c' | b's' => {
                let value = match args.text(arg) {
                    Some(value) => value,
                    None => return Err(missing(args, arg, "string")),
                };
                arg += 1;
                let size = if size == 0 { value.len() } else { size };
                if value.len() < size {
                    return Err(Raise::argument(arg, "string too short"));
                }
                stack.afford(out.len() + size)?;
                out.extend_from_slice(&value[..size]);
                if option == b's' {
                    out.push(0);
                }
            }
            _ => format.control(option)?,
        }
    }
    stack.charge(out.len() / 16);
    stack.push_bytes(&out)?;
    Ok(1)
}

fn number(args: Args<'_>, index: i32) -> Result<f64, Raise> {
    args.to_number(index)
        .ok_or_else(|| missing(args, index, "number"))
}

/// compat: a nil follows the arguments on the stack, and is what a missing one shows as.
fn missing(args: Args<'_>, index: i32, expected: &str) -> Raise {
    if index == args.len() + 1 {
        Raise::argument(index, format!("{expected} expected, got nil"))
    } else {
        args.wrong(index, expected)
    }
}

fn put(out: &mut Vec<u8>, little_bytes: &[u8], little: bool) {
    if little {
        out.extend_from_slice(little_bytes);
    } else {
        out.extend(little_bytes.iter().rev());
    }
}

fn put_integer(out: &mut Vec<u8>, value: u64, size: usize, little: bool) {
    let mut bytes = [0u8; INTEGER_MAX];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    put(out, &bytes[..size], little);
}

fn take_integer(bytes: &[u8], little: bool, signed: bool) -> f64 {
    let mut value = 0u64;
    let mut push = |byte: &u8| value = (value << 8) | u64::from(*byte);
    if little {
        bytes.iter().rev().for_each(&mut push);
    } else {
        bytes.iter().for_each(&mut push);
    }
    #[allow(clippy::cast_precision_loss)] // Lua's numbers are doubles
    if signed {
        let unused = 64 - 8 * bytes.len().min(8);
        if unused >= 64 {
            return 0.0;
        }
        ((value << unused).cast_signed() >> unused) as f64
    } else {
        value as f64
    }
}

fn unpack(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    let text = args.check_text(1)?;
    let data = args.check_text(2)?;
    let from = match args.kind(3) {
        ochre_lua::Kind::None | ochre_lua::Kind::Nil => 1,
        _ => to_integer(args.check_number(3)?),
    };
    if from == 0 {
        return Err(Raise::argument(3, "offset must be 1 or greater"));
    }
    let short = || Raise::argument(2, "data string too short");
    let mut at = usize::try_from(from - 1).map_err(|_| short())?;
    let mut format = Format::new(&text);
    let mut count = 0;
    while let Some((option, mut size)) = format.next()? {
        at = at
            .checked_add(format.padding(size, option, at))
            .ok_or_else(short)?;
        let slice = |size: usize| data.get(at..)?.get(..size);
        let mut bytes = slice(size).ok_or_else(short)?;
        stack.ensure(2, "stack overflow (too many results)")?;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let signed = option.is_ascii_lowercase();
                stack.push_number(take_integer(bytes, format.little, signed))?;
                count += 1;
            }
            b'x' => {}
            b'f' => {
                let mut raw = [0; 4];
                raw.copy_from_slice(bytes);
                let value = if format.little {
                    f32::from_le_bytes(raw)
                } else {
                    f32::from_be_bytes(raw)
                };
                stack.push_number(f64::from(value))?;
                count += 1;
            }
            b'd' => {
                let mut raw = [0; 8];
                raw.copy_from_slice(bytes);
                let value = if format.little {
                    f64::from_le_bytes(raw)
                } else {
                    f64::from_be_bytes(raw)
                };
                stack.push_number(value)?;
                count += 1;
            }
            b'c' => {
                if size == 0 {
                    let top = stack.top();
                    let Some(announced) = (count > 0).then(|| stack.to_number(top)).flatten()
                    else {
                        return Err(Raise::at("format 'c0' needs a previous size"));
                    };
                    size = usize::try_from(to_integer(announced)).map_err(|_| short())?;
                    stack.pop(1);
                    count -= 1;
                    bytes = slice(size).ok_or_else(short)?;
                }
                stack.push_bytes(bytes)?;
                count += 1;
            }
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let Some(end) = rest.iter().position(|byte| *byte == 0) else {
                    return Err(Raise::at("unfinished string in data"));
                };
                stack.push_bytes(&rest[..end])?;
                size = end + 1;
                count += 1;
            }
            _ => format.control(option)?,
        }
        at += size;
    }
    stack.charge(data.len() / 64);
    // compat: a negative offset is told back as one, where nothing was read there.
    #[allow(clippy::cast_precision_loss)] // a position in a string
    stack.push_number((at + 1).cast_signed() as f64)?;
    Ok(count + 1)
}

fn size(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    let text = args.check_text(1)?;
    let mut format = Format::new(&text);
    let mut total = 0usize;
    while let Some((option, size)) = format.next()? {
        total += format.padding(size, option, total);
        if option == b's' {
            return Err(Raise::argument(1, "option 's' has no fixed size"));
        }
        if option == b'c' && size == 0 {
            return Err(Raise::argument(1, "option 'c0' has no fixed size"));
        }
        // compat: an unknown option has size 0 here, and is no error.
        if !option.is_ascii_alphanumeric() {
            format.control(option)?;
        }
        total += size;
    }
    #[allow(clippy::cast_precision_loss)] // far below 2 to the 53rd
    stack.push_number(total as f64)?;
    Ok(1)
}
