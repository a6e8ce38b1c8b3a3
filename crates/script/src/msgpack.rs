//! The library `cmsgpack`: MessagePack, as lua-cmsgpack 0.4.0 writes and reads it.
//!
//! Reading keeps its own stack of open tables: what is nested is bounded by Lua's stack, not by that of the thread.

use ochre_lua::{Args, Kind, Native, Raise, Stack};

pub(crate) const FUNCTIONS: &[(&str, Native)] = &[
    ("pack", pack),
    ("unpack", unpack),
    ("unpack_one", unpack_one),
    ("unpack_limit", unpack_limit),
];

/// Tables nested deeper are written as nil.
const NESTING_MAX: usize = 16;

fn pack(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    if args.is_empty() {
        return Err(Raise::argument(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for index in 1..=args.len() {
        stack.ensure(4, "stack overflow (in function mp_encode_lua_type)")?;
        stack.copy(index)?;
        encode(stack, &mut out, 0)?;
        stack.pop(1);
    }
    stack.charge(out.len() / 8);
    stack.push_bytes(&out)?;
    Ok(1)
}

/// Appends the value on top, and leaves it there.
fn encode(stack: &mut Stack<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Raise> {
    let top = stack.top();
    match stack.kind(top) {
        Kind::String => {
            let bytes = stack.bytes(top).unwrap_or_default();
            stack.afford(out.len() + bytes.len())?;
            string(out, bytes);
        }
        Kind::Boolean => out.push(if stack.boolean(top) { 0xC3 } else { 0xC2 }),
        Kind::Number => number(out, stack.number(top).unwrap_or_default()),
        Kind::Table if depth < NESTING_MAX => table(stack, out, depth)?,
        _ => out.push(0xC0),
    }
    Ok(())
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = bytes.len();
    match u32::try_from(len).unwrap_or(u32::MAX) {
        n @ 0..=31 => out.push(0xA0 | n.to_be_bytes()[3]),
        n @ 32..=0xFF => out.extend_from_slice(&[0xD9, n.to_be_bytes()[3]]),
        n => header(out, n, 0xDA),
    }
    out.extend_from_slice(bytes);
}

/// A count of 16 bits behind `short`, or of 32 behind the byte that follows it.
fn header(out: &mut Vec<u8>, n: u32, short: u8) {
    match u16::try_from(n) {
        Ok(n) => {
            out.push(short);
            out.extend_from_slice(&n.to_be_bytes());
        }
        Err(_) => {
            out.push(short + 1);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

fn number(out: &mut Vec<u8>, value: f64) {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::float_cmp,
        clippy::cast_precision_loss
    )]
    if value.abs() <= 9_223_372_036_854_775_808.0
        && value.trunc() == value
        && value != 9_223_372_036_854_775_808.0
    {
        return integer(out, value as i64);
    }
    #[allow(clippy::cast_possible_truncation, clippy::float_cmp)]
    // whether it is exact is the question
    if f64::from(value as f32) == value {
        out.push(0xCA);
        out.extend_from_slice(&(value as f32).to_be_bytes());
    } else {
        out.push(0xCB);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn integer(out: &mut Vec<u8>, value: i64) {
    let bytes = value.to_be_bytes();
    let (tag, width) = match value {
        -32..=0x7F => return out.push(bytes[7]),
        0x80..=0xFF => (0xCC, 1),
        0x100..=0xFFFF => (0xCD, 2),
        0x1_0000..=0xFFFF_FFFF => (0xCE, 4),
        0x1_0000_0000.. => (0xCF, 8),
        -0x80..=-33 => (0xD0, 1),
        -0x8000..=-0x81 => (0xD1, 2),
        -0x8000_0000..=-0x8001 => (0xD2, 4),
        _ => (0xD3, 8),
    };
    out.push(tag);
    out.extend_from_slice(&bytes[8 - width..]);
}

/// Pairs of the table on top, and whether they are the items from 1 on.
fn shape(stack: &mut Stack<'_>) -> Result<(u32, bool), Raise> {
    let table = stack.top();
    let (mut count, mut largest, mut items) = (0u32, 0.0f64, true);
    stack.nil()?;
    while stack.next(table)? {
        stack.pop(1);
        count += 1;
        let key = stack.top();
        match stack.number(key) {
            Some(number) if number > 0.0 && number.trunc() == number => {
                largest = largest.max(number)
            }
            _ => items = false,
        }
    }
    #[allow(clippy::float_cmp)] // both are integers
    let array = items && largest == f64::from(count);
    Ok((count, array))
}

fn table(stack: &mut Stack<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Raise> {
    let table = stack.top();
    stack.ensure(4, "stack overflow (in function mp_encode_lua_table)")?;
    stack.afford(out.len())?;
    let (count, array) = shape(stack)?;
    let small = u8::try_from(count).ok().filter(|n| *n < 16);
    match (array, small) {
        (true, Some(n)) => out.push(0x90 | n),
        (true, None) => header(out, count, 0xDC),
        (false, Some(n)) => out.push(0x80 | n),
        (false, None) => header(out, count, 0xDE),
    }
    if array {
        for item in 1..=i32::try_from(count).unwrap_or(i32::MAX) {
            stack.item(table, item)?;
            encode(stack, out, depth + 1)?;
            stack.pop(1);
        }
        return Ok(());
    }
    stack.nil()?;
    while stack.next(table)? {
        let key = stack.top() - 1;
        stack.copy(key)?;
        encode(stack, out, depth + 1)?;
        stack.pop(1);
        encode(stack, out, depth + 1)?;
        stack.pop(1);
    }
    Ok(())
}

fn unpack(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    decode(args, stack, 0, 0)
}

fn unpack_one(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    let offset = optional(args, 2)?;
    decode(args, stack, 1, offset)
}

fn unpack_limit(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    args.check_text(1)?;
    let limit = integral(args.check_number(2)?);
    let offset = optional(args, 3)?;
    decode(args, stack, limit, offset)
}

#[allow(clippy::cast_possible_truncation)] // compat: C's cast
fn integral(number: f64) -> i64 {
    i64::from(number as i32)
}

fn optional(args: Args<'_>, index: i32) -> Result<i64, Raise> {
    match args.kind(index) {
        Kind::None | Kind::Nil => Ok(0),
        _ => args.check_number(index).map(integral),
    }
}

fn decode(args: Args<'_>, stack: &mut Stack<'_>, limit: i64, offset: i64) -> Result<u32, Raise> {
    let input = args.check_text(1)?;
    let len = input.len();
    if offset < 0 || limit < 0 {
        return Err(Raise::at(format!(
            "Invalid request to unpack with offset of {offset} and limit of {len}."
        )));
    }
    let Some(rest) = usize::try_from(offset).ok().and_then(|at| input.get(at..)) else {
        return Err(Raise::at(format!(
            "Start offset {offset} greater than input length {len}."
        )));
    };
    let all = limit == 0 && offset == 0;
    let first = stack.top() + 1;
    let mut reader = Reader { rest };
    let mut count = 0;
    while !reader.rest.is_empty() && (all || i64::from(count) < limit) {
        stack.ensure(2, "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)")?;
        reader.value(stack)?;
        count += 1;
    }
    stack.charge(len / 8);
    if !all {
        #[allow(clippy::cast_precision_loss)] // a position in a string
        let next = if reader.rest.is_empty() {
            -1.0
        } else {
            (len - reader.rest.len()) as f64
        };
        stack.push_number(next)?;
        stack.insert(first);
        count += 1;
    }
    Ok(count)
}

/// A table that misses items.
struct Open {
    table: i32,
    left: u32,
    map: bool,
    /// The next item's number.
    item: usize,
    /// A map's key lies above the table.
    key: bool,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, n: usize) -> Result<&[u8], Raise> {
        let taken = self
            .rest
            .get(..n)
            .ok_or_else(|| Raise::at("Missing bytes in input."))?;
        self.rest = &self.rest[n..];
        Ok(taken)
    }

    fn unsigned(&mut self, width: usize) -> Result<u64, Raise> {
        Ok(self
            .take(width)?
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    fn signed(&mut self, width: usize) -> Result<i64, Raise> {
        let unused = 64 - 8 * width;
        Ok((self.unsigned(width)? << unused).cast_signed() >> unused)
    }

    /// Pushes one value.
    fn value(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        let mut open: Vec<Open> = Vec::new();
        let mut arrays = 0;
        loop {
            if let Some(table) = self.element(stack)? {
                // compat: in lua-cmsgpack an open array takes a slot for its index too, which limits the nesting.
                let (place, indexes) = if table.map { ("hash", 0) } else { ("array", 1) };
                let slots = arrays + 1 + indexes;
                stack.ensure(
                    slots,
                    &format!("stack overflow (in function mp_decode_to_lua_{place})"),
                )?;
                arrays += indexes;
                if table.left > 0 {
                    open.push(table);
                    continue;
                }
                arrays -= indexes;
            }
            // A whole value goes into the table that waits for it, which may thereby become one.
            loop {
                let Some(waiting) = open.last_mut() else {
                    return Ok(());
                };
                waiting.add(stack)?;
                if waiting.left > 0 {
                    break;
                }
                arrays -= i32::from(!waiting.map);
                open.pop();
            }
        }
    }

    /// Reads one element: pushes a scalar, or an empty table that is to be filled.
    fn element(&mut self, stack: &mut Stack<'_>) -> Result<Option<Open>, Raise> {
        let tag = self.take(1)?[0];
        #[allow(clippy::cast_precision_loss)] // Lua's numbers are doubles
        match tag {
            0x00..=0x7F => stack.push_number(f64::from(tag))?,
            0xE0..=0xFF => stack.push_number(f64::from(tag.cast_signed()))?,
            0xCC => stack.push_number(self.unsigned(1)? as f64)?,
            0xCD => stack.push_number(self.unsigned(2)? as f64)?,
            0xCE => stack.push_number(self.unsigned(4)? as f64)?,
            // compat: an unsigned integer of 64 bits is read as a signed one.
            0xCF | 0xD3 => stack.push_number(self.signed(8)? as f64)?,
            0xD0 => stack.push_number(self.signed(1)? as f64)?,
            0xD1 => stack.push_number(self.signed(2)? as f64)?,
            0xD2 => stack.push_number(self.signed(4)? as f64)?,
            0xC0 => stack.nil()?,
            0xC2 | 0xC3 => stack.push_boolean(tag == 0xC3)?,
            0xCA => {
                let bits = u32::try_from(self.unsigned(4)?).unwrap_or_default();
                stack.push_number(f64::from(f32::from_bits(bits)))?;
            }
            0xCB => stack.push_number(f64::from_bits(self.unsigned(8)?))?,
            0xA0..=0xBF => stack.push_bytes(self.take(usize::from(tag & 0x1F))?)?,
            0xD9..=0xDB => {
                let len = self.unsigned(1 << (tag - 0xD9))?;
                stack.push_bytes(self.take(usize::try_from(len).unwrap_or(usize::MAX))?)?;
            }
            0x90..=0x9F => return self.open(stack, u32::from(tag & 0x0F), false).map(Some),
            0x80..=0x8F => return self.open(stack, u32::from(tag & 0x0F), true).map(Some),
            0xDC..=0xDF => {
                let count = self.unsigned(if tag & 1 == 0 { 2 } else { 4 })?;
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                return self.open(stack, count, tag >= 0xDE).map(Some);
            }
            _ => return Err(Raise::at("Bad data format in input.")),
        }
        Ok(None)
    }

    fn open(&mut self, stack: &mut Stack<'_>, count: u32, map: bool) -> Result<Open, Raise> {
        stack.new_table(0, 0)?;
        Ok(Open {
            table: stack.top(),
            left: count,
            map,
            item: 1,
            key: false,
        })
    }
}

impl Open {
    /// Takes the value on top.
    fn add(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        if !self.map {
            stack.set_item(self.table, self.item)?;
            self.item += 1;
            self.left -= 1;
        } else if self.key {
            let key = self.table + 1;
            if stack.kind(key) == Kind::Nil {
                return Err(Raise::text("table index is nil"));
            }
            if stack.number(key).is_some_and(f64::is_nan) {
                return Err(Raise::text("table index is NaN"));
            }
            stack.raw_set(self.table)?;
            self.key = false;
            self.left -= 1;
        } else {
            self.key = true;
        }
        Ok(())
    }
}
