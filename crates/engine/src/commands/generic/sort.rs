//! SORT and SORT_RO: the elements of a list, a set or a sorted set in another order.
//!
//! Invariants
//! - A request whose patterns name other keys runs with every stripe of its database held (`wide`), so that
//!   elements, weights and what GET fetches are of one moment. Any other request is an ordinary command on its keys.
//! - Under the locks elements are only copied where it can be helped: a large collection without patterns is
//!   shared, and sorted after the release; its reply goes out piece by piece.
//! - What STORE stores is journalled as the elements that it stored where patterns decided about them, else as the request.
//!
//! Cost: O(n log n) comparisons of copies that lie side by side; integers are compared as integers.
//! Source: observed replies of Redis 7.0.15 and 8.2.3, in the C locale; what a number is, of 8.2.3.

mod options;
mod order;
mod pattern;

use self::options::{Options, denied, is_wide, store_key};
use self::order::{Elements, How, Reply, Sorted, Words, score};
use self::pattern::Others;
use crate::error::CommandError;
use crate::exec::{Commit, Expiry, LaterStream, Out, Producer, ReadCx, WriteCx};
use crate::keyspace::Value;
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Flags, Group, KeySpec, Outcome, Run, key, unknown};
use ochre_ds::list::{self, End, List, ListRef};
use ochre_ds::set::{Set, SetRef};
use ochre_ds::zset::{Zset, ZsetRef};
use ochre_resp::Request;

/// Elements from which sorting is done after the locks are released.
const LATER_MIN: usize = 256;
/// Values in one RPUSH of the journal.
const EFFECT_VALUES: usize = 1000;

const KEY: Arg = Arg::key("key");
const BY: Arg = Arg::pattern("by-pattern").token("BY").of_spec(1).optional();
const LIMIT: Arg = Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
    .token("LIMIT")
    .optional();
const GET: Arg = Arg::pattern("get-pattern")
    .token("GET")
    .of_spec(1)
    .optional()
    .multiple()
    .multiple_token();
const ORDER: Arg = Arg::one_of(
    "order",
    &[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")],
)
.optional();
const SORTING: Arg = Arg::word("sorting", "ALPHA").optional();

const PATTERNS: KeySpec = unknown()
    .read()
    .note("Keys of BY and GET: the elements of the sorted key are part of their names");
const STORED: KeySpec = unknown()
    .result()
    .located(store_key)
    .note("The key of STORE, a word that may be anywhere among the options");

const CATEGORIES: Categories = Categories::SET
    .with(Categories::SORTEDSET)
    .with(Categories::LIST)
    .with(Categories::DANGEROUS);
const COMPLEXITY: &str =
    "O(N+M*log(M)) for N elements of which M are returned; O(N) when BY has no asterisk.";

pub(super) const SORT: Command = Command {
    name: "sort",
    summary: "Sorts the elements of a list, a set or a sorted set; may store the result as a list.",
    group: Group::Generic,
    complexity: COMPLEXITY,
    arity: -2,
    flags: Flags::DENYOOM,
    categories: CATEGORIES,
    keys: &[key(1).read(), PATTERNS, STORED],
    wide: Some(is_wide),
    beyond: Some(|args| denied(args, true)),
    args: &[
        KEY,
        BY,
        LIMIT,
        GET,
        ORDER,
        SORTING,
        Arg::key("destination").token("STORE").of_spec(2).optional(),
    ],
    run: Run::Write(sort),
    ..Command::NEW
};

pub(super) const SORT_RO: Command = Command {
    name: "sort_ro",
    summary: "Returns the elements of a list, a set or a sorted set in order.",
    since: "7.0.0",
    group: Group::Generic,
    complexity: COMPLEXITY,
    arity: -2,
    categories: CATEGORIES,
    keys: &[key(1).read(), PATTERNS],
    wide: Some(is_wide),
    beyond: Some(|args| denied(args, false)),
    args: &[KEY, BY, LIMIT, GET, ORDER, SORTING],
    run: Run::Read(sort_ro),
    ..Command::NEW
};

fn sort_ro(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let options = Options::parse(args, false)?;
    let other = |name: &[u8]| cx.keys.any_value(name);
    let later = answer(&options, cx.keys.value(0), &other, cx.out)?;
    if let Some(later) = later {
        cx.later_stream(later);
    }
    Ok(())
}

fn sort(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let options = Options::parse(args, true)?;
    if options.store.is_some() {
        return sort_and_store(cx, &options);
    }
    let other = |name: &[u8]| cx.keys.any_value(name);
    let later = answer(&options, cx.keys.value(0), &other, cx.out)?;
    if let Some(later) = later {
        cx.later_stream(later);
    }
    Ok(())
}

/// Replies at once, or returns what does after the release.
fn answer<'k>(
    options: &Options<'_>,
    value: Option<Value<'k>>,
    other: &Others<'_, 'k>,
    out: &mut Out,
) -> Result<Option<LaterStream>, CommandError> {
    let source = Source::of(value)?;
    let how = options.how(source.is_set());
    if options.needs_others() {
        let sorted = source.sorted_by(options, &how, other)?;
        out.array(sorted.len() * options.gets.len().max(1));
        options.fetch(&sorted, other, |value| match value {
            Some(value) => out.bulk(value),
            None => out.null(),
        });
        return Ok(None);
    }
    let gets = options.plain_gets();
    if source.len() < LATER_MIN {
        let mut reply = Reply::new(source.sorted(&how)?, gets);
        while reply.produce(out) {}
        return Ok(None);
    }
    let owned = source.to_owned();
    Ok(Some(Box::new(move || {
        let sorted = owned.source().sorted(&how)?;
        Ok(Box::new(Reply::new(sorted, gets)))
    })))
}

