//! EXEC.

use super::COMMON;
use crate::error::CommandError;
use crate::exec::{Ids, Queued, Session, Transaction, UnitCx};
use crate::keyspace::lock::StripeId;
use crate::keyspace::stripe_of;
use crate::spec::{Command, Flags, Outcome, Run};
use ochre_resp::Request;

/// Queued requests from which the other connections of the worker are let go on meanwhile.
const LONG_MIN: usize = 256;

pub(super) const EXEC: Command = Command {
    name: "exec",
    summary: "Runs what was queued since MULTI, as one.",
    complexity: "Depends on commands in the transaction",
    flags: Flags::NOSCRIPT
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::SKIP_SLOWLOG)
        .with(Flags::UNQUEUED)
        .with(Flags::ENDS_TRANSACTION),
    run: Run::Unit(exec),
    ..COMMON
};

fn exec(cx: &mut UnitCx<'_, '_>, _: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    let Some(transaction) = &cx.session.transaction else {
        return Err(CommandError::EXEC_WITHOUT_MULTI);
    };
    let (aborted, denies_oom) = (transaction.aborted, transaction.has(Flags::DENYOOM));
    if aborted || cx.session.watches_broken() {
        engine.end_transaction(cx.session);
        if aborted {
            return Err(CommandError::EXEC_ABORTED);
        }
        cx.out.null_array();
        return Ok(());
    }
    if denies_oom && !engine.make_room() {
        engine.end_transaction(cx.session);
        return Err(CommandError::exec_aborted(&CommandError::OOM));
    }
    hold(cx)?;
    // From here on the request is not tried again.
    let broken = cx.session.watches_broken();
    let transaction = cx.session.transaction.take().unwrap_or_default();
    if broken {
        cx.out.null_array();
    } else if transaction.len() >= LONG_MIN || transaction.has(Flags::LONG) {
        engine.runtime.long(&mut || run(cx, &transaction));
    } else {
        run(cx, &transaction);
    }
    cx.release();
    engine.end_transaction(cx.session);
    cx.session.keep_transaction(transaction);
    Ok(())
}

/// Takes the stripes that the queued requests name and those of what is watched, or all if a request concerns
/// whole databases.
fn hold(cx: &mut UnitCx<'_, '_>) -> Outcome {
    let engine = cx.env.engine;
    let mut ids = Ids::new();
    cx.session.watched_stripes(&engine.keyspace, &mut ids);
    let Session {
        transaction, plan, ..
    } = &mut *cx.session;
    let Some(transaction) = transaction else {
        return Ok(());
    };
    if transaction.needs_everything() {
        return cx.hold_everything();
    }
    let mut db = cx.env.db;
    for (Queued { entry, hash }, request) in transaction.queue.iter() {
        if let Some(hash) = hash {
            ids.push(StripeId::new(db, stripe_of(*hash)));
            continue;
        }
        let selected = entry.command.selects.and_then(|selects| selects(request));
        // A database that there is not is not selected: the requests behind stay where they are.
        if let Some(selected) = selected.filter(|db| *db < engine.keyspace.count()) {
            db = selected;
        }
        plan.stripes_of(entry.command, request, db, &engine.keyspace, &mut ids);
    }
    cx.hold(ids)
}

fn run(cx: &mut UnitCx<'_, '_>, transaction: &Transaction) {
    let mut out = std::mem::take(cx.out);
    out.array(transaction.len());
    let places = cx.prefetch(transaction);
    for (i, (queued, request)) in transaction.queue.iter().enumerate() {
        let place = places.get(i).copied().unwrap_or(usize::MAX);
        let outcome = cx.checked_call(queued, place, request, &mut out);
        if let Err(error) = outcome {
            cx.fail(&error, &mut out);
        }
    }
    *cx.out = out;
}
