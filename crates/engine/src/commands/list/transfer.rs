//! Moving elements from one list to another, or within one.
//!
//! Invariant: an element is added to the destination before it is removed from the source, so a move that fails
//! for want of memory loses nothing.

use super::{LEFT, RIGHT, added_to, end, popped, popped_event, pushed, reply_element};
use crate::error::CommandError;
use crate::exec::WriteCx;
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Deprecation, Flags, Group, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_ds::list::{End, List};
use ochre_ds::pack::Element;
use ochre_resp::Request;

pub(super) const LMOVE: Command = Command {
    name: "lmove",
    summary: "Moves an element from an end of a list to an end of another, or of the same, and returns it.",
    since: "6.2.0",
    group: Group::List,
    arity: 5,
    flags: Flags::DENYOOM,
    categories: Categories::LIST,
    keys: &[popped(1), added_to(2)],
    args: &[
        Arg::key("source"),
        Arg::key("destination").of_spec(1),
        Arg::one_of("wherefrom", &[LEFT, RIGHT]),
        Arg::one_of("whereto", &[LEFT, RIGHT]),
    ],
    run: Run::Write(lmove),
    ..Command::NEW
};

fn lmove(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (from, to) = (end(&args[3])?, end(&args[4])?);
    move_one(cx, args, from, to)
}

pub(super) const RPOPLPUSH: Command = Command {
    name: "rpoplpush",
    summary: "Moves the last element of a list before the first of another, or of the same, and returns it.",
    since: "1.2.0",
    arity: 3,
    args: &[Arg::key("source"), Arg::key("destination").of_spec(1)],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        instead: "`LMOVE` with the `RIGHT` and `LEFT` arguments",
    }),
    run: Run::Write(rpoplpush),
    ..LMOVE
};

fn rpoplpush(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    move_one(cx, args, End::Back, End::Front)
}

/// Moves an element of the first key's list, if there is one, and replies with it, else with a null.
pub(super) fn move_one(cx: &mut WriteCx<'_>, args: Request<'_>, from: End, to: End) -> Outcome {
    if cx.keys.list(0)?.is_none() {
        cx.out.null();
        return Ok(());
    }
    cx.keys.list(1)?;
    let limits = cx.env.list_limits();
    let out = &mut *cx.out;
    if args[1] == args[2] {
        cx.keys.edit_list(0, |list| {
            list.rotate(from, to, limits, |element| reply_element(out, element));
            Ok(((), 1))
        })?;
        notify(cx, from, to);
        return Ok(());
    }
    let Some(moved) = cx.keys.list(0)?.and_then(|list| match from {
        End::Front => list.get(0).map(Moved::of),
        End::Back => list.get(list.len() - 1).map(Moved::of),
    }) else {
        return Ok(());
    };
    reply_element(out, moved.element());
    cx.keys.edit_list(1, |list| {
        list.push_moved(to, moved.element(), limits);
        Ok(((), 1))
    })?;
    cx.keys.edit_list(0, |list| {
        list.pop(from, limits, |_| ());
        Ok(((), 1))
    })?;
    // compat: a move counts as one change.
    cx.keys.changes -= 1;
    notify(cx, from, to);
    Ok(())
}

/// Raises that elements went from the first key's list to the second's.
fn notify(cx: &mut WriteCx<'_>, from: End, to: End) {
    cx.notify(EventClasses::LIST, pushed(to), 1);
    cx.notify_taken(EventClasses::LIST, popped_event(from), 0);
}

/// An element on its way from one list to another.
enum Moved {
    Int(i64),
    Text(Vec<u8>),
}

impl Moved {
    fn of(element: Element<'_>) -> Moved {
        match element {
            Element::Int(n) => Moved::Int(n),
            text => Moved::Text(text.to_vec()),
        }
    }

    fn element(&self) -> Element<'_> {
        match self {
            Moved::Int(n) => Element::Int(*n),
            Moved::Text(text) => Element::Bytes(text),
        }
    }
}

pub(super) const LMOVEM: Command = Command {
    name: "lmovem",
    summary: "Moves several elements from an end of a list to an end of another, or of the same, and returns them.",
    since: "8.10.0",
    group: Group::List,
    complexity: "O(N) where N is the number of elements moved.",
    arity: -5,
    args: &[
        Arg::key("source"),
        Arg::key("destination").of_spec(1),
        Arg::one_of("wherefrom", &[LEFT, RIGHT]),
        Arg::one_of("whereto", &[LEFT, RIGHT]),
        HowMany::ARG,
    ],
    run: Run::Write(lmovem),
    ..LMOVE
};