fn sort_and_store(cx: &mut WriteCx<'_>, options: &Options<'_>) -> Outcome {
    let limits = cx.env.list_limits();
    let source = Source::of(cx.keys.value(0))?;
    let how = options.how(source.is_set());
    if options.needs_others() {
        let other = |name: &[u8]| cx.keys.any_value(name);
        let sorted = source.sorted_by(options, &how, &other)?;
        let mut list = List::default();
        options.fetch(&sorted, &other, |value| {
            append(&mut list, value.unwrap_or_default(), limits);
        });
        return store(cx, list, true);
    }
    let gets = options.plain_gets();
    if source.len() < LATER_MIN || cx.must_finish() {
        let list = listed(&source.sorted(&how)?, &gets, limits);
        return store(cx, list, false);
    }
    let owned = source.to_owned();
    cx.outside(Box::new(move || -> Commit {
        let sorted = owned.source().sorted(&how);
        let made = sorted.map(|sorted| listed(&sorted, &gets, limits));
        Box::new(move |cx| {
            if !Source::of(cx.keys.value(0))?.same(&owned) {
                return Ok(false);
            }
            store(cx, made?, false).map(|()| true)
        })
    }));
    Ok(())
}

fn append(list: &mut List, value: &[u8], limits: list::Limits) {
    list.push(End::Back, [value].into_iter(), limits);
}

/// The list that STORE stores where no pattern names a key.
fn listed(sorted: &Sorted, gets: &[bool], limits: list::Limits) -> List {
    let mut list = List::default();
    let mut digits = itoa::Buffer::new();
    for item in sorted.items() {
        let text = sorted.text(item, &mut digits);
        if gets.is_empty() {
            append(&mut list, text, limits);
        }
        for itself in gets {
            append(&mut list, if *itself { text } else { b"" }, limits);
        }
    }
    list
}

/// Stores the result at the second key. `chosen`: what it holds does not follow from the declared keys alone.
fn store(cx: &mut WriteCx<'_>, list: List, chosen: bool) -> Outcome {
    let len = list.len();
    if chosen && cx.effects.on {
        let destination = cx.keys.name(1).unwrap_or_default().to_vec();
        cx.effects.replace([b"DEL".as_slice(), &destination]);
        let values: Vec<Vec<u8>> = list.view().iter().map(|e| e.to_vec()).collect();
        for part in values.chunks(EFFECT_VALUES) {
            let head = [b"RPUSH".as_slice(), &destination];
            let effect = head.into_iter().chain(part.iter().map(Vec::as_slice));
            cx.effects.replace(effect);
        }
    }
    cx.storing(1, (EventClasses::LIST, "sortstore"), |keys| {
        keys.store_list(1, list, Expiry::Clear)?;
        keys.count_changes((len as u64).saturating_sub(1));
        Ok(())
    })?;
    cx.out.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}

