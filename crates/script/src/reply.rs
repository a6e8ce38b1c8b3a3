//! Replies of commands to Lua values, straight from their bytes.
//!
//! RESP2: an integer is a number, a string a string, a status `{ok=…}`, an error `{err=…}`, an array a table, null is
//! false. RESP3 has null as nil, booleans, `{double=…}`, `{map={…}}`, `{set={…}}` with members as keys, `{big_number=…}`
//! and `{verbatim_string={string=…,format=…}}`; attributes are skipped.

use ochre_lua::{Kind, Raise, Stack};

/// Replies of Ochre nest a few levels; a deeper one is a defect of a command.
const DEPTH_MAX: usize = 64;

/// The field of an error that was counted when its command failed.
const COUNTED: &str = "ignore_error_stats_update";

/// Pushes the value of the reply that `bytes` is.
pub(crate) fn push(stack: &mut Stack<'_>, bytes: &[u8]) -> Result<(), Raise> {
    let mut reader = Reader { rest: bytes };
    stack.ensure(8, "reached lua stack limit")?;
    reader.value(stack, DEPTH_MAX)
}

/// Pushes the table of an error: its text, code included.
pub(crate) fn push_error(stack: &mut Stack<'_>, text: &[u8], counted: bool) -> Result<(), Raise> {
    stack.new_table(0, 2)?;
    let table = stack.top();
    stack.push_bytes(text)?;
    stack.set_field(table, "err")?;
    if counted {
        stack.push_boolean(true)?;
        stack.set_field(table, COUNTED)?;
    }
    Ok(())
}

/// Whether the error in the table at `table` is one of a command, which was counted when that failed.
pub(crate) fn is_counted(stack: &mut Stack<'_>, table: i32) -> Result<bool, Raise> {
    let kind = stack.field(table, COUNTED)?;
    let counted = kind == Kind::Boolean && stack.boolean(stack.top());
    stack.pop(1);
    Ok(counted)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The rest of the line, without its end.
    fn line(&mut self) -> Result<&'a [u8], Raise> {
        let end = self
            .rest
            .iter()
            .position(|byte| *byte == b'\r')
            .ok_or_else(broken)?;
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        Ok(line)
    }

    fn integer(&mut self) -> Result<i64, Raise> {
        ochre_resp::parse_i64(self.line()?).ok_or_else(broken)
    }

    /// A length, or `None` for null.
    fn len(&mut self) -> Result<Option<usize>, Raise> {
        Ok(usize::try_from(self.integer()?).ok())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Raise> {
        let taken = self.rest.get(..len).ok_or_else(broken)?;
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        Ok(taken)
    }

    fn value(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        let (&tag, rest) = self.rest.split_first().ok_or_else(broken)?;
        if depth == 0 {
            return Err(broken());
        }
        self.rest = rest;
        match tag {
            b'$' => match self.len()? {
                Some(len) => stack.push_bytes(self.take(len)?),
                None => stack.push_boolean(false),
            },
            #[allow(clippy::cast_precision_loss)] // Lua's numbers are doubles
            b':' => stack.push_number(self.integer()? as f64),
            b'+' => wrapped(stack, "ok", self.line()?),
            b'-' => push_error(stack, self.line()?, true),
            b'*' | b'>' => match self.len()? {
                Some(len) => self.array(stack, len, depth),
                None => stack.push_boolean(false),
            },
            b'_' => {
                self.line()?;
                stack.nil()
            }
            b'#' => stack.push_boolean(self.line()? == b"t"),
            b',' => {
                let number = double(self.line()?).ok_or_else(broken)?;
                stack.new_table(0, 1)?;
                let table = stack.top();
                stack.push_number(number)?;
                stack.set_field(table, "double")
            }
            b'(' => wrapped(stack, "big_number", self.line()?),
            b'=' => {
                let len = self.len()?.ok_or_else(broken)?;
                self.verbatim(stack, len)
            }
            b'%' | b'~' => {
                let len = self.len()?.ok_or_else(broken)?;
                self.pairs(stack, len, depth, tag == b'%')
            }
            b'|' => {
                let len = self.len()?.ok_or_else(broken)?;
                let top = stack.top();
                for _ in 0..len.saturating_mul(2) {
                    self.value(stack, depth - 1)?;
                    stack.truncate(top);
                }
                self.value(stack, depth)
            }
            _ => Err(broken()),
        }
    }

    fn array(&mut self, stack: &mut Stack<'_>, len: usize, depth: usize) -> Result<(), Raise> {
        // Each element takes at least three bytes, so that no length makes more be allocated than there is.
        let room = len.min(self.rest.len() / 3 + 1);
        // compat: with nils among the items, the length operator tells how a table grew; Redis's grow from nothing.
        let grown = self.rest.contains(&b'_');
        stack.new_table(if grown { 0 } else { room }, 0)?;
        let table = stack.top();
        for item in 1..=i32::try_from(len).map_err(|_| broken())? {
            self.value(stack, depth - 1)?;
            stack.fill(table, item)?;
        }
        Ok(())
    }

    fn pairs(
        &mut self,
        stack: &mut Stack<'_>,
        len: usize,
        depth: usize,
        map: bool,
    ) -> Result<(), Raise> {
        stack.new_table(0, 1)?;
        let outer = stack.top();
        stack.new_table(0, 0)?;
        let table = stack.top();
        for _ in 0..len {
            self.value(stack, depth - 1)?;
            if map {
                self.value(stack, depth - 1)?;
            } else {
                stack.push_boolean(true)?;
            }
            if stack.kind(table + 1) == Kind::Nil {
                return Err(broken());
            }
            stack.raw_set(table)?;
        }
        stack.set_field(outer, if map { "map" } else { "set" })
    }

    fn verbatim(&mut self, stack: &mut Stack<'_>, len: usize) -> Result<(), Raise> {
        let content = self.take(len)?;
        let (format, text) = content.split_at_checked(4).ok_or_else(broken)?;
        stack.new_table(0, 1)?;
        let outer = stack.top();
        stack.new_table(0, 2)?;
        let table = stack.top();
        stack.push_bytes(text)?;
        stack.set_field(table, "string")?;
        stack.push_bytes(&format[..3])?;
        stack.set_field(table, "format")?;
        stack.set_field(outer, "verbatim_string")
    }
}

#[cold]
fn broken() -> Raise {
    Raise::text("ERR internal: a reply cannot be read")
}

fn wrapped(stack: &mut Stack<'_>, name: &str, text: &[u8]) -> Result<(), Raise> {
    stack.new_table(0, 1)?;
    let table = stack.top();
    stack.push_bytes(text)?;
    stack.set_field(table, name)
}

fn double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