/// How many elements LMOVEM moves, and in which order they arrive.
pub(super) struct HowMany {
    count: usize,
    /// Nothing is moved when there are fewer.
    exactly: bool,
    /// One by one, so that the last one moved is the outermost; otherwise they keep their order.
    one_by_one: bool,
}

impl HowMany {
    pub(super) const ARG: Arg = Arg::block(
        "how-many",
        &[
            Arg::one_of(
                "selector",
                &[
                    Arg::integer("count").token("COUNT"),
                    Arg::integer("exactly").token("EXACTLY"),
                ],
            ),
            Arg::one_of(
                "ordering",
                &[Arg::word("obo", "OBO"), Arg::word("bulk", "BULK")],
            ),
        ],
    )
    .optional();

    /// Whether a list of `len` elements is enough to move some.
    pub(super) fn has_enough(&self, len: usize) -> bool {
        len > 0 && !(self.exactly && self.count > len)
    }

    /// Reads the options behind the ends.
    pub(super) fn parse(args: Request<'_>) -> Result<HowMany, CommandError> {
        if args.is_empty() {
            return Ok(HowMany {
                count: 1,
                exactly: false,
                one_by_one: false,
            });
        }
        let (selector, count, order) = match (args.get(0), args.get(1), args.get(2)) {
            (Some(selector), Some(count), Some(order)) if args.len() == 3 => {
                (selector, count, order)
            }
            _ => return Err(CommandError::SYNTAX),
        };
        let exactly = selector.eq_ignore_ascii_case(b"EXACTLY");
        let one_by_one = order.eq_ignore_ascii_case(b"OBO");
        if !exactly && !selector.eq_ignore_ascii_case(b"COUNT")
            || !one_by_one && !order.eq_ignore_ascii_case(b"BULK")
        {
            return Err(CommandError::SYNTAX);
        }
        let count = parse_i64(count)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or(CommandError::NOT_POSITIVE)?;
        Ok(HowMany {
            count,
            exactly,
            one_by_one,
        })
    }
}

fn lmovem(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let (from, to) = (end(&args[3])?, end(&args[4])?);
    let how_many = HowMany::parse(args.tail(5))?;
    move_many(cx, args, from, to, &how_many)
}

/// Moves elements of the first key's list and replies with them; a null if there are not enough.
pub(super) fn move_many(
    cx: &mut WriteCx<'_>,
    args: Request<'_>,
    from: End,
    to: End,
    how_many: &HowMany,
) -> Outcome {
    let Some(source) = cx.keys.list(0)? else {
        cx.out.null_array();
        return Ok(());
    };
    let len = source.len();
    if how_many.exactly && how_many.count > len {
        cx.out.null_array();
        return Ok(());
    }
    let count = how_many.count.min(len);
    let block = match from {
        End::Front => 0..count,
        End::Back => len - count..len,
    };
    let mut moved: Vec<Moved> = source.range(block.start, count).map(Moved::of).collect();
    cx.keys.list(1)?;
    // One by one onto the end that they come from, the first one moved ends innermost.
    if how_many.one_by_one && from == to {
        moved.reverse();
    }
    cx.out.array(count);
    moved
        .iter()
        .for_each(|element| reply_element(cx.out, element.element()));
    if count == 0 {
        return Ok(());
    }
    let limits = cx.env.list_limits();
    let keep = match from {
        End::Front => count..len,
        End::Back => 0..len - count,
    };
    let add = |list: &mut List| {
        let mut add = |element: &Moved| list.push_moved(to, element.element(), limits);
        match to {
            End::Front => moved.iter().rev().for_each(&mut add),
            End::Back => moved.iter().for_each(&mut add),
        }
    };
    if args[1] == args[2] {
        let removed = cx.keys.edit_list(0, |list| {
            let removed = list.trim(keep, limits);
            add(list);
            Ok((removed, count as u64))
        })?;
        cx.keys.drop_later(removed);
        notify(cx, from, to);
        return Ok(());
    }
    cx.keys.edit_list(1, |list| {
        add(list);
        Ok(((), count as u64))
    })?;
    let removed = cx
        .keys
        .edit_list(0, |list| Ok((list.trim(keep, limits), count as u64)))?;
    cx.keys.drop_later(removed);
    notify(cx, from, to);
    Ok(())
}
