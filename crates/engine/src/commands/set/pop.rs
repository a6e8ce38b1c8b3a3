//! SPOP.
//!
//! Invariants
//! - Every choice of so many members is equally likely.
//! - What is journalled is which members went (or that the key did), never that some did.
//! - A set of which little stays is replaced by a new one and sent from a snapshot; many members of
//!   one of which much stays are taken out of a copy with no stripe held.

use super::members::{Whole, reply_all};
use super::{PIECE, SET, reply_member};
use crate::error::CommandError;
use crate::exec::{Commit, Expiry, Out, Producer, STREAM_MIN, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Command, Flags, Outcome, Run, key};
use ochre_ds::dict::{Cursor, Dict};
use ochre_ds::int::parse_i64;
use ochre_ds::pack::Element;
use ochre_ds::random::Random;
use ochre_ds::set::{Making, Set, SetRef, algebra};
use ochre_resp::Request;
use std::sync::Arc;

/// Members from which they are taken out of a copy: some milliseconds of work.
const COPY_MIN: usize = 16 * 1024;
/// Members that one journalled SREM names at most.
const JOURNALLED: usize = 1024;

pub(super) const SPOP: Command = Command {
    name: "spop",
    summary: "Returns random members of a set and removes them, and the set with its last member.",
    complexity: "O(1) without a count, else O(N) where N is the count.",
    arity: -2,
    flags: Flags::FAST,
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::DELETE))],
    args: &[
        Arg::key("key"),
        Arg::integer("count").optional().since("3.2.0"),
    ],
    history: &[("3.2.0", "The argument `count`.")],
    tips: &["nondeterministic_output"],
    run: Run::Write(spop),
    ..SET
};

fn spop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let Some(count) = args.get(2) else {
        return pop_one(cx, &args[1]);
    };
    if args.len() > 3 {
        return Err(CommandError::SYNTAX);
    }
    let count = parse_i64(count).filter(|n| *n >= 0);
    let count = count.ok_or(CommandError::NOT_POSITIVE)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let set = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY);
    if count == 0 || set.is_empty() {
        cx.out.set(0);
        return Ok(());
    }
    if count >= set.len() {
        return pop_all(cx, &args[1]);
    }
    let (limits, seed) = (cx.env.set_limits(), cx.env.hash_seed());
    let mut random = cx.env.random();
    match set.rest_of(count, &mut random, limits, seed)? {
        Some(rest) => pop_to(cx, &args[1], rest),
        None if count >= COPY_MIN && !cx.must_finish() => {
            let (set, making) = (set.to_owned(), Making { limits, seed });
            let (key, protocol) = (args[1].to_vec(), cx.out.protocol());
            let on = cx.effects.is_on();
            cx.outside(Box::new(move || {
                pop_of_copy(&key, set, count, random, making, Out::new(protocol), on)
            }));
            Ok(())
        }
        None => pop_some(cx, &args[1], count, random),
    }
}

fn pop_one(cx: &mut WriteCx<'_>, key: &[u8]) -> Outcome {
    if cx.keys.set(0)?.is_none() {
        cx.out.null();
        return Ok(());
    }
    let mut random = cx.env.random();
    let popped = cx.keys.edit_set(0, |set| {
        let popped = set.pop(&mut random);
        let changes = u64::from(popped.is_some());
        Ok((popped, changes))
    })?;
    match popped {
        Some(member) => {
            cx.notify_taken(EventClasses::SET, "spop", 0);
            cx.effects.replace([b"SREM", key, &member[..]]);
            cx.out.bulk(&member);
        }
        None => cx.out.null(),
    }
    Ok(())
}

/// Removes the key and sends the whole set.
fn pop_all(cx: &mut WriteCx<'_>, key: &[u8]) -> Outcome {
    let set = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY).to_owned();
    let members = set.len() as u64;
    cx.keys.remove(0)?;
    cx.keys.count_changes(members.saturating_sub(1));
    cx.notify_taken(EventClasses::SET, "spop", 0);
    cx.effects.replace([b"DEL", key]);
    cx.out.set(set.len());
    match Whole::of(set.view()) {
        Some(whole) => cx.stream(Box::new(whole)),
        None => reply_all(cx.out, set.view()),
    }
    Ok(())
}

