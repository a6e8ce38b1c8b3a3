//! The library `cjson`: JSON as lua-cjson 2.1.0 writes and reads it.
//!
//! Each table of functions (`cjson` and what `cjson.new` gives) has a configuration of its own, a Lua table that its
//! functions are bound to; it lives as long as the virtual machine.

mod decode;
mod encode;
mod number;

use ochre_lua::{Args, Kind, Native, Raise, Stack};

const FUNCTIONS: &[(&str, Native)] = &[
    ("encode", encode::encode),
    ("decode", decode::decode),
    ("encode_sparse_array", |args, stack| {
        options(
            args,
            stack,
            &[
                Option::Choice(CONVERT, SWITCH),
                Option::Integer(RATIO, 0, INT_MAX),
                Option::Integer(SAFE, 0, INT_MAX),
            ],
        )
    }),
    ("encode_max_depth", |args, stack| {
        options(args, stack, &[Option::Integer(ENCODE_DEPTH, 1, INT_MAX)])
    }),
    ("decode_max_depth", |args, stack| {
        options(args, stack, &[Option::Integer(DECODE_DEPTH, 1, INT_MAX)])
    }),
    ("encode_number_precision", |args, stack| {
        options(args, stack, &[Option::Integer(PRECISION, 1, 14)])
    }),
    ("encode_keep_buffer", |args, stack| {
        options(args, stack, &[Option::Choice(KEEP, SWITCH)])
    }),
    ("encode_invalid_numbers", |args, stack| {
        options(
            args,
            stack,
            &[Option::Choice(ENCODE_INVALID, &["off", "on", "null"])],
        )
    }),
    ("decode_invalid_numbers", |args, stack| {
        options(args, stack, &[Option::Choice(DECODE_INVALID, SWITCH)])
    }),
];

const INT_MAX: i64 = i32::MAX as i64;
const SWITCH: &[&str] = &["off", "on"];

// Items of the configuration.
const CONVERT: i32 = 1;
const RATIO: i32 = 2;
const SAFE: i32 = 3;
const ENCODE_DEPTH: i32 = 4;
const DECODE_DEPTH: i32 = 5;
const PRECISION: i32 = 6;
const KEEP: i32 = 7;
const ENCODE_INVALID: i32 = 8;
const DECODE_INVALID: i32 = 9;
const DEFAULTS: [f64; 9] = [0.0, 2.0, 10.0, 1000.0, 1000.0, 14.0, 1.0, 0.0, 1.0];

/// Pushes a table of functions with a configuration of their own.
pub(crate) fn library(stack: &mut Stack<'_>) -> Result<(), Raise> {
    stack.new_table(0, FUNCTIONS.len() + 4)?;
    let table = stack.top();
    stack.new_table(DEFAULTS.len(), 0)?;
    let config = stack.top();
    for (at, value) in DEFAULTS.iter().enumerate() {
        stack.push_number(*value)?;
        stack.set_item(config, at + 1)?;
    }
    for (name, function) in FUNCTIONS {
        stack.copy(config)?;
        stack.bind_native(*function)?;
        stack.set_field(table, name)?;
    }
    stack.pop(1);
    stack.push_native(new)?;
    stack.set_field(table, "new")?;
    stack.push_null()?;
    stack.set_field(table, "null")?;
    stack.push_bytes(b"cjson")?;
    stack.set_field(table, "_NAME")?;
    stack.push_bytes(b"2.1.0")?;
    stack.set_field(table, "_VERSION")
}

fn new(_: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    library(stack)?;
    Ok(1)
}

/// An item of the configuration that a function sets and tells.
enum Option {
    /// A number within bounds.
    Integer(i32, i64, i64),
    /// One of some words, of which the first two are also false and true.
    Choice(i32, &'static [&'static str]),
}

fn options(args: Args<'_>, stack: &mut Stack<'_>, options: &[Option]) -> Result<u32, Raise> {
    let most = i32::try_from(options.len()).unwrap_or(0);
    if args.len() > most {
        return Err(Raise::argument(most + 1, "found too many arguments"));
    }
    stack.push_bound()?;
    let config = stack.top();
    let mut arg = 0;
    for option in options {
        arg += 1;
        let given = !matches!(args.kind(arg), Kind::None | Kind::Nil);
        match option {
            Option::Integer(item, least, most) => {
                if given {
                    #[allow(clippy::cast_possible_truncation)] // Lua's cast
                    let value = i64::from(args.check_number(arg)? as i32);
                    if value < *least || value > *most {
                        let text = format!("expected integer between {least} and {most}");
                        return Err(Raise::argument(arg, text));
                    }
                    set(stack, config, *item, value)?;
                }
                stack.item(config, *item)?;
            }
            Option::Choice(item, words) => {
                if given {
                    let value = choice(args, arg, words)?;
                    set(stack, config, *item, value)?;
                }
                let value = get(stack, config, *item)?;
                match words.get(usize::try_from(value).unwrap_or(0)) {
                    Some(word) if value > 1 => stack.push_bytes(word.as_bytes())?,
                    _ => stack.push_boolean(value == 1)?,
                }
            }
        }
    }
    Ok(u32::try_from(options.len()).unwrap_or(0))
}

fn choice(args: Args<'_>, arg: i32, words: &[&str]) -> Result<i64, Raise> {
    if args.kind(arg) == Kind::Boolean {
        return Ok(i64::from(args.boolean(arg)));
    }
    let word = args.check_text(arg)?;
    let at = words.iter().position(|known| known.as_bytes() == &*word);
    at.and_then(|at| i64::try_from(at).ok()).ok_or_else(|| {
        let mut text = b"invalid option '".to_vec();
        text.extend_from_slice(&word);
        text.push(b'\'');
        Raise::Argument(arg, text)
    })
}

#[allow(clippy::cast_possible_truncation)] // the values are small integers
fn get(stack: &mut Stack<'_>, config: i32, item: i32) -> Result<i64, Raise> {
    stack.item(config, item)?;
    let value = stack.number(stack.top()).unwrap_or_default() as i64;
    stack.pop(1);
    Ok(value)
}

fn set(stack: &mut Stack<'_>, config: i32, item: i32, value: i64) -> Result<(), Raise> {
    #[allow(clippy::cast_precision_loss)] // the values are small integers
    stack.push_number(value as f64)?;
    stack.set_item(config, usize::try_from(item).unwrap_or(0))
}
