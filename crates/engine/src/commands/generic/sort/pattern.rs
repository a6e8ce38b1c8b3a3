//! Patterns of BY and GET: the name of a key, or of a field of a hash, with an element in the place of `*`.
//!
//! Invariant: a pattern is read as Redis reads it, which looks for `*` and `->` up to a NUL only.

use crate::keyspace::Value;

/// Looks up any key of the database.
pub(super) type Others<'f, 'k> = dyn Fn(&[u8]) -> Option<Value<'k>> + 'f;

/// A pattern with an asterisk.
#[derive(Clone, Copy)]
pub(super) struct Pattern<'a> {
    before: &'a [u8],
    after: &'a [u8],
    /// The field of the hash that the key holds; the key holds a string without one.
    field: Option<&'a [u8]>,
}

/// What comes before the first NUL.
pub(super) fn c_string(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}

impl<'a> Pattern<'a> {
    /// `None` without an asterisk: such a pattern names nothing.
    pub(super) fn parse(pattern: &'a [u8]) -> Option<Pattern<'a>> {
        let visible = c_string(pattern);
        let star = visible.iter().position(|b| *b == b'*')?;
        let rest = &pattern[star + 1..];
        let arrow = visible[star + 1..].windows(2).position(|w| w == b"->");
        // An arrow at the end is part of the key's name.
        let arrow = arrow.filter(|at| rest.get(at + 2).is_some_and(|b| *b != 0));
        Some(Pattern {
            before: &pattern[..star],
            after: &rest[..arrow.unwrap_or(rest.len())],
            field: arrow.map(|at| &rest[at + 2..]),
        })
    }

    /// Lends what the pattern names for an element to `found`; `None` where there is nothing, or not of that type.
    pub(super) fn fetch<R>(
        &self,
        element: &[u8],
        other: &Others<'_, '_>,
        found: impl FnOnce(Option<&[u8]>) -> R,
    ) -> R {
        let name: smallvec::SmallVec<[u8; 128]> = [self.before, element, self.after]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        let mut digits = itoa::Buffer::new();
        match (other(&name), self.field) {
            (Some(Value::String(text)), None) => found(Some(text.bytes(&mut digits))),
            (Some(Value::Hash(hash)), Some(field)) => match hash.get(field) {
                Some(value) => found(Some(value.bytes(&mut digits))),
                None => found(None),
            },
            _ => found(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pattern: &str) -> Option<(String, String, Option<String>)> {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let p = Pattern::parse(pattern.as_bytes())?;
        Some((text(p.before), text(p.after), p.field.map(text)))
    }

    fn of(
        before: &str,
        after: &str,
        field: Option<&str>,
    ) -> Option<(String, String, Option<String>)> {
        Some((before.into(), after.into(), field.map(str::to_owned)))
    }

    #[test]
    fn patterns_are_taken_apart() {
        assert_eq!(parts("w_*"), of("w_", "", None));
        assert_eq!(parts("*"), of("", "", None));
        assert_eq!(parts("h:*:x->f"), of("h:", ":x", Some("f")));
        assert_eq!(parts("h:*->"), of("h:", "->", None));
        assert_eq!(parts("h:*->a->b"), of("h:", "", Some("a->b")));
        assert_eq!(parts("a->*b*"), of("a->", "b*", None));
        assert_eq!(parts("nosort"), None);
        assert_eq!(parts(""), None);
        assert_eq!(parts("a\0*"), None);
        assert_eq!(parts("a*\0->f"), of("a", "\0->f", None));
        assert_eq!(parts("a*->\0f"), of("a", "->\0f", None));
    }
}
