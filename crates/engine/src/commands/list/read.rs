//! Reading lists: length, elements by place, places by element.
//!
//! Invariant: many elements are sent piece by piece, and long lists searched, from a snapshot after the locks
//! are released.

use super::{
    SEARCH_OUTSIDE_MIN, integer, place, range, reply_count, reply_element, reply_elements,
    symmetric,
};
use crate::error::CommandError;
use crate::exec::{Out, ReadCx};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_ds::list::{End, ListRef};
use ochre_resp::Request;

pub(super) const LLEN: Command = Command {
    name: "llen",
    summary: "Returns the number of elements of a list.",
    group: Group::List,
    arity: 2,
    flags: Flags::FAST,
    categories: Categories::LIST,
    keys: &[key(1).ro()],
    args: &[Arg::key("key")],
    run: Run::Read(llen),
    ..Command::NEW
};

fn llen(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let len = cx.keys.list(0)?.map_or(0, |list| list.len());
    reply_count(cx.out, len);
    Ok(())
}

pub(super) const LINDEX: Command = Command {
    name: "lindex",
    summary: "Returns the element of a list at an index.",
    group: Group::List,
    complexity: "O(log(N)) where N is the length of the list.",
    arity: 3,
    categories: Categories::LIST,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::integer("index")],
    run: Run::Read(lindex),
    ..Command::NEW
};

fn lindex(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let Some(list) = cx.keys.list(0)? else {
        // compat: the index is not looked at.
        cx.out.null();
        return Ok(());
    };
    let element = place(integer(&args[2])?, list.len()).and_then(|at| list.get(at));
    match element {
        Some(element) => reply_element(cx.out, element),
        None => cx.out.null(),
    }
    Ok(())
}

pub(super) const LRANGE: Command = Command {
    name: "lrange",
    summary: "Returns the elements of a list between two indexes, both included.",
    group: Group::List,
    complexity: "O(log(N)+M) where N is the length of the list and M the number of elements returned.",
    arity: 4,
    categories: Categories::LIST,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::integer("start"), Arg::integer("stop")],
    run: Run::Read(lrange),
    ..Command::NEW
};

fn lrange(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let (start, stop) = (integer(&args[2])?, integer(&args[3])?);
    let Some(list) = cx.keys.list(0)? else {
        cx.out.array(0);
        return Ok(());
    };
    let range = range(start, stop, list.len());
    let rest = reply_elements(cx.out, list, range.start, range.len(), End::Front);
    if let Some(rest) = rest {
        cx.stream(rest);
    }
    Ok(())
}

pub(super) const LPOS: Command = Command {
    name: "lpos",
    summary: "Returns where in a list an element is, the first or several of the places.",
    since: "6.0.6",
    group: Group::List,
    complexity: "O(N) where N is the number of elements compared.",
    arity: -3,
    categories: Categories::LIST,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::string("element"),
        Arg::integer("rank").token("RANK").optional(),
        Arg::integer("num-matches").token("COUNT").optional(),
        Arg::integer("len").token("MAXLEN").optional(),
    ],
    run: Run::Read(lpos),
    ..Command::NEW
};

/// What LPOS looks for.
#[derive(Clone, Copy)]
struct Search {
    from: End,
    /// Matches to pass over.
    skip: u64,
    /// Matches to return; `None` for the first one, not in an array.
    count: Option<usize>,
    /// Elements to compare.
    compare: usize,
}

impl Search {
    fn parse(args: Request<'_>) -> Result<Search, CommandError> {
        let (mut rank, mut count, mut compare) = (1, None, usize::MAX);
        let natural = |text: &[u8]| parse_i64(text).and_then(|n| usize::try_from(n).ok());
        let all_if_zero = |n: usize| if n == 0 { usize::MAX } else { n };
        let mut at = 3;
        while let Some(word) = args.get(at) {
            let value = args.get(at + 1).ok_or(CommandError::SYNTAX)?;
            if word.eq_ignore_ascii_case(b"RANK") {
                rank = symmetric(value)?;
                if rank == 0 {
                    return Err(CommandError::RANK_ZERO);
                }
            } else if word.eq_ignore_ascii_case(b"COUNT") {
                let n = natural(value).ok_or(CommandError::COUNT_NEGATIVE)?;
                count = Some(all_if_zero(n));
            } else if word.eq_ignore_ascii_case(b"MAXLEN") {
                let n = natural(value).ok_or(CommandError::MAXLEN_NEGATIVE)?;
                compare = all_if_zero(n);
            } else {
                return Err(CommandError::SYNTAX);
            }
            at += 2;
        }
        Ok(Search {
            from: if rank < 0 { End::Back } else { End::Front },
            skip: rank.unsigned_abs() - 1,
            count,
            compare,
        })
    }

    fn reply(self, list: ListRef<'_>, element: &[u8], out: &mut Out) {
        let (mut skip, mut places) = (self.skip, Vec::new());
        let wanted = self.count.unwrap_or(1);
        list.positions(element, self.from, self.compare, |at| {
            if skip > 0 {
                skip -= 1;
            } else {
                places.push(at);
            }
            places.len() < wanted
        });
        match (self.count, places.first()) {
            (None, None) => out.null(),
            (None, Some(at)) => reply_count(out, *at),
            (Some(_), _) => {
                out.array(places.len());
                places.iter().for_each(|at| reply_count(out, *at));
            }
        }
    }
}

fn lpos(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let search = Search::parse(args)?;
    match cx.keys.list(0)? {
        None if search.count.is_some() => cx.out.array(0),
        None => cx.out.null(),
        Some(list) if list.len().min(search.compare) >= SEARCH_OUTSIDE_MIN => {
            let (list, element) = (list.to_owned(), args[2].to_vec());
            cx.later(Box::new(move |out| {
                search.reply(list.view(), &element, out);
                Ok(())
            }));
        }
        Some(list) => search.reply(list, &args[2], cx.out),
    }
    Ok(())
}
