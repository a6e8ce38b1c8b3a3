//! Reading sets by themselves: their members, their size, membership.
//!
//! Invariant: a large table is sent piece by piece from a snapshot, with no stripe held.

use super::{PIECE, SET, reply_count, reply_member};
use crate::exec::{Out, Producer, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Command, Flags, Outcome, Run, key};
use ochre_ds::dict::{Cursor, Dict};
use ochre_ds::set::SetRef;
use ochre_resp::Request;
use std::sync::Arc;

pub(super) const SMEMBERS: Command = Command {
    name: "smembers",
    summary: "Returns all members of a set.",
    complexity: "O(N) where N is the number of members.",
    arity: 2,
    keys: &[key(1).read()],
    args: &[Arg::key("key")],
    tips: &["nondeterministic_output_order"],
    run: Run::Read(smembers),
    ..SET
};

fn smembers(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let set = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY);
    cx.out.set(set.len());
    if let Some(whole) = Whole::of(set) {
        cx.stream(Box::new(whole));
    } else {
        reply_all(cx.out, set);
    }
    Ok(())
}

/// Sends every member of a set whose header is sent.
#[inline]
pub(super) fn reply_all(out: &mut Out, set: SetRef<'_>) {
    set.iter().for_each(|member| reply_member(out, member));
}

/// A table on its way to the client.
pub(super) struct Whole {
    table: Arc<Dict>,
    cursor: Cursor,
}

impl Whole {
    /// What sends the members of a set after the stripes are released, if it is large.
    pub(super) fn of(set: SetRef<'_>) -> Option<Whole> {
        match set {
            SetRef::Table(table) if table.len() >= STREAM_MIN => Some(Whole {
                table: Arc::clone(table),
                cursor: Cursor::default(),
            }),
            _ => None,
        }
    }
}

impl Producer for Whole {
    fn produce(&mut self, out: &mut Out) -> bool {
        let mut members = self.table.iter_from(self.cursor);
        let start = out.len();
        while out.len() - start < PIECE {
            let Some((member, _)) = members.next() else {
                return false;
            };
            out.bulk(member);
        }
        self.cursor = members.cursor();
        true
    }
}

pub(super) const SCARD: Command = Command {
    name: "scard",
    summary: "Returns the number of members of a set.",
    arity: 2,
    flags: Flags::FAST,
    keys: &[key(1).ro()],
    args: &[Arg::key("key")],
    run: Run::Read(scard),
    ..SET
};

fn scard(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let len = cx.keys.set(0)?.map_or(0, SetRef::len);
    reply_count(cx.out, len);
    Ok(())
}

pub(super) const SISMEMBER: Command = Command {
    name: "sismember",
    element: 2,
    summary: "Tells whether a set has a member.",
    arity: 3,
    flags: Flags::FAST,
    keys: &[key(1).ro()],
    args: &[Arg::key("key"), Arg::string("member")],
    run: Run::Read(sismember),
    ..SET
};

fn sismember(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let there = cx.keys.set(0)?.is_some_and(|set| set.contains(&args[2]));
    cx.out.integer(i64::from(there));
    Ok(())
}

pub(super) const SMISMEMBER: Command = Command {
    name: "smismember",
    summary: "Tells of several members whether a set has them.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of members asked for.",
    arity: -3,
    flags: Flags::FAST,
    keys: &[key(1).read()],
    args: &[Arg::key("key"), Arg::string("member").multiple()],
    run: Run::Read(smismember),
    ..SET
};

fn smismember(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    /// Members whose places are loaded ahead at a time.
    const AHEAD: usize = 32;
    let set = cx.keys.set(0)?.unwrap_or(SetRef::EMPTY);
    let members = args.tail(2);
    cx.out.array(members.len());
    for (i, member) in members.iter().enumerate() {
        if i.is_multiple_of(AHEAD) && members.len() > 1 {
            set.prefetch(members.tail(i).iter().take(AHEAD));
        }
        cx.out.integer(i64::from(set.contains(member)));
    }
    Ok(())
}
