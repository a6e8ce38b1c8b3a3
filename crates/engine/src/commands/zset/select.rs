//! Ranges as requests spell them, and the ranks they select.

use super::reply::Part;
use crate::error::CommandError;
use ochre_ds::float::parse_double;
use ochre_ds::int::parse_i64;
use ochre_ds::zset::{LexBound, LexRange, ScoreRange, ZsetRef};
use ochre_resp::Request;
use std::ops::Range;

/// A range of ranks, scores or members.
#[derive(Clone, Copy)]
pub(super) enum Bounds<'a> {
    /// First and last rank, negative ones from the end.
    Ranks(i64, i64),
    /// Scores.
    Scores(ScoreRange),
    /// Members.
    Members(LexRange<'a>),
}

/// What a range is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Ranks.
    Rank,
    /// Scores.
    Score,
    /// Members.
    Lex,
}

/// A score as a bound: also nothing at all, which is zero, and numbers beyond what a double holds, which
/// are infinite or zero. compat: no hexadecimal, as in Redis 8.
fn bound_score(text: &[u8]) -> Option<f64> {
    let text = crate::error::printed(text);
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+"));
    match digits.unwrap_or(text) {
        [] if text.is_empty() => Some(0.0),
        [b'0', b'x' | b'X', ..] => None,
        [b'0'..=b'9' | b'.', ..] => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => parse_double(text),
    }
}

/// One end of a range of scores, and whether it is left out.
fn score_bound(text: &[u8]) -> Result<(f64, bool), CommandError> {
    let (text, excluded) = match text {
        [b'(', rest @ ..] => (rest, true),
        text => (text, false),
    };
    let score = bound_score(text).ok_or(CommandError::SCORE_BOUND)?;
    Ok((score, excluded))
}

/// A range of scores from its two ends.
pub(super) fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, CommandError> {
    let ((min, min_excluded), (max, max_excluded)) = (score_bound(min)?, score_bound(max)?);
    Ok(ScoreRange {
        min,
        max,
        min_excluded,
        max_excluded,
    })
}

/// One end of a range of members.
fn lex_bound(text: &[u8]) -> Result<LexBound<'_>, CommandError> {
    match text {
        // compat: what follows a NUL is not looked at.
        b"-" | [b'-', 0, ..] => Ok(LexBound::Least),
        b"+" | [b'+', 0, ..] => Ok(LexBound::Greatest),
        [b'[', member @ ..] => Ok(LexBound::Included(member)),
        [b'(', member @ ..] => Ok(LexBound::Excluded(member)),
        _ => Err(CommandError::LEX_BOUND),
    }
}

/// A range of members from its two ends.
pub(super) fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, CommandError> {
    Ok(LexRange {
        min: lex_bound(min)?,
        max: lex_bound(max)?,
    })
}

impl<'a> Bounds<'a> {
    /// Reads the two ends.
    ///
    /// # Errors
    /// When one is malformed.
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Bounds<'a>, CommandError> {
        Ok(match by {
            By::Rank => {
                let rank = |text| parse_i64(text).ok_or(CommandError::NOT_INTEGER);
                Bounds::Ranks(rank(min)?, rank(max)?)
            }
            By::Score => Bounds::Scores(score_range(min, max)?),
            By::Lex => Bounds::Members(lex_range(min, max)?),
        })
    }

    /// The ranks selected, counted from the end for `reverse` where they are ranks.
    pub(super) fn ranks(&self, zset: ZsetRef<'_>, reverse: bool) -> Range<usize> {
        match self {
            Bounds::Ranks(first, last) => {
                let len = zset.len();
                let ranks = indices(*first, *last, len);
                if reverse {
                    len - ranks.end..len - ranks.start
                } else {
                    ranks
                }
            }
            Bounds::Scores(range) => zset.ranks_by_score(range),
            Bounds::Members(range) => zset.ranks_by_member(range, reverse),
        }
    }
}

/// The positions from `first` to `last` inclusive, negative ones counted from the end, of `len`.
fn indices(first: i64, last: i64, len: usize) -> Range<usize> {
    let length = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |i: i64| if i < 0 { i.saturating_add(length) } else { i };
    let (first, last) = (from_end(first).max(0), from_end(last).min(length - 1));
    if first > last {
        return 0..0;
    }
    match (usize::try_from(first), usize::try_from(last)) {
        (Ok(first), Ok(last)) => first..last + 1,
        _ => 0..0,
    }
}

/// A whole request for a range: bounds, direction, limit.
pub(super) struct Selection<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    scores: bool,
    offset: i64,
    /// Negative for all.
    limit: i64,
}

/// What a command of the ZRANGE family fixes before its options are read.
#[derive(Clone, Copy)]
pub(super) struct Fixed {
    /// What the range is of; `None` leaves it to BYSCORE and BYLEX.
    pub(super) by: Option<By>,
    /// The direction; `None` leaves it to REV.
    pub(super) reverse: Option<bool>,
    /// Whether the result is stored, so that scores are not asked for.
    pub(super) store: bool,
}

impl<'a> Selection<'a> {
    /// Reads the bounds at `at` and `at + 1` and the options behind them.
    ///
    /// # Errors
    /// In Redis's order: unknown or contradicting options, then malformed bounds.
    pub(super) fn parse(
        args: Request<'a>,
        at: usize,
        fixed: Fixed,
    ) -> Result<Selection<'a>, CommandError> {
        let (mut by, mut reverse, mut scores) = (fixed.by, fixed.reverse, false);
        let (mut offset, mut limit) = (0, -1);
        let mut i = at + 2;
        while let Some(word) = args.get(i) {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if !fixed.store && is("WITHSCORES") {
                scores = true;
            } else if is("LIMIT") && i + 2 < args.len() {
                let number = |i: usize| parse_i64(&args[i]).ok_or(CommandError::NOT_INTEGER);
                (offset, limit) = (number(i + 1)?, number(i + 2)?);
                i += 2;
            } else if reverse.is_none() && is("REV") {
                reverse = Some(true);
            } else if by.is_none() && is("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && is("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::SYNTAX);
            }
            i += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(CommandError::LIMIT_BY_RANK);
        }
        if scores && by == By::Lex {
            return Err(CommandError::WITHSCORES_BY_LEX);
        }
        let bound = |at| args.get(at).ok_or(CommandError::SYNTAX);
        let (mut min, mut max) = (bound(at)?, bound(at + 1)?);
        if reverse && by != By::Rank {
            std::mem::swap(&mut min, &mut max);
        }
        Ok(Selection {
            bounds: Bounds::parse(by, min, max)?,
            reverse,
            scores,
            offset,
            limit,
        })
    }

    /// Whether its size is known before its members are: it is a range of ranks.
    pub(super) fn is_of_ranks(&self) -> bool {
        matches!(self.bounds, Bounds::Ranks(..))
    }

    /// The part of a set that is selected.
    pub(super) fn part(&self, zset: ZsetRef<'_>) -> Part {
        let mut ranks = self.bounds.ranks(zset, self.reverse);
        if !self.is_of_ranks() {
            // A negative offset skips everything, as it does in Redis.
            let skipped = usize::try_from(self.offset).map_or(ranks.len(), |o| o.min(ranks.len()));
            let left = ranks.len() - skipped;
            let count = usize::try_from(self.limit).map_or(left, |l| l.min(left));
            ranks = if self.reverse {
                let end = ranks.end - skipped;
                end - count..end
            } else {
                let start = ranks.start + skipped;
                start..start + count
            };
        }
        Part {
            ranks,
            reverse: self.reverse,
            scores: self.scores,
        }
    }
}
