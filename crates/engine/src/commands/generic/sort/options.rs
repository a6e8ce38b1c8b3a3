//! The options of SORT.
//!
//! Invariant: the key of STORE that the plan locks is the one that the handler's own reading of the request finds.

use super::order::{How, Sorted};
use super::pattern::{Others, Pattern, c_string};
use crate::error::CommandError;
use ochre_ds::int::parse_i64;
use ochre_resp::Request;
use smallvec::SmallVec;

/// What GET asks for.
#[derive(Clone, Copy)]
pub(super) enum Get<'a> {
    /// The element itself: `#`.
    Itself,
    /// A pattern that names nothing.
    Nothing,
    Pattern(Pattern<'a>),
}

/// A request's options.
#[derive(Default)]
pub(super) struct Options<'a> {
    /// The last BY.
    by: Option<&'a [u8]>,
    /// Some BY had no asterisk: nothing is sorted.
    unsorted: bool,
    alpha: bool,
    descending: bool,
    limit: Option<(i64, i64)>,
    pub(super) gets: SmallVec<[Get<'a>; 4]>,
    /// Argument index of the last STORE's key.
    pub(super) store: Option<usize>,
}

impl<'a> Options<'a> {
    /// Reads everything behind the key.
    ///
    /// # Errors
    /// Redis's texts for an unknown word and for a LIMIT that is no number.
    pub(super) fn parse(args: Request<'a>, stores: bool) -> Result<Options<'a>, CommandError> {
        Options::read(args, stores, true)
    }

    /// Reads everything behind the key, for somebody who may or may not read every key.
    fn read(
        args: Request<'a>,
        stores: bool,
        reads_every_key: bool,
    ) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let (one, two) = (args.get(at + 1), args.get(at + 2));
            if is("asc") {
                options.descending = false;
            } else if is("desc") {
                options.descending = true;
            } else if is("alpha") {
                options.alpha = true;
            } else if let (true, Some(offset), Some(count)) = (is("limit"), one, two) {
                let number = |text| parse_i64(text).ok_or(CommandError::NOT_INTEGER);
                options.limit = Some((number(offset)?, number(count)?));
                at += 2;
            } else if let (true, true, Some(_)) = (stores, is("store"), one) {
                at += 1;
                options.store = Some(at);
            } else if let (true, Some(pattern)) = (is("by"), one) {
                options.by = Some(pattern);
                let sorts = Pattern::parse(pattern).is_some();
                if sorts && !reads_every_key {
                    return Err(CommandError::SORT_BY_DENIED);
                }
                options.unsorted |= !sorts;
                at += 1;
            } else if let (true, Some(pattern)) = (is("get"), one) {
                // compat: denied whatever it asks for.
                if !reads_every_key {
                    return Err(CommandError::SORT_GET_DENIED);
                }
                options.gets.push(Get::parse(pattern));
                at += 1;
            } else {
                return Err(CommandError::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }

    /// Whether keys are read whose names are made of elements.
    pub(super) fn needs_others(&self) -> bool {
        let by = self.by.is_some() && !self.unsorted;
        by || self.gets.iter().any(|g| matches!(g, Get::Pattern(_)))
    }

    /// The pattern to sort by.
    pub(super) fn weights(&self) -> Option<Pattern<'a>> {
        self.by.and_then(Pattern::parse)
    }

    /// For each GET, whether it is the element itself, where none is a pattern.
    pub(super) fn plain_gets(&self) -> Vec<bool> {
        let gets = self.gets.iter();
        gets.map(|g| matches!(g, Get::Itself)).collect()
    }

    /// How to sort; the order of a set's members is none, so they are sorted as texts where they are to be stored.
    pub(super) fn how(&self, is_set: bool) -> How {
        let settled = self.unsorted && is_set && self.store.is_some();
        How {
            unsorted: self.unsorted && !settled,
            alpha: self.alpha || settled,
            descending: self.descending,
            collated: self.store.is_none(),
            limit: self.limit,
        }
    }

    /// Lends the elements, or what GET makes of them, one after the other.
    pub(super) fn fetch(
        &self,
        sorted: &Sorted,
        other: &Others<'_, '_>,
        mut lend: impl FnMut(Option<&[u8]>),
    ) {
        let mut digits = itoa::Buffer::new();
        for item in sorted.items() {
            let text = sorted.text(item, &mut digits);
            if self.gets.is_empty() {
                lend(Some(text));
            }
            for get in &self.gets {
                match get {
                    Get::Itself => lend(Some(text)),
                    Get::Nothing => lend(None),
                    Get::Pattern(pattern) => pattern.fetch(text, other, &mut lend),
                }
            }
        }
    }
}

impl<'a> Get<'a> {
    fn parse(pattern: &'a [u8]) -> Get<'a> {
        match Pattern::parse(pattern) {
            Some(pattern) => Get::Pattern(pattern),
            None if c_string(pattern) == b"#" => Get::Itself,
            None => Get::Nothing,
        }
    }
}

/// Whether a request reads keys that it does not name.
pub(super) fn is_wide(args: Request<'_>) -> bool {
    Options::parse(args, true).is_ok_and(|options| options.needs_others())
}

/// What SORT answers to somebody who may not read every key, if that matters.
pub(super) fn denied(args: Request<'_>, stores: bool) -> Option<CommandError> {
    let error = Options::read(args, stores, false).err();
    error.filter(|e| [CommandError::SORT_BY_DENIED, CommandError::SORT_GET_DENIED].contains(e))
}

/// Where the key of STORE is. In a request that is wrong elsewhere, where it seems to be.
pub(super) fn store_key(args: Request<'_>) -> Option<usize> {
    if let Ok(options) = Options::parse(args, true) {
        return options.store;
    }
    let (mut at, mut found) = (2, None);
    while let Some(word) = args.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("limit") {
            at += 2;
        } else if is("get") || is("by") {
            at += 1;
        } else if is("store") && at + 1 < args.len() {
            found = Some(at + 1);
        }
        at += 1;
    }
    found
}
