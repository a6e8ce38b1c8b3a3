//! JSON to values, with a stack of open tables of its own.

use super::{DECODE_DEPTH, DECODE_INVALID, get, number};
use ochre_lua::{Args, Raise, Stack};

#[derive(Clone, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(text) => text,
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last token, or the error in it, lies.
    index: usize,
    /// The content of the last string.
    string: Vec<u8>,
    invalid_numbers: bool,
}

/// A table that is being filled; an object's key lies above it while its value is read.
enum Open {
    Array { table: i32, items: usize },
    Object { table: i32 },
}

pub(super) fn decode(args: Args<'_>, stack: &mut Stack<'_>) -> Result<u32, Raise> {
    if args.len() != 1 {
        return Err(Raise::argument(1, "expected 1 argument"));
    }
    let text = args.check_text(1)?;
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(Raise::at("JSON parser does not support UTF-16 or UTF-32"));
    }
    stack.push_bound()?;
    let config = stack.top();
    let depth_max = usize::try_from(get(stack, config, DECODE_DEPTH)?).unwrap_or(0);
    let invalid_numbers = get(stack, config, DECODE_INVALID)? != 0;
    stack.pop(1);
    let mut reader = Reader {
        text: &text,
        at: 0,
        index: 0,
        string: Vec::new(),
        invalid_numbers,
    };
    read(&mut reader, stack, depth_max)?;
    let token = reader.token();
    if token != Token::End {
        return Err(reader.unexpected("the end", &token));
    }
    stack.charge(text.len() / 8);
    Ok(1)
}

/// Pushes one value.
fn read(reader: &mut Reader<'_>, stack: &mut Stack<'_>, depth_max: usize) -> Result<(), Raise> {
    let mut open: Vec<Open> = Vec::new();
    let mut token = reader.token();
    loop {
        match &token {
            Token::String => stack.push_bytes(&reader.string)?,
            Token::Number(number) => stack.push_number(*number)?,
            Token::Boolean(value) => stack.push_boolean(*value)?,
            Token::Null => stack.push_null()?,
            Token::ObjectBegin | Token::ArrayBegin => {
                let depth = open.len() + 1;
                let nested = format!(
                    "Found too many nested data structures ({depth}) at character {}",
                    reader.at
                );
                if depth > depth_max {
                    return Err(Raise::at(nested));
                }
                stack.ensure(4, &nested)?;
                stack.new_table(0, 0)?;
                let table = stack.top();
                let object = token == Token::ObjectBegin;
                token = reader.token();
                if token
                    != if object {
                        Token::ObjectEnd
                    } else {
                        Token::ArrayEnd
                    }
                {
                    if object {
                        token = reader.key(stack, token)?;
                        open.push(Open::Object { table });
                    } else {
                        open.push(Open::Array { table, items: 0 });
                    }
                    continue;
                }
            }
            _ => return Err(reader.unexpected("value", &token)),
        }
        // The value on top goes into the table that waits for it, which may thereby become a value.
        loop {
            let Some(waiting) = open.last_mut() else {
                return Ok(());
            };
            let (end, expected) = match waiting {
                Open::Array { table, items } => {
                    *items += 1;
                    stack.set_item(*table, *items)?;
                    (Token::ArrayEnd, "comma or array end")
                }
                Open::Object { table } => {
                    stack.raw_set(*table)?;
                    (Token::ObjectEnd, "comma or object end")
                }
            };
            token = reader.token();
            if token == end {
                open.pop();
                continue;
            }
            if token != Token::Comma {
                return Err(reader.unexpected(expected, &token));
            }
            token = reader.token();
            if let Some(Open::Object { .. }) = open.last() {
                token = reader.key(stack, token)?;
            }
            break;
        }
    }
}

impl Reader<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn unexpected(&self, expected: &str, token: &Token) -> Raise {
        let (found, place) = (token.name(), self.index + 1);
        Raise::at(format!(
            "Expected {expected} but found {found} at character {place}"
        ))
    }

    /// Pushes the key that `token` is, and gives the first token of its value.
    fn key(&mut self, stack: &mut Stack<'_>, token: Token) -> Result<Token, Raise> {
        if token != Token::String {
            return Err(self.unexpected("object key string", &token));
        }
        stack.push_bytes(&self.string)?;
        let token = self.token();
        if token != Token::Colon {
            return Err(self.unexpected("colon", &token));
        }
        Ok(self.token())
    }

    fn token(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r')
            && self.at < self.text.len()
        {
            self.at += 1;
        }
        self.index = self.at;
        let byte = self.byte(self.at);
        let single = match byte {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            // compat: a NUL ends the text, as it does in C.
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.invalid_numbers && self.is_invalid_number() {
                    return Token::Error("invalid number");
                }
                return self.number();
            }
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let rest = self.text.get(self.at..).unwrap_or_default();
        for (word, token) in [
            (b"true".as_slice(), Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        let begins = matches!(self.byte(self.at), b'+' | b'i' | b'I' | b'n' | b'N');
        if begins && self.invalid_numbers && self.is_invalid_number() {
            return self.number();
        }
        Token::Error("invalid token")
    }

    /// Whether what `strtod` would read here is no number of JSON.
    fn is_invalid_number(&self) -> bool {
        let mut at = self.at;
        if self.byte(at) == b'+' {
            return true;
        }
        if self.byte(at) == b'-' {
            at += 1;
        }
        if self.byte(at) == b'0' {
            return matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9');
        }
        let rest = self.text.get(at..).unwrap_or_default();
        self.byte(at) > b'9'
            && rest.get(..3).is_some_and(|word| {
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            })
    }

    fn number(&mut self) -> Token {
        match number::prefix(self.text.get(self.at..).unwrap_or_default()) {
            Some((number, len)) => {
                self.at += len;
                Token::Number(number)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        self.string.clear();
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0))
                .unwrap_or(rest.len());
            self.string.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.byte(self.at) {
                b'"' => {
                    self.at += 1;
                    return Token::String;
                }
                b'\\' => {
                    let escaped = match self.byte(self.at + 1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            if self.unicode() {
                                continue;
                            }
                            self.index = self.at;
                            return Token::Error("invalid unicode escape code");
                        }
                        _ => {
                            self.index = self.at;
                            return Token::Error("invalid escape code");
                        }
                    };
                    self.string.push(escaped);
                    self.at += 2;
                }
                _ => {
                    self.index = self.at;
                    return Token::Error("unexpected end of string");
                }
            }
        }
    }

    /// Four hexadecimal digits behind `\u` at `at`.
    fn code(&self, at: usize) -> Option<u32> {
        if self.byte(at) != b'\\' || self.byte(at + 1) != b'u' {
            return None;
        }
        let digits = self.text.get(at + 2..at + 6)?;
        digits.iter().try_fold(0, |code, digit| {
            Some(code << 4 | char::from(*digit).to_digit(16)?)
        })
    }

    /// Takes an escaped character, or two halves of one; false where it is none.
    fn unicode(&mut self) -> bool {
        let Some(mut code) = self.code(self.at) else {
            return false;
        };
        let mut len = 6;
        if code & 0xF800 == 0xD800 {
            let low = self.code(self.at + 6).filter(|low| low & 0xFC00 == 0xDC00);
            let (Some(low), 0) = (low, code & 0x400) else {
                return false;
            };
            code = 0x1_0000 + ((code & 0x3FF) << 10 | low & 0x3FF);
            len = 12;
        }
        let Some(character) = char::from_u32(code) else {
            return false;
        };
        self.string
            .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += len;
        true
    }
}
