//! Looking ahead in a batch: requests are looked up and their keys hashed before any is executed, and
//! the cache lines of their entries are asked for meanwhile.
//!
//! With a few requests in flight the waits for memory overlap instead of adding up. Nothing here
//! decides anything: a hint that is out of date when the request runs costs only time.
//!
//! Cost: two short locks a request, for batches of several requests only.

use super::Engine;
use super::lookup::Entry;
use crate::keyspace::stripe_of;
use crate::spec::Flags;
use ochre_ds::prefetch;
use ochre_resp::Request;

/// What is known of a request before it runs.
#[derive(Clone, Copy, Default)]
pub struct Ahead {
    /// Its command; `None` when lookup fails, which execution then reports.
    pub(crate) entry: Option<Entry>,
    /// The hash of its only key, if the declaration names one at a fixed place.
    pub(crate) hash: Option<u64>,
}

impl Ahead {
    /// Whether the request is queued and the requests behind it are, given whether it comes in a transaction.
    #[inline]
    pub fn queues(&self, in_transaction: bool) -> (bool, bool) {
        let Some(entry) = self.entry else {
            return (false, in_transaction);
        };
        let flags = entry.command.flags;
        let (begins, ends) = (Flags::BEGINS_TRANSACTION, Flags::ENDS_TRANSACTION);
        let queued = in_transaction && !flags.has(Flags::UNQUEUED);
        (
            queued,
            (in_transaction || flags.has(begins)) && !flags.has(ends),
        )
    }

    /// The hash of the request's only key.
    #[inline]
    pub fn hash(&self) -> Option<u64> {
        self.hash
    }
}

impl Engine {
    /// Looks a request up and hashes its key.
    #[inline]
    pub fn look_ahead(&self, request: Request<'_>) -> Ahead {
        if request.is_empty() {
            return Ahead::default();
        }
        let Ok(entry) = self.lookup.find(request) else {
            return Ahead::default();
        };
        let only = entry.command.only_key();
        let key = only.and_then(|(at, _)| request.get(at));
        let hash = key.map(|key| self.keyspace.hasher().hash(key));
        Ahead {
            entry: Some(entry),
            hash,
        }
    }

    /// Asks for the bucket of the request's key.
    #[inline]
    pub fn prefetch_bucket(&self, db: usize, ahead: &Ahead) {
        if let Some(hash) = ahead.hash {
            // A stripe that is busy is not waited for: the hint is not worth it.
            if let Some(stripe) = self.keyspace.database(db).mutex(stripe_of(hash)).try_lock() {
                prefetch::read(stripe.bucket_address(hash));
            }
        }
    }

    /// Asks for the entry of the request's key; the bucket should be there by now.
    #[inline]
    pub fn prefetch_entry(&self, db: usize, ahead: &Ahead) {
        if let Some(hash) = ahead.hash
            && let Some(stripe) = self.keyspace.database(db).mutex(stripe_of(hash)).try_lock()
        {
            let (first, second) = stripe.entry_addresses(hash);
            prefetch::read(first);
            prefetch::read(second);
        }
    }
}
