//! RANDOMKEY: every key of the database with the same probability.
//!
//! A stripe is drawn with a probability in proportion to its keys, in it a bucket, which is taken
//! with a probability in proportion to its entries, and an entry of it: so neither a full bucket's nor
//! a full stripe's keys are rarer than others. Keys whose time has come are drawn again; where nearly
//! all have, the first that lives after a random place is returned, to bound the work.
//!
//! Cost: one lock per stripe for the lengths, one more per draw.

use crate::exec::SweepCx;
use crate::keyspace::{STRIPES, Stripe, Stripes};
use crate::spec::{Categories, Command, Group, Outcome, Run};
use ochre_ds::arena::Handle;
use ochre_ds::table::position_of;
use ochre_resp::Request;
use smallvec::SmallVec;

/// Keys drawn before giving up on chance: enough where nine in ten have expired.
const DRAWS: usize = 64;
/// Buckets tried per drawn stripe; each is taken with a chance of about two in five.
const BUCKETS: usize = 32;
/// Entries of a bucket that are certain to be taken. Fuller ones are too rare to matter.
const CROWDED: usize = 24;
/// Buckets per lock when looking for any key.
const SLICE: usize = 32;

pub(super) const RANDOMKEY: Command = Command {
    name: "randomkey",
    summary: "Returns a random name of the database.",
    group: Group::Generic,
    arity: 1,
    categories: Categories::KEYSPACE,
    tips: &[
        "request_policy:all_shards",
        "response_policy:special",
        "nondeterministic_output",
    ],
    run: Run::Sweep(randomkey),
    ..Command::NEW
};

fn randomkey(cx: &mut SweepCx<'_>, _: Request<'_>) -> Outcome {
    let db = cx.env.db;
    let mut lens = [0; STRIPES];
    let mut place = 0;
    for (i, len) in lens.iter_mut().enumerate() {
        let looked = cx.stripes.with(db, i, |stripe| {
            let len = stripe.len() as u64;
            (len, if len > 0 { wide_random(stripe) } else { 0 })
        });
        let (keys, random) = looked.unwrap_or_default();
        *len = keys;
        place ^= random;
    }
    let total: u64 = lens.iter().sum();
    if total == 0 {
        cx.out.null();
        return Ok(());
    }
    let mut name = None;
    for _ in 0..DRAWS {
        let index = stripe_at(&lens, place % total);
        let drawn = cx.stripes.with(db, index, |stripe| {
            (draw(stripe, cx.env.now_ms), wide_random(stripe))
        });
        (name, place) = drawn.unwrap_or_default();
        if name.is_some() {
            break;
        }
    }
    if name.is_none() {
        let (start, now_ms) = (stripe_at(&lens, place % total), cx.env.now_ms);
        cx.env
            .engine
            .runtime
            .long(&mut || name = first_living(&cx.stripes, db, start, now_ms));
    }
    match name {
        Some(name) => cx.out.bulk(&name),
        None => cx.out.null(),
    }
    Ok(())
}

fn wide_random(stripe: &mut Stripe) -> u64 {
    u64::from(stripe.random()) << 32 | u64::from(stripe.random())
}

/// The stripe in which the key with this number lies; the last one for a number too large.
fn stripe_at(lens: &[u64], mut number: u64) -> usize {
    for (i, len) in lens.iter().enumerate() {
        if number < *len {
            return i;
        }
        number -= len;
    }
    lens.len() - 1
}

/// Draws an entry of a stripe and returns its name if it is alive. An expired one is not replaced by
/// another of the same stripe: that would favour the living keys of stripes with few of them.
fn draw(stripe: &mut Stripe, now_ms: i64) -> Option<Vec<u8>> {
    let buckets = stripe.table.buckets() as u64;
    if buckets == 0 {
        return None;
    }
    for _ in 0..BUCKETS {
        // A bucket's number is the hash of its own position.
        let bucket = wide_random(stripe) % buckets;
        let mut handles: SmallVec<[Handle; CROWDED]> = SmallVec::new();
        stripe
            .table
            .scan(position_of(bucket), |handle, _| handles.push(handle));
        // With nothing to compare it to, a bucket is taken as it is.
        let crowded = if buckets == 1 { 1 } else { CROWDED };
        let chosen = wide_random(stripe) % crowded.max(handles.len()) as u64;
        if let Some(handle) = usize::try_from(chosen).ok().and_then(|c| handles.get(c)) {
            let view = stripe.view(*handle)?;
            let living = view.expires_at().is_none_or(|at| at > now_ms);
            return living.then(|| view.key().to_vec());
        }
    }
    None
}

/// The first living key from the stripe `start` on.
fn first_living(stripes: &Stripes<'_>, db: usize, start: usize, now_ms: i64) -> Option<Vec<u8>> {
    for i in 0..STRIPES {
        let mut position = 0;
        loop {
            let mut name = None;
            stripes.with(db, (start + i) % STRIPES, |stripe| {
                for _ in 0..SLICE {
                    position = stripe.scan(position, |_, view| {
                        if name.is_none() && view.expires_at().is_none_or(|at| at > now_ms) {
                            name = Some(view.key().to_vec());
                        }
                    });
                    if position == 0 || name.is_some() {
                        break;
                    }
                }
            });
            if name.is_some() {
                return name;
            }
            if position == 0 {
                break;
            }
        }
    }
    None
}
