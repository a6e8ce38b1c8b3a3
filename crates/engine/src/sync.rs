//! The locks and flags at which requests of several threads meet.
//!
//! They are parking_lot's and the standard library's. With the feature `shuttle`, which is for tests only, they are
//! shuttle's, so that `tests/schedules.rs` can run the code in chosen orders of events.
//!
//! Only what those tests schedule comes from here; a lock that is held for a moment and under which no other
//! of these is touched may be parking_lot's in both builds.

#[cfg(not(feature = "shuttle"))]
pub(crate) use parking_lot::{Mutex, MutexGuard};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::atomic::AtomicBool;

#[cfg(feature = "shuttle")]
pub(crate) use scheduled::{Mutex, MutexGuard};
#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::atomic::AtomicBool;

#[cfg(feature = "shuttle")]
#[allow(unreachable_pub)] // public fields of public types are of this type
mod scheduled {
    use std::time::Duration;

    /// How often a wait of bounded time tries: time stands still in a schedule.
    const TRIES: usize = 3;

    #[derive(Debug, Default)]
    pub struct Mutex<T>(shuttle::sync::Mutex<T>);

    pub type MutexGuard<'a, T> = shuttle::sync::MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Mutex<T> {
            Mutex(shuttle::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            match self.0.lock() {
                Ok(guard) => guard,
                Err(poisoned) => poisoned.into_inner(),
            }
        }

        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub fn try_lock_for(&self, _: Duration) -> Option<MutexGuard<'_, T>> {
            for _ in 0..TRIES {
                if let Some(guard) = self.try_lock() {
                    return Some(guard);
                }
                shuttle::thread::yield_now();
            }
            None
        }
    }
}
