//! HSET and HDEL as fronts inside the process run them: the same commands with the same effects, but the reply is
//! the array of the fields' previous values, null for a field that was not there.
//!
//! They are in no list of commands, so nobody can ask for them by name; see [`Engine::look_ahead_to`].
//!
//! [`Engine::look_ahead_to`]: crate::exec::Engine::look_ahead_to

use super::get::reply_field;
use super::set::{HDEL, HSET, take_fields};
use crate::exec::{WriteCx, wrong_arity};
use crate::settings::EventClasses;
use crate::spec::{Access, Command, Outcome, Run, key};
use ochre_resp::Request;

/// HSET that answers the previous values of the fields.
pub const HSET_PREVIOUS: Command = Command {
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::UPDATE))],
    run: Run::Write(hset_previous),
    ..HSET
};

fn hset_previous(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(wrong_arity(HSET.name));
    }
    let (limits, seed) = (cx.env.hash_limits(), cx.env.hash_seed());
    let pairs = args.len() / 2 - 1;
    cx.out.array(pairs);
    let out = &mut *cx.out;
    cx.keys.edit_hash(0, |hash| {
        hash.prepare(pairs, &limits, seed)?;
        for pair in 0..pairs {
            let (field, value) = (&args[2 + 2 * pair], &args[3 + 2 * pair]);
            reply_field(out, Some(hash.view()), field);
            hash.set(field, value, &limits, seed)?;
        }
        Ok(((), pairs as u64))
    })?;
    cx.notify(EventClasses::HASH, "hset", 0);
    Ok(())
}

/// HDEL that answers the previous values of the fields.
pub const HDEL_PREVIOUS: Command = Command {
    keys: &[key(1).access(Access::RW.with(Access::ACCESS).with(Access::DELETE))],
    run: Run::Write(hdel_previous),
    ..HDEL
};

fn hdel_previous(cx: &mut WriteCx<'_>, args: Request<'_>) -> Outcome {
    take_fields(cx, args.tail(2))?;
    Ok(())
}