/// What is sorted.
#[derive(Clone, Copy)]
enum Source<'a> {
    Nothing,
    List(ListRef<'a>),
    Set(SetRef<'a>),
    Zset(ZsetRef<'a>),
}

/// The same, kept over a release.
enum Owned {
    Nothing,
    List(List),
    Set(Set),
    Zset(Zset),
}

impl Owned {
    fn source(&self) -> Source<'_> {
        match self {
            Owned::Nothing => Source::Nothing,
            Owned::List(list) => Source::List(list.view()),
            Owned::Set(set) => Source::Set(set.view()),
            Owned::Zset(zset) => Source::Zset(zset.view()),
        }
    }
}

impl<'a> Source<'a> {
    fn of(value: Option<Value<'a>>) -> Result<Source<'a>, CommandError> {
        match value {
            None => Ok(Source::Nothing),
            Some(Value::List(list)) => Ok(Source::List(list)),
            Some(Value::Set(set)) => Ok(Source::Set(set)),
            Some(Value::Zset(zset)) => Ok(Source::Zset(zset)),
            Some(Value::String(_) | Value::Hash(_)) => Err(CommandError::WRONG_TYPE),
        }
    }

    fn len(&self) -> usize {
        match self {
            Source::Nothing => 0,
            Source::List(list) => list.len(),
            Source::Set(set) => set.len(),
            Source::Zset(zset) => zset.len(),
        }
    }

    fn is_set(&self) -> bool {
        matches!(self, Source::Set(_))
    }

    fn to_owned(self) -> Owned {
        match self {
            Source::Nothing => Owned::Nothing,
            Source::List(list) => Owned::List(list.to_owned()),
            Source::Set(set) => Owned::Set(set.to_owned()),
            Source::Zset(zset) => Owned::Zset(zset.to_owned()),
        }
    }

    fn same(&self, owned: &Owned) -> bool {
        match (self, owned) {
            (Source::List(a), Owned::List(b)) => a.same(b),
            (Source::Set(a), Owned::Set(b)) => a.same(b),
            (Source::Zset(a), Owned::Zset(b)) => a.same(b),
            (Source::Nothing, Owned::Nothing) => true,
            _ => false,
        }
    }

    /// Copies the elements; as texts where they are compared as such.
    fn collect(&self, how: &How) -> Elements {
        let mut elements = Elements::expecting(self.len(), how.compares_texts());
        match self {
            Source::Nothing => {}
            Source::List(list) => list.iter().for_each(|e| elements.push(e)),
            Source::Set(set) => set.iter().for_each(|e| elements.push(e)),
            Source::Zset(zset) => zset.iter().for_each(|(e, _)| elements.push(e)),
        }
        // Where nothing is sorted, DESC says from which end an order is read; a set has none.
        if how.keeps_order() && how.descending && !self.is_set() {
            elements.reverse();
        }
        elements
    }

    /// Sorts by the elements themselves.
    fn sorted(&self, how: &How) -> Result<Sorted, CommandError> {
        self.collect(how).sort(how)
    }

    /// Sorts by what the pattern of BY names, or by the elements where there is none.
    fn sorted_by(
        &self,
        options: &Options<'_>,
        how: &How,
        other: &Others<'_, '_>,
    ) -> Result<Sorted, CommandError> {
        let elements = self.collect(how);
        match options.weights().filter(|_| !how.keeps_order()) {
            None => elements.sort(how),
            Some(pattern) if how.alpha => {
                let mut words = Words::default();
                elements.each(|text| pattern.fetch(text, other, |word| words.push(word)));
                Ok(elements.sort_by_words(&words, how))
            }
            Some(pattern) => {
                let mut scores = Some(Vec::with_capacity(elements.len()));
                elements.each(|text| {
                    pattern.fetch(text, other, |weight| {
                        let score = weight.map_or(Some(0.0), score);
                        scores = scores.take().zip(score).map(|(mut all, score)| {
                            all.push(score);
                            all
                        });
                    });
                });
                let scores = scores.ok_or(CommandError::SORT_SCORE)?;
                Ok(elements.sort_by_scores(scores, how))
            }
        }
    }
}
