//! Values to JSON, with a stack of open tables of its own.

use super::{CONVERT, ENCODE_DEPTH, ENCODE_INVALID, PRECISION, RATIO, SAFE, get};
use ochre_lua::{Args, Kind, Raise, Stack, general};

struct Config {
    convert: bool,
    ratio: f64,
    safe: f64,
    depth: usize,
    precision: usize,
    invalid: i64,
}

/// A table that is being written.
struct Open {
    table: i32,
    /// Items of an array, of which `next` is to come; for an object its key lies above the table.
    items: Option<i32>,
    next: i32,
}

pub(super) fn encode(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    if args.len() != 1 {
        return Err(Raise::argument(1, "expected 1 argument"));
    }
    let config = Config::of(stack)?;
    let mut out = Vec::with_capacity(64);
    stack.copy(1)?;
    let mut open: Vec<Open> = Vec::new();
    write(stack, &mut out, &mut open, &config)?;
    while let Some(last) = open.last_mut() {
        if !last.advance(stack, &mut out, &config)? {
            open.pop();
            // The table itself.
            stack.pop(1);
            continue;
        }
        write(stack, &mut out, &mut open, &config)?;
    }
    stack.charge(out.len() / 8);
    stack.push_bytes(&out)?;
    Ok(1)
}

impl Config {
    fn of(stack: &mut Stack<'_>) -> Result<Config, Raise> {
        stack.push_bound()?;
        let table = stack.top();
        #[allow(clippy::cast_precision_loss)] // small integers
        let config = Config {
            convert: get(stack, table, CONVERT)? != 0,
            ratio: get(stack, table, RATIO)? as f64,
            safe: get(stack, table, SAFE)? as f64,
            depth: usize::try_from(get(stack, table, ENCODE_DEPTH)?).unwrap_or(0),
            precision: usize::try_from(get(stack, table, PRECISION)?).unwrap_or(14),
            invalid: get(stack, table, ENCODE_INVALID)?,
        };
        stack.pop(1);
        Ok(config)
    }
}

impl Open {
    /// Pushes the next value, its comma and key written; false after the last, the bracket written.
    fn advance(
        &mut self,
        stack: &mut Stack<'_>,
        out: &mut Vec<u8>,
        config: &Config,
    ) -> Result<bool, Raise> {
        let first = self.next == 0;
        self.next = self.next.saturating_add(1);
        match self.items {
            Some(items) => {
                if self.next > items {
                    out.push(b']');
                    return Ok(false);
                }
                if !first {
                    out.push(b',');
                }
                stack.item(self.table, self.next)?;
            }
            None => {
                if first {
                    stack.nil()?;
                }
                if !stack.next(self.table)? {
                    out.push(b'}');
                    return Ok(false);
                }
                if !first {
                    out.push(b',');
                }
                let key = self.table + 1;
                match stack.kind(key) {
                    Kind::Number => {
                        out.push(b'"');
                        number(out, stack.number(key).unwrap_or_default(), config)?;
                        out.push(b'"');
                    }
                    Kind::String => string(out, stack.bytes(key).unwrap_or_default()),
                    kind => {
                        return Err(cannot(kind, "table key must be a number or string"));
                    }
                }
                out.push(b':');
            }
        }
        Ok(true)
    }
}

/// Writes the value on top and drops it; a table stays, and is opened.
fn write(
    stack: &mut Stack<'_>,
    out: &mut Vec<u8>,
    open: &mut Vec<Open>,
    config: &Config,
) -> Result<(), Raise> {
    let top = stack.top();
    match stack.kind(top) {
        Kind::String => {
            let bytes = stack.bytes(top).unwrap_or_default();
            stack.afford(out.len() + bytes.len())?;
            string(out, bytes);
        }
        Kind::Number => number(out, stack.number(top).unwrap_or_default(), config)?,
        Kind::Boolean if stack.boolean(top) => out.extend_from_slice(b"true"),
        Kind::Boolean => out.extend_from_slice(b"false"),
        Kind::Nil => out.extend_from_slice(b"null"),
        Kind::Light if stack.is_null(top) => out.extend_from_slice(b"null"),
        Kind::Table => {
            let depth = open.len() + 1;
            let nesting = format!("Cannot serialise, excessive nesting ({depth})");
            if depth > config.depth {
                return Err(Raise::at(nesting));
            }
            stack.ensure(4, &nesting)?;
            stack.afford(out.len())?;
            let items = items(stack, top, config)?;
            out.push(if items.is_some() { b'[' } else { b'{' });
            open.push(Open {
                table: top,
                items,
                next: 0,
            });
            return Ok(());
        }
        kind => return Err(cannot(kind, "type not supported")),
    }
    stack.pop(1);
    Ok(())
}

fn cannot(kind: Kind, reason: &str) -> Raise {
    Raise::at(format!("Cannot serialise {}: {reason}", kind.name()))
}

/// The number of items, if the table is an array: it has nothing but positive integers as keys, and at least one.
fn items(
    stack: &mut Stack<'_>,
    table: i32,
    config: &Config,
) -> Result<std::option::Option<i32>, Raise> {
    let (mut count, mut largest) = (0.0, 0.0f64);
    stack.nil()?;
    while stack.next(table)? {
        stack.pop(1);
        let key = stack.top();
        match stack.number(key) {
            Some(number)
                if number >= 1.0 && number.trunc() == number && number <= f64::from(i32::MAX) =>
            {
                largest = largest.max(number);
                count += 1.0;
            }
            _ => {
                stack.pop(1);
                return Ok(None);
            }
        }
    }
    if config.ratio > 0.0 && largest > count * config.ratio && largest > config.safe {
        if !config.convert {
            return Err(cannot(Kind::Table, "excessively sparse array"));
        }
        return Ok(None);
    }
    #[allow(clippy::cast_possible_truncation)] // compared above
    Ok((largest > 0.0).then_some(largest as i32))
}

fn number(out: &mut Vec<u8>, value: f64, config: &Config) -> Result<(), Raise> {
    if value.is_finite() {
        general(out, value, config.precision);
        return Ok(());
    }
    match config.invalid {
        0 => return Err(cannot(Kind::Number, "must not be NaN or Inf")),
        1 if value.is_nan() => out.extend_from_slice(b"nan"),
        1 => general(out, value, config.precision),
        _ => out.extend_from_slice(b"null"),
    }
    Ok(())
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'"' | b'\\' | b'/' => byte,
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=31 | 127 => 0,
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        if escape == 0 {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}
