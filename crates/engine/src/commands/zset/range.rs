//! Reading and storing ranges of ranks, scores and members.

use super::reply::Part;
use super::select::{By, Fixed, Selection};
use crate::error::CommandError;
use crate::exec::{Commit, Expiry, OUTSIDE_MIN, ReadCx, WriteCx};
use crate::settings::EventClasses;
use crate::spec::{Arg, Categories, Command, Deprecation, Flags, Group, Outcome, Run, key};
use ochre_ds::zset::{Builder, Limits, Zset, ZsetRef};
use ochre_resp::Request;

const LIMIT: Arg = Arg::block("limit", &[Arg::integer("offset"), Arg::integer("count")])
    .token("LIMIT")
    .optional();
const WITHSCORES: Arg = Arg::word("withscores", "WITHSCORES").optional();
const SORTBY: Arg = Arg::one_of(
    "sortby",
    &[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")],
)
.optional();
const REV: Arg = Arg::word("rev", "REV").optional();

const fn deprecated(instead: &'static str) -> Option<Deprecation> {
    Some(Deprecation {
        since: "6.2.0",
        instead,
    })
}

pub(super) const ZRANGE: Command = Command {
    name: "zrange",
    summary: "Returns the members in a range of ranks, scores or bytes.",
    since: "1.2.0",
    group: Group::SortedSet,
    complexity: "O(log(N)+M) where N is the number of members of the set and M of those returned.",
    arity: -4,
    categories: Categories::SORTEDSET,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::string("start"),
        Arg::string("stop"),
        SORTBY.since("6.2.0"),
        REV.since("6.2.0"),
        LIMIT.since("6.2.0"),
        WITHSCORES,
    ],
    history: &[("6.2.0", "Takes `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")],
    run: Run::Read(zrange),
    ..Command::NEW
};

fn zrange(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    range(cx, args, None, None)
}

pub(super) const ZREVRANGE: Command = Command {
    name: "zrevrange",
    summary: "Returns the members from one rank to another, counted from the highest score.",
    args: &[
        Arg::key("key"),
        Arg::integer("start"),
        Arg::integer("stop"),
        WITHSCORES,
    ],
    history: &[],
    deprecated: deprecated("`ZRANGE` with the `REV` argument"),
    run: Run::Read(zrevrange),
    ..ZRANGE
};

fn zrevrange(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    range(cx, args, Some(By::Rank), Some(true))
}

pub(super) const ZRANGEBYSCORE: Command = Command {
    name: "zrangebyscore",
    summary: "Returns the members with scores in a range.",
    since: "1.0.5",
    args: &[
        Arg::key("key"),
        Arg::double("min"),
        Arg::double("max"),
        WITHSCORES.since("2.0.0"),
        LIMIT,
    ],
    history: &[("2.0.0", "Takes `WITHSCORES`.")],
    deprecated: deprecated("`ZRANGE` with the `BYSCORE` argument"),
    run: Run::Read(zrangebyscore),
    ..ZRANGE
};

fn zrangebyscore(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    range(cx, args, Some(By::Score), Some(false))
}

pub(super) const ZREVRANGEBYSCORE: Command = Command {
    name: "zrevrangebyscore",
    summary: "Returns the members with scores in a range, the highest first.",
    since: "2.2.0",
    args: &[
        Arg::key("key"),
        Arg::double("max"),
        Arg::double("min"),
        WITHSCORES,
        LIMIT,
    ],
    history: &[("2.1.6", "Bounds can be exclusive.")],
    deprecated: deprecated("`ZRANGE` with the `REV` and `BYSCORE` arguments"),
    run: Run::Read(zrevrangebyscore),
    ..ZRANGE
};

fn zrevrangebyscore(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    range(cx, args, Some(By::Score), Some(true))
}

pub(super) const ZRANGEBYLEX: Command = Command {
    name: "zrangebylex",
    summary: "Returns the members in a range of the order of bytes.",
    since: "2.8.9",
    args: &[
        Arg::key("key"),
        Arg::string("min"),
        Arg::string("max"),
        LIMIT,
    ],
    history: &[],
    deprecated: deprecated("`ZRANGE` with the `BYLEX` argument"),
    run: Run::Read(zrangebylex),
    ..ZRANGE
};

fn zrangebylex(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    range(cx, args, Some(By::Lex), Some(false))
}

