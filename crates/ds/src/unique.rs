//! `Arc::make_mut` without its two locked instructions where nobody else holds the value: the usual case.
#![allow(unsafe_code)] // one cast, argued below

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Whether nobody else holds the value, so that [`make_mut`] does not copy it.
#[inline]
pub(crate) fn is_only<T>(shared: &Arc<T>) -> bool {
    Arc::strong_count(shared) == 1 && Arc::weak_count(shared) == 0
}

/// The value to change; copied first when somebody else holds it.
#[inline(always)] // three loads and two branches
pub(crate) fn make_mut<T: Clone>(shared: &mut Arc<T>) -> &mut T {
    if is_only(shared) {
        // Pairs with the release by which the last other holder gave its reference up.
        fence(Ordering::Acquire);
        // SAFETY: the only strong reference is the one borrowed exclusively here, and there is no weak
        // one. A new reference of either kind could only be made from a strong one, so none appears
        // while the borrow lasts. The pointer comes from the Arc itself and is valid for writes.
        return unsafe { &mut *Arc::as_ptr(shared).cast_mut() };
    }
    copied(shared)
}

#[cold]
#[inline(never)] // keeps the usual way small enough for its place
fn copied<T: Clone>(shared: &mut Arc<T>) -> &mut T {
    Arc::make_mut(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_others_hold_is_copied() {
        let mut one = Arc::new(vec![1]);
        make_mut(&mut one).push(2);
        let other = one.clone();
        make_mut(&mut one).push(3);
        assert_eq!((&*one, &*other), (&vec![1, 2, 3], &vec![1, 2]));
        let weak = Arc::downgrade(&other);
        drop(other);
        assert!(weak.upgrade().is_none());
        drop(weak);
        let weak = Arc::downgrade(&one);
        make_mut(&mut one).push(4);
        assert!(weak.upgrade().is_none(), "a weak reference sees no change");
    }

    /// Changes by the owner: under Miri each takes thousands of times as long.
    const ROUNDS: u64 = if cfg!(miri) { 40 } else { 200 };

    /// Threads that take and drop references while the owner changes the value in between.
    #[test]
    fn holders_on_other_threads_keep_what_they_hold() {
        let mut value = Arc::new(vec![0u64; 8]);
        for round in 1..ROUNDS {
            let held = value.clone();
            let reader = std::thread::spawn(move || {
                let first = held[0];
                assert!(held.iter().all(|v| *v == first));
                first
            });
            make_mut(&mut value).iter_mut().for_each(|v| *v = round);
            assert!(reader.join().is_ok_and(|seen| seen < round));
        }
    }
}
