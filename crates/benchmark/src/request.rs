//! Requests as bytes: built once, and only what changes from one to the next written anew.
//!
//! Invariants
//! - One request and one size of values: the buffer of a whole batch stands ready, and a send writes 12 digits for each
//!   place that wants a key, nothing else.
//! - Mixtures and ranges of sizes are put together in the same buffer, which is reused.

use crate::cases::{DATA, RAND};
use crate::keys::{Distribution, Keys};

/// Bytes around a value at most: `$`, its length, two line ends.
const VALUE_FRAME: u64 = 25;
/// Digits of a key.
const DIGITS: usize = 12;
/// Chooses the letters of values.
const DATA_SEED: u64 = 1;
/// Another place of 12 digits, used by ZADD for the score: without `-r` it is 0, since a text would be no score.
const SCORE: &str = "__rand_score__";

/// How long values are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// What is sent, in pieces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
    /// Bytes of a value of varying size at most, with its header.
    value_most: u64,
}

/// Bytes, perhaps followed by a value of varying size.
#[derive(Clone, Debug, Default, PartialEq)]
struct Segment {
    bytes: Vec<u8>,
    /// Where in them the digits of a key go.
    digits: Vec<usize>,
    value_follows: bool,
}

/// What a template is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    /// Whether keys are random; otherwise the place holder is sent as it is.
    pub(crate) has_keys: bool,
    pub(crate) sizes: Sizes,
    /// At least as long as the longest value.
    pub(crate) data: &'a [u8],
}

impl Template {
    /// A request as an array of strings.
    ///
    /// # Errors
    /// When a value of varying size is only part of an argument.
    pub(crate) fn array(words: &[Vec<u8>], making: &Making<'_>) -> Result<Template, String> {
        let is_fixed = making.sizes.least == making.sizes.most;
        let mut segments = vec![Segment::default()];
        push(&mut segments, format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            if !is_fixed && word == DATA.as_bytes() {
                if let Some(last) = segments.last_mut() {
                    last.value_follows = true;
                }
                segments.push(Segment::default());
                continue;
            }
            if !is_fixed && memchr::memmem::find(word, DATA.as_bytes()).is_some() {
                let text = "with a range of sizes, __data__ has to be an argument of its own";
                return Err(text.to_owned());
            }
            let value = &making.data[..making.sizes.least];
            let word = replaced(word, DATA.as_bytes(), value);
            let (word, digits) = places(&word, making.has_keys);
            push(&mut segments, format!("${}\r\n", word.len()).as_bytes());
            if let Some(last) = segments.last_mut() {
                let base = last.bytes.len();
                last.digits.extend(digits.iter().map(|d| base + d));
            }
            push(&mut segments, &word);
            push(&mut segments, b"\r\n");
        }
        Ok(Template {
            segments,
            value_most: making.sizes.most as u64 + VALUE_FRAME,
        })
    }

    /// A request as a line.
    pub(crate) fn inline(words: &[Vec<u8>]) -> Template {
        let mut bytes = words.join(&b' ');
        bytes.extend_from_slice(b"\r\n");
        Template {
            segments: vec![Segment {
                bytes,
                ..Segment::default()
            }],
            value_most: 0,
        }
    }

    /// Bytes of one request at most.
    pub(crate) fn longest(&self) -> u64 {
        let lengths = self.segments.iter().map(|segment| {
            let value = if segment.value_follows {
                self.value_most
            } else {
                0
            };
            segment.bytes.len() as u64 + value
        });
        lengths.sum()
    }

    /// Keys in one request.
    pub(crate) fn keys(&self) -> u64 {
        self.segments.iter().map(|s| s.digits.len() as u64).sum()
    }

    fn is_fixed(&self) -> bool {
        !self.segments.iter().any(|s| s.value_follows)
    }
}

fn push(segments: &mut [Segment], bytes: &[u8]) {
    if let Some(last) = segments.last_mut() {
        last.bytes.extend_from_slice(bytes);
    }
}

/// `word` with every `from` replaced.
fn replaced(word: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = memchr::memmem::find(rest, from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Where in a word keys go, and the word with room for them.
fn places(word: &[u8], has_keys: bool) -> (Vec<u8>, Vec<usize>) {
    if !has_keys {
        return (replaced(word, SCORE.as_bytes(), b"0"), Vec::new());
    }
    let word = replaced(word, SCORE.as_bytes(), RAND.as_bytes());
    let digits = memchr::memmem::find_iter(&word, RAND.as_bytes()).collect();
    (word, digits)
}

/// One kind of request of a load.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) template: Template,
    /// How often it is sent, in proportion to the sum of all.
    pub(crate) weight: u64,
}

/// Puts together what a thread sends.
#[derive(Debug)]
pub(crate) struct Composer<'a> {
    kinds: &'a [Kind],
    total_weight: u64,
    sizes: Sizes,
    data: &'a [u8],
    keys: Keys,
    /// Keys that one request takes at most, for the position in a sequence.
    keys_each: u64,
    buffer: Vec<u8>,
    /// Length of one request, if all are alike and `buffer` holds copies of it.
    fixed: Option<usize>,
}

