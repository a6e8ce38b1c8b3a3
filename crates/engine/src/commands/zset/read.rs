//! Scores, ranks and counts.

use super::select::{Bounds, By};
use crate::error::CommandError;
use crate::exec::ReadCx;
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_ds::zset::ZsetRef;
use ochre_resp::Request;

/// A count as an integer reply.
fn integer(cx: &mut ReadCx<'_>, count: usize) -> Outcome {
    cx.out.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) const ZCARD: Command = Command {
    name: "zcard",
    summary: "Returns the number of members of a sorted set.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: 2,
    flags: Flags::FAST,
    categories: Categories::SORTEDSET,
    keys: &[key(1).ro()],
    args: &[Arg::key("key")],
    run: Run::Read(zcard),
    ..Command::NEW
};

fn zcard(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let len = cx.keys.zset(0)?.map_or(0, ZsetRef::len);
    integer(cx, len)
}

pub(super) const ZCOUNT: Command = Command {
    name: "zcount",
    summary: "Returns how many members have scores in a range.",
    since: "2.0.0",
    group: Group::SortedSet,
    complexity: "O(log(N)) where N is the number of members of the set.",
    arity: 4,
    flags: Flags::FAST,
    categories: Categories::SORTEDSET,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::double("min"), Arg::double("max")],
    run: Run::Read(zcount),
    ..Command::NEW
};

fn zcount(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    count(cx, args, By::Score)
}

pub(super) const ZLEXCOUNT: Command = Command {
    name: "zlexcount",
    summary: "Returns how many members lie in a range of the order of bytes.",
    since: "2.8.9",
    complexity: "O(log(N)) where N is the number of members of the set.",
    args: &[Arg::key("key"), Arg::string("min"), Arg::string("max")],
    run: Run::Read(zlexcount),
    ..ZCOUNT
};

fn zlexcount(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    count(cx, args, By::Lex)
}

fn count(cx: &mut ReadCx<'_>, args: Request<'_>, by: By) -> Outcome {
    let bounds = Bounds::parse(by, &args[2], &args[3])?;
    let ranks = cx.keys.zset(0)?.map_or(0..0, |z| bounds.ranks(z, false));
    integer(cx, ranks.len())
}

pub(super) const ZSCORE: Command = Command {
    name: "zscore",
    element: 2,
    summary: "Returns a member's score.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: 3,
    flags: Flags::FAST,
    categories: Categories::SORTEDSET,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::string("member")],
    run: Run::Read(zscore),
    ..Command::NEW
};

fn zscore(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    match cx.keys.zset(0)?.and_then(|z| z.score(&args[2])) {
        Some(score) => cx.out.double(score),
        None => cx.out.null(),
    }
    Ok(())
}

pub(super) const ZMSCORE: Command = Command {
    name: "zmscore",
    summary: "Returns the scores of several members.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of members asked for.",
    arity: -3,
    args: &[Arg::key("key"), Arg::string("member").multiple()],
    run: Run::Read(zmscore),
    ..ZSCORE
};

fn zmscore(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let zset = cx.keys.zset(0)?.unwrap_or(ZsetRef::EMPTY);
    let members = args.tail(2);
    zset.prefetch(members.iter());
    cx.out.array(members.len());
    for member in members.iter() {
        match zset.score(member) {
            Some(score) => cx.out.double(score),
            None => cx.out.null(),
        }
    }
    Ok(())
}

pub(super) const ZRANK: Command = Command {
    name: "zrank",
    element: 2,
    summary: "Returns a member's place in the order of scores, from the lowest.",
    since: "2.0.0",
    group: Group::SortedSet,
    complexity: "O(log(N)) where N is the number of members of the set.",
    arity: -3,
    flags: Flags::FAST,
    categories: Categories::SORTEDSET,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::string("member"),
        Arg::word("withscore", "WITHSCORE").optional(),
    ],
    history: &[("7.2.0", "Takes `WITHSCORE`.")],
    run: Run::Read(zrank),
    ..Command::NEW
};

fn zrank(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    rank(cx, args, "zrank", false)
}

pub(super) const ZREVRANK: Command = Command {
    name: "zrevrank",
    element: 2,
    summary: "Returns a member's place in the order of scores, from the highest.",
    run: Run::Read(zrevrank),
    ..ZRANK
};

fn zrevrank(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    rank(cx, args, "zrevrank", true)
}

fn rank(cx: &mut ReadCx<'_>, args: Request<'_>, name: &str, reverse: bool) -> Outcome {
    if args.len() > 4 {
        return Err(crate::exec::wrong_arity(name));
    }
    let with_score = match args.get(3) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"WITHSCORE") => true,
        Some(_) => return Err(CommandError::SYNTAX),
    };
    let zset = cx.keys.zset(0)?.unwrap_or(ZsetRef::EMPTY);
    let Some(rank) = zset.rank(&args[2]) else {
        if with_score {
            cx.out.null_array();
        } else {
            cx.out.null();
        }
        return Ok(());
    };
    let rank = if reverse { zset.len() - 1 - rank } else { rank };
    let rank = i64::try_from(rank).unwrap_or(i64::MAX);
    match zset.score(&args[2]).filter(|_| with_score) {
        Some(score) => {
            cx.out.array(2);
            cx.out.integer(rank);
            cx.out.double(score);
        }
        None => cx.out.integer(rank),
    }
    Ok(())
}
