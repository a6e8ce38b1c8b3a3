//! Requests: a command's words in their wire form, and what can be a word.

use bytes::Bytes;
use smallvec::SmallVec;
use std::time::Duration;

/// Bytes of a request that need no allocation.
const INLINE: usize = 128;
/// Room in front for `*<count>CRLF` with any 32-bit count.
const HEAD: usize = 13;

/// What can be an argument of a command: strings, byte strings and numbers.
pub trait Arg {
    /// Appends the argument to a request.
    fn add_to(&self, request: &mut Cmd);
}

/// A request: a command and its arguments, of any kind and number.
///
/// ```
/// let request = ochre_client::cmd("SET").arg("key").arg(42).arg("EX").arg(60);
/// assert_eq!(request.to_string(), "SET key 42 EX 60");
/// ```
#[derive(Clone)]
pub struct Cmd {
    /// The arguments in wire form, behind room for the count.
    wire: SmallVec<[u8; INLINE]>,
    args: u32,
    timeout: Option<Duration>,
}

/// A request for `command`, which may have several words (`"CONFIG GET"`).
#[must_use]
pub fn cmd(command: &str) -> Cmd {
    let mut request = Cmd::empty();
    for word in command.split_ascii_whitespace() {
        request.push(word.as_bytes());
    }
    request
}

impl Cmd {
    pub(crate) fn empty() -> Cmd {
        let mut wire = SmallVec::new();
        wire.extend_from_slice(&[0; HEAD]);
        Cmd {
            wire,
            args: 0,
            timeout: None,
        }
    }

    /// Appends an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Arg) -> Cmd {
        arg.add_to(&mut self);
        self
    }

    /// Appends several arguments.
    #[must_use]
    pub fn args<A: Arg>(mut self, args: impl IntoIterator<Item = A>) -> Cmd {
        for arg in args {
            arg.add_to(&mut self);
        }
        self
    }

    /// Waits for the answer no longer than this, instead of the client's own limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Cmd {
        self.timeout = Some(timeout);
        self
    }

    /// Appends the bytes of one argument.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        let len = bytes.len();
        self.wire.reserve(len + 16);
        self.wire.push(b'$');
        if len < 10 {
            self.wire.push(digit(len));
        } else if len < 100 {
            self.wire
                .extend_from_slice(&[digit(len / 10), digit(len % 10)]);
        } else {
            let mut text = itoa::Buffer::new();
            self.wire.extend_from_slice(text.format(len).as_bytes());
        }
        self.wire.extend_from_slice(b"\r\n");
        self.wire.extend_from_slice(bytes);
        self.wire.extend_from_slice(b"\r\n");
        self.args += 1;
    }

    /// Number of words, the command's included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.args as usize
    }

    /// Whether it has no words, not even a command's. The server ignores such a request, so it is never sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.args == 0
    }

    /// Its words in order.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.wire[HEAD..];
        std::iter::from_fn(move || {
            let line = rest.iter().position(|b| *b == b'\r')?;
            let len: usize = std::str::from_utf8(&rest[1..line]).ok()?.parse().ok()?;
            let word = &rest[line + 2..line + 2 + len];
            rest = &rest[line + 4 + len..];
            Some(word)
        })
    }

    pub(crate) fn own_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Writes the count before the arguments. Gives the whole wire form.
    #[inline]
    pub(crate) fn finish(&mut self) -> &[u8] {
        let start = self.write_head();
        &self.wire[start..]
    }

    fn write_head(&mut self) -> usize {
        let mut text = itoa::Buffer::new();
        let digits = text.format(self.args).as_bytes();
        let start = HEAD - 3 - digits.len();
        self.wire[start] = b'*';
        self.wire[start + 1..HEAD - 2].copy_from_slice(digits);
        self.wire[HEAD - 2..HEAD].copy_from_slice(b"\r\n");
        start
    }

    /// Appends the wire form to `out`.
    pub(crate) fn encode(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.finish());
    }

    /// The wire form without a copy of the arguments.
    pub(crate) fn take_wire(&mut self) -> Vec<u8> {
        let start = self.write_head();
        let mut wire = std::mem::take(&mut self.wire).into_vec();
        // The count takes at most a few bytes less than its room: moving is cheaper than a second buffer.
        wire.drain(..start);
        wire
    }

    /// Bytes of the wire form, within a few.
    pub(crate) fn wire_len(&self) -> usize {
        self.wire.len()
    }

    /// Appends the arguments of another request.
    pub(crate) fn append(&mut self, other: &Cmd) {
        self.wire.extend_from_slice(&other.wire[HEAD..]);
        self.args += other.args;
    }

    /// The request without its first `words` words, to be appended to another.
    pub(crate) fn tail(&self, words: usize) -> Cmd {
        let mut rest = Cmd::empty();
        for word in self.words().skip(words) {
            rest.push(word);
        }
        rest
    }

    /// Appends the number of arguments and the arguments.
    pub(crate) fn push_counted<A: Arg>(&mut self, args: impl IntoIterator<Item = A>) {
        let rest = Cmd::empty().args(args);
        rest.args.add_to(self);
        self.append(&rest);
    }

    /// Where the next argument goes, for [`Cmd::insert`].
    pub(crate) fn mark(&self) -> usize {
        self.wire.len()
    }

    /// Moves what follows `mark` behind what `add` appends. Gives how many bytes that was.
    pub(crate) fn insert(&mut self, mark: usize, add: impl FnOnce(&mut Cmd)) -> usize {
        let end = self.wire.len();
        add(self);
        let added = self.wire.len() - end;
        self.wire[mark..].rotate_right(added);
        added
    }
}

