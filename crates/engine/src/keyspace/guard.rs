//! The lock of one stripe.
//!
//! Invariant: a thread that holds a stripe waits for another only where `lock` shows that the wait ends. Debug builds
//! check it: a thread that would wait otherwise panics, instead of hanging now and then. So do schedules, in which a wait
//! of bounded time ends and would hide it.

use super::Stripe;
use crate::sync::{Mutex, MutexGuard};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A stripe behind its lock.
pub(crate) struct StripeLock(Mutex<Stripe>);

/// A locked stripe.
pub struct StripeGuard<'a> {
    stripe: MutexGuard<'a, Stripe>,
    _counted: Counted,
}

/// Why a thread that holds stripes may wait for another. There is no other way to be let.
#[derive(Clone, Copy)]
pub(super) struct Leave<'p>(PhantomData<&'p ()>);

impl<'p> Leave<'p> {
    /// It is the one cut or plan that has the permit, for as long as that is held.
    pub(super) fn of_permit(_: &'p MutexGuard<'_, ()>) -> Leave<'p> {
        Leave(PhantomData)
    }

    /// It is a unit that reaches for a stripe, and gives up after a while.
    pub(super) fn to_reach() -> Leave<'static> {
        Leave(PhantomData)
    }
}

impl StripeLock {
    pub(super) fn new(stripe: Stripe) -> StripeLock {
        StripeLock(Mutex::new(stripe))
    }

    /// Waits for the stripe. The thread holds no other.
    #[inline]
    pub(super) fn lock(&self) -> StripeGuard<'_> {
        assert_nothing_held();
        StripeGuard::new(self.0.lock())
    }

    /// As [`Self::lock`], for a thread that may hold others, because whoever has the stripe does not wait for them.
    pub(super) fn lock_too(&self, _: Leave<'_>) -> StripeGuard<'_> {
        StripeGuard::new(self.0.lock())
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<StripeGuard<'_>> {
        self.0.try_lock().map(StripeGuard::new)
    }

    /// Waits for the stripe for `patience` at most. The thread holds no other.
    pub(super) fn try_lock_for(&self, patience: Duration) -> Option<StripeGuard<'_>> {
        assert_nothing_held();
        self.0.try_lock_for(patience).map(StripeGuard::new)
    }

    /// As [`Self::try_lock_for`], for a thread that may hold others.
    pub(super) fn try_lock_too_for(
        &self,
        patience: Duration,
        _: Leave<'_>,
    ) -> Option<StripeGuard<'_>> {
        self.0.try_lock_for(patience).map(StripeGuard::new)
    }
}

impl<'a> StripeGuard<'a> {
    #[inline]
    fn new(stripe: MutexGuard<'a, Stripe>) -> StripeGuard<'a> {
        StripeGuard {
            stripe,
            _counted: Counted::new(),
        }
    }
}

impl Deref for StripeGuard<'_> {
    type Target = Stripe;

    #[inline]
    fn deref(&self) -> &Stripe {
        &self.stripe
    }
}

impl DerefMut for StripeGuard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Stripe {
        &mut self.stripe
    }
}

use counting::Counted;
pub(super) use counting::assert_nothing_held;

#[cfg(debug_assertions)]
mod counting {
    use std::cell::Cell;
    #[cfg(not(feature = "shuttle"))]
    use std::thread_local;

    // Shuttle's threads share one of the system's.
    #[cfg(feature = "shuttle")]
    use shuttle::thread_local;

    thread_local! {
        static HELD: Cell<usize> = const { Cell::new(0) };
    }

    /// One of the stripes that this thread holds.
    pub(super) struct Counted;

    impl Counted {
        pub(super) fn new() -> Counted {
            HELD.with(|held| held.set(held.get() + 1));
            Counted
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            HELD.with(|held| held.set(held.get() - 1));
        }
    }

    /// Panics when this thread holds a stripe.
    pub(crate) fn assert_nothing_held() {
        let held = HELD.with(Cell::get);
        assert!(
            held == 0,
            "a thread that holds {held} stripes waits for another: a deadlock, if its holder waits too. \
             A command that looks at the keyspace is declared with Flags::KEYSPACE and uses the stripes it is lent"
        );
    }
}

#[cfg(not(debug_assertions))]
mod counting {
    pub(super) struct Counted;

    impl Counted {
        #[inline]
        pub(super) fn new() -> Counted {
            Counted
        }
    }

    #[inline]
    pub(crate) fn assert_nothing_held() {}
}

#[cfg(all(test, debug_assertions, not(feature = "shuttle")))]
mod tests {
    use crate::keyspace::{Cut, Keyspace};

    #[test]
    #[should_panic(expected = "holds 1 stripes")]
    fn who_holds_a_stripe_may_not_wait_for_another() {
        let keyspace = Keyspace::new(1, 1);
        let database = keyspace.database(0);
        let _held = database.stripe(3);
        database.stripe(4);
    }

    #[test]
    #[should_panic(expected = "holds 1 stripes")]
    fn who_holds_a_stripe_may_not_begin_a_cut() {
        let keyspace = Keyspace::new(1, 1);
        let _held = keyspace.database(0).stripe(3);
        Cut::take(&keyspace);
    }
}
