//! Random members.
//!
//! Invariant: every member is equally likely, and so is every choice of different ones; nothing but
//! the ranks chosen is collected.

use super::reply;
use crate::error::CommandError;
use crate::exec::{Out, Producer, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Categories, Command, Group, Outcome, Run, key};
use ochre_ds::int::parse_i64;
use ochre_ds::random::Random;
use ochre_ds::zset::{Zset, ZsetRef, distinct_ranks};
use ochre_resp::Request;

/// Bytes of a piece of a long reply.
const PIECE: usize = 64 * 1024;

pub(super) const ZRANDMEMBER: Command = Command {
    name: "zrandmember",
    summary: "Returns random members of a sorted set.",
    since: "6.2.0",
    group: Group::SortedSet,
    complexity: "O(N) where N is the number of members returned.",
    arity: -2,
    categories: Categories::SORTEDSET,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::block(
            "options",
            &[
                Arg::integer("count"),
                Arg::word("withscores", "WITHSCORES").optional(),
            ],
        )
        .optional(),
    ],
    tips: &["nondeterministic_output"],
    run: Run::Read(zrandmember),
    ..Command::NEW
};

fn zrandmember(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let mut random = cx.env.random();
    let Some(text) = args.get(2) else {
        let zset = cx.keys.zset(0)?.unwrap_or(ZsetRef::EMPTY);
        match zset.at(random.index(zset.len())) {
            Some((member, _)) => reply::member(cx.out, &member),
            None => cx.out.null(),
        }
        return Ok(());
    };
    let (count, scores) = options(args, text)?;
    let Some(zset) = cx.keys.zset(0)? else {
        cx.out.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        return different(cx, wanted, scores, &mut random);
    }
    reply::open(cx.out, wanted, scores);
    if wanted >= STREAM_MIN {
        let repeated = Repeated {
            zset: zset.to_owned(),
            left: wanted,
            scores,
            random,
        };
        cx.stream(Box::new(repeated));
        return Ok(());
    }
    draw(cx.out, zset, wanted, scores, &mut random);
    Ok(())
}

/// The count and whether scores are wanted.
fn options(args: Request<'_>, text: &[u8]) -> Result<(i64, bool), CommandError> {
    let count = parse_i64(text).ok_or(CommandError::NOT_INTEGER)?;
    if count == i64::MIN {
        return Err(CommandError::COUNT_RANGE);
    }
    let scores = match args.get(3) {
        None => false,
        Some(word) if args.len() == 4 && word.eq_ignore_ascii_case(b"WITHSCORES") => true,
        Some(_) => return Err(CommandError::SYNTAX),
    };
    // Twice as many elements would not fit a reply's header.
    if scores && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(CommandError::OUT_OF_RANGE);
    }
    Ok((count, scores))
}

/// Writes members that are all different.
fn different(cx: &mut ReadCx<'_>, wanted: usize, scores: bool, random: &mut Random) -> Outcome {
    let zset = cx.keys.zset(0)?.unwrap_or(ZsetRef::EMPTY);
    let len = zset.len();
    if wanted >= len {
        let part = reply::Part {
            ranks: 0..len,
            // compat: all members come from the highest score down, though no order is promised.
            reverse: true,
            scores,
        };
        if let Some(rest) = part.write(cx.out, zset) {
            cx.stream(rest);
        }
        return Ok(());
    }
    if wanted >= STREAM_MIN {
        let (zset, mut random) = (zset.to_owned(), random.clone());
        cx.later(Box::new(move |out| {
            write_ranks(
                out,
                zset.view(),
                &distinct_ranks(len, wanted, &mut random),
                scores,
            );
            Ok(())
        }));
        return Ok(());
    }
    write_ranks(cx.out, zset, &distinct_ranks(len, wanted, random), scores);
    Ok(())
}

fn write_ranks(out: &mut Out, zset: ZsetRef<'_>, ranks: &[usize], scores: bool) {
    reply::open(out, ranks.len(), scores);
    let mut at = 0;
    let mut members = zset.iter();
    for rank in ranks {
        // A pack is read once from end to end; in a tree a descent is shorter.
        let found = match zset {
            ZsetRef::Packed(_) => members.nth(rank - at),
            ZsetRef::Tree(_) => zset.at(*rank),
        };
        at = rank + 1;
        if let Some((member, score)) = found {
            reply::element(out, &member, score, scores);
        }
    }
}

/// Writes `count` members, each drawn from all.
fn draw(out: &mut Out, zset: ZsetRef<'_>, count: usize, scores: bool, random: &mut Random) {
    let len = zset.len();
    match zset {
        ZsetRef::Packed(_) => {
            let all: Vec<_> = zset.iter().collect();
            for _ in 0..count {
                if let Some((member, score)) = all.get(random.index(len)) {
                    reply::element(out, member, *score, scores);
                }
            }
        }
        ZsetRef::Tree(_) => {
            for _ in 0..count {
                if let Some((member, score)) = zset.at(random.index(len)) {
                    reply::element(out, &member, score, scores);
                }
            }
        }
    }
}

/// A long draw with repetitions.
struct Repeated {
    zset: Zset,
    left: usize,
    scores: bool,
    random: Random,
}

impl Producer for Repeated {
    fn produce(&mut self, out: &mut Out) -> bool {
        let start = out.len();
        while self.left > 0 && out.len() - start < PIECE {
            let count = self.left.min(STREAM_MIN);
            draw(out, self.zset.view(), count, self.scores, &mut self.random);
            self.left -= count;
        }
        self.left > 0
    }
}
