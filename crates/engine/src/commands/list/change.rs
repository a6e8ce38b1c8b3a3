//! Changing lists anywhere: by place, by element, and cutting them down to a part.
//!
//! Invariants
//! - Long lists are searched outside the locks; the change itself is made under them, on the list that was searched.
//! - Whether a list becomes too large to be packed is asked before it is known that anything changes.
//!   compat: so Redis does, and clients see it in OBJECT ENCODING. Such a change of the encoding counts as one.

use super::{SEARCH_OUTSIDE_MIN, integer, place, range, reply_count, symmetric};
use crate::error::CommandError;
use crate::exec::{Commit, Expiry, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::list::{End, List};
use ochre_resp::Request;

pub(super) const LSET: Command = Command {
    name: "lset",
    summary: "Replaces the element of a list at an index.",
    group: Group::List,
    complexity: "O(log(N)) where N is the length of the list.",
    arity: 4,
    flags: Flags::DENYOOM,
    categories: Categories::LIST,
    keys: &[key(1).rw_update()],
    args: &[
        Arg::key("key"),
        Arg::integer("index"),
        Arg::string("element"),
    ],
    run: Run::Write(lset),
    ..Command::NEW
};

fn lset(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    if cx.keys.list(0)?.is_none() {
        return Err(CommandError::NO_SUCH_KEY);
    }
    let (index, limits) = (integer(&args[2])?, cx.env.list_limits());
    let (done, reformed) = cx.keys.edit_list(0, |list| {
        let encoding = list.encoding();
        let at = place(index, list.len()).unwrap_or(usize::MAX);
        let done = list.set(at, &args[3], limits);
        let reformed = list.encoding() != encoding;
        Ok(((done, reformed), u64::from(done || reformed)))
    })?;
    if !done {
        if reformed {
            cx.keys.unnoticed(0);
        }
        return Err(CommandError::INDEX_RANGE);
    }
    cx.notify(EventClasses::LIST, "lset", 0);
    cx.out.ok();
    Ok(())
}

pub(super) const LINSERT: Command = Command {
    name: "linsert",
    summary: "Inserts an element before or after another one of a list.",
    since: "2.2.0",
    group: Group::List,
    complexity: "O(N) where N is the number of elements before the one sought.",
    arity: 5,
    flags: Flags::DENYOOM,
    categories: Categories::LIST,
    keys: &[key(1).access(Access::RW.with(Access::INSERT))],
    args: &[
        Arg::key("key"),
        Arg::one_of(
            "where",
            &[Arg::word("before", "BEFORE"), Arg::word("after", "AFTER")],
        ),
        Arg::string("pivot"),
        Arg::string("element"),
    ],
    run: Run::Write(linsert),
    ..Command::NEW
};

fn linsert(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let after = args[2].eq_ignore_ascii_case(b"AFTER");
    if !after && !args[2].eq_ignore_ascii_case(b"BEFORE") {
        return Err(CommandError::SYNTAX);
    }
    let Some(list) = cx.keys.list(0)? else {
        cx.out.integer(0);
        return Ok(());
    };
    if list.len() < SEARCH_OUTSIDE_MIN || cx.must_finish() {
        let pivot = list.find(&args[3]);
        return insert(cx, pivot, after, &args[4]);
    }
    let (searched, pivot, element) = (list.to_owned(), args[3].to_vec(), args[4].to_vec());
    cx.outside(Box::new(move || {
        let pivot = searched.view().find(&pivot);
        let commit: Commit = Box::new(move |cx| {
            if !cx.keys.list(0)?.is_some_and(|list| list.same(&searched)) {
                return Ok(false);
            }
            // Nobody else has the list then, so nothing needs to be copied.
            drop(searched);
            insert(cx, pivot, after, &element)?;
            Ok(true)
        });
        commit
    }));
    Ok(())
}

fn insert(cx: &mut WriteCx<'_>, pivot: Option<usize>, after: bool, element: &[u8]) -> Outcome {
    let limits = cx.env.list_limits();
    let len = cx.keys.edit_list(0, |list| {
        let encoding = list.encoding();
        list.prepare(element.len(), 1, limits);
        let changed = pivot.is_some() || list.encoding() != encoding;
        if let Some(pivot) = pivot {
            list.insert(pivot, after, element, limits);
        }
        Ok((list.len(), u64::from(changed)))
    })?;
    match pivot {
        Some(_) => {
            cx.notify(EventClasses::LIST, "linsert", 0);
            reply_count(cx.out, len);
        }
        None => {
            cx.keys.unnoticed(0);
            cx.out.integer(-1);
        }
    }
    Ok(())
}

pub(super) const LREM: Command = Command {
    name: "lrem",
    summary: "Removes the elements of a list that equal one, all or some from either end.",
    group: Group::List,
    complexity: "O(N) where N is the length of the list.",
    arity: 4,
    categories: Categories::LIST,
    keys: &[key(1).access(Access::RW.with(Access::DELETE))],
    args: &[
        Arg::key("key"),
        Arg::integer("count"),
        Arg::string("element"),
    ],
    run: Run::Write(lrem),
    ..Command::NEW
};

fn lrem(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let count = symmetric(&args[2])?;
    let most = match count.unsigned_abs() {
        0 => usize::MAX,
        n => usize::try_from(n).unwrap_or(usize::MAX),
    };
    let from = if count < 0 { End::Back } else { End::Front };
    let limits = cx.env.list_limits();
    let Some(list) = cx.keys.list(0)? else {
        cx.out.integer(0);
        return Ok(());
    };
    if list.len() < SEARCH_OUTSIDE_MIN || cx.must_finish() {
        let removed = cx.keys.edit_list(0, |list| {
            let removed = list.remove_equal(&args[3], most, from, limits);
            Ok((removed, removed as u64))
        })?;
        reply_removed(cx, removed);
        return Ok(());
    }
    let (searched, element) = (list.to_owned(), args[3].to_vec());
    cx.outside(Box::new(move || {
        let mut rest = searched.clone();
        let removed = rest.remove_equal(&element, most, from, limits);
        let commit: Commit = Box::new(move |cx| store_rest(cx, &searched, rest, removed));
        commit
    }));
    Ok(())
}

/// Replaces the list that was searched by what is left of it; `false` when it is another one by now.
fn store_rest(
    cx: &mut WriteCx<'_>,
    searched: &List,
    rest: List,
    removed: usize,
) -> Result<bool, CommandError> {
    if !cx.keys.list(0)?.is_some_and(|list| list.same(searched)) {
        return Ok(false);
    }
    if removed > 0 {
        cx.keys.store_list(0, rest, Expiry::Keep)?;
        cx.keys.count_changes(removed as u64 - 1);
    }
    reply_removed(cx, removed);
    Ok(true)
}

fn reply_removed(cx: &mut WriteCx<'_>, removed: usize) {
    if removed > 0 {
        cx.notify_taken(EventClasses::LIST, "lrem", 0);
    }
    reply_count(cx.out, removed);
}

pub(super) const LTRIM: Command = Command {
    name: "ltrim",
    summary: "Removes all elements of a list but those between two indexes, both included.",
    group: Group::List,
    complexity: "O(N) where N is the number of elements removed.",
    arity: 4,
    categories: Categories::LIST,
    keys: &[key(1).access(Access::RW.with(Access::DELETE))],
    args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("stop")],
    run: Run::Write(ltrim),
    ..Command::NEW
};

fn ltrim(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (start, stop) = (integer(&args[2])?, integer(&args[3])?);
    if cx.keys.list(0)?.is_some() {
        let limits = cx.env.list_limits();
        let removed = cx.keys.edit_list(0, |list| {
            let (keep, len) = (range(start, stop, list.len()), list.len());
            let gone = (len - keep.len()) as u64;
            Ok((list.trim(keep, limits), gone))
        })?;
        cx.keys.drop_later(removed);
        // compat: a list of which nothing is removed is changed to those who watch it.
        cx.keys.touched(0);
        cx.notify_taken(EventClasses::LIST, "ltrim", 0);
    }
    cx.out.ok();
    Ok(())
}
