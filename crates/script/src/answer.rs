//! Lua values to the reply of the script, with a stack of open tables of its own.
//!
//! A table is what the first of these fields says that it has, metatables aside: `err`, `ok`, `double`, `big_number`,
//! `verbatim_string`, `map`, `set`; otherwise its items up to the first nil.

use crate::reply::is_counted;
use ochre_engine::error::printed;
use ochre_lua::{Kind, Raise, Stack};
use ochre_resp::{Aggregate, Mark, Out, Protocol};

/// A table that is being written, with the mark at which its header goes once its length is known.
enum Open {
    /// Its next item, the items so far.
    Array { table: i32, items: i32, mark: Mark },
    /// Its key lies above it; `value` is to come rather than the next key.
    Pairs {
        table: i32,
        count: usize,
        mark: Mark,
        map: bool,
        value: bool,
    },
}

/// Told of the errors in an answer: their texts, and whether they were counted already.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(&[u8], bool);

/// Writes the value on top and drops it. `resp3`: the script chose RESP3, so that booleans stay booleans.
pub(crate) fn write<S: AsRef<[u8]>>(
    stack: &mut Stack<'_>,
    out: &mut Out<S>,
    resp3: bool,
    tell: Tell<'_>,
) -> Result<(), Raise> {
    let mut open = Vec::new();
    put(stack, out, &mut open, resp3, tell)?;
    while let Some(last) = open.last_mut() {
        if last.advance(stack, out)? {
            put(stack, out, &mut open, resp3, tell)?;
        } else {
            open.pop();
        }
    }
    Ok(())
}

impl Open {
    /// Pushes what is to be written next; false when all is, and the table gone.
    fn advance<S: AsRef<[u8]>>(
        &mut self,
        stack: &mut Stack<'_>,
        out: &mut Out<S>,
    ) -> Result<bool, Raise> {
        match self {
            Open::Array { table, items, mark } => {
                if stack.item(*table, *items + 1)? == Kind::Nil {
                    stack.pop(2);
                    out.insert(
                        *mark,
                        Aggregate::Array,
                        usize::try_from(*items).unwrap_or(0),
                    );
                    return Ok(false);
                }
                *items += 1;
            }
            Open::Pairs {
                table,
                count,
                mark,
                map,
                value,
            } => {
                if *value {
                    // The value lies above its key; the key is written, and stays for the walk.
                    *value = false;
                    return Ok(true);
                }
                if !stack.next(*table)? {
                    // The inner table, and the one it was a field of.
                    stack.pop(2);
                    let kind = if *map { Aggregate::Map } else { Aggregate::Set };
                    out.insert(*mark, kind, *count);
                    return Ok(false);
                }
                *count += 1;
                if *map {
                    *value = true;
                } else {
                    stack.pop(1);
                }
                stack.copy(*table + 1)?;
            }
        }
        Ok(true)
    }
}

/// Writes the value on top and drops it; a table with items stays, and is opened.
fn put<S: AsRef<[u8]>>(
    stack: &mut Stack<'_>,
    out: &mut Out<S>,
    open: &mut Vec<Open>,
    resp3: bool,
    tell: Tell<'_>,
) -> Result<(), Raise> {
    let top = stack.top();
    match stack.kind(top) {
        Kind::String => out.bulk(stack.bytes(top).unwrap_or_default()),
        Kind::Number => out.integer(integer(stack.number(top).unwrap_or_default())),
        Kind::Boolean if resp3 => out.boolean(stack.boolean(top)),
        Kind::Boolean if stack.boolean(top) => out.integer(1),
        Kind::Table => {
            if stack.ensure(5, "").is_err() {
                out.error("ERR reached lua stack limit");
            } else if let Some(opened) = table(stack, out, top, tell)? {
                open.push(opened);
                return Ok(());
            }
        }
        _ => out.null(),
    }
    stack.pop(1);
    Ok(())
}

/// A number as C casts it to an integer of 64 bits.
#[allow(clippy::cast_possible_truncation)]
fn integer(number: f64) -> i64 {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if (-TWO_63..TWO_63).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// Writes the table at `table`, the last value, if it stands for one thing; otherwise opens it.
fn table<S: AsRef<[u8]>>(
    stack: &mut Stack<'_>,
    out: &mut Out<S>,
    table: i32,
    tell: Tell<'_>,
) -> Result<Option<Open>, Raise> {
    // Most tables are arrays; a first item tells nothing, so all names are looked for.
    for name in ["err", "ok", "double"] {
        let kind = stack.field(table, name)?;
        let field = stack.top();
        match (name, kind) {
            // compat: both end at a NUL.
            ("err", Kind::String) => {
                let counted = is_counted(stack, table)?;
                let text = ended(stack.bytes(field).unwrap_or_default());
                tell(text, counted);
                out.error(text);
            }
            ("ok", Kind::String) => out.simple(printed(stack.bytes(field).unwrap_or_default())),
            ("double", Kind::Number) => out.double(stack.number(field).unwrap_or_default()),
            _ => {
                stack.pop(1);
                continue;
            }
        }
        stack.pop(1);
        return Ok(None);
    }
    if stack.field(table, "big_number")? == Kind::String {
        big_number(out, stack.bytes(stack.top()).unwrap_or_default());
        stack.pop(1);
        return Ok(None);
    }
    stack.pop(1);
    if stack.field(table, "verbatim_string")? == Kind::Table {
        let inner = stack.top();
        let format = stack.field(inner, "format")?;
        let text = stack.field(inner, "string")?;
        if (format, text) == (Kind::String, Kind::String) {
            let mut letters = *b"   ";
            let given = stack.bytes(inner + 1).unwrap_or_default();
            letters
                .iter_mut()
                .zip(given)
                .for_each(|(to, from)| *to = *from);
            out.verbatim(&letters, stack.bytes(inner + 2).unwrap_or_default());
            stack.truncate(table);
            return Ok(None);
        }
    }
    stack.truncate(table);
    for map in [true, false] {
        if stack.field(table, if map { "map" } else { "set" })? == Kind::Table {
            let inner = stack.top();
            stack.nil()?;
            let (count, value, mark) = (0, false, out.mark());
            return Ok(Some(Open::Pairs {
                table: inner,
                count,
                mark,
                map,
                value,
            }));
        }
        stack.pop(1);
    }
    let (items, mark) = (0, out.mark());
    Ok(Some(Open::Array { table, items, mark }))
}

/// The text of an error as Redis sends it: a C string, without line ends at its end.
pub(crate) fn ended(text: &[u8]) -> &[u8] {
    let text = printed(text);
    let last = text.iter().rposition(|b| !matches!(b, b'\r' | b'\n'));
    &text[..last.map_or(0, |last| last + 1)]
}

fn big_number<S: AsRef<[u8]>>(out: &mut Out<S>, digits: &[u8]) {
    let clean: Vec<u8> = digits
        .iter()
        .map(|byte| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                *byte
            }
        })
        .collect();
    if out.protocol() == Protocol::Resp2 {
        return out.bulk(&clean);
    }
    // Digits of a script need not be text, which `Out::big_number` takes.
    out.raw(b"(");
    out.raw(&clean);
    out.raw(b"\r\n");
}
