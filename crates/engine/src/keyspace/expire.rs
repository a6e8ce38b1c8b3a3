//! The active expiry cycle: finds keys whose time has come without anybody asking for them.
//!
//! It walks stripe after stripe in scan order and reads only entries with an expiry (the table
//! marks them), a few buckets per lock. Where a walk finds many expired keys it goes on, up to its
//! share of the time.

use super::value::Garbage;
use super::{Cursor, Database};
use ochre_ds::table::Position;

/// Buckets per lock: about 300 entries, some tens of microseconds.
const SLICE: usize = 32;

/// What one slice did.
#[derive(Default)]
pub(crate) struct Slice {
    pub(crate) looked_at: usize,
    pub(crate) expired: usize,
    pub(crate) garbage: Vec<Garbage>,
}

/// Goes through one slice of a database from `cursor`, removing expired keys; `removed` is called under the lock.
pub(crate) fn slice(
    database: &Database,
    cursor: Cursor,
    now_ms: i64,
    done: &mut Slice,
    mut removed: impl FnMut(&mut super::Stripe, &[u8]),
) -> Cursor {
    database.step(cursor, |stripe, mut position: Position| {
        if stripe.volatile_len() == 0 {
            return 0;
        }
        let mut expired: Vec<Vec<u8>> = Vec::new();
        for _ in 0..SLICE {
            position = stripe.scan_volatile(position, |_, view| {
                done.looked_at += 1;
                if view.expires_at().is_some_and(|at| at <= now_ms) {
                    expired.push(view.key().to_vec());
                }
            });
            if position == 0 {
                break;
            }
        }
        for key in expired {
            let hash = stripe.hash(&key);
            if let Some(found) = stripe.find(hash, &key) {
                done.garbage.push(stripe.remove(hash, found));
                done.expired += 1;
                removed(stripe, &key);
            }
        }
        position
    })
}
