//! HRANDFIELD.
//!
//! Invariants
//! - Every choice is uniform: of one field, of several with repetition, and of several different ones.
//! - Many fields are sent from a snapshot after the stripe is released, piece by piece.

use super::whole::PIECE;
use super::{HASH, reply_element};
use crate::error::CommandError;
use crate::exec::{Out, Producer, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Command, Outcome, Run, key};
use ochre_ds::dict::Sample;
use ochre_ds::hash::{Hash, HashRef};
use ochre_ds::int::parse_i64;
use ochre_ds::pack::Element;
use ochre_ds::random::Random;
use ochre_resp::{Protocol, Request};

/// Fields chosen at a time when a reply is sent in pieces.
const AT_ONCE: usize = 256;

pub(super) const HRANDFIELD: Command = Command {
    name: "hrandfield",
    summary: "Returns random fields of a hash, with their values if wanted.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of fields returned",
    arity: -2,
    keys: &[key(1).read()],
    args: &[
        Arg::key("key"),
        Arg::block(
            "options",
            &[
                Arg::integer("count"),
                Arg::word("withvalues", "WITHVALUES").optional(),
            ],
        )
        .optional(),
    ],
    tips: &["nondeterministic_output"],
    run: Run::Read(hrandfield),
    ..HASH
};

fn hrandfield(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    if args.len() == 2 {
        let mut random = cx.env.random();
        match cx.keys.hash(0)?.and_then(|h| h.random(&mut random)) {
            Some((field, _)) => reply_element(cx.out, field),
            None => cx.out.null(),
        }
        return Ok(());
    }
    let (count, shape) = options(args, cx.out.protocol())?;
    let Some(hash) = cx.keys.hash(0)?.filter(|_| count != 0) else {
        cx.out.array(0);
        return Ok(());
    };
    let asked = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let repeats = count < 0;
    let wanted = if repeats {
        asked
    } else {
        asked.min(hash.len())
    };
    let mut random = cx.env.random();
    cx.out.array(wanted.saturating_mul(shape.elements()));
    let way = match hash {
        _ if wanted < STREAM_MIN => None,
        _ if repeats => Some(Way::Repeating(wanted)),
        HashRef::Table(dict) => Some(Way::Different(dict.begin_sample(wanted))),
        // Its limits bound it.
        HashRef::Packed(_) => None,
    };
    if let Some(way) = way {
        let hash = hash.to_owned();
        cx.stream(Box::new(Choosing {
            hash,
            random,
            shape,
            way,
        }));
        return Ok(());
    }
    let out = &mut *cx.out;
    let visit = |field: Element<'_>, value: Element<'_>| shape.reply(out, field, value);
    if repeats {
        hash.draw(&mut random, wanted, visit);
    } else {
        hash.sample(&mut random, wanted, visit);
    }
    Ok(())
}

/// The count and what is sent of each field.
fn options(args: Request<'_>, protocol: Protocol) -> Result<(i64, Shape), CommandError> {
    /// The largest count of pairs, either way: half of all integers, as a reply has twice as many elements.
    const PAIRS_MAX: i64 = i64::MAX / 2;
    let count = parse_i64(&args[2]).ok_or(CommandError::NOT_INTEGER)?;
    if count == i64::MIN {
        return Err(CommandError::COUNT_RANGE);
    }
    let Some(word) = args.get(3) else {
        return Ok((count, Shape::Fields));
    };
    if args.len() > 4 || !word.eq_ignore_ascii_case(b"WITHVALUES") {
        return Err(CommandError::SYNTAX);
    }
    if !(-PAIRS_MAX..=PAIRS_MAX).contains(&count) {
        return Err(CommandError::OUT_OF_RANGE);
    }
    Ok((
        count,
        match protocol {
            Protocol::Resp2 => Shape::Flat,
            Protocol::Resp3 => Shape::Pairs,
        },
    ))
}

/// What is sent of each field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Fields,
    /// Field and value one after the other.
    Flat,
    /// Field and value in an array.
    Pairs,
}

impl Shape {
    /// Elements of the reply for each field.
    fn elements(self) -> usize {
        match self {
            Shape::Fields | Shape::Pairs => 1,
            Shape::Flat => 2,
        }
    }

    fn reply(self, out: &mut Out, field: Element<'_>, value: Element<'_>) {
        if self == Shape::Pairs {
            out.array(2);
        }
        reply_element(out, field);
        if self != Shape::Fields {
            reply_element(out, value);
        }
    }
}

/// A choice on its way to the client.
struct Choosing {
    hash: Hash,
    random: Random,
    shape: Shape,
    way: Way,
}

enum Way {
    /// So many more, with repetition.
    Repeating(usize),
    Different(Sample),
}

impl Producer for Choosing {
    fn produce(&mut self, out: &mut Out) -> bool {
        let (start, shape) = (out.len(), self.shape);
        while out.len() - start < PIECE {
            let visit = |field: Element<'_>, value: Element<'_>| shape.reply(out, field, value);
            let more = match (&mut self.way, &self.hash) {
                (Way::Repeating(left), hash) => {
                    let now = AT_ONCE.min(*left);
                    hash.view().draw(&mut self.random, now, visit);
                    *left -= now;
                    *left > 0
                }
                (Way::Different(sample), Hash::Table(dict)) => {
                    let mut visit = visit;
                    sample.advance(dict, &mut self.random, AT_ONCE, |field, value| {
                        visit(Element::Bytes(field), Element::Bytes(value));
                    })
                }
                (Way::Different(_), Hash::Packed(_)) => false,
            };
            if !more {
                return false;
            }
        }
        true
    }
}
