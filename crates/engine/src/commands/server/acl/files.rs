//! ACL LOAD and ACL SAVE.

use super::{EVERYWHERE, SUB};
use crate::exec::SessionCx;
use crate::spec::{Command, Flags, Outcome, Run};
use ochre_resp::Request;

pub(super) const LOAD: Command = Command {
    name: "load",
    summary: "Takes over the users of the ACL file.",
    arity: 2,
    flags: SUB.flags.with(Flags::LONG),
    run: Run::Session(load),
    ..SUB
};

fn load(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let engine = cx.env.engine;
    engine.load_acl_file(Some(cx.session))?;
    // The next request of this batch is under the new rules already.
    cx.session.refresh_rules(engine);
    cx.out.ok();
    Ok(())
}

pub(super) const SAVE: Command = Command {
    name: "save",
    summary: "Writes all users to the ACL file.",
    arity: 2,
    flags: SUB.flags.with(Flags::LONG),
    tips: EVERYWHERE,
    run: Run::Session(save),
    ..SUB
};

fn save(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    cx.env.engine.save_acl_file()?;
    cx.out.ok();
    Ok(())
}
