//! The words of the commands that take elements from the first of several keys: LMPOP, ZMPOP and those that wait.

use crate::error::CommandError;
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

/// `numkeys key [key …] where [COUNT count]`.
pub(super) struct Wanted<E> {
    pub(super) keys: usize,
    /// Which end, in the words of the type.
    pub(super) from: E,
    pub(super) count: usize,
}

impl<E> Wanted<E> {
    /// Reads the words behind the name; `end` reads `where`.
    pub(super) fn parse(
        args: Request<'_>,
        end: fn(&[u8]) -> Result<E, CommandError>,
    ) -> Result<Wanted<E>, CommandError> {
        let keys = positive(&args[1]).ok_or(CommandError::NUMKEYS_NOT_POSITIVE)?;
        let at = keys.checked_add(2).ok_or(CommandError::SYNTAX)?;
        let from = end(args.get(at).ok_or(CommandError::SYNTAX)?)?;
        let mut count = None;
        let mut options = args.tail(at + 1).iter();
        while let Some(word) = options.next() {
            if count.is_some() || !word.eq_ignore_ascii_case(b"COUNT") {
                return Err(CommandError::SYNTAX);
            }
            let text = options.next().ok_or(CommandError::SYNTAX)?;
            count = Some(positive(text).ok_or(CommandError::COUNT_NOT_POSITIVE)?);
        }
        let count = count.unwrap_or(1);
        Ok(Wanted { keys, from, count })
    }
}

/// A number above zero.
fn positive(text: &[u8]) -> Option<usize> {
    parse_i64(text)
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| *n > 0)
}