#[inline]
fn digit(n: usize) -> u8 {
    b"0123456789"[n % 10]
}

/// The words, with quotes where redis-cli would need them.
impl std::fmt::Display for Cmd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, word) in self.words().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            let plain = !word.is_empty() && word.iter().all(|b| b.is_ascii_graphic() && *b != b'"');
            if plain {
                f.write_str(&String::from_utf8_lossy(word))?;
            } else {
                write!(f, "\"{}\"", word.escape_ascii())?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Cmd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cmd({self})")
    }
}

macro_rules! bytes_arg {
    ($($type:ty),*) => {$(
        impl Arg for $type {
            #[inline]
            fn add_to(&self, request: &mut Cmd) {
                let bytes: &[u8] = self.as_ref();
                request.push(bytes);
            }
        }
    )*};
}

bytes_arg!(str, String, [u8], Vec<u8>, Bytes, bytes::BytesMut);

impl Arg for std::borrow::Cow<'_, str> {
    fn add_to(&self, request: &mut Cmd) {
        request.push(self.as_bytes());
    }
}

impl<const N: usize> Arg for [u8; N] {
    #[inline]
    fn add_to(&self, request: &mut Cmd) {
        request.push(self);
    }
}

macro_rules! integer_arg {
    ($($type:ty),*) => {$(
        impl Arg for $type {
            #[inline]
            fn add_to(&self, request: &mut Cmd) {
                request.push(itoa::Buffer::new().format(*self).as_bytes());
            }
        }
    )*};
}

integer_arg!(
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize
);

impl Arg for f64 {
    fn add_to(&self, request: &mut Cmd) {
        let mut text = Vec::new();
        ochre_resp::write_double(&mut text, *self);
        request.push(&text);
    }
}

impl Arg for f32 {
    fn add_to(&self, request: &mut Cmd) {
        // The shortest decimal of the narrower type, not that of its widened value.
        request.push(self.to_string().as_bytes());
    }
}

impl<A: Arg + ?Sized> Arg for &A {
    #[inline]
    fn add_to(&self, request: &mut Cmd) {
        (**self).add_to(request);
    }
}

/// Nothing if there is nothing.
impl<A: Arg> Arg for Option<A> {
    fn add_to(&self, request: &mut Cmd) {
        if let Some(arg) = self {
            arg.add_to(request);
        }
    }
}

/// Two arguments, such as a field and its value.
impl<A: Arg, B: Arg> Arg for (A, B) {
    fn add_to(&self, request: &mut Cmd) {
        self.0.add_to(request);
        self.1.add_to(request);
    }
}

/// Three arguments.
impl<A: Arg, B: Arg, C: Arg> Arg for (A, B, C) {
    fn add_to(&self, request: &mut Cmd) {
        self.0.add_to(request);
        self.1.add_to(request);
        self.2.add_to(request);
    }
}

#[cfg(test)]
mod tests {
    use super::cmd;
    use crate::commands;

    #[test]
    fn the_wire_form() {
        let mut request = cmd("CONFIG GET")
            .arg("max*")
            .arg(-5)
            .arg(1.5)
            .arg(b"\0\r\n");
        assert_eq!(
            request.finish(),
            b"*6\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$4\r\nmax*\r\n$2\r\n-5\r\n$3\r\n1.5\r\n$3\r\n\0\r\n\r\n"
        );
        let mut long = cmd("X")
            .arg("y".repeat(100))
            .args((0..1000).map(|i| i % 10));
        let whole = long.finish().to_vec();
        assert!(whole.starts_with(b"*1002\r\n$1\r\nX\r\n$100\r\nyyy"));
        assert_eq!(long.words().count(), 1002);
        assert_eq!(long.take_wire(), whole);
    }

    #[test]
    fn options_go_to_their_place() {
        let text = |call: crate::Cmd| call.to_string();
        assert_eq!(
            text(commands::set("k", "v").ex(5).nx().into()),
            "SET k v EX 5 NX"
        );
        assert_eq!(
            text(commands::zadd("z", [(1.0, "m")]).nx().ch().into()),
            "ZADD z NX CH 1 m"
        );
        assert_eq!(text(cmd("SET").arg("a b").arg("")), "SET \"a b\" \"\"");
    }
}
