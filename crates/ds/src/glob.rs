//! Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE and ACL rules match them.
//!
//! `*` any bytes, `?` one byte, `[a-z]` and `[^a-z]` one byte of (not of) a class, `\` takes the
//! next byte as itself.
//!
//! Invariants:
//! - No recursion and no allocation; at most O(pattern × text) steps, because only the last `*` is
//!   ever retried: if what follows it does not match from any later place, no earlier `*` can help.
//! - Odd corners answer as Redis does: an empty text matches only an empty pattern; an unclosed
//!   class ends with the pattern; a lone final `\` is itself; an escape inside a class ignores
//!   `nocase`; class ranges compare as signed bytes and may be reversed; more than [`MAX_STARS`]
//!   stars that have something after them never match.
//!
//! Source: observed answers of Redis 7.0.15 on x86-64 to random patterns.

use memchr::{memchr, memchr2, memchr3};

/// Runs of `*` with something after them that a pattern can match with.
pub const MAX_STARS: usize = 1000;

/// Whether all of `text` matches `pattern`; `nocase` folds ASCII letters.
pub fn glob_match(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t, mut stars) = (0, 0, 0);
    let mut retry: Option<Retry> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p = skip_stars(pattern, p);
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            let Some(next) = Retry::new(pattern, p, nocase).from(text, t) else {
                return false;
            };
            if stars > MAX_STARS {
                return false;
            }
            t = next.start;
            retry = Some(next);
        }
        if p < pattern.len()
            && let Some(next) = match_one(pattern, p, text[t], nocase)
        {
            p = next;
            t += 1;
        } else {
            let Some(next) = retry.and_then(|last| last.from(text, last.start + 1)) else {
                return false;
            };
            p = next.pattern;
            t = next.start;
            retry = Some(next);
        }
    }
    // Each step takes one byte, so starting the last stretch later would run out of text as well.
    skip_stars(pattern, p) == pattern.len()
}

/// Whether `pattern` holds no special byte, and so matches exactly the text equal to it.
pub fn is_literal(pattern: &[u8]) -> bool {
    literal_prefix(pattern).len() == pattern.len()
}

/// The bytes before the first special one; every text that matches (case-sensitively) starts with
/// them.
pub fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let end = memchr3(b'*', b'?', b'[', pattern).unwrap_or(pattern.len());
    let head = &pattern[..end];
    &head[..memchr(b'\\', head).unwrap_or(end)]
}

/// The stretch of pattern after the last star, and where in the text it is being tried.
#[derive(Clone, Copy)]
struct Retry {
    pattern: usize,
    start: usize,
    first: FirstByte,
}

/// What a stretch of pattern can start with, to leap over text that cannot match.
#[derive(Clone, Copy)]
enum FirstByte {
    Any,
    One(u8),
    EitherCase(u8, u8),
}

impl Retry {
    fn new(pattern: &[u8], at: usize, nocase: bool) -> Self {
        let first = match pattern[at..] {
            [b'?' | b'[', ..] => FirstByte::Any,
            [b'\\', byte, ..] | [byte, ..] if nocase && byte.is_ascii_alphabetic() => {
                FirstByte::EitherCase(byte.to_ascii_lowercase(), byte.to_ascii_uppercase())
            }
            [b'\\', byte, ..] | [byte, ..] => FirstByte::One(byte),
            [] => FirstByte::Any,
        };
        Self {
            pattern: at,
            start: 0,
            first,
        }
    }

    /// The same stretch, to be tried at the first place from `start` on where it can match.
    fn from(mut self, text: &[u8], start: usize) -> Option<Self> {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let skip = match self.first {
            FirstByte::Any => 0,
            FirstByte::One(byte) => memchr(byte, rest)?,
            FirstByte::EitherCase(lower, upper) => memchr2(lower, upper, rest)?,
        };
        self.start = start + skip;
        Some(self)
    }
}

fn skip_stars(pattern: &[u8], from: usize) -> usize {
    from + pattern[from..]
        .iter()
        .take_while(|&&byte| byte == b'*')
        .count()
}

/// If the element at `at`, which is no star, matches `byte`: where the next element starts.
fn match_one(pattern: &[u8], at: usize, byte: u8, nocase: bool) -> Option<usize> {
    match pattern[at..] {
        [b'?', ..] => Some(at + 1),
        [b'[', ..] => match_class(pattern, at + 1, byte, nocase),
        [b'\\', literal, ..] => same(literal, byte, nocase).then_some(at + 2),
        [literal, ..] => same(literal, byte, nocase).then_some(at + 1),
        [] => None,
    }
}

