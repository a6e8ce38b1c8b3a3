//! WAIT and WAITAOF: how many replicas, or files, have what this connection wrote.
//!
//! There are no replicas and no append-only file yet, so the counts are zero. Who asks for more than there is waits as
//! in a blocking command, until the timeout has passed or CLIENT UNBLOCK ends it.

use crate::error::CommandError;
use crate::exec::{Nothing, SessionCx};
use crate::spec::{Arg, Categories, Command, Flags, Group, Outcome, Run};
use ochre_ds::int::parse_i64;
use ochre_resp::Request;

const TIPS: &[&str] = &["request_policy:all_shards", "response_policy:agg_min"];

pub(super) const WAIT: Command = Command {
    name: "wait",
    summary: "Waits until a number of replicas has this connection's writes.",
    since: "3.0.0",
    group: Group::Generic,
    arity: 3,
    flags: Flags::BLOCKING,
    categories: Categories::CONNECTION,
    args: &[Arg::integer("numreplicas"), Arg::integer("timeout")],
    tips: TIPS,
    run: Run::Session(wait),
    ..Command::NEW
};

fn wait(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let replicas = parse_i64(&args[1]).ok_or(CommandError::NOT_INTEGER)?;
    let until = deadline(&args[2], cx.env.now_ms)?;
    wait_for_replicas(cx, replicas, (&WAIT, args), until, Nothing::Replicas);
    Ok(())
}

pub(super) const WAITAOF: Command = Command {
    name: "waitaof",
    summary: "Waits until this connection's writes are in the append-only files here and on replicas.",
    since: "7.2.0",
    group: Group::Generic,
    arity: 4,
    flags: Flags::BLOCKING,
    categories: Categories::CONNECTION,
    args: &[
        Arg::integer("numlocal"),
        Arg::integer("numreplicas"),
        Arg::integer("timeout"),
    ],
    tips: TIPS,
    run: Run::Session(waitaof),
    ..Command::NEW
};

fn waitaof(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let local = parse_i64(&args[1]).ok_or(CommandError::NOT_INTEGER)?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::NOT_ZERO_OR_ONE);
    }
    let replicas = parse_i64(&args[2])
        .filter(|n| *n >= 0)
        .ok_or(CommandError::NOT_POSITIVE)?;
    let until = deadline(&args[3], cx.env.now_ms)?;
    if local > 0 {
        return Err(CommandError::WAITAOF_DISABLED);
    }
    wait_for_replicas(
        cx,
        replicas,
        (&WAITAOF, args),
        until,
        Nothing::FilesAndReplicas,
    );
    Ok(())
}

/// Answers at once when no replica is wanted, and inside of transactions and scripts.
fn wait_for_replicas(
    cx: &mut SessionCx<'_>,
    wanted: i64,
    request: (&'static Command, Request<'_>),
    until: Option<i64>,
    counts: Nothing,
) {
    if wanted > 0 && !cx.session.in_unit {
        cx.session.wait_without_keys(request, until, counts);
    } else {
        counts.write(cx.session.in_unit, cx.out);
    }
}

/// The time in Unix milliseconds until which a timeout lasts; a timeout of 0 never ends.
fn deadline(timeout: &[u8], now_ms: i64) -> Result<Option<i64>, CommandError> {
    let ms = parse_i64(timeout).ok_or(CommandError::TIMEOUT_NOT_INTEGER)?;
    match ms {
        ..0 => Err(CommandError::TIMEOUT_NEGATIVE),
        0 => Ok(None),
        _ => now_ms
            .checked_add(ms)
            .map(Some)
            .ok_or(CommandError::TIMEOUT_RANGE),
    }
}
