//! Whole hashes: HGETALL, HKEYS, HVALS.
//!
//! Invariant: a large hash is sent from a snapshot after the stripe is released, piece by piece.

use super::{HASH, reply_element};
use crate::exec::{Out, Producer, ReadCx, STREAM_MIN};
use crate::spec::{Arg, Command, Outcome, Run, key};
use ochre_ds::hash::{Cursor, Hash, HashRef};
use ochre_ds::pack::Element;
use ochre_resp::Request;

/// Bytes written at a time.
pub(super) const PIECE: usize = 64 * 1024;
/// A hash that holds this many bytes is not copied into the reply under the lock.
const STREAM_BYTES: usize = 256 * 1024;

pub(super) const HGETALL: Command = Command {
    name: "hgetall",
    summary: "Returns all fields of a hash with their values.",
    complexity: "O(N) where N is the size of the hash.",
    arity: 2,
    keys: &[key(1).read()],
    args: &[Arg::key("key")],
    tips: &["nondeterministic_output_order"],
    run: Run::Read(hgetall),
    ..HASH
};

pub(super) const HKEYS: Command = Command {
    name: "hkeys",
    summary: "Returns all fields of a hash.",
    run: Run::Read(hkeys),
    ..HGETALL
};

pub(super) const HVALS: Command = Command {
    name: "hvals",
    summary: "Returns the values of all fields of a hash.",
    run: Run::Read(hvals),
    ..HGETALL
};

/// What of each field is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Field,
    Value,
    Both,
}

impl Part {
    #[inline]
    fn reply(self, out: &mut Out, field: Element<'_>, value: Element<'_>) {
        if self != Part::Value {
            reply_element(out, field);
        }
        if self != Part::Field {
            reply_element(out, value);
        }
    }
}

fn hgetall(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let hash = cx.keys.hash(0)?;
    cx.out.map(hash.map_or(0, HashRef::len));
    reply_all(cx, Part::Both)
}

fn hkeys(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let hash = cx.keys.hash(0)?;
    cx.out.array(hash.map_or(0, HashRef::len));
    reply_all(cx, Part::Field)
}

fn hvals(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let hash = cx.keys.hash(0)?;
    cx.out.array(hash.map_or(0, HashRef::len));
    reply_all(cx, Part::Value)
}

/// Sends the content of key 0, whose header is sent.
fn reply_all(cx: &mut ReadCx<'_>, part: Part) -> Outcome {
    let Some(hash) = cx.keys.hash(0)? else {
        return Ok(());
    };
    if hash.len() >= STREAM_MIN || hash.heap_bytes() >= STREAM_BYTES {
        let whole = Whole {
            cursor: hash.iter().cursor(),
            hash: hash.to_owned(),
            part,
        };
        cx.stream(Box::new(whole));
    } else {
        for (field, value) in hash.iter() {
            part.reply(cx.out, field, value);
        }
    }
    Ok(())
}

/// A hash on its way to the client.
struct Whole {
    hash: Hash,
    cursor: Cursor,
    part: Part,
}

impl Producer for Whole {
    fn produce(&mut self, out: &mut Out) -> bool {
        let mut fields = self.hash.view().iter_from(self.cursor);
        let start = out.len();
        while out.len() - start < PIECE {
            let Some((field, value)) = fields.next() else {
                return false;
            };
            self.part.reply(out, field, value);
        }
        self.cursor = fields.cursor();
        true
    }
}