/// Like [`match_one`] for a class whose `[` is before `at`.
fn match_class(pattern: &[u8], mut at: usize, byte: u8, nocase: bool) -> Option<usize> {
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    loop {
        match pattern[at..] {
            [b'\\', literal, ..] => {
                found |= literal == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [low, b'-', high, ..] => {
                found |= in_range(low, high, byte, nocase);
                at += 3;
            }
            [literal, ..] => {
                found |= same(literal, byte, nocase);
                at += 1;
            }
            [] => break,
        }
    }
    (found != negated).then_some(at)
}

/// Ends are put in order before folding, so `[Z-a]` is empty under `nocase`: Redis does it this
/// way.
fn in_range(low: u8, high: u8, byte: u8, nocase: bool) -> bool {
    let fold = |byte: u8| {
        if nocase {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
        .cast_signed()
    };
    let (low, high) = if low.cast_signed() > high.cast_signed() {
        (high, low)
    } else {
        (low, high)
    };
    (fold(low)..=fold(high)).contains(&fold(byte))
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || (nocase && a.eq_ignore_ascii_case(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pattern by pattern, text by text, trying every length for a star.
    fn naive(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => {
                (0..=text.len()).any(|skip| naive(rest, &text[skip..], nocase))
            }
            (_, []) => false,
            (_, [byte, tail @ ..]) => match_one(pattern, 0, *byte, nocase)
                .is_some_and(|next| naive(&pattern[next..], tail, nocase)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn agrees_with_backtracking(
            pattern in r"[-abA\[\]^*?\\]{0,10}",
            text in r"[-abAB\]\\*]{1,10}",
            nocase: bool,
        ) {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(glob_match(pattern, text, nocase), naive(pattern, text, nocase));
            if is_literal(pattern) {
                prop_assert_eq!(glob_match(pattern, text, false), pattern == text);
            }
            if glob_match(pattern, text, false) {
                prop_assert!(text.starts_with(literal_prefix(pattern)));
            }
        }

        #[test]
        fn any_bytes_are_safe(pattern in any::<Vec<u8>>(), text in any::<Vec<u8>>(), nocase: bool) {
            glob_match(&pattern, &text, nocase);
        }
    }

    #[test]
    fn answers_of_redis() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", false),
            ("**", "", false),
            ("", "a", false),
            ("a*", "a", true),
            ("a***", "a", true),
            ("h?llo", "hello", true),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hallo", true),
            ("[c-a]", "b", true),
            ("[]", "]", false),
            ("[^]", "x", true),
            ("[^", "x", true),
            ("[", "[", false),
            ("[a", "a", true),
            ("[a-", "-", true),
            ("[a-]", "]", true),
            ("[a-]", "^", true),
            ("[\\]]", "]", true),
            ("[\\", "\\", true),
            ("\\", "\\", true),
            ("a\\", "a\\", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxxcx", false),
        ] {
            assert_eq!(
                glob_match(pattern.as_bytes(), text.as_bytes(), false),
                expected,
                "{pattern} {text:?}"
            );
        }
        assert!(!glob_match(b"[Z-a]", b"z", true));
        assert!(!glob_match(b"[\\A]", b"a", true));
        assert!(glob_match(b"[\\A]", b"A", true));
        assert!(glob_match(b"HE?LO*", b"hexlo", true));
        assert!(
            glob_match(b"[a-\xff]", b"\x01", false),
            "the range is -1 to 97 of signed bytes"
        );
        assert!(!glob_match(b"[a-\xff]", b"b", false));
    }

    #[test]
    fn stars_are_limited() {
        let text = vec![b'a'; 3000];
        assert!(glob_match(&b"*a".repeat(1000), &text, false));
        assert!(!glob_match(&b"*a".repeat(1001), &text, false));
        let mut trailing = b"*a".repeat(1000);
        trailing.push(b'*');
        assert!(glob_match(&trailing, &text, false));
    }

    #[test]
    fn many_stars_stay_fast() {
        let mut pattern = b"a*".repeat(900);
        pattern.push(b'b');
        assert!(!glob_match(&pattern, &[b'a'; 100_000], false));
        assert!(!glob_match(&b"*?a[b]".repeat(900), &[b'a'; 10_000], true));
    }
}