/// Replaces the set by what stays of it, and sends the others.
fn pop_to(cx: &mut WriteCx<'_>, key: &[u8], rest: Set) -> Outcome {
    let set = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY).to_owned();
    let popped = set.len() - rest.len();
    let gone = |visit: &mut dyn FnMut(Element<'_>)| {
        algebra::difference(&[set.view(), rest.view()], |member| {
            visit(member);
            true
        });
    };
    if cx.effects.is_on() {
        let mut removal = Removal::new(key);
        gone(&mut |member| removal.push(member));
        removal.journal(cx);
    }
    cx.out.set(popped);
    match &set {
        Set::Table(table) if popped >= STREAM_MIN => {
            let producer = Rest {
                table: Arc::clone(table),
                rest: rest.clone(),
                cursor: Cursor::default(),
            };
            cx.keys.store_set(0, rest, Expiry::Keep)?;
            cx.stream(Box::new(producer));
        }
        _ => {
            gone(&mut |member| reply_member(cx.out, member));
            cx.keys.store_set(0, rest, Expiry::Keep)?;
        }
    }
    cx.keys.count_changes((popped as u64).saturating_sub(1));
    cx.notify(EventClasses::SET, "spop", 0);
    Ok(())
}

/// The members of a table that are not in what stays of it, on their way to the client.
struct Rest {
    table: Arc<Dict>,
    rest: Set,
    cursor: Cursor,
}

impl Producer for Rest {
    fn produce(&mut self, out: &mut Out) -> bool {
        let mut members = self.table.iter_from(self.cursor);
        let start = out.len();
        while out.len() - start < PIECE {
            let Some((member, _)) = members.next() else {
                return false;
            };
            if !self.rest.view().contains(member) {
                out.bulk(member);
            }
        }
        self.cursor = members.cursor();
        true
    }
}

/// Takes members out where they are.
fn pop_some(cx: &mut WriteCx<'_>, key: &[u8], count: usize, mut random: Random) -> Outcome {
    let (limits, seed) = (cx.env.set_limits(), cx.env.hash_seed());
    let mut removal = cx.effects.is_on().then(|| Removal::new(key));
    let out = &mut *cx.out;
    out.set(count);
    cx.keys.edit_set(0, |set| {
        set.pop_many(count, &mut random, limits, seed, |member| {
            reply_member(out, member);
            if let Some(removal) = &mut removal {
                removal.push(member);
            }
        })?;
        Ok(((), count as u64))
    })?;
    cx.notify(EventClasses::SET, "spop", 0);
    if let Some(removal) = removal {
        removal.journal(cx);
    }
    Ok(())
}

/// Takes members out of a copy, to be stored if the set is still the same.
fn pop_of_copy(
    key: &[u8],
    set: Set,
    count: usize,
    mut random: Random,
    making: Making,
    mut reply: Out,
    journalled: bool,
) -> Commit {
    let mut rest = set.clone();
    let mut removal = Removal::new(key);
    reply.set(count);
    let outcome = rest.pop_many(count, &mut random, making.limits, making.seed, |member| {
        reply_member(&mut reply, member);
        if journalled {
            removal.push(member);
        }
    });
    Box::new(move |cx| {
        let same = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY).same(&set);
        if same {
            outcome?;
            cx.keys.store_set(0, rest, Expiry::Keep)?;
            cx.keys.count_changes((count as u64).saturating_sub(1));
            cx.notify(EventClasses::SET, "spop", 0);
            removal.journal(cx);
            cx.out.raw(reply.as_slice().unwrap_or_default());
        }
        Ok(same)
    })
}

/// The members that went, as SREMs.
struct Removal {
    key: Vec<u8>,
    members: Vec<Vec<u8>>,
}

impl Removal {
    fn new(key: &[u8]) -> Removal {
        Removal {
            key: key.to_vec(),
            members: Vec::new(),
        }
    }

    fn push(&mut self, member: Element<'_>) {
        self.members.push(member.to_vec());
    }

    fn journal(&self, cx: &mut WriteCx<'_>) {
        for members in self.members.chunks(JOURNALLED) {
            let words = [b"SREM", &self.key[..]].into_iter();
            cx.effects
                .replace(words.chain(members.iter().map(Vec::as_slice)));
        }
    }
}
