//! Reading a value while removing it or changing when it expires: GETDEL and GETEX.
//!
//! Invariants
//! - Without an option, GETEX changes nothing and is not journalled.
//! - What is journalled is the change alone, with an absolute deadline.

use super::options::{Accepts, EXPIRATION_OR_PERSIST, Lifetime, Options};
use crate::exec::{WriteCx, reply_string};
use crate::settings::EventClasses;
use crate::spec::{Access, Arg, Categories, Command, Flags, Group, Outcome, Run, key};
use ochre_resp::Request;

pub(super) const GETDEL: Command = Command {
    name: "getdel",
    summary: "Removes a key and returns the string value that it had.",
    since: "6.2.0",
    group: Group::String,
    arity: 2,
    flags: Flags::FAST,
    categories: Categories::STRING,
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::DELETE))],
    args: &[Arg::key("key")],
    run: Run::Write(getdel),
    ..Command::NEW
};

fn getdel(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    cx.sought(0);
    let Some(value) = cx.keys.string(0)? else {
        cx.out.null();
        return Ok(());
    };
    reply_string(cx.out, value);
    cx.keys.remove(0)?;
    cx.notify_removed(0);
    cx.effects.replace([b"DEL".as_slice(), &args[1]]);
    Ok(())
}

pub(super) const GETEX: Command = Command {
    name: "getex",
    summary: "Returns the string value of a key and sets or clears when it expires.",
    since: "6.2.0",
    group: Group::String,
    arity: -2,
    flags: Flags::FAST,
    categories: Categories::STRING,
    keys: &[key(1)
        .access(Access::RW.with(Access::ACCESS).with(Access::UPDATE))
        .note("RW and UPDATE because the expiry changes")],
    args: &[Arg::key("key"), EXPIRATION_OR_PERSIST],
    run: Run::Write(getex),
    ..Command::NEW
};

fn getex(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    let lifetime = Options::parse(args, 2, Accepts::Getex)?.lifetime;
    cx.sought(0);
    let Some(value) = cx.keys.string(0)? else {
        cx.out.null();
        return Ok(());
    };
    let until = match lifetime {
        Lifetime::Until(deadline) => Some(deadline.resolve("getex", cx.env.now_ms)?),
        Lifetime::Unsaid | Lifetime::Keep | Lifetime::Persist => None,
    };
    reply_string(cx.out, value);
    let key = &args[1];
    match (lifetime, until) {
        (_, Some(at)) if at <= cx.env.now_ms => {
            cx.keys.remove(0)?;
            cx.notify_removed(0);
            cx.effects.replace([b"DEL".as_slice(), key]);
        }
        (_, Some(at)) => {
            cx.keys.set_expiry(0, Some(at))?;
            cx.notify(EventClasses::GENERIC, "expire", 0);
            let mut digits = itoa::Buffer::new();
            let at = digits.format(at).as_bytes();
            cx.effects.replace([b"PEXPIREAT".as_slice(), key, at]);
        }
        (Lifetime::Persist, None) if cx.keys.expires_at(0).is_some() => {
            cx.keys.set_expiry(0, None)?;
            cx.notify(EventClasses::GENERIC, "persist", 0);
            cx.effects.replace([b"PERSIST".as_slice(), key]);
        }
        _ => {}
    }
    Ok(())
}
