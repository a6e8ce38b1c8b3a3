//! Copies of elements, and putting them in order.
//!
//! Invariants
//! - Numbers compare as doubles and, where those are equal, as texts; so the order of different elements is always told,
//!   but for words fetched by BY, whose ties keep the order of the collection.
//! - Integers that doubles hold exactly are compared as integers, which is the same order.
//! - The process's locale has no influence: texts compare byte by byte, up to a NUL where Redis collates.

use super::pattern::c_string;
use crate::error::CommandError;
use crate::exec::{Out, Producer};
use ochre_ds::int::parse_i64;
use ochre_ds::pack::Element;
use std::cmp::Ordering;
use std::ops::Range;

/// Integers up to this are doubles without loss.
const EXACT: i64 = 1 << 53;
/// Bytes of a piece of a reply.
const PIECE: usize = 64 << 10;

/// How to sort.
pub(super) struct How {
    /// As the collection has them.
    pub(super) unsorted: bool,
    /// As texts.
    pub(super) alpha: bool,
    pub(super) descending: bool,
    /// Texts end at a NUL.
    pub(super) collated: bool,
    /// Offset and count.
    pub(super) limit: Option<(i64, i64)>,
}

impl How {
    pub(super) fn keeps_order(&self) -> bool {
        self.unsorted
    }

    pub(super) fn compares_texts(&self) -> bool {
        self.alpha && !self.unsorted
    }

    fn direct(&self, ordering: Ordering) -> Ordering {
        if self.descending {
            ordering.reverse()
        } else {
            ordering
        }
    }

    fn compare_texts(&self, a: &[u8], b: &[u8]) -> Ordering {
        if self.collated {
            c_string(a).cmp(c_string(b))
        } else {
            a.cmp(b)
        }
    }

    /// Which of `n` elements LIMIT leaves.
    fn window(&self, n: usize) -> Range<usize> {
        let Some((offset, count)) = self.limit else {
            return 0..n;
        };
        let start = usize::try_from(offset.max(0)).map_or(n, |o| o.min(n));
        let count = usize::try_from(count).map_or(n, |c| c.min(n));
        start..(start + count).min(n)
    }
}

#[derive(Clone, Copy)]
enum Item {
    Int(i64),
    Text { at: usize, len: usize },
}

/// An element of the result.
#[derive(Clone, Copy)]
pub(super) struct Place(Item);

/// Elements, copied.
pub(super) struct Elements {
    items: Vec<Item>,
    bytes: Vec<u8>,
    /// Integers are kept as texts, too.
    texts: bool,
}

/// Texts that some elements have instead of their own.
#[derive(Default)]
pub(super) struct Words {
    spans: Vec<Option<Range<usize>>>,
    bytes: Vec<u8>,
}

impl Words {
    pub(super) fn push(&mut self, word: Option<&[u8]>) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(word.unwrap_or_default());
        self.spans.push(word.map(|w| at..at + w.len()));
    }
}