impl<'a> Composer<'a> {
    /// For batches of up to `batch` requests.
    pub(crate) fn new(kinds: &'a [Kind], making: &Making<'a>, keys: Keys, batch: usize) -> Self {
        let mut composer = Composer {
            kinds,
            total_weight: kinds.iter().map(|k| k.weight).sum(),
            sizes: making.sizes,
            data: making.data,
            keys,
            keys_each: kinds.iter().map(|k| k.template.keys()).max().unwrap_or(0),
            buffer: Vec::new(),
            fixed: None,
        };
        if let [only] = kinds
            && only.template.is_fixed()
        {
            let bytes = &only.template.segments[0].bytes;
            composer.buffer = bytes.repeat(batch);
            composer.fixed = Some(bytes.len());
        }
        composer
    }

    /// The next `count` requests, of which the first has this number among all, as bytes. `on_kind` is told the kinds, each with
    /// the number of successive requests of it.
    ///
    /// # Panics
    /// Not if `count` is at most the batch of `new`.
    #[inline]
    pub(crate) fn compose(
        &mut self,
        number: u64,
        count: usize,
        mut on_kind: impl FnMut(u8, u32),
    ) -> &[u8] {
        self.keys.go_to(number.wrapping_mul(self.keys_each));
        let Some(length) = self.fixed else {
            return self.assemble(count, on_kind);
        };
        on_kind(0, u32::try_from(count).unwrap_or(u32::MAX));
        let all = &mut self.buffer[..count * length];
        let digits = &self.kinds[0].template.segments[0].digits;
        if !digits.is_empty() {
            for request in all.chunks_exact_mut(length) {
                for &at in digits {
                    write_digits(&mut request[at..at + DIGITS], self.keys.next_key());
                }
            }
        }
        all
    }

    fn assemble(&mut self, count: usize, mut on_kind: impl FnMut(u8, u32)) -> &[u8] {
        self.buffer.clear();
        for _ in 0..count {
            let index = self.choose();
            on_kind(u8::try_from(index).unwrap_or(u8::MAX), 1);
            for segment in &self.kinds[index].template.segments {
                let base = self.buffer.len();
                self.buffer.extend_from_slice(&segment.bytes);
                for &at in &segment.digits {
                    let place = base + at..base + at + DIGITS;
                    write_digits(&mut self.buffer[place], self.keys.next_key());
                }
                if segment.value_follows {
                    let size = self
                        .keys
                        .between(self.sizes.least as u64, self.sizes.most as u64);
                    let size = usize::try_from(size).unwrap_or(0);
                    let mut number = itoa::Buffer::new();
                    self.buffer.push(b'$');
                    self.buffer
                        .extend_from_slice(number.format(size).as_bytes());
                    self.buffer.extend_from_slice(b"\r\n");
                    self.buffer.extend_from_slice(&self.data[..size]);
                    self.buffer.extend_from_slice(b"\r\n");
                }
            }
        }
        &self.buffer
    }

    /// A kind, by weight.
    fn choose(&mut self) -> usize {
        if self.kinds.len() == 1 {
            return 0;
        }
        let mut drawn = self.keys.between(0, self.total_weight - 1);
        let chosen = self.kinds.iter().position(|kind| {
            let is_it = drawn < kind.weight;
            drawn = drawn.saturating_sub(kind.weight);
            is_it
        });
        chosen.unwrap_or(0)
    }
}

/// Writes the last 12 digits of a number.
#[inline]
fn write_digits(place: &mut [u8], number: u64) {
    const PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[0; 2]; 100];
        let mut i = 0_u8;
        while i < 100 {
            pairs[i as usize] = [b'0' + i / 10, b'0' + i % 10];
            i += 1;
        }
        pairs
    };
    let mut left = number;
    for pair in place.rchunks_exact_mut(2) {
        let two = usize::try_from(left % 100).unwrap_or(0);
        pair.copy_from_slice(&PAIRS[two]);
        left /= 100;
    }
}

/// Bytes for values: capital letters, the same in every run.
pub(crate) fn data(length: usize) -> Vec<u8> {
    let mut letters = Keys::new(Distribution::Uniform, 26, DATA_SEED);
    let letter = |_| b'A' + u8::try_from(letters.next_key()).unwrap_or(0);
    (0..length).map(letter).collect()
}

#[cfg(test)]
mod tests;
