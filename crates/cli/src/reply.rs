//! Replies as they came, numbers included: what is printed has to be what was sent.
//!
//! The client's own values hold doubles as numbers, which forgets how they were written.

use ochre_resp::parse_i64;

/// One value of RESP2 or RESP3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Status(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    /// As it was written.
    Double(Vec<u8>),
    Bulk(Vec<u8>),
    /// Without its format.
    Verbatim(Vec<u8>),
    Nil,
    Boolean(bool),
    BigNumber(Vec<u8>),
    Array(Vec<Reply>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
}

impl Reply {
    /// Takes apart the bytes of one whole value that a [`FrameDecoder`](ochre_resp::FrameDecoder) has accepted, which
    /// bounds the depth. Attributes are dropped: they describe the value that is given. `None` for anything else.
    pub(crate) fn parse(wire: &[u8]) -> Option<Reply> {
        let mut rest = wire;
        take(&mut rest)
    }

    /// The bytes of any kind of string.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Status(b) | Reply::Bulk(b) | Reply::Verbatim(b) | Reply::Error(b) => Some(b),
            _ => None,
        }
    }

    /// The text of any kind of string, what is no UTF-8 replaced.
    pub(crate) fn text(&self) -> Option<String> {
        self.bytes()
            .map(|b| String::from_utf8_lossy(b).into_owned())
    }

    /// A number, whether it came as one or as a string.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Reply::Integer(n) => Some(*n),
            other => other.bytes().and_then(parse_i64),
        }
    }

    /// The elements of any list.
    pub(crate) fn items(&self) -> Option<&[Reply]> {
        match self {
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => Some(items),
            _ => None,
        }
    }

    /// Pairs: of a map, or of a list of alternating names and values, which is RESP2's way.
    pub(crate) fn pairs(&self) -> Vec<(&Reply, &Reply)> {
        match self {
            Reply::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
            other => other
                .items()
                .unwrap_or_default()
                .chunks_exact(2)
                .map(|pair| (&pair[0], &pair[1]))
                .collect(),
        }
    }

    /// The value of a name among the [`pairs`](Self::pairs).
    pub(crate) fn get(&self, name: &str) -> Option<&Reply> {
        let pairs = self.pairs();
        let found = pairs
            .into_iter()
            .find(|(n, _)| n.bytes() == Some(name.as_bytes()));
        found.map(|(_, value)| value)
    }

    /// Whether it is an error.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }
}

/// The line at the front, without its type and its end.
fn line<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let end = rest.windows(2).position(|w| w == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    let (&tag, text) = line.split_first()?;
    Some((tag, text))
}

fn take(rest: &mut &[u8]) -> Option<Reply> {
    let (tag, text) = line(rest)?;
    Some(match tag {
        b'+' => Reply::Status(text.to_vec()),
        b'-' => Reply::Error(text.to_vec()),
        b':' => Reply::Integer(parse_i64(text.strip_prefix(b"+").unwrap_or(text))?),
        b',' => Reply::Double(text.to_vec()),
        b'#' => Reply::Boolean(text == b"t"),
        b'(' => Reply::BigNumber(text.to_vec()),
        b'_' => Reply::Nil,
        _ if text == b"-1" => Reply::Nil,
        b'$' | b'!' | b'=' => {
            let payload = payload(rest, text)?;
            match tag {
                b'$' => Reply::Bulk(payload.to_vec()),
                b'!' => Reply::Error(payload.to_vec()),
                _ => Reply::Verbatim(payload.get(4..)?.to_vec()),
            }
        }
        b'*' => Reply::Array(list(rest, text)?),
        b'~' => Reply::Set(list(rest, text)?),
        b'>' => Reply::Push(list(rest, text)?),
        b'%' => Reply::Map(pairs(rest, text)?),
        b'|' => {
            pairs(rest, text)?;
            take(rest)?
        }
        _ => return None,
    })
}

fn length(text: &[u8]) -> Option<usize> {
    usize::try_from(parse_i64(text)?).ok()
}

fn payload<'a>(rest: &mut &'a [u8], text: &[u8]) -> Option<&'a [u8]> {
    let len = length(text)?;
    let payload = rest.get(..len)?;
    *rest = rest.get(len + 2..)?;
    Some(payload)
}

fn list(rest: &mut &[u8], text: &[u8]) -> Option<Vec<Reply>> {
    (0..length(text)?).map(|_| take(rest)).collect()
}

fn pairs(rest: &mut &[u8], text: &[u8]) -> Option<Vec<(Reply, Reply)>> {
    let pair = |rest: &mut &[u8]| Some((take(rest)?, take(rest)?));
    (0..length(text)?).map(|_| pair(rest)).collect()
}