/// A double as SORT reads it: all of the text up to a NUL, in decimal, rounded to infinity or zero where it has to be;
/// no text at all for zero.
pub(super) fn score(text: &[u8]) -> Option<f64> {
    let text = c_string(text);
    if text.is_empty() {
        return Some(0.0);
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

impl Elements {
    pub(super) fn expecting(n: usize, texts: bool) -> Elements {
        Elements {
            items: Vec::with_capacity(n),
            bytes: Vec::new(),
            texts,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    #[inline]
    pub(super) fn push(&mut self, element: Element<'_>) {
        let item = match element {
            Element::Int(n) if !self.texts => Item::Int(n),
            Element::Bytes(text) => match parse_i64(text) {
                Some(n) if !self.texts => Item::Int(n),
                _ => self.text(text),
            },
            other => self.text(other.bytes(&mut itoa::Buffer::new())),
        };
        self.items.push(item);
    }

    fn text(&mut self, text: &[u8]) -> Item {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(text);
        Item::Text {
            at,
            len: text.len(),
        }
    }

    pub(super) fn reverse(&mut self) {
        self.items.reverse();
    }

    /// Lends every element's text.
    pub(super) fn each(&self, mut lend: impl FnMut(&[u8])) {
        let mut digits = itoa::Buffer::new();
        for item in &self.items {
            lend(text_of(&self.bytes, *item, &mut digits));
        }
    }

    /// Sorts by the elements themselves.
    ///
    /// # Errors
    /// When one is to be a number and is none.
    pub(super) fn sort(mut self, how: &How) -> Result<Sorted, CommandError> {
        let bytes = &self.bytes;
        if how.unsorted {
        } else if how.alpha {
            let text = |item: Item| match item {
                Item::Text { at, len } => &bytes[at..at + len],
                Item::Int(_) => &[],
            };
            self.items
                .sort_by(|a, b| how.direct(how.compare_texts(text(*a), text(*b))));
        } else if !self.sort_exact(how) {
            let scores: Option<Vec<f64>> = self.items.iter().map(|i| self.score(*i)).collect();
            let scores = scores.ok_or(CommandError::SORT_SCORE)?;
            return Ok(self.sort_by_scores(scores, how));
        }
        Ok(self.limited(how))
    }

    fn score(&self, item: Item) -> Option<f64> {
        match item {
            Item::Int(n) => Some(n as f64),
            Item::Text { at, len } => score(&self.bytes[at..at + len]),
        }
    }

    /// Sorts if all are integers that can be compared as such.
    fn sort_exact(&mut self, how: &How) -> bool {
        let exact = |item: &Item| match item {
            Item::Int(n) if (-EXACT..=EXACT).contains(n) => Some(*n),
            _ => None,
        };
        let Some(mut numbers) = self.items.iter().map(exact).collect::<Option<Vec<i64>>>() else {
            return false;
        };
        numbers.sort_unstable();
        if how.descending {
            numbers.reverse();
        }
        self.items.clear();
        self.items.extend(numbers.into_iter().map(Item::Int));
        true
    }

    /// Sorts by a number for each element.
    pub(super) fn sort_by_scores(mut self, scores: Vec<f64>, how: &How) -> Sorted {
        let mut all: Vec<(f64, Item)> = scores.into_iter().zip(self.items).collect();
        let bytes = &self.bytes;
        all.sort_unstable_by(|(x, a), (y, b)| {
            // There is no NaN among them.
            let by_score = x.partial_cmp(y).unwrap_or(Ordering::Equal);
            how.direct(by_score.then_with(|| {
                let (mut d, mut e) = (itoa::Buffer::new(), itoa::Buffer::new());
                text_of(bytes, *a, &mut d).cmp(text_of(bytes, *b, &mut e))
            }))
        });
        self.items = all.into_iter().map(|(_, item)| item).collect();
        self.limited(how)
    }

    /// Sorts by a text for each element; those that have none come first.
    pub(super) fn sort_by_words(mut self, words: &Words, how: &How) -> Sorted {
        let mut all: Vec<_> = words.spans.iter().zip(self.items).collect();
        let text = |span: &Option<Range<usize>>| span.clone().map(|s| &words.bytes[s]);
        all.sort_by(|(x, _), (y, _)| {
            how.direct(match (text(x), text(y)) {
                (Some(x), Some(y)) => how.compare_texts(x, y),
                (x, y) => x.is_some().cmp(&y.is_some()),
            })
        });
        self.items = all.into_iter().map(|(_, item)| item).collect();
        self.limited(how)
    }

    fn limited(mut self, how: &How) -> Sorted {
        let window = how.window(self.items.len());
        self.items.truncate(window.end);
        self.items.drain(..window.start);
        Sorted(self)
    }
}

fn text_of<'a>(bytes: &'a [u8], item: Item, digits: &'a mut itoa::Buffer) -> &'a [u8] {
    match item {
        Item::Int(n) => digits.format(n).as_bytes(),
        Item::Text { at, len } => &bytes[at..at + len],
    }
}

/// Elements in order, those that LIMIT left.
pub(super) struct Sorted(Elements);

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn items(&self) -> impl Iterator<Item = Place> + '_ {
        self.0.items.iter().copied().map(Place)
    }

    pub(super) fn text<'a>(&'a self, place: Place, digits: &'a mut itoa::Buffer) -> &'a [u8] {
        text_of(&self.0.bytes, place.0, digits)
    }
}

/// Sends a result piece by piece.
pub(super) struct Reply {
    sorted: Sorted,
    /// For each GET, whether it is the element itself or nothing.
    gets: Vec<bool>,
    at: usize,
    begun: bool,
}

impl Reply {
    pub(super) fn new(sorted: Sorted, gets: Vec<bool>) -> Reply {
        Reply {
            sorted,
            gets,
            at: 0,
            begun: false,
        }
    }
}

impl Producer for Reply {
    fn produce(&mut self, out: &mut Out) -> bool {
        let elements = &self.sorted.0;
        if !self.begun {
            self.begun = true;
            out.array(elements.len() * self.gets.len().max(1));
        }
        let mut written = 0;
        while let Some(item) = elements.items.get(self.at)
            && written < PIECE
        {
            let times = if self.gets.is_empty() {
                &[true][..]
            } else {
                &self.gets
            };
            for itself in times {
                match (itself, *item) {
                    (false, _) => out.null(),
                    (true, Item::Int(n)) => out.bulk_integer(n),
                    (true, Item::Text { at, len }) => {
                        out.bulk(&elements.bytes[at..at + len]);
                        written += len;
                    }
                }
                written += 16;
            }
            self.at += 1;
        }
        self.at < elements.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_ds::random::Random;

    fn how(descending: bool, limit: Option<(i64, i64)>) -> How {
        How {
            unsorted: false,
            alpha: false,
            descending,
            collated: true,
            limit,
        }
    }

    fn texts(sorted: &Sorted) -> Vec<Vec<u8>> {
        let mut digits = itoa::Buffer::new();
        let text = |place| sorted.text(place, &mut digits).to_vec();
        sorted.items().map(text).collect()
    }

    fn elements(numbers: &[i64]) -> Elements {
        let mut elements = Elements::expecting(numbers.len(), false);
        numbers.iter().for_each(|n| elements.push(Element::Int(*n)));
        elements
    }

    #[test]
    fn integers_sort_as_their_doubles_do() {
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let mut draw = || i64::try_from(random.below(2000)).unwrap_or(0) - 1000;
            let numbers: Vec<i64> = (0..500).map(|_| draw()).collect();
            let how = how(seed % 2 == 0, Some((20, 300)));
            let quick = elements(&numbers).sort(&how).map(|s| texts(&s));
            let scores = numbers.iter().map(|n| *n as f64).collect();
            let slow = texts(&elements(&numbers).sort_by_scores(scores, &how));
            assert_eq!(quick.ok(), Some(slow), "seed {seed}");
        }
    }

    #[test]
    fn windows() {
        let window = |limit| how(false, Some(limit)).window(5);
        assert_eq!(window((0, 2)), 0..2);
        assert_eq!(window((-3, 2)), 0..2);
        assert_eq!(window((3, 9)), 3..5);
        assert_eq!(window((1, -1)), 1..5);
        assert!(window((5, 1)).is_empty() && window((i64::MAX, i64::MAX)).is_empty());
        assert!(window((i64::MIN, 0)).is_empty());
    }

    #[test]
    fn scores() {
        assert_eq!(score(b""), Some(0.0));
        assert_eq!(score(b"1e400"), Some(f64::INFINITY));
        assert_eq!(score(b"5\0x"), Some(5.0));
        for bad in ["nan", " 1", "1 ", "0x10", ".", "1e", "--1", "infinit"] {
            assert_eq!(score(bad.as_bytes()), None, "{bad}");
        }
    }
}
