//! DUMP: a value in the form in which RESTORE, and Redis, take it.

use crate::exec::{LATER_MIN, Out, ReadCx, SHARE_MIN};
use crate::serial;
use crate::settings::id;
use crate::spec::{Arg, Categories, Command, Group, Outcome, Run, key};
use ochre_ds::blob::Blob;
use ochre_resp::Request;

pub(super) const DUMP: Command = Command {
    name: "dump",
    summary: "Returns the value of a key in serialised form.",
    since: "2.6.0",
    group: Group::Generic,
    complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
    arity: 2,
    categories: Categories::KEYSPACE,
    keys: &[key(1).read()],
    args: &[Arg::key("key")],
    tips: &["nondeterministic_output"],
    run: Run::Read(dump),
    ..Command::NEW
};

fn dump(cx: &mut ReadCx<'_>, _: Request<'_>) -> Outcome {
    let compress = cx.env.engine.settings.flag(id::RDBCOMPRESSION);
    let Some(value) = cx.keys.value(0) else {
        cx.out.null();
        return Ok(());
    };
    if cx.keys.memory(0) >= Some(LATER_MIN)
        && let Some(copy) = cx.keys.duplicate(0)
    {
        cx.later(Box::new(move |out: &mut Out| {
            reply(out, serial::dump(copy.value(), compress));
            Ok(())
        }));
        return Ok(());
    }
    reply(cx.out, serial::dump(value, compress));
    Ok(())
}

fn reply(out: &mut Out, payload: Vec<u8>) {
    if payload.len() >= SHARE_MIN {
        out.shared(Blob::from(payload));
    } else {
        out.bulk(&payload);
    }
}