pub(super) const ZREVRANGEBYLEX: Command = Command {
    name: "zrevrangebylex",
    summary: "Returns the members in a range of the order of bytes, the last first.",
    args: &[
        Arg::key("key"),
        Arg::string("max"),
        Arg::string("min"),
        LIMIT,
    ],
    deprecated: deprecated("`ZRANGE` with the `REV` and `BYLEX` arguments"),
    run: Run::Read(zrevrangebylex),
    ..ZRANGEBYLEX
};

fn zrevrangebylex(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    range(cx, args, Some(By::Lex), Some(true))
}

fn range(cx: &mut ReadCx<'_>, args: Request<'_>, by: Option<By>, reverse: Option<bool>) -> Outcome {
    let fixed = Fixed {
        by,
        reverse,
        store: false,
    };
    let selection = Selection::parse(args, 2, fixed)?;
    let zset = cx.keys.zset(0)?.unwrap_or(ZsetRef::EMPTY);
    if let Some(rest) = selection.part(zset).write(cx.out, zset) {
        cx.stream(rest);
    }
    Ok(())
}

pub(super) const ZRANGESTORE: Command = Command {
    name: "zrangestore",
    summary: "Stores the members in a range of ranks, scores or bytes as a sorted set.",
    since: "6.2.0",
    group: Group::SortedSet,
    complexity: "O(log(N)+M) where N is the number of members of the set and M of those stored.",
    arity: -5,
    flags: Flags::DENYOOM,
    categories: Categories::SORTEDSET,
    keys: &[key(1).result(), key(2).read()],
    args: &[
        Arg::key("dst"),
        Arg::key("src").of_spec(1),
        Arg::string("min"),
        Arg::string("max"),
        SORTBY,
        REV,
        LIMIT,
    ],
    run: Run::Write(zrangestore),
    ..Command::NEW
};

fn zrangestore(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let fixed = Fixed {
        by: None,
        reverse: None,
        store: true,
    };
    let selection = Selection::parse(args, 3, fixed)?;
    let (limits, seed) = (cx.env.zset_limits(), cx.env.hash_seed());
    let Some(zset) = cx.keys.zset(1)? else {
        return store(cx, Zset::default(), ZRANGESTORE.name);
    };
    let (part, sized) = (selection.part(zset), selection.is_of_ranks());
    if part.ranks.len() < OUTSIDE_MIN || cx.must_finish() {
        let result = copy(zset, part, sized, limits, seed)?;
        return store(cx, result, ZRANGESTORE.name);
    }
    let source = zset.to_owned();
    cx.outside(Box::new(move || -> Commit {
        let result = copy(source.view(), part, sized, limits, seed);
        Box::new(move |cx| {
            match cx.keys.zset(1)? {
                Some(zset) if zset.same(&source) => {}
                _ => return Ok(false),
            }
            store(cx, result?, ZRANGESTORE.name)?;
            Ok(true)
        })
    }));
    Ok(())
}

/// The members of a part as a set of their own.
fn copy(
    zset: ZsetRef<'_>,
    part: Part,
    sized: bool,
    limits: Limits,
    seed: u64,
) -> Result<Zset, CommandError> {
    let (len, reverse) = (part.ranks.len(), part.reverse);
    // compat: a result that is not known to be large is packed in Redis until it outgrows that, and a pack forgets the
    // sign of zero.
    let mut found = zset.range(part.ranks.clone(), reverse).take(limits.entries);
    let packed = match sized && len > limits.entries {
        true => 0,
        false => found
            .position(|(member, _)| member.len() > limits.value)
            .unwrap_or(limits.entries),
    };
    let mut builder = Builder::new(seed);
    for (i, (member, score)) in zset.range(part.ranks, false).enumerate() {
        let place = if reverse { len - 1 - i } else { i };
        let score = if place < packed { score + 0.0 } else { score };
        builder.add(member, score).map_err(|_| CommandError::FULL)?;
    }
    Ok(builder.finish(limits))
}

/// Stores a result at the first key, raises `event`, and replies its size.
pub(super) fn store(cx: &mut WriteCx<'_>, result: Zset, event: &'static str) -> Outcome {
    let len = result.len();
    cx.storing(0, (EventClasses::ZSET, event), |keys| {
        keys.store_zset(0, result, Expiry::Clear).map(drop)
    })?;
    cx.out.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(())
}
