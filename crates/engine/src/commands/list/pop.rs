//! Removing elements at the ends and returning them.
//!
//! Invariant: many elements are sent from a snapshot after the locks are released, and their memory is freed
//! in the background.

use super::super::mpop::Wanted;
use super::{LEFT, RIGHT, end, popped, popped_event, reply_element, reply_elements};
use crate::error::CommandError;
use crate::exec::{WriteCx, wrong_arity};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, numkeys};
use ochre_ds::int::parse_i64;
use ochre_ds::list::End;
use ochre_resp::Request;

pub(super) const LPOP: Command = Command {
    name: "lpop",
    summary: "Removes the first element of a list, or several, and returns what was removed.",
    group: Group::List,
    complexity: "O(N) where N is the number of elements removed.",
    arity: -2,
    flags: Flags::FAST,
    categories: Categories::LIST,
    keys: &[popped(1)],
    args: &[
        Arg::key("key"),
        Arg::integer("count").optional().since("6.2.0"),
    ],
    history: &[("6.2.0", "Takes a count.")],
    run: Run::Write(lpop),
    ..Command::NEW
};

fn lpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop(cx, args, End::Front, "lpop")
}

pub(super) const RPOP: Command = Command {
    name: "rpop",
    summary: "Removes the last element of a list, or several, and returns what was removed.",
    run: Run::Write(rpop),
    ..LPOP
};

fn rpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    pop(cx, args, End::Back, "rpop")
}

fn pop(cx: &mut WriteCx<'_>, args: Request<'_>, from: End, name: &str) -> Outcome {
    let count = match args.len() {
        2 => return pop_one(cx, from),
        3 => parse_i64(&args[2])
            .and_then(|n| usize::try_from(n).ok())
            .ok_or(CommandError::NOT_POSITIVE)?,
        _ => return Err(wrong_arity(name)),
    };
    match cx.keys.list(0)? {
        None => {
            cx.out.null_array();
            Ok(())
        }
        Some(_) if count == 0 => {
            cx.out.array(0);
            Ok(())
        }
        Some(_) => pop_many(cx, 0, from, count).map(drop),
    }
}

fn pop_one(cx: &mut WriteCx<'_>, from: End) -> Outcome {
    if cx.keys.list(0)?.is_none() {
        cx.out.null();
        return Ok(());
    }
    let limits = cx.env.list_limits();
    let out = &mut *cx.out;
    cx.keys.edit_list(0, |list| {
        list.pop(from, limits, |element| reply_element(out, element));
        Ok(((), 1))
    })?;
    cx.notify_taken(EventClasses::LIST, popped_event(from), 0);
    Ok(())
}

/// Removes up to `count` elements, at least one, of the list at key `i`, which exists, and replies with
/// them. Returns how many.
fn pop_many(
    cx: &mut WriteCx<'_>,
    i: usize,
    from: End,
    count: usize,
) -> Result<usize, CommandError> {
    let Some(list) = cx.keys.list(i)? else {
        return Ok(0);
    };
    let (len, count) = (list.len(), count.min(list.len()));
    let (next, keep) = match from {
        End::Front => (0, count..len),
        End::Back => (len, 0..len - count),
    };
    // The rest is sent from a snapshot that has the elements still.
    if let Some(rest) = reply_elements(cx.out, list, next, count, from) {
        cx.stream(rest);
    }
    let limits = cx.env.list_limits();
    let removed = cx
        .keys
        .edit_list(i, |list| Ok((list.trim(keep, limits), count as u64)))?;
    cx.keys.drop_later(removed);
    cx.notify_taken(EventClasses::LIST, popped_event(from), i);
    Ok(count)
}

pub(super) const LMPOP: Command = Command {
    name: "lmpop",
    summary: "Removes elements from the first of several lists that exists and returns its name and what was removed.",
    since: "7.0.0",
    group: Group::List,
    complexity: "O(N+M) where N is the number of keys and M the number of elements removed.",
    arity: -4,
    categories: Categories::LIST,
    keys: &[numkeys(1).access(Access::RW.with(Access::ACCESS).with(Access::DELETE))],
    args: &[
        Arg::integer("numkeys"),
        Arg::key("key").multiple(),
        Arg::one_of("where", &[LEFT, RIGHT]),
        Arg::integer("count").token("COUNT").optional(),
    ],
    run: Run::Write(lmpop),
    ..Command::NEW
};

fn lmpop(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let wanted = Wanted::parse(args, end)?;
    if !mpop(cx, args, &wanted)? {
        cx.out.null_array();
    }
    Ok(())
}

/// Removes elements from the first list that exists. False, and no reply, when there is none.
pub(super) fn mpop(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    wanted: &Wanted<End>,
) -> Result<bool, CommandError> {
    for i in 0..wanted.keys {
        if cx.keys.list(i)?.is_none() {
            continue;
        }
        let key = &args[2 + i];
        cx.out.array(2);
        cx.out.bulk(key);
        let removed = pop_many(cx, i, wanted.from, wanted.count)?;
        let name = match wanted.from {
            End::Front => b"LPOP".as_slice(),
            End::Back => b"RPOP",
        };
        let mut digits = itoa::Buffer::new();
        let removed = digits.format(removed).as_bytes();
        cx.effects.replace([name, key, removed]);
        return Ok(true);
    }
    Ok(false)
}
