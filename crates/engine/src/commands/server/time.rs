//! TIME.

use crate::exec::SessionCx;
use crate::spec::{Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;

pub(super) const TIME: Command = Command {
    name: "time",
    summary: "Returns the server's time: Unix seconds, and microseconds of the present one.",
    since: "2.6.0",
    group: Group::Server,
    arity: 1,
    flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
    tips: &["nondeterministic_output"],
    run: Run::Session(time),
    ..Command::NEW
};

fn time(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    const SECOND: i64 = 1_000_000;
    let now_us = cx.env.engine.clock.unix_us();
    cx.out.array(2);
    cx.out.bulk_integer(now_us.div_euclid(SECOND));
    cx.out.bulk_integer(now_us.rem_euclid(SECOND));
    Ok(())
}
