//! Eviction: which keys go when memory is over the limit.
//!
//! A stripe is chosen at random and its entries are sampled bucket by bucket (hash order is random
//! order), at least `maxmemory-samples` of them; the best candidate of the sample is removed.
//! One stripe is locked at a time.

use super::access::AccessRule;
use super::stripe::Stripe;
use super::value::Garbage;
use super::{Database, Keyspace, STRIPES};
use std::sync::LazyLock;

/// Buckets looked at in one stripe before giving up on it.
const BUCKETS_MAX: usize = 64;

/// What `maxmemory-policy` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    /// Only keys with an expiry are candidates.
    pub(crate) volatile_only: bool,
    pub(crate) order: Order,
}

/// What makes a key go first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Nothing is evicted.
    Never,
    /// Least recently read or written.
    Idle,
    /// Least recently written.
    Unmodified,
    /// Least frequently used.
    Rare,
    /// Any.
    Random,
    /// Nearest expiry.
    Expiry,
}

impl Policy {
    /// The policy called `name` in the settings.
    fn from_name(name: &str) -> Policy {
        let volatile_only = name.starts_with("volatile-");
        let order = match name.rsplit('-').next().unwrap_or_default() {
            "lru" => Order::Idle,
            "lrm" => Order::Unmodified,
            "lfu" => Order::Rare,
            "random" => Order::Random,
            "ttl" => Order::Expiry,
            _ => Order::Never,
        };
        Policy {
            volatile_only,
            order,
        }
    }

    /// The policy at a position in the settings' list of names, without looking at the name.
    pub(crate) fn from_index(index: usize) -> Policy {
        static ALL: LazyLock<Vec<Policy>> = LazyLock::new(|| {
            crate::settings::POLICIES
                .iter()
                .map(|n| Policy::from_name(n))
                .collect()
        });
        ALL.get(index).copied().unwrap_or(Policy {
            volatile_only: false,
            order: Order::Never,
        })
    }

    /// Whether accesses are counted rather than timed.
    pub(crate) fn is_lfu(self) -> bool {
        self.order == Order::Rare
    }

    /// Whether only changes count as accesses.
    pub(crate) fn is_lrm(self) -> bool {
        self.order == Order::Unmodified
    }

    /// Whether the choice depends on when, or how often, a key was used.
    pub(crate) fn needs_clock(self) -> bool {
        matches!(self.order, Order::Idle | Order::Unmodified | Order::Rare)
    }

    /// Whether anything is ever evicted.
    pub(crate) fn evicts(self) -> bool {
        self.order != Order::Never
    }
}

/// What one eviction removed.
pub(crate) struct Evicted {
    pub(crate) key: Vec<u8>,
    pub(crate) garbage: Garbage,
    /// Bytes that it freed in its stripe.
    pub(crate) bytes: usize,
}

/// Removes the best candidate of a sample, calling `removed` while its stripe is locked.
///
/// `start` chooses the stripe; all stripes of all databases are tried from there. `None` when there is no candidate.
pub(crate) fn evict_one(
    keyspace: &Keyspace,
    policy: Policy,
    samples: usize,
    rule: &AccessRule,
    start: usize,
    mut removed: impl FnMut(&mut Stripe, usize, &Evicted),
) -> Option<Evicted> {
    let databases: Vec<(usize, &Database)> = (0..keyspace.count())
        .filter_map(|i| keyspace.used(i).map(|d| (i, d)))
        .collect();
    for at in 0..databases.len() * STRIPES {
        let at = start.wrapping_add(at) % (databases.len() * STRIPES);
        let (index, database) = databases[at % databases.len()];
        // One that is held for long is passed over: a request waits for this.
        let Some(mut stripe) = database.stripe_soon(at / databases.len()) else {
            continue;
        };
        let candidates = if policy.volatile_only {
            stripe.volatile_len()
        } else {
            stripe.len()
        };
        if candidates == 0 {
            continue;
        }
        if let Some(key) = best(&mut stripe, policy, samples, rule) {
            let hash = stripe.hash(&key);
            let before = stripe.live_bytes();
            if let Some(found) = stripe.find(hash, &key) {
                let garbage = stripe.remove(hash, found);
                let bytes = before - stripe.live_bytes();
                let evicted = Evicted {
                    key,
                    garbage,
                    bytes,
                };
                removed(&mut stripe, index, &evicted);
                return Some(evicted);
            }
        }
    }
    None
}

/// The key to go of a sample of one stripe.
fn best(stripe: &mut Stripe, policy: Policy, samples: usize, rule: &AccessRule) -> Option<Vec<u8>> {
    let position = u64::from(stripe.random()) << 8 | u64::from(stripe.random() & 0xFF);
    let mut best: Option<(i64, Vec<u8>)> = None;
    let (mut seen, mut at) = (0, position);
    for _ in 0..BUCKETS_MAX {
        let mut consider = |_, view: super::entry::View<'_>| {
            if policy.volatile_only && view.expires_at().is_none() {
                return;
            }
            seen += 1;
            let score = match policy.order {
                Order::Idle | Order::Unmodified => i64::from(rule.idle_seconds(view.clock())),
                Order::Rare => -i64::from(rule.decayed(view.clock())),
                Order::Expiry => view.expires_at().map_or(i64::MIN, i64::wrapping_neg),
                Order::Random | Order::Never => 0,
            };
            if best.as_ref().is_none_or(|(s, _)| score > *s) {
                best = Some((score, view.key().to_vec()));
            }
        };
        at = if policy.volatile_only {
            stripe.scan_volatile(at, &mut consider)
        } else {
            stripe.table_scan(at, &mut consider)
        };
        if seen >= samples.max(1) {
            break;
        }
    }
    if best.is_none() {
        // Few candidates in a large stripe: go through it once, a bucket at a time.
        best = first_candidate(stripe, policy);
    }
    best.map(|(_, key)| key)
}

fn first_candidate(stripe: &Stripe, policy: Policy) -> Option<(i64, Vec<u8>)> {
    let (mut at, mut found) = (0, None);
    loop {
        let mut take = |_, view: super::entry::View<'_>| {
            if found.is_none() && (!policy.volatile_only || view.expires_at().is_some()) {
                found = Some((0, view.key().to_vec()));
            }
        };
        at = if policy.volatile_only {
            stripe.scan_volatile(at, &mut take)
        } else {
            stripe.table_scan(at, &mut take)
        };
        if at == 0 || found.is_some() {
            return found;
        }
    }
}
